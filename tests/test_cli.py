"""The command line: what it prints where, its exit statuses, and how it stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hpo_lab import cli
from tests.small_studies import (
    LANDSCAPE,
    OWN_STUDY,
    command,
    hpo_lab_says,
    own_landscape,
    plugin,
    study_file,
    told,
    write,
)

VERBS = ["run", "status", "report", "price", "audit", "show", "list"]
LOUD = "print('to standard output'); os.write(1, b'and once more')"


@pytest.fixture(scope="module", autouse=True)
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The plug-in with the landscape of the small study; it prints whenever it can."""
    with own_landscape(tmp_path_factory.mktemp("plugin"), LOUD) as path:
        yield path


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, file: Path) -> tuple[Path, Path]:
    """A small study that was run with two workers, and its results folder."""
    folder = tmp_path_factory.mktemp("done")
    study, out = study_file(folder), folder / "out"
    said = hpo_lab_says("run", study, "--out", out, "--workers", 2, "--json", "--plugin", file)
    assert said.returncode == 0, said.stderr
    assert "to standard output" in said.stderr, "what a landscape prints is not lost"
    assert "and once more" in said.stderr
    found = json.loads(said.stdout)
    assert set(found) == {"done", "ran", "failures", "damaged", "foreign", "lost", "seconds"}
    assert (found["done"], found["ran"]) == (0, 18)
    assert said.stderr.startswith(f"small: 18 runs on 2 workers; results in {out}\n")
    assert "18/18 runs" in said.stderr
    assert "about 0 s left" in said.stderr
    return study, out


def says(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run the command line here; return its exit status and what it printed."""
    status = cli.main([str(one) for one in arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def asked(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    status, out, err = says(capsys, *arguments, "--json")
    assert status == 0, err
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


def test_help_lists_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], *([verb, "--help"] for verb in VERBS)):
        with pytest.raises(SystemExit) as left:
            cli.main(arguments)
        assert left.value.code == 0
        shown = capsys.readouterr().out
        assert all(word in shown for word in (VERBS if len(arguments) == 1 else ["--json"]))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: VERB"),
        (["rum"], "invalid choice: 'rum'"),
        (["run"], "the following arguments are required: STUDY"),
        (["run", "s", "--workers", "0"], "expected a whole number from 1 on, not 0"),
        (["run", "s", "--workers", "two"], "expected a whole number from 1 on, not two"),
        (["run", "s", "--worker"], "expected one argument"),
    ],
)
def test_a_wrong_call_is_exit_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS[:4])
@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_bad_study_is_one_line_and_exit_status_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: str, json: list[str]
) -> None:
    bad = study_file(tmp_path, ("budget = 12", "bugdet = 12"))
    given = [verb, bad, "--out", tmp_path / "out", *json]
    line = f'hpo-lab: {bad}: runs: unknown key "bugdet" (did you mean "budget"?)\n'
    assert says(capsys, *given) == (2, "", line)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["raise RuntimeError('not today')", "x = 1", "x = "])
def test_a_bad_plugin_is_one_line_and_exit_status_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str
) -> None:
    bad = write(tmp_path / "bad.py", text)
    status, out, err = says(capsys, "list", "--plugin", bad)
    assert (status, out) == (2, "")
    assert err.startswith("hpo-lab: ")
    assert str(bad) in err
    assert err.count("\n") == 1
    assert says(capsys, "list", "--plugin", tmp_path / "no.py")[0] == 2


def test_status_says_how_far_a_study_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, done: tuple[Path, Path]
) -> None:
    study, out = done
    found = asked(capsys, "status", study, "--out", out)
    assert {key: found[key] for key in ("runs", "done", "missing", "damaged", "foreign")} == {
        "runs": 18,
        "done": 18,
        "missing": [],
        "damaged": [],
        "foreign": [],
    }
    assert len(found["hash"]) == 64
    assert says(capsys, "status", study, "--out", out)[1] == (
        f"small: 18 of 18 runs are done ({out})\n"
    )
    shown = says(capsys, "status", study, "--out", tmp_path / "nothing")[1]
    assert "small: 0 of 18 runs are done" in shown
    assert "missing: 18" in shown
    assert "own, left, random, budget 12, instance 1, repetition 1" in shown
    assert "… and 8 more (all with --json)" in shown
    assert not (tmp_path / "nothing").exists()


def test_a_second_run_takes_no_work(
    capsys: pytest.CaptureFixture[str], done: tuple[Path, Path]
) -> None:
    study, out = done
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    found = asked(capsys, "run", study, "--out", out)
    assert (found["done"], found["ran"], found["lost"]) == (18, 0, [])
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert says(capsys, "run", study, "--out", out)[1].startswith("18 runs were there, 0 ran in ")


def test_the_default_folder_is_named_after_the_study(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study_file(tmp_path)
    assert asked(capsys, "status", "study.toml")["folder"] == "results/small"
    assert asked(capsys, "status", ".")["folder"] == "results/small"


def test_the_catalogue_has_one_line_for_each_name(capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(capsys, "list")
    assert {"landscapes", "strategies", "assumptions", "measures"} <= set(found)
    for entries in found.values():
        assert entries
        assert all(set(entry) == {"name", "about"} and entry["about"] for entry in entries)
    shown = says(capsys, "list")[1]
    assert all(entry["name"] in shown for entries in found.values() for entry in entries)


PRICE = """
schema = 1
name = "prices"
[[landscapes]]
use = "peaks"
[[landscapes]]
use = "own"
[[landscapes]]
use = "families"
[spaces.universe]
[spaces.left]
landscapes = ["peaks"]
assume = [{ use = "narrowed", axis = "x1", high = 0.0 }]
[[strategies]]
use = "random"
"""


def test_the_price_has_the_keys_that_it_promises(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = write(tmp_path / "study.toml", PRICE)
    found = asked(capsys, "price", study)
    assert set(found) == {"study", "landscapes"}
    assert [one["landscape"] for one in found["landscapes"]] == ["peaks", "own", "families"]
    for landscape in found["landscapes"]:
        assert {"landscape", "unit", "spaces"} <= set(landscape)
        for space in landscape["spaces"]:
            assert {
                *("space", "optimum", "price", "exact", "bounds", "instances", "points"),
                *("carriers", "chance", "wins", "break_even", "oracle"),
            } <= set(space)
            assert set(space["break_even"]) == {"value", "status"}
            assert set(space["oracle"]) == {"wins", "break_even"}
            assert len(space["bounds"]) == 2
    known, unknown, _ = found["landscapes"]
    assert known["spaces"][0]["price"] == 0
    assert known["spaces"][0]["exact"] is True
    assert unknown["spaces"][0]["optimum"] is None
    assert unknown["spaces"][0]["break_even"] == {"value": None, "status": "unknown"}
    shown = says(capsys, "price", study)[1].splitlines()
    assert shown[0].split()[:4] == ["landscape", "space", "optimum", "price"]
    assert [line.split()[:2] for line in shown[1:3]] == [["peaks", "universe"], ["peaks", "left"]]
    assert not (tmp_path / "results").exists()


def test_the_report_has_the_keys_that_it_promises(done: tuple[Path, Path], file: Path) -> None:
    study, out = done
    missing = sorted((out / "runs").iterdir())[0]
    kept = missing.read_bytes()
    missing.unlink()
    found = told("report", study, "--out", out, "--plugin", file)
    missing.write_bytes(kept)
    assert {"study", "hash", "missing", "arms"} <= set(found)
    assert len(found["missing"]) == 1
    assert len(found["hash"]) == 64
    assert len(found["arms"]) == 6
    for arm in found["arms"]:
        assert {
            *("landscape", "space", "strategy", "runs", "budget", "failures", "regret", "signal"),
            *("intervals", "coverage", "fates", "regions"),
        } <= set(arm)
        assert set(arm["regret"]) == {"total", "space", "search", "selection"}
        assert set(arm["signal"]) == {"space", "floor", "shortfall"}
        for region in arm["regions"]:
            assert {
                *("system", "region", "measure", "runs_visited", "runs", "expected", "p"),
                *("bound", "verdict", "costly"),
            } <= set(region)
    assert Path(found["path"]).is_file()


def test_a_newer_format_is_one_line_and_exit_status_2(
    capsys: pytest.CaptureFixture[str],
    done: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study, out = done
    monkeypatch.setattr("hpo_lab.store.FORMAT", 0)
    for verb in ("run", "status"):
        status, printed, err = says(capsys, verb, study, "--out", out)
        assert (status, printed) == (2, "")
        assert "has format 1 and this version reads up to 0; install a newer" in err


def test_a_reader_that_leaves_early_is_no_error(file: Path) -> None:
    with subprocess.Popen(
        command("list", "--plugin", file), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_a_terminal_of_few_letters_is_no_error(tmp_path: Path) -> None:
    study = study_file(tmp_path, ("habit", "habité ∑"), ('"small"', '"smäll"'))
    text = LANDSCAPE.replace("A landscape of a test.", "Größe Σ.")
    mine = write(tmp_path / "mine.py", text.replace("{line}", "pass"))
    poor = os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    for arguments in (["list"], ["status", study], ["status", study, "--json"]):
        said = hpo_lab_says(*arguments, "--plugin", mine, env=poor, cwd=tmp_path)
        assert said.returncode == 0, said.stderr
        assert said.stdout.isascii()
    assert json.loads(said.stdout)["study"] == "smäll"


# --- Ctrl-C ------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0.6, 1.0, 2.5])
def test_an_interrupt_stops_within_seconds_and_the_same_command_goes_on(
    tmp_path: Path, delay: float
) -> None:
    study = study_file(tmp_path, ("budget = 4", "budget = 2"), text=OWN_STUDY)
    slow = plugin(tmp_path, "time.sleep(0 if repetition < 3 else 60)")
    run = command("run", study, "--out", tmp_path / "out", "--workers", 2, "--plugin", slow)
    with subprocess.Popen(
        run, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep(delay)
        until = time.monotonic() + 30
        while delay > 2 and time.monotonic() < until:  # a busy machine takes its time to begin
            if any((tmp_path / "out" / "runs").glob("*.parquet")):
                break
            time.sleep(0.1)
        family = psutil.Process(process.pid).children(recursive=True)
        start = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - start < 5
    if delay <= 1 and process.returncode < 0:
        return  # it had not begun to be ours
    assert process.returncode == 130, err
    assert out == ""
    assert err.endswith("hpo-lab: stopped; the same command goes on from here\n")
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    assert list((tmp_path / "out" / "runs").glob(".*")) == []
    plugin(tmp_path, "pass")
    found = told(*run[3:])
    assert found["done"] + found["ran"] == 6
    assert found["done"] >= (1 if delay > 2 else 0)


def test_the_module_is_the_command() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "hpo_lab.cli", "--help"], capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("usage: hpo-lab")

"""Campaigns: spread, interrupted, killed or short of room, they come to the same results."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, ClassVar

import numpy as np
import psutil
import pytest

import hpo_lab
import landscapes
from hpo_lab import Points, Problem, Search, Space, Strategy, Study, View, discovery, harness
from hpo_lab.harness import ATTEMPTS, DiskFull, StrategyError, execute
from hpo_lab.landscape import STATES
from hpo_lab.space import Floats
from hpo_lab.store import Store, _host
from tests.small_studies import (
    OWN_STUDY,
    Inline,
    command,
    hpo_lab_says,
    own_landscape,
    plugin,
    study_file,
    told,
)


@pytest.fixture(scope="module", autouse=True)
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The plug-in with the landscape of the small study."""
    with own_landscape(tmp_path_factory.mktemp("plugin")) as path:
        yield path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hash of the small study, run in one go in one process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return run_inline(study_file(folder), folder / "out")


def run_inline(study: Path, out: Path) -> str:
    hpo_lab.run(study, out, executor=Inline())
    return hash_of(study, out)


def test_what_a_run_took_is_recorded_and_is_no_mixture(tmp_path: Path) -> None:
    study, out = study_file(tmp_path), tmp_path / "out"
    run_inline(study, out)
    store = Store(out)
    took = [store.read(identity).provenance for identity in store.identities()]
    assert len({one["seconds"] for one in took}) > 1
    assert all(0.0 <= one["cpu_seconds"] <= one["seconds"] + 0.1 for one in took)
    assert not hpo_lab.Results.load(Study.read(study), out).mixed


def hash_of(study: Path, out: Path) -> str:
    found = hpo_lab.status(study, out)
    assert found["missing"] == []
    return str(found["hash"])


def drafts(out: Path) -> list[Path]:
    return list((out / "runs").glob(".*"))


# --- the loop ----------------------------------------------------------------------------------


def box(**arguments: Any) -> Problem:
    landscape = landscapes.make("peaks", peaks=3, **arguments)
    return Problem(landscape, View.identity(landscape.universe))


@dataclass(frozen=True)
class Scripted(Strategy):
    """Asks for one batch after the other, and spoils every array that it ever held."""

    batches: tuple[tuple[tuple[float, float], ...], ...]
    name: ClassVar[str] = "scripted"

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        return _Scripted(space, list(self.batches))


class _Scripted:
    def __init__(self, space: Space, left: list[Any]) -> None:
        self.space, self.left = space, left

    def ask(self) -> Points:
        batch = self.left.pop(0) if self.left else ()
        return self.space.points(np.array(batch, dtype=float).reshape(-1, 2))

    def tell(self, points: Points, values: Floats) -> None:
        points.values[:] = -1.0
        values[:] = -1.0


def scripted(*batches: tuple[tuple[float, float], ...], budget: int = 3, **more: Any) -> Any:
    return execute(box(**more), Scripted(batches), budget, np.random.default_rng(0))


def test_a_strategy_cannot_change_what_was_recorded() -> None:
    trials = scripted(((1.0, 2.0), (3.0, 4.0)), ((0.0, 0.0),))
    assert trials.values.tolist() == [[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]]
    assert trials.batch.tolist() == [0, 0, 1]
    assert (trials.truth >= 0).all()


@pytest.mark.parametrize("batch", [((0.0, 0.0),) * 4, ((9.0, 0.0),), ((np.nan, 0.0),)])
def test_a_strategy_that_asks_for_more_or_elsewhere_is_a_bug(batch: Any) -> None:
    with pytest.raises(StrategyError, match="scripted"):
        scripted(batch)


def test_a_run_may_end_early_and_even_at_once() -> None:
    assert len(scripted(((0.0, 0.0),))) == 1
    nothing = scripted()
    assert len(nothing) == 0
    assert nothing.values.shape == (0, 2)


def test_noise_belongs_to_the_point_and_the_repetition_and_a_second_look_meets_new_noise() -> None:
    here = ((1.0, 2.0),)
    batched = scripted(here + here, here, noise=0.1)
    single = scripted(((0.0, 0.0),), here, noise=0.1)
    assert len(set(batched.observed.tolist())) == 3
    assert single.observed[1] == batched.observed[0]
    assert len(set(batched.truth.tolist())) == 1
    assert (scripted(here, here).observed == batched.truth[0]).all()


# --- every way to the same results -------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_the_order_does_not_matter(
    tmp_path: Path, undisturbed: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    spread = harness._spread

    def shuffled(executor: Any, runs: Any, *rest: Any, **more: Any) -> Any:
        order = np.random.default_rng(seed).permutation(len(runs))
        return spread(executor, [runs[i] for i in order], *rest, **more)

    monkeypatch.setattr(harness, "_spread", shuffled)
    assert run_inline(study_file(tmp_path), tmp_path / "out") == undisturbed


@pytest.mark.parametrize(
    "workers",
    [1, 2, pytest.param(4, marks=pytest.mark.slow), pytest.param(8, marks=pytest.mark.slow)],
)
def test_the_number_of_workers_does_not_matter(
    tmp_path: Path, undisturbed: str, file: Path, workers: int
) -> None:
    study, out = study_file(tmp_path), tmp_path / "out"
    outcome = hpo_lab.run(study, out, workers=workers, plugins=[str(file)])
    assert (outcome.done, outcome.ran, outcome.lost) == (0, 18, [])
    assert hash_of(study, out) == undisturbed
    again = hpo_lab.run(study, out, workers=workers)
    assert (again.done, again.ran) == (18, 0)


@pytest.mark.filterwarnings("default")
def test_a_cluster_gives_the_same_results(tmp_path: Path, undisturbed: str, file: Path) -> None:
    distributed = pytest.importorskip("distributed")
    study, out = study_file(tmp_path), tmp_path / "out"
    where = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**where) as cluster, distributed.Client(cluster) as client:
        hpo_lab.run(study, out, executor=client.get_executor(), plugins=[str(file)])
    assert hash_of(study, out) == undisturbed


@pytest.mark.parametrize(
    ("threads", "seed"),
    [(1, 0), (2, 7), *(pytest.param(t, s, marks=pytest.mark.slow) for t in (1, 4) for s in (1, 7))],
)
def test_threads_and_the_hash_seed_do_not_matter(
    tmp_path: Path, file: Path, threads: int, seed: int
) -> None:
    study = study_file(tmp_path, ('"evolution"\npopulation = 4', '"gp"'))
    script = (
        "import sys, hpo_lab\n"
        "from tests.small_studies import Inline\n"
        "study, out, plugin = sys.argv[1:]\n"
        "hpo_lab.run(study, out, executor=Inline(), plugins=[plugin])\n"
        "print(hpo_lab.status(study, out)['hash'])"
    )
    several = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL")}
    said = subprocess.run(
        [sys.executable, "-c", script, study, tmp_path / "out", file],
        env=os.environ | several | {"PYTHONHASHSEED": str(seed)},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == run_inline(study, tmp_path / "here")


def test_two_processes_on_one_study_keep_each_run_once(
    tmp_path: Path, undisturbed: str, file: Path
) -> None:
    study, out = study_file(tmp_path), tmp_path / "out"
    (out / "runs").mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    (out / "runs" / f".{'0' * 32}.{_host()}.{dead.pid}.tmp").write_bytes(b"stale")
    run = command("run", study, "--out", out, "--workers", "1", "--plugin", file)
    with subprocess.Popen(run, stderr=DEVNULL) as first:
        time.sleep(0.3)
        with subprocess.Popen(run, stderr=DEVNULL) as second:
            assert (first.wait(), second.wait()) == (0, 0)
    assert hash_of(study, out) == undisturbed
    assert len(list((out / "runs").iterdir())) == 18
    assert drafts(out) == []


# --- killed ------------------------------------------------------------------------------------

# Forks a process for each write point that kills itself there, while it is at its third run.
POINTS = """
import os, signal, sys
from pathlib import Path
import hpo_lab, hpo_lab.optimizers.evolution, hpo_lab.verbs, pyarrow.parquet
from hpo_lab import discovery, store
from tests.small_studies import Inline

class Half:
    def __init__(self, file): self.file = file
    def __enter__(self): return self
    def __exit__(self, *_): self.file.close()
    def write(self, data):
        self.file.write(data[: len(data) // 2])
        self.file.flush()
        die()

def die(): os.kill(os.getpid(), signal.SIGKILL)

def on_third(owner, name, before, after):
    real, calls = getattr(owner, name), []
    def patched(*given, **named):
        calls.append(1)
        if len(calls) == 3: before()
        result = real(*given, **named)
        return after(result) if len(calls) == 3 else result
    setattr(owner, name, patched)

def nothing(): pass
points = {
    "before open": (Path, "open", die, None),
    "after open": (Path, "open", nothing, lambda file: die()),
    "half written": (Path, "open", nothing, Half),
    "before fsync": (os, "fsync", die, None),
    "after fsync": (os, "fsync", nothing, lambda _: die()),
    "before replace": (Path, "replace", die, None),
    "after replace": (Path, "replace", nothing, lambda _: die()),
    "after unlink": (Path, "unlink", nothing, lambda _: die()),
}
discovery.load_plugin(sys.argv[3])
study, out = hpo_lab.Study.read(sys.argv[1]), Path(sys.argv[2])
store.provenance()  # reads files of its own, once
for point, patch in points.items():
    pid = os.fork()
    if pid == 0:
        on_third(*patch)
        hpo_lab.run(study, out / point, executor=Inline())
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, point
    print(point)
"""


def test_killed_at_any_write_point_and_run_again(
    tmp_path: Path, undisturbed: str, file: Path
) -> None:
    study, out = study_file(tmp_path), tmp_path / "out"
    said = subprocess.run(
        [sys.executable, "-c", POINTS, study, out, file],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    left = 0
    for point in said.stdout.splitlines():
        left += len(drafts(out / point))
        assert run_inline(study, out / point) == undisturbed, point
        assert drafts(out / point) == [], point
    assert left >= 5


def descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill_in_the_middle(run: list[str], delay: float, group: bool) -> bool:
    """Kill a run after some seconds; no process of it may be left a few seconds later."""
    with subprocess.Popen(run, start_new_session=True, stdout=DEVNULL, stderr=DEVNULL) as process:
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            family = descendants(process.pid)
            if group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()
            _, alive = psutil.wait_procs(family, timeout=8)
            assert alive == [], f"left behind after {delay} s"
            return True
    return False


def killed(folder: Path, file: Path, kills: int, seed: int) -> str:
    """Kill runs of the small study at random times; return the hash once it is done."""
    study, out = study_file(folder), folder / "out"
    run = command("run", study, "--out", out, "--workers", "2", "--plugin", file)
    rng = np.random.default_rng(seed)
    while kills:
        if kill_in_the_middle(run, float(rng.uniform(0.2, 2.2)), bool(rng.random() < 0.5)):
            kills -= 1
        else:  # it came to its end: begin anew
            shutil.rmtree(out)
    run_inline(study, out)
    assert drafts(out) == []
    return hash_of(study, out)


def test_killed_at_random_times_and_run_again(tmp_path: Path, undisturbed: str, file: Path) -> None:
    assert killed(tmp_path, file, 3, 0) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_killed_hundreds_of_times_and_run_again(
    tmp_path: Path, undisturbed: str, file: Path, seed: int
) -> None:
    assert killed(tmp_path, file, 10, seed) == undisturbed


DIES = "if repetition == 2 and {when}: os.kill(os.getpid(), 9)"
ONCE = "not (Path(self.folder) / 'died').exists() and not (Path(self.folder) / 'died').touch()"
COUNTS = "(Path(self.folder) / f'died{time.time_ns()}').touch() is None"


def own(folder: Path, line: str) -> tuple[Path, Path, Path]:
    """Write the plug-in and a study of it; return study, results folder and plug-in."""
    text = OWN_STUDY.replace('use = "own"', f'use = "own"\nfolder = "{folder}"')
    return study_file(folder, text=text), folder / "out", plugin(folder, line)


def test_a_worker_that_dies_costs_one_attempt(tmp_path: Path) -> None:
    study, out, file = own(tmp_path, DIES.replace("{when}", ONCE))
    found = told("run", study, "--out", out, "--workers", "2", "--plugin", file)
    assert (found["ran"], found["lost"]) == (6, [])
    assert len(Store(out).identities()) == 6


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_run_that_kills_every_worker_is_lost_and_the_others_are_done(
    tmp_path: Path, workers: int
) -> None:
    study, out, file = own(tmp_path, DIES.replace("{when}", COUNTS))
    given = ("run", study, "--out", out, "--workers", workers, "--plugin", file, "--json")
    said = hpo_lab_says(*given)
    assert said.returncode == 1, said.stderr
    found = json.loads(said.stdout)
    assert found["ran"] == 5
    assert found["lost"] == ["own, universe, random, budget 4, instance 1, repetition 2"]
    assert len(list(tmp_path.glob("died*"))) == ATTEMPTS
    assert "lost, its process died every time: own, universe, random" in said.stderr
    assert len(Store(out).identities()) == 5
    plugin(tmp_path, "pass")
    discovery.load_plugin(file)
    assert hpo_lab.run(study, out, executor=Inline()).ran == 1


def test_workers_that_cannot_start_are_one_clear_error(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    study = study_file(tmp_path, ('"own"', '"peaks"'), ('axis = "x"', 'axis = "x1"'))
    script.write_text(f"import hpo_lab\nhpo_lab.run({str(study)!r}, workers=1)\n")
    said = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, check=False
    )
    assert said.returncode != 0
    assert '__name__ == "__main__"' in said.stderr.splitlines()[-1]


# --- no room -----------------------------------------------------------------------------------


def test_no_room_at_any_write_stops_cleanly_and_goes_on_later(
    tmp_path: Path, undisturbed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, out = study_file(tmp_path), tmp_path / "out"
    real = os.fsync
    for k in range(18):
        left = [k]

        def full(fd: int, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(fd)

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(DiskFull) as stopped:
            hpo_lab.run(study, tmp_path / f"out{k}", executor=Inline())
        assert str(tmp_path / f"out{k}") in str(stopped.value)
        store = Store(tmp_path / f"out{k}")
        assert len(store.identities()) == k
        assert all(store.read(identity) for identity in store.identities())
        assert drafts(store.folder) == []
    monkeypatch.setattr(os, "fsync", real)
    assert run_inline(study, tmp_path / "out9") == undisturbed
    assert not out.exists()


FULL = """
import errno
def full(fd, real=os.fsync):
    if Path(__file__).with_name("full").exists():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    real(fd)
os.fsync = full
"""


def test_no_room_in_a_worker_is_exit_status_74(tmp_path: Path) -> None:
    study, out, file = own(tmp_path, "pass")
    file.write_text(file.read_text() + FULL)
    (tmp_path / "full").touch()
    given = ("run", study, "--out", out, "--workers", "2", "--plugin", file, "--json")
    said = hpo_lab_says(*given)
    assert said.returncode == 74, said.stderr
    assert said.stdout == ""
    assert said.stderr.splitlines()[-1].startswith(f"hpo-lab: no room for results in {out}")
    assert list((out / "runs").iterdir()) == []
    (tmp_path / "full").unlink()
    assert run_inline(study, out)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_small_disk_that_fills_up(
    tmp_path: Path, small_disk: Path, undisturbed: str, file: Path
) -> None:
    study, out = study_file(tmp_path), small_disk / "out"
    said = hpo_lab_says("run", study, "--out", out, "--workers", "2", "--plugin", file)
    assert said.returncode == 74, said.stderr
    store = Store(out)
    done = store.identities()
    assert 0 < len(done) < 18
    assert all(store.read(identity) for identity in done)
    grow = ["mount", "-o", "remount,size=8m", str(small_disk)]
    subprocess.run(grow, check=True)
    assert hpo_lab.status(study, out)["done"] == len(done)
    assert run_inline(study, out) == undisturbed
    assert drafts(out) == []


@pytest.mark.parametrize("out", ["file", "file/below", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(hpo_lab.InputError, match="no results can be written"):
        hpo_lab.run(study_file(tmp_path), tmp_path / out, executor=Inline())


# --- bad objectives ----------------------------------------------------------------------------

OBJECTIVES = {
    "raises": ("if (x < 0.5).any(): raise KeyError('no such layer')", "raised"),
    "nan": ("x = np.where(x < 0.5, np.nan, x)", "no value"),
    "infinite": ("x = np.where(x < 0.5, -np.inf, x)", "infinite"),
    "exits": ("if (x < 0.5).any(): sys.exit(7)", "raised"),
    "text": ("if (x < 0.5).any(): return ['a'] * len(x)", "raised"),
    "complex": ("if (x < 0.5).any(): return x + 1j", "raised"),
    "shape": ("if (x < 0.5).any(): return np.ones((len(x), 2))", "raised"),
    "nothing": ("if (x < 0.5).any(): return None", "raised"),
}


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_a_bad_objective_is_data(tmp_path: Path, kind: str) -> None:
    line, state = OBJECTIVES[kind]
    study, out, _ = own(tmp_path, line)
    with own_landscape(tmp_path, line):
        outcome = hpo_lab.run(study, out, executor=Inline())
    assert (outcome.ran, outcome.lost) == (6, [])
    stored = [Store(out).read(identity).trials for identity in Store(out).identities()]
    for trials in stored:
        bad = trials.values[:, 0] < 0.5
        assert (trials.state[bad] == STATES.index(state)).all()
        assert (trials.state[~bad] == 0).all()
        assert np.isnan(trials.observed[bad]).all()
        assert (trials.observed[~bad] == trials.values[~bad, 0] + 1).all()
        assert bool(trials.messages) == (state == "raised" and bool(bad.any()))
    assert outcome.failures == sum(int((trials.state != 0).sum()) for trials in stored) > 0


def test_messages_are_kept_up_to_a_number_and_change_no_hash(tmp_path: Path) -> None:
    line = "raise ValueError(f'{x} at {time.time_ns()}')"
    study, out, _ = own(tmp_path, line)
    study_file(tmp_path, ("budget = 4", "budget = 50"), text=study.read_text())
    with own_landscape(tmp_path, line):
        assert run_inline(study, out) == run_inline(study, tmp_path / "again")
    for identity in Store(out).identities():
        assert len(Store(out).read(identity).trials.messages) == harness.MESSAGES


# --- going on, and telling how far -------------------------------------------------------------


def test_damage_is_set_aside_and_run_again(tmp_path: Path, undisturbed: str) -> None:
    study, out = study_file(tmp_path), tmp_path / "out"
    run_inline(study, out)
    store = Store(out)
    cut, swapped, *_ = store.identities()
    store.path(cut).write_bytes(store.path(cut).read_bytes()[:-9])
    store.path(swapped).write_bytes(store.path(store.identities()[2]).read_bytes())
    found = hpo_lab.status(study, out)
    assert len(found["damaged"]) == len(found["missing"]) == 2
    outcome = hpo_lab.run(study, out, executor=Inline())
    assert (outcome.done, outcome.ran) == (16, 2)
    assert hash_of(study, out) == undisturbed
    store.path(cut).write_bytes(b"")
    outcome = hpo_lab.run(study, out, executor=Inline())
    assert outcome.damaged == [out / "damaged" / f"{cut}.parquet"]


def test_runs_of_another_study_are_listed_and_left_alone(tmp_path: Path, undisturbed: str) -> None:
    study, out = study_file(tmp_path), tmp_path / "out"
    run_inline(study, out)
    more = study_file(tmp_path, ("repetitions = 3", "repetitions = 4"))
    outcome = hpo_lab.run(more, out, executor=Inline())
    assert (outcome.done, outcome.ran, outcome.foreign) == (18, 6, [])
    fewer = study_file(tmp_path)
    outcome = hpo_lab.run(fewer, out, executor=Inline())
    assert (outcome.done, outcome.ran, len(outcome.foreign)) == (18, 0, 6)
    assert hash_of(fewer, out) == undisturbed
    assert len(Store(out).identities()) == 24


def test_progress_counts_every_run_and_then_estimates(tmp_path: Path) -> None:
    calls: list[tuple[int, int, float | None]] = []
    hpo_lab.run(
        study_file(tmp_path),
        tmp_path / "out",
        executor=Inline(),
        progress=lambda *given: calls.append(given),
    )
    assert [done for done, _, _ in calls] == list(range(19))
    assert {total for _, total, _ in calls} == {18}
    assert calls[0][2] is None
    known = [seconds is not None for _, _, seconds in calls]
    assert known == sorted(known)
    assert calls[-1][2] == 0.0


def test_each_strategy_has_a_run_among_the_first(tmp_path: Path) -> None:
    study = Study.read(study_file(tmp_path))
    missing = harness._survey(study, Store(tmp_path / "out"), harness.Outcome())
    assert {run.arm.strategy.use for run in missing[:3]} == {"random", "grid", "evolution"}
    assert len({run.identity for run in missing}) == len(missing) == 18


def test_the_same_repetition_meets_the_same_noise_under_every_strategy(tmp_path: Path) -> None:
    changes = ('"own"', '"peaks"\nnoise = 0.1'), ('axis = "x"', 'axis = "x1"')
    study = Study.read(study_file(tmp_path, *changes))
    one, other = study.arms[0], study.arms[4]
    assert (one.strategy, one.space) != (other.strategy, other.space)
    points = other.problem(1).view.declared.sample(3, np.random.default_rng(0))
    looks = np.zeros(3, np.int64)
    order = [2, 0, 1]
    heard = other.problem(1).answer(points, 1, looks).observed
    assert (one.problem(1).answer(points[order], 1, looks).observed == heard[order]).all()
    assert (one.problem(1).answer(points, 2, looks).observed != heard).all()

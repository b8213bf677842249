"""The audit of one run: exact against closed forms, honest under chance, harmless on every page."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, binom

import hpo_lab
from hpo_lab import Choice, Family, InputError, Integer, Points, Real, Space, audit, cli
from hpo_lab.auditing import SYSTEMS, Judged, finest, judged, left_out
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from tests.test_report_page import Page, browser
from tests.tidy_tables import HOSTILE

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "experiments" / "audit"
LR = Real("lr", 1e-5, 1e-1, log=True)
MIXED = KINDS_OF_SPACE["mixed"]
CONDITIONAL = KINDS_OF_SPACE["conditional"]


def frame_of(points: Points, values: Any = 0.0) -> pd.DataFrame:
    return pd.DataFrame(points.records()).assign(value=values)


def drawn(space: Space, trials: int, seed: int = 0) -> pd.DataFrame:
    """A log of uniform search, with values that mean nothing."""
    rng = np.random.default_rng(seed)
    return frame_of(space.sample(trials, rng), rng.random(trials))


def by_region(found: hpo_lab.Audit, system: str) -> dict[str, Judged]:
    return {one.region: one for one in found.regions if one.system == system}


# --- what a verdict is -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mixed", "conditional", "integer", "categorical", "ordered"])
def test_every_number_is_the_closed_form(name: str) -> None:
    space, trials = KINDS_OF_SPACE[name], 80
    found = audit(drawn(space, trials), space)
    assert found.regions
    for one in found.regions:
        assert one.expected == pytest.approx(trials * one.measure, rel=1e-12)
        # scipy's own distribution function; 1e-9 is what two ways to sum 80 terms may differ by
        assert one.p == pytest.approx(binom.cdf(one.visits, trials, one.measure), rel=1e-9)
        if one.visits == 0:
            assert one.p == pytest.approx((1 - one.measure) ** trials, rel=1e-9)


def test_measures_are_shares_of_uniform_search() -> None:
    """40,000 uniform trials land in each region as its measure says, within five sigma."""
    trials = 40_000
    found = audit(drawn(CONDITIONAL, trials, seed=3), CONDITIONAL)
    for one in found.regions:
        sigma = np.sqrt(trials * one.measure * (1 - one.measure))
        assert abs(one.visits - one.expected) <= 5 * sigma, one
    for system in ("families", "cells"):
        mine = by_region(found, system).values()
        assert sum(one.measure for one in mine) == pytest.approx(1, abs=1e-12)
        assert sum(one.visits for one in mine) == trials


def test_neglected_means_rare_even_at_half_the_pace() -> None:
    """Bound below half the fair share, said without a bound: P(Bin(T, mu / 2) <= k) <= 5 %."""
    space, trials = Space.box(Choice("c", ("a", "b"))), 60
    for visits in range(31):
        frame = pd.DataFrame({"c": ["a"] * visits + ["b"] * (trials - visits), "value": 0.0})
        word = by_region(audit(frame, space), "options")["c = a"].verdict
        rare = binom.cdf(visits, trials, 0.25) < 0.05
        assert beta.ppf(0.95, visits + 1, trials - visits) < 0.25 or not rare
        assert word == ("never seen" if visits == 0 else "neglected" if rare else "no evidence")


def test_what_a_run_avoided_is_named() -> None:
    frame = drawn(CONDITIONAL, 200)
    frame = frame[(frame["family"] != "conv") & ~(frame["lr"] > 1e-2)]
    found = audit(frame, CONDITIONAL)
    assert by_region(found, "families")["family = conv"].verdict == "never seen"
    never = {one.region for one in found.regions if one.verdict == "never seen"}
    assert "family = conv" in never
    assert any("≤ lr ≤ 0.1" in region for region in never)
    assert any(region.startswith("family = conv and") for region in never), "cells name theirs"


def test_nothing_can_be_said_of_few_trials() -> None:
    found = audit(drawn(MIXED, 1), MIXED)
    assert {one.verdict for one in found.regions} == {"untestable"}
    assert found.smallest == pytest.approx(0.95)
    assert audit(drawn(MIXED, 60), MIXED).smallest == pytest.approx(1 - 0.05 ** (1 / 60))


def test_finer_with_more_trials_and_only_as_fine_as_can_be_tested() -> None:
    space = KINDS_OF_SPACE["continuous"]
    for name in ("bins", "cells"):
        counts = [len(finest(name, space, trials).regions) for trials in (5, 20, 50, 200, 1000)]
        assert counts == sorted(counts)
        assert counts[0] < counts[-1]
    for trials in (20, 60, 300):
        words = {one.verdict for one in audit(drawn(space, trials), space).regions}
        assert "untestable" not in words


@pytest.mark.parametrize("name", sorted(KINDS_OF_SPACE))
def test_every_kind_of_space_can_be_audited(name: str) -> None:
    space = KINDS_OF_SPACE[name]
    found = audit(drawn(space, 50), space, universe=space)
    assert found.trials == 50
    assert not found.excluded
    assert not found.outside


def test_the_order_of_trials_and_axes_changes_nothing() -> None:
    frame = drawn(CONDITIONAL, 120)
    mixed = frame.sample(frac=1, random_state=1)[list(reversed(frame.columns))]
    regions, again = audit(frame, CONDITIONAL).regions, audit(mixed, CONDITIONAL).regions
    assert list(map(repr, regions)) == list(map(repr, again))  # nan is no equal of itself


def test_too_many_regions_are_left_out_and_counted() -> None:
    wide = Space.box(*[Choice(f"c{i}", tuple(range(30))) for i in range(10)])
    found = audit(drawn(wide, 50), wide)
    assert found.skipped == {"pairs": 45 * 900}
    assert {one.system for one in found.regions} == {"options", "cells"}


# --- honest under chance -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mixed", "conditional", "categorical"])
@pytest.mark.parametrize("trials", [40, 150])
def test_uniform_search_is_seldom_blamed(name: str, trials: int) -> None:
    """With no effect every finding is false: at most 5 % of audits have one, in each system.

    The 99 % lower bound of Clopper and Pearson on 400 audits must not lie above 5 %.
    """
    space, audits = KINDS_OF_SPACE[name], 400
    rng = np.random.default_rng(11)
    for system in (finest(name, space, trials) for name in SYSTEMS):
        if not system.regions:
            continue
        false = sum(
            any(
                one.verdict in ("never seen", "neglected")
                for one in judged(system, space.sample(trials, rng))
            )
            for _ in range(audits)
        )
        lower = beta.ppf(0.01, false, audits - false + 1) if false else 0.0
        assert lower <= 0.05, (system.name, false)


# --- the rest of the audit ---------------------------------------------------------------------


def edges_of(space: Space, best: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    frame = drawn(space, 30)
    frame = pd.concat([frame, pd.DataFrame([{**best, "value": -1.0}])], ignore_index=True)
    return [(one.axis, one.side) for one in audit(frame, space, **more).edges]


def test_the_edge_that_the_best_value_lies_on() -> None:
    sizes = Choice("size", (1, 2, 4), ordered=True)
    space = Space.box(LR, Real("x", 0, 1), Integer("k", 1, 9), sizes, Choice("c", ("a", "b")))
    middle = {"lr": 1e-3, "x": 0.5, "k": 5, "size": 2, "c": "a"}
    assert edges_of(space, middle) == []
    edge = {"lr": 1.05e-5, "x": 0.995, "k": 9, "size": 1, "c": "b"}
    assert edges_of(space, edge) == [("lr", "low"), ("x", "high"), ("k", "high"), ("size", "low")]
    near = {**middle, "x": 0.011, "lr": 0.089}  # 1.1 % and 1.3 % of the scale from a bound
    assert edges_of(space, near) == []


def test_how_close_and_how_likely_by_chance() -> None:
    space = Space.box(LR, Integer("k", 1, 10))
    frame = pd.DataFrame({"lr": [1e-3, 1e-1 / 10**0.02], "k": [3, 10], "value": [1.0, 0.5]})
    lr, k = audit(frame, space).edges
    assert lr.distance == pytest.approx(0.005)  # of four decades
    assert lr.chance == pytest.approx(0.005)
    assert (k.distance, k.value, k.bound) == (0, 10, 10)
    assert k.chance == pytest.approx(0.1)


def test_higher_is_better_where_that_is_said() -> None:
    frame = pd.DataFrame({"x": [0.0, 0.5, 1.0], "value": [3.0, 2.0, np.nan]})
    space = Space.box(Real("x", 0, 1))
    assert audit(frame, space).best == {"x": 0.5, "value": 2.0, "trial": 2}
    assert audit(frame, space, maximize=True).best == {"x": 0.0, "value": 3.0, "trial": 1}
    assert [one.side for one in audit(frame, space, maximize=True).edges] == ["low"]
    nothing = audit(frame.assign(value=np.nan), space)
    assert nothing.best is None
    assert nothing.edges == ()
    assert nothing.succeeded == 0


def test_of_equal_values_the_first_is_the_best() -> None:
    frame = pd.DataFrame({"x": [0.2, 0.4, 0.6], "value": [1.0, 0.3, 0.1 + 0.2]})
    found = audit(frame, Space.box(Real("x", 0, 1)))
    assert found.best is not None
    assert found.best["trial"] == 2


def test_what_never_varied() -> None:
    frame = drawn(CONDITIONAL, 60)
    frame["lr"] = np.where(frame["lr"].notna(), 1e-3, np.nan)  # one axis of three families
    frame.loc[frame["family"] == "conv", "kernel"] = 3
    found = audit(frame, CONDITIONAL)
    with_lr, conv = int(frame["lr"].notna().sum()), int((frame["family"] == "conv").sum())
    assert [(c.axis, c.value, c.trials) for c in found.constant] == [
        ("lr", 1e-3, with_lr),
        ("kernel", 3, conv),
    ]
    one = Space.box(Real("x", 2, 2), Choice("c", ("a", "b")))  # what cannot vary is not blamed
    assert [c.axis for c in audit(drawn(one, 40), one).constant] == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([9, 8, 7, 6, 5], "improvements only"),
        ([9, 8, 8, 7, 7, 7, 6, 5], "improvements only"),  # the best so far, again and again
        ([9, np.nan, 8, 7, 6, 5], "improvements only"),
        ([9, 8, 7, 6], "unknown"),  # chance does so once in 24
        ([1, 1, 1, 1, 1, 1, 1], "unknown"),
        ([9, 8, 7, 6, 5, 9], "unknown"),
        ([5, 6, 7, 8, 9], "unknown"),
    ],
)
def test_a_log_of_improvements_alone_is_found_out(values: list[float], expected: str) -> None:
    frame = pd.DataFrame({"x": np.linspace(0, 1, len(values)), "value": values})
    space = Space.box(Real("x", 0, 1))
    assert audit(frame, space).completeness == expected
    assert audit(frame, space, complete=True).completeness == "complete"
    higher = frame.assign(value=-frame["value"])
    assert audit(higher, space, maximize=True).completeness == expected


# --- what the declared space leaves out --------------------------------------------------------


WIDE = Space(
    (
        Family(
            "net",
            (
                Real("lr", 1e-6, 1.0, log=True),
                Integer("depth", 1, 20, log=True),
                Choice("act", ("relu", "gelu", "tanh")),
            ),
        ),
        Family("tree", (Integer("leaves", 2, 64),), weight=2.0),
        Family("none"),
    )
)
NARROW = Space(
    (
        Family("net", (LR, Integer("depth", 3, 8, log=True), Choice("act", ("gelu",)))),
        Family("tree", (Integer("leaves", 2, 64),)),
    )
)


def test_shares_of_the_universe_agree_with_random_points() -> None:
    found = {one.region: one for one in left_out(NARROW, WIDE)}
    assert set(found) == {
        "family = none",
        "lr < 1e-05",
        "lr > 0.1",
        "depth < 3",
        "depth > 8",
        "act in {relu, tanh}",
    }
    points = WIDE.sample(100_000, np.random.default_rng(0))
    lr, depth, act = points.values[:, 0], points.values[:, 1], points.values[:, 2]
    drawn_shares = {
        "family = none": np.mean(points.family == 2),
        "lr < 1e-05": np.mean(lr < 1e-5),
        "lr > 0.1": np.mean(lr > 0.1),
        "depth < 3": np.mean(depth < 3),
        "depth > 8": np.mean(depth > 8),
        "act in {relu, tanh}": np.mean((act == 0) | (act == 2)),
    }
    for region, share in drawn_shares.items():  # five sigma of 100,000 points
        assert found[region].measure == pytest.approx(share, abs=5 * 0.5 / np.sqrt(100_000))
    assert found["lr > 0.1"].family == "net"


def test_an_axis_that_is_not_there_at_all() -> None:
    lost = left_out(Space.box(LR), Space.box(LR, Real("drop", 0, 0.5)))
    assert [(one.axis, one.measure) for one in lost] == [("drop", 1.0)]
    assert left_out(Space.box(LR), Space.box(LR, Choice("c", ("only",)))) == []


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        (Space.box(Real("lr", 1e-9, 0.1, log=True)), 'all of the declared axis "lr"'),
        (Space.box(Integer("lr", 1, 1)), 'all of the declared axis "lr"'),
        (Space.box(Real("rate", 0, 1)), 'no axis "rate"'),
        (Space((Family("net"), Family("tee"))), 'no family "tee" .did you mean "tree"'),
        (Space((Family("net", (Choice("act", ("elu",)),)), Family("tree"))), '"act"'),
    ],
)
def test_a_universe_that_is_not_wider_is_refused(space: Space, sentence: str) -> None:
    single = Space((WIDE.families[0],))
    with pytest.raises(InputError, match=sentence):
        left_out(space, single if len(space.families) == 1 else WIDE)


# --- on the command line, and on the page ------------------------------------------------------


def says(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = cli.main(["audit", *map(str, words)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_json_has_what_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, space = EXAMPLE / "trials.csv", EXAMPLE / "space.toml"
    wide = EXAMPLE / "universe.toml"
    status, out, err = says(
        capsys, log, "--space", space, "--universe", wide, "--json", "--out", tmp_path
    )
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["trials"] == 100
    assert found["completeness"] == "unknown"
    keys = {"system", "region", "measure", "visits", "expected", "p", "verdict"}
    assert all(keys <= set(one) for one in found["regions"])
    assert {one["region"] for one in found["excluded"]} >= {"family = boosting", "C > 10"}
    assert found["edges"] == []
    assert found["constant"] == []
    assert Path(found["path"]).is_file()


def test_the_terminal_says_the_most_important_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, space = EXAMPLE / "trials.csv", EXAMPLE / "space.toml"
    status, out, _ = says(capsys, log, "--space", space, "--complete", "--out", tmp_path)
    assert status == 0
    lines = out.splitlines()
    assert max(map(len, lines[:-1])) <= 100
    assert lines[0].startswith("In 100 trials (54 different) this run neglected family = forest")
    status, out, _ = says(capsys, log, "--space", space, "--out", tmp_path)
    assert out.startswith("It is not known whether this log holds every trial.")


def test_an_optuna_study_needs_no_space(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = ROOT / "tests" / "fixtures" / "optuna-5.0.0.db"
    status, out, _ = says(capsys, log, "--study", "first", "--json", "--out", tmp_path)
    found = json.loads(out)
    assert status == 0
    assert (found["trials"], found["succeeded"], found["completeness"]) == (40, 33, "complete")
    assert {one["system"] for one in found["regions"]} == {"families", "options", "bins", "cells"}


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, space = EXAMPLE / "trials.csv", EXAMPLE / "space.toml"
    optuna = ROOT / "tests" / "fixtures" / "optuna-5.0.0.db"
    (tmp_path / "tables").symlink_to(ROOT)
    (tmp_path / "file").touch()
    given: list[tuple[tuple[object, ...], str]] = [
        ((log,), "give it with --space"),
        ((tmp_path / "no.csv", "--space", space), "there is no such log"),
        ((log, "--space", tmp_path / "no.toml"), "no such file to read a space from"),
        ((log, "--space", space, "--study", "x"), "has no studies to name"),
        ((log, "--space", space, "--universe", space, "--out", tmp_path), "is a link"),
        ((log, "--space", space, "--out", tmp_path / "file"), "cannot write the report"),
        ((optuna,), "name one with --study"),
        ((optuna, "--study", "first", "--maximize"), "says itself whether it maximises"),
    ]
    for words, sentence in given:
        status, out, err = says(capsys, *words)
        assert (status, out) == (2, ""), words
        assert err.count("\n") == 1
        assert sentence in err


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit of a log in which every name and every value that can be is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    shared = (Choice(HOSTILE[0], HOSTILE), Real(HOSTILE[2], 0, 1))
    families = tuple(Family(name, (*shared, Real(HOSTILE[1], 0, 1))) for name in HOSTILE[:4])
    wide = Space((*families, Family(HOSTILE[7], shared)))
    space = Space(families)
    frame = drawn(space, 200)
    frame = frame[(frame["family"] != HOSTILE[3]) & (frame[HOSTILE[0]] != HOSTILE[2])]
    frame[HOSTILE[1]], frame[HOSTILE[5]] = 1.0, HOSTILE[5]
    frame.loc[frame.index[5], HOSTILE[2]] = 7.0
    frame.to_csv(folder / "log.csv", index=False)
    for name, one in (("space", space), ("wide", wide)):
        (folder / f"{name}.json").write_text(json.dumps(one.to_dict()))
    return folder


@pytest.fixture(scope="module")
def page(hostile: Path) -> Path:
    from hpo_lab.verbs import audit_file

    found = audit_file(
        hostile / "log.csv",
        hostile / "space.json",
        universe=hostile / "wide.json",
        out=hostile / "out",
    )
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", found["console"])
    assert found["constant"]
    assert found["edges"]
    assert found["excluded"]
    assert found["outside"]
    return Path(found["path"])


def test_nothing_in_a_log_runs_on_the_page(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    there = Page(html)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(there.tags)
    assert there.tags.count("img") == 1
    assert not any(key.startswith("on") or key == "style" for key, _ in there.attributes)
    policy = next(value for key, value in there.attributes if "default-src" in value)
    assert "default-src 'none'" in policy
    for name in HOSTILE[:4]:
        assert name.replace("\x1b", r"\x1b").replace("\u202e", r"\u202e") in there.text
    assert not re.search("[\x1b\u202e]", there.text)
    sources = [value for key, value in there.attributes if key in ("src", "href", "srcset")]
    assert [source.partition(",")[0] for source in sources] == ["data:image/svg+xml;base64"]


def test_no_script_runs_in_a_real_browser(page: Path, tmp_path: Path) -> None:
    from tests.test_report_page import dump

    browser()
    there = Page(dump(page, tmp_path / "profile"))
    assert "script" not in there.tags
    assert "What did this run never look at?" in there.text


def test_no_spreadsheet_runs_a_cell(page: Path) -> None:
    tables = sorted((page.parent / "tables").glob("*.csv"))
    assert {path.stem for path in tables} == {"regions", "edges", "constant", "excluded"}
    for path in tables:
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))):
            for cell in row:
                numeric = re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell)
                assert numeric or not cell.lstrip().startswith(("=", "+", "-", "@", "\t"))


def test_no_tex_runs_a_name(page: Path) -> None:
    for path in (page.parent / "tables").glob("*.tex"):
        text = path.read_text(encoding="utf-8")
        assert r"\input{" not in text
        assert "$x_1$" not in text


def test_an_error_shows_a_strangers_words_as_text(
    hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.csv"
    log.write_text("\x1b[31mred\u202e,value\n1,2\n")
    status, _, err = says(capsys, log, "--space", hostile / "space.json")
    assert status == 2
    assert not re.search("[\x1b\u202e]", err)


def test_many_trials_are_no_loop() -> None:
    """Some 1 s of processor time; what goes trial by trial and region by region takes minutes."""
    import time

    space = Space.box(*[Real(f"x{i}", 0, 1) for i in range(8)], Choice("c", ("a", "b", "c")))
    points = space.sample(300_000, np.random.default_rng(0))
    frame = pd.DataFrame(points.values[:, :8], columns=space.columns[:8])
    frame["c"] = np.array(["a", "b", "c"])[points.values[:, 8].astype(int)]
    start = time.process_time()
    found = audit(frame.assign(value=0.0), space)
    assert found.trials == 300_000
    assert time.process_time() - start < 10

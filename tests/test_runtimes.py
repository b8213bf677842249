"""Runtimes and attainment against loops, closed forms and COCO's own numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hpo_lab
from hpo_lab import discovery
from hpo_lab import statistics as s
from hpo_lab.measure import Results
from hpo_lab.measures.runtimes import TO_BEST_FOUND, TO_OPTIMUM
from hpo_lab.space import Floats, Ints
from hpo_lab.statistics import runtimes
from hpo_lab.study import Study
from hpo_lab.testing.measure import check_measure
from tests.small_studies import own_landscape

INF = float("inf")


def by_loop(values: Floats, targets: Floats) -> Ints:
    """The first evaluation that meets each target, as one would say it."""
    hits = np.zeros((len(values), len(targets)), dtype=np.int64)
    for run, row in enumerate(values.tolist()):
        for place, target in enumerate(targets.tolist()):
            met = [t for t, value in enumerate(row, 1) if value <= target]
            hits[run, place] = met[0] if met else 0
    return hits


@pytest.fixture(params=["bisection", "compiled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of finding hits, whatever the size."""
    monkeypatch.setattr(runtimes, "COMPILED", 0 if request.param == "compiled" else 10**9)
    return str(request.param)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("seed", range(5))
def test_hits_against_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.round(rng.lognormal(0, 2, (7, 40)), 1)
    values[rng.random(values.shape) < 0.2] = np.nan
    values[0] = INF  # a run that never succeeded
    targets = rng.permutation(np.concatenate([np.round(rng.lognormal(0, 2, 12), 1), [0.3, 0.3]]))
    hits = s.first_hits(values, targets)
    assert np.array_equal(hits, by_loop(values, targets))
    profile = s.runtime_ecdf(values, targets)
    expected = [((hits > 0) & (hits <= t)).mean() for t in range(1, 41)]
    assert profile == pytest.approx(expected, abs=1e-12)


@pytest.mark.usefixtures("way")
def test_hits_of_nothing() -> None:
    assert s.first_hits(np.zeros((0, 5)), [1.0]).shape == (0, 1)
    assert s.first_hits(np.zeros((2, 0)), [1.0]).tolist() == [[0], [0]]
    assert s.first_hits([[1.0]], []).shape == (1, 0)


def test_targets_are_those_of_coco() -> None:
    assert s.log_targets() == pytest.approx([10 ** (2 - 0.2 * i) for i in range(51)], rel=1e-12)


@pytest.mark.parametrize(
    ("spent", "solved", "expected"),
    [
        ([100, 300, 1000], [True, True, False], 700.0),
        ([429, 415, 381, 433, 495], [True] * 5, 430.6),  # DIRECT on f1 in 2-D, 2009 archive
        ([17, 250, 250, 3, 90, 250], [True, False, False, True, True, False], 860 / 3),
    ],
)
def test_expected_running_times_are_those_of_cocopp(
    spent: list[int], solved: list[bool], expected: float
) -> None:
    """toolsstats.sp of cocopp 2.9.1: 700.0, 430.6 and 286.666..."""
    assert s.expected_running_time(spent, solved) == pytest.approx(expected, rel=1e-12)
    hits = np.where(solved, spent, 0)[:, None]
    assert s.expected_running_times(hits, spent) == pytest.approx([expected], rel=1e-12)


def test_runtimes_of_random_search_follow_the_geometric_law() -> None:
    """A target of volume v is met within t with probability 1 - (1 - v)^t; 4 standard errors."""
    runs, budget, volume = 4000, 60, 0.03
    values = np.random.default_rng(0).random((runs, budget))
    profile = s.runtime_ecdf(values, [volume])
    t = np.arange(1, budget + 1)
    law = 1 - (1 - volume) ** t
    assert np.all(np.abs(profile - law) < 4 * np.sqrt(law * (1 - law) / runs))
    ert = s.expected_running_times(s.first_hits(values, [volume]), np.full(runs, budget))[0]
    assert ert == pytest.approx(1 / volume, rel=4 / np.sqrt(runs * law[-1]))


# --- attainment --------------------------------------------------------------------------------


def test_attainment_against_counting() -> None:
    rng = np.random.default_rng(1)
    best = np.minimum.accumulate(np.round(rng.exponential(size=(9, 15)), 2), axis=1)
    best[3, :6] = INF
    levels = np.array([0.0, 0.05, 0.3, 1.0, INF])
    found = s.attainment_function(best, levels)
    for v, level in enumerate(levels):
        assert found[v] == pytest.approx((best <= level).mean(axis=0))
    other = best[:4]
    apart = s.attainment_difference(best, other, levels)
    assert apart == pytest.approx(found - s.attainment_function(other, levels))
    for share in (0.1, 0.5, 1.0):
        value = s.attained_by(best, share)
        have = (best <= value).mean(axis=0)
        assert (have >= share - 1e-12).all()
        assert ((best < value).mean(axis=0) < share).all()  # and no less would do


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: s.first_hits([1.0], [1.0]),
        lambda: s.first_hits([[1.0]], [np.nan]),
        lambda: s.log_targets(1.0, 2.0),
        lambda: s.log_targets(count=1),
        lambda: s.expected_running_times([[1]], [1, 2]),
        lambda: s.attainment_function([[1.0, 2.0]], [1.0]),
        lambda: s.attainment_function([[np.nan]], [1.0]),
        lambda: s.attainment_difference([[1.0]], [[1.0, 1.0]], [1.0]),
        lambda: s.attained_by([[1.0]], 0.0),
    ],
)
def test_arguments_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"[a-z]{3}"):
        wrong()


# --- tables ------------------------------------------------------------------------------------

OURS = ("comparisons", "hypotheses", "ranks", "aggregates", "runtimes", "ecdf", "attainment")
STUDY = """
schema = 1
name = "runtimes"
[[landscapes]]
use = "peaks"
peaks = 3
[[landscapes]]
use = "own"
[[strategies]]
use = "random"
[[strategies]]
use = "grid"
[runs]
budget = 40
instances = 2
repetitions = 3
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs on a landscape whose optimum is known, and on one that fails often and knows nothing."""
    folder = tmp_path_factory.mktemp("runtimes")
    (folder / "study.toml").write_text(STUDY)
    with own_landscape(folder, "return np.where(x < 0.3, np.nan, x + 1.0)") as file:
        study = Study.read(folder / "study.toml")
        hpo_lab.run(study, folder / "out", workers=1, plugins=[str(file)])
        yield Results.load(study, folder / "out")


@pytest.mark.parametrize("name", ["runtimes", "ecdf", "attainment"])
def test_tables_say_what_they_are_relative_to(name: str, results: Results) -> None:
    table = discovery.make("measures", name, {})(results)
    said = table.groupby("landscape")["relative_to"].unique()
    assert {key: list(value) for key, value in said.items()} == {
        "peaks": [TO_OPTIMUM],
        "own": [TO_BEST_FOUND],
    }


def test_running_times_against_a_loop(results: Results) -> None:
    table = discovery.make("measures", "runtimes", {})(results)
    profile = discovery.make("measures", "ecdf", {})(results)
    for arm in results.arms:
        own = table
        solved = profile
        for key, label in arm.labels.items():
            own, solved = own[own[key] == label], solved[solved[key] == label]
        cells = [c for a in results.arms for c in a.cells if a.arm.landscape == arm.arm.landscape]
        lowest = {
            c.instance: min(d.truth.min() for d in cells if d.instance == c.instance) for c in cells
        }
        shares = []
        for line in own.iloc[::10].to_dict("records"):
            spent, reached = [], []
            for cell in arm.cells:
                optimum = cell.problem.optimum_universe
                goal = getattr(optimum, "value", lowest[cell.instance]) + line["precision"]
                for truth, asked in zip(cell.truth, cell.asked, strict=True):
                    met = np.flatnonzero(truth <= goal + 1e-12)
                    reached.append(len(met) > 0)
                    spent.append(met[0] + 1 if len(met) else asked.sum())
            assert line["ert"] == s.expected_running_time(spent, reached)
            assert line["success"] == pytest.approx(np.mean(reached))
            shares.append(np.mean(reached))
        assert solved["solved"].iloc[-1] == pytest.approx(own["success"].mean())
        assert solved["solved"].is_monotonic_increasing


@pytest.mark.parametrize(
    "line",
    [
        "return np.full(len(x), np.nan)",  # nothing ever succeeds
        "return np.where(x < 0.9, np.nan, x + 1.0)",  # some runs never do
    ],
)
def test_runs_without_success_have_tables_too(line: str, tmp_path: Path) -> None:
    text = STUDY.replace('[[landscapes]]\nuse = "peaks"\npeaks = 3\n', "")
    (tmp_path / "study.toml").write_text(text.replace("budget = 40", "budget = [1, 6]"))
    with own_landscape(tmp_path, line) as file:
        study = Study.read(tmp_path / "study.toml")
        hpo_lab.run(study, tmp_path / "out", workers=1, plugins=[str(file)])
        results = Results.load(study, tmp_path / "out")
        for name in OURS:
            check_measure(discovery.make("measures", name, {}), results)
        table = discovery.make("measures", "comparisons", {})(results)
        assert table["median"].notna().all()
        assert (table["p"].isna() | (table["p"] <= 1)).all()
        if "full" in line:
            assert (table["a12"] == 0.5).all()
            reached = discovery.make("measures", "runtimes", {})(results)
            assert (reached["success"] == 0).all()
            assert np.isinf(reached["ert"]).all()

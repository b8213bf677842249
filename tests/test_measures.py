"""Measures against brute force, closed forms against simulation, on studies that really ran."""

from __future__ import annotations

import itertools
import math
import pickle  # noqa: S403  (the independent enumeration trusts the installed package)
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hpo_lab
import hpo_lab.verbs
from hpo_lab import discovery
from hpo_lab.landscape import TIES, Optimum
from hpo_lab.measure import Cell, Results, region_optima, system_masses, tabulate
from hpo_lab.measures.price import random_curve
from hpo_lab.measures.regret import split
from hpo_lab.region import Cells, Combinations, Families, contains, region_system
from hpo_lab.space import Points
from hpo_lab.statistics import expected_occupied
from hpo_lab.study import Study
from hpo_lab.testing.measure import check_measure
from hpo_lab.testing.spaces import KINDS_OF_SPACE

STUDY = """
schema = 1
name = "small"
[[landscapes]]
use = "nas_graph"
dataset = ["cora", "arxiv"]
observe = "valid"
truth = "test"
[[landscapes]]
use = "peaks"
peaks = 8
noise = 0.05
[spaces.universe]
[spaces.declared]
landscapes = ["cora", "arxiv"]
assume = [{ use = "without", axis = ["op1", "op2", "op3", "op4"], option = "gat" }]
[spaces.corner]
landscapes = ["peaks"]
assume = [{ use = "narrowed", axis = ["x1", "x2"], high = 0.0 }]
[[strategies]]
use = "random"
[[strategies]]
use = "grid"
[[strategies]]
use = "evolution"
[runs]
budget = [12, 30]
instances = 2
repetitions = 6
entropy = 7
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.toml").write_text(STUDY)
    study = Study.read(folder / "study.toml")
    hpo_lab.run(study, folder / "out", workers=2)
    return Results.load(study, folder / "out")


@pytest.fixture(scope="module")
def tables(results: Results) -> dict[str, pd.DataFrame]:
    return tabulate(results)


def cells(results: Results) -> list[Cell]:
    return [cell for arm in results.arms for cell in arm.cells]


def test_nothing_is_missing_and_instances_are_counted(results: Results) -> None:
    assert not results.missing
    assert not results.damaged
    assert {len(arm.cells) for arm in results.arms if "peaks" in arm.arm.landscape.label} == {2}
    assert {len(arm.cells) for arm in results.arms if "cora" in arm.arm.landscape.label} == {1}


@pytest.mark.parametrize("name", discovery.names("measures"))
def test_contract(name: str, results: Results) -> None:
    check_measure(discovery.make("measures", name, {}), results)


def test_the_regret_identity_holds_on_every_run_at_every_evaluation(results: Results) -> None:
    for cell in cells(results):
        total, (space, search, selection) = split(cell)
        known = np.isfinite(total)
        assert np.abs(total - (space + search + selection))[known].max() < 1e-12
        assert min(space, search[known].min(), selection[known].min()) >= -1e-12
        assert (np.isinf(total) == (cell.incumbents < 0)).all()


def test_the_signal_split_adds_up(tables: dict[str, pd.DataFrame]) -> None:
    regret = tables["regret"]
    known = regret[np.isfinite(regret["floor"])]
    assert len(known) > 0
    total = known["from_space"] + known["floor"] + known["shortfall"]
    assert np.abs(total - known["total"]).max() < 1e-12
    assert known["floor"].min() >= 0
    told = known["observed_from_space"] + known["observed_from_search"]
    assert np.abs(told - known["observed_total"]).max() < 1e-12


def test_incumbents_against_a_loop(results: Results) -> None:
    for cell in cells(results):
        for observed, truth, mine, best in zip(
            cell.observed, cell.truth, cell.incumbent_truth, cell.best_truth, strict=True
        ):
            chosen = -1
            for t in range(cell.budget):
                if math.isfinite(observed[t]) and (
                    chosen < 0 or round(observed[t], TIES) < round(observed[chosen], TIES)
                ):
                    chosen = t
                assert mine[t] == (truth[chosen] if chosen >= 0 else math.inf)
                assert best[t] == truth[: t + 1].min()


def test_a_short_budget_is_a_prefix_where_the_strategy_is_anytime(results: Results) -> None:
    by_key: dict[tuple[Any, ...], dict[int, Cell]] = {}
    for arm in results.arms:
        for cell in arm.cells:
            key = (*list(arm.labels.values())[:3], cell.instance)
            by_key.setdefault(key, {})[arm.arm.budget] = cell
    for key, pair in by_key.items():
        anytime = discovery.find("strategies", key[2]).anytime
        same = np.array_equal(pair[12].observed, pair[30].observed[:, :12])
        assert same == anytime, key


def test_deterministic_runs_are_one_sample_without_an_interval(
    tables: dict[str, pd.DataFrame],
) -> None:
    arms = tables["arms"]
    grid = arms[(arms["strategy"] == "grid") & (arms["landscape"] != "peaks")]
    assert (grid["samples"] == 1).all()
    assert grid["total_low"].isna().all()
    noisy = arms[(arms["strategy"] == "grid") & (arms["landscape"] == "peaks")]
    assert (noisy["samples"] == 12).all()


# --- prices ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cora() -> pd.DataFrame:
    """Every point of the product on Cora, by the package's own code and a plain loop."""
    from nas_bench_graph.architecture import Arch, gnn_list, link_list

    found = find_spec("nas_bench_graph")
    assert found is not None
    assert found.origin is not None
    path = Path(found.origin).parent / "light" / "cora.bench"
    table = pickle.loads(path.read_bytes())  # noqa: S301  (the installed package's own file)
    rows = []
    for link, ops in itertools.product(link_list, itertools.product(gnn_list, repeat=4)):
        key = Arch(link[:], list(ops)).valid_hash()
        entry = table.get(key)
        rows.append(
            (
                key,
                ops,
                100 * (1 - entry["perf"]) if entry else math.nan,
                100 * (1 - entry["valid_perf"]) if entry else math.nan,
            )
        )
    return pd.DataFrame(rows, columns=["key", "ops", "test", "valid"])


@pytest.mark.parametrize("option", ["gat", "graph", "gin", "skip"])
def test_prices_of_options_against_an_independent_enumeration(
    cora: pd.DataFrame, option: str, tmp_path: Path
) -> None:
    text = STUDY.replace('option = "gat"', f'option = "{option}"')
    (tmp_path / "s.toml").write_text(text)
    found = hpo_lab.price(tmp_path / "s.toml")["landscapes"][0]
    entry = next(one for one in found["spaces"] if one["space"] == "declared")
    without = cora[[option not in ops for ops in cora["ops"]]]
    assert entry["price"] == pytest.approx(without["test"].min() - cora["test"].min(), abs=1e-9)
    assert entry["optimum"] == pytest.approx(without["test"].min(), abs=1e-9)
    assert entry["points"] == without["test"].notna().sum()
    truths = cora.dropna().groupby("key")["test"].first()
    assert entry["carriers"] == (truths < without["test"].min() - 1e-9).sum()
    kept = set(without.dropna()["key"])
    gone = len(truths) - len(kept)
    p = math.prod((gone - i) / (len(truths) - i) for i in range(entry["carriers"]))
    assert entry["chance"]["p"] == pytest.approx(p, rel=1e-9)


def test_the_published_case_without_attention(cora: pd.DataFrame, results: Results) -> None:
    found = hpo_lab.price(results.study)["landscapes"][0]["spaces"][1]
    assert found["price"] == pytest.approx(0.8667, abs=5e-5)
    assert found["carriers"] == 8
    assert found["chance"]["p"] == pytest.approx(0.0006, abs=5e-5)
    assert cora["key"][cora["test"].notna()].nunique() == 26_206


def test_wins_without_graph_as_random_draws(tmp_path: Path) -> None:
    """Best truth: 179 is the last winning budget; the incumbent's truth: they never end."""
    (tmp_path / "s.toml").write_text(STUDY.replace('option = "gat"', 'option = "graph"'))
    found = hpo_lab.price(tmp_path / "s.toml")["landscapes"][0]["spaces"][1]
    assert found["price"] == pytest.approx(0.5, abs=1e-9)
    assert found["oracle"]["break_even"] == {"value": 179, "status": "finite"}
    assert found["break_even"] == {"value": None, "status": "unbounded"}


@pytest.mark.parametrize("space", ["universe", "declared"])
def test_exact_random_search_against_ten_thousand_runs(results: Results, space: str) -> None:
    cell = next(
        arm.cells[0]
        for arm in results.arms
        if arm.arm.landscape.label == "cora" and arm.arm.space.label == space
    )
    problem, budget, runs = cell.problem, 50, 10_000
    strategy = discovery.make("strategies", "random", {})
    rng = np.random.default_rng(3)
    batches = [strategy.start(problem.view.declared, budget, rng).ask() for _ in range(runs)]
    answer = problem.answer(Points.concatenate(batches))
    failed = answer.state.reshape(runs, budget) != 0
    simulated = Cell(
        instance=1,
        problem=problem,
        budget=budget,
        repetitions=np.arange(runs),
        points=Points.concatenate(batches),
        run=np.repeat(np.arange(runs), budget),
        evaluation=np.tile(np.arange(budget), runs),
        observed=np.where(failed, np.inf, answer.observed.reshape(runs, budget)),
        truth=np.where(failed, np.inf, answer.truth.reshape(runs, budget)),
        asked=np.ones((runs, budget), dtype=bool),
    )
    curve = random_curve(problem)
    assert curve is not None
    expected = curve.expected(np.arange(1, budget + 1))
    for t in range(budget):
        seen = simulated.incumbent_truth[:, t]
        seen = seen[np.isfinite(seen)]  # the closed form is conditional on a success
        error = seen.std(ddof=1) / math.sqrt(len(seen))
        assert abs(seen.mean() - expected[t]) < 3 * error, f"at budget {t + 1}"


# --- regions, coverage, fates ------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS_OF_SPACE)
@pytest.mark.parametrize("name", ["families", "options", "pairs", "cells"])
def test_labels_agree_with_boxes_and_masses_with_draws(kind: str, name: str) -> None:
    space = KINDS_OF_SPACE[kind]
    if space.size == 1000 and name == "pairs":
        return
    system = Cells(space, 60) if name == "cells" else region_system(name, space)
    points = space.sample(4000, np.random.default_rng(0))
    labels = system.labels(points)
    view = hpo_lab.View.identity(space)
    in_universe, in_space, excluded = system_masses(system, view)
    assert np.allclose(in_universe, in_space)
    assert not excluded.any()
    for index, region in enumerate(system.regions[:80]):
        by_label = (labels == index).any(axis=1)
        assert (by_label <= contains(space, region, points)).all()
        spread = 5 * math.sqrt(max(in_space[index] * (1 - in_space[index]), 1e-4) / len(points))
        assert abs(by_label.mean() - in_space[index]) < spread
    if system.partition and system.regions:
        assert in_space.sum() == pytest.approx(1)
        assert (labels >= 0).all()


def test_coverage_against_a_loop(results: Results, tables: dict[str, pd.DataFrame]) -> None:
    for row, cell in zip(tables["coverage"].to_dict("records"), cells(results), strict=True):
        system = Cells(cell.problem.view.universe, 2 * cell.budget)
        labels = system.labels(cell.lifted)[:, 0]
        runs = range(len(cell.repetitions))
        assert row["occupied"] == np.mean([len(set(labels[cell.run == r])) for r in runs])
        keys = cell.points.keys()
        distinct = np.mean([len({k.tobytes() for k in keys[cell.run == r]}) for r in runs])
        assert row["distinct"] == distinct


def test_uniform_search_occupies_what_is_expected(results: Results) -> None:
    """The mean over 4,000 simulated runs lies within 4 standard errors of the exact expectation."""
    view = next(a.cells[0].problem.view for a in results.arms if a.arm.space.label == "declared")
    system = Cells(view.universe, 100)
    _, in_space, _ = system_masses(system, view)
    drawn = view.lift(view.declared.sample(4000 * 50, np.random.default_rng(5)))
    labels = system.labels(drawn)[:, 0].reshape(4000, 50)
    occupied = np.array([len(set(row)) for row in labels.tolist()])
    error = occupied.std() / math.sqrt(len(occupied))
    assert abs(occupied.mean() - float(expected_occupied(in_space, 50))) < 4 * error


def test_verdicts_on_a_declared_space(tables: dict[str, pd.DataFrame]) -> None:
    regions = tables["regions"]
    options = regions[(regions["system"] == "options") & (regions["space"] == "declared")]
    gat = options[options["option"] == "gat"]
    assert (gat["verdict"] == "excluded").all()
    assert (gat["measure"] == 0).all()
    assert not gat["costly"].any()
    assert (options[options["option"] != "gat"]["verdict"] != "excluded").all()
    fixed = regions[(regions["strategy"] == "grid") & regions["landscape"].isin(["cora", "arxiv"])]
    unseen = fixed[(fixed["runs_visited"] == 0) & (fixed["verdict"] != "excluded")]
    assert (unseen["verdict"] == "never, by construction").all()
    assert fixed["p"].isna().all()


def test_region_optima_against_a_loop(results: Results) -> None:
    cell = next(a.cells[0] for a in results.arms if a.arm.space.label == "declared")
    landscape, view = cell.problem.landscape, cell.problem.view
    system = Combinations(view.universe, 1, "options")
    best = region_optima(landscape, system, view.image)
    points = view.lift(view.declared.enumerate())
    truth = landscape.evaluate(points)
    labels = system.labels(points)
    for index in range(len(system.regions)):
        inside = (labels == index).any(axis=1)
        assert best[index] == (np.nanmin(truth[inside]) if inside.any() else math.inf)


def test_fates_against_a_loop(results: Results, tables: dict[str, pd.DataFrame]) -> None:
    for row in tables["fates"].to_dict("records"):
        counted = sum(row[word] for word in ("found", "entered", "missed", "excluded", "unknown"))
        assert counted == pytest.approx(row["basins"])
    arm = next(a for a in results.arms if a.arm.landscape.label == "peaks" and a.arm.budget == 30)
    cell = arm.cells[0]
    minima = cell.problem.landscape.minima()
    assert minima is not None
    row = next(
        r
        for r in tables["fates"].to_dict("records")
        if all(r[k] == v for k, v in arm.labels.items()) and r["instance"] == cell.instance
    )
    found = 0
    for run in range(len(cell.repetitions)):
        mine = cell.lifted[np.flatnonzero(cell.run == run)]
        basin, truth = minima.labels(mine), cell.problem.landscape.evaluate(mine)
        for index, value in enumerate(minima.values):
            found += bool((truth[basin == index] <= value + row["epsilon"]).any())
    assert row["found"] == pytest.approx(found / len(cell.repetitions))


def test_benefit_is_the_paired_difference(tables: dict[str, pd.DataFrame]) -> None:
    regret = tables["regret"].set_index(["landscape", "space", "strategy", "budget"])
    for row in tables["benefit"].to_dict("records"):
        key = (row["landscape"], row["strategy"], row["budget"])
        here = regret.loc[(key[0], row["space"], *key[1:]), "total"].to_numpy()
        everywhere = regret.loc[(key[0], "universe", *key[1:]), "total"].to_numpy()
        assert row["net"] == pytest.approx((everywhere - here).mean(), abs=1e-12)


def test_a_new_arm_of_random_search_shows_no_blind_spots() -> None:
    """Uniform search against its own null, whole studies: false alarms stay rare."""
    space = KINDS_OF_SPACE["categorical"]
    system = Families(space), Combinations(space, 1, "options")
    rng = np.random.default_rng(0)
    flagged = 0
    from hpo_lab.statistics import verdicts

    for _ in range(200):
        labels = system[1].labels(space.sample(30 * 20, rng))
        seen = np.zeros((30, len(system[1].regions)), dtype=bool)
        for part in labels.T:
            seen[np.repeat(np.arange(30), 20), part] = True
        mass, _, _ = system_masses(system[1], hpo_lab.View.identity(space))
        told = verdicts(mass, 20, seen.sum(axis=0), 30, partition=False)
        flagged += bool(np.isin(told.word, ["never seen", "neglected"]).any())
    assert flagged <= 10  # 5 % of 200


def test_unknown_truth_is_said_to_be_unknown() -> None:
    space = hpo_lab.Space.box(hpo_lab.Real("x", 0, 1))
    f = hpo_lab.Landscape.of(lambda point: (point["x"] - 0.3) ** 2, space)
    assert not isinstance(f.optimum(), Optimum)
    trials = hpo_lab.search(f, "random", budget=7, seed=1)
    assert list(trials.columns) == ["x", "observed", "truth", "state"]
    assert (trials["observed"] == trials["truth"]).all()
    again = hpo_lab.search(f, "random", budget=7, seed=1)
    pd.testing.assert_frame_equal(trials, again)


def test_a_grid_on_noise_is_one_sample_of_visits(tmp_path: Path) -> None:
    """It is told other values in every repetition, and goes to the same places."""
    file = tmp_path / "study.toml"
    file.write_text(
        'schema = 1\nlandscapes = [{ use = "peaks", dimension = 2, noise = 0.1 }]\n'
        'strategies = [{ use = "grid" }, { use = "random" }]\n'
        '[runs]\nbudget = 16\nrepetitions = 5\ninstances = 1\n[regions]\nsystems = ["bins"]\n'
    )
    study = Study.read(file)
    hpo_lab.verbs.run(study, tmp_path / "out", workers=1)
    results = Results.load(study, tmp_path / "out")
    grid, random = results.arms
    assert not grid.deterministic
    assert grid.one_path(grid.cells[0])
    assert not random.one_path(random.cells[0])
    rows = tabulate(results, ["regions"])["regions"]
    assert set(rows[rows["strategy"] == "grid"]["runs"]) == {1}
    assert set(rows[rows["strategy"] == "random"]["runs"]) == {5}
    assert rows[rows["strategy"] == "grid"]["p"].isna().all()

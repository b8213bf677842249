"""The instrument scored, in short: what `make score` simulates at length, and what it has kept.

Exact where a space is small enough to list every study; by simulation, against closed forms, where
it is not. The long version's tables are kept in experiments/instrument/summary and read here.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.instrument import false_alarms, intervals, page, power, recovery
from experiments.instrument import simulated as sim
from hpo_lab import discovery
from hpo_lab.assumption import View
from hpo_lab.landscape import Problem
from hpo_lab.measure import system_masses
from hpo_lab.measures.regions import visits_at, visits_of
from hpo_lab.region import region_system, whole
from hpo_lab.space import Choice, Family, Integer, Ints, Points, Real, Space
from hpo_lab.statistics import is_testable, last_positive_interval, verdicts, visit_chance

SUMMARY = Path(page.__file__).parent / "summary"
SMALL = Space(  # 1/3 of the mass in two points, 2/3 in three
    (
        Family("conv", (Choice("act", ("relu", "tanh")),)),
        Family("attention", (Integer("heads", 1, 3),), weight=2.0),
    )
)


def place_of(space: Space, *systems: str) -> sim.Place:
    landscape = discovery.make("landscapes", "flat", {"space": space})
    problem = Problem(landscape, View.identity(space))
    return sim.Place("small", problem, tuple(region_system(name, space) for name in systems))


# --- exactly, by listing everything --------------------------------------------------------------


@pytest.mark.parametrize("system", ["families", "options", "bins", "cells"])
def test_the_chance_of_a_visit_by_listing_all_runs(system: str) -> None:
    """All 5^4 runs of four draws, each with its probability."""
    at = place_of(SMALL, system)
    mass = system_masses(at.systems[0], at.problem.view)[0]
    points = SMALL.enumerate()
    labels = at.systems[0].labels(points)
    weight = np.array([1 / 6, 1 / 6, 2 / 9, 2 / 9, 2 / 9])
    visited = np.zeros(len(mass))
    for draws in itertools.product(range(5), repeat=4):
        there = np.unique(labels[list(draws)])
        visited[there[there >= 0]] += weight[list(draws)].prod()
    assert visited == pytest.approx(visit_chance(mass, 4), abs=1e-12)


def test_the_false_discovery_rate_by_listing_all_studies() -> None:
    """Three runs of five draws over three options: all studies, by their visits alone.

    A run is one of 21 ways to split five draws; three runs, whose order does not matter, are one
    of 1,771 studies, each judged by the measure's code and weighed by its exact probability.
    """
    at = place_of(Space.box(Choice("op", ("gat", "gcn", "skip"))), "options")
    system, runs, budget = at.systems[0], 3, 5
    mass = system_masses(system, at.problem.view)[0]
    splits = [s for s in itertools.product(range(budget + 1), repeat=3) if sum(s) == budget]
    chance = stats.multinomial.pmf(splits, budget, mass)
    rate = total = 0.0
    for study in itertools.combinations_with_replacement(range(len(splits)), runs):
        ways = math.factorial(runs) / math.prod(
            math.factorial(times) for times in Counter(study).values()
        )
        weight = ways * float(np.prod(chance[list(study)]))
        counts = np.array([splits[i] for i in study])
        told = sim.verdicts_of(at, system, budget, counts)
        total += weight
        rate += weight * bool(sim.significant(told).any())
    assert total == pytest.approx(1)
    assert 0 < rate <= 0.05

    rng = np.random.default_rng(0)
    drawn = rng.multinomial(budget, mass, size=(2_000, runs))
    alarms = sum(bool(sim.significant(sim.verdicts_of(at, system, budget, c)).any()) for c in drawn)
    lower, upper = sim.rate_bounds(alarms, len(drawn), 0.999)
    assert lower <= rate <= upper


# --- invariance ----------------------------------------------------------------------------------


def judged_points(at: sim.Place, points: Points, runs: int, budget: int) -> dict[str, float]:
    """The corrected p-value of every region, by its words."""
    from hpo_lab.measure import system_names

    found: dict[str, float] = {}
    for system in at.systems:
        labels = system.labels(at.problem.view.lift(points))
        count = len(system_masses(system, at.problem.view)[0])
        (counts,) = sim.count_visits(labels, count, runs, [budget], 1)
        told = sim.verdicts_of(at, system, budget, counts[0])
        names = system_names(system, at.problem.view.universe)
        found |= dict(zip(names, np.nan_to_num(told.adjusted, nan=-1).tolist(), strict=True))
    return found


def relabelled(points: Points, space: Space) -> Points:
    """The same points where options, axes and families are listed the other way round."""
    return space.points([dict(record) for record in points.records()])


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_names_evaluations_and_runs_changes_no_verdict(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lr, act = Real("lr", 1e-4, 1e-1, log=True), Choice("act", ("relu", "gelu", "tanh"))
    turned = Choice("act", ("tanh", "gelu", "relu"))
    space = Space((Family("conv", (lr, act)), Family("mlp", (lr, act, Choice("norm", (0, 1))))))
    other = Space(
        (Family("mlp", (Choice("norm", (1, 0)), turned, lr)), Family("conv", (turned, lr)))
    )
    systems = ("families", "options", "bins")
    runs, budget = 12, 9
    points = sim.avoiding(region_system("options", space).regions[0], 0.1)(
        space, runs * budget, rng
    )
    here = judged_points(place_of(space, *systems), points, runs, budget)
    assert min(here.values()) < 0.05
    there = judged_points(place_of(other, *systems), relabelled(points, other), runs, budget)
    assert there == pytest.approx(here)
    order = rng.permuted(np.arange(runs * budget).reshape(runs, budget), axis=1)  # within runs
    order = rng.permutation(order)  # and the runs themselves
    assert judged_points(place_of(space, *systems), points[order.ravel()], runs, budget) == here


def test_visits_of_a_run_do_not_depend_on_how_it_was_cut_into_batches() -> None:
    """Trials may be stored batch after batch of all runs, instead of run after run."""
    at = sim.place("conditional")
    runs, budget = 7, 12
    points = sim.uniform(at.problem.view.declared, runs * budget, np.random.default_rng(1))
    cell = replace(
        sim.cell_of(at.problem, runs, budget),
        points=points,
        run=np.repeat(np.arange(runs), budget),
        evaluation=np.tile(np.arange(budget), runs),
    )
    order = np.argsort(cell.evaluation // 5, kind="stable")
    cut = replace(
        cell, points=points[order], run=cell.run[order], evaluation=cell.evaluation[order]
    )
    for system in at.systems:
        count = len(system_masses(system, at.problem.view)[0])
        for one, other in zip(
            visits_of(cell, system, count), visits_of(cut, system, count), strict=True
        ):
            assert np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("name", sim.PLACES)
def test_simulated_studies_are_counted_as_the_measure_counts_them(name: str) -> None:
    at = sim.place(name)
    studies, runs, budgets = 2, 4, (5, 20)
    block = next(sim.studies_of(at, sim.uniform, studies, runs, budgets, sim.generator(name)))
    points = sim.uniform(
        at.problem.view.declared, studies * runs * budgets[-1], sim.generator(name)
    )
    at_all = np.arange(len(points)).reshape(studies, runs, budgets[-1])
    for system in at.systems:
        count = len(system_masses(system, at.problem.view)[0])
        for place, budget in enumerate(budgets):
            for study in range(studies):
                mine = at_all[study, :, :budget].ravel()
                cell = replace(
                    sim.cell_of(at.problem, runs, budget),
                    run=np.repeat(np.arange(runs), budget),
                    evaluation=np.tile(np.arange(budget), runs),
                )
                labels: Ints = system.labels(at.problem.view.lift(points[mine]))
                counted = visits_at(cell, labels, count)[0]
                assert np.array_equal(block[system.name][place][study], counted)


# --- false alarms --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["categorical", "continuous", "conditional, declared"])
def test_false_alarms_of_random_search(name: str) -> None:
    """100 studies a setting: what is surely above 5 % fails; at length, see the kept table."""
    found = false_alarms.table([false_alarms.simulate(name, 0, 0, 100)])
    assert (found["studies"] == 100).all()
    assert (found["lower"] <= 0.05).all()
    known = found["uniform"].dropna()
    assert (known > 1e-4).all()
    assert len(known) >= 4


@pytest.mark.parametrize("name", ["categorical", "conditional, declared"])
def test_only_studies_without_a_significant_region_are_cleared_early(name: str) -> None:
    at, budget, runs = sim.place(name), 20, 10
    region = (
        at.problem.view.pull(region_system("bins", at.problem.view.universe).regions[0])
        if name == "conditional, declared"
        else region_system("options", at.problem.view.universe).regions[0]
    )
    blocks = sim.studies_of(at, sim.avoiding(region, 0.5), 60, runs, (budget,), sim.generator(name))
    block = next(blocks)
    alarms = 0
    for system in at.systems:
        counts = block[system.name][0]
        told = [sim.verdicts_of(at, system, budget, study) for study in counts]
        came = np.array([one.came for one in told])
        found = false_alarms.suspicious(told[0], came, runs, system.partition)
        assert found.tolist() == [bool(sim.significant(one).any()) for one in told]
        alarms += found.sum()
    assert alarms > 0


def test_a_sampler_that_avoids_has_the_density_that_was_planted() -> None:
    at = sim.place("conditional")
    region = region_system("families", at.problem.view.declared).regions[1]
    for ratio in (0.0, 0.25):
        points = sim.avoiding(region, ratio)(
            at.problem.view.declared, 40_000, np.random.default_rng(2)
        )
        share = np.bincount(points.family, minlength=4) / len(points)
        rest = (1 - ratio / 4) / 3
        assert share == pytest.approx([rest, ratio / 4, rest, rest], abs=0.01)
        assert at.problem.view.declared.contains(points).all()
    assert len(whole(at.problem.view.declared)) == 4


# --- power ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "cells", "budget", "runs"),
    [(0.1, 100, 100, 10), (0.25, 30, 20, 30), (0.25, 5, 100, 30)],
)
def test_power_by_simulation_is_at_least_the_exact_bound(
    ratio: float, cells: int, budget: int, runs: int
) -> None:
    studies = 300
    row = power.surface(ratio, cells, budget, runs, studies)
    significant, named = power.exact(ratio, cells, budget, runs)
    for key, known in (("significant", significant), ("named", named)):
        share = row[key]
        assert isinstance(share, float)
        error = math.sqrt(max(known * (1 - known), 0.01) / studies)
        assert known - 4 * error <= share <= known + 4 * error + 0.03


def test_what_was_promised_of_power_exactly() -> None:
    """Ratio 0.1, measure 1 %, budget 100, 30 repetitions; and a quarter of a fifth."""
    assert power.exact(0.1, 100, 100, 30)[0] >= 0.95
    assert min(power.exact(0.25, 5, 100, 30)) >= 0.95
    visits_alone = verdicts([0.2] * 5, 100, [30] * 5, 30)
    assert (visits_alone.chance > 1 - 1e-9).all()  # every run visits: nothing can be said


def test_exact_power_by_listing_all_counts() -> None:
    """k of R runs come, k binomial: the verdict on each k, weighed."""
    ratio, cells, budget, runs = 0.1, 100, 100, 30
    assert is_testable([1 / cells] * cells, budget, runs).all()
    true = float(visit_chance(ratio / cells, budget))
    fair = float(visit_chance(1 / cells, budget))
    expected = [0.0, 0.0]
    for k in range(runs + 1):
        others = np.full(cells, runs)  # all others are visited by every run
        others[0] = k
        told = verdicts(np.full(cells, 1 / cells), budget, others, runs)
        weight = stats.binom.pmf(k, runs, true)
        expected[0] += weight * (told.adjusted[0] <= 0.05)
        expected[1] += weight * bool(power.said(told)[0])
    assert power.exact(ratio, cells, budget, runs) == pytest.approx(expected, abs=1e-12)
    assert 0.6 < fair < 0.7


@pytest.mark.parametrize("which", range(len(power.PLANTED)))
def test_a_region_that_is_never_visited_is_found_in_every_real_space(which: int) -> None:
    row = power.planted(*power.PLANTED[which], 0.0, 20)
    assert row["named"] == 1.0
    false = row["false_discoveries"]
    assert isinstance(false, float)
    assert false <= 0.1


def test_a_rule_says_what_was_planted() -> None:
    row = recovery.recover(0, 0.1, 100, 30, 5)
    assert row["planted"] == "family = attention and heads ≥ 8"
    jaccard = row["jaccard"]
    assert isinstance(jaccard, float)
    assert jaccard >= 0.8


# --- intervals -----------------------------------------------------------------------------------


def test_bca_and_percentile_against_scipy() -> None:
    values = np.random.default_rng(3).exponential(size=(30, 1))
    for name in ("percentile", "bca"):
        mine = np.array(intervals.INTERVALS[name](values, 0))[:, 0]
        kind = {"percentile": "percentile", "bca": "BCa"}[name]
        theirs = stats.bootstrap(  # type: ignore[call-overload]
            (values[:, 0],), np.mean, n_resamples=20_000, method=kind, random_state=4
        ).confidence_interval
        assert mine == pytest.approx([theirs.low, theirs.high], abs=0.05)


@pytest.mark.parametrize("name", ["Cora without gat", "NK, 64 points"])
def test_simulated_regrets_have_the_means_that_are_known(name: str) -> None:
    problem = intervals.problem_of(name)
    known = intervals.expectations(problem)
    found = intervals.regrets(problem, 20_000, np.random.default_rng(5))
    for key, values in found.items():
        error = values.std() / math.sqrt(len(values))
        assert abs(values.mean() - known[key]) <= 4 * error + 1e-9, key


def test_the_interval_of_a_break_even_is_the_one_that_is_reported() -> None:
    curves = intervals.CROSSINGS["power laws, price 0.10"]().draw(30, np.random.default_rng(6))
    last = intervals.last_positive(intervals.draw_counts(30, 0) @ curves / 30)
    low, high = np.quantile(last, [0.025, 0.975], method="inverted_cdf")
    assert last_positive_interval(curves[None]) == (low, high)


def test_coverage_in_short() -> None:
    rows = pd.DataFrame(intervals.coverage("NK, 256 points", 200))
    used = rows[(rows["method"] == "studentised") & (rows["repetitions"] >= 30)]
    assert (used["upper"] >= page.ENOUGH).all()
    plain = rows[(rows["method"] == "percentile") & (rows["repetitions"] == 10)]
    assert plain["coverage"].mean() < used["coverage"].mean()


# --- what was kept -------------------------------------------------------------------------------


def kept(name: str) -> pd.DataFrame:
    return page.read(SUMMARY, name)


def test_the_page_shows_the_kept_tables() -> None:
    text = page.README.read_text()
    assert page.shown(text, SUMMARY) == text
    assert (SUMMARY / "power.svg").exists()


def test_kept_false_alarms_keep_the_promise() -> None:
    found = kept("false_alarms")
    assert (found["studies"] >= 2_000).all()
    assert set(found["place"]) == set(sim.PLACES)
    keys = page.KEYS["false_alarms"]
    again = kept("again").set_index(keys)
    assert (again["studies"] >= 60_000).all()
    assert false_alarms.holds(again).all()
    assert (again["rate"] <= 0.05).all()
    high = found[~false_alarms.holds(found)].set_index(keys)
    assert (found["lower"] <= 0.05).all()
    assert set(high.index) <= set(again.index)  # simulated again, as the page says
    known = found["uniform"].dropna()
    assert known.min() * len(known) > 0.01


def test_kept_power_reaches_what_was_promised() -> None:
    found = kept("surface")
    usual = found[(found["budget"] == 100) & (found["repetitions"] == 30)]
    small = usual[(usual["ratio"] == 0.1) & (usual["measure"].round(4) == 0.01)]
    assert small["significant"].item() >= 0.95
    large = usual[(usual["ratio"] == 0.25) & (usual["measure"].round(4) == 0.2)]
    assert large["named"].item() >= 0.95
    assert large["by_visits"].item() == 0
    simulated = found["significant"]
    error = np.sqrt(np.maximum(found["exact_significant"] * (1 - found["exact_significant"]), 0.01))
    assert (simulated >= found["exact_significant"] - 4 * error / np.sqrt(found["studies"])).all()


def test_kept_rules_overlap_what_was_planted() -> None:
    found = kept("rules")
    clear = found[found["ratio"] <= 0.1]
    assert (clear["jaccard"] >= 0.8).all()
    alarms = kept("rules_alarms")
    assert sim.rate_bounds(int(alarms["alarms"].sum()), int(alarms["studies"].sum()))[0] <= 0.05


def test_kept_intervals_cover_where_they_are_not_called_approximate() -> None:
    found = kept("coverage")
    assert (found["studies"] >= 1_000).all()
    used = found[(found["method"] == "studentised") & (found["repetitions"] >= 30)]
    used = used[used["zeros"] < 0.5]
    assert len(used) > 20
    assert (used["upper"] >= page.ENOUGH).all()

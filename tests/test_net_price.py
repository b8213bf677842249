"""Net price, break-even and prices over seeds: closed forms, plain loops, and studies that ran."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hpo_lab
from hpo_lab.assumption import assume
from hpo_lab.figures.net_price import NetPrice
from hpo_lab.landscape import Bounds, Landscape, Problem
from hpo_lab.measure import Cell, Results, tabulate
from hpo_lab.measures.break_even import CENSORED
from hpo_lab.measures.price import _values, random_curve, universe_of, winning
from hpo_lab.statistics import (
    break_even,
    changes,
    last_positive_interval,
    positive_budgets,
    power_law_regret,
    power_law_wins,
    price_over_seeds,
    resampled_runs,
)
from hpo_lab.study import Part, Study
from tests.small_studies import Inline, own_landscape, write
from tests.test_figures import texts

# --- power laws in closed form ------------------------------------------------------------------


@pytest.mark.parametrize(("price", "last"), [(0.02, 82_961), (0.05, 4_727), (0.10, 468)])
def test_the_last_winning_budget_of_two_power_laws(price: float, last: int) -> None:
    assert break_even(power_law_wins((1.0, 3.0), (1.0, 1.5), price)) == (last, "finite")


def test_power_laws_against_every_budget() -> None:
    rng = np.random.default_rng(0)
    budgets = np.arange(1, 5_001)
    for _ in range(200):
        c, gamma = rng.lognormal(size=2), rng.uniform(0.3, 4, 2)
        price = float(rng.choice([0.0, 0.1 * rng.lognormal()]))
        regrets = power_law_regret(budgets[:, None], c, gamma)
        ahead = regrets[:, 0] - regrets[:, 1] - price > 0
        found = np.zeros(len(budgets), dtype=bool)
        for a, b in power_law_wins((c[0], gamma[0]), (c[1], gamma[1]), price):
            found[a - 1 : b] = True
        assert (found == ahead).all(), (c, gamma, price)


def test_power_laws_that_never_end_and_never_begin() -> None:
    assert power_law_wins((1.0, 3.0), (1.0, 1.5), 0.0) == [(1, None)]
    assert power_law_wins((1.0, 1.5), (1.0, 1.5), 0.0) == []
    assert power_law_wins((1.0, 1.5), (1.0, 3.0), 0.1) == []
    assert power_law_wins((0.3, 3.0), (1.0, 1.5), 0.0) == [(38, None)]  # late, and for ever
    with pytest.raises(ValueError, match="at least 0"):
        power_law_wins((1.0, 3.0), (1.0, 1.5), -0.1)


# --- crossings of curves ------------------------------------------------------------------------


def test_positive_budgets_against_a_loop() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        net = rng.choice([-1.0, 0.0, 1e-15, 2.0, np.nan], 30)
        expected = [t for t in range(1, 31) if net[t - 1] > 1e-12]
        found = [t for a, b in positive_budgets(net) for t in range(a, b + 1)]
        assert found == expected
    assert positive_budgets([]) == []


def test_changes_are_where_any_curve_changes() -> None:
    rng = np.random.default_rng(3)
    curves = np.minimum.accumulate(rng.random((4, 40)), axis=1)
    curves[0, :5] = np.nan
    found = set(changes(curves).tolist())
    for t in range(1, 40):
        same = np.array_equal(curves[:, t], curves[:, t - 1], equal_nan=True)
        assert (t in found) == (not same)
    assert 0 in found


@pytest.mark.parametrize("instances", [1, 3])
def test_the_interval_of_the_crossing_against_a_loop(instances: int) -> None:
    rng = np.random.default_rng(4)
    runs = np.minimum.accumulate(rng.exponential(size=(2, instances, 12, 25)), axis=-1)
    net = runs[0] - runs[1] - 0.03
    net[0, 0, 0] = np.inf  # this budget is left out
    draws = resampled_runs(instances, 12, resamples=500)
    last = []
    for draw in draws.reshape(500, -1):
        mean = net.reshape(-1, 25)[draw].mean(axis=0)
        wins = [t + 1 for t in range(1, 25) if mean[t] > 0]
        last.append(wins[-1] if wins else 0)
    ends = np.quantile(last, [0.025, 0.975], method="inverted_cdf")
    assert last_positive_interval(net, resamples=500) == tuple(ends.astype(int).tolist())


def test_a_crossing_that_does_not_vary_has_no_interval() -> None:
    assert last_positive_interval(np.ones((1, 5, 4))) is None
    assert last_positive_interval(np.full((1, 5, 4), np.inf)) is None
    with pytest.raises(ValueError, match="budgets"):
        last_positive_interval(np.ones(4))


@pytest.mark.slow
def test_the_interval_of_the_crossing_covers_it() -> None:
    """Two power laws, break-even at 56 exactly; 300 studies of 30 pairs and 200 evaluations.

    Over 1,000 such studies .93 of the intervals held it; .89 is three standard errors below.
    """
    rng = np.random.default_rng(5)
    (_, last), *_ = power_law_wins((1.0, 2.0), (1.0, 1.0), 0.1)
    assert last is not None
    covered = 0
    for study in range(300):
        best = np.minimum.accumulate(rng.random((2, 30, 200)), axis=-1)
        net = best[0] ** (1 / 2.0) - best[1] - 0.1
        low, high = last_positive_interval(net[None], resamples=400, seed=study) or (0, 0)
        covered += low <= last <= high
    assert last == 56
    assert covered >= 0.89 * 300


# --- studies that ran ---------------------------------------------------------------------------

STUDY = """
schema = 1
name = "net"
[[landscapes]]
use = "table"
name = "holes"
path = "sweep.csv"
value = "error"
ignore = ["seed"]
[[landscapes]]
use = "peaks"
peaks = 6
[spaces.universe]
[spaces.declared]
landscapes = ["holes"]
assume = [{ use = "fixed", axis = "a", value = 0 }]
[spaces.corner]
landscapes = ["peaks"]
assume = [{ use = "narrowed", axis = ["x1", "x2"], high = 0.5 }]
[[strategies]]
use = "random"
[[strategies]]
use = "grid"
[runs]
budget = [6, 24]
instances = 2
repetitions = 30
entropy = 3
"""


def sweep(folder: Path, seeds: int = 1) -> None:
    """Four axes of four values; a quarter of the combinations has no value."""
    rng = np.random.default_rng(11)
    rows = ["a,b,c,d,seed,error"]
    for point in itertools.product(range(4), repeat=4):
        value = 1.0 * point[0] + rng.exponential() if rng.random() > 0.25 else None
        for seed in range(seeds):
            told = "" if value is None else value + (0.2 * rng.normal() if seeds > 1 else 0.0)
            rows.append(",".join(map(str, [*point, seed, told])))
    write(folder / "sweep.csv", "\n".join(rows))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("net")
    sweep(folder)
    study = Study.read(write(folder / "study.toml", STUDY))
    hpo_lab.run(study, folder / "out", executor=Inline())
    lost = next(i for i, one in study.runs.items() if one.arm.strategy.use == "grid")
    (folder / "out" / "runs" / f"{lost}.parquet").unlink()
    return Results.load(study, folder / "out")


@pytest.fixture(scope="module")
def tables(results: Results) -> dict[str, pd.DataFrame]:
    return tabulate(results, ["price", "regret", "benefit", "net", "break_even"])


def cell_of(results: Results, **labels: Any) -> dict[int, Cell]:
    """The cells of an arm by instance."""
    for arm in results.arms:
        if all(arm.labels[key] == value for key, value in labels.items()):
            return {cell.instance: cell for cell in arm.cells}
    raise LookupError(labels)


def test_the_net_of_every_arm_and_evaluation_against_a_loop(
    results: Results, tables: dict[str, pd.DataFrame]
) -> None:
    runs = tables["net"][tables["net"]["strategy"] != "random, exact"]
    keys = ["landscape", "space", "strategy", "budget"]
    assert len(runs) == 2 * 2 * (6 + 24)
    for key, rows in runs.groupby(keys):
        labels = dict(zip(keys, key, strict=True))
        here = cell_of(results, **labels)
        full = cell_of(results, **{**labels, "space": "universe"})
        for t, row in enumerate(rows.sort_values("evaluation").to_dict("records")):
            pairs = [
                (
                    full[i].incumbent_truth[list(full[i].repetitions).index(r), t],
                    here[i].incumbent_truth[list(here[i].repetitions).index(r), t],
                )
                for i in here
                for r in here[i].repetitions
                if all(r in cell.repetitions for cell in (*here.values(), *full.values()))
            ]
            assert row["pairs"] == len(pairs)
            success = [np.isfinite(one).mean() for one in zip(*pairs, strict=True)]
            assert row["success"] == pytest.approx(min(success))
            if min(success) == 1:
                assert row["net"] == pytest.approx(np.mean([a - b for a, b in pairs]))
                assert row["statistic"] == "mean"
            else:
                middle = [float(np.median(one)) for one in zip(*pairs, strict=True)]
                expected = middle[0] - middle[1] if np.isfinite(middle).all() else math.nan
                assert row["net"] == pytest.approx(expected, nan_ok=True)
                assert math.isnan(row["low"])


def test_a_missing_run_leaves_its_pair_out(
    results: Results, tables: dict[str, pd.DataFrame]
) -> None:
    assert len(results.missing) == 1
    mine = tables["benefit"].set_index(["landscape", "strategy", "budget"])["runs"].sort_index()
    assert sorted(mine.loc[("holes", "grid")]) == [29, 30]
    assert set(mine.loc[("peaks", "random")]) == {60}


def test_benefit_is_net_plus_price(tables: dict[str, pd.DataFrame]) -> None:
    price = tables["price"].set_index(["landscape", "space"])["price"]
    net = tables["net"].set_index(["landscape", "space", "strategy", "budget", "evaluation"])["net"]
    for row in tables["benefit"].to_dict("records"):
        key = (row["landscape"], row["space"])
        assert row["benefit"] == pytest.approx(row["net"] + price.loc[key], nan_ok=True)
        last = net.loc[(*key, row["strategy"], row["budget"], row["budget"])]
        if not math.isnan(row["net"]):
            assert row["net"] == pytest.approx(last)


def test_intervals_are_for_what_varies(tables: dict[str, pd.DataFrame]) -> None:
    last = tables["net"][tables["net"]["evaluation"] == tables["net"]["budget"]]
    grid = last[(last["strategy"] == "grid") & (last["landscape"] == "holes")]
    assert grid["low"].isna().all()
    random = last[(last["strategy"] == "random") & (last["landscape"] == "peaks")]
    assert (random["low"] <= random["net"]).all()
    assert (random["net"] <= random["high"]).all()
    even = tables["break_even"]
    assert even.loc[even["strategy"] == "grid", "interval"].eq("").all()
    assert even.loc[(even["strategy"] == "random") & (even["pairs"] >= 30), "interval"].ne("").all()


def test_break_even_is_the_last_win_and_is_censored_at_the_budget(
    tables: dict[str, pd.DataFrame],
) -> None:
    keys = ["landscape", "space", "strategy", "budget"]
    for row in tables["break_even"].to_dict("records"):
        if row["strategy"] == "random, exact":
            continue
        net = tables["net"]
        for key in keys:
            net = net[net[key] == row[key]]
        ahead = [t for t, v in zip(net["evaluation"], net["net"], strict=True) if v > 1e-12]
        if not ahead:
            assert row["status"] == "never"
        elif ahead[-1] == row["budget"]:
            assert (row["status"], row["shown"]) == (CENSORED, f"> {row['budget']}")
            assert math.isnan(row["break_even"])
        else:
            assert (row["status"], row["break_even"]) == ("finite", ahead[-1])


def test_the_exact_net_is_what_random_search_expects(
    results: Results, tables: dict[str, pd.DataFrame]
) -> None:
    rows = tables["net"][tables["net"]["strategy"] == "random, exact"]
    assert set(rows["landscape"]) == {"holes"}  # the other one is infinite
    landscape, space = results.study.landscapes[0], results.study.spaces[1]
    problem = results.study.problem(landscape, space, 1)
    here, everywhere = random_curve(problem), random_curve(universe_of(problem))
    assert here is not None
    assert everywhere is not None
    at = rows["evaluation"].to_numpy()
    assert np.allclose(rows["net"], everywhere.expected(at) - here.expected(at), atol=1e-12)
    assert set(range(1, 25)) <= set(at.tolist())
    value, status = break_even(winning(problem))
    even = tables["break_even"]
    row = even[even["strategy"] == "random, exact"].iloc[0]
    assert row["status"] == status
    if status == "finite":
        assert value is not None
        signs = rows.set_index("evaluation")["net"]
        assert signs.loc[value] > 0 >= signs.loc[value + 1]


def test_simulated_nets_agree_with_the_exact_one(tables: dict[str, pd.DataFrame]) -> None:
    """Within four standard errors, twice the width of a 95 % interval at most.

    From ten evaluations on: what is expected before is conditional on a success.
    """
    rows = tables["net"][(tables["net"]["landscape"] == "holes") & (tables["net"]["budget"] == 24)]
    exact = rows[rows["strategy"] == "random, exact"].set_index("evaluation")["net"]
    mine = rows[(rows["strategy"] == "random") & (rows["evaluation"] >= 10)]
    mine = mine[mine["low"].notna()]
    assert len(mine) >= 10
    off = (mine["net"].to_numpy() - exact.loc[mine["evaluation"]].to_numpy()).astype(float)
    assert (np.abs(off) < (mine["high"] - mine["low"]).to_numpy()).all()


def test_the_picture_marks_break_even_and_says_what_it_shows(
    tables: dict[str, pd.DataFrame],
) -> None:
    drawing = NetPrice()(tables)
    assert drawing is not None
    shown = " ".join(text.get_text() for text in texts(drawing))
    assert "the space is ahead" in shown
    assert "random, exact" in shown
    caption = NetPrice().caption(tables)
    assert "exact expectation" in caption
    assert "Of several budgets the largest, 24" in caption
    assert NetPrice()({"net": tables["net"].iloc[:0]}) is None


def test_a_net_needs_no_optimum(tmp_path: Path) -> None:
    """f*(U) cancels: a landscape whose truth is unknown has a net, and no price."""
    text = """
schema = 1
name = "own"
[[landscapes]]
use = "own"
[spaces.universe]
[spaces.left]
assume = [{ use = "narrowed", axis = "x", high = 0.5 }]
[[strategies]]
use = "random"
[runs]
budget = 5
repetitions = 30
"""
    with own_landscape(tmp_path):
        study = Study.read(write(tmp_path / "study.toml", text))
        hpo_lab.run(study, tmp_path / "out", executor=Inline())
        found = tabulate(Results.load(study, tmp_path / "out"), ["benefit", "net"])
    row = found["benefit"].iloc[0]
    assert row["net"] > 0  # the best is at the lower end, and half of the space is gone
    assert row["low"] < row["net"] < row["high"]
    assert math.isnan(row["price"])
    assert math.isnan(row["benefit"])
    assert found["net"]["net"].notna().all()


# --- the price itself ---------------------------------------------------------------------------


def test_the_price_of_bounds() -> None:
    """P in [LB_S - UB_U, UB_S - LB_U], and never below zero."""
    import landscapes

    f = landscapes.make("peaks", dimension=1, peaks=3, instance=1)

    class Vague(type(f)):  # type: ignore[misc]
        def lowest(self, region: Any) -> Bounds:
            return Bounds(1.0, 4.0, "test") if region[0].sets else Bounds(0.5, 1.5, "test")

    g = Vague(dimension=1, peaks=3, instance=1)
    narrowed = Part("assumptions", "narrowed", (("axis", "x1"), ("high", 0.0)), "n").make()
    found = _values([Problem(g, assume(g.universe, [narrowed]))])
    assert (found["low"], found["high"]) == (0.0, 3.5)
    assert math.isnan(found["price"])
    assert found["exact"] is False


def test_the_price_over_seeds_against_every_resample() -> None:
    """Two points, two seeds each: sixteen resamples, all equally likely."""
    told = np.array([[1.0, 1.4], [2.0, 2.2]])
    found = price_over_seeds(told, [True, False], level=0.8, resamples=20_000)
    prices = []
    for drawn in itertools.product([0, 1], repeat=4):
        means = np.array([told[0, list(drawn[:2])].mean(), told[1, list(drawn[2:])].mean()])
        middle = told.mean(axis=1)
        means = np.clip(middle + (means - middle) * math.sqrt(2), told[:, 0], told[:, 1])
        prices.append(means[1] - means.min())
    ends = np.quantile(prices, [0.1, 0.9], method="inverted_cdf")
    assert found == pytest.approx(tuple(ends), abs=1e-9)


def test_seeds_that_diverged_do_not_make_prices_below_all_that_was_measured() -> None:
    told = [[0.2, 0.21, 0.22, 0.23], [0.3, 0.3, 1e6, 0.3], [0.4, 0.41, 0.42, 0.43]]
    low, high = price_over_seeds(told, [True, False, False]) or (0.0, 0.0)
    assert 0.0 < low < 0.1
    assert high <= 0.43 - 0.2


@pytest.mark.parametrize("r", [1, 3])
def test_a_table_without_variation_has_no_interval(r: int) -> None:
    assert price_over_seeds(np.repeat([[1.0], [2.0]], r, axis=1), [True, False]) is None


@pytest.mark.parametrize(
    ("told", "removed", "said"),
    [
        ([1.0, 2.0], [True, False], "one row"),
        ([[1.0], [2.0]], [True], "one row"),
        ([[1.0], [2.0]], [True, True], "remove fewer"),
    ],
)
def test_seeds_that_do_not_fit(told: Any, removed: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        price_over_seeds(told, removed)


@pytest.mark.slow
def test_the_price_over_seeds_covers_the_price() -> None:
    """Of the means that infinitely many seeds would have: .83 to 1 over 24 kinds of tables."""
    rng = np.random.default_rng(6)
    covered = []
    for points, r, sigma in itertools.product((300, 3_000), (3, 5), (0.05, 0.3)):
        means = 10 * rng.beta(3, 6, points)
        gone = rng.random(points) < 0.5
        price = means[~gone].min() - means.min()
        for seed in range(60):
            told = means[:, None] + sigma * rng.normal(size=(points, r))
            low, high = price_over_seeds(told, gone, resamples=400, seed=seed) or (0.0, 0.0)
            covered.append(low - 1e-12 <= price <= high + 1e-12)
    assert np.mean(covered) >= 0.85


@pytest.mark.parametrize(
    ("seeds", "words"), [(1, "conditional on this table"), (4, "interval from 4 training seeds")]
)
def test_the_price_says_what_it_is_conditional_on(tmp_path: Path, seeds: int, words: str) -> None:
    sweep(tmp_path, seeds)
    study = Study.read(write(tmp_path / "study.toml", STUDY))
    table = tabulate(Results.empty(study), ["price"])["price"]
    rows = {(row["landscape"], row["space"]): row for row in table.to_dict("records")}
    row = rows["holes", "declared"]
    assert row["conditional"] == words
    assert row["seeds"] == seeds
    assert math.isnan(row["seeds_low"]) == (seeds == 1)
    assert rows["holes", "universe"]["conditional"] == ""
    assert rows["peaks", "corner"]["conditional"] == ""  # a formula: nothing was measured
    found = hpo_lab.price(study)["landscapes"][0]["spaces"][1]["seeds"]
    assert found["count"] == seeds
    assert found["conditional"] == words
    assert (found["interval"] is None) == (seeds == 1)


def test_replicates_are_what_the_truth_is_the_mean_of(tmp_path: Path) -> None:
    import landscapes

    sweep(tmp_path, 3)
    made = [
        landscapes.make("table", path=str(tmp_path / "sweep.csv"), value="error", ignore=("seed",)),
        landscapes.make("sklearn_table", dataset="wine"),
        landscapes.make("nas_graph", dataset="proteins"),
    ]
    for f in made:
        replicates = f.replicates()
        assert replicates is not None
        truth = f.evaluate(f.universe.enumerate())
        known = ~np.isnan(truth)
        assert (np.isnan(replicates).all(axis=1) == ~known).all()
        assert np.allclose(np.nanmean(replicates[known], axis=1), truth[known], atol=1e-9)
    assert Landscape.replicates(made[0]) is None

"""Tables of coverage against loops and planted cases; runs that stop early, trials that fail."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hpo_lab
from hpo_lab import discovery
from hpo_lab.assumption import View
from hpo_lab.basins import NearOptimal
from hpo_lab.landscape import Landscape, Problem
from hpo_lab.measure import Cell, Results, system_masses, tabulate
from hpo_lab.measures._visited import groups_of, labels_of, levels_of
from hpo_lab.measures.coverage import expected_distinct
from hpo_lab.region import BoxSystem, region_system
from hpo_lab.space import Integer, Points, Real, Space
from hpo_lab.statistics import covering_radius, expected_occupied, largest_empty_box, numbered
from hpo_lab.study import Study
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from tests.small_studies import Inline

NAMES = ("coverage", "occupancy", "density", "evenness", "edges", "basin_coverage")
PLUGIN = """
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from hpo_lab import Choice, Integer, Landscape, Space, Strategy

@dataclass(frozen=True)
class Hill(Landscape):
    "A finite valley whose floor lies at k = 15 and the largest size; k = 3 has no value."
    name: ClassVar[str] = "hill"

    @property
    def universe(self):
        return Space.box(Integer("k", 1, 20), Choice("size", (1, 2, 4, 8), ordered=True),
                         Choice("act", ("a", "b")))

    def evaluate(self, points):
        k, size, act = points.values.T
        return np.where(k == 3, np.nan, (k - 15.0) ** 2 + 3 - size + 0.5 * act)

@dataclass(frozen=True)
class Corner(Strategy):
    "Half of the budget, always next to the upper ends, and then it stops."
    name: ClassVar[str] = "corner"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = False

    def start(self, space, budget, rng):
        return Search(space, budget // 2, rng)

class Search:
    def __init__(self, space, left, rng):
        self.space, self.left, self.rng = space, left, rng

    def ask(self):
        n, self.left = self.left, 0
        drawn = self.space.sample(n, self.rng)
        unit = 1 - 0.3 * self.rng.random((n, self.space.width)) ** 2
        return self.space.from_unit(drawn.family, unit)

    def tell(self, points, values):
        pass
"""
STUDY = """
schema = 1
name = "covered"
[[landscapes]]
use = "hill"
[[landscapes]]
use = "families"
[[landscapes]]
use = "peaks"
peaks = 6
noise = 0.1
[spaces.universe]
[spaces.low]
landscapes = ["hill"]
assume = [{ use = "narrowed", axis = "k", high = 10 }]
[spaces.high]
landscapes = ["hill"]
assume = [{ use = "narrowed", axis = "k", low = 12 }]
[[strategies]]
use = "random"
[[strategies]]
use = "sobol"
[[strategies]]
use = "grid"
[[strategies]]
use = "corner"
[runs]
budget = 40
repetitions = 8
entropy = 5
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    folder = tmp_path_factory.mktemp("covered")
    before = {kind: dict(known) for kind, known in discovery._PLUGINS.items()}
    (folder / "hill_plugin.py").write_text(PLUGIN)
    (folder / "study.toml").write_text(STUDY)
    discovery.load_plugin(folder / "hill_plugin.py")
    study = Study.read(folder / "study.toml")
    hpo_lab.run(study, folder / "out", executor=Inline())
    yield Results.load(study, folder / "out")
    for kind, known in discovery._PLUGINS.items():
        known.clear()
        known.update(before[kind])


@pytest.fixture(scope="module")
def tables(results: Results) -> dict[str, pd.DataFrame]:
    return tabulate(results, NAMES)


def cell_of(results: Results, row: Mapping[Any, Any]) -> Cell:
    arm = next(a for a in results.arms if all(row[k] == v for k, v in a.labels.items()))
    return next(c for c in arm.cells if c.instance == row["instance"])


def rows(table: pd.DataFrame, **values: Any) -> pd.DataFrame:
    for key, value in values.items():
        table = table[table[key] == value]
    return table


# --- labels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [k for k, s in KINDS_OF_SPACE.items() if s.width < 50])
def test_pairs_are_labelled_as_the_region_system_does(kind: str) -> None:
    space = KINDS_OF_SPACE[kind]
    points = space.sample(300, np.random.default_rng(0))
    for name in ("families", "options", "bins", "pairs", "planes"):
        system = region_system(name, space)
        assert np.array_equal(labels_of(system, points), system.labels(points))
        stops = [g.regions.stop for g in groups_of(system)]
        assert not stops or stops[-1] in (None, len(system.regions))


def test_levels_are_testable_and_the_next_one_is_not(results: Results) -> None:
    view = next(a for a in results.arms if a.arm.landscape.label == "peaks").cells[0].problem.view
    counts = [len(system.regions) for system in levels_of(view, 40, 8)]
    assert counts == [4, 16]  # ln(16/.05) = 5.8 < 320/16, but ln(64/.05) = 7.2 > 320/64
    assert [len(system.regions) for system in levels_of(view, 1000, 30)][-1] == 1024


# --- occupancy ---------------------------------------------------------------------------------


def test_occupancy_against_loops(results: Results, tables: dict[str, pd.DataFrame]) -> None:
    table = tables["occupancy"]
    assert set(table["system"]) == {"families", "options", "bins", "pairs", "planes", "cells"}
    last = table[(table["evaluation"].isin([1, 13, 40])) & (table["axes"] == "")]
    for row in last.to_dict("records"):
        cell = cell_of(results, row)
        view = cell.problem.view
        if row["system"] == "cells":
            levels = levels_of(view, 40, 1 if row["strategy"] == "grid" else 8)
            system: BoxSystem = next(s for s in levels if len(s.regions) == row["regions"])
        else:
            system = region_system(row["system"], view.universe, results.study.resolution)
        labels, early = system.labels(cell.lifted), cell.evaluation < row["evaluation"]
        seen = [
            {label for label in labels[early & (cell.run == run)].ravel().tolist() if label >= 0}
            for run in range(len(cell.repetitions))
        ]
        one = row["scope"] == "one run"
        filled = np.mean([len(s) for s in seen]) if one else len(set().union(*seen))
        assert row["occupied"] == pytest.approx(filled), row
        in_universe, in_space, _ = system_masses(system, view)
        draws = row["evaluation"] * (1 if one else 8)
        assert row["expected"] == pytest.approx(float(expected_occupied(in_space, draws)))
        assert row["expected_in_universe"] == pytest.approx(
            float(expected_occupied(in_universe, draws))
        )
        assert row["excess"] == pytest.approx(1 - row["occupied"] / row["expected"], abs=1e-9)


def test_single_axes_add_up_to_their_system(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["occupancy"]
    table = table[(table["evaluation"] == 40) & (table["system"] != "cells")]
    keys = ["landscape", "space", "strategy", "scope", "system"]
    total = table[table["axes"] == ""].set_index(keys)["occupied"]
    added = table[table["axes"] != ""].groupby(keys)["occupied"].sum()
    pd.testing.assert_series_equal(added.sort_index(), total.sort_index(), check_names=False)


def test_random_search_is_as_random_and_a_corner_is_emptier(
    tables: dict[str, pd.DataFrame],
) -> None:
    table = tables["occupancy"]
    final = table[(table["evaluation"] == 40) & (table["axes"] == "") & (table["dimension"] > 0)]
    random, corner = rows(final, strategy="random"), rows(final, strategy="corner")
    assert (random["verdict"] != "as random").mean() < 0.25  # 5 %, of some 30 dependent rows
    assert (corner[corner["system"] == "bins"]["verdict"] == "emptier").all()
    assert (corner["excess"] > 0).mean() > 0.9
    assert (rows(final, strategy="grid")["verdict"] == "").all()
    assert set(rows(final, strategy="grid")["scope"]) == {"one run"}


def test_the_headline_is_never_raw_or_a_projection(tables: dict[str, pd.DataFrame]) -> None:
    occupancy, coverage = tables["occupancy"], tables["coverage"]
    lead = occupancy[occupancy["headline"] & (occupancy["system"] == "cells")]
    assert (lead["dimension"] >= 2).all()
    final = lead[lead["evaluation"] == 40]
    assert (final["expected"] >= 0.5 * final["possible"]).all()
    assert occupancy[occupancy["system"] == "bins"]["headline"].all()
    assert ((coverage["axes_seen"] == coverage["axes"]) >= coverage["headline"]).all()


def shuffled(cell: Cell, rng: np.random.Generator) -> Cell:
    """The same runs in another order."""
    order = rng.permutation(len(cell.repetitions))
    trials = np.concatenate([np.flatnonzero(cell.run == run) for run in order])
    place = np.argsort(order)
    return replace(
        cell,
        repetitions=cell.repetitions[order],
        points=cell.points[trials],
        run=place[cell.run[trials]],
        evaluation=cell.evaluation[trials],
        observed=cell.observed[order],
        truth=cell.truth[order],
        asked=cell.asked[order],
    )


def test_the_order_of_runs_changes_nothing(
    results: Results, tables: dict[str, pd.DataFrame]
) -> None:
    rng = np.random.default_rng(1)
    arms = tuple(
        replace(arm, cells=tuple(shuffled(cell, rng) for cell in arm.cells))
        for arm in results.arms
        if arm.arm.landscape.label != "hill"
    )
    again = tabulate(replace(results, arms=arms), NAMES)
    for name in ("coverage", "occupancy", "edges", "basin_coverage"):
        before = tables[name][tables[name]["landscape"] != "hill"].reset_index(drop=True)
        pd.testing.assert_frame_equal(before, again[name], rtol=1e-9, check_dtype=False)
    exact = ["share", "ratio", "first_visit", "last_visit", "runs_visited"]  # a bootstrap moves
    before = tables["density"][tables["density"]["landscape"] != "hill"].reset_index(drop=True)
    pd.testing.assert_frame_equal(before[exact], again["density"][exact], rtol=1e-9)


# --- densities ---------------------------------------------------------------------------------


def test_density_against_loops(results: Results, tables: dict[str, pd.DataFrame]) -> None:
    table = tables["density"]
    assert set(table["system"]) == {"families", "options", "bins"}
    for key, part in table.groupby(["landscape", "space", "strategy", "system"]):
        row = part.to_dict("records")[0]
        cell = cell_of(results, row)
        system = region_system(str(key[3]), cell.problem.view.universe, results.study.resolution)
        labels = system.labels(cell.lifted)
        runs = 1 if row["strategy"] == "grid" else 8
        for index, row in enumerate(part.to_dict("records")):
            shares, first = [], []
            for run in range(runs):
                mine = (labels[cell.run == run] == index).any(axis=1)
                shares.append(mine.mean())
                if mine.any():
                    first.append(cell.evaluation[cell.run == run][mine].min() + 1)
            assert row["share"] == pytest.approx(np.mean(shares))
            assert row["runs_visited"] == len(first)
            if first:
                assert row["first_visit"] == np.median(first)
            if row["measure"] > 0:
                assert row["ratio"] == pytest.approx(row["share"] / row["measure"])
    assert (table[table["measure"] == 0]["ratio"].isna()).all()
    assert table[table["strategy"] == "grid"]["low"].isna().all()
    bounded = table[table["low"].notna()]
    assert len(bounded) > 50
    assert (bounded["low"] <= bounded["ratio"] + 1e-9).all()
    assert (bounded["ratio"] <= bounded["high"] + 1e-9).all()


# --- evenness ----------------------------------------------------------------------------------


def test_evenness_against_scipy_and_families_apart(
    results: Results, tables: dict[str, pd.DataFrame]
) -> None:
    from scipy.stats import qmc

    table = tables["evenness"]
    assert "hill" not in set(table["landscape"])  # no continuous axis
    assert set(rows(table, landscape="families")["axes"]) == {1}  # the rate; others are discrete
    assert rows(table, landscape="families")["family"].nunique() == 4
    peaks = rows(table, landscape="peaks", scope="one run", strategy="random")
    cell = cell_of(results, peaks.to_dict("records")[0])
    unit = cell.points.space.to_unit(cell.points)
    each = [unit[cell.run == run] for run in range(8)]
    value = rows(peaks, statistic="discrepancy", points=40)["value"].item()
    theirs = np.mean([qmc.discrepancy(one, method="CD") for one in each])
    assert value == pytest.approx(theirs, rel=1e-9)
    boxes = [largest_empty_box(one)[0] for one in each]
    assert rows(peaks, statistic="box")["value"].item() == pytest.approx(np.mean(boxes))
    radii = [covering_radius(one) for one in each]
    assert rows(peaks, statistic="radius")["value"].item() == pytest.approx(np.mean(radii))


def test_sobol_is_more_even_than_random_and_a_corner_less(
    tables: dict[str, pd.DataFrame],
) -> None:
    table = rows(tables["evenness"], landscape="peaks", scope="one run")
    final = table.groupby(["strategy", "statistic"])["ratio"].last().unstack()
    assert (final.loc["sobol"] < final.loc["random"]).all()
    assert (final.loc["corner"] > final.loc["random"]).all()
    low = table.groupby(["strategy", "statistic"])["random_low"].last().unstack()
    high = table.groupby(["strategy", "statistic"])["random_high"].last().unstack()
    assert (final.loc["sobol"] < low.loc["sobol"]).all()
    assert (final.loc["corner"] > high.loc["corner"]).all()


# --- edges -------------------------------------------------------------------------------------


def test_what_lies_beyond_an_edge_is_planted(tables: dict[str, pd.DataFrame]) -> None:
    """f = (k - 15)² + 3 - size: k <= 10 costs 25, k >= 12 nothing, whoever searches."""
    edges = rows(tables["edges"], landscape="hill", axis="k")
    upper = rows(edges, space="low", side="high")
    assert (upper["gain"] == 25).all()
    assert not upper["ends"].any()
    assert (upper["bound"] == "10").all()
    lower = rows(edges, space="high", side="low")
    assert (lower["gain"] == 0).all()
    assert not lower["ends"].any()
    assert rows(edges, space="universe")["ends"].all()
    assert (rows(edges, space="universe")["gain"] == 0).all()
    assert "act" not in set(tables["edges"]["axis"])  # a choice without an order has no edge
    assert set(rows(tables["edges"], axis="size")["bound"]) == {"1", "8"}


def test_edges_against_loops(results: Results, tables: dict[str, pd.DataFrame]) -> None:
    for row in rows(tables["edges"], landscape="hill", axis="k", side="high").to_dict("records"):
        cell = cell_of(results, row)
        runs = 1 if row["strategy"] == "grid" else 8
        bound = float(row["bound"])
        k = cell.points.values[:, 0]
        shares = [(k[cell.run == run] == bound).mean() for run in range(runs)]
        assert row["on_edge"] == pytest.approx(np.mean(shares))
        best = [
            k[(cell.run == run) & (cell.evaluation == cell.incumbents[run, -1])][0] == bound
            for run in range(runs)
        ]
        assert row["best_on_edge"] == pytest.approx(np.mean(best))
        axis = cell.problem.view.declared.families[0].axes[0]
        assert row["on_edge_expected"] == pytest.approx(1 / axis.size)
    corner = rows(tables["edges"], landscape="peaks", strategy="corner", side="high")
    assert (corner["near_edge"] > 3 * corner["near_edge_expected"]).all()


def test_an_unknown_optimum_bounds_the_gain(results: Results) -> None:
    """Where the landscape gives bounds only, so does the gain."""
    from hpo_lab.landscape import UNKNOWN, Bounds
    from hpo_lab.measures.edges import _gains

    arm = next(a for a in results.arms if a.arm.space.label == "low")
    found = _gains(arm.cells[0], UNKNOWN)
    assert math.isnan(found["gain"])
    assert found["gain_low"] == 0
    assert found["gain_high"] == math.inf
    some = _gains(arm.cells[0], Bounds(0.0, 1.0, ""))
    assert (some["gain_low"], some["gain_high"]) == (24.0, 25.0)
    nothing = _gains(arm.cells[0], Bounds(math.inf, math.inf, ""))
    assert nothing == {"gain": 0.0, "gain_low": 0.0, "gain_high": 0.0}


# --- basins ------------------------------------------------------------------------------------


def test_basin_hits_against_loops(results: Results, tables: dict[str, pd.DataFrame]) -> None:
    table = rows(tables["basin_coverage"], landscape="peaks", target="basins")
    assert len(table)
    for row in table[table["evaluation"].isin([1, 13, 40])].to_dict("records"):
        cell = cell_of(results, row)
        minima = cell.problem.landscape.minima()
        assert minima is not None
        label, early = minima.labels(cell.lifted), cell.evaluation < row["evaluation"]
        runs = range(1 if row["strategy"] == "grid" else 8)
        hit = [set(label[early & (cell.run == run)].tolist()) - {-1} for run in runs]
        one = row["scope"] == "one run"
        assert row["hit"] == pytest.approx(
            np.mean([len(h) for h in hit]) if one else len(set().union(*hit))
        )
        assert row["possible"] == len(minima.values)


def test_cells_that_hold_the_near_optimal_set_against_a_loop(
    results: Results, tables: dict[str, pd.DataFrame]
) -> None:
    table = rows(tables["basin_coverage"], landscape="hill", target="near-optimal set")
    assert len(table)
    for row in rows(table, scope="one run", evaluation=40).to_dict("records"):
        cell = cell_of(results, row)
        view, landscape = cell.problem.view, cell.problem.landscape
        system = levels_of(view, 40, 1 if row["strategy"] == "grid" else 8)[-1]
        every = view.lift(view.declared.enumerate())
        near = landscape.evaluate(every) <= NearOptimal(landscape).threshold
        where = system.labels(every)[near, 0]
        labels = system.labels(cell.lifted)[:, 0]
        runs = range(1 if row["strategy"] == "grid" else 8)
        shares = [np.isin(where, labels[cell.run == run]).mean() for run in runs]
        assert row["hit"] == pytest.approx(100 * np.mean(shares))
        mass = system_masses(system, view)[1]
        chance = np.mean(1 - (1 - mass[where]) ** 40)
        assert row["expected"] == pytest.approx(100 * chance)


def test_expected_hits_are_those_of_random_search(results: Results) -> None:
    """1,000 simulated searches on peaks: within 4 standard errors, and those of the shares."""
    arm = next(a for a in results.arms if a.arm.landscape.label == "peaks")
    cell = arm.cells[0]
    minima = cell.problem.landscape.minima()
    assert minima is not None
    drawn = cell.problem.view.declared.sample(40_000, np.random.default_rng(9))
    label = minima.labels(cell.problem.view.lift(drawn)).reshape(1000, 40)
    hits = np.array([len(set(row) - {-1}) for row in label.tolist()])
    table = rows(tabulate(results, ["basin_coverage"])["basin_coverage"], landscape="peaks")
    expected = rows(table, target="basins", scope="one run", evaluation=40)["expected"].iloc[0]
    assert abs(hits.mean() - expected) < 4 * hits.std() / math.sqrt(1000) + 0.02


# --- all of them -------------------------------------------------------------------------------


def test_stopped_runs_are_compared_with_the_whole_budget(
    results: Results, tables: dict[str, pd.DataFrame]
) -> None:
    corner = rows(tables["coverage"], strategy="corner")
    assert (corner["distinct"] + corner["repeats"] == 20).all()
    for row in corner.to_dict("records"):
        cell = cell_of(results, row)
        points = [set(map(bytes, keys(cell, run))) for run in range(8)]
        assert row["distinct"] == np.mean([len(p) for p in points])
        assert row["all_distinct"] == len(set().union(*points))


def keys(cell: Cell, run: int) -> Any:
    chosen: Points = cell.points[np.flatnonzero(cell.run == run)]
    return chosen.keys()


def test_tables_are_tidy_and_bounded(tables: dict[str, pd.DataFrame]) -> None:
    for name, table in tables.items():
        assert len(table), name
        assert table.columns[0] == "landscape"
    for low, high in itertools.product(["random_low"], ["random_high"]):
        for name in ("coverage", "occupancy", "evenness"):
            assert (tables[name][low] <= tables[name][high] + 1e-9).all()


def test_a_run_without_any_trial_is_counted_as_one(results: Results) -> None:
    arm = next(a for a in results.arms if a.arm.landscape.label == "families")
    cell = arm.cells[0]
    kept = np.flatnonzero(cell.run < 7)
    gone = np.where(np.arange(8)[:, None] < 7, cell.observed, np.inf)
    short = replace(
        cell,
        points=cell.points[kept],
        run=cell.run[kept],
        evaluation=cell.evaluation[kept],
        observed=gone,
        truth=gone,
        asked=cell.asked & (np.arange(8)[:, None] < 7),
    )
    found = tabulate(replace(results, arms=(replace(arm, cells=(short,)),)), NAMES)
    before = tabulate(replace(results, arms=(replace(arm, cells=(cell,)),)), NAMES)
    seen = found["density"]["runs_visited"]
    assert (seen <= before["density"]["runs_visited"]).all()
    assert seen.max() == 7
    assert (found["density"]["runs"] == 8).all()
    assert found["coverage"]["distinct"].item() < before["coverage"]["distinct"].item()
    nothing = replace(
        short, points=cell.points[[]], run=cell.run[:0], evaluation=cell.evaluation[:0],
        observed=np.full((8, 40), np.inf), truth=np.full((8, 40), np.inf),
        asked=np.zeros((8, 40), dtype=bool),
    )  # fmt: skip
    empty = tabulate(replace(results, arms=(replace(arm, cells=(nothing,)),)), NAMES)
    assert empty["coverage"]["occupied"].item() == 0
    assert (empty["occupancy"].query("scope == 'one run' and axes == ''")["excess"] == 1).all()


def test_expected_distinct_points_against_draws() -> None:
    """2,000 searches of 60 evaluations: the mean lies within 4 standard errors."""
    for kind in ("integer", "categorical", "conditional", "continuous", "two points"):
        space = KINDS_OF_SPACE[kind]
        drawn = numbered_points(space.sample(2000 * 60, np.random.default_rng(3)))
        counts = np.array([len(set(row)) for row in drawn.reshape(2000, 60).tolist()])
        error = max(counts.std() / math.sqrt(2000), 1e-12)
        assert abs(counts.mean() - expected_distinct(space, 60)) < 4 * error, kind
    wide = Space.box(*[Integer(f"k{i}", 1, 10) for i in range(7)])  # too many points to list
    assert expected_distinct(wide, 1000) == pytest.approx(1000 - 999 * 500 / 1e7)


def numbered_points(points: Points) -> Any:
    return numbered(np.column_stack([points.family, points.values]))


@pytest.mark.parametrize("kind", KINDS_OF_SPACE)
def test_every_kind_of_space_is_measured(kind: str, results: Results) -> None:
    """Random search on it: tables come out, and hardly any sum of marginals is judged odd."""
    space = KINDS_OF_SPACE[kind]
    landscape = Landscape.of(lambda point: float(len(point)), space)
    runs, budget = 6, 10
    values = np.random.default_rng(2).random((runs, budget))
    arm = next(a for a in results.arms if a.arm.strategy.label == "random")
    cell = Cell(
        instance=1,
        problem=Problem(landscape, View.identity(space)),
        budget=budget,
        repetitions=np.arange(1, runs + 1),
        points=space.sample(runs * budget, np.random.default_rng(4)),
        run=np.repeat(np.arange(runs), budget),
        evaluation=np.tile(np.arange(budget), runs),
        observed=values,
        truth=values,
        asked=np.ones((runs, budget), dtype=bool),
    )
    found = tabulate(replace(results, arms=(replace(arm, cells=(cell,)),)), NAMES)
    assert len(found["coverage"]) == 1
    assert found["basin_coverage"].empty  # nothing is known of somebody's function
    if len(found["occupancy"]):
        last = found["occupancy"].query("axes == '' and evaluation == 10")
        assert (last["verdict"] != "as random").mean() <= 0.5
        assert (last["occupied"] <= last["possible"]).all()
    if len(found["edges"]):
        assert found["edges"]["ends"].all()
        assert (found["edges"]["gain"] == 0).all()
    reals = sum(isinstance(a, Real) and a.size > 1 for f in space.families for a in f.axes)
    assert len(found["evenness"]) == 0 or reals > 0


# --- the figure --------------------------------------------------------------------------------


def test_the_figure_shows_every_arm_within_its_page(tables: dict[str, pd.DataFrame]) -> None:
    made = discovery.make("figures", "coverage_excess", {})
    drawing = made(tables)
    drawing.canvas.draw()
    page = drawing.bbox
    words = [label.get_text() for label in drawing.axes[0].get_yticklabels()]
    assert len(words) == len(tables["coverage"].drop_duplicates(["landscape", "space", "strategy"]))
    for axes in drawing.axes:
        for text in (axes.title, *drawing.axes[0].get_yticklabels()):
            box = text.get_window_extent()
            assert box.x0 >= page.x0 - 1
            assert box.x1 <= page.x1 + 1
            assert float(text.get_fontsize()) >= 5.5
    assert [axes.get_title() for axes in drawing.axes][:2] == ["single axes", "pairs of axes"]
    assert "Excess emptiness" in made.caption(tables)
    assert made({"occupancy": tables["occupancy"].iloc[:0]}) is None


def test_the_figure_says_which_arms_it_leaves_out(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["occupancy"]
    many = pd.concat([table.assign(strategy=table["strategy"] + f" ${i}$") for i in range(6)])
    made = discovery.make("figures", "coverage_excess", {})
    assert "Shown are 40 of 120 arms" in made.caption({"occupancy": many})
    assert len(made({"occupancy": many}).axes[0].get_yticklabels()) == 40
    marginals = table[table["system"] != "cells"]
    assert "leaves more than half of them empty" in made.caption({"occupancy": marginals})


def test_the_figure_weighs_systems_by_what_random_search_fills(
    tables: dict[str, pd.DataFrame],
) -> None:
    from hpo_lab.figures.coverage_excess import _excess, _last

    rows_ = _last(tables["occupancy"])
    found = _excess(rows_).set_index(["landscape", "space", "strategy", "level"])
    one = rows(rows_, landscape="families", strategy="corner", dimension=1)
    excess = 100 * (1 - one["occupied"].sum() / one["expected"].sum())
    key = ("families", "universe", "corner", "single axes")
    assert found.loc[key, "excess"] == pytest.approx(excess)

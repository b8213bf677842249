"""Regions of every kind: labels, measures and verdicts against draws, listing and simulation."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import hpo_lab
from hpo_lab import Results, Study, discovery, tabulate
from hpo_lab.assumption import View
from hpo_lab.basins import Basins, Known, NearOptimal, known_systems, minima_of
from hpo_lab.landscape import Landscape, Optimum, enumeration
from hpo_lab.measure import region_optima, system_errors, system_masses, system_names, systems_of
from hpo_lab.measures.regions import visits_at
from hpo_lab.region import (
    Cells,
    Combinations,
    Resolution,
    contains,
    masses,
    region_system,
    split,
)
from hpo_lab.space import Choice, Family, Integer, Real, Space
from hpo_lab.statistics import NEGLECTED, NEVER_SEEN, visit_upper_bound
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from tests.small_studies import Inline, write

FINE = Resolution(bins=5, cells=300)


def make(name: str, **arguments: object) -> Landscape:
    landscape: Landscape = discovery.make("landscapes", name, arguments)
    return landscape


# --- boxes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in KINDS_OF_SPACE if kind != "wide"])
@pytest.mark.parametrize("name", ["bins", "planes", "cells"])
def test_labels_agree_with_boxes_and_masses_with_draws(kind: str, name: str) -> None:
    space = KINDS_OF_SPACE[kind]
    system = region_system(name, space, FINE)
    points = space.sample(4000, np.random.default_rng(0))
    labels = system.labels(points)
    _, mass, _ = system_masses(system, View.identity(space))
    assert labels.max(initial=-1) < len(system.regions)
    for index, region in enumerate(system.regions[:100]):
        here = (labels == index).any(axis=1)
        assert (here <= contains(space, region, points)).all()
        spread = 5 * math.sqrt(max(mass[index] * (1 - mass[index]), 1e-4) / len(points))
        assert abs(here.mean() - mass[index]) < spread
    parts = [label[label >= 0] for label in labels.T]
    assert len(np.unique(np.concatenate([*map(np.unique, parts), []]))) == sum(
        len(np.unique(part)) for part in parts
    ), "the parts of a system share no region"


def test_parts_of_a_range_have_nearly_equal_measure() -> None:
    for axis in (Real("x", 1e-5, 0.1, log=True), Real("x", -1, 3), Integer("k", 1, 1000)):
        space = Space.box(axis)
        system = region_system("bins", space, Resolution(bins=7))
        _, mass, _ = system_masses(system, View.identity(space))
        assert len(mass) == 7
        assert mass == pytest.approx(1 / 7, rel=0.01)


def test_a_bound_belongs_to_the_lower_part() -> None:
    space = Space.box(Real("x", 0, 1))
    labels = region_system("bins", space, Resolution(bins=4)).labels(
        space.points([[0.0], [0.25], [0.2500001], [1.0]])
    )
    assert labels.ravel().tolist() == [0, 0, 1, 3]


def test_families_get_cells_by_weight() -> None:
    axes = (Real("x", 0, 1), Real("y", 0, 1))
    space = Space((Family("light", axes), Family("heavy", axes, weight=4.0)))
    system = Cells(space, 80)
    _, mass, _ = system_masses(system, View.identity(space))
    assert len(mass) == 4 * 4 + 8 * 8
    assert mass.sum() == pytest.approx(1)
    assert mass.max() <= 1.01 * mass.min()


@pytest.mark.parametrize("limit", [1, 5, 64, 1000])
def test_there_are_never_more_cells_than_asked_for(limit: int) -> None:
    for space in KINDS_OF_SPACE.values():
        assert len(Cells(space, limit).regions) <= max(limit, len(space.families))


def test_axes_of_one_name_and_two_ranges_are_two_axes() -> None:
    kernel, wide = Integer("kernel", 1, 4), Integer("kernel", 1, 8)
    ops, others = Choice("op", ("a", "b")), Choice("op", ("b", "c"))
    space = Space((Family("conv", (kernel, ops)), Family("big", (wide, others))))
    bins = region_system("bins", space, Resolution(bins=2))
    assert len(bins.regions) == 4
    options = region_system("options", space)
    points = space.points([{"family": "big", "kernel": 8, "op": "b"}])
    (label,) = options.labels(points)[0][options.labels(points)[0] >= 0]
    assert contains(space, options.regions[label], points).all()
    assert not contains(space, options.regions[1], points).any()  # conv's b is another one


def test_planes_hold_a_number() -> None:
    space = KINDS_OF_SPACE["mixed"]
    system = Combinations(space, 2, "planes", bins=3)
    assert len(system.regions) == 3 * 3 + 2 * 3 * 3
    assert split(space.families[0].axes[2], 3)[0].contains(np.zeros(1))[0]


# --- basins and near-optimal sets ----------------------------------------------------------------

KNOWN = {
    "nk": ("nk", {"n": 10, "k": 2}),
    "peaks": ("peaks", {"peaks": 6, "dimension": 2}),
    "rastrigin": ("rastrigin", {"dimension": 2}),
}


def known(name: str) -> tuple[Landscape, Basins, NearOptimal]:
    use, arguments = KNOWN[name]
    landscape = make(use, **arguments)
    return landscape, Basins(landscape), NearOptimal(landscape, 0.05)


def view_of(landscape: Landscape, *assumptions: tuple[str, dict[str, object]]) -> View:
    chain = [discovery.make("assumptions", name, given) for name, given in assumptions]
    return hpo_lab.assumption.assume(landscape.universe, chain)


@pytest.mark.parametrize("name", KNOWN)
def test_shares_against_other_draws(name: str) -> None:
    landscape, basins, near = known(name)
    view = View.identity(landscape.universe)
    points = landscape.universe.sample(20_000, np.random.default_rng(9))
    for system in (basins, near):
        _, mass, excluded = system_masses(system, view)
        error = system_errors(system, view)
        assert not excluded.any()
        labels = system.labels(points)[:, 0]
        drawn = np.bincount(labels[labels >= 0], minlength=len(mass)) / len(points)
        spread = 5 * np.sqrt(np.maximum(mass * (1 - mass), 1e-4) / len(points) + error**2)
        assert (np.abs(drawn - mass) < spread).all()
        assert len(system_names(system, landscape.universe)) == len(mass)


def test_shares_of_a_lattice_are_exact() -> None:
    landscape, basins, near = known("nk")
    table = enumeration(landscape)
    assert table is not None
    view = view_of(landscape, ("fixed", {"axis": landscape.universe.columns[0], "value": 1}))
    inside = contains(landscape.universe, view.image, table.points)
    weight = masses(table.points)
    for system in (basins, near):
        labels = system.labels(table.points)[:, 0]
        _, mass, excluded = system_masses(system, view)
        assert (system_errors(system, view) == 0).all()
        for index in range(len(mass)):
            mine = inside & (labels == index)
            assert mass[index] == pytest.approx(weight[mine].sum() / weight[inside].sum())
            assert excluded[index] == (not mine.any())
            best = region_optima(landscape, system, view.image)[index]
            assert best == (table.truth[mine].min() if mine.any() else math.inf)


def test_a_corner_excludes_the_basins_and_the_optimum_that_it_cuts_off() -> None:
    landscape, basins, near = known("rastrigin")
    axes = list(landscape.universe.columns)
    view = view_of(landscape, ("narrowed", {"axis": axes, "low": 3.0}))
    minima = minima_of(landscape)
    assert minima is not None
    _, mass, excluded = system_masses(basins, view)
    outside = np.asarray(minima.points.values.min(axis=1) < 2.0)  # basins are about one wide
    assert excluded[outside[: len(mass)]].all()
    assert not excluded.all()
    assert (mass[excluded] == 0).all()
    assert system_masses(near, view)[2].all()


def test_near_optimal_is_what_the_definition_says() -> None:
    landscape, _, near = known("nk")
    table = enumeration(landscape)
    assert table is not None
    inside = near.labels(table.points)[:, 0] == 0
    assert np.array_equal(inside, table.truth <= near.threshold)
    best = landscape.optimum()
    assert isinstance(best, Optimum)
    mean = table.truth.mean()
    spread = table.truth.std() / 100  # of a mean of 10,000 draws
    assert near.threshold == pytest.approx(best.value + 0.05 * (mean - best.value), abs=spread)


def test_what_a_landscape_does_not_know_is_left_out() -> None:
    space = Space.box(Real("x", 0, 1))
    unknown = Landscape.of(lambda point: point["x"], space)
    assert known_systems(unknown, 0.01) == {}
    for system in (Basins(unknown), NearOptimal(unknown)):
        with pytest.raises(ValueError, match="know"):
            _names(system)


def _names(system: Known) -> list[str]:
    return system.names


# --- visits and verdicts --------------------------------------------------------------------------

STUDY = """
schema = 1
name = "regions"
[[landscapes]]
use = "peaks"
peaks = 6
noise = 0.1
[[landscapes]]
use = "nk"
n = 8
k = 2
[spaces.universe]
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
budget = 40
instances = 2
repetitions = 8
[regions]
systems = ["families", "options", "pairs", "bins", "planes", "cells", "basins", "near_optimal"]
bins = 3
cells = 20
epsilon = 0.1
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    from hpo_lab.harness import campaign

    folder = tmp_path_factory.mktemp("regions")
    study = Study.read(write(folder / "study.toml", STUDY))
    campaign(study, folder / "out", executor=Inline())
    return Results.load(study, folder / "out")


def test_every_system_has_its_rows(results: Results) -> None:
    table = tabulate(results, ["regions"])["regions"]
    assert set(table["system"]) == set(results.study.systems)
    assert (table.groupby(["landscape", "space"])["system"].nunique() >= 4).all()
    assert (table.loc[table["measure_error"] > 0, "system"].isin(["basins", "near_optimal"])).all()
    excluded = table[table["verdict"] == "excluded"]
    assert (excluded["universe_verdict"] == "excluded").all()
    assert (excluded["runs_visited"] == 0).all()
    same = table[table["space"] == "universe"]
    np.testing.assert_allclose(same["universe_measure"], same["measure"])


def test_visits_against_a_loop(results: Results) -> None:
    for arm in results.arms[:4]:
        cell = arm.cells[0]
        for system in systems_of(results.study, cell.problem):
            count = len(system_names(system, cell.problem.view.universe))
            labels = system.labels(cell.lifted)
            visits, first, last = visits_at(cell, labels, count)
            for run, region in np.ndindex(len(cell.repetitions), min(count, 12)):
                mine = (cell.run == run) & (labels == region).any(axis=1)
                when = cell.evaluation[mine] + 1
                assert visits[run, region] == len(when)
                ends = [when.min(), when.max()] if len(when) else [np.nan, np.nan]
                np.testing.assert_array_equal([first[run, region], last[run, region]], ends)


def test_a_rescaled_axis_is_blamed_on_the_space(tmp_path: Path) -> None:
    """A learning rate searched on a linear scale: small ones have no mass in the space."""
    text = """
schema = 1
[[landscapes]]
use = "families"
[spaces.linear]
assume = [{ use = "rescaled", axis = "lr", scale = "linear" }]
[[strategies]]
use = "random"
[runs]
budget = 40
repetitions = 30
[regions]
systems = ["bins"]
bins = 4
[universe.shared]
lr = { real = [1e-5, 1e-1], log = true }
[universe.families.conv]
kernel = { integer = [1, 7] }
[universe.families.mlp]
"""
    from hpo_lab.harness import campaign

    study = Study.read(write(tmp_path / "study.toml", text))
    campaign(study, tmp_path / "out", executor=Inline())
    table = tabulate(Results.load(study, tmp_path / "out"), ["regions"])["regions"]
    lowest = table[table["region"].str.contains("1e-05 ≤ lr")].iloc[0]
    assert lowest["universe_measure"] == pytest.approx(0.25)
    assert lowest["measure"] < 0.001
    assert lowest["verdict"] == "untestable"
    assert lowest["universe_verdict"] in (NEVER_SEEN, NEGLECTED)


@pytest.mark.parametrize("kind", ["continuous", "categorical", "conditional", "mixed"])
def test_random_search_raises_few_false_alarms(kind: str) -> None:
    """Each system of each space is one family of tests: at most 5 % of studies flag anything."""
    from hpo_lab.statistics import verdicts

    space, rng = KINDS_OF_SPACE[kind], np.random.default_rng(len(kind))
    view, alarms, families = View.identity(space), 0, 0
    for name in ("families", "options", "pairs", "bins", "planes", "cells"):
        system = region_system(name, space, Resolution(bins=6, cells=60))
        count = len(system.regions)
        if not count:
            continue
        _, mass, _ = system_masses(system, view)
        for budget, runs in ((20, 10), (50, 30), (100, 10)):
            studies = 40
            points = space.sample(studies * runs * budget, rng)
            row = np.repeat(np.arange(studies * runs), budget)
            counts = np.zeros((studies * runs, count), dtype=np.int64)
            for label in system.labels(points).T:
                np.add.at(counts, (row[label >= 0], label[label >= 0]), 1)
            for mine in counts.reshape(studies, runs, count):
                visited = (mine > 0).sum(axis=0)
                told = verdicts(
                    mass, budget, visited, runs, counts=mine, partition=system.partition
                )
                alarms += bool((told.adjusted <= 0.05).any())
                families += 1
    assert 1 - visit_upper_bound(families - alarms, families, 0.99) <= 0.05
    assert alarms <= 0.07 * families

"""The truths of families by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from hpo_lab.assumption import assume
from hpo_lab.assumptions.only import Only
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum
from hpo_lab.region import Among, AxisSet, Box, Interval, Region, contains
from hpo_lab.space import Choice, Family, Floats, Integer, Points, Real, Space
from hpo_lab.testing.landscape import check_landscape
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from landscapes.families import Families


@pytest.mark.parametrize("kind", sorted(KINDS_OF_SPACE))
@pytest.mark.parametrize("ruggedness", [0.0, 0.2])
def test_families_over_every_kind_of_space(kind: str, ruggedness: float) -> None:
    f = Families(space=KINDS_OF_SPACE[kind], ruggedness=ruggedness, optima=3)
    check_landscape(f, samples=64, views=3)


def test_each_family_has_its_own_lowest_value_and_the_best_is_planted() -> None:
    f = Families(gap=0.15, optima=3, ruggedness=0.05, best="recurrent", instance=3)
    lowest = {}
    for family in f.universe.families:
        found = f.optimum(assume(f.universe, [Only(family=family.name)]))
        assert isinstance(found, Optimum)
        lowest[family.name] = found.value
    assert lowest.pop("recurrent") == 0.0
    assert min(lowest.values()) == pytest.approx(0.15, abs=1e-12)
    assert max(lowest.values()) <= 0.15 + 0.2
    assert f.minima() is None


@pytest.mark.parametrize("ruggedness", [0.02, 0.5])
def test_a_box_of_rugged_families_by_a_fine_grid(ruggedness: float) -> None:
    space = Space.box(Real("lr", 1e-5, 1e-1, log=True), Real("drop", 0.0, 0.5))
    f = Families(space=space, ruggedness=ruggedness, optima=3, instance=5)
    rng = np.random.default_rng(0)
    for _ in range(10):
        unit = np.sort(rng.random((2, 2)), axis=0)
        low, high = space.from_unit(np.zeros(2, dtype=np.int64), unit).values
        sets: tuple[tuple[str, AxisSet], ...] = (
            ("lr", Interval(low[0], high[0])),
            ("drop", Interval(low[1], high[1])),
        )
        found = f.lowest((Box("", sets),))
        assert isinstance(found, Optimum)
        steps = [np.geomspace(low[0], high[0], 700), np.linspace(low[1], high[1], 700)]
        rough = f.evaluate(space.points(np.stack(np.meshgrid(*steps), -1).reshape(-1, 2))).min()
        assert found.value <= rough + 1e-12
        assert rough - found.value < 1e-2


def test_tied_axes_of_families_are_exact_on_one_scale_and_bounded_on_two() -> None:
    same = Space.box(Real("a", 0.0, 1.0), Real("b", 0.0, 1.0), Real("c", 0.0, 2.0))
    f = Families(space=same, ruggedness=0.3, instance=2)
    exact = f.lowest((Box("", ties=(("a", "b"),)),))
    assert isinstance(exact, Optimum)
    on_diagonal = np.linspace(0, 1, 200_001)
    best_c = exact.point.values[0, 2]
    diagonal = np.column_stack([on_diagonal, on_diagonal, np.full(len(on_diagonal), best_c)])
    rough = f.evaluate(same.points(diagonal)).min()
    assert exact.value <= rough + 1e-12
    assert rough - exact.value < 1e-6
    bounds = f.lowest((Box("", ties=(("a", "c"),)),))
    assert isinstance(bounds, Bounds)
    values = np.linspace(0, 1, 301)
    a, b = np.meshgrid(values, values)
    tied = f.evaluate(same.points(np.column_stack([a.ravel(), b.ravel(), a.ravel()])))
    assert bounds.low <= tied.min() + 1e-12
    assert bounds.high <= tied.min() + 1e-3


def _neighbours(space: Space, point: Points) -> Points:
    """All points one option, one integer or one small real step away from a batch of one."""
    found = []
    for column, axis in space.places(int(point.family[0])):
        value = point.values[0, column]
        if isinstance(axis, Choice):
            moves = [float(v) for v in range(len(axis.options)) if v != value]
        elif isinstance(axis, Integer):
            moves = [value - 1, value + 1]
        else:
            unit = axis.to_unit(np.array([value])) + np.array([-1e-4, 1e-4])
            moves = axis.from_unit(unit).tolist()
        for move in moves:
            if axis.contains(np.array([move]))[0] and move != value:
                values = point.values.copy()
                values[0, column] = move
                found.append(Points(space, point.family, values))
    return Points.concatenate(found)


def test_minima_of_families_are_those_that_descent_finds() -> None:
    space = Space(
        (
            Family("a", (Real("x", 0.0, 1.0), Integer("k", 1, 9), Choice("c", ("p", "q")))),
            Family("b", (Integer("k", 1, 9), Integer("m", 1, 9))),
        )
    )
    f = Families(space=space, optima=3, instance=2)
    minima = f.minima()
    assert minima is not None
    for i in range(len(minima.values)):
        around = f.evaluate(_neighbours(space, minima.points[i]))
        assert (around > minima.values[i]).all()
    finite = Space.box(*[Integer(name, 1, 9) for name in ("k", "m")])
    g = Families(space=finite, optima=3, instance=2)
    every = finite.enumerate()
    values = g.evaluate(every)
    lowest = [
        i
        for i in range(len(every))
        if (g.evaluate(_neighbours(finite, every[i])) > values[i]).all()
    ]
    known = g.minima()
    assert known is not None
    assert sorted(values[lowest]) == pytest.approx(sorted(known.values))


def _lowest_by_grid(f: Landscape, minima: Minima, grid: Points) -> Floats:
    found = np.full(len(minima.values), np.inf)
    np.minimum.at(found, minima.labels(grid), f.evaluate(grid))
    return found


def test_the_lowest_part_of_a_basin_of_families_by_enumeration() -> None:
    space = Space.box(Integer("k", 1, 15), Integer("m", 2, 40, log=True), Choice("c", (1, 2, 3)))
    f = Families(space=space, optima=4, instance=6)
    minima = f.minima()
    assert minima is not None
    every = space.enumerate()
    regions: list[Region] = [
        (Box("", (("k", Interval(3, 8)), ("c", Among((0.0, 2.0))))),),
        (Box("", (("k", Among((1.0, 7.0, 15.0))), ("m", Among((3.0, 11.0, 30.0))))),),
        (Box("", (("m", Interval(5, 5)),)), Box("", (("m", Interval(20, 25)),))),
    ]
    for region in regions:
        inside = every[np.flatnonzero(contains(space, region, every))]
        assert minima.lowest(region) == pytest.approx(_lowest_by_grid(f, minima, inside))

"""Certified bounds of the BBOB functions: enclosures hold every value, bounds every point seen."""

from __future__ import annotations

import numpy as np
import pytest

from hpo_lab.landscape import Bounds, Optimum
from hpo_lab.region import Among, Box, Interval, Region
from hpo_lab.space import Floats
from landscapes._bbob_bounds import FORMULAS, Enclosure, bounds
from landscapes.bbob import Bbob

ENCLOSED = sorted(FORMULAS)
# f16, f19 and f23 magnify the last bit of a sum: 3¹¹, the square of large squares, 2³²
MAGNIFIED = (16, 19, 23)


@pytest.mark.parametrize("function", ENCLOSED)
def test_an_enclosure_of_a_point_is_its_value(function: int) -> None:
    """Every formula once more, independent of the compiled one."""
    for dimension, instance in ((2, 1), (5, 4)):
        f = Bbob(function=function, dimension=dimension, instance=instance)
        points = f.universe.sample(200, np.random.default_rng(function))
        low, high = FORMULAS[function](Enclosure(f.made_of), (points.values, points.values))
        values = f.evaluate(points)
        slack = (2e-8 if function in MAGNIFIED else 1e-10) * np.maximum(1.0, np.abs(values))
        assert (np.abs(low + f.made_of.f_opt - values) <= slack).all()
        assert (np.abs(high + f.made_of.f_opt - values) <= slack).all()


@pytest.mark.parametrize("function", ENCLOSED)
def test_an_enclosure_of_a_box_holds_all_its_values(function: int) -> None:
    rng = np.random.default_rng(100 + function)
    for dimension in (2, 4):
        f = Bbob(function=function, dimension=dimension, instance=3)
        low = rng.uniform(-5.0, 5.0, (300, dimension))
        width = 10.0 ** rng.uniform(-4.0, 1.0, (300, 1))
        high = np.minimum(low + width * rng.random(low.shape), 5.0)
        below = Enclosure(f.made_of).below(low, high)
        for _ in range(20):
            inside = low + (high - low) * rng.random(low.shape)
            values = f.evaluate(f.universe.points(inside))
            assert (values >= below - 1e-12 * np.maximum(1.0, np.abs(values))).all()


def _box(low: Floats, high: Floats) -> Region:
    sets = ((f"x{i + 1}", Interval(a, b)) for i, (a, b) in enumerate(zip(low, high, strict=True)))
    return (Box("", tuple(sets)),)


@pytest.mark.parametrize("function", range(1, 25))
def test_bounds_of_a_box_hold_what_a_fine_grid_finds(function: int) -> None:
    rng = np.random.default_rng(function)
    f = Bbob(function=function, dimension=2, instance=2)
    for _ in range(3):
        low, high = np.sort(rng.uniform(-5.0, 5.0, (2, 2)), axis=0)
        lines = [np.linspace(a, b, 151) for a, b in zip(low, high, strict=True)]
        grid = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 2)
        least = float(f.evaluate(f.universe.points(grid)).min())
        found = bounds(f, _box(low, high))
        if isinstance(found, Optimum):
            assert found.value <= least + 1e-9 * max(1.0, abs(least))
            assert f.evaluate(found.point)[0] == found.value
        else:
            assert found.low <= least
            assert found.low <= found.high
            assert "boxes" in found.how


def test_bounds_in_the_plane_are_close() -> None:
    """What "certified" is worth: the gap over the height above f_opt, on 6 boxes."""
    rng = np.random.default_rng(0)
    for function in (3, 10, 15, 17, 20, 24):
        f = Bbob(function=function, dimension=2, instance=1)
        gaps = []
        for _ in range(6):
            low, high = np.sort(rng.uniform(-5.0, 5.0, (2, 2)), axis=0)
            found = bounds(f, _box(low, high))
            if isinstance(found, Bounds):
                gaps.append((found.high - found.low) / max(found.high - f.made_of.f_opt, 1e-9))
        assert np.median([*gaps, 0.0]) < 0.01


@pytest.mark.parametrize("function", [21, 22])
def test_gallaghers_peaks_are_exact_in_every_box(function: int) -> None:
    """Against many descents: the value is never undercut, and is nearly reached."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(function)
    f = Bbob(function=function, dimension=6, instance=1)
    for _ in range(2):
        low, high = np.sort(rng.uniform(-5.0, 5.0, (2, 6)), axis=0)
        found = bounds(f, _box(low, high))
        assert isinstance(found, Optimum)
        ends = list(zip(low, high, strict=True))

        def descended(start: Floats, f: Bbob = f, ends: list[tuple[float, float]] = ends) -> float:
            def value(x: Floats) -> float:
                return float(f.evaluate(f.universe.points(x))[0])

            return float(minimize(value, start, method="L-BFGS-B", bounds=ends).fun)

        reached = [descended(rng.uniform(low, high)) for _ in range(8)]
        assert found.value <= min(reached) + 1e-9
        near = descended(found.point.values[0])
        assert near == pytest.approx(found.value, rel=1e-9)


def test_a_grid_is_bounded_point_by_point_and_a_tie_along_its_line() -> None:
    f = Bbob(function=15, dimension=3, instance=1)
    sets = tuple((f"x{i}", Among((-4.0, -1.0, 2.0, 3.5))) for i in (1, 2, 3))
    found = bounds(f, (Box("", sets),))
    assert isinstance(found, Optimum)
    values = np.array([-4.0, -1.0, 2.0, 3.5])
    grid = np.stack(np.meshgrid(values, values, values), axis=-1).reshape(-1, 3)
    assert found.value == f.evaluate(f.universe.points(grid)).min()
    tied = bounds(f, (Box("", ties=(("x1", "x2", "x3"),)),))
    line = np.linspace(-5.0, 5.0, 100_001)
    least = float(f.evaluate(f.universe.points(np.repeat(line[:, None], 3, axis=1))).min())
    low = tied.value if isinstance(tied, Optimum) else tied.low
    assert low <= least + 1e-9
    assert low >= least - 0.01


def test_in_many_dimensions_the_universes_optimum_is_the_bound() -> None:
    f = Bbob(function=24, dimension=20, instance=1)
    found = bounds(f, _box(np.full(20, 1.0), np.full(20, 4.0)))
    assert isinstance(found, Bounds)
    assert found.low == f.made_of.f_opt
    assert found.low < found.high
    assert "the optimum of the universe" in found.how

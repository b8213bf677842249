"""Rastrigin's values, its optimum in every box, its minima and its basins."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import landscapes
from hpo_lab.assumption import assume
from hpo_lab.assumptions.coarsened import Coarsened
from hpo_lab.assumptions.fixed import Fixed
from hpo_lab.assumptions.tied import Tied
from hpo_lab.errors import InputError
from hpo_lab.landscape import Optimum
from hpo_lab.region import Box, Interval
from hpo_lab.space import Floats
from hpo_lab.testing.landscape import check_landscape
from landscapes.rastrigin import Rastrigin

ARGUMENTS: list[dict[str, Any]] = [
    {"dimension": 1, "waves": 2.5, "ripple": 3.0},
    {"dimension": 3, "conditioning": 50.0, "instance": 4},
    {"dimension": 10, "instance": 0},
    {"dimension": 3, "ripple": 0.0},  # the sphere
    {"dimension": 2, "ripple": 0.01},  # convex in spite of its ripples
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_the_contract(arguments: dict[str, Any]) -> None:
    for seed in range(3):
        check_landscape(landscapes.make("rastrigin", **arguments), seed=seed)


def test_values_are_those_of_the_published_formula() -> None:
    f = Rastrigin(dimension=5, instance=0)
    x = f.universe.sample(1000, np.random.default_rng(0)).values
    textbook = 10.0 * 5 + (x**2 - 10.0 * np.cos(2.0 * np.pi * x)).sum(axis=1)
    assert np.abs(f(x) - textbook).max() < 1e-12
    shifted = Rastrigin(dimension=5, instance=3)
    moved = x[:10] * 0.2
    assert np.abs(shifted(moved + shifted.centre) - f(moved)).max() < 1e-12


def _unbounded(a: float, ripple: float, waves: float) -> int:
    """The number of minima on a line, from the formula in landscapes/rastrigin.py."""
    kappa = 2.0 * a / (ripple * (2.0 * math.pi * waves) ** 2)
    return 1 + 2 * math.floor((math.acos(-kappa) + math.sqrt(kappa**-2 - 1.0)) / (2.0 * math.pi))


def _lows(values: Floats) -> int:
    """How many entries of a fine table are lower than both neighbours, the ends among them."""
    padded = np.concatenate([[math.inf], values, [math.inf]])
    return int(((values < padded[:-2]) & (values < padded[2:])).sum())


def test_the_number_of_minima_on_an_axis_is_the_formulas() -> None:
    for ripple, waves in [(0.5, 1.0), (2.0, 0.7), (0.3, 3.0)]:  # all of them inside the box
        f = Rastrigin(dimension=1, ripple=ripple, waves=waves, instance=0)
        minima = f.minima()
        assert minima is not None
        expected = _unbounded(1.0, ripple, waves)
        assert len(minima.values) == expected
        assert _lows(f(np.linspace(-5.12, 5.12, 100_001)[:, None])) == expected
    assert _unbounded(1.0, 10.0, 1.0) == 63  # of the published function, 11 of them in its box


def test_minima_and_basins_by_descent_on_a_fine_line() -> None:
    for instance in range(1, 6):
        f = Rastrigin(dimension=1, ripple=4.0, waves=1.3, instance=instance)
        minima = f.minima()
        assert minima is not None
        assert minima.masses is not None
        assert abs(minima.masses.sum() - 1.0) < 1e-12
        line = np.linspace(-5.12, 5.12, 200_001)
        values = f(line[:, None])
        assert _lows(values) == len(minima.values)
        label = minima.labels(f.universe.points(line[:, None]))
        shares = np.bincount(label, minlength=len(minima.values)) / len(line)
        assert np.abs(shares - minima.masses).max() < 1e-4
        for k in range(len(minima.values)):  # downhill all the way to the bottom
            own, bottom = label == k, minima.points.values[k, 0]
            assert (np.diff(values[own & (line <= bottom)]) <= 0.0).all()
            assert (np.diff(values[own & (line >= bottom)]) >= 0.0).all()


def test_the_published_function_has_eleven_minima_an_axis() -> None:
    for dimension, listed in [(2, 121), (3, 1331), (4, 14641)]:
        minima = Rastrigin(dimension, instance=0).minima()
        assert minima is not None
        assert len(minima.values) == listed
        assert minima.values[0] == 0.0
    assert Rastrigin(5, instance=0).minima() is None


def test_the_optimum_of_a_box_by_a_fine_grid() -> None:
    rng = np.random.default_rng(1)
    f = Rastrigin(dimension=2, conditioning=7.0, instance=2)
    minima = f.minima()
    assert minima is not None
    for _ in range(20):
        low, high = np.sort(rng.uniform(-5.12, 5.12, (2, 2)), axis=0)
        low = np.maximum(low, high - 2.0)
        sets = tuple((f"x{i + 1}", Interval(float(low[i]), float(high[i]))) for i in range(2))
        found = f.lowest((Box("", sets),))
        steps = [np.linspace(low[i], high[i], 601) for i in range(2)]
        grid = f.universe.points(np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, 2))
        values = f.evaluate(grid)
        assert isinstance(found, Optimum)
        assert found.value <= values.min() + 1e-12
        # half a step of the grid against a curvature of at most 2 · 7 + 10 (2π)²
        assert values.min() - found.value < 2 * 0.5 * 410.0 * (2.0 / 600 / 2) ** 2 + 1e-12
        rough = np.full(len(minima.values), np.inf)
        np.minimum.at(rough, minima.labels(grid), values)
        exact = minima.lowest((Box("", sets),))
        seen = np.isfinite(rough)
        assert (exact[seen] <= rough[seen] + 1e-12).all()
        # at a crest's corner the grid may be a whole step off, on a slope of at most 2 · 70
        assert (rough[seen] - exact[seen]).max() < 140 * 2.0 / 600


def test_basins_on_a_grid_a_line_and_a_diagonal() -> None:
    f = Rastrigin(dimension=2, ripple=5.0, instance=3)
    minima = f.minima()
    assert minima is not None
    for assumption in (Coarsened(("x1", "x2"), levels=40), Fixed("x2", 1.25), Tied(("x1", "x2"))):
        view = assume(f.universe, [assumption])
        if math.isinf(view.declared.size):
            declared = view.declared.points(np.linspace(-5.12, 5.12, 40_001)[:, None])
        else:
            declared = view.declared.enumerate()
        lifted = view.lift(declared)
        rough = np.full(len(minima.values), np.inf)
        np.minimum.at(rough, minima.labels(lifted), f.evaluate(lifted))
        exact = minima.lowest(view.image)
        seen = np.isfinite(rough)
        assert (exact[seen] <= rough[seen] + 1e-12).all()
        assert np.abs(exact[seen] - rough[seen]).max() < 0.02  # a step of 2.6e-4 on slopes below 80
        assert np.isfinite(exact[~seen]).sum() <= 2  # basins that the line touches between points


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dimension": 0}, "dimension must be at least 1"),
        ({"ripple": -1.0}, "ripple must be a height"),
        ({"ripple": math.inf}, "ripple must be a height"),
        ({"waves": 0.0}, "waves must be"),
        ({"conditioning": 0.5}, "conditioning must be"),
        ({"dimension": 1, "conditioning": 2.0}, "compares axes"),
        ({"wave": 1.0}, 'did you mean "waves"'),
    ],
)
def test_a_bad_argument_gets_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make("rastrigin", **arguments)
    assert "\n" not in str(raised.value)

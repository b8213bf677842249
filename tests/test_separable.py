"""Landscapes that are the lowest of separable components, by brute force; their memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import landscapes
from hpo_lab.space import Floats, Ints, Points
from landscapes._bounding import Certified
from landscapes._separable import Valleys


def test_a_valley_with_ripples_is_lowest_where_a_fine_grid_says() -> None:
    rng = np.random.default_rng(4)
    for _ in range(40):
        a, b, c, p = rng.uniform([0.1, 0.0, 0.0, 0.0], [5.0, 2.0, 1.0, 1.0], (2, 4)).T
        term = Valleys(a, c, b, p, waves=float(rng.uniform(1, 12)))
        low, high = np.sort(rng.uniform(-0.5, 1.5, 2)).tolist()
        grid = np.linspace(low, high, 20_001)
        found = np.diag(term(term.argmin(low, high)))
        assert (found <= term(grid).min(axis=0) + 1e-12).all()
        twice = term.plus(Valleys(a[::-1], p, b, c, term.waves))
        assert isinstance(twice, Valleys)
        total = term(grid) + Valleys(a[::-1], p, b, c, term.waves)(grid)
        at = twice.argmin(low, high)
        both = np.diag(term(at) + Valleys(a[::-1], p, b, c, term.waves)(at))
        assert (both <= total.min(axis=0) + 1e-9).all()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("rastrigin", {}),
        ("lunacek", {}),
        ("weierstrass", {}),
        ("gnbg", {}),
        ("needle", {"slope": 0.5}),
        ("flat", {"fresh": False}),
    ],
)
def test_a_million_points_need_little_more_memory_than_they_take(
    name: str, arguments: dict[str, Any]
) -> None:
    f = landscapes.make(name, dimension=10, **arguments)
    values = np.random.default_rng(0).random((1_000_000, 10))
    points = Points(f.universe, np.zeros(len(values), dtype=np.int64), values)
    f.evaluate(points[:10])  # compiles
    tracemalloc.start()
    f.evaluate(points)
    extra = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert extra < 0.5 * values.nbytes  # with the points themselves: below 3 ×


@pytest.mark.parametrize("name", ["rastrigin", "lunacek", "weierstrass", "gnbg", "needle"])
def test_threads_change_no_value(name: str) -> None:
    f = landscapes.make(name, dimension=3)
    points = f.universe.sample(5000, np.random.default_rng(0))
    alone = f.evaluate(points)
    with landscapes.threads(3):
        assert np.array_equal(f.evaluate(points), alone)


class _Quartic:
    """(x² − 1)² + t_k x on one axis, with tangents of its quadratic part for minorants."""

    def __init__(self, tilt: Floats) -> None:
        self.tilt, self.hints = tilt, np.zeros((1, len(tilt)))

    def at(self, k: Ints, x: Floats) -> Floats:
        return (x * x - 1.0) ** 2 + self.tilt[k] * x

    def under(self, k: Ints, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        m = (low + high) / 2.0
        slope = 4.0 * m * (m * m - 1.0) + self.tilt[k]
        # the second derivative is 12x² − 4 ≥ −4
        return self.at(k, m) - 2.0 * ((high - low) / 2.0) ** 2, slope


def test_a_certified_minimum_is_a_root_of_the_derivative_or_an_end() -> None:
    tilt = np.linspace(-3.0, 3.0, 7)
    term = Certified((_Quartic(tilt),))
    for low, high in [(-2.0, 2.0), (-0.9, 0.7), (0.2, 0.2001), (1.5, 3.0)]:
        x, below = term.minimum(low, high)
        for k, t in enumerate(tilt):
            roots = np.roots([4.0, 0.0, -4.0, t])
            real = roots[np.abs(roots.imag) < 1e-9].real
            places = np.array([low, high, *real[(real >= low) & (real <= high)]])
            exact = ((places**2 - 1.0) ** 2 + t * places).min()
            found = (x[k] ** 2 - 1.0) ** 2 + t * x[k]
            assert low <= x[k] <= high
            assert below[k] <= exact + 1e-12
            assert found == pytest.approx(exact, abs=1e-10)
            assert found - below[k] <= 1e-11 * max(1.0, abs(exact))
    both = term.plus(Certified((_Quartic(-tilt),)))
    assert both is not None
    assert both(both.minimum(-2.0, 2.0)[0])[0] == pytest.approx(np.zeros(7), abs=1e-10)

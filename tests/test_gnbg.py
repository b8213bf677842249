"""GNBG without rotations: the published formula, and certified optima against brute force."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import landscapes
from hpo_lab.errors import InputError
from hpo_lab.landscape import Optimum
from hpo_lab.region import Among, Box, Interval
from hpo_lab.space import Floats
from hpo_lab.testing.landscape import check_landscape
from landscapes.gnbg import Gnbg

ARGUMENTS: list[dict[str, Any]] = [
    {"dimension": 1, "components": 1},
    {"dimension": 8, "components": 5, "conditioning": 10.0, "power": 0.5},
    {"mu": (0.0, 0.0), "instance": 3},
    {"mu": (1.0, 1.0), "omega": (50.0, 100.0), "power": 1.0},
    {"dimension": 4, "symmetric": True, "power": 2.0},
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_the_contract(arguments: dict[str, Any]) -> None:
    for seed in range(3):
        check_landscape(landscapes.make("gnbg", **arguments), seed=seed)


def _warped(a: float, mu: Floats, omega: Floats) -> float:
    """T of Yazdani et al. 2023, one number at a time."""
    if a == 0.0:
        return 0.0
    log = math.log(abs(a))
    if a > 0.0:
        return math.exp(log + mu[0] * (math.sin(omega[0] * log) + math.sin(omega[1] * log)))
    return -math.exp(log + mu[1] * (math.sin(omega[2] * log) + math.sin(omega[3] * log)))


def test_values_are_those_of_the_published_formula() -> None:
    f = Gnbg(dimension=3, components=4, power=0.3, instance=2)
    part = f._part
    x = f.universe.sample(200, np.random.default_rng(0)).values
    for row, value in zip(x, f(x), strict=True):
        components = []
        for k in range(4):
            t = [_warped(row[i] - part.centres[k, i], part.mu[k], part.omega[k]) for i in range(3)]
            form = sum(part.weights[k, i] * t[i] ** 2 for i in range(3))
            components.append(part.floors[k] + form**0.3)
        assert value == pytest.approx(min(components), rel=1e-12)
        assert f.components_at(f.universe.points(row))[0] == np.argmin(components)


def test_what_is_drawn_lies_in_the_published_ranges() -> None:
    drawn = [Gnbg(dimension=10, components=20, instance=i)._part for i in range(1, 6)]
    for key, low, high in [
        ("centres", -80.0, 80.0),
        ("floors", -99.0, -98.0),
        ("weights", 1.0, 1e5),
        ("mu", 0.2, 0.5),
        ("omega", 5.0, 50.0),
    ]:
        values = np.concatenate([getattr(part, key).ravel() for part in drawn])
        assert low <= values.min() < low + 0.2 * (high - low)
        assert high - 0.2 * (high - low) < values.max() <= high
    alike = Gnbg(symmetric=True, components=6)._part
    assert np.array_equal(alike.mu[:, 0], alike.mu[:, 1])
    assert np.array_equal(alike.omega[:, :2], alike.omega[:, 2:])


def test_the_optimum_is_the_lowest_floor() -> None:
    for instance in range(1, 20):
        f = Gnbg(dimension=5, components=6, instance=instance)
        found = f.optimum()
        assert isinstance(found, Optimum)
        k = int(np.argmin(f.floors))
        assert found.value == f.floors[k]
        assert np.array_equal(found.point.values[0], f.centres[k])


def _line(f: Gnbg, low: float, high: float) -> Floats:
    """Very many places in an interval, crowded at its ends and around every minimum inside."""
    places = [np.linspace(low, high, 40_001)]
    for c in (low, high, *f.centres.ravel().tolist()):
        away = np.geomspace(1e-9, 200.0, 40_001)
        places += [np.array([c]), c - away, c + away]
    every = np.concatenate(places)
    return every[(every >= low) & (every <= high)]


@pytest.mark.parametrize("arguments", [{"dimension": 1, "components": k} for k in (1, 4)])
def test_the_optimum_of_an_interval_by_brute_force(arguments: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    for instance in range(1, 13):
        f = Gnbg(**{**arguments, "instance": instance})
        low = float(rng.uniform(-100, 100))
        high = min(100.0, low + float(10 ** rng.uniform(-4, 1.5)))
        found = f.lowest((Box("", (("x1", Interval(low, high)),)),))
        assert isinstance(found, Optimum)
        line = _line(f, low, high)
        values = f(line[:, None])
        assert found.value <= values.min() + 1e-9
        assert values.min() - found.value < 1e-4


def test_the_optimum_of_boxes_by_brute_force() -> None:
    rng = np.random.default_rng(2)
    for instance in range(1, 9):
        f = Gnbg(dimension=2, components=3, conditioning=20.0, power=0.5, instance=instance)
        low, high = np.sort(rng.uniform(-100, 100, (2, 2)), axis=0)
        grid = tuple(np.sort(rng.uniform(-100, 100, 5)).tolist())
        for second in (Interval(float(low[1]), float(high[1])), Among(grid)):
            sets = (("x1", Interval(float(low[0]), float(high[0]))), ("x2", second))
            found = f.lowest((Box("", sets),))
            assert isinstance(found, Optimum)
            lines = [
                np.array(s.values) if isinstance(s, Among) else np.linspace(s.low, s.high, 401)
                for _, s in sets
            ]
            x = np.stack(np.meshgrid(*lines), axis=-1).reshape(-1, 2)
            assert found.value <= f(x).min() + 1e-9
            # and no single axis can be moved to do better
            for axis, line in itertools.product(range(2), lines):
                y = np.tile(found.point.values[0], (len(line), 1))
                y[:, axis] = line if lines[axis] is line else y[:, axis]
                assert f(y).min() >= found.value - 1e-9


@pytest.mark.parametrize("mu", [(0.0, 0.0), (0.2, 0.5)])
def test_the_optimum_on_a_diagonal_by_brute_force(mu: tuple[float, float]) -> None:
    for instance in range(1, 7):
        f = Gnbg(dimension=2, mu=mu, instance=instance)
        found = f.lowest((Box("", (("x2", Interval(-60.0, 70.0)),), (("x1", "x2"),)),))
        assert isinstance(found, Optimum)
        line = _line(f, -60.0, 70.0)
        values = f(np.column_stack([line, line]))
        assert found.value <= values.min() + 1e-9
        assert values.min() - found.value < 1e-3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dimension": 0}, "dimension must be at least 1"),
        ({"components": 0}, "components must be at least 1"),
        ({"conditioning": 0.1}, "conditioning must be"),
        ({"power": 0.0}, "power must be in"),
        ({"mu": (0.5, 0.2)}, "mu must be a range"),
        ({"omega": (-1.0, 5.0)}, "omega must be a range"),
        ({"mu": 0.3}, "mu: "),
        ({"lambda": 0.3}, "has no argument"),
    ],
)
def test_a_bad_argument_gets_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make("gnbg", **arguments)
    assert "\n" not in str(raised.value)

"""Lunacek's two funnels: the published formula, exact boxes, minima and basins by brute force."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import landscapes
from hpo_lab.errors import InputError
from hpo_lab.landscape import Optimum
from hpo_lab.region import Among, AxisSet, Box, Interval
from hpo_lab.space import Floats
from hpo_lab.testing.landscape import check_landscape
from landscapes.lunacek import Lunacek

ARGUMENTS: list[dict[str, Any]] = [
    {"dimension": 1, "size": 0.8},
    {"dimension": 3, "instance": 2},
    {"dimension": 20},
    {"size": 1.3, "depth": 0.2, "ripple": 2.0},
    {"depth": 0.0, "ripple": 0.0, "size": 1.0, "instance": 4},
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_the_contract(arguments: dict[str, Any]) -> None:
    for seed in range(3):
        check_landscape(landscapes.make("lunacek", **arguments), seed=seed)


def _published(x: Floats) -> Floats:
    """Lunacek, Whitley & Sutton 2008, written down as it is printed."""
    d = x.shape[1]
    s = 1.0 - 1.0 / (2.0 * math.sqrt(d + 20.0) - 8.2)
    mu0 = 2.5
    mu1 = -math.sqrt((mu0**2 - 1.0) / s)
    first, second = ((x - mu0) ** 2).sum(1), 1.0 * d + s * ((x - mu1) ** 2).sum(1)
    return np.asarray(
        np.minimum(first, second) + 10.0 * (1.0 - np.cos(2.0 * np.pi * (x - mu0))).sum(1)
    )


@pytest.mark.parametrize("dimension", [2, 5, 40])
def test_values_are_those_of_the_published_formula(dimension: int) -> None:
    f = Lunacek(dimension, instance=0)
    x = f.universe.sample(2000, np.random.default_rng(0)).values
    assert np.abs(f(x) / _published(x) - 1.0).max() < 1e-13
    assert f([2.5] * dimension) == 0.0


def test_an_instance_is_the_published_function_moved_and_turned_round() -> None:
    f = Lunacek(dimension=4, instance=5)
    deep, wide = f.bottoms
    ends = np.sign(deep - wide)
    shift = deep - 2.5 * ends
    assert len(set(ends.tolist())) == 2
    assert (np.abs(shift) <= 1.0).all()
    x = f.universe.sample(500, np.random.default_rng(1)).values
    assert np.abs(f(x) - _published((x - shift) * ends)).max() < 1e-11


def test_bbobs_f24_has_the_same_two_funnels() -> None:
    """Along its x_opt, f24 is nowhere below Lunacek's two bowls: the rest are rotated ripples.

    There x̂ = 2 sign(x_opt) x is the same on all axes.
    """
    ioh = pytest.importorskip("ioh")
    dimension = 5
    problem = ioh.get_problem(24, instance=1, dimension=dimension)
    best = np.array(problem.optimum.x)
    assert np.abs(np.abs(best) - 1.25).max() < 1e-12
    f = Lunacek(dimension, instance=0, ripple=0.0)
    for share in np.linspace(-1.9, 1.9, 77):
        under = f([2.5 * share] * dimension)  # x̂ at share · x_opt
        assert problem(share * best) - problem.optimum.y >= under - 1e-9
    assert problem(best) - problem.optimum.y == pytest.approx(0.0, abs=1e-9)


def test_the_two_funnels_meet_in_the_middle_of_the_axes() -> None:
    f = Lunacek(dimension=6, instance=3, ripple=0.0)
    deep, wide = f.bottoms
    shift = deep - 2.5 * np.sign(deep - wide)
    toward = f.universe.points(np.array([shift + 1e-6 * (deep - shift), shift - 1e-6 * deep]))
    values = f.evaluate(toward)
    assert values[0] == pytest.approx(6 * 2.5**2, rel=1e-5)
    assert f.funnels(toward).tolist()[0] == 0
    assert f.funnels(f.universe.points(np.clip(f.bottoms, -5, 5))).tolist() == [0, 1]
    assert f(wide) == pytest.approx(6.0)  # depth · dimension, at the wide funnel's bottom


def _sets(rng: np.random.Generator) -> dict[str, AxisSet]:
    sets: dict[str, AxisSet] = {}
    for name in ("x1", "x2"):
        low, high = np.sort(rng.uniform(-5, 5, 2)).tolist()
        sets[name] = Interval(max(low, high - 1.5), high)
        if rng.random() < 0.3:
            sets[name] = Among(tuple(np.sort(rng.uniform(-5, 5, 4)).tolist()))
    return sets


def test_the_optimum_of_boxes_and_grids_by_brute_force() -> None:
    rng = np.random.default_rng(2)
    for trial in range(30):
        f = Lunacek(dimension=2, size=0.9, depth=0.5, instance=trial)
        sets = _sets(rng)
        found = f.lowest((Box("", tuple(sets.items())),))
        assert isinstance(found, Optimum)
        steps = [
            np.linspace(s.low, s.high, 501) if isinstance(s, Interval) else np.array(s.values)
            for s in sets.values()
        ]
        values = f(np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, 2))
        assert found.value <= values.min() + 1e-12
        # half a step of the grid on each axis, against a curvature of at most 2 + 10 (2π)²
        assert values.min() - found.value < 2 * 0.5 * 400.0 * (1.5 / 500 / 2) ** 2 + 1e-12


def test_the_optimum_on_a_diagonal_by_brute_force() -> None:
    line = np.linspace(-5, 5, 100_001)
    for instance in range(1, 8):
        f = Lunacek(dimension=3, instance=instance)
        for tie in itertools.combinations(("x1", "x2", "x3"), 2):
            found = f.lowest((Box("", (("x2", Interval(-4.0, 1.0)),), (tie,)),))
            assert isinstance(found, Optimum)
            at = found.point.values[0]
            tied = [int(name[1]) - 1 for name in tie]
            x = np.tile(at, (len(line), 1))
            x[:, tied] = line[:, None]
            values = f(x[(x[:, 1] >= -4.0) & (x[:, 1] <= 1.0)])
            assert values.min() >= found.value - 1e-12
            assert values.min() - found.value < 800 * (0.5e-4) ** 2 + 1e-12


def _grid_minima(f: Lunacek, steps: int) -> set[tuple[int, int]]:
    """The points of a fine lattice, ends included, that none of the eight around them is below."""
    line = np.linspace(-5, 5, steps)
    values = f(np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2))
    table = np.pad(values.reshape(steps, steps), 1, constant_values=math.inf)
    lowest = np.ones((steps, steps), dtype=bool)
    for i, j in itertools.product((0, 1, 2), repeat=2):
        if (i, j) != (1, 1):
            lowest &= table[1:-1, 1:-1] <= table[i : i + steps, j : j + steps]
    return {(int(i), int(j)) for i, j in zip(*np.nonzero(lowest), strict=True)}


@pytest.mark.parametrize(
    "arguments", [{}, {"size": 1.1, "depth": 0.3}, {"size": 0.5, "ripple": 1.0}]
)
def test_minima_are_those_of_a_fine_lattice(arguments: dict[str, Any]) -> None:
    for instance in (1, 2):
        f = Lunacek(dimension=2, instance=instance, **arguments)
        minima = f.minima()
        assert minima is not None
        steps = 1601
        found = np.rint((minima.points.values + 5.0) / 10.0 * (steps - 1)).astype(int)
        lattice = np.array(sorted(_grid_minima(f, steps)))
        gaps = np.abs(lattice[:, None, :] - found[None]).max(axis=2)
        # two minima on both sides of the funnels' border may share a lattice point
        assert (gaps.min(axis=0) <= 1).sum() >= len(minima.values) - 2
        # and a valley that the border cuts aslant may look like a minimum on the lattice
        assert (gaps.min(axis=1) > 1).sum() <= 4
        turn = np.linspace(0.0, 2.0 * np.pi, 64)
        for radius in (1e-6, 1e-5, 1e-4):
            ring = radius * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
            around = np.clip(minima.points.values[:, None] + ring, -5, 5).reshape(-1, 2)
            assert (f(around).reshape(-1, 64) >= minima.values[:, None] - 1e-14).all()


def test_what_a_basin_holds_in_a_box_is_exact_or_unknown() -> None:
    rng = np.random.default_rng(5)
    f = Lunacek(dimension=2, size=0.9, depth=0.5, instance=3)
    minima = f.minima()
    assert minima is not None
    known = seen = 0
    for _ in range(10):
        low, high = np.sort(rng.uniform(-5, 5, (2, 2)), axis=0)
        sets = tuple((f"x{i + 1}", Interval(float(low[i]), float(high[i]))) for i in range(2))
        steps = [np.linspace(low[i], high[i], 401) for i in range(2)]
        grid = f.universe.points(np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, 2))
        label, rough = minima.labels(grid), np.full(len(minima.values), np.inf)
        inside = label >= 0
        np.minimum.at(rough, label[inside], f.evaluate(grid)[inside])
        exact = minima.lowest((Box("", sets),))
        both = np.isfinite(rough) & ~np.isnan(exact)
        assert (exact[both] <= rough[both] + 1e-12).all()
        assert (rough[both] - exact[both]).max(initial=0.0) < 75 * 10.0 / 400  # a step, a slope
        known, seen = known + int(both.sum()), seen + int(np.isfinite(rough).sum())
    assert known > 0.9 * seen > 100


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dimension": 0}, "dimension must be at least 1"),
        ({"dimension": 1}, "not defined in dimension 1"),
        ({"depth": 6.25}, "depth must be in"),
        ({"depth": math.nan}, "depth must be in"),
        ({"size": 0.0}, "size must be a positive"),
        ({"ripple": -0.1}, "ripple must be a height"),
        ({"depht": 1.0}, 'did you mean "depth"'),
    ],
)
def test_a_bad_argument_gets_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make("lunacek", **arguments)
    assert "\n" not in str(raised.value)

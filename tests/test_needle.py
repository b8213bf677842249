"""A needle's closed forms, and Bergstra & Bengio's comparison of grids and random points."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, qmc

import landscapes
from hpo_lab.errors import InputError
from hpo_lab.landscape import Optimum
from hpo_lab.optimizers.grid import Grid
from hpo_lab.region import Among, Box, Interval, contains, measure
from hpo_lab.space import Floats
from hpo_lab.testing.landscape import check_landscape
from landscapes.needle import Needle

ARGUMENTS: list[dict[str, Any]] = [
    {"dimension": 1, "volume": 0.3, "slope": 0.9},
    {"dimension": 3, "aspect": 7.5, "slope": 0.5, "instance": 3},
    {"dimension": 10, "volume": 0.5},
    {"dimension": 2, "volume": 1.0},  # nothing outside
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_the_contract(arguments: dict[str, Any]) -> None:
    for seed in range(3):
        check_landscape(landscapes.make("needle", **arguments), seed=seed)


@pytest.mark.parametrize(("dimension", "aspect"), [(1, 1.0), (2, 40.0), (5, 6.0)])
def test_the_needle_has_its_volume_and_its_aspect_and_lies_inside(
    dimension: int, aspect: float
) -> None:
    for instance in range(1, 30):
        f = Needle(dimension, volume=0.01, aspect=aspect, instance=instance)
        low, high = f.ends
        sides = high - low
        assert measure(f.universe, f.needle) == pytest.approx(0.01, rel=1e-12)
        assert sides.max() / sides.min() == pytest.approx(aspect, rel=1e-9)
        assert low.min() >= 0.0
        assert high.max() <= 1.0
        points = f.universe.points(low + sides * np.random.default_rng(0).random((50, dimension)))
        assert not f.evaluate(points).any()


def test_values_outside_lead_away() -> None:
    f = Needle(dimension=3, volume=0.001, slope=0.4, instance=2)
    middle = f.ends.mean(axis=0)
    points = f.universe.sample(5000, np.random.default_rng(0))
    away = (np.abs(points.values - middle) / np.maximum(middle, 1.0 - middle)).mean(axis=1)
    inside = contains(f.universe, f.needle, points)
    assert np.abs(f.evaluate(points) - np.where(inside, 0.0, 1.0 - 0.4 * away)).max() < 1e-12
    corner = np.where(middle < 0.5, 1.0, 0.0)
    assert f(corner) == pytest.approx(0.6)  # 1 − slope, in the farthest corner
    flat = Needle(dimension=3, volume=0.001, instance=2).evaluate(points)
    assert set(flat[~inside].tolist()) == {1.0}


def test_the_optimum_of_boxes_grids_and_diagonals_by_brute_force() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for instance in range(60):
        f = Needle(dimension=2, volume=0.1, slope=0.5, instance=instance)
        low, high = np.sort(rng.random((2, 2)), axis=0)
        boxes = [Interval(float(a), float(b)) for a, b in zip(low, high, strict=True)]
        grid = Among(tuple(np.sort(rng.random(4)).tolist()))
        for second, ties in ((boxes[1], ()), (grid, ()), (boxes[1], (("x1", "x2"),))):
            if ties and max(low) > min(high):
                continue
            found = f.lowest((Box("", (("x1", boxes[0]), ("x2", second)), ties),))
            assert isinstance(found, Optimum)
            # the needle's own sides are among the lines: a narrow overlap is not overlooked
            lines = [
                np.clip([*np.linspace(s.low, s.high, 201), *f.ends.ravel()], s.low, s.high)
                if isinstance(s, Interval)
                else np.array(s.values)
                for s in (boxes[0], second)
            ]
            x = np.stack(np.meshgrid(*lines), axis=-1).reshape(-1, 2)
            if ties:
                both = np.concatenate(lines)
                both = both[(both >= max(low)) & (both <= min(high))]
                x = np.column_stack([both, both])
            assert found.value == pytest.approx(f(x).min(), abs=1e-12)
            hits += found.value == 0.0
    assert 20 < hits < 120


@pytest.mark.parametrize(("volume", "budget"), [(0.01, 299), (0.05, 59), (0.02, 20)])
@pytest.mark.parametrize("aspect", [1.0, 15.0])
def test_random_search_hits_it_as_the_closed_form_says(
    volume: float, budget: int, aspect: float
) -> None:
    """299 points for the best 1 % and 59 for the best 5 % succeed in 95 % of all runs."""
    runs, rng = 2000, np.random.default_rng(2)
    f = Needle(dimension=2, volume=volume, aspect=aspect)
    values = f.evaluate(f.universe.sample(runs * budget, rng)).reshape(runs, budget)
    hits = int((values.min(axis=1) == 0.0).sum())
    expected = 1.0 - (1.0 - volume) ** budget
    assert 0.001 < binom.cdf(hits, runs, expected) < 0.999
    assert budget == 20 or abs(expected - 0.95) < 0.002


# ---- Bergstra & Bengio 2012: needles of 1 %, 256 points


BUDGET = 256
NEEDLES = 2000  # a share of 1/2 is known to a standard error of .011; the figures are ± .03


@functools.cache
def _ends(dimension: int, aspect: float) -> tuple[Floats, Floats]:
    """The ends of many needles, (NEEDLES, dimension) each."""
    ends = [Needle(dimension, 0.01, aspect, instance=i).ends for i in range(NEEDLES)]
    return np.array([low for low, _ in ends]), np.array([high for _, high in ends])


def _share(design: Floats, low: Floats, high: Floats) -> float:
    """In how many needles a design (n, d), or one for each needle (N, n, d), has a point."""
    points = np.broadcast_to(design, (len(low), *design.shape[-2:]))
    inside = (points >= low[:, None]) & (points <= high[:, None])
    found = np.asarray(inside.all(axis=2)).any(axis=1)
    return float(found.mean())


def _levels(most: int, dimension: int) -> list[tuple[int, ...]]:
    """All ways to spend at most so many points on a full factorial."""
    if dimension == 0:
        return [()]
    return [(k, *rest) for k in range(1, most + 1) for rest in _levels(most // k, dimension - 1)]


def _best_grid(low: Floats, high: Floats, *, spent: int) -> float:
    """The share of needles that the best centred grid of ``spent`` to 256 points finds."""
    dimension = low.shape[1]
    hits = np.array([  # of an axis with so many levels, (256, d, N)
        np.floor(high * k - 0.5) >= np.maximum(np.ceil(low * k - 0.5), 0.0) for k in range(1, 257)
    ]).transpose(0, 2, 1)  # fmt: skip
    shares = [
        np.logical_and.reduce([hits[k - 1, i] for i, k in enumerate(levels)]).mean()
        for levels in _levels(BUDGET, dimension)
        if spent <= math.prod(levels) <= BUDGET
    ]
    return float(max(shares))


@pytest.mark.parametrize(
    ("dimension", "aspect", "grid", "sobol"),
    [(3, 1.0, 0.87, 0.987), (5, 1.0, 0.71, 0.970), (3, 7.5, 0.53, 0.987), (5, 6.3, 0.43, 0.970)],
)
def test_grids_miss_what_random_points_find(
    dimension: int, aspect: float, grid: float, sobol: float
) -> None:
    low, high = _ends(dimension, aspect)
    rng = np.random.default_rng(3)
    random = rng.random((NEEDLES, BUDGET, dimension))
    assert _share(random, low, high) == pytest.approx(1.0 - 0.99**BUDGET, abs=0.02)
    assert _best_grid(low, high, spent=BUDGET) == pytest.approx(grid, abs=0.03)
    many = [qmc.Sobol(dimension, rng=rng).random(BUDGET) for _ in range(500)]
    scrambled = np.array(many)
    assert _share(scrambled, low[:500], high[:500]) == pytest.approx(sobol, abs=0.03)


def test_a_grid_that_need_not_spend_everything_never_misses_a_cube() -> None:
    """6 · 6 · 7 = 252 and 3^5 = 243 points lie closer than the sides, .2154 and .398."""
    for dimension, points in ((3, 252), (5, 243)):
        low, high = _ends(dimension, 1.0)
        f = Needle(dimension, 0.01)
        search = Grid("centred").start(f.universe, BUDGET, np.random.default_rng(0))
        asked = search.ask()
        assert len(asked) == points
        assert _share(asked.values, low, high) == 1.0


def test_the_shares_of_designs_are_those_of_the_landscape() -> None:
    rng = np.random.default_rng(4)
    design = rng.random((BUDGET, 3))
    low, high = _ends(3, 7.5)
    found = [
        landscapes.make("needle", dimension=3, aspect=7.5, instance=i)(design).min() == 0.0
        for i in range(300)
    ]
    assert np.mean(found) == _share(design, low[:300], high[:300])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dimension": 0}, "dimension must be at least 1"),
        ({"volume": 0.0}, "volume must be a share"),
        ({"volume": 1.5}, "volume must be a share"),
        ({"slope": 1.0}, "slope must be in"),
        ({"aspect": 0.5}, "aspect must be in"),
        ({"dimension": 1, "aspect": 2.0}, "aspect must be in .1, 1. for"),
        ({"dimension": 5, "aspect": 7.0}, "aspect must be in .1, 6.30957. for"),
        ({"volum": 0.5}, 'did you mean "volume"'),
    ],
)
def test_a_bad_argument_gets_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make("needle", **arguments)
    assert "\n" not in str(raised.value)

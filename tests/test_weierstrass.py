"""Weierstrass' fractal bowl: values, roughness, and certified optima against brute force."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import landscapes
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Optimum
from hpo_lab.region import Among, Box, Interval
from hpo_lab.space import Floats
from hpo_lab.testing.landscape import check_landscape
from landscapes import _bounding
from landscapes.weierstrass import Weierstrass

ARGUMENTS: list[dict[str, Any]] = [
    {"dimension": 1, "hoelder": 0.2},
    {"dimension": 6, "hoelder": 0.9, "instance": 3},
    {"base": 2, "terms": 20, "hoelder": 0.05},
    {"base": 7, "terms": 6, "hoelder": 0.4, "bowl": 0.01, "instance": 0},
    {"amplitude": 0.0},
]


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_the_contract(arguments: dict[str, Any]) -> None:
    for seed in range(2):
        check_landscape(landscapes.make("weierstrass", **arguments), seed=seed)


@pytest.mark.parametrize(("base", "terms", "hoelder"), [(2, 20, 0.3), (3, 12, 0.631), (5, 8, 1.0)])
def test_values_are_the_sum_of_cosines(base: int, terms: int, hoelder: float) -> None:
    f = Weierstrass(dimension=4, base=base, terms=terms, hoelder=hoelder, bowl=0.5, amplitude=2.0)
    x = f.universe.sample(500, np.random.default_rng(0)).values
    t = x - f.centre
    total = 0.5 * (t**2).sum(axis=1)
    for k in range(terms):
        total += 2.0 * base ** (-k * hoelder) * (1 - np.cos(2 * np.pi * base**k * t)).sum(axis=1)
    # the phases of the finest ripples, base^k t < 5e6, have lost seven digits of sixteen
    assert np.abs(f(x) - total).max() < 1e-8
    assert f(f.centre) == 0.0


def test_bbobs_f16_has_the_same_fractal() -> None:
    """f16's inner sum Σ a^k cos(2π b^k (z + 1/2)), a = 1/2, b = 3, 12 terms; rotation aside."""
    f = Weierstrass(dimension=1, hoelder=math.log(2.0) / math.log(3.0), instance=0)
    z = np.linspace(-2.0, 2.0, 1001)[:, None]
    scales = np.arange(12)
    inner = (0.5**scales * np.cos(2 * np.pi * 3.0**scales * (z + 0.5))).sum(axis=1)
    lowest = (0.5**scales * np.cos(np.pi * 3.0**scales)).sum()
    # (z + 1/2) turns 1 − cos into 1 + cos at odd b: the same sum, half a period on
    assert np.abs((f(z) - z[:, 0] ** 2) - (inner - lowest)).max() < 1e-8


@pytest.mark.parametrize("hoelder", [0.2, 0.5, 0.8])
def test_the_hoelder_exponent_is_the_slope_of_the_structure_function(hoelder: float) -> None:
    """E (φ(t + h) − φ(t))² = A² Σ a^2k (1 − cos 2π b^k h), a straight line in a log-log plot.

    At h = b^−j the scales k ≥ j add nothing, so the finest scale does not matter; that there is
    no coarser scale than 1 bends the line by a share of about b^(−2 (1 − H) j).
    """
    f = Weierstrass(dimension=1, hoelder=hoelder, base=2, terms=20, instance=0, bowl=1e-12)
    t = np.random.default_rng(1).uniform(-5, 4, (200_000, 1))
    h = 2.0 ** -np.arange(10.0, 18.0)
    rises = [float(np.mean((f(t + step) - f(t)) ** 2)) for step in h]
    slope = np.polyfit(np.log(h), np.log(rises), 1)[0]
    assert slope / 2.0 == pytest.approx(hoelder, abs=0.01)
    decay, scales = 2.0 ** (-2.0 * hoelder), 2.0 ** np.arange(20)
    exact = [
        float((decay ** np.arange(20) * (1.0 - np.cos(2.0 * np.pi * scales * step))).sum())
        for step in h
    ]
    assert np.allclose(rises, exact, rtol=0.02)  # 200,000 places: the error is below 0.5 %


def test_the_truncation_bounds_what_more_terms_add() -> None:
    short, long = (Weierstrass(dimension=3, base=2, terms=n, hoelder=0.4) for n in (8, 20))
    x = short.universe.sample(5000, np.random.default_rng(2)).values
    added = long(x) - short(x)
    assert (added >= -1e-8).all()
    assert added.max() <= short.truncation
    assert added.max() > 0.2 * short.truncation


def _line(f: Weierstrass, low: float, high: float) -> Floats:
    """Very many places in an interval, with all its points where several ripples vanish."""
    places = [np.linspace(low, high, 300_001)]
    for k in range(f.terms):
        step = float(f.base) ** -k
        if (high - low) / step < 3e5:
            first, last = math.ceil((low - f.centre[0]) / step), (high - f.centre[0]) // step
            places.append(f.centre[0] + step * np.arange(first, last + 1))
    return np.clip(np.concatenate(places), low, high)[:, None]


@pytest.mark.parametrize(("base", "terms", "hoelder"), [(3, 12, 0.5), (2, 20, 0.15), (5, 7, 0.8)])
def test_the_optimum_of_an_interval_by_brute_force(base: int, terms: int, hoelder: float) -> None:
    rng = np.random.default_rng(3)
    for instance in range(8):
        f = Weierstrass(1, hoelder=hoelder, base=base, terms=terms, instance=instance)
        low = float(rng.uniform(-5, 5))
        high = min(5.0, low + float(10 ** rng.uniform(-5, 0.7)))
        found = f.lowest((Box("", (("x1", Interval(low, high)),)),))
        assert isinstance(found, Optimum)
        assert low <= found.point.values[0, 0] <= high
        line = _line(f, low, high)
        values = f(line)
        assert found.value <= values.min() + 1e-9
        # polish the best of the line by ever finer lines: nothing else is near enough to win
        at, width = float(line[np.argmin(values), 0]), (high - low) / 300_000
        for _ in range(6):
            fine = np.clip(at + np.linspace(-width, width, 2001), low, high)
            at, width = float(fine[np.argmin(f(fine[:, None]))]), width / 100.0
        assert f([at]) - found.value < 1e-6


def test_whole_waves_away_the_ripples_vanish() -> None:
    f = Weierstrass(dimension=2, instance=0, hoelder=0.3, bowl=0.01)
    away = Box("", (("x1", Interval(0.7, 4.3)), ("x2", Among((-3.0, 0.5)))))
    found = f.lowest((away,))
    assert isinstance(found, Optimum)
    # at (1, −3) no ripple is left; close by, the bowl's slope wins less than 1e-3
    assert 0.1 - 1e-3 < found.value <= f([1.0, -3.0])
    assert abs(found.point.values[0, 0] - 1.0) < 1e-3


def test_tied_axes_are_certified_too() -> None:
    f = Weierstrass(dimension=3, hoelder=0.7, instance=2)
    found = f.lowest((Box("", (("x3", Interval(-1.0, 2.0)),), (("x1", "x3"),)),))
    assert isinstance(found, Optimum)
    line = np.linspace(-1.0, 2.0, 400_001)
    x = np.column_stack([line, np.full(len(line), f.centre[1]), line])
    assert found.value <= f(x).min() + 1e-9
    assert f(x).min() - found.value < 1e-2  # ripples of height 1e-3 are shorter than the steps


def test_a_search_that_grows_too_long_gives_certified_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    f = Weierstrass(dimension=1, hoelder=0.05, instance=4)
    region = (Box("", (("x1", Interval(-4.9, -4.2)),)),)
    exact = f.lowest(region)
    monkeypatch.setattr(_bounding, "OPEN", 1)
    bounds = f.lowest(region)
    assert isinstance(exact, Optimum)
    assert isinstance(bounds, Bounds)
    assert bounds.low <= exact.value <= bounds.high
    assert bounds.high - bounds.low < 5.0  # of a function whose ripples are 40 high


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dimension": 0}, "dimension must be at least 1"),
        ({"hoelder": 0.0}, "hoelder must be an exponent"),
        ({"hoelder": 1.5}, "hoelder must be an exponent"),
        ({"base": 1}, "base must be a whole number"),
        ({"terms": 14}, "terms must be 1 to 13"),
        ({"terms": 0}, "terms must be 1 to 13"),
        ({"amplitude": -1.0}, "amplitude must be"),
        ({"bowl": 0.0}, "bowl must be"),
        ({"hölder": 0.5}, 'did you mean "hoelder"'),
    ],
)
def test_a_bad_argument_gets_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make("weierstrass", **arguments)
    assert "\n" not in str(raised.value)

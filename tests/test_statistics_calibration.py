"""The statistics are honest: false alarms, power and coverage, by simulating where truth is known.

Each proof has a short version here and a long one marked slow. The long coverage test prints the
table that the docstring of `bootstrap_means` quotes (pytest -s).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from experiments.instrument.simulated import rate_bounds
from hpo_lab import statistics as s

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]


# --- Coverage of the intervals -------------------------------------------------------------------

CONTINUOUS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, shape: rng.normal(size=shape), 0.0),
    "exponential": (lambda rng, shape: rng.exponential(size=shape), 1.0),
    "gamma, shape 1/2": (lambda rng, shape: rng.gamma(0.5, size=shape), 0.5),
    "log-normal, sigma 1": (lambda rng, shape: rng.lognormal(size=shape), float(np.exp(0.5))),
}
WITH_ZEROS: dict[str, tuple[Draw, float]] = {  # runs that found the optimum have no regret
    "half zeros, else exponential": (
        lambda rng, shape: rng.exponential(size=shape) * (rng.random(shape) < 0.5),
        0.5,
    ),
    "4/5 zeros, else exponential": (
        lambda rng, shape: rng.exponential(size=shape) * (rng.random(shape) < 0.2),
        0.2,
    ),
}
REGRETS = CONTINUOUS | WITH_ZEROS


def covered(draw: Draw, mean: float, shape: tuple[int, int], samples: int) -> int:
    """How many of so many intervals hold the mean; every 250 of them share their resamples."""
    hits = 0
    for block in range(samples // 250):
        values = draw(np.random.default_rng([block, *shape]), (*shape, 250))
        limits = s.bootstrap_means(values, seed=block)
        hits += int(((limits[:, 0] <= mean) & (mean <= limits[:, 1])).sum())
    return hits


@pytest.mark.parametrize("name", ["normal", "exponential", "4/5 zeros, else exponential"])
def test_coverage_at_thirty_repetitions(name: str) -> None:
    draw, mean = REGRETS[name]
    lower, upper = rate_bounds(covered(draw, mean, (1, 30), 1_000), 1_000)
    assert upper >= 0.94
    assert lower <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("name", REGRETS)
def test_coverage_table(name: str) -> None:
    draw, mean = REGRETS[name]
    share = {n: covered(draw, mean, (1, n), 10_000) / 10_000 for n in (10, 30, 100)}
    print(f"\n{name:30s}", *(f"{n}: {rate:.3f}" for n, rate in share.items()))
    for rate in (share[30], share[100]):
        assert rate_bounds(round(10_000 * rate), 10_000)[1] >= 0.92
        assert rate <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("instances", [5, 10, 15, 30])
@pytest.mark.parametrize("between", [0.0, 0.3, 1.0, 3.0])
def test_coverage_across_instances(instances: int, between: float) -> None:
    """Skewed instance effects of this size beside skewed repetitions of size 1."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        effect = rng.exponential(size=(shape[0], 1, shape[2])) - 1
        return np.asarray(between * effect + rng.exponential(size=shape))

    rate = covered(draw, 1.0, (instances, 30), 2_000) / 2_000
    print(f"\n{instances} instances, between {between}: {rate:.3f}")
    assert rate_bounds(round(2_000 * rate), 2_000)[1] >= (0.92 if instances > 5 else 0.90)


# --- False alarms and power of the verdicts ------------------------------------------------------


def uniform_search(
    mu: Floats, budget: int, runs: int, rng: np.random.Generator, label: Floats | None = None
) -> Ints:
    """How many runs of uniform search visit each cell, or each union of cells of `label`."""
    cells = (rng.multinomial(budget, mu, size=runs) > 0).astype(np.float64)
    visits = cells if label is None else cells @ label > 0
    return np.asarray(visits.sum(axis=0), dtype=np.int64)


def marginals() -> Floats:
    """An overlapping system on 6 x 6 cells: (36, 48), the rows, the columns and the cells."""
    row, column = np.divmod(np.arange(36), 6)
    return np.concatenate([np.eye(6)[row], np.eye(6)[column], np.eye(36)], axis=1)


def flagged(found: s.Verdicts) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isin(found.word, [s.NEVER_SEEN, s.NEGLECTED]) | (found.adjusted <= 0.05))


def false_alarms(system: str, studies: int) -> int:
    """Studies of uniform search in which anything is significant."""
    rng = np.random.default_rng([studies, len(system)])
    equal, skewed = np.full(36, 1 / 36), stats.lognorm.pdf(np.arange(1, 41), 2)
    mu, budget, label, excluded = {
        "few large": (np.full(8, 1 / 8), 10, None, np.zeros(8, bool)),
        "equal cells": (equal, 20, None, np.zeros(36, bool)),
        "unequal cells": (skewed / skewed.sum(), 20, None, np.zeros(40, bool)),
        "half excluded": (np.repeat([1 / 36, 0], 36), 20, None, np.arange(72) >= 36),
        "overlapping": (equal, 12, marginals(), np.zeros(48, bool)),
    }[system]
    measure = mu if label is None else mu @ label
    alarms = 0
    for _ in range(studies):
        visited = uniform_search(mu, budget, 30, rng, label)
        found = s.verdicts(measure, budget, visited, 30, excluded=excluded, partition=label is None)
        alarms += bool(flagged(found).any())
    return alarms


SYSTEMS = ["few large", "equal cells", "unequal cells", "half excluded", "overlapping"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_false_alarms(system: str) -> None:
    lower, upper = rate_bounds(false_alarms(system, 400), 400)
    assert lower <= 0.05
    assert upper <= 0.10


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_false_alarms_over_4000_studies(system: str) -> None:
    alarms = false_alarms(system, 4_000)
    lower, upper = rate_bounds(alarms, 4_000)
    print(f"\n{system}: {100 * alarms / 4_000:.2f} %")
    assert lower <= 0.05
    assert upper <= 0.07


@pytest.mark.parametrize("studies", [1_000, pytest.param(40_000, marks=pytest.mark.slow)])
def test_randomised_p_values_are_uniform(studies: int) -> None:
    rng = np.random.default_rng(1)
    mu = np.array([0.01, 0.09, 0.4, 0.5])
    for cell in range(3):
        cells = rng.multinomial(5, mu, size=(studies, 12))[:, :, cell] > 0
        q = s.visit_chance(mu[cell], 5)
        p = s.randomised_p_value(cells.sum(axis=1), 12, q, rng.random(studies))
        assert stats.kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("studies", [50, pytest.param(2_000, marks=pytest.mark.slow)])
def test_what_is_never_visited_is_found_and_little_else(studies: int) -> None:
    """Two blind spots among 40 cells: testable, so always found; false flags as for BH."""
    rng = np.random.default_rng(2)
    mu = np.full(40, 1 / 40)
    blind = np.arange(40) < 2
    searched = np.where(blind, 0, mu) / mu[~blind].sum()
    share = np.empty(studies)
    for study in range(studies):
        found = s.verdicts(mu, 30, uniform_search(searched, 30, 30, rng), 30)
        assert (found.word[blind] == s.NEVER_SEEN).all()
        flags = flagged(found)
        share[study] = (flags & ~blind).sum() / flags.sum()
    assert share.mean() - 3 * share.std() / np.sqrt(studies) <= 0.05


def test_half_as_often_as_half_is_neglected() -> None:
    """A region that 1 run in 10 visits, where uniform search would in 7 of 10."""
    rng = np.random.default_rng(3)
    mu = np.array([0.04, 0.96])
    assert s.visit_chance(0.04, 30) == pytest.approx(0.706, abs=1e-3)
    visited = rng.binomial(60, 0.1, size=300)
    words = [s.verdicts(mu, 30, [k, 60], 60).word[0] for k in visited]
    assert np.mean(np.isin(words, [s.NEGLECTED, s.NEVER_SEEN])) > 0.95

"""The table that scikit-optimize publishes for Branin and Hartmann-6, held against ours."""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments.strategies.published import EVALUATIONS, PUBLISHED, RUNS, branin, hartmann
from hpo_lab.optimizers.gp import GP
from hpo_lab.optimizers.random import Random


def test_the_functions_have_their_minima() -> None:
    """Branin's three and Hartmann's one, as they are published to six digits."""
    at = np.array([[-math.pi, 12.275], [math.pi, 2.275], [9.42478, 2.475]])
    np.testing.assert_allclose(branin(at), 0.397887, atol=1e-6)
    best = np.array([[0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573]])
    np.testing.assert_allclose(hartmann(best), -3.32237, atol=1e-5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_random_search_is_the_published_one(name: str) -> None:
    """The published means and deviations are draws of uniform random search.

    A statistic of 10 runs is itself random: each must lie in the central 99.75 % of the same
    statistic over 20,000 resamples of 10 of our 4,000 runs (1 % for the four of the table
    together). Branin's published mean is an unlucky draw, near the 99.7th percentile: the mean of
    all runs is 0.653.
    """
    row = PUBLISHED[name]
    rng = np.random.default_rng(0)
    points = row.space.sample(EVALUATIONS * 4000, rng)
    bests = row.function(points.values).reshape(4000, EVALUATIONS).min(axis=1)
    tens = rng.choice(bests, size=(20_000, RUNS))
    for statistic, published in zip((tens.mean(axis=1), tens.std(axis=1)), row.random, strict=True):
        low, high = np.quantile(statistic, [0.00125, 0.99875])
        assert low <= published <= high, (low, published, high)
    ours = row.bests(Random(), EVALUATIONS, RUNS)  # the strategy itself is one such draw
    low, high = np.quantile(tens.mean(axis=1), [0.00125, 0.99875])
    assert low <= ours.mean() <= high


def test_gp_finds_branins_minimum() -> None:
    """Three runs of 50 evaluations: better than ten of random search with 200 ever are on average.

    (The 0.5th percentile of their mean is 0.49; the minimum is 0.398.)
    """
    assert PUBLISHED["branin"].bests(GP(), 50, 3).mean() < 0.49


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_gp_reaches_the_published_table(name: str) -> None:
    """No worse than published: one-sided, at three standard errors of the difference of means.

    Each mean is of 10 runs; the published deviation stands for theirs, our own for ours, and half
    a digit of rounding is allowed. Hartmann-6 as measured: -3.247 ± 0.074, five runs of ten at the
    minimum and five near the second one (-3.20): below the published mean, within this tolerance.
    """
    row = PUBLISHED[name]
    bests = row.bests(GP(), EVALUATIONS, RUNS)
    error = math.sqrt((row.gp[1] ** 2 + bests.var(ddof=1)) / RUNS)
    assert bests.mean() <= row.gp[0] + 0.0005 + 3 * error
    assert bests.min() >= row.minimum - 1e-5

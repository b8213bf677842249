"""The table that scikit-optimize publishes: Branin and Hartmann-6, 200 evaluations, 10 runs.

    best value       Branin          Hartmann-6
    GP               0.398 ± 0.000   -3.299 ± 0.048
    random search    0.911 ± 0.294   -2.374 ± 0.327

(scikit-optimize's benchmarks; mean and standard deviation over runs.) The functions are written
here from their definitions: L. C. W. Dixon and G. P. Szegő (1978), "The global optimization
problem: an introduction", in "Towards Global Optimisation 2".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from hpo_lab.optimizer import Strategy
from hpo_lab.optimizers.gp import GP
from hpo_lab.optimizers.random import Random
from hpo_lab.space import Floats, Points, Real, Space
from hpo_lab.testing.strategy import trace

EVALUATIONS, RUNS = 200, 10
BRANIN = Space.box(Real("x1", -5, 10), Real("x2", 0, 15))
HARTMANN = Space.box(*[Real(f"x{i}", 0, 1) for i in range(1, 7)])

_C = np.array([1.0, 1.2, 3.0, 3.2])
_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_P = np.array(
    [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ]
)


def branin(x: Floats) -> Floats:
    """(x₂ - 5.1 x₁²/(4π²) + 5 x₁/π - 6)² + 10 (1 - 1/(8π)) cos x₁ + 10, at (n, 2)."""
    first, second = x.T
    parabola = second - 5.1 / (4 * math.pi**2) * first**2 + 5 / math.pi * first - 6
    return np.asarray(parabola**2 + 10 * (1 - 1 / (8 * math.pi)) * np.cos(first) + 10)


def hartmann(x: Floats) -> Floats:
    """-Σᵢ cᵢ exp(-Σⱼ aᵢⱼ (xⱼ - pᵢⱼ)²), at (n, 6)."""
    squared = (_A * (x[:, None, :] - _P) ** 2).sum(axis=2)
    return np.asarray(-(_C * np.exp(-squared)).sum(axis=1))


@dataclass(frozen=True)
class Row:
    """A problem with what is known of it and the published mean and deviation of each method."""

    space: Space
    function: Callable[[Floats], Floats]
    minimum: float
    gp: tuple[float, float]
    random: tuple[float, float]

    def bests(self, strategy: Strategy, evaluations: int, runs: int) -> Floats:
        """The best value (runs,) of each run."""

        def landscape(points: Points) -> Floats:
            return self.function(points.values)

        asked = [trace(strategy, self.space, evaluations, seed, landscape) for seed in range(runs)]
        return np.array([landscape(points).min() for points in asked])


PUBLISHED = {
    "branin": Row(BRANIN, branin, 0.397887, (0.398, 0.000), (0.911, 0.294)),
    "hartmann": Row(HARTMANN, hartmann, -3.32237, (-3.299, 0.048), (-2.374, 0.327)),
}


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

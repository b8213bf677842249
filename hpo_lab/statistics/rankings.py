"""Several strategies ranked over problems: mean ranks, Friedman's test, the critical difference.

Mean ranks depend on who else is in the pool: they belong in an appendix, beside the differences.
Everything is minimised, rank 1 is the best, and equals share the mean of their ranks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hpo_lab.statistics._arrays import Floats
from hpo_lab.statistics.intervals import bootstrap_mean

SHUFFLED = 30  # problems up to which the null distribution is simulated


def ranks(values: npt.ArrayLike) -> Floats:
    """Return ranks along the last axis, from 1, the best; equals (and all inf) share their mean.

    Raises ValueError for nan.

    >>> ranks([[0.3, 0.1, 0.3], [1.0, np.inf, np.inf]]).tolist()
    [[2.5, 1.0, 2.5], [1.0, 2.5, 2.5]]
    """
    from scipy.stats import rankdata

    given = np.asarray(values, dtype=np.float64)
    if np.isnan(given).any():
        raise ValueError("values must not be nan; a run that never succeeded has inf")
    return np.asarray(rankdata(given, axis=-1), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Friedman:
    """Friedman's test over N problems and k strategies (see `friedman`)."""

    mean_ranks: Floats  # (k,)
    chi_square: float
    f: float  # Iman and Davenport's correction of it; inf where all problems agree
    p: float
    critical_difference: float  # Nemenyi's, at the level asked for


def friedman(values: npt.ArrayLike, level: float = 0.95) -> Friedman:
    """Test whether the strategies of (problems, strategies) values have equal mean ranks.

    chi^2 = 12 N / (k (k + 1)) [sum_j R_j^2 - k (k + 1)^2 / 4],
    F = (N - 1) chi^2 / (N (k - 1) - chi^2) with k - 1 and (k - 1)(N - 1) degrees of freedom; as in
    the source, ties do not change the formula. Up to 30 problems ``p`` compares the mean ranks'
    spread with 9,999 shufflings of the ranks within problems, ties included (so it is at least
    0.0001); beyond it is F's. Mean ranks further apart
    than the critical difference q sqrt(k (k + 1) / (6 N)) differ at this level over all pairs
    (Nemenyi), q the studentised range's quantile over sqrt 2. Raises ValueError for fewer than 2
    problems or strategies, or nan.

    Source: Demsar 2006, JMLR 7, section 3.2.2; Iman and Davenport 1980.

    >>> found = friedman([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 3.0, 2.0], [2.0, 1.0, 3.0]])
    >>> found.mean_ranks.tolist(), round(found.chi_square, 3), round(found.critical_difference, 3)
    ([1.25, 2.0, 2.75], 4.5, 1.657)
    """
    from scipy.stats import f as f_distribution

    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 2 or min(given.shape) < 2:
        raise ValueError("Friedman's test needs (problems, strategies) values, two of each or more")
    n, k = given.shape
    means = ranks(given).mean(axis=0)
    chi = 12 * n / (k * (k + 1)) * (float((means**2).sum()) - k * (k + 1) ** 2 / 4)
    room = n * (k - 1) - chi
    f = (n - 1) * chi / room if room > 1e-9 else float("inf")
    if n <= SHUFFLED:
        p = _shuffled_p_value(ranks(given))
    else:
        p = float(f_distribution.sf(f, k - 1, (k - 1) * (n - 1)))
    return Friedman(means, chi, f, p, nemenyi_difference(k, n, level))


def _shuffled_p_value(ranked: Floats, shuffles: int = 9_999) -> float:
    rng = np.random.default_rng(0)
    seen = float((ranked.sum(axis=0) ** 2).sum())
    sums = np.zeros((shuffles, ranked.shape[1]))
    for row in ranked:
        sums += rng.permuted(np.tile(row, (shuffles, 1)), axis=1)
    as_far = int(((sums**2).sum(axis=1) >= seen * (1 - 1e-12)).sum())
    return (1 + as_far) / (1 + shuffles)


def nemenyi_difference(strategies: int, problems: int, level: float = 0.95) -> float:
    """Return how far apart two mean ranks must be to differ (see `friedman`).

    Raises ValueError for fewer than 2 strategies or no problem.

    >>> round(nemenyi_difference(4, 14), 2)
    1.25
    """
    from scipy.stats import studentized_range

    if strategies < 2 or problems < 1:
        raise ValueError("a critical difference needs at least 2 strategies and 1 problem")
    q = float(studentized_range.ppf(level, strategies, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(strategies * (strategies + 1) / (6 * problems)))


@dataclass(frozen=True, slots=True)
class RankDifference:
    """Mean rank of the first minus mean rank of the second, with its interval."""

    difference: float
    low: float  # nan where nothing varies
    high: float


def mean_rank_difference(
    values: npt.ArrayLike,
    first: int,
    second: int,
    *,
    level: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> RankDifference:
    """Return how much better the first strategy ranks than the second, with an interval.

    ``values`` (problems, repetitions, strategies): the strategies are ranked in each problem x
    repetition cell; the difference of the mean ranks is negative where the first is better. The
    interval is the cluster bootstrap's (problems, then repetitions; `bootstrap_mean`) and two-
    sided: for a one-sided upper 95 % bound take ``high`` at level 0.90. Raises ValueError for a
    wrong shape, a strategy that is not there, or nan.

    >>> rng = np.random.default_rng(0)
    >>> values = rng.normal([0.0, 1.0, 1.0], size=(10, 5, 3))
    >>> found = mean_rank_difference(values, 0, 1)
    >>> found.low < found.difference < found.high < 0
    True
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 3 or not (0 <= first < given.shape[2] and 0 <= second < given.shape[2]):
        raise ValueError(
            "values must be (problems, repetitions, strategies), first and second two of the "
            f"strategies; got the shape {given.shape}, {first} and {second}"
        )
    ranked = ranks(given)
    apart = ranked[:, :, first] - ranked[:, :, second]
    found = bootstrap_mean(apart, level=level, resamples=resamples, seed=seed)
    low, high = found if found is not None else (float("nan"), float("nan"))
    return RankDifference(float(apart.mean()), low, high)

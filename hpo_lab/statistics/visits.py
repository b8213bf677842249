"""Visits against uniform search: which regions did a strategy leave unseen?

One exact test for regions of every size. A run *comes* to a region if at least h of its T
evaluations lie there; the runs are independent, whatever their evaluations do, so that with
q = P(Bin(T, mu) >= h), what a run of uniform search has,

    p = P(Bin(R, q) <= k),   k of R runs came.

For small regions h = 1: was it visited at all? Where nearly every uniform run visits a region
(q > 0.9), that question has lost its power, and h rises to half of the visits that a uniform run
is expected to make. A t or bootstrap test of the mean number of visits was turned down: where runs
cluster, its level at a nominal 5 % was 5 to 59 % (simulated: beta-binomial visits, correlation
0 to 0.3 within a run, 10 to 100 runs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hpo_lab.statistics._arrays import SAME, Bools, Floats, Ints, Words

EXCLUDED = "excluded"
NEVER_SEEN = "never seen"
NEGLECTED = "neglected"
NO_EVIDENCE = "no evidence"
UNTESTABLE = "untestable"
BY_CONSTRUCTION = "never, by construction"

SATURATED = 0.9  # above this chance that a uniform run visits a region, one visit says nothing


def visit_p_value(visited: npt.ArrayLike, runs: npt.ArrayLike, q: npt.ArrayLike) -> Floats:
    """P(Bin(runs, q) <= visited): is a region visited by fewer runs than uniform search would?

    `visited` runs of `runs` independent ones came there, and a run of uniform search comes there
    with probability `q`; the three broadcast. Exact, hence conservative as a test. Raises
    ValueError for counts outside 0 .. runs.

    >>> visit_p_value([0, 8], 10, [0.5, 0.5]).round(4).tolist()
    [0.001, 0.9893]
    """
    from scipy.special import bdtr

    k, n, chance = _counts(visited, runs, q)
    return np.asarray(bdtr(k, n, chance), dtype=np.float64)


def randomised_p_value(
    visited: npt.ArrayLike, runs: npt.ArrayLike, q: npt.ArrayLike, uniform: npt.ArrayLike
) -> Floats:
    """P(Bin < visited) + uniform * P(Bin = visited): exactly uniform under the null.

    For calibration only: the discrete p-value of `visit_p_value` is conservative, so it can show
    a test that is too eager but never one that is too shy. `uniform` are draws from U(0, 1) of
    the same shape. Raises as `visit_p_value` does.

    >>> float(randomised_p_value(0, 1, 0.5, 0.5))
    0.25
    """
    from scipy.special import bdtr

    k, n, chance = _counts(visited, runs, q)
    below = np.where(k > 0, bdtr(np.maximum(k - 1, 0), n, chance), 0.0)
    return np.asarray(below + np.asarray(uniform) * (bdtr(k, n, chance) - below), dtype=np.float64)


def visit_upper_bound(visited: npt.ArrayLike, runs: npt.ArrayLike, level: float = 0.95) -> Floats:
    """One-sided upper confidence bound of the probability that a run visits a region.

    1 - (1 - level)^(1 / runs) where no run came. Raises as `visit_p_value` does.

    Source: Clopper and Pearson 1934.

    >>> visit_upper_bound(0, [30, 60, 300]).round(3).tolist()
    [0.095, 0.049, 0.01]
    """
    from scipy.special import betaincinv

    k, n, _ = _counts(visited, runs, 0.5)
    bound = betaincinv(k + 1.0, np.maximum(n - k, 1.0), level)
    return np.asarray(np.where(k < n, bound, 1.0), dtype=np.float64)


def _counts(
    visited: npt.ArrayLike, runs: npt.ArrayLike, q: npt.ArrayLike
) -> tuple[Ints, Ints, Floats]:
    k, n = np.broadcast_arrays(np.asarray(visited, np.int64), np.asarray(runs, np.int64))
    chance = np.asarray(q, dtype=np.float64)
    if not ((k >= 0) & (k <= n) & (n >= 1)).all():
        raise ValueError("visited counts runs, so it must lie between 0 and runs, and runs >= 1")
    if not ((chance >= 0) & (chance <= 1)).all():
        raise ValueError("q is the probability that a run visits a region: between 0 and 1")
    return k, n, chance


def visit_chance(mu: npt.ArrayLike, budget: npt.ArrayLike) -> Floats:
    """1 - (1 - mu)^budget: the probability that a run of uniform search visits a region.

    `mu` is the region's share of the declared space under the reference measure. Raises
    ValueError where it is not between 0 and 1.

    >>> float(visit_chance(0.01, 299).round(4))
    0.9505
    """
    mass = np.asarray(mu, dtype=np.float64)
    if not ((mass >= -SAME) & (mass <= 1 + 1e-9)).all():
        raise ValueError("the measure of a region must lie between 0 and 1")
    return np.asarray(-np.expm1(_log_miss(mass, budget)), dtype=np.float64)


def _log_miss(mass: Floats, draws: npt.ArrayLike) -> Floats:
    """Log of the probability that none of so many draws hits a region."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log1p(-np.clip(mass, 0.0, 1.0)) * np.asarray(draws))


def least_visits(mu: npt.ArrayLike, budget: int, runs: int, alpha: float = 0.05) -> Ints:
    """How many visits a run must make to have come to each region (regions,), chosen beforehand.

    1 where a run of uniform search misses the region with a probability of 0.1 or more. Else half
    of the expected visits, rounded down, but fewer where even no coming run would not be
    significant then: (1 - q)^runs has to stay below alpha / (100 regions), as far as h = 1 can
    reach that. It depends on the measure, the budget and the number of runs, never on what was
    seen. Raises ValueError where a measure is not between 0 and 1.

    >>> least_visits([0.01, 0.05, 0.2], budget=100, runs=30).tolist()
    [1, 2, 10]
    """
    mass = np.asarray(mu, dtype=np.float64)
    saturated = visit_chance(mass, budget) > SATURATED
    wanted = np.log(alpha / (100 * max(mass.size, 1)))
    low = np.ones(mass.shape, dtype=np.int64)
    high = np.maximum(np.floor(mass * budget / 2), 1).astype(np.int64)
    high[~saturated] = 1
    while (low < high).any():  # the largest that still fits, by bisection
        middle = (low + high + 1) // 2
        fits = runs * _log_fewer(mass, budget, middle) <= wanted
        low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
    return low


def _log_fewer(mass: Floats, budget: int, least: Ints) -> Floats:
    """Log of the probability that a uniform run makes fewer visits than these."""
    from scipy.special import bdtr

    with np.errstate(divide="ignore"):
        fewer = np.log(bdtr(least - 1.0, budget, np.clip(mass, 0.0, 1.0)))
    return np.asarray(np.where(least == 1, _log_miss(mass, budget), fewer), dtype=np.float64)


def fewer_runs_p_value(
    came: npt.ArrayLike, runs: npt.ArrayLike, others_came: npt.ArrayLike, others: npt.ArrayLike
) -> Floats:
    """Fisher's exact test, one-sided: do fewer of these runs come to a region than of the others?

    `came` of `runs` and `others_came` of `others` independent runs; the four broadcast. Raises
    ValueError for counts outside 0 .. runs.

    Source: Fisher 1935, The Design of Experiments.

    >>> fewer_runs_p_value([0, 9], 10, [5, 10], 10).round(4).tolist()
    [0.0163, 0.5]
    """
    from scipy.stats import hypergeom

    k, n, _ = _counts(came, runs, 0.5)
    m, total, _ = _counts(others_came, others, 0.5)
    return np.asarray(hypergeom.cdf(k, n + total, k + m, n), dtype=np.float64)


def is_testable(mu: npt.ArrayLike, budget: int, runs: int, alpha: float = 0.05) -> Bools:
    """Which regions are large enough to ever be significant, from their measure alone.

    The largest set of regions whose smallest attainable p-value (1 - mu)^(budget * runs) is at
    most alpha / m, m its size. Regions of equal measure are in or out together, so that the order
    in which regions are listed decides nothing. Returns (regions,) bool; raises ValueError where
    a measure is not between 0 and 1.

    Source: Tarone 1990, Biometrics 46, 515-522.

    >>> is_testable([0.5, 0.49, 0.009, 0.001], budget=10, runs=10).tolist()
    [True, True, False, False]
    """
    mass = np.asarray(mu, dtype=np.float64)
    if mass.ndim != 1:
        raise ValueError("mu needs one entry a region")
    visit_chance(mass, budget)  # raises where a measure makes no sense
    return _largest_family(_log_miss(mass, budget * runs), alpha)


def _largest_family(log_smallest: Floats, alpha: float) -> Bools:
    """The largest set of tests whose smallest p-values, as logs, are all at most alpha / size."""
    smallest = np.maximum(log_smallest, -1e300)
    order = np.argsort(smallest)
    ranked = smallest[order]
    size = np.arange(1, len(ranked) + 1)
    last_of_equals = np.append(ranked[1:] > ranked[:-1] * (1 - 1e-9), np.ones(1, np.bool_))
    fits = last_of_equals[: len(ranked)] & (ranked <= np.log(alpha / size))
    mask = np.zeros(len(ranked), dtype=np.bool_)
    mask[order[: size[fits].max(initial=0)]] = True
    return mask


def benjamini_hochberg(p: npt.ArrayLike) -> Floats:
    """Adjusted p-values (n,) of Benjamini and Hochberg 1995; reject where adjusted <= alpha.

    Controls the false discovery rate of independent or positively dependent tests. Raises
    ValueError for a p-value outside 0 .. 1 or nan.

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    return _step_up(p, 1.0)


def benjamini_yekutieli(p: npt.ArrayLike) -> Floats:
    """Adjusted p-values (n,) of Benjamini and Yekutieli 2001; reject where adjusted <= alpha.

    Controls the false discovery rate under any dependence, for nested or overlapping regions.
    Raises as `benjamini_hochberg` does.

    >>> benjamini_yekutieli([0.01, 0.04, 0.03]).round(3).tolist()
    [0.055, 0.073, 0.073]
    """
    return _step_up(p, float((1 / np.arange(1, np.size(p) + 1)).sum()))


def _step_up(p: npt.ArrayLike, penalty: float) -> Floats:
    values = _p_values(p)
    order = np.argsort(values)[::-1]
    size = len(values)
    scaled = values[order] * penalty * size / np.arange(size, 0, -1)
    return _put(order, np.minimum.accumulate(scaled))


def holm(p: npt.ArrayLike) -> Floats:
    """Adjusted p-values (n,) of Holm 1979; reject where adjusted <= alpha.

    Controls the family-wise error rate under any dependence. Raises as `benjamini_hochberg` does.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = _p_values(p)
    order = np.argsort(values)
    return _put(order, np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)))


def _p_values(p: npt.ArrayLike) -> Floats:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p must be a 1-D array of p-values between 0 and 1, without nan")
    return values


def _put(order: npt.NDArray[np.intp], ranked: Floats) -> Floats:
    adjusted = np.empty_like(ranked)
    adjusted[order] = np.minimum(ranked, 1.0)
    return adjusted


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """One entry a region; nan where a number has no meaning (see `verdicts`)."""

    expected: Floats  # probability that a run of uniform search visits the region
    p: Floats  # of the exact test
    adjusted: Floats  # corrected inside the testable family
    upper: Floats  # one-sided bound of the probability that a run of this strategy comes to it
    word: Words
    least: Ints  # visits with which a run counts as one that came; 1: any visit
    came: Ints  # runs with so many visits
    chance: Floats  # probability that a run of uniform search makes so many


def verdicts(
    mu: npt.ArrayLike,
    budget: int,
    visited: npt.ArrayLike,
    runs: int,
    *,
    counts: npt.ArrayLike | None = None,
    excluded: npt.ArrayLike | None = None,
    deterministic: bool = False,
    partition: bool = True,
    alpha: float = 0.05,
) -> Verdicts:
    """What a strategy did with each region, against uniform search with the same budget.

    `mu` (regions,) is the measure in the declared space, `visited` (regions,) how many of the
    independent `runs` came there within `budget` evaluations, `counts` (runs, regions) how often
    each came, `excluded` (regions,) bool what is not in the declared space at all. With `counts`,
    regions that uniform search hardly ever misses are tested by runs that come there less than
    half as often as a uniform run (`least_visits`); without, every region by any visit.

    Excluded regions stay out of the family of tests, and so does what is too small ever to be
    significant (Tarone 1990). The rest is corrected by Benjamini-Hochberg where the regions are a
    `partition`, by Benjamini-Yekutieli where they overlap. Then a significant region is NEVER_SEEN
    if no run came, NEGLECTED if the 1 - alpha upper bound on the probability that a run comes is
    below half of what uniform search has; everything else is NO_EVIDENCE, which does not mean
    visited. A `deterministic` strategy is one sample, so it has no p-value: its unvisited regions
    are BY_CONSTRUCTION.

    Raises ValueError for arrays of different lengths, counts outside 0 .. runs, counts that do
    not agree with `visited`, or an excluded region that was visited.

    >>> found = verdicts([0.5, 0.3, 0.2, 0.0], 20, [10, 1, 0, 0], 10,
    ...                  excluded=[False, False, False, True])
    >>> found.word.tolist()
    ['no evidence', 'neglected', 'never seen', 'excluded']
    >>> counts = [[16, 4]] * 10  # every run visits both halves: one of them four times in twenty
    >>> verdicts([0.5, 0.5], 20, [10, 10], 10, counts=counts).word.tolist()
    ['no evidence', 'neglected']
    """
    mass = np.asarray(mu, dtype=np.float64)
    seen = np.asarray(visited, dtype=np.int64)
    out = np.zeros(mass.shape, np.bool_) if excluded is None else np.asarray(excluded, np.bool_)
    _check_regions(mass, seen, out)
    expected = np.where(out, np.nan, visit_chance(np.where(out, 0.0, mass), budget))
    least, came = np.ones(len(mass), np.int64), seen
    family = np.flatnonzero(~out)
    if counts is not None and not deterministic:
        each = _check_visits(np.asarray(counts), seen, runs)
        least[family] = least_visits(mass[family], budget, runs, alpha)
        came = (each >= least).sum(axis=0)
    chance = expected.copy()
    chance[family] = -np.expm1(_log_fewer(mass[family], budget, least[family]))
    if deterministic:
        nothing = np.full(len(mass), np.nan)
        words = np.where(out, EXCLUDED, np.where(seen > 0, NO_EVIDENCE, BY_CONSTRUCTION))
        return Verdicts(expected, nothing, nothing, nothing, words, least, came, chance)
    p = np.where(out, np.nan, visit_p_value(came, runs, np.where(out, 0.0, chance)))
    upper = np.where(out, np.nan, visit_upper_bound(came, runs, 1 - alpha))
    smallest = runs * _log_fewer(mass[family], budget, least[family])
    family = family[_largest_family(smallest, alpha)]
    adjusted = np.full(len(mass), np.nan)
    correct = benjamini_hochberg if partition else benjamini_yekutieli
    adjusted[family] = correct(p[family])
    significant = adjusted <= alpha
    words = np.full(len(mass), UNTESTABLE, dtype=f"<U{len(BY_CONSTRUCTION)}")
    words[family] = NO_EVIDENCE
    words[significant & (upper < chance / 2)] = NEGLECTED
    words[significant & (seen == 0)] = NEVER_SEEN
    words[out] = EXCLUDED
    return Verdicts(expected, p, adjusted, upper, words, least, came, chance)


def _check_visits(counts: npt.NDArray[Any], seen: Ints, runs: int) -> npt.NDArray[Any]:
    if counts.shape != (runs, len(seen)):
        raise ValueError(f"counts need one row a run and one column a region, not {counts.shape}")
    if not np.array_equal((counts > 0).sum(axis=0), seen):
        raise ValueError("visited has to be the number of runs with a visit in counts")
    return counts


def _check_regions(mass: Floats, count: Ints, out: Bools) -> None:
    if not (mass.ndim == 1 and mass.shape == count.shape == out.shape):
        raise ValueError(
            "mu, visited and excluded need one entry a region, but their shapes are "
            f"{mass.shape}, {count.shape} and {out.shape}"
        )
    if (count[out] > 0).any():
        raise ValueError("a region outside the declared space was visited; check the labels")


def expected_occupied(mass: npt.ArrayLike, budget: npt.ArrayLike) -> Floats:
    """Expected number of cells that uniform search visits: the sum of 1 - (1 - mass)^budget.

    `mass` (cells,) are the cells' measures; returns the shape of `budget`. Raises ValueError for
    a measure outside 0 .. 1.

    >>> round(1024 - float(expected_occupied(np.full(1024, 1 / 1024), 3_000)), 1)
    54.6
    """
    cells, times = np.unique(np.asarray(mass, dtype=np.float64), return_counts=True)
    chance = visit_chance(cells, np.asarray(budget)[..., None])
    return np.asarray(chance @ times.astype(np.float64), dtype=np.float64)

"""Two strategies (or two spaces) compared: paired differences, effect sizes, tests, a posterior.

Everything is minimised: a negative difference, or an A12 above 1/2, speaks for the first. Values
are (instances, repetitions) arrays whose entries are paired, inf where a run never succeeded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from hpo_lab.statistics._arrays import Floats
from hpo_lab.statistics.intervals import bootstrap_mean, bootstrap_median, lower_median

Direction = Literal["less", "greater", "two-sided"]
NO_INTERVAL = (float("nan"), float("nan"))
LARGEST_EXACT = 200  # pairs whose signed ranks are enumerated; the normal limit is good long before
CLUSTERS = 5  # independent values below which there is no interval over them, nor a posterior


def paired_differences(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Return first - second (instances, repetitions), pair by pair.

    A 1-D array is one instance. Two runs that both never succeeded (inf) are equal: 0. Raises
    ValueError for different shapes, nothing in them, or nan.

    >>> paired_differences([1.0, np.inf, 2.0], [2.0, np.inf, np.inf]).tolist()
    [[-1.0, 0.0, -inf]]
    """
    a, b = _values(first), _values(second)
    if a.shape != b.shape:
        raise ValueError(f"pairs need arrays of one shape, not {a.shape} and {b.shape}")
    same = a == b
    return np.where(same, 0.0, np.where(same, 0.0, a) - np.where(same, 0.0, b))


def _values(given: npt.ArrayLike) -> Floats:
    values = np.atleast_2d(np.asarray(given, dtype=np.float64))
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"values must be (instances, repetitions), not of shape {values.shape}")
    if np.isnan(values).any():
        raise ValueError("values must not be nan; a run that never succeeded has inf")
    return values


def independent_differences(differences: npt.ArrayLike) -> Floats:
    """Return the paired differences that tests may treat as independent.

    Of one instance the repetitions (R,); of several, one a instance (I,): the mean over its
    repetitions, or the median everywhere where some difference is infinite. Repetitions on one
    instance say nothing about the next instance, so they are not counted as evidence about it.
    Raises as `paired_differences` does.

    >>> independent_differences([[1.0, 3.0], [2.0, 2.0], [0.0, 1.0]]).tolist()
    [2.0, 2.0, 0.5]
    """
    runs = _values(differences)
    if len(runs) == 1:
        return np.asarray(runs[0])
    if np.isfinite(runs).all():
        return np.asarray(runs.mean(axis=1))
    return lower_median(runs)


def improvement_placements(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Return what each pair of runs contributes to A12, (instances, repetitions).

    With c_ij = 1 where first_i < second_j, 1/2 where they are equal, and A its mean over i and j,
    pair k has mean_j c_kj + mean_i c_ik - A: the structural components of DeLong et al. 1988, eq.
    5, summed because pairs are drawn together. Their mean within an instance is its A12. Raises
    ValueError as `paired_differences` does.

    >>> improvement_placements([1.0, 2.0], [3.0, 1.5]).tolist()
    [[1.25, 0.25]]
    """
    a, b = _values(first), _values(second)
    if a.shape != b.shape:
        raise ValueError(f"pairs need arrays of one shape, not {a.shape} and {b.shape}")
    return np.stack([_placements(x, y) for x, y in zip(a, b, strict=True)])


def _placements(x: Floats, y: Floats) -> Floats:
    wins = _share_above(x, y)
    return np.asarray(wins + (1 - _share_above(y, x)) - wins.mean())


def _share_above(x: Floats, y: Floats) -> Floats:
    """Of each x, the share of y above it, equals counting half."""
    ranked = np.sort(y)
    not_above = np.searchsorted(ranked, x, "right") + np.searchsorted(ranked, x, "left")
    return np.asarray(1 - not_above / (2 * len(y)))


def a12(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the probability that a run of the first is better than a run of the second.

    P(first < second) + P(equal) / 2 over all pairs of runs on an instance, then the mean over
    instances, which weigh the same: on one instance Vargha and Delaney's A12 (2000, eq. 1), over
    tasks the probability of improvement of Agarwal et al. 2021. The two need the same number of
    instances, not of repetitions. Raises ValueError for shapes that do not fit, and nan.

    >>> a12([1.0, 2.0], [3.0, 1.5])
    0.75
    """
    a, b = _values(first), _values(second)
    if len(a) != len(b):
        raise ValueError(f"both need the same instances, not {len(a)} and {len(b)}")
    return float(np.mean([_share_above(x, y).mean() for x, y in zip(a, b, strict=True)]))


probability_of_improvement = a12


def a12_interval(
    first: npt.ArrayLike, second: npt.ArrayLike, *, level: float = 0.95
) -> tuple[float, float] | None:
    """Return the confidence interval of `a12` for paired runs, clustered on instances.

    `share_interval` of the pairs' `improvement_placements`, so pairs are kept together. None where
    nothing varies between the clusters: so it is too where every run of one beats every run of
    the other. Raises ValueError as `paired_differences` does.

    >>> rng = np.random.default_rng(0)
    >>> low, high = a12_interval(rng.normal(size=30), rng.normal(1, size=30))
    >>> 0.5 < low < high < 1
    True
    """
    return share_interval(improvement_placements(first, second), level=level)


def share_interval(values: npt.ArrayLike, *, level: float = 0.95) -> tuple[float, float] | None:
    """Return the confidence interval of a probability, the mean of (instances, repetitions).

    With A the mean and s its standard error, from the repetitions of one instance or from the
    means of several, the interval is A -+ t s on the scale of the logit, t Student's quantile:
    it stays inside 0 .. 1, where the studentised bootstrap of a few wins in thirty runs reaches
    the ends. None where nothing varies, or where A is 0 or 1. Raises ValueError for a wrong shape.
    Coverage of A12 at a nominal 95 %, normal values 0 to 1.5 standard deviations apart, pairs
    correlated or not, 1,500 samples each: .975 to .989 at 10 pairs, .953 to .974 at 30, .946 to
    .960 at 100.

    Source: Pepe 2003, *The Statistical Evaluation of Medical Tests*, section 5.2.4, with the
    variance of DeLong et al. 1988.

    >>> low, high = share_interval([[1.0] * 3 + [0.0] * 27])
    >>> round(low, 3), round(high, 3)
    (0.03, 0.283)
    """
    from scipy.special import expit, logit, stdtrit

    runs = _values(values)
    clusters = runs[0] if len(runs) == 1 else runs.mean(axis=1)
    share, n = float(clusters.mean()), len(clusters)
    if n < 2 or np.ptp(clusters) < 1e-12 or not 1e-12 < share < 1 - 1e-12:
        return None
    error = float(clusters.std(ddof=1)) / np.sqrt(n) / (share * (1 - share))
    reach = float(stdtrit(n - 1, (1 + level) / 2)) * error
    return float(expit(logit(share) - reach)), float(expit(logit(share) + reach))


def signed_rank_p_value(
    differences: npt.ArrayLike, direction: Direction = "two-sided", *, exact: bool | None = None
) -> float:
    """Return the p-value of Wilcoxon's signed-rank test of independent paired differences (n,).

    Zeros are dropped; infinite differences have the largest ranks. Up to 200 pairs the
    distribution over all signs of the ranks is enumerated, ties included, so the test is exact
    and conservative; beyond, or with ``exact=False``, the normal limit of scipy. ``less`` asks
    whether the differences lie below 0. Returns 1 where no difference is left. Raises ValueError
    for a direction that is none, a wrong shape, or nan.

    Source: Wilcoxon 1945; recommended for pairs over data sets by Demsar 2006, section 3.1.3.

    >>> signed_rank_p_value([-1.0, -2.0, -3.0, -4.0, -5.0], "less")
    0.03125
    """
    if direction not in ("less", "greater", "two-sided"):
        raise ValueError(f"direction must be less, greater or two-sided, not {direction!r}")
    d = _finite(differences)
    d = d[d != 0]
    if not len(d):
        return 1.0
    if exact is False or (exact is None and len(d) > LARGEST_EXACT):
        from scipy.stats import wilcoxon

        return float(wilcoxon(d, alternative=direction, method="approx").pvalue)
    below, above = _signed_rank_tails(d)
    tails = {"less": below, "greater": above, "two-sided": 2 * min(below, above)}
    return min(1.0, tails[direction])


def _finite(differences: npt.ArrayLike) -> Floats:
    """The differences (n,), infinite ones put beyond all others: ranks and signs stay."""
    d = np.asarray(differences, dtype=np.float64)
    if d.ndim != 1 or not len(d) or np.isnan(d).any():
        raise ValueError("differences must be a 1-D array with an entry a pair, none of them nan")
    most = float(np.abs(d[np.isfinite(d)]).max(initial=0.0))
    return np.where(np.isfinite(d), d, np.copysign(4 * most + 1, d))


def _signed_rank_tails(d: Floats) -> tuple[float, float]:
    """P(W+ <= w) and P(W+ >= w) over all 2^n signs; ranks are doubled to be whole."""
    from scipy.stats import rankdata

    ranks = np.round(2 * rankdata(np.round(np.abs(d), 12))).astype(np.int64)
    chance = np.zeros(int(ranks.sum()) + 1)
    chance[0] = 1.0
    for rank in ranks:
        moved = np.zeros_like(chance)
        moved[rank:] = chance[:-rank]
        chance = (chance + moved) / 2
    seen = int(ranks[d > 0].sum())
    return float(chance[: seen + 1].sum()), float(chance[seen:].sum())


@dataclass(frozen=True, slots=True)
class Posterior:
    """Probabilities, given the data, that the first is better, as good, or worse; they sum to 1."""

    better: float
    equivalent: float
    worse: float


def bayesian_signed_rank(
    differences: npt.ArrayLike,
    rope: float,
    *,
    prior: float = 0.5,
    draws: int = 10_000,
    seed: int = 0,
) -> Posterior:
    """Return the Bayesian signed-rank test with a region of practical equivalence of +- rope.

    ``differences`` (n,) are independent and paired, first - second; they are joined by a pseudo-
    observation of 0 with weight ``prior``. Each of the ``draws`` weighs them by a Dirichlet
    (prior, 1, .., 1) vector w and asks which of the three has the most weight w_i w_j: pairs
    whose mean (d_i + d_j) / 2 lies below -rope, within, or above; on an edge half counts. The
    share of draws that each wins is its probability, with a standard error of at most 0.005.
    Raises ValueError for a negative rope, a wrong shape or nan.

    Source: Benavoli et al. 2014 (ICML), eq. 9; the region: Benavoli et al. 2017 (JMLR 18),
    section 4.2.

    >>> bayesian_signed_rank(np.linspace(-3, -2, 20), 0.1)
    Posterior(better=1.0, equivalent=0.0, worse=0.0)
    """
    if not (rope >= 0 and prior > 0 and draws >= 1):
        raise ValueError("rope must be at least 0, prior above 0, draws at least 1")
    d = np.append(0.0, _finite(differences))
    order = np.argsort(d, kind="stable")
    means = (d[order][:, None] + d[order]) / 2  # rows and columns rise
    below = (means < -rope).sum(axis=1), (means <= -rope).sum(axis=1)
    not_above = (means <= rope).sum(axis=1), (means < rope).sum(axis=1)
    won = np.zeros(3)
    size = max(1, 2_000_000 // len(d))  # draws at a time, to bound memory
    for block, start in enumerate(range(0, draws, size)):
        count = min(size, draws - start)
        w = _dirichlet(len(d), prior, count, seed, block)[order]
        up_to = np.concatenate([np.zeros((1, count)), np.cumsum(w, axis=0)])
        left = (w * (up_to[below[0]] + up_to[below[1]])).sum(axis=0) / 2
        right = 1 - (w * (up_to[not_above[0]] + up_to[not_above[1]])).sum(axis=0) / 2
        winners = np.argmax(np.stack([left, 1 - left - right, right]), axis=0)
        won += np.bincount(winners, minlength=3)
    return Posterior(*(won / draws).tolist())


@lru_cache(maxsize=8)
def _dirichlet(size: int, prior: float, draws: int, seed: int, block: int) -> Floats:
    """Draws (size, draws) of Dirichlet (prior, 1, .., 1), kept: every comparison needs them."""
    shape = np.where(np.arange(size) == 0, prior, 1.0)[:, None]
    w = np.random.default_rng([seed, block]).standard_gamma(shape, (size, draws))
    w /= w.sum(axis=0)
    return w


@dataclass(frozen=True, slots=True)
class Paired:
    """A paired comparison, first against second; nan where a number has no meaning."""

    pairs: int  # independent ones
    clustered: bool  # whether they are instances; repetitions on one instance otherwise
    mean: float  # of first - second; nan where a run never succeeded
    mean_interval: tuple[float, float]
    median: float
    median_interval: tuple[float, float]
    improvement: float  # share of the pairs in which the first is better, equals counting half
    improvement_interval: tuple[float, float]
    a12: float
    a12_interval: tuple[float, float]
    p: float  # of the signed-rank test
    posterior: Posterior


def compare(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    rope: float,
    *,
    varies: bool = True,
    direction: Direction = "two-sided",
) -> Paired:
    """Compare paired values (instances, repetitions): effects with intervals, test, posterior.

    Where the repetitions do not vary (``varies=False``: deterministic strategies) one of them is
    looked at, so that one instance is n = 1 without interval, p-value or posterior. Intervals
    (95 %: `bootstrap_mean`, `bootstrap_median`, and `share_interval` for the two shares; all
    clustered on instances) need 30 repetitions of one instance, or 30 runs of at least 5
    instances, see `has_intervals`; a posterior needs 5 independent pairs. Raises ValueError as
    the functions that it calls do.

    >>> rng = np.random.default_rng(0)
    >>> found = compare(rng.normal(size=30), rng.normal(2, size=30), rope=0.1)
    >>> found.pairs, found.p < 0.01, found.a12 > 0.8
    (30, True, True)
    """
    a, b = _values(first), _values(second)
    if not varies:
        a, b = a[:, :1], b[:, :1]
    d = paired_differences(a, b)
    independent = independent_differences(d)
    tested, believable = len(independent) > 1, len(independent) >= CLUSTERS
    unknown = Posterior(*(float("nan"),) * 3)
    finite = bool(np.isfinite(d).all())
    better = np.asarray((d < 0) + 0.5 * (d == 0), dtype=np.float64)
    shown = has_intervals(*d.shape)
    return Paired(
        pairs=len(independent),
        clustered=len(d) > 1,
        mean=float(d.mean()) if finite else float("nan"),
        mean_interval=(shown and finite and bootstrap_mean(d)) or NO_INTERVAL,
        median=_median(d),
        median_interval=(shown and bootstrap_median(d)) or NO_INTERVAL,
        improvement=float(better.mean()),
        improvement_interval=(shown and share_interval(better)) or NO_INTERVAL,
        a12=a12(a, b),
        a12_interval=(shown and a12_interval(a, b)) or NO_INTERVAL,
        p=signed_rank_p_value(independent, direction) if tested else float("nan"),
        posterior=bayesian_signed_rank(independent, rope) if believable else unknown,
    )


def _median(d: Floats) -> float:
    """The median; nan where it lies between -inf and inf."""
    low, high = float(lower_median(d.ravel())), -float(lower_median(-d.ravel()))
    return low if low == high else (low + high) / 2


def has_intervals(instances: int, repetitions: int) -> bool:
    """Return whether so many runs are enough for an interval; below, show the points.

    >>> has_intervals(1, 30), has_intervals(2, 30), has_intervals(15, 2), has_intervals(1, 29)
    (True, False, True, False)
    """
    return instances * repetitions >= 30 and (instances == 1 or instances >= CLUSTERS)

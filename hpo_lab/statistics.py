"""Statistics of arrays: intervals, visit tests, and random search in closed form.

Everything is minimised. Arrays come in and arrays go out; nothing here knows what a run is.

* `bootstrap_mean`, `bootstrap_means`, `resampled_runs`: intervals over instances and repetitions
* `visit_p_value` ... `verdicts`: which regions did a strategy leave unseen, against uniform search
* `random_search_curve`, `winning_budgets`, `break_even`: exact expectations on a finite table
* `price_against_chance`: is the price of an assumption more than that of removing points at random?
* `power_law_regret`, `expected_occupied`: two closed forms
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.str_]

MINIMUM_REPETITIONS = 30
"""Below this many repetitions show the points, not an interval (see `bootstrap_means`)."""

EXCLUDED = "excluded"
NEVER_SEEN = "never seen"
NEGLECTED = "neglected"
NO_EVIDENCE = "no evidence"
UNTESTABLE = "untestable"
BY_CONSTRUCTION = "never, by construction"

_SAME = 1e-12  # two values of a landscape closer than this (relative above 1) are one value


# --- Intervals -----------------------------------------------------------------------------------


def resampled_runs(
    instances: int, repetitions: int, *, resamples: int = 2_000, seed: int = 0
) -> Ints:
    """Run indices of a cluster bootstrap: instances are drawn, then repetitions within each.

    Returns (resamples, instances, repetitions) indices into the flattened (instances *
    repetitions) runs, for statistics other than the mean (a break-even budget, say). An instance
    that is drawn twice gets two independent draws of its repetitions. One instance is never
    resampled itself: its repetitions are. Raises ValueError for a size below 1.

    Source: Davison and Hinkley 1997, *Bootstrap Methods and their Application*, section 3.8.

    >>> resampled_runs(2, 3, resamples=5).shape
    (5, 2, 3)
    """
    if min(instances, repetitions, resamples) < 1:
        raise ValueError("resampling needs at least one instance, one repetition, one resample")
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, instances, (resamples, instances, 1))
    within = rng.integers(0, repetitions, (resamples, instances, repetitions))
    return np.asarray(chosen * repetitions + within, dtype=np.int64)


def bootstrap_mean(
    values: npt.ArrayLike, *, level: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> tuple[float, float] | None:
    """Confidence interval of the mean of (instances, repetitions) values, clustered on instances.

    A 1-D array is one instance. Returns (low, high) in the unit of the values, or None where
    nothing varies between the clusters (a deterministic strategy, a single run): print n = 1 and
    no interval. It works below `MINIMUM_REPETITIONS`, but there callers should show the points.
    The method and its measured coverage are those of `bootstrap_means`. Raises ValueError for
    values that are not finite: a run without success has no mean, so report the median.

    >>> low, high = bootstrap_mean([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    >>> low < 3.5 < high
    True
    >>> bootstrap_mean([2.0, 2.0, 2.0]) is None
    True
    """
    runs = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if runs.ndim != 2:
        raise ValueError(f"values must be (instances, repetitions), not of shape {runs.shape}")
    if not np.isfinite(runs).all():
        raise ValueError("values must be finite; report medians where some run never succeeded")
    low, high = bootstrap_means(runs[:, :, None], level=level, resamples=resamples, seed=seed)[0]
    return None if np.isnan(low) else (float(low), float(high))


def bootstrap_means(
    values: npt.ArrayLike, *, level: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> Floats:
    """Confidence intervals of many means at once, all from the same resampled runs.

    `values` is (instances, repetitions, columns), for instance one column a budget; returns
    (columns, 2), low and high, nan where the clusters do not vary or a value is not finite.
    With several instances the clusters are the instances, with one they are its repetitions.

    The interval is studentised (bootstrap-t; Efron and Tibshirani 1993, eq. 12.22) and falls back
    to BCa (their eq. 14.10, with Student's quantile in the normal one's place as in Hesterberg
    2015, section 5.3) where too many resamples lack variation for a finite limit, as happens when
    a few runs in many carry all the regret. Coverage of nominal 95 % intervals, 10,000 samples:

    ============================  =====  =====  =====
    repetitions                      10     30    100  (plain BCa at 10, 30 and 100)
    ============================  =====  =====  =====
    normal                         .951   .951   .948  (.90 .94 .94)
    exponential                    .943   .945   .954  (.88 .93 .94)
    gamma, shape 1/2               .931   .946   .949  (.86 .92 .94)
    log-normal, sigma 1            .906   .927   .937  (.83 .89 .93)
    half zeros, else exponential   .944   .955   .953  (.86 .92 .94)
    4/5 zeros, else exponential    .770   .954   .960  (.73 .90 .94)
    ============================  =====  =====  =====

    Resampling both stages inflates the variance of the mean by the variance within instances;
    dividing each resample by its own standard error takes that out again (coverage .92 to .95 for
    5 to 30 instances, where plain BCa gives .81 to .99). Raises ValueError for a wrong shape or
    for fewer resamples than the level needs.

    >>> runs = np.random.default_rng(1).exponential(size=(1, 30, 4))
    >>> bootstrap_means(runs).shape
    (4, 2)
    """
    runs = np.asarray(values, dtype=np.float64)
    if runs.ndim != 3 or runs.size == 0:
        raise ValueError(
            f"values must be (instances, repetitions, columns), none of them 0; got {runs.shape}"
        )
    rank = int((resamples + 1) * (1 - level) / 2)  # rounding outwards: never too narrow
    if not 0 < level < 1 or rank < 1:
        raise ValueError(
            f"a level of {level} needs 0 < level < 1 and at least 2 / (1 - level) resamples"
        )
    if runs.shape[0] == 1:
        runs = runs.transpose(1, 0, 2)  # the repetitions are the clusters
    draws = resampled_runs(runs.shape[0], runs.shape[1], resamples=resamples, seed=seed)
    varies = _clusters_vary(runs)
    intervals = np.full((runs.shape[2], 2), np.nan)
    width = max(1, 4_000_000 // (resamples * len(runs)))  # columns at a time, to bound memory
    for start in range(0, len(intervals), width):
        block = np.arange(start, min(start + width, len(intervals)))[varies[start : start + width]]
        intervals[block] = _intervals(runs[:, :, block], draws, rank, level)
    return intervals


def _clusters_vary(runs: Floats) -> Bools:
    finite = np.isfinite(runs).all(axis=(0, 1))
    safe = np.where(finite, runs, 0.0)
    spread = np.ptp(safe.mean(axis=1), axis=0)
    rounding = 1e-13 * np.abs(safe).max(axis=(0, 1))  # means of equal values can differ by an ulp
    return np.asarray(spread > rounding)


def _intervals(runs: Floats, draws: Ints, rank: int, level: float) -> Floats:
    """(columns, 2) for runs (clusters, repetitions, columns) that vary between clusters."""
    clusters = len(runs)
    means = runs.mean(axis=1)
    centre = means.mean(axis=0)
    spread = means.std(axis=0)
    scaled = (runs - centre) / spread  # so that squares do not cancel
    sums, squares = _resampled_moments(scaled, draws)
    variance = np.maximum(squares - sums**2, 0.0)
    flat = variance <= 1e-18  # a resample of one value, repeated: no finite ratio, unless 0
    ratio = sums / np.sqrt(np.where(flat, 1.0, variance))
    ratio = np.sort(np.where(flat & (sums != 0), np.copysign(np.inf, sums), ratio), axis=0)
    limits = np.stack([-ratio[-rank], -ratio[rank - 1]], axis=-1)
    lost = ~np.isfinite(limits).all(axis=1)
    if lost.any():
        z = _expanded_normal(level, clusters)
        limits[lost] = _bca((means[:, lost] - centre[lost]) / spread[lost], sums[:, lost], z)
    return np.asarray(centre[:, None] + limits * spread[:, None])


def _resampled_moments(runs: Floats, draws: Ints) -> tuple[Floats, Floats]:
    """Mean and mean square of the cluster means in each resample, both (resamples, columns)."""
    clusters, repetitions, columns = runs.shape
    resamples = len(draws)
    if repetitions == 1:  # counting how often each cluster was drawn is enough
        counts = _row_counts(draws[:, :, 0], clusters) / clusters
        return counts @ runs[:, 0], counts @ runs[:, 0] ** 2
    slots = draws.reshape(-1, repetitions)
    chosen = slots[:, 0] // repetitions
    drawn = np.empty((len(slots), columns))
    for cluster in range(clusters):
        mine = chosen == cluster
        counts = _row_counts(slots[mine] - cluster * repetitions, repetitions)
        drawn[mine] = counts @ runs[cluster] / repetitions
    slot_means = drawn.reshape(resamples, clusters, columns)
    return slot_means.mean(axis=1), (slot_means**2).mean(axis=1)


def _row_counts(rows: Ints, size: int) -> Floats:
    """How often each of 0 .. size - 1 occurs in each row."""
    flat = rows + size * np.arange(len(rows))[:, None]
    counts = np.bincount(flat.ravel(), minlength=len(rows) * size)
    return counts.reshape(len(rows), size).astype(np.float64)


def _expanded_normal(level: float, clusters: int) -> float:
    """Student's quantile, scaled for the bootstrap's variance (n - 1) / n (Hesterberg 2015)."""
    from scipy.special import stdtrit

    return float(np.sqrt(clusters / (clusters - 1)) * stdtrit(clusters - 1, (1 + level) / 2))


def _bca(means: Floats, resampled: Floats, z: float) -> Floats:
    """Bias-corrected accelerated limits (columns, 2) of the mean of centred cluster means."""
    from scipy.special import ndtr, ndtri

    size = len(resampled)
    below = (resampled < 0).mean(axis=0) + 0.5 * (resampled == 0).mean(axis=0)
    bias = ndtri(np.clip(below, 1 / (size + 1), size / (size + 1)))
    acceleration = (means**3).sum(axis=0) / (6 * (means**2).sum(axis=0) ** 1.5)  # the jackknife's
    shifted = bias[:, None] + np.array([-z, z])
    share = ndtr(bias[:, None] + shifted / (1 - acceleration[:, None] * shifted)) * (size + 1)
    ranks = np.stack([np.floor(share[:, 0]), np.ceil(share[:, 1])]) - 1
    order = np.clip(ranks, 0, size - 1).astype(np.int64)
    return np.asarray(np.take_along_axis(np.sort(resampled, axis=0), order, axis=0).T)


# --- Visits against uniform search ---------------------------------------------------------------


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
    if not ((mass >= -_SAME) & (mass <= 1 + 1e-9)).all():
        raise ValueError("the measure of a region must lie between 0 and 1")
    return np.asarray(-np.expm1(_log_miss(mass, budget)), dtype=np.float64)


def _log_miss(mass: Floats, draws: npt.ArrayLike) -> Floats:
    """Log of the probability that none of so many draws hits a region."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log1p(-np.clip(mass, 0.0, 1.0)) * np.asarray(draws))


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
    smallest = np.maximum(_log_miss(mass, budget * runs), -1e300)  # log p-value of no visit at all
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
    p: Floats  # of the exact visit test
    adjusted: Floats  # corrected inside the testable family
    upper: Floats  # one-sided bound of the probability that a run of this strategy visits it
    word: Words


def verdicts(
    mu: npt.ArrayLike,
    budget: int,
    visited: npt.ArrayLike,
    runs: int,
    *,
    excluded: npt.ArrayLike | None = None,
    deterministic: bool = False,
    partition: bool = True,
    alpha: float = 0.05,
) -> Verdicts:
    """What a strategy did with each region, against uniform search with the same budget.

    `mu` (regions,) is the measure in the declared space, `visited` (regions,) how many of the
    independent `runs` came there within `budget` evaluations, `excluded` (regions,) bool what is
    not in the declared space at all. Excluded regions stay out of the family of tests, and so
    does what is too small (`is_testable`). The rest is corrected by Benjamini-Hochberg where the
    regions are a `partition`, by Benjamini-Yekutieli where they overlap. Then a significant
    region is NEVER_SEEN if no run came, NEGLECTED if the 1 - alpha upper bound on the visit
    probability is below half of what uniform search has; everything else is NO_EVIDENCE, which
    does not mean visited. A `deterministic` strategy is one sample, so it has no p-value: its
    unvisited regions are BY_CONSTRUCTION.

    Raises ValueError for arrays of different lengths, counts outside 0 .. runs, or an excluded
    region that was visited.

    >>> found = verdicts([0.5, 0.3, 0.2, 0.0], 20, [10, 1, 0, 0], 10,
    ...                  excluded=[False, False, False, True])
    >>> found.word.tolist()
    ['no evidence', 'neglected', 'never seen', 'excluded']
    """
    mass = np.asarray(mu, dtype=np.float64)
    count = np.asarray(visited, dtype=np.int64)
    out = np.zeros(mass.shape, np.bool_) if excluded is None else np.asarray(excluded, np.bool_)
    _check_regions(mass, count, out)
    expected = np.where(out, np.nan, visit_chance(np.where(out, 0.0, mass), budget))
    if deterministic:
        nothing = np.full(len(mass), np.nan)
        words = np.where(out, EXCLUDED, np.where(count > 0, NO_EVIDENCE, BY_CONSTRUCTION))
        return Verdicts(expected, nothing, nothing, nothing, words)
    p = np.where(out, np.nan, visit_p_value(count, runs, np.where(out, 0.0, expected)))
    upper = np.where(out, np.nan, visit_upper_bound(count, runs, 1 - alpha))
    family = np.flatnonzero(~out)
    family = family[is_testable(mass[family], budget, runs, alpha)]
    adjusted = np.full(len(mass), np.nan)
    correct = benjamini_hochberg if partition else benjamini_yekutieli
    adjusted[family] = correct(p[family])
    significant = adjusted <= alpha
    words = np.full(len(mass), UNTESTABLE, dtype=f"<U{len(BY_CONSTRUCTION)}")
    words[family] = NO_EVIDENCE
    words[significant & (upper < expected / 2)] = NEGLECTED
    words[significant & (count == 0)] = NEVER_SEEN
    words[out] = EXCLUDED
    return Verdicts(expected, p, adjusted, upper, words)


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


# --- Random search on a finite table -------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class RandomSearchCurve:
    """Expected truth of random search's incumbent after n draws, as a sum of exponentials.

    E(n) = limit + sum_j coefficients_j * exp(n * log_bases_j) / (1 - exp(n * log_failure)),
    given that at least one draw succeeded. Build it with `random_search_curve`.
    """

    limit: float  # as n goes to infinity: the mean truth at the best observed value
    coefficients: Floats  # (groups,)
    log_bases: Floats  # (groups,), all below 0 and above or at log_failure
    log_failure: float  # log of the probability that one draw fails

    def expected(self, budgets: npt.ArrayLike) -> Floats:
        """Expectations (len(budgets),) after these whole numbers of draws, each at least 1."""
        n = _draws(budgets)
        total = np.empty(len(n))
        rows = max(1, 4_000_000 // max(1, len(self.log_bases)))
        for start in range(0, len(n), rows):
            part = slice(start, start + rows)
            powers = np.exp(np.outer(n[part], self.log_bases))
            powers *= self.coefficients
            total[part] = powers.sum(axis=1)  # a BLAS product would round by the number of threads
        return np.asarray(self.limit - total / np.expm1(n * self.log_failure))

    def failure(self, budgets: npt.ArrayLike) -> Floats:
        """Probabilities (len(budgets),) that all of so many draws fail."""
        return np.asarray(np.exp(_draws(budgets) * self.log_failure))


def _draws(budgets: npt.ArrayLike) -> Floats:
    n = np.atleast_1d(np.asarray(budgets, dtype=np.float64))
    if n.ndim != 1 or not (n >= 1).all():
        raise ValueError("budgets must be a 1-D array of whole numbers, each at least 1")
    return n


def random_search_curve(
    mass: npt.ArrayLike, observed: npt.ArrayLike, truth: npt.ArrayLike
) -> RandomSearchCurve:
    """Random search on a table in closed form, to minimise what is observed.

    `mass` (points,) is the probability that a draw (with replacement) hits each point, `observed`
    (points,) what the search is told, nan for a failure, and `truth` (points,) what counts. With
    g over the distinct observed values (after rounding to 1e-9) in increasing order, F_g the
    probability of at most g, m_g the mean truth at g and p the probability of a failure,

        E(n) = sum_g m_g [(1 - F_{g-1})^n - (1 - F_g)^n] / (1 - p^n).

    Pass truth as observed for the oracle's curve, the best truth seen. Raises ValueError for
    wrong shapes or masses, a truth missing where a value was observed, or no success at all.

    Source: order statistics of draws with replacement, as for the V-statistic of Tang et al.
    2020 and Dodge et al. 2021, here with ties, failures, and truth apart from what is observed.

    >>> curve = random_search_curve([0.25, 0.25, 0.5], [1.0, 2.0, np.nan], [10.0, 20.0, np.nan])
    >>> curve.expected([1, 1_000]).round(6).tolist(), curve.failure([2]).tolist()
    ([15.0, 10.0], [0.25])
    """
    weight, seen, value = (np.asarray(a, dtype=np.float64) for a in (mass, observed, truth))
    _check_table(weight, seen, value)
    weight = weight / weight.sum()
    success = ~np.isnan(seen) & (weight > 0)
    if not success.any():
        raise ValueError("no point with positive mass has a value, so there is nothing to expect")
    failed = float(weight[~success].sum())
    level, group = np.unique(np.round(seen[success], 9), return_inverse=True)
    share = np.bincount(group, weight[success], len(level)).astype(np.float64)
    # relative to one truth, so that equal truths give exactly equal means
    origin = float(value[success][0])
    means = np.bincount(group, weight[success] * (value[success] - origin), len(level)) / share
    return _curve(origin, means, share, failed)


def _check_table(weight: Floats, seen: Floats, value: Floats) -> None:
    if not (weight.ndim == 1 and weight.shape == seen.shape == value.shape):
        raise ValueError("mass, observed and truth need one entry a point each")
    if not ((weight >= 0) & np.isfinite(weight)).all() or not weight.sum() > 0:
        raise ValueError("masses must be finite and at least 0, not all of them 0")
    if np.isinf(seen).any() or not np.isfinite(value[~np.isnan(seen)]).all():
        raise ValueError("observed must be finite or nan, and truth finite where observed is")


def _curve(origin: float, means: Floats, share: Floats, failed: float) -> RandomSearchCurve:
    """Abel summation: each step of the group means times a power of the mass beyond it."""
    within = np.cumsum(share)[:-1]
    beyond = np.cumsum(np.append(failed, share[:0:-1]))[:0:-1]
    with np.errstate(divide="ignore"):
        # each logarithm from the side on which it has full precision
        log_failure = np.log(failed) if failed < 0.5 else np.log1p(-share.sum())
        log_bases = np.where(within < 0.5, np.log1p(-within), np.log(beyond))
    steps = np.diff(means)
    if failed > 0:
        steps = np.append(steps, means[0] - means[-1])
        log_bases = np.append(log_bases, log_failure)
    kept = np.abs(steps) > _SAME * max(1.0, np.abs(means).max())  # less is rounding of the means
    limit = origin + float(means[0])
    return RandomSearchCurve(limit, steps[kept], log_bases[kept], float(log_failure))


def winning_budgets(
    universe: RandomSearchCurve, declared: RandomSearchCurve
) -> list[tuple[int, int | None]]:
    """All maximal intervals of budgets at which the declared space expects the better truth.

    Returns [(first, last), ...] over whole numbers of draws, last None where it never ends. Every
    budget up to 4,096 is evaluated, and beyond it steps of less than 0.1 %, with each crossing
    refined to the exact budget, up to where the slowest exponential decides the sign for good. A
    win and a loss that both fit between two steps can be overlooked. Limits that agree to 1e-12
    are equal; then the difference is scaled by its slowest exponential, so that it keeps its sign
    however small it becomes. A difference within rounding of 0 is no win.

    >>> mass = np.array([0.01, 0.09, 0.9])
    >>> universe = random_search_curve(mass, [0.0, 1.0, 5.0], [0.0, 1.0, 5.0])
    >>> declared = random_search_curve([0.1, 0.9], [1.0, 2.0], [1.0, 2.0])
    >>> winning_budgets(universe, declared)
    [(1, 24)]
    """
    terms = _advantage(universe, declared)
    if len(terms[0]) == 0:
        return []
    budgets, wins = _scan(*terms)
    flips = np.flatnonzero(wins[1:] != wins[:-1])
    edges = [1] + [_first(*terms, int(budgets[i]), int(budgets[i + 1])) for i in flips]
    states = [bool(wins[0])] + [bool(wins[i + 1]) for i in flips]
    ends = [edge - 1 for edge in edges[1:]] + [None]
    return [(a, b) for a, b, state in zip(edges, ends, states, strict=True) if state]


def _advantage(universe: RandomSearchCurve, declared: RandomSearchCurve) -> tuple[Floats, Floats]:
    """Coefficients and log bases of a sum of exponentials with the sign of E_U(n) - E_S(n).

    The difference times both probabilities of a success, which turns the two quotients into one
    sum, largest base first; equal bases are merged, so that what the curves share cancels.
    """
    gap = universe.limit - declared.limit
    if abs(gap) <= _SAME * max(1.0, abs(universe.limit)):
        gap = 0.0
    u, s = universe.log_failure, declared.log_failure
    parts = [
        (np.array([gap, -gap, -gap, gap]), np.array([0.0, u, s, u + s])),
        (universe.coefficients, universe.log_bases),
        (-declared.coefficients, declared.log_bases),
    ]
    if u == s:  # both quotients have the same positive denominator, so it can stay
        parts[0] = (np.array([gap, -gap]), np.array([0.0, u]))
    else:
        parts += [
            (-universe.coefficients, universe.log_bases + s),
            (declared.coefficients, declared.log_bases + u),
        ]
    coefficients = np.concatenate([c for c, _ in parts])
    log_bases = np.concatenate([b for _, b in parts])
    real = (coefficients != 0) & np.isfinite(log_bases)
    return _merge_equal_bases(coefficients[real], log_bases[real])


def _merge_equal_bases(coefficients: Floats, log_bases: Floats) -> tuple[Floats, Floats]:
    if len(log_bases) == 0:
        return coefficients, log_bases
    order = np.argsort(-log_bases)
    c, b = coefficients[order], log_bases[order]
    first = np.flatnonzero(np.append(True, b[:-1] - b[1:] > _SAME * np.abs(b[1:])))
    merged = np.add.reduceat(c, first)
    kept = np.abs(merged) > _SAME * np.add.reduceat(np.abs(c), first)
    return merged[kept], b[first][kept]


def _scan(coefficients: Floats, log_bases: Floats) -> tuple[Ints, Bools]:
    """Budgets in increasing order, the last one where the sign is final, and which of them win."""
    budgets = [np.arange(1, 4_097)]
    wins = [_positive(coefficients, log_bases, np.arange(1, 4_097, 64), np.arange(64))]
    octave = 12
    while not _final(coefficients, log_bases, 2**octave) and octave < 53:
        step = 2 ** (octave - 10)
        coarse = 2**octave + step * np.arange(1, 1_025, 32)
        fine = step * np.arange(32)
        budgets.append(np.add.outer(coarse, fine).ravel())
        wins.append(_positive(coefficients, log_bases, coarse, fine))
        octave += 1
    return np.concatenate(budgets), np.concatenate(wins)


def _final(coefficients: Floats, log_bases: Floats, n: int) -> bool:
    """Does the slowest exponential outweigh all others together, from n on?"""
    rest = np.abs(coefficients[1:]) @ np.exp(n * (log_bases[1:] - log_bases[0]))
    return bool(2 * rest < abs(coefficients[0]))


def _positive(coefficients: Floats, log_bases: Floats, coarse: Ints, fine: Ints) -> Bools:
    """Is the sum positive beyond rounding, at every coarse + fine budget, coarse by coarse?

    Each power is a product of two, which takes len(coarse) + len(fine) exponentials a term
    instead of len(coarse) * len(fine), and a matrix product.
    """
    rate = log_bases - log_bases[0]
    alive = coarse[0] * rate > -700  # the others have underflown to nothing
    rate = rate[alive]
    left = np.exp(np.outer(coarse, rate)) * coefficients[alive]
    right = np.exp(np.outer(rate, fine))
    return np.asarray((left @ right > 1e-13 * (np.abs(left) @ right)).ravel())


def _first(coefficients: Floats, log_bases: Floats, before: int, after: int) -> int:
    """The first budget in (before, after] with the state that `after` has, by bisection."""

    def state(n: int) -> bool:
        return bool(_positive(coefficients, log_bases, np.array([n]), np.zeros(1, np.int64))[0])

    target = state(after)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if state(middle) == target else (middle, after)
    return after


def break_even(wins: list[tuple[int, int | None]] | None) -> tuple[int | None, str]:
    """The last budget at which the declared space wins, and its status.

    `wins` as from `winning_budgets`, or None where they are unknown. The status is 'never',
    'finite', 'unbounded' or 'unknown'; the value is None unless it is 'finite'.

    >>> break_even([(1, 5), (9, 20)]), break_even([(7, None)]), break_even([]), break_even(None)
    ((20, 'finite'), (None, 'unbounded'), (None, 'never'), (None, 'unknown'))
    """
    if wins is None:
        return None, "unknown"
    if not wins:
        return None, "never"
    last = wins[-1][1]
    return (None, "unbounded") if last is None else (last, "finite")


def power_law_regret(budget: npt.ArrayLike, c: npt.ArrayLike, gamma: npt.ArrayLike) -> Floats:
    """Expected regret of random search where the volume below f* + eps is (eps / c)^gamma.

    c Gamma(1 + 1/gamma) Gamma(T + 1) / Gamma(T + 1 + 1/gamma) after T = `budget` draws, in the
    unit of c; the arguments broadcast. Near a quadratic minimum gamma is half the dimension, and
    half more for each face of the box that holds the optimum back. Raises ValueError unless all
    of c, gamma and budget are positive.

    >>> round(float(power_law_regret(9, c=1.0, gamma=1.0)), 12)
    0.1
    """
    from scipy.special import beta

    n, scale, shape = (np.asarray(a, dtype=np.float64) for a in (budget, c, gamma))
    if not ((n > 0).all() and (scale > 0).all() and (shape > 0).all()):
        raise ValueError("budget, c and gamma must be positive")
    # s B(n + 1, s), because the quotient of two huge gamma functions loses digits
    return np.asarray(scale / shape * beta(n + 1, 1 / shape), dtype=np.float64)


def expected_running_time(evaluations: npt.ArrayLike, solved: npt.ArrayLike) -> float:
    """Evaluations spent on a target, over all runs, for each run that reached it.

    `evaluations` (runs,) until the target was reached, or all that were spent where it was not;
    `solved` (runs,) which reached it. inf where none did. Raises ValueError for wrong shapes or
    without runs.

    Source: Hansen, Auger, Finck and Ros 2009, "Real-parameter black-box optimization benchmarking
    2009: experimental setup", INRIA RR-6828 (ERT); Auger and Hansen 2005, eq. 1.

    >>> expected_running_time([100, 300, 1_000], [True, True, False])
    700.0
    """
    spent, reached = np.asarray(evaluations, dtype=np.float64), np.asarray(solved, dtype=np.bool_)
    if spent.ndim != 1 or spent.shape != reached.shape or not len(spent):
        raise ValueError("evaluations and solved need one entry a run each, and at least one run")
    return float(spent.sum() / reached.sum()) if reached.any() else float("inf")


# --- Price against chance ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chance:
    """The price of removing points, beside removing as many at random (`price_against_chance`)."""

    price: float  # in the unit of the values
    mean: float  # expected price of as many removed at random
    p: float  # probability that chance costs at least this price
    carriers: int  # points better than everything left


def price_against_chance(values: npt.ArrayLike, removed: npt.ArrayLike) -> Chance:
    """The price of removing some of the points of a table, and what chance would have charged.

    `values` (points,) are the truths of distinct points, to be minimised (nan is dropped),
    `removed` (points,) bool. The price is the best value left minus the best of all; it is
    carried by the k points that are better than everything left (by more than 1e-12). Removing as
    many points at random costs at least as much if and only if all k go, which is hypergeometric:
    p = C(N - k, K - k) / C(N, K) for K of N removed. All exact, and conditional on the values.
    Raises ValueError for wrong shapes, without values, or when nothing is left.

    >>> price_against_chance([1.0, 2.0, 3.0, 4.0], [True, False, False, False])
    Chance(price=1.0, mean=0.25, p=0.25, carriers=1)
    """
    table, gone = np.asarray(values, dtype=np.float64), np.asarray(removed, dtype=np.bool_)
    if table.ndim != 1 or table.shape != gone.shape:
        raise ValueError("values and removed need one entry a point each")
    known = ~np.isnan(table)
    table, gone = table[known], gone[known]
    if gone.all():
        raise ValueError("no point with a value is left, so there is no best one; remove fewer")
    kept = float(table[~gone].min())
    ranked = np.sort(table)
    carriers = int((table < kept - _SAME).sum())
    best_go = _best_removed(len(table), int(gone.sum()))
    stop = best_go[:-1] - best_go[1:]  # the first j go and the next one stays, j = 0 .. K
    mean = float((ranked[: len(stop)] - ranked[0]) @ stop)
    price = kept - float(ranked[0]) if carriers else 0.0
    return Chance(price, mean, float(best_go[carriers]), carriers)


def _best_removed(points: int, removed: int) -> Floats:
    """P(the best j of `points` are all among `removed` random ones), j = 0 .. removed + 1."""
    j = np.arange(removed + 1)
    return np.append(1.0, np.cumprod((removed - j) / (points - j)))

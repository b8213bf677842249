"""Random search in closed form: curves, winning budgets, break-even, and price against chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hpo_lab.statistics._arrays import SAME, Bools, Floats, Ints


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
    kept = np.abs(steps) > SAME * max(1.0, np.abs(means).max())  # less is rounding of the means
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
    if abs(gap) <= SAME * max(1.0, abs(universe.limit)):
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
    first = np.flatnonzero(np.append(True, b[:-1] - b[1:] > SAME * np.abs(b[1:])))
    merged = np.add.reduceat(c, first)
    kept = np.abs(merged) > SAME * np.add.reduceat(np.abs(c), first)
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
    return _crossing(lambda n: state(n) == target, before, after)


def break_even(wins: Sequence[tuple[int, int | None]] | None) -> tuple[int | None, str]:
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


LAST_WHOLE = 2**53  # beyond it not every whole number is a float


def power_law_wins(
    universe: tuple[float, float], declared: tuple[float, float], price: float
) -> list[tuple[int, int | None]]:
    """The budgets at which random search expects less total regret in the declared space.

    Each space is a pair (c, gamma): the volume below its optimum + eps is (eps / c)^gamma, so its
    search regret R is that of `power_law_regret`; the declared space pays ``price`` on top. A step
    from T to T + 1 takes R / (gamma (T + 1) + 1) off, so R_U - R_S turns at most once, and the
    wins are no interval or one, returned as by `winning_budgets`: [(first, last)], last None where
    it never ends (or ends beyond 2^53).
    Raises ValueError for a negative price, or where c or gamma is not positive.

    >>> power_law_wins((1.0, 3.0), (1.0, 1.5), 0.10)
    [(1, 468)]
    """
    if not price >= 0:
        raise ValueError("a price is at least 0")

    c, gamma = np.array([universe, declared], dtype=np.float64).T

    def net(budget: int) -> float:
        regrets = power_law_regret(budget, c, gamma)
        return float(regrets[0] - regrets[1] - price)

    def falling(budget: int) -> bool:
        steps = power_law_regret(budget, c, gamma) / (gamma * (budget + 1) + 1)
        return bool(steps[0] >= steps[1])

    # with the better rate in the universe the net only falls, until it is negative for good
    rises = gamma[0] > gamma[1] and not falling(1)
    top = _crossing(falling, 1, LAST_WHOLE) if rises else 1
    if not net(top) > 0:
        return []
    first = 1 if net(1) > 0 else _crossing(lambda n: net(n) > 0, 1, top)
    if net(LAST_WHOLE) > 0:
        return [(first, None)]
    return [(first, _crossing(lambda n: not net(n) > 0, top, LAST_WHOLE) - 1)]


def _crossing(state: Callable[[int], bool], before: int, after: int) -> int:
    """The first whole number in (before, after] with the state that ``after`` has."""
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if state(middle) else (middle, after)
    return after


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
    carriers = int((table < kept - SAME).sum())
    best_go = _best_removed(len(table), int(gone.sum()))
    stop = best_go[:-1] - best_go[1:]  # the first j go and the next one stays, j = 0 .. K
    mean = float((ranked[: len(stop)] - ranked[0]) @ stop)
    price = kept - float(ranked[0]) if carriers else 0.0
    return Chance(price, mean, float(best_go[carriers]), carriers)


def _best_removed(points: int, removed: int) -> Floats:
    """P(the best j of `points` are all among `removed` random ones), j = 0 .. removed + 1."""
    j = np.arange(removed + 1)
    return np.append(1.0, np.cumprod((removed - j) / (points - j)))


def price_over_seeds(
    replicates: npt.ArrayLike,
    removed: npt.ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Interval of the price of removing points, over the training seeds of a table.

    ``replicates`` (points, r) are the values of each point, one a seed and nan after its last;
    ``removed`` (points,) bool. Each point's seeds are drawn again with replacement, by themselves,
    and the price of the means is taken anew: the percentile interval, where what these means
    scatter about a point's own is stretched by sqrt(r / (r - 1)), because r seeds show too little
    of it (never beyond what was measured: seeds that diverged make skew means). None
    without a point that has two seeds that differ: then the price is conditional on the table.

    Approximate. Coverage at a nominal 95 %, 24 kinds of tables, 300 of each, 300 or 3,000 points
    with normal noise: .83 to .96 with three seeds and .86 to .98 with five, the least where one
    point stands out; .97 to 1 where there is no price. Without the stretch .79 to .92 with three
    seeds; the reflected, "basic" interval .46 to .92, because the least of noisy means lies too
    low. Raises ValueError for wrong shapes or if nothing is left.

    >>> price_over_seeds([[1.0, 1.2], [2.0, 2.2], [9.0, 9.0]], [True, False, False])
    (0.8, 1.2000000000000002)
    """
    told, gone = np.asarray(replicates, dtype=np.float64), np.asarray(removed, dtype=np.bool_)
    if told.ndim != 2 or gone.shape != told.shape[:1]:
        raise ValueError("replicates needs one row and removed one entry a point")
    known = ~np.isnan(told[:, 0]) if told.shape[1] else np.zeros(len(told), dtype=np.bool_)
    told, gone = told[known], gone[known]
    if gone.all():
        raise ValueError("no point with a value is left, so there is no best one; remove fewer")
    lowest, highest = np.nanmin(told, axis=1), np.nanmax(told, axis=1)
    # what can be the minimum in some resample, of all points or of those that are left
    near = lowest <= np.where(gone, highest.min(), highest[~gone].min())
    told, gone = told[near], gone[near]
    if not (highest > lowest)[near].any():
        return None
    rng = np.random.default_rng(seed)
    prices = np.empty(resamples)
    rows = max(1, 4_000_000 // told.size)
    for start in range(0, resamples, rows):
        part = prices[start : start + rows]
        drawn = _resampled_means(told, len(part), rng)
        part[:] = drawn[:, ~gone].min(axis=1) - drawn.min(axis=1)
    low, high = np.quantile(prices, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _resampled_means(told: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Means (resamples, points) of as many replicates of each point, drawn with replacement.

    Stretched about the point's own mean, but never beyond what was measured of it.
    """
    points, width = told.shape
    count = (~np.isnan(told)).sum(axis=1)
    chosen = (rng.random((resamples, points, width)) * count[:, None]).astype(np.int64)
    drawn = told[np.arange(points)[:, None], chosen]
    drawn[:, np.arange(width) >= count[:, None]] = 0.0
    mean = np.nansum(told, axis=1) / count
    stretched = mean + (drawn.sum(axis=2) / count - mean) * np.sqrt(
        count / np.maximum(count - 1, 1)
    )
    return np.asarray(np.clip(stretched, np.nanmin(told, axis=1), np.nanmax(told, axis=1)))

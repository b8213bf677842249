"""Coverage: how much of a space was visited, against uniform search with the same budget.

Every function takes labels or unit coordinates, whatever they came from. ``run`` (n,) says which
run each trial belongs to and ``evaluation`` (n,), from 0, when it came; a label of -1 is in no
region. Rows may stand in any order.

In many dimensions raw occupancy says nothing: of 3^10 cells, 1,000 evaluations of uniform search
fill 1.7 %, and so does everything else that does not repeat itself. So every count stands beside
what uniform search fills (``occupied_moments``, ``simulated_occupied``), and what is read is the
excess emptiness X = (E - O) / E.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hpo_lab.statistics._arrays import Floats, Ints
from hpo_lab.statistics.intervals import bootstrap_means
from hpo_lab.statistics.visits import visit_chance

POINTS_PER_DECADE = 4
DENSE = 4_000_000  # entries of a table of runs and regions that is cheaper than sorting trials
FEW = 200  # runs whose mean is drawn; the spread of a mean of more follows
NEVER = np.iinfo(np.int64).max  # the evaluation of a visit that there never was


def log_budgets(budget: int, per_decade: int = POINTS_PER_DECADE) -> Ints:
    """Return whole budgets (k,) from 1 to ``budget``, evenly spaced in the logarithm.

    Raises ValueError for a budget below 1.

    >>> log_budgets(100, per_decade=2).tolist()
    [1, 3, 10, 32, 100]
    """
    if budget < 1 or per_decade < 1:
        raise ValueError("budgets begin at 1, with at least one a decade")
    count = int(np.ceil(np.log10(budget) * per_decade)) + 1
    return np.unique(np.rint(np.geomspace(1, budget, count)).astype(np.int64))


def occupied(
    labels: npt.ArrayLike,
    run: npt.ArrayLike,
    evaluation: npt.ArrayLike,
    runs: int,
    budgets: npt.ArrayLike,
) -> Ints:
    """Return how many different regions (runs, budgets) each run had visited by each budget.

    ``labels`` (n,) are regions, -1 for none. One pass over the trials. Raises ValueError for arrays
    of different lengths or a run outside 0 .. runs - 1.

    >>> occupied([0, 0, 2, 1], [0, 0, 0, 1], [0, 1, 2, 0], 2, [1, 2, 3]).tolist()
    [[1, 1, 2], [1, 1, 1]]
    """
    label, owner, when = _trials(labels, run, evaluation, runs)
    until = np.asarray(budgets, dtype=np.int64)
    known = label >= 0
    owner, when = _first_visits(label[known], owner[known], when[known])
    order = np.argsort(until, kind="stable")
    interval = np.searchsorted(until[order], when, side="right")  # which budgets include it
    place = owner * (len(until) + 1) + interval
    new = np.bincount(place, minlength=runs * (len(until) + 1)).reshape(runs, -1)[:, :-1]
    filled = np.empty((runs, len(until)), dtype=np.int64)
    filled[:, order] = np.cumsum(new, axis=1)
    return filled


def _trials(
    labels: npt.ArrayLike, run: npt.ArrayLike, evaluation: npt.ArrayLike, runs: int
) -> tuple[Ints, Ints, Ints]:
    label, owner, when = (np.asarray(a, dtype=np.int64) for a in (labels, run, evaluation))
    if not (label.ndim == 1 and label.shape == owner.shape == when.shape):
        raise ValueError("labels, run and evaluation need one entry a trial each")
    if len(owner) and not (owner.min() >= 0 and owner.max() < runs and when.min() >= 0):
        raise ValueError("runs are numbered 0 .. runs - 1, evaluations from 0")
    return label, owner, when


def _first_visits(label: Ints, owner: Ints, when: Ints) -> tuple[Ints, Ints]:
    """Run and evaluation of the first visit of each region by each run."""
    if not len(label):
        return owner, when
    regions = int(label.max()) + 1
    pairs = (int(owner.max()) + 1) * regions
    if pairs <= max(DENSE, len(label)):
        first = np.full(pairs, NEVER)
        np.minimum.at(first, owner * regions + label, when)
        seen = np.flatnonzero(first < NEVER)
        return seen // regions, first[seen]
    order = np.lexsort((when, label, owner))
    changes = (np.diff(label[order]) != 0) | (np.diff(owner[order]) != 0)
    head = order[np.append(True, changes)]
    return owner[head], when[head]


def occupied_moments(mass: npt.ArrayLike, budget: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Mean and standard deviation of how many regions a uniform search visits, exactly.

    E O = Σ 1 - (1 - μ_i)^T and Var O = Σ_{i≠j} (1 - μ_i - μ_j)^T - (1 - μ_i)^T (1 - μ_j)^T
    + Σ (1 - μ_i)^T (1 - (1 - μ_i)^T). ``mass`` (regions,) are disjoint regions' measures; both
    results have the shape of ``budget``. Regions of equal measure are counted together. Raises
    ValueError for a measure outside 0 .. 1.

    Source: Johnson and Kotz 1977, *Urn Models and Their Application*, section 3.1.

    >>> mean, sd = occupied_moments([0.5, 0.5], [1, 2])
    >>> mean.tolist(), sd.tolist()
    ([1.0, 1.5], [0.0, 0.5])
    """
    cells, times = _alike(np.asarray(mass, dtype=np.float64))
    draws = np.asarray(budget, dtype=np.float64)
    empty = 1.0 - visit_chance(cells, draws[..., None])  # (.., k)
    mean = (1 - empty) @ times
    pairs = np.clip(1 - cells[:, None] - cells, 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        both = np.where(pairs > 0, np.exp(np.log(pairs) * draws[..., None, None]), 0.0)
    both = both + (pairs == 0) * (draws == 0)[..., None, None]
    covariance = both - empty[..., :, None] * empty[..., None, :]
    together = times[:, None] * times - np.diag(times)
    variance = (covariance * together).sum(axis=(-1, -2)) + (empty * (1 - empty)) @ times
    return np.asarray(mean), np.sqrt(np.maximum(variance, 0.0))


KINDS = 64  # different measures that are told apart in a variance


def _alike(mass: Floats) -> tuple[Floats, Floats]:
    """The different measures and how many regions have each; very many are put in groups."""
    cells, times = np.unique(np.round(mass, 15), return_counts=True)
    if len(cells) <= KINDS:
        return cells, times.astype(np.float64)
    groups = np.array_split(np.arange(len(cells)), KINDS)
    sizes = np.array([times[g].sum() for g in groups], dtype=np.float64)
    means = np.array([(cells[g] * times[g]).sum() for g in groups]) / sizes
    return means, sizes


def simulated_occupied(
    labels: npt.ArrayLike,
    runs: int,
    budgets: npt.ArrayLike,
    *,
    samples: int = 1_000,
    seed: int = 0,
) -> Floats:
    """Mean and 95 % interval of the mean occupancy of so many runs of a simulated random search.

    ``labels`` (simulations, budget) are regions that uniform points lie in, -1 for none, one row a
    search; ``budgets`` (k,). Returns (3, k): the mean, low and high. The mean of ``runs`` searches
    is drawn ``samples`` times from the simulations, so the interval says where such a mean lies by
    chance. Raises ValueError for a wrong shape.

    >>> simulated_occupied([[0, 1], [0, 1], [2, 0]], runs=5, budgets=[1, 2]).tolist()
    [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]
    """
    drawn = np.asarray(labels, dtype=np.int64)
    if drawn.ndim != 2 or not drawn.size or runs < 1:
        raise ValueError("labels must be (simulations, budget), none of them 0, of at least 1 run")
    count, length = drawn.shape
    owner = np.repeat(np.arange(count), length)
    when = np.tile(np.arange(length), count)
    filled = occupied(drawn.ravel(), owner, when, count, budgets).astype(np.float64)
    return mean_by_chance(filled, runs, samples=samples, seed=seed)


def mean_by_chance(
    values: npt.ArrayLike, runs: int, *, samples: int = 1_000, seed: int = 0
) -> Floats:
    """Mean and 95 % interval (3, k) of means of ``runs`` draws from simulated values (n, k).

    >>> mean_by_chance([[1.0], [1.0]], runs=3).tolist()
    [[1.0], [1.0], [1.0]]
    """
    drawn = np.asarray(values, dtype=np.float64)
    few = min(runs, FEW)
    chosen = np.random.default_rng(seed).integers(0, len(drawn), (samples, few))
    times = np.zeros((samples, len(drawn)))
    np.add.at(times, (np.arange(samples)[:, None], chosen), 1.0 / few)
    means = times @ drawn
    centre = drawn.mean(axis=0)
    means = centre + (means - centre) * np.sqrt(few / runs)  # beyond, the spread is known
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return np.stack([centre, low, high])


def excess_emptiness(visited: npt.ArrayLike, expected: npt.ArrayLike) -> Floats:
    """The share (E - O) / E of what uniform search fills that stayed empty; the two broadcast.

    0 is as full as uniform search, below it fuller, 1 nothing at all; nan where uniform search
    fills nothing either.

    >>> excess_emptiness([30.0, 50.0], 40.0).tolist()
    [0.25, -0.25]
    """
    filled, chance = np.asarray(visited, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance > 0, (chance - filled) / chance, np.nan)


def first_visits(
    labels: npt.ArrayLike, run: npt.ArrayLike, evaluation: npt.ArrayLike, runs: int, regions: int
) -> Ints:
    """Return the evaluation (runs, regions), from 0, of each run's first visit; NEVER for none.

    ``labels`` is (n,), or (n, parts) where regions overlap; -1 is none.

    >>> first = first_visits([0, 2, 0], [0, 0, 0], [3, 1, 2], runs=1, regions=3)
    >>> np.where(first < NEVER, first, -1).tolist()
    [[2, -1, 1]]
    """
    label, owner = np.asarray(labels, dtype=np.int64), np.asarray(run, dtype=np.int64)
    when = np.asarray(evaluation, dtype=np.int64)
    first = np.full(runs * regions, NEVER)
    for part in _parts(label, regions):
        known = part >= 0
        np.minimum.at(first, owner[known] * regions + part[known], when[known])
    return first.reshape(runs, regions)


def _parts(label: Ints, regions: int) -> Ints:
    """Labels (parts, n) of regions that may overlap."""
    if label.size and not (label.min() >= -1 and label.max() < regions):
        raise ValueError("a label must be a region, or -1")
    return label[None] if label.ndim == 1 else label.T


def region_visits(labels: npt.ArrayLike, run: npt.ArrayLike, runs: int, regions: int) -> Ints:
    """Return how often each run came to each region, (runs, regions).

    ``labels`` is (n,), or (n, parts) where regions overlap and a point lies in several; -1 is
    none. Raises ValueError for a label outside -1 .. regions - 1.

    >>> region_visits([0, 1, 1, -1], [0, 0, 0, 1], runs=2, regions=2).tolist()
    [[1, 2], [0, 0]]
    """
    label, owner = np.asarray(labels, dtype=np.int64), np.asarray(run, dtype=np.int64)
    counts = np.zeros(runs * regions, dtype=np.int64)
    for part in _parts(label, regions):
        known = part >= 0
        counts += np.bincount(owner[known] * regions + part[known], minlength=len(counts))
    return counts.reshape(runs, regions)


def entropy(visits: npt.ArrayLike) -> Floats:
    """Entropy in bits of the shares of visits along the last axis; nan without a visit.

    Source: Shannon 1948, "A mathematical theory of communication", section 6.

    >>> entropy([[2, 2, 0, 0], [4, 0, 0, 0]]).tolist()
    [1.0, 0.0]
    """
    counts = np.asarray(visits, dtype=np.float64)
    total = counts.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = counts / total
        bits = np.where(share > 0, -share * np.log2(share), 0.0).sum(axis=-1)
    return np.asarray(np.where(total[..., 0] > 0, bits, np.nan))


def random_entropy(mass: npt.ArrayLike, visits: int) -> float:
    """Expected entropy in bits of so many uniform visits to regions of these shares (regions,).

    Exact up to 1,000 visits, by the binomial distribution of each count; above, the entropy of
    the shares less (regions - 1) / (2 visits ln 2). nan without visits or mass.

    Source: Miller 1955, "Note on the bias of information estimates", for the correction.

    >>> round(random_entropy([0.5, 0.5], 2), 6)
    0.5
    """
    given = np.asarray(mass, dtype=np.float64)
    if visits < 1 or not given.sum() > 0:
        return float("nan")
    share = given[given > 0] / given.sum()
    if visits > 1_000:
        return float(entropy(share)) - (len(share) - 1) / (2 * visits * math.log(2))
    from scipy.special import gammaln, xlog1py, xlogy

    counts = np.arange(1.0, visits + 1)
    each, times = np.unique(np.round(share, 15), return_counts=True)
    bits = -(counts / visits) * np.log2(counts / visits)
    ways = gammaln(visits + 1) - gammaln(counts + 1) - gammaln(visits - counts + 1)
    odds = xlogy(counts, each[:, None]) + xlog1py(visits - counts, -each[:, None])
    expected: Floats = np.exp(ways + odds) @ bits
    return float((expected * times).sum())


def density_ratios(
    visits: npt.ArrayLike, mass: npt.ArrayLike, spent: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Density of visits against uniform search, (n_r / T) / μ_r, and its 95 % intervals.

    ``visits`` (runs, regions), ``mass`` (regions,) and ``spent`` (runs,) evaluations. Returns the
    ratio (regions,) of the mean run, nan where a region has no mass, and intervals (regions, 2)
    clustered by run, since evaluations of one run are not independent: the studentised bootstrap
    of `bootstrap_means`; nan for a single run and where the runs do not differ. Raises ValueError
    for wrong shapes.

    >>> ratio, interval = density_ratios([[8, 2], [6, 4]], [0.5, 0.5], [10, 10])
    >>> ratio.round(2).tolist(), interval.shape
    ([1.4, 0.6], (2, 2))
    """
    counts, share = np.asarray(visits, dtype=np.float64), np.asarray(mass, dtype=np.float64)
    length = np.asarray(spent, dtype=np.float64)
    if counts.ndim != 2 or counts.shape != (len(length), len(share)):
        raise ValueError("visits must be (runs, regions), mass (regions,), spent (runs,)")
    with np.errstate(divide="ignore", invalid="ignore"):
        each = counts / np.maximum(length, 1)[:, None] / np.where(share > 0, share, np.nan)
    if len(counts) < 2 or not len(share):
        return each.mean(axis=0), np.full((len(share), 2), np.nan)
    return each.mean(axis=0), np.maximum(bootstrap_means(each[None]), 0.0)


def numbered(points: npt.ArrayLike) -> Ints:
    """Return numbers (n,) from 0, equal for equal rows of (n, d); nan equals nan, and 0 equals -0.

    One sort by a hash of the rows; where two different rows share one, by the rows themselves.

    >>> numbers = numbered([[1.0, np.nan], [0.0, 2.0], [1.0, np.nan]])
    >>> bool(numbers[0] == numbers[2]), int(numbers.max()) + 1
    (True, 2)
    """
    rows = np.asarray(points, dtype=np.float64)
    state = np.full(len(rows), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in rows.T:
        plain = column + 0.0  # minus zero is zero
        plain[np.isnan(plain)] = np.nan  # one bit pattern for all nans
        state = (state ^ plain.view(np.uint64)) * np.uint64(0xD1B54A32D192ED03)
        state ^= state >> np.uint64(32)
    order = np.argsort(state)
    changes = _changes(rows, order)
    hashes = state[order]
    if (changes[1:] & (hashes[1:] == hashes[:-1])).any():
        order = np.lexsort(rows.T[::-1])
        changes = _changes(rows, order)
    number = np.empty(len(rows), dtype=np.int64)
    number[order] = np.cumsum(changes)
    return number


def _changes(rows: Floats, order: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Where (n,) a row differs from the one before it in that order; not at the first."""
    changes = np.zeros(len(rows), dtype=np.bool_)
    for column in rows.T:
        ranked = column[order]
        now, before = ranked[1:], ranked[:-1]
        changes[1:] |= (now != before) & ~(np.isnan(now) & np.isnan(before))
    return changes


def edge_shares(unit: npt.ArrayLike, band: float = 0.05) -> Floats:
    """Share of points on each face of the unit cube and close to it: (d, 2, 2).

    ``unit`` (n, d) in [0, 1], nan where an axis does not exist for a point. Entry [a, s, 0] is
    the share of the points with axis a that lie on its low (s = 0) or high face, to 1e-9, and
    [.., 1] the share within ``band`` of it, which uniform points have with probability ``band``;
    nan where no point has the axis.

    >>> edge_shares([[0.0], [0.5], [0.97], [1.0]])[0].tolist()
    [[0.25, 0.25], [0.25, 0.5]]
    """
    given = np.asarray(unit, dtype=np.float64)
    shares = np.full((given.shape[1], 2, 2), np.nan)
    for axis, values in enumerate(given.T):
        here = values[~np.isnan(values)]
        if len(here):
            for side, gap in enumerate((here, 1.0 - here)):
                shares[axis, side] = (gap <= 1e-9).mean(), (gap <= band).mean()
    return shares

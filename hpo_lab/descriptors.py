"""Descriptors: what a landscape is like, from arrays of its values.

Values along random walks, values of a sample, a complete table, a local-optima network: arrays in,
numbers out. Every descriptor is defined on mixed and conditional spaces by two things:

    a step      changes one axis of a point's family, each axis equally often: an unordered choice
                to any other option, an ordered choice or an integer to a value beside it (from the
                end of the axis to the only one), a real axis by a uniform draw of ±reach in its
                unit coordinate, reflected at its ends; nothing steps from family to family
    a distance  is the Euclidean one of unit coordinates over numeric and ordered axes, plus one for
                each other axis with another option, each axis that only one of the two points has,
                and another family: Euclidean on boxes, Hamming's on strings of options

nan is a point without a value: no pair with it is counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hpo_lab.space import Axis, Bools, Choice, Floats, Ints, Points, Real, Space

if TYPE_CHECKING:
    from scipy.sparse import csr_array

REACH = 0.1  # the longest step on a real axis, as a share of the axis
TOLERANCE = 1e-9  # values that differ by no more are equal
SETTLED, HALF = 0.05, 0.5  # of information content: Muñoz et al. 2015
THRESHOLDS = np.insert(10.0 ** np.linspace(-5, 15, 1000), 0, 0.0)  # the ε of Muñoz et al. 2015


# ---- along random walks


def random_walks(
    space: Space, walks: int, steps: int, rng: np.random.Generator, reach: float = REACH
) -> Points:
    """Return ``walks`` random walks of ``steps`` steps, one after another: walks · (steps + 1).

    They start at points of the reference measure; see the module for what a step is. Walks keep
    the uniform measure on real axes and choices; the ends of stepwise axes are visited half as
    often as the rest.

    >>> space = Space.box(Choice("bit", (0, 1)), Real("x", 0.0, 1.0))
    >>> random_walks(space, 3, 10, np.random.default_rng(0)).values.shape
    (33, 2)
    """
    start = space.sample(walks, rng)
    draws = rng.random((2, walks, steps))
    values = np.repeat(start.values[:, None, :], steps + 1, axis=1)
    for index in range(len(space.families)):
        rows = np.flatnonzero(start.family == index)
        places = [(column, axis) for column, axis in space.places(index) if axis.size > 1]
        chosen = np.floor(draws[0, rows] * len(places))
        for number, (column, axis) in enumerate(places):
            own = start.values[rows, column]
            values[rows, :, column] = _path(axis, own, chosen == number, draws[1, rows], reach)
    return Points(space, np.repeat(start.family, steps + 1), values.reshape(-1, space.width))


def _path(axis: Axis, start: Floats, moves: Bools, draw: Floats, reach: float) -> Floats:
    """The values (w, steps + 1) of one axis: sums of its moves, folded back into its range."""
    if isinstance(axis, Real):
        unit = _sums(axis.to_unit(start), moves, reach * (2.0 * draw - 1.0))
        return axis.from_unit(_folded(unit, 1.0))
    if isinstance(axis, Choice) and not axis.ordered:
        return _sums(start, moves, 1.0 + np.floor(draw * (axis.size - 1))) % axis.size
    low = 0.0 if isinstance(axis, Choice) else float(axis.low)
    return low + _folded(_sums(start - low, moves, np.where(draw < 0.5, -1.0, 1.0)), axis.size - 1)


def _sums(start: Floats, moves: Bools, by: Floats) -> Floats:
    path = np.cumsum(np.where(moves, by, 0.0), axis=1)
    return np.hstack([start[:, None], start[:, None] + path])


def _folded(x: Floats, end: float) -> Floats:
    """x reflected into [0, end] as often as it takes."""
    return np.asarray(end - np.abs(x % (2.0 * end) - end))


def autocorrelation(values: Floats, lag: int = 1, group: Ints | None = None) -> float:
    """Return ρ(lag) of values along walks (walks, steps + 1); nan where nothing varies.

    Mean and variance are those of all walks together, or of each ``group`` (walks,) of walks:
    walks never leave a family, so what the families differ by is no correlation along a walk.
    Source: Weinberger 1990, "Correlated and uncorrelated fitness landscapes and how to tell the
    difference", Biological Cybernetics 63. pflacco has no such feature.

    >>> walk = np.array([[1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0]])
    >>> autocorrelation(walk, lag=2), autocorrelation(walk, lag=4)
    (-1.0, 1.0)
    """
    groups = np.zeros(len(values), dtype=np.int64) if group is None else group
    centred = np.empty_like(values)
    for one in np.unique(groups):
        own = values[groups == one]
        known = own[~np.isnan(own)]
        centred[groups == one] = own - (known.mean() if len(known) else np.nan)
    products = centred[:, :-lag] * centred[:, lag:]
    return _ratio(products, centred**2)


def _ratio(products: Floats, squares: Floats) -> float:
    """The mean of the products over the mean of the squares, without what is not known."""
    if np.isnan(products).all():
        return math.nan
    variance = float(np.nanmean(squares))
    return float(np.nanmean(products)) / variance if variance > 0.0 else math.nan


def correlation_length(rho: float) -> float:
    """Return −1 / ln ρ(1) in steps: 0 without positive correlation, inf where ρ(1) is one.

    Source: Stadler 1996, after Weinberger 1990.

    >>> round(correlation_length(math.exp(-0.25)), 9), correlation_length(-0.1)
    (4.0, 0.0)
    """
    if math.isnan(rho) or rho <= 0.0:
        return math.nan if math.isnan(rho) else 0.0
    return math.inf if rho >= 1.0 else -1.0 / math.log(rho)


def neutrality(values: Floats) -> float:
    """Return the share of steps (walks, steps + 1) that leave the value as it is, to 1e-9.

    The average share of neutral neighbours of Reidys & Stadler 2002. pflacco has no such feature
    (its ``lon.neutral_nodes_proportion`` counts optima of equal value).

    >>> neutrality(np.array([[1.0, 1.0, 2.0, 2.0, 2.0]]))
    0.75
    """
    change = np.diff(values, axis=1)
    known = ~np.isnan(change)
    return float((np.abs(change[known]) <= TOLERANCE).mean()) if known.any() else math.nan


@dataclass(frozen=True, slots=True)
class InformationContent:
    """How varied the slopes of a sequence are: Muñoz, Kirley & Halgamuge 2015.

    ``highest`` H_max (eq. 5), the entropy in base 6 of pairs of different slopes, and ``at`` the
    threshold ε where it is reached; ``settled`` log10 of the ε from which H < 0.05 (eq. 6);
    ``partial`` M(0), the share of steps at which the direction turns (eq. 7); ``half`` log10 of
    the largest ε with M(ε) > M(0)/2 (eq. 8). nan where there is none. ε is in units of the value
    per unit of distance.
    """

    highest: float
    at: float
    settled: float
    partial: float
    half: float


def information_content(slopes: Floats) -> InformationContent:
    """Return the information content of slopes Δf / ‖Δx‖ along walks (walks, steps).

    Equals pflacco 1.2.2 ``ic.h_max``, ``eps_max``, ``eps_s``, ``m0`` and ``eps_ratio`` for one
    walk, its own tour of a sample (``tour``). As there, M counts turns: the first direction is
    not counted, which the article's μ does. Pairs with a slope that is not known are left out.

    >>> information_content(np.array([[1.0, -1.0, 1.0, -1.0, 1.0]])).partial
    1.0
    """
    known = ~np.isnan(slopes)
    pairs = known[:, :-1] & known[:, 1:]
    if not pairs.any():
        return InformationContent(*[math.nan] * 5)
    filled, signs = np.where(known, np.abs(slopes), 0.0), np.sign(np.where(known, slopes, 0.0))
    entropy, turns = np.empty(len(THRESHOLDS)), np.empty(len(THRESHOLDS))
    for row, threshold in enumerate(THRESHOLDS.tolist()):
        symbols = np.where(filled < threshold, 0.0, signs).astype(np.int64)
        entropy[row], turns[row] = _entropy(symbols, pairs), _turns(symbols, known)
    turns /= pairs.sum()
    highest = float(entropy.max())
    settled = THRESHOLDS[entropy < SETTLED]
    half = THRESHOLDS[turns > HALF * turns[0]]
    return InformationContent(
        highest,
        float(np.median(THRESHOLDS[entropy == highest])),
        _log10(settled.min()) if len(settled) else math.nan,
        float(turns[0]),
        _log10(half.max()) if len(half) else math.nan,
    )


def _log10(x: float) -> float:
    return math.log10(x) if x > 0.0 else -math.inf


def _entropy(symbols: Ints, pairs: Bools) -> float:
    """H: over the six pairs of different symbols that follow each other, in base 6."""
    both = (3 * (symbols[:, :-1] + 1) + symbols[:, 1:] + 1)[pairs]
    shares = np.bincount(both, minlength=9)[[1, 2, 3, 5, 6, 7]] / len(both)
    shares = shares[shares > 0.0]
    return float(-(shares * np.log(shares)).sum() / math.log(6)) if len(shares) else 0.0


def _turns(symbols: Ints, known: Bools) -> int:
    """How often the direction changes, flat steps aside; what is not known has no direction."""
    place = np.where((symbols != 0) | ~known, np.arange(symbols.shape[1]), 0)
    last = np.maximum.accumulate(place, axis=1)[:, :-1]
    before = np.take_along_axis(symbols, last, axis=1)
    return int(np.count_nonzero(symbols[:, 1:] * before < 0))


def tour(coordinates: Floats, start: int = 0) -> Ints:
    """Return an order (n,) of points (n, d) in which the nearest one not yet visited comes next.

    As pflacco orders a sample for its information content. Each place depends on the one before,
    so this goes point by point.

    >>> tour(np.array([[0.0], [5.0], [1.0], [2.5]]))
    array([0, 2, 3, 1])
    """
    left = np.ones(len(coordinates), dtype=bool)
    order = np.empty(len(coordinates), dtype=np.int64)
    here = start
    for place in range(len(coordinates)):
        order[place], left[here] = here, False
        squares = ((coordinates - coordinates[here]) ** 2).sum(axis=1)
        here = int(np.argmin(np.where(left, squares, np.inf)))
    return order


# ---- of a sample


def distances(a: Points, b: Points) -> Floats:
    """Return the distance (n, m) of every point of a from every point of b (see the module).

    >>> space = Space.box(Choice("op", ("gat", "gcn")), Choice("act", ("relu", "tanh")))
    >>> points = space.enumerate()
    >>> distances(points[:1], points).tolist()
    [[0.0, 1.0, 1.0, 2.0]]
    """
    ours, theirs = _places(a), _places(b)
    apart = _apart([part[:, None] for part in ours], [part[None] for part in theirs])
    return apart


def step_lengths(points: Points, steps: int) -> Floats:
    """Return the distance (walks, steps) from each point of ``random_walks`` to the next."""
    parts = [part.reshape(-1, steps + 1, *part.shape[1:]) for part in _places(points)]
    return _apart([part[:, :-1] for part in parts], [part[:, 1:] for part in parts])


def _places(points: Points) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Family (n,), unit coordinates (n, width) and numbers of options (n, width), nan where none.

    Options are numbered through over all families that have an axis of that name.
    """
    space = points.space
    unit = space.to_unit(points)
    option = np.full(unit.shape, np.nan)
    numbers: dict[tuple[int, str], int] = {}
    for index in range(len(space.families)):
        rows = np.flatnonzero(points.family == index)
        for column, axis in space.places(index):
            if isinstance(axis, Choice) and not axis.ordered:
                own = [numbers.setdefault((column, repr(o)), len(numbers)) for o in axis.options]
                option[rows, column] = np.array(own)[points.values[rows, column].astype(np.int64)]
                unit[rows, column] = np.nan
    return [points.family.astype(float), unit, option]


def _apart(ours: Sequence[Floats], theirs: Sequence[Floats]) -> Floats:
    """Distances between places of shapes that broadcast; columns are added up one by one."""
    family = np.not_equal(ours[0], theirs[0])
    squares, different = np.zeros(family.shape), family.astype(float)
    for column in range(ours[1].shape[-1]):
        units = [side[1][..., column] for side in (ours, theirs)]
        options = [side[2][..., column] for side in (ours, theirs)]
        numeric = [~np.isnan(one) for one in units]
        if numeric[0].any() and numeric[1].any():
            gap = units[0] - units[1]
            squares += np.where(np.isnan(gap), 0.0, gap) ** 2
        mismatch = np.where(np.isnan(options[0]), -1.0, options[0]) != np.where(
            np.isnan(options[1]), -1.0, options[1]
        )
        different += mismatch | (numeric[0] != numeric[1])
    return np.asarray(np.sqrt(squares) + different)


def fitness_distance_correlation(distance: Floats, values: Floats) -> float:
    """Return the correlation of values (n,) and distances (n,) to the nearest best point.

    Minimised, so 1 is easiest and −1 deceptive; nan where either does not vary.
    Source: Jones & Forrest 1995. pflacco 1.2.2 ``fitness_distance.fd_correlation`` is (n − 1)/n of
    this (it divides a covariance by n and deviations by n − 1), and takes the best tenth of the
    sample and distances to its best point unless told otherwise.

    >>> fitness_distance_correlation(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]))
    1.0
    """
    known = ~np.isnan(values)
    d, f = distance[known], values[known]
    if len(f) < 2 or np.ptp(d) == 0.0 or np.ptp(f) <= TOLERANCE * max(1.0, float(np.abs(f).max())):
        return math.nan
    return float(np.clip(np.corrcoef(d, f)[0, 1], -1.0, 1.0).round(15))


def dispersion(distance: Floats, values: Floats, share: float = 0.1) -> float:
    """Return the mean distance among the best ``share`` of a sample over that among all of it.

    ``distance`` (n, n), ``values`` (n,); below 1 the good points lie together, at 1 they lie
    anywhere. The best are those up to the share's quantile, ties included; nan for fewer than two.
    Source: Lunacek & Whitley 2006 (who subtract, and bound the sample's size instead).
    Equals pflacco 1.2.2 ``disp.ratio_mean_10`` (``_02``, ``_05``, ``_25``) where no two points of
    the sample coincide: it leaves distances of 0 out.

    >>> line = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
    >>> dispersion(line, np.array([1.0, 0.0, 5.0, 6.0, 7.0]), share=0.25)
    0.5
    """
    known = np.flatnonzero(~np.isnan(values))
    if len(known) < 2:
        return math.nan
    best = known[values[known] <= np.quantile(values[known], share)]
    among_all = _mean_pair(distance[np.ix_(known, known)])
    if len(best) < 2 or among_all == 0.0:
        return math.nan
    return _mean_pair(distance[np.ix_(best, best)]) / among_all


def _mean_pair(distance: Floats) -> float:
    return float(distance.sum() / (len(distance) * (len(distance) - 1)))


# ---- of a complete table


@dataclass(frozen=True, slots=True)
class Steps:
    """What steps do to the value: the correlation ρ(1), and the share of neutral ones."""

    correlation: float
    neutrality: float


def lattice_steps(space: Space, values: Floats) -> Steps:
    """Return ρ(1) and neutrality of a finite space exactly, from all values (N,).

    ``values`` belong to the points of ``space.enumerate()``. Expectations over a random walk in
    equilibrium: every step of an axis is as likely as any other. NK landscapes have
    ρ(1) = 1 − (K + 1)/N over all instances (Weinberger 1990, for this walk).

    >>> onemax = Space.box(*[Choice(f"x{i}", (0, 1)) for i in range(4)])
    >>> lattice_steps(onemax, onemax.enumerate().values.sum(axis=1)).correlation
    0.5
    """
    sums = np.zeros(5)  # of products, known pairs, neutral pairs, squares, known points
    start = 0
    for family, weight in zip(space.families, space.weights.tolist(), strict=True):
        shape = tuple(int(axis.size) for axis in family.axes)
        stop = start + math.prod(shape)
        if stop - start > 1:
            sums += weight * _family_sums(family.axes, values[start:stop].reshape(shape))
        start = stop
    products, pairs, neutral, squares, points = sums.tolist()
    if pairs == 0.0:
        return Steps(math.nan, math.nan)
    variance = squares / points
    return Steps(products / pairs / variance if variance > 0.0 else math.nan, neutral / pairs)


def _family_sums(axes: Sequence[Axis], table: Floats) -> Floats:
    """The five sums of one family's table (k1, …, kd), over a walk in equilibrium."""
    stays = [_equilibrium(axis) for axis in axes]
    known = ~np.isnan(table)
    if not known.any():
        return np.zeros(5)
    mass = _weighted(known.astype(float), stays)
    filled = np.where(known, table, 0.0)
    centred = np.where(known, table - _weighted(filled, stays) / mass, 0.0)
    moving = [i for i, axis in enumerate(axes) if axis.size > 1]
    pairs = np.zeros(3)
    for i in moving:
        others = [stay for j, stay in enumerate(stays) if j != i]
        for before, after, share in _opposite(axes[i], i):
            a, b, both = centred[before], centred[after], known[before] & known[after]
            equal = both & (np.abs(a - b) <= TOLERANCE)
            each = [_weighted(x.mean(axis=i), others) for x in (a * b, both * 1.0, equal * 1.0)]
            pairs += share * np.array(each) / len(moving)
    return np.append(pairs, [_weighted(centred**2, stays), mass])


def _equilibrium(axis: Axis) -> Floats:
    """How often a walk is at each value (k,) of an axis: at the ends of stepwise ones half."""
    stay = np.ones(int(axis.size))
    if len(stay) > 2 and not (isinstance(axis, Choice) and not axis.ordered):
        stay[[0, -1]] = 0.5
    return np.asarray(stay / stay.sum())


def _opposite(
    axis: Axis, dimension: int
) -> list[tuple[tuple[slice, ...], tuple[slice, ...], float]]:
    """Slices in which neighbours on the axis stand opposite, and the share of steps they have."""
    size, free = int(axis.size), (slice(None),) * dimension
    by = range(1, size) if isinstance(axis, Choice) and not axis.ordered else range(1, 2)
    steps = sum(size - b for b in by)
    return [((*free, slice(None, -b)), (*free, slice(b, None)), (size - b) / steps) for b in by]


def _weighted(table: Floats, weights: Sequence[Floats]) -> float:
    """Σ table · the product of the axes' weights."""
    for weight in reversed(weights):
        table = table @ weight
    return float(table)


# ---- of a local-optima network


@dataclass(frozen=True, slots=True)
class NetworkMeasures:
    """What a local-optima network says about finding the best minimum, the first of ``minima``.

    ``funnels`` minima without an edge to a better one; ``funnel`` the share of minima that reach
    the best by better and better ones (both: Ochoa, Veerapen, Daolio & Tomassini 2017, EvoCOP);
    ``strength`` the share of the weight of all edges between different basins that leads into the
    best; ``path`` the mean length of the shortest path to the best over those that have one, an
    edge p(i → j) being 1/p steps long (Vérel, Ochoa & Tomassini 2011, IEEE TEVC 15(6));
    ``leaving`` the mean chance that a step from a random point of a basin leaves it.
    """

    minima: int
    funnels: int
    funnel: float
    strength: float
    path: float
    leaving: float


def network_measures(edges: csr_array[np.float64, tuple[int, int]]) -> NetworkMeasures:
    """Return the measures of a network whose minima stand best first, edges (m, m).

    ``funnels`` and ``funnel`` equal pflacco 1.2.2 ``lon.n_funnels`` and
    ``lon.global_funnel_strength_norm`` on the same network with one best minimum. pflacco samples
    its network by basin hopping on continuous problems; ours are complete, on lattices.

    >>> from scipy.sparse import csr_array
    >>> found = network_measures(csr_array([[0.8, 0.2], [0.5, 0.5]]))
    >>> found.funnels, found.funnel, found.path
    (1, 1.0, 2.0)
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, dijkstra

    every = edges.tocoo()
    away = (every.row != every.col) & (every.data > 0.0)
    source, target, weight = every.row[away], every.col[away], every.data[away]
    count, better = edges.shape[0], target < source
    # against the edges' direction, as both searches start from the best
    back = csr_array((weight[better], (target[better], source[better])), shape=edges.shape)
    reach = breadth_first_order(back, 0, return_predecessors=False)
    slow = csr_array((1.0 / weight, (target, source)), shape=edges.shape)
    paths = np.ravel(dijkstra(slow, indices=np.array([0])))[1:]
    into, total = float(weight[target == 0].sum()), float(weight.sum())
    return NetworkMeasures(
        count,
        count - len(np.unique(source[better])),
        len(reach) / count,
        into / total if total > 0.0 else math.nan,
        float(paths[np.isfinite(paths)].mean()) if np.isfinite(paths).any() else math.nan,
        total / count,
    )

"""Exact local minima, basins and local-optima networks of finite spaces, from arrays.

A finite space is a lattice: its points in the order of ``Space.enumerate``, here only ever an
array of values (N,). Two points are neighbours if they differ in one axis of their family: a
Choice by any other option, an ordered Choice or an Integer by one step. Families are not
neighbours of each other, and a point without a value (nan) does not exist.

Values are compared after rounding to 1e-9, and of equals the first counts as lower; so every point
has its place in one strict order, and a minimum is a point that comes before all its neighbours.
On a plateau that is a point without a lower neighbour and without an equal one that comes
earlier: a flat box has one minimum, its first point; a plateau of another shape can have several,
also where it has an exit elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpo_lab.errors import InputError
from hpo_lab.landscape import TIES, Bounds, Landscape, Minima, Optimum, enumeration
from hpo_lab.region import Box, Region, masses
from hpo_lab.space import (
    ENUMERABLE,
    Axis,
    Bools,
    Choice,
    Family,
    Floats,
    Integer,
    Ints,
    Points,
    Space,
    levels,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Ranks = NDArray[np.int32]  # there are at most ENUMERABLE

FINE = 1e6  # larger values are not rounded: their spacing is wider than what rounding would merge


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """Where steepest descent ends from every point.

    ``minima`` (m,) are the minima's places in the enumeration, best first; ``label`` (N,) is the
    basin of every point, an index into ``minima``, -1 where the point has no value.
    """

    minima: Ints
    label: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A local-optima network: minima, and how a step from a random point changes the basin.

    ``minima`` (m,) places in the enumeration, best first, with ``values`` (m,); ``sizes`` (m,)
    points in each basin; ``edges`` (m, m), row i: from basin i to basin j.
    """

    minima: Ints
    values: Floats
    sizes: Ints
    edges: csr_array[np.float64, tuple[int, int]]


def descend(space: Space, values: Floats, same: Ints | None = None) -> Descent:
    """Return all local minima of a finite space and the basin of each of its points.

    ``values`` (N,) belong to the points of ``space.enumerate()``. From each point one steps to the
    lowest of its neighbours, until none is lower (steepest descent; ties: see the module).
    ``same`` (N,) numbers what the points draw: points of one number are one thing with the lowest
    of their values, neighbour of whatever is beside one of its drawings; of equal things the one
    with the lowest number counts as lower, and it stands at its first drawing.

    Near-linear in N. Raises InputError where the space is infinite or too large, or an array has
    another length.

    >>> from hpo_lab.space import Integer
    >>> found = descend(Space.box(Integer("k", 1, 6)), np.array([3.0, 1.0, 2.0, 5.0, 0.0, 4.0]))
    >>> found.minima, found.label
    (array([4, 1]), array([1, 1, 1, 0, 0, 0]))
    """
    _check(space, values, same)
    rank, home = _ranks(values, same)
    count = len(home)
    step = np.arange(
        count + 1, dtype=np.int32
    )  # from rank to rank; the last is what does not exist
    np.minimum.at(step, rank, _lowest_beside(space, rank))
    step[count] = count
    ends = np.flatnonzero(step[:count] == np.arange(count))
    while not np.array_equal(step, further := step[step]):
        step = further
    number = np.full(count + 1, -1)
    number[ends] = np.arange(len(ends))
    return Descent(home[ends], number[step[rank]])


def _check(space: Space, values: Floats, same: Ints | None) -> None:
    if space.size > ENUMERABLE:
        raise InputError(
            f"the space has {space.size:.3g} points: minima are enumerated up to {ENUMERABLE:,}"
        )
    for what, array in (("values", values), ("numbers of what is the same", same)):
        if array is not None and array.shape != (int(space.size),):
            raise InputError(f"expected {int(space.size)} {what}, got shape {array.shape}")


def _rounded(values: Floats) -> Floats:
    small = np.abs(values) < FINE
    return np.where(small, np.round(np.where(small, values, 0.0), TIES), values)


def _ranks(values: Floats, same: Ints | None) -> tuple[Ranks, Ints]:
    """The place of each point (N,) in the strict order of things, and the place of each thing."""
    rounded = _rounded(values)
    if same is None:
        order = _stable_order(rounded)
        count = int(np.count_nonzero(~np.isnan(values)))
        rank = np.empty(len(values), dtype=np.int32)
        rank[order] = np.arange(len(values), dtype=np.int32)
        return np.minimum(rank, np.int32(count)), order[:count]
    thing = np.unique(same, return_inverse=True)[1]
    order = np.lexsort((thing, rounded))
    order = order[: np.count_nonzero(~np.isnan(values))]
    found, first = np.unique(thing[order], return_index=True)  # of each thing its lowest drawing
    best_first = np.argsort(first)
    ranks = np.full(len(values), len(found))
    ranks[found[best_first]] = np.arange(len(found))
    rank = np.where(np.isnan(values), len(found), ranks[thing]).astype(np.int32)
    return rank, order[first[best_first]]


def _stable_order(values: Floats) -> Ints:
    """What a stable argsort gives, nan last; several times faster where few values are equal."""
    order = np.argsort(values)
    ordered = values[order]
    same = ordered[1:] == ordered[:-1]
    if np.count_nonzero(same) > len(values) // 8:
        return np.argsort(values, kind="stable")
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    rows = order[tied]
    order[tied] = rows[np.lexsort((rows, values[rows]))]
    return order


def _blocks(space: Space) -> Iterator[tuple[slice, tuple[int, ...], Family]]:
    """Each family with its part of the enumeration and the shape of that part."""
    start = 0
    for family in space.families:
        shape = tuple(int(axis.size) for axis in family.axes)
        stop = start + math.prod(shape)
        yield slice(start, stop), shape, family
        start = stop


def _stepwise(axis: Axis) -> bool:
    """Whether neighbours on the axis are one step apart (otherwise any two values are)."""
    return isinstance(axis, Integer) or (isinstance(axis, Choice) and axis.ordered)


def _shifted(dimension: int, by: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The points that have a partner ``by`` steps further along a dimension, and the partners."""
    free = (slice(None),) * dimension
    return (*free, slice(None, -by)), (*free, slice(by, None))


def _lowest_beside(space: Space, rank: Ranks) -> Ranks:
    """The lowest rank (N,) among each point and its neighbours."""
    lowest = rank.copy()
    for part, shape, family in _blocks(space):
        own, best = rank[part].reshape(shape), lowest[part].reshape(shape)
        for dimension, axis in enumerate(family.axes):
            if _stepwise(axis):
                before, after = _shifted(dimension, 1)
                np.minimum(best[before], own[after], out=best[before])
                np.minimum(best[after], own[before], out=best[after])
            else:
                np.minimum(best, own.min(axis=dimension, keepdims=True), out=best)
    return lowest


def network(space: Space, values: Floats, descent: Descent) -> Network:
    """Return the local-optima network with basin-transition edges, exactly.

    Edge (i, j) is the chance that a uniformly random neighbour of a uniformly random point of
    basin i lies in basin j (Ochoa, Tomassini, Vérel & Darabos 2008, GECCO, definition of
    p(b_i → b_j)). Points without a value are nobody's neighbours; a row sums to the share of the
    basin's points that have a neighbour, which is one but for isolated points. Where several
    points draw one thing, each drawing is a point: it is drawn, and stepped to, by itself.

    >>> from hpo_lab.space import Integer
    >>> space, values = Space.box(Integer("k", 1, 6)), np.array([3.0, 1.0, 2.0, 5.0, 0.0, 4.0])
    >>> network(space, values, descend(space, values)).edges.toarray().round(3).tolist()
    [[0.833, 0.167], [0.167, 0.833]]
    """
    from scipy.sparse import coo_array

    _check(space, values, descent.label)
    count = len(descent.minima)
    sizes = np.bincount(descent.label[descent.label >= 0], minlength=count)
    edges = coo_array((count, count)).tocsr()
    for part, shape, family in _blocks(space):
        label = descent.label[part].reshape(shape)
        share = 1.0 / np.maximum(_neighbours(label >= 0, family), 1)
        for before, after in _pairs(family):
            both = (label[before] >= 0) & (label[after] >= 0)
            a, b = label[before][both], label[after][both]
            rows, columns = np.concatenate([a, b]), np.concatenate([b, a])
            weights = np.concatenate([share[before][both], share[after][both]])
            edges = edges + coo_array((weights, (rows, columns)), shape=(count, count)).tocsr()
    edges.data /= np.repeat(sizes, np.diff(edges.indptr))
    return Network(descent.minima, values[descent.minima], sizes, edges)


def _pairs(family: Family) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Slices of a family's lattice, so that every two neighbours stand opposite once."""
    for dimension, axis in enumerate(family.axes):
        for by in range(1, min(2, int(axis.size)) if _stepwise(axis) else int(axis.size)):
            yield _shifted(dimension, by)


def _neighbours(alive: Bools, family: Family) -> Ints:
    """How many neighbours with a value each point of a family has, in the family's shape."""
    degree = np.zeros(alive.shape, dtype=np.int64)
    for before, after in _pairs(family):
        degree[before] += alive[after]
        degree[after] += alive[before]
    return degree


def minima(space: Space, values: Floats, same: Ints | None = None) -> Minima:
    """Return the local minima and basins of ``descend`` with their exact masses.

    >>> from hpo_lab.space import Integer
    >>> found = minima(Space.box(Integer("k", 1, 6)), np.array([3.0, 1.0, 2.0, 5.0, 0.0, 4.0]))
    >>> found.values, found.masses
    (array([0., 1.]), array([0.5, 0.5]))
    """
    found = descend(space, values, same)
    label, count = found.label, len(found.minima)

    def labels(points: Points) -> Ints:
        return label[places(space, points)]

    def lowest_of_each(region: Region) -> Floats:
        rows = inside(space, region) & (label >= 0)
        low = np.full(count, np.inf)
        np.minimum.at(low, label[rows], values[rows])
        return low

    return Minima(
        points_at(space, found.minima),
        values[found.minima],
        labels,
        lowest_of_each,
        _basin_masses(space, label, count),
    )


@lru_cache(maxsize=16)
def minima_of(landscape: Landscape) -> Minima:
    """Return the minima of any landscape with an enumeration; its own ``minima`` may call this.

    Points that the landscape calls the same are one. Raises InputError where the universe is
    infinite or too large to be enumerated.
    """
    table = enumeration(landscape)
    if table is None:
        raise InputError(f"{landscape.name} cannot be enumerated: give it finitely many points")
    plain = np.array_equal(table.same, np.arange(len(table.same)))
    return minima(landscape.universe, table.truth, None if plain else table.same)


def _basin_masses(space: Space, label: Ints, count: int) -> Floats:
    """The share (m,) of the reference measure in each basin."""
    if any(isinstance(a, Integer) and a.log for family in space.families for a in family.axes):
        alive = label >= 0
        mass = masses(space.enumerate())
        return np.asarray(np.bincount(label[alive], weights=mass[alive], minlength=count), float)
    total = np.zeros(count)
    for (part, _, family), weight in zip(_blocks(space), space.weights, strict=True):
        own = label[part]
        total += weight * np.bincount(own[own >= 0], minlength=count) / family.size
    return total


def lowest(space: Space, values: Floats, region: Region) -> Optimum | Bounds:
    """Return the exact optimum of the points (N,) of a finite space inside a region.

    The first of equals; bounds at infinity where no point of the region has a value.
    """
    rows = np.flatnonzero(inside(space, region) & ~np.isnan(values))
    if not len(rows):
        return Bounds(math.inf, math.inf, "no point of the region has a value")
    best = rows[np.argmin(values[rows])]
    return Optimum(float(values[best]), points_at(space, best[None]))


def places(space: Space, points: Points) -> Ints:
    """Return the place (n,) of each point of a finite space in ``space.enumerate()``."""
    found = np.zeros(len(points), dtype=np.int64)
    for index, (part, _, _) in enumerate(_blocks(space)):
        one = len(space.families) == 1  # no copies where a point is evaluated alone
        rows = slice(None) if one else np.flatnonzero(points.family == index)
        place = np.zeros(1)
        for column, axis in space.places(index):
            place = place * axis.size + points.values[rows, column]
            if not isinstance(axis, Choice) and axis.low:
                place -= axis.low
        found[rows] = part.start + place.astype(np.int64)
    return found


def points_at(space: Space, rows: Ints) -> Points:
    """Return the points at the places (n,) of ``space.enumerate()``, without listing it.

    >>> space = Space.box(Choice("op", ("gat", "gcn")), Choice("width", (16, 32, 64)))
    >>> points_at(space, np.array([4])).records()
    [{'op': 'gcn', 'width': 32}]
    """
    family = np.zeros(len(rows), dtype=np.int64)
    values = np.full((len(rows), space.width), np.nan)
    for index, (part, shape, _) in enumerate(_blocks(space)):
        own = np.flatnonzero((rows >= part.start) & (rows < part.stop))
        family[own] = index
        digits = np.unravel_index(rows[own] - part.start, shape) if shape else ()
        for (column, axis), digit in zip(space.places(index), digits, strict=True):
            values[own, column] = levels(axis)[digit]
    return Points(space, family, values)


def inside(space: Space, region: Region) -> Bools:
    """Return which points (N,) of the enumerated space lie in a region, axis by axis."""
    found = np.zeros(int(space.size), dtype=bool)
    for part, shape, family in _blocks(space):
        for box in region:
            if box.family == family.name:
                found[part] |= _in_box(box, shape, family).ravel()
    return found


def _in_box(box: Box, shape: tuple[int, ...], family: Family) -> Bools:
    open_grid = np.ix_(*[levels(axis) for axis in family.axes])
    on = dict(zip([axis.name for axis in family.axes], open_grid, strict=True))
    kept = np.ones((1,) * len(shape), dtype=bool)
    for name, within in box.sets:
        kept = kept & within.contains(on[name])
    for tie in box.ties:
        for name in tie[1:]:
            kept = kept & (on[name] == on[tie[0]])
    return np.broadcast_to(kept, shape)

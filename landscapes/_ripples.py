"""Minima and basins of bowls with ripples, f(x) = min over k of o_k + Σ_i φ_ki(x_i).

Descent in a separable component moves each coordinate by itself, downhill between the crests of
its φ_ki: the component's minima are the products of its one-dimensional minima, and its cells the
products of the stretches between crests. A minimum of a component is one of f where the component
is the lowest there, and its basin is the part of its cell where the component is the lowest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from hpo_lab.landscape import Minima
from hpo_lab.region import Box, Interval, Region
from hpo_lab.space import Floats, Ints, Points, Space
from landscapes._separable import Common, Valleys, groups, root

LISTED = 20_000  # minima up to which they are listed


@dataclass(frozen=True, eq=False)
class Ladder:
    """One axis of one component: its minima (m,), rising, and the crests (m − 1,) between them."""

    term: Valleys  # the component's alone
    low: float
    high: float

    def _slope(self, t: Floats) -> Floats:
        return self.term.slope(0, t)

    @cached_property
    def bottoms(self) -> Floats:
        """The minima (m,) on [low, high]; an end is one where the slope leads out."""
        low, high, term = self.low, self.high, self.term
        if not term.waves or not term.height[0]:
            return np.clip(term.centre, low, high)
        left, right = term.stretches(0, low, high)
        inside = (self._slope(left) < 0.0) & (self._slope(right) > 0.0)
        found = root(self._slope, left[inside], right[inside])
        if term.centre[0] == term.phase[0] and len(found):
            nearest = int(np.argmin(np.abs(found - term.centre[0])))
            if low < term.centre[0] < high:
                found[nearest] = term.centre[0]  # the bottom of both, exactly
        ends = np.array([low, high])
        out = self._slope(ends) * np.array([1.0, -1.0]) >= 0.0
        return np.concatenate([ends[:1][out[:1]], found, ends[1:][out[1:]]])

    @cached_property
    def crests(self) -> Floats:
        """The maxima (m − 1,) between neighbouring minima."""
        return root(lambda t: -self._slope(t), self.bottoms[:-1], self.bottoms[1:])

    @cached_property
    def edges(self) -> Floats:
        """The ends of the cells, (m + 1,)."""
        return np.concatenate([[self.low], self.crests, [self.high]])

    def cell(self, values: Floats) -> Ints:
        """Return the number (n,) of the cell of each value."""
        return np.searchsorted(self.crests, values)


@dataclass(frozen=True, eq=False)
class RippledMinima:
    """The minima of a landscape of one family whose axes carry ``Valleys``, all in native units.

    ``judge`` gives the value (n,) and the lowest component (n,) at points.
    """

    space: Space
    terms: tuple[Valleys, ...]
    judge: Callable[[Points], tuple[Floats, Ints]]

    @cached_property
    def ladders(self) -> list[list[Ladder]]:
        """For each component a ladder on every axis."""
        axes = [axis for _, axis in self.space.places(0)]
        return [
            [
                Ladder(term.only(k), float(axis.low), float(axis.high))  # type: ignore[union-attr]
                for term, axis in zip(self.terms, axes, strict=True)
            ]
            for k in range(len(self.terms[0].centre))
        ]

    @cached_property
    def shapes(self) -> list[tuple[int, ...]]:
        """For each component the number of its minima along every axis."""
        return [tuple(len(ladder.bottoms) for ladder in own) for own in self.ladders]

    def count(self) -> int:
        """Return how many minima the components have, each by itself: an upper bound."""
        return sum(math.prod(shape) for shape in self.shapes)

    def listed(self) -> Minima | None:
        """Return all minima, best first, with their basins; None where they are too many."""
        if self.count() > LISTED:
            return None
        component, cell, values = self._active()
        points = self._bottoms(component, cell)
        rank = [np.full(shape, -1) for shape in self.shapes]
        for k, table in enumerate(rank):
            rows = np.flatnonzero(component == k)
            table[tuple(cell[rows].T)] = rows

        def labels(given: Points) -> Ints:
            return self._labels(given, rank)

        def lowest(region: Region) -> Floats:
            return self._lowest(region, component, cell)

        return Minima(points, values, labels, lowest, self._masses(cell))

    def _active(self) -> tuple[Ints, Ints, Floats]:
        """The components (m,), cells (m, d) and values (m,) of the minima, best first."""
        cells = [np.indices(shape).reshape(len(shape), -1).T for shape in self.shapes]
        component = np.repeat(np.arange(len(cells)), [len(own) for own in cells])
        cell = np.concatenate(cells)
        values, lowest = self.judge(self._bottoms(component, cell))
        kept = np.flatnonzero(lowest == component)
        kept = kept[np.argsort(values[kept], kind="stable")]
        return component[kept], cell[kept], values[kept]

    def _bottoms(self, component: Ints, cell: Ints) -> Points:
        values = np.empty(cell.shape)
        for k, own in enumerate(self.ladders):
            rows = component == k
            for i, ladder in enumerate(own):
                values[rows, i] = ladder.bottoms[cell[rows, i]]
        return self.space.points(values)

    def _labels(self, given: Points, rank: list[Ints]) -> Ints:
        _, component = self.judge(given)
        labels = np.full(len(given), -1, dtype=np.int64)
        for k, own in enumerate(self.ladders):
            rows = np.flatnonzero(component == k)
            cell = [ladder.cell(given.values[rows, i]) for i, ladder in enumerate(own)]
            labels[rows] = rank[k][tuple(cell)]
        return labels

    def _masses(self, cell: Ints) -> Floats | None:
        """The share of the box in each cell (m,); None for parts of cells."""
        if len(self.ladders) > 1:
            return None
        shares = [np.diff(own.edges) / (own.high - own.low) for own in self.ladders[0]]
        mass: Floats = np.prod([share[cell[:, i]] for i, share in enumerate(shares)], axis=0)
        return mass

    def _lowest(self, region: Region, component: Ints, cell: Ints) -> Floats:
        """The lowest value (m,) of f in each basin and the region; nan where it is not known."""
        found = np.full(len(component), math.inf)
        for box in region:
            shared = groups(self.space, box)
            for k in range(len(self.ladders)):
                rows = np.flatnonzero(component == k)
                at = self._nearest(box, k, cell[rows], shared)
                rows, at = rows[~np.isnan(at).any(axis=1)], at[~np.isnan(at).any(axis=1)]
                values, lowest = self.judge(self.space.points(at))
                # where another component is lower, the basin's own part of the cell is elsewhere
                found[rows] = np.minimum(found[rows], np.where(lowest == k, values, math.nan))
        return found

    def _nearest(
        self, box: Box, k: int, cell: Ints, shared: list[tuple[list[int], Common]]
    ) -> Floats:
        """Where component k is lowest in its cells (m, d) and a box; nan where they do not meet."""
        at = np.empty(cell.shape)
        for columns, common in shared:
            ladders = [self.ladders[k][i] for i in columns]
            at[:, columns] = _lowest_by_cell(ladders, common)[tuple(cell[:, columns].T)][:, None]
        return at


def _lowest_by_cell(ladders: list[Ladder], common: Common) -> Floats:
    """Where the sum of tied axes is lowest in each of their cells: nan where they have no value."""
    inside, places = _in_pieces(ladders, common) if isinstance(common, Interval) else (common,) * 2
    total = np.sum([ladder.term(places)[:, 0] for ladder in ladders], axis=0)
    table = np.full([len(ladder.bottoms) for ladder in ladders], math.nan)
    order = np.argsort(-total, kind="stable")  # the lowest is written last
    table[tuple(ladder.cell(inside[order]) for ladder in ladders)] = places[order]
    return table


def _in_pieces(ladders: list[Ladder], common: Interval) -> tuple[Floats, Floats]:
    """The parts of an interval between the cells' edges: a value inside, and the lowest's place."""
    edges = np.unique(np.concatenate([ladder.edges for ladder in ladders]))
    cuts = np.unique(np.clip(edges, common.low, common.high))
    left, right = cuts[:-1], cuts[1:]
    middle = (left + right) / 2.0
    if len(ladders) == 1:
        return middle, np.clip(ladders[0].bottoms[ladders[0].cell(middle)], left, right)
    together = reduce(_sum, [ladder.term for ladder in ladders])
    pieces = zip(left.tolist(), right.tolist(), strict=True)
    return middle, np.array([together.argmin(*piece)[0] for piece in pieces])


def _sum(a: Valleys, b: Valleys) -> Valleys:
    total = a.plus(b)
    if not isinstance(total, Valleys):
        raise TypeError("only ripples of one length have a sum in closed form")
    return total

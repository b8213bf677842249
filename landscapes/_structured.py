"""Landscapes of finitely many structures, with one valley in each real axis of every structure.

    f(s, x) is unimodal in each real axis x_i, given the structure s and whatever the others are,
    and the bottom of its valley there is b_i(s).

So in a box f is lowest, for each of its structures, where every real axis is as near to b_i(s) as
the box lets it: in an interval at the nearest value, on a grid at one of the two beside b_i(s).
Real axes that are tied share a valley, if the landscape has the bottom of it. Enumerating the
structures then gives the exact optimum of every product of sets, and of every sum of families.

Every structure at its bottom is a point of a finite space, whose local minima, basins and masses
are exact too (``hpo_lab.lattice``): neighbours are one step apart, each with its own best rates.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpo_lab import lattice
from hpo_lab.landscape import Bounds, Minima, Optimum
from hpo_lab.region import Box, Interval, Region, whole
from hpo_lab.space import Choice, Family, Floats, Ints, Points, Real, Space
from landscapes._separable import BLOCK, NOWHERE, Common, groups

Numbers = Mapping[str, Floats]  # by axis (n,): native numbers, the index of an option in words


def numbers(space: Space, family: int, values: Floats) -> Numbers:
    """Return the axes of one family at its values (n, width), as numbers.

    >>> from hpo_lab.space import Integer
    >>> space = Space.box(Choice("batch", (32, 64)), Choice("cell", ("gru", "lstm")))
    >>> numbers(space, 0, np.array([[1.0, 1.0]]))
    {'batch': array([64.]), 'cell': array([1.])}
    """
    found = {}
    for column, axis in space.places(family):
        given = np.ascontiguousarray(values[:, column])
        if isinstance(axis, Choice) and not isinstance(axis.options[0], str):
            given = np.array([float(o) for o in axis.options])[given.astype(np.int64)]
        found[axis.name] = given
    return found


def by_family(points: Points, work: Callable[[int, Numbers], Floats], rows: int = 1) -> Floats:
    """Return ``work(family, numbers)``, of shape (rows, n), for all points: (rows, n) by blocks.

    A point's column does not depend on the batch, and memory stays low.
    """
    found = np.empty((rows, len(points)))
    for start in range(0, len(points), BLOCK):
        block = slice(start, start + BLOCK)
        family, values = points.family[block], points.values[block]
        for index in np.unique(family).tolist():
            inside = np.flatnonzero(family == index)
            given = numbers(points.space, index, values[inside])
            found[:, start + inside] = work(index, given)
    return found


@dataclass(frozen=True, eq=False)
class Structured:
    """The theorem over a space.

    ``bottom(family, axes, numbers)`` gives the native value (n,) at which f is lowest on the real
    axes of these names, tied where there are several, for the structures in ``numbers``.
    """

    space: Space
    evaluate: Callable[[Points], Floats]
    bottom: Callable[[int, Sequence[str], Numbers], Floats]

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside a region of the space."""
        best: Optimum | None = None
        for box in region:
            tried = self._candidates(box)
            if tried is None:
                continue
            values = self.evaluate(tried)
            k = int(np.argmin(values))
            if best is None or values[k] < best.value:
                best = Optimum(float(values[k]), tried[k])
        return NOWHERE if best is None else best

    def minima(self) -> Minima:
        """Return the structures that are better than all their neighbours, and their basins.

        A basin holds the structures from which steps to the best neighbour lead to its minimum,
        whatever their real axes are.
        """
        finite = self._finite
        tried = [self._candidates(box) for box in whole(self.space)]
        best = Points.concatenate([points for points in tried if points is not None])
        values = self.evaluate(best)
        found = lattice.minima(finite, values)
        home = lattice.places(finite, found.points)

        def labels(points: Points) -> Ints:
            return found.labels(self._structure(points))

        def lowest(region: Region) -> Floats:
            low = np.full(len(home), np.inf)
            for box in region:
                tried = self._candidates(box)
                if tried is not None:
                    np.minimum.at(low, labels(tried), self.evaluate(tried))
            return low

        return Minima(best[home], values[home], labels, lowest, found.masses)

    @cached_property
    def _finite(self) -> Space:
        """The space without its real axes."""
        return Space(
            tuple(
                Family(f.name, tuple(a for a in f.axes if not isinstance(a, Real)), f.weight)
                for f in self.space.families
            )
        )

    def _structure(self, points: Points) -> Points:
        """The points' structures, as points of the finite space."""
        kept = [self.space.columns.index(name) for name in self._finite.columns]
        return Points(self._finite, points.family, points.values[:, kept])

    def _candidates(self, box: Box) -> Points | None:
        """The points of a box of which one is its lowest; None where the box is empty."""
        index = self.space.index(box.family)
        axes = self.space.families[index].axes
        own = [column for column, _ in self.space.places(index)]
        parts = groups(self.space, box)
        if any(not isinstance(common, Interval) and not len(common) for _, common in parts):
            return None
        real = [part for part in parts if all(isinstance(axes[i], Real) for i in part[0])]
        table = self._structures([part for part in parts if part not in real], own)
        given = numbers(self.space, index, table)
        choices = [
            _near(common, self.bottom(index, [axes[i].name for i in columns], given))
            for columns, common in real
        ]
        tables = []
        for chosen in itertools.product(*choices):
            for (columns, _), value in zip(real, chosen, strict=True):
                table[:, [own[i] for i in columns]] = value[:, None]
            tables.append(table.copy())
        every = np.concatenate(tables)
        return Points(self.space, np.full(len(every), index, dtype=np.int64), every)

    def _structures(self, finite: list[tuple[list[int], Common]], own: list[int]) -> Floats:
        """Every structure (n, width) of a product of finite sets; the rest is nan."""
        grids = np.meshgrid(*[np.asarray(common) for _, common in finite], indexing="ij")
        table = np.full((grids[0].size if grids else 1, self.space.width), np.nan)
        for (columns, _), grid in zip(finite, grids, strict=True):
            table[:, [own[i] for i in columns]] = grid.reshape(-1, 1)
        return table


def _near(common: Common, bottom: Floats) -> list[Floats]:
    """The allowed values nearest to the bottoms (n,): one in an interval, on a grid two."""
    if isinstance(common, Interval):
        return [np.clip(bottom, common.low, common.high)]
    above = np.clip(np.searchsorted(common, bottom), 0, len(common) - 1)
    below = np.maximum(above - 1, 0)
    return [common[above]] if (above == below).all() else [common[below], common[above]]

"""Regions: disjoint boxes, and the systems of regions that points are counted in.

Optima in a subspace, images of declared spaces, basins and blind spots all speak ``Region``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np

from hpo_lab.errors import InputError, nearest
from hpo_lab.space import (
    Axis,
    Bools,
    Choice,
    Family,
    Floats,
    Integer,
    Ints,
    Points,
    Real,
    Space,
    levels,
)


@dataclass(frozen=True, slots=True)
class Interval:
    """All values in [low, high], bounds included."""

    low: float
    high: float

    def contains(self, values: Floats) -> Bools:
        """Return which values (n,) lie inside."""
        return np.asarray((values >= self.low) & (values <= self.high))


@dataclass(frozen=True, slots=True)
class Among:
    """One of finitely many column values (for a Choice, option indices), in increasing order."""

    values: tuple[float, ...]

    def contains(self, values: Floats) -> Bools:
        """Return which values (n,) are among these."""
        return np.isin(values, np.array(self.values))


AxisSet = Interval | Among


def intersect_sets(a: AxisSet, b: AxisSet) -> AxisSet | None:
    """Return the common part, or None where there is none.

    >>> intersect_sets(Interval(0, 2), Among((1.0, 3.0)))
    Among(values=(1.0,))
    """
    if isinstance(a, Interval) and isinstance(b, Interval):
        low, high = max(a.low, b.low), min(a.high, b.high)
        return Interval(low, high) if low <= high else None
    if not isinstance(a, Among):
        return intersect_sets(b, a)
    kept = np.array(a.values)[b.contains(np.array(a.values))]
    return Among(tuple(kept.tolist())) if len(kept) else None


def whole_axis(axis: Axis) -> AxisSet:
    """Return the set of all values of an axis."""
    if isinstance(axis, Choice):
        return Among(tuple(float(i) for i in range(len(axis.options))))
    return Interval(float(axis.low), float(axis.high))


def axis_values(axis: Axis, within: AxisSet) -> Floats | None:
    """Return the values (k,) of a set on an axis, increasing; None where it is a continuum."""
    if isinstance(within, Among):
        values = np.array(within.values)
        return values[axis.contains(values)]
    if isinstance(axis, Real):
        return np.array([within.low]) if within.low == within.high else None
    values = levels(axis)
    return values[within.contains(values)]


@lru_cache(maxsize=4096)  # thousands of cells share a few parts of a few axes
def axis_measure(axis: Axis, within: AxisSet) -> float:
    """Return the share of the axis, in its declared scale, that the set covers.

    >>> axis_measure(Integer("k", 1, 4), Interval(2, 3))
    0.5
    """
    if isinstance(axis, Real) and axis.size > 1:
        if isinstance(within, Among):
            return 0.0
        ends = np.clip([within.low, within.high], axis.low, axis.high)
        low, high = axis.to_unit(ends)
        return float(max(high - low, 0.0)) if within.low <= within.high else 0.0
    values = axis_values(axis, within)
    return float(_masses(axis, values).sum()) if values is not None else 0.0


def _masses(axis: Axis, values: Floats) -> Floats:
    """The probability (k,) of each value of a finite axis."""
    if isinstance(axis, Integer) and axis.log:
        total = math.log((axis.high + 0.5) / (axis.low - 0.5))
        return np.log((values + 0.5) / (values - 0.5)) / total
    return np.full(len(values), 1.0 / axis.size)


@dataclass(frozen=True, slots=True)
class Box:
    """A product of sets in one family; axes that are not named are free.

    ``ties`` are groups of axes that must have equal values.
    """

    family: str
    sets: tuple[tuple[str, AxisSet], ...] = ()
    ties: tuple[tuple[str, ...], ...] = ()

    def within(self, axis: str) -> AxisSet | None:
        """Return the set of an axis, None where the axis is free."""
        return dict(self.sets).get(axis)

    def full(self, family: Family) -> dict[str, AxisSet]:
        """Return the set of every axis of the family."""
        sets = dict(self.sets)
        return {axis.name: sets.get(axis.name) or whole_axis(axis) for axis in family.axes}


Region = tuple[Box, ...]  # disjoint boxes


def whole(space: Space) -> Region:
    """Return the region that is all of the space."""
    return tuple(Box(family.name) for family in space.families)


def contains(space: Space, region: Region, points: Points) -> Bools:
    """Return which points (n,) of the space lie in the region."""
    inside = np.zeros(len(points), dtype=bool)
    for box in region:
        index = space.index(box.family)
        rows = np.flatnonzero(points.family == index)
        column = {axis.name: c for c, axis in space.places(index)}
        kept = np.ones(len(rows), dtype=bool)
        for name, within in box.sets:
            kept &= within.contains(points.values[rows, column[name]])
        for tie in box.ties:
            tied = points.values[rows][:, [column[name] for name in tie]]
            kept &= (tied == tied[:, :1]).all(axis=1)
        inside[rows] |= kept
    return inside


def measure(space: Space, region: Region) -> float:
    """Return the mass of the region under the reference measure, exactly.

    >>> space = Space.box(Choice("a", ("x", "y")), Choice("b", ("x", "y")))
    >>> measure(space, (Box("", ties=(("a", "b"),)),))
    0.5
    """
    return float(sum(_box_measure(space, box) for box in region))


def _box_measure(space: Space, box: Box) -> float:
    index = space.index(box.family)
    family, sets = space.families[index], box.full(space.families[index])
    tied = {name for tie in box.ties for name in tie}
    mass = float(space.weights[index])
    for axis in family.axes:
        if axis.name not in tied:
            mass *= axis_measure(axis, sets[axis.name])
    for tie in box.ties:
        mass *= _tie_measure([family.axis(name) for name in tie], [sets[name] for name in tie])
    return mass


def _tie_measure(axes: list[Axis], sets: list[AxisSet]) -> float:
    """The probability that the axes are equal and inside: Σ over common values of Π masses."""
    common: AxisSet | None = sets[0]
    for within in sets[1:]:
        common = intersect_sets(common, within) if common is not None else None
    values = axis_values(axes[0], common) if common is not None else np.empty(0)
    if values is None or any(isinstance(a, Real) and a.size > 1 for a in axes):
        return 0.0  # a diagonal has no volume
    for axis in axes[1:]:
        values = values[axis.contains(values)]
    return float(np.prod([_masses(axis, values) for axis in axes], axis=0).sum())


def masses(points: Points) -> Floats:
    """Return the probability (n,) of each point of a finite space under its reference measure.

    >>> masses(Space.box(Choice("a", ("x", "y")), Integer("k", 1, 5)).enumerate()).sum().round(12)
    np.float64(1.0)
    """
    space = points.space
    mass = space.weights[points.family]
    for index in range(len(space.families)):
        rows = np.flatnonzero(points.family == index)
        for column, axis in space.places(index):
            if axis.size > 1:
                mass[rows] *= _masses(axis, points.values[rows, column])
    return np.asarray(mass)


def intersect(a: Region, b: Region) -> Region:
    """Return the common part of two regions of one space."""
    boxes = (_intersect_boxes(x, y) for x in a for y in b if x.family == y.family)
    return tuple(box for box in boxes if box is not None)


def _intersect_boxes(a: Box, b: Box) -> Box | None:
    sets = dict(a.sets)
    for name, within in b.sets:
        if name in sets:
            common = intersect_sets(sets[name], within)
            if common is None:
                return None
            sets[name] = common
        else:
            sets[name] = within
    return Box(a.family, tuple(sorted(sets.items())), tuple(dict.fromkeys(a.ties + b.ties)))


def describe(space: Space, region: Region) -> str:
    """Return the region in words, in native units.

    >>> space = Space.box(Choice("op", ("gat", "gcn")), Integer("k", 1, 7))
    >>> describe(space, (Box("", (("op", Among((0.0,))),)),))
    'op = gat'
    """
    alike: dict[str, list[Box]] = {}
    for box in region:
        alike.setdefault(_describe_box(space, box), []).append(box)
    return " or ".join(_with_families(space, text, own) for text, own in alike.items()) or "nowhere"


def _with_families(space: Space, text: str, boxes: list[Box]) -> str:
    """The words of boxes, with their families where others have the same axes."""
    axes = {name for name, _ in boxes[0].sets}
    homes = {f.name for f in space.families if axes <= {axis.name for axis in f.axes}}
    own = list(dict.fromkeys(box.family for box in boxes))
    if not axes or len(own) >= len(homes):
        return text
    families = own[0] if len(own) == 1 else "{" + ", ".join(own) + "}"
    return f"family {'=' if len(own) == 1 else 'in'} {families} and {text}"


def _describe_box(space: Space, box: Box) -> str:
    family = space.family(box.family)
    parts = [f"family = {box.family}"] if len(space.families) > 1 and not box.sets else []
    for name, within in box.sets:
        axis = family.axis(name)
        if isinstance(within, Interval):
            parts.append(f"{within.low:g} ≤ {name} ≤ {within.high:g}")
        else:
            options = [str(axis.native(v)) for v in within.values]
            one_of = "{" + ", ".join(options) + "}"
            parts.append(f"{name} = {options[0]}" if len(options) == 1 else f"{name} in {one_of}")
    parts += [" = ".join(tie) for tie in box.ties]
    return " and ".join(parts) or "everything"


class RegionSystem(Protocol):
    """Regions of a universe, declared before running; every point is labelled at once.

    ``labels(points)`` returns (n, parts) indices of regions, -1 for none: a partition has one
    part, overlapping systems have one for each partition that they are made of.
    """

    def __hash__(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def partition(self) -> bool: ...
    def labels(self, points: Points) -> Ints: ...


class BoxSystem(RegionSystem, Protocol):
    """A region system whose regions are boxes: measures and optima follow from them exactly."""

    @property
    def regions(self) -> tuple[Region, ...]: ...


@dataclass(frozen=True)
class Families:
    """The families of a space: a partition."""

    space: Space
    name: str = "families"
    partition: bool = True

    @property
    def regions(self) -> tuple[Region, ...]:
        return tuple((Box(family.name),) for family in self.space.families)

    def labels(self, points: Points) -> Ints:
        """Return (n, 1)."""
        return points.family[:, None]


@dataclass(frozen=True)
class Combinations:
    """What ``order`` different axes are together, wherever they are active.

    Without ``bins`` the axes are choices; a region is one option of each. With ``bins`` at least
    one of them is a number, split into at most so many parts of (nearly) equal measure. Axes that
    have a name in common but not their values are different axes.
    """

    space: Space
    order: int
    name: str
    bins: int = 0

    @property
    def partition(self) -> bool:
        """Only one group of axes, present in every family, splits the space."""
        return len(self.groups) == 1 and len(self.space.families) == 1

    @cached_property
    def groups(self) -> list[tuple[Axis, ...]]:
        """The groups of axes that occur together in some family."""
        groups: dict[tuple[Axis, ...], None] = {}
        for family in self.space.families:
            axes = [a for a in family.axes if isinstance(a, Choice) or (self.bins and a.size > 1)]
            groups.update(dict.fromkeys(itertools.combinations(axes, self.order)))
        return [g for g in groups if not self.bins or any(not isinstance(a, Choice) for a in g)]

    def _homes(self, group: Iterable[Axis]) -> list[int]:
        """The indices of the families that have all axes of the group."""
        needed = set(group)
        return [i for i, f in enumerate(self.space.families) if needed <= set(f.axes)]

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        regions: list[Region] = []
        for group in self.groups:
            homes = [self.space.families[i].name for i in self._homes(group)]
            names = [axis.name for axis in group]
            for parts in itertools.product(*[split(axis, self.bins) for axis in group]):
                sets = tuple(zip(names, parts, strict=True))
                regions.append(tuple(Box(home, sets) for home in homes))
        return tuple(regions)

    def labels(self, points: Points) -> Ints:
        """Return (n, groups)."""
        labels = np.full((len(points), len(self.groups)), -1)
        start = 0
        for part, group in enumerate(self.groups):
            homes = self._homes(group)
            everywhere = len(homes) == len(self.space.families)
            rows = slice(None) if everywhere else np.flatnonzero(np.isin(points.family, homes))
            label, size = np.zeros(1, dtype=np.int64), 1
            for axis in group:
                parts = split(axis, self.bins)
                values = points.values[rows, self.space.columns.index(axis.name)]
                label = label * len(parts) + part_of(axis, parts, values)
                size *= len(parts)
            labels[rows, part] = start + label
            start += size
        return labels


@dataclass(frozen=True)
class Cells:
    """Mixed-radix cells: each family's leading axes, split while at most ``limit`` cells result.

    Each family gets its share of the cells by weight, so that all are of nearly equal measure. A
    choice splits into its options, an integer axis into its values (at most four groups), a real
    axis into four parts of equal length on its scale; where all axes of a family are split and
    there is room left, numbers are split twice as finely, and again. A partition; the axes that
    come too late to be split are free in every cell.
    """

    space: Space
    limit: int
    name: str = "cells"
    partition: bool = True

    @cached_property
    def _splits(self) -> list[list[tuple[Axis, list[AxisSet]]]]:
        """The axes of each family that are split, with their parts."""
        shares = zip(self.space.families, self.space.weights.tolist(), strict=True)
        return [_finest(family, self.limit * share) for family, share in shares]

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        regions: list[Region] = []
        for family, splits in zip(self.space.families, self._splits, strict=True):
            for sets in itertools.product(*[parts for _, parts in splits]):
                named = [(axis.name, s) for (axis, _), s in zip(splits, sets, strict=True)]
                regions.append((Box(family.name, tuple(named)),))
        return tuple(regions)

    def labels(self, points: Points) -> Ints:
        """Return (n, 1)."""
        labels = np.zeros(len(points), dtype=np.int64)
        start = 0
        for index, splits in enumerate(self._splits):
            rows = np.flatnonzero(points.family == index)
            label = np.zeros(len(rows), dtype=np.int64)
            for axis, parts in splits:
                values = points.values[rows, self.space.columns.index(axis.name)]
                label = label * len(parts) + part_of(axis, parts, values)
            labels[rows] = start + label
            start += math.prod(len(parts) for _, parts in splits)
        return labels[:, None]


COARSEST = 4  # parts of a number's axis in cells, before there is room for more


def _finest(family: Family, room: float) -> list[tuple[Axis, list[AxisSet]]]:
    """The leading axes with their parts, as fine as there is room for cells."""

    def split_by(bins: int) -> list[tuple[Axis, list[AxisSet]]]:
        splits: list[tuple[Axis, list[AxisSet]]] = []
        cells = 1
        for axis in family.axes:
            cells *= len(parts := split(axis, bins))
            if cells > max(room, 1) * (1 + 1e-9):
                break
            splits.append((axis, parts))
        return splits

    best, bins = split_by(COARSEST), COARSEST
    while len(best) == len(family.axes) and 2 * bins <= room:
        finer, bins = split_by(2 * bins), 2 * bins
        if len(finer) < len(best):
            break
        best = finer
    return best


def split(axis: Axis, bins: int) -> list[AxisSet]:
    """Return an axis in parts of (nearly) equal measure: its options, or so many intervals.

    Neighbouring intervals of a real axis share their bound, which belongs to the lower one.

    >>> split(Integer("k", 1, 5), 2)
    [Interval(low=1.0, high=2.0), Interval(low=3.0, high=5.0)]
    """
    if isinstance(axis, Choice):
        return [Among((float(i),)) for i in range(len(axis.options))]
    if axis.size == 1:
        return [whole_axis(axis)]
    if isinstance(axis, Real):
        edges = axis.from_unit(np.linspace(0, 1, bins + 1)).tolist()
        return [Interval(a, b) for a, b in itertools.pairwise(edges)]
    starts = np.unique(axis.from_unit(np.linspace(0, 1, bins + 1))[:-1])
    ends = np.append(starts[1:] - 1, float(axis.high))
    return [Interval(a, b) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]


def part_of(axis: Axis, parts: Sequence[AxisSet], values: Floats) -> Ints:
    """Return which part (n,) of ``split(axis, …)`` each value lies in, the first that has it."""
    if isinstance(axis, Choice):
        return values.astype(np.int64)
    ends = [part.high for part in parts[:-1] if isinstance(part, Interval)]
    return np.searchsorted(ends, values)


@dataclass(frozen=True, slots=True)
class Resolution:
    """How fine the region systems of a study are: parts of an axis, cells, share of the spread."""

    bins: int = 8
    cells: int = 64
    epsilon: float = 0.01


SYSTEMS: Mapping[str, str] = {
    "families": "which family a point belongs to",
    "options": "which option an axis has",
    "pairs": "which two options two axes have together",
    "bins": "in which part of its range a number lies",
    "planes": "in which parts of their ranges two axes lie, at least one of them a number",
    "cells": "in which cell of all leading axes together a point lies",
    "basins": "the basin of which local minimum a point lies in, where they are known",
    "near_optimal": "whether the truth is close to the optimum, where that is known",
}
USUAL = ("families", "options", "pairs")  # where a study names none


def region_system(name: str, space: Space, resolution: Resolution = Resolution()) -> BoxSystem:
    """Return the region system of that name over the space; InputError for an unknown name.

    Basins and the near-optimal set are not boxes of a space: see ``hpo_lab.basins``.

    >>> region_system("bins", Space.box(Real("x", 0, 1)), Resolution(bins=2)).regions[1]
    (Box(family='', sets=(('x', Interval(low=0.5, high=1.0)),), ties=()),)
    """
    if name == "families":
        return Families(space)
    if name == "cells":
        return Cells(space, resolution.cells)
    if name in ("options", "bins", "pairs", "planes"):
        bins = resolution.bins if name in ("bins", "planes") else 0
        return Combinations(space, 1 if name in ("options", "bins") else 2, name, bins)
    raise InputError(f"there is no region system {nearest(name, SYSTEMS)}")

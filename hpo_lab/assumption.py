"""Assumptions: the steps, each with a name and a reason, from the universe to a declared space.

A ``View`` is wired, not programmed: every axis of the universe either follows one declared axis
(as it is, or through a table of values) or is a constant. From these wires ``lift``, ``lower``,
``image`` and ``pull`` all follow, so they cannot disagree, and views compose exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np

from hpo_lab.errors import InputError, nearest
from hpo_lab.region import (
    Among,
    AxisSet,
    Box,
    Region,
    axis_values,
    intersect_sets,
    whole,
    whole_axis,
)
from hpo_lab.space import Axis, Bools, Choice, Family, Ints, Points, Record, Space


@dataclass(frozen=True, slots=True)
class Wire:
    """Where one axis of the universe gets its value from.

    ``source`` names the declared axis (None: the value is ``constant``); ``table`` holds the
    universe's value for each index of the source (None: the source's own value).
    """

    axis: str
    source: str | None = None
    table: tuple[float, ...] | None = None
    constant: float = math.nan


@dataclass(frozen=True)
class View:
    """A declared space, and how it lies in its universe.

    ``wires`` has one tuple of wires for each declared family, one wire for each axis that the
    family of the same name has in the universe.
    """

    universe: Space
    declared: Space
    wires: tuple[tuple[Wire, ...], ...]

    @staticmethod
    def identity(universe: Space) -> View:
        """Return the view in which nothing is assumed."""
        wires = tuple(tuple(Wire(a.name, a.name) for a in f.axes) for f in universe.families)
        return View(universe, universe, wires)

    @cached_property
    def _homes(self) -> Ints:
        """The universe's index of each declared family."""
        return np.array([self.universe.index(f.name) for f in self.declared.families])

    def lift(self, points: Points) -> Points:
        """Return the declared points as points of the universe (total)."""
        values = np.full((len(points), self.universe.width), np.nan)
        several = len(self.wires) > 1
        for index, wires in enumerate(self.wires):
            rows = np.flatnonzero(points.family == index) if several else slice(None)
            to, from_ = self._columns(index)
            for wire in wires:
                if wire.source is None:
                    values[rows, to[wire.axis]] = wire.constant
                    continue
                given = points.values[rows, from_[wire.source]]
                if wire.table is not None:
                    given = np.array(wire.table)[given.astype(np.int64)]
                values[rows, to[wire.axis]] = given
        return Points(self.universe, self._homes[points.family], values)

    def lower(self, points: Points) -> tuple[Points, Bools]:
        """Return the points of the universe that exist in the declared space, and which do (n,)."""
        from hpo_lab.region import contains

        exists = contains(self.universe, self.image, points)
        kept = points[np.flatnonzero(exists)]
        values = np.full((len(kept), self.declared.width), np.nan)
        family = np.zeros(len(kept), dtype=np.int64)
        for index, wires in enumerate(self.wires):
            rows = np.flatnonzero(kept.family == self._homes[index])
            family[rows] = index
            from_, to = self._columns(index)
            for wire in wires:
                if wire.source is not None:
                    given = kept.values[rows, from_[wire.axis]]
                    if wire.table is not None:
                        order = np.argsort(wire.table)
                        given = order[np.searchsorted(np.sort(wire.table), given)].astype(float)
                    values[rows, to[wire.source]] = given
        return Points(self.declared, family, values), exists

    def _columns(self, index: int) -> tuple[dict[str, int], dict[str, int]]:
        """Columns by axis name, in the universe and in the declared space, of one family."""
        home = self.universe.places(int(self._homes[index]))
        return (
            {axis.name: c for c, axis in home},
            {axis.name: c for c, axis in self.declared.places(index)},
        )

    @cached_property
    def image(self) -> Region:
        """Where the declared space lies in the universe: one box a family."""
        return self.push(whole(self.declared))

    def push(self, region: Region) -> Region:
        """Return where a region of the declared space lies in the universe, box by box.

        The region may not have ties of its own.
        """
        boxes = []
        for box in region:
            if box.ties:
                raise InputError("a region with tied axes cannot be drawn in the universe")
            index = self.declared.index(box.family)
            family, wires = self.declared.families[index], self.wires[index]
            given = box.full(family)
            sets = [(wire.axis, _reach(family, wire, given)) for wire in wires]
            sources: dict[str, list[str]] = {}
            for wire in wires:
                if wire.source is not None:
                    sources.setdefault(wire.source, []).append(wire.axis)
            ties = tuple(tuple(axes) for axes in sources.values() if len(axes) > 1)
            boxes.append(Box(family.name, tuple(sorted(sets)), ties))
        return tuple(boxes)

    def pull(self, region: Region) -> Region:
        """Return the part of the declared space that lies in a region of the universe.

        The region may not have ties of its own.
        """
        pulled = []
        for box in region:
            if box.ties:
                raise InputError("a region with tied axes cannot be drawn in a declared space")
            for family, wires in zip(self.declared.families, self.wires, strict=True):
                if family.name == box.family:
                    sets = _pull_sets(family, wires, dict(box.sets))
                    if sets is not None:
                        pulled.append(Box(family.name, tuple(sorted(sets.items()))))
        return tuple(pulled)

    def then(self, inner: View) -> View:
        """Return the view that assumes ``inner`` after this one; composition is associative."""
        if inner.universe != self.declared:
            raise InputError("the second view does not start from the first one's declared space")
        homes = {f.name: wires for f, wires in zip(self.declared.families, self.wires, strict=True)}
        wires = tuple(
            tuple(_joined(outer, {w.axis: w for w in inner_wires}) for outer in homes[family.name])
            for family, inner_wires in zip(inner.declared.families, inner.wires, strict=True)
        )
        return View(self.universe, inner.declared, wires)

    def to_dict(self) -> Record:
        """Return the declared space and its wires (not the universe) as a plain dictionary."""
        return {
            "declared": self.declared.to_dict(),
            "wires": [
                [[w.axis, w.source, w.table, None if w.source else w.constant] for w in wires]
                for wires in self.wires
            ],
        }


def _reach(family: Family, wire: Wire, given: dict[str, AxisSet]) -> AxisSet:
    """The set of values that a universe axis can take where declared axes keep to their sets."""
    if wire.source is None:
        return Among((wire.constant,))
    within = given[wire.source]
    if wire.table is None:
        return within
    indices = axis_values(family.axis(wire.source), within)
    kept = wire.table if indices is None else [wire.table[int(i)] for i in indices]
    return Among(tuple(sorted(kept)))


def _pull_sets(
    family: Family, wires: Sequence[Wire], wanted: dict[str, AxisSet]
) -> dict[str, AxisSet] | None:
    """Constraints on declared axes that keep every universe axis in its wanted set."""
    sets: dict[str, AxisSet] = {}
    for wire in wires:
        within = wanted.get(wire.axis)
        if within is None:
            continue
        if wire.source is None:
            if not within.contains(np.array([wire.constant]))[0]:
                return None
            continue
        if wire.table is not None:
            kept = np.flatnonzero(within.contains(np.array(wire.table)))
            within = Among(tuple(kept.astype(float).tolist()))
        known = sets.get(wire.source, whole_axis(family.axis(wire.source)))
        common = intersect_sets(known, within)
        if common is None or common == Among(()):
            return None
        sets[wire.source] = common
    return sets


def _joined(outer: Wire, inner: dict[str, Wire]) -> Wire:
    if outer.source is None:
        return outer
    wire = inner[outer.source]
    if wire.source is None:
        value = wire.constant
        value = outer.table[int(value)] if outer.table is not None else value
        return Wire(outer.axis, constant=value)
    table = wire.table
    if outer.table is not None:
        table = outer.table if table is None else tuple(outer.table[int(i)] for i in table)
    return Wire(outer.axis, wire.source, table)


class Assumption(Protocol):
    """A frozen dataclass that takes a universe and returns a view of it.

    ``name`` is what a study file calls it; ``reason`` says why somebody assumed it.
    """

    name: ClassVar[str]
    reason: str

    def __call__(self, universe: Space) -> View: ...


def assume(universe: Space, assumptions: Iterable[Assumption]) -> View:
    """Return the view after all assumptions, in order; InputError where one is impossible."""
    view = View.identity(universe)
    for assumption in assumptions:
        view = view.then(assumption(view.declared))
    return view


Edit = tuple[Axis | None, Wire]  # the declared axis in place of a universe axis, and its wire


def edited(universe: Space, edits: dict[tuple[str, str], Edit], families: Sequence[str]) -> View:
    """Return the view that keeps ``families`` and replaces the axes named by (family, axis)."""
    declared, wires = [], []
    for family in universe.families:
        if family.name not in families:
            continue
        kept = [
            edits.get((family.name, axis.name), (axis, Wire(axis.name, axis.name)))
            for axis in family.axes
        ]
        axes = tuple(axis for axis, _ in kept if axis is not None)
        declared.append(Family(family.name, axes, family.weight))
        wires.append(tuple(wire for _, wire in kept))
    return View(universe, Space(tuple(declared)), tuple(wires))


def edit_axes(universe: Space, names: str | Sequence[str], edit: EditAxis) -> View:
    """Return the view with ``edit`` applied to the named axes in every family that has them.

    InputError names the nearest axis where no family has one of them.
    """
    names = as_tuple(names)
    for name in names:
        if name not in universe.columns:
            raise InputError(f"the space has no axis {nearest(name, universe.columns)}")
    edits = {
        (family.name, axis.name): edit(family, axis)
        for family in universe.families
        for axis in family.axes
        if axis.name in names
    }
    return edited(universe, edits, [family.name for family in universe.families])


class EditAxis(Protocol):
    """What ``edit_axes`` applies to each axis."""

    def __call__(self, family: Family, axis: Axis, /) -> Edit: ...


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Return a list or tuple as a tuple, and anything else as a tuple of one."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def kept_options(axis: Choice, kept: Sequence[int]) -> Edit:
    """Return the edit that keeps the options at these indices; InputError if none is left."""
    if not kept:
        raise InputError(
            f'axis "{axis.name}" would have no option left; leave out the family or keep an option'
        )
    options = tuple(axis.options[i] for i in kept)
    declared = Choice(axis.name, options, axis.ordered)
    return declared, Wire(axis.name, axis.name, tuple(float(i) for i in kept))

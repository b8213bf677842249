"""Points of a mixed, conditional space as plain tables for a model, and back.

Column 0 is the index of the family. Then comes one column for each distinct axis that can vary:
axes of equal name, kind and range are one column, however many families have them. Real and
integer axes and ordered choices hold the unit coordinate, unordered choices the option's index.
Where a family lacks the axis the column holds a constant (the centre, or option -1), so that
inactive values can never tell two points apart.
"""

from __future__ import annotations

from functools import cached_property
from typing import TypeGuard

import numpy as np

from hpo_lab.space import Axis, Bools, Choice, Floats, Points, Space

CENTRE, NO_OPTION = 0.5, -1.0


class Encoding:
    """The table of a space: its columns, what they mean, and the two ways across."""

    def __init__(self, space: Space) -> None:
        self.space = space
        places = [place for i in range(len(space.families)) for place in space.places(i)]
        varying = [(column, axis) for column, axis in places if axis.size > 1]
        self.places = tuple(dict.fromkeys(varying))

    @property
    def width(self) -> int:
        """How many columns a table has."""
        return 1 + len(self.places)

    @cached_property
    def active(self) -> Bools:
        """Which axes each family has, (F, width - 1)."""
        own = [set(self.space.places(i)) for i in range(len(self.space.families))]
        return np.array([[place in has for place in self.places] for has in own], dtype=bool)

    @cached_property
    def nominal(self) -> tuple[bool, ...]:
        """Which columns hold names (the family and unordered choices), (width,)."""
        return (True, *[_is_nominal(axis) for _, axis in self.places])

    @cached_property
    def groups(self) -> tuple[int, ...]:
        """The group (width,) that each column shares a length scale with; -1 if it cannot vary.

        The family is a group, each column of numbers is one, and unordered choices with the same
        options are one.
        """
        labels: list[object] = ["family" if len(self.space.families) > 1 else None]
        for column, axis in self.places:
            labels.append(axis.options if _is_nominal(axis) else (column, axis))
        order = {label: i for i, label in enumerate(dict.fromkeys(x for x in labels if x))}
        return tuple(order.get(label, -1) for label in labels)

    def middle(self, family: int) -> Floats:
        """Return the values (1, columns of the space) at the middle of the family's axes, else nan.

        For libraries that are told nothing of the axes that cannot vary: it has the only value.
        """
        row = np.full((1, self.space.width), np.nan)
        for column, axis in self.space.places(family):
            row[0, column] = axis.from_unit(np.array([0.5]))[0]
        return row

    def encode(self, points: Points) -> Floats:
        """Return the table (n, width) of the points."""
        unit = self.space.to_unit(points)
        table = np.empty((len(points), self.width))
        table[:, 0] = points.family
        for j, (column, axis) in enumerate(self.places):
            has = self.active[points.family, j]
            given = points.values[:, column] if _is_nominal(axis) else unit[:, column]
            table[:, 1 + j] = np.where(has, given, NO_OPTION if _is_nominal(axis) else CENTRE)
        return table

    def decode(self, table: Floats) -> Points:
        """Return the points of a table (n, width); columns that a family lacks are ignored."""
        family = table[:, 0].astype(np.int64)
        unit = np.full((len(table), self.space.width), CENTRE)
        for j, (column, axis) in enumerate(self.places):
            has = self.active[family, j]
            given = table[has, 1 + j]
            unit[has, column] = axis.to_unit(given) if _is_nominal(axis) else given
        return self.space.from_unit(family, unit)


def clipped(axis: Axis, value: float) -> float:
    """Undo the last digit by which a library's own scaling may leave the axis."""
    return value if isinstance(axis, Choice) else min(max(value, float(axis.low)), float(axis.high))


def _is_nominal(axis: Axis) -> TypeGuard[Choice]:
    return isinstance(axis, Choice) and not axis.ordered

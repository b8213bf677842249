"""A grid laid over a numeric axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpo_lab.assumption import Assumption, Edit, View, Wire, edit_axes
from hpo_lab.errors import InputError
from hpo_lab.space import Axis, Choice, Family, Space


@dataclass(frozen=True)
class Coarsened(Assumption):
    """Try only a few values of one or more numeric axes.

    ``levels`` values spread evenly over the axis in its declared scale, both ends included (one
    level is the middle), or the given ``values``. The axis becomes an ordered choice. Raises
    InputError for a value that is not on the axis, or fewer than one level.

    >>> from hpo_lab.space import Real, Space
    >>> universe = Space.box(Real("lr", 0, 1))
    >>> Coarsened("lr", levels=3)(universe).declared.families[0].axis("lr")
    Choice(name='lr', options=(0.0, 0.5, 1.0), ordered=True)
    """

    axis: str | tuple[str, ...]
    levels: int = 0
    values: tuple[float | int, ...] = ()
    reason: str = ""
    name: ClassVar[str] = "coarsened"

    def __call__(self, universe: Space) -> View:
        if bool(self.levels) == bool(self.values) or self.levels < 0:
            raise InputError('"coarsened" takes either levels (at least 1) or values')

        def coarsen(family: Family, axis: Axis) -> Edit:
            if isinstance(axis, Choice):
                raise InputError(f'axis "{axis.name}" is a choice already; use "only"')
            if self.values:
                kept = np.unique([axis.column(value) for value in self.values])
            else:
                unit = np.linspace(0, 1, self.levels) if self.levels > 1 else np.array([0.5])
                kept = np.unique(axis.from_unit(unit))
            options = tuple(axis.native(value) for value in kept.tolist())
            wire = Wire(axis.name, axis.name, tuple(kept.tolist()))
            return Choice(axis.name, options, ordered=True), wire

        return edit_axes(universe, self.axis, coarsen)

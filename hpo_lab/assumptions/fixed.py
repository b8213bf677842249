"""An axis held at one value: the hyperparameter that nobody tuned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hpo_lab.assumption import Assumption, Edit, View, Wire, edit_axes
from hpo_lab.space import Axis, Family, Option, Space


@dataclass(frozen=True)
class Fixed(Assumption):
    """Hold one or more axes at a value; they are not in the declared space any more.

    The price of Fixed is the tunability of a hyperparameter (Probst et al. 2019) against this
    value. Raises InputError where the value is not on the axis.

    >>> from hpo_lab.space import Integer, Real, Space
    >>> universe = Space.box(Real("lr", 0, 1), Integer("depth", 1, 8))
    >>> Fixed("depth", 2)(universe).declared.columns
    ('lr',)
    """

    axis: str | tuple[str, ...]
    value: Option
    reason: str = ""
    name: ClassVar[str] = "fixed"

    def __call__(self, universe: Space) -> View:
        def fix(family: Family, axis: Axis) -> Edit:
            return None, Wire(axis.name, constant=axis.column(self.value))

        return edit_axes(universe, self.axis, fix)

"""A smaller range of a numeric axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hpo_lab.assumption import Assumption, Edit, View, Wire, edit_axes
from hpo_lab.errors import InputError
from hpo_lab.space import Axis, Choice, Family, Space, with_range


@dataclass(frozen=True)
class Narrowed(Assumption):
    """Search only [low, high] of one or more numeric axes; a bound left out stays as it is.

    Raises InputError where the range is not inside the axis's own, or empty.

    >>> from hpo_lab.space import Real, Space
    >>> universe = Space.box(Real("lr", 1e-5, 1e-1, log=True))
    >>> Narrowed("lr", high=1e-2)(universe).declared.families[0].axes
    (Real(name='lr', low=1e-05, high=0.01, log=True),)
    """

    axis: str | tuple[str, ...]
    low: float | int | None = None
    high: float | int | None = None
    reason: str = ""
    name: ClassVar[str] = "narrowed"

    def __call__(self, universe: Space) -> View:
        if self.low is None and self.high is None:
            raise InputError('"narrowed" needs low, high or both')

        def narrow(family: Family, axis: Axis) -> Edit:
            if isinstance(axis, Choice):
                raise InputError(f'axis "{axis.name}" is a choice; use "only" or "without"')
            low = axis.low if self.low is None else self.low
            high = axis.high if self.high is None else self.high
            if low > high:
                raise InputError(f'axis "{axis.name}": the range [{low}, {high}] is empty')
            if low < axis.low or high > axis.high:
                raise InputError(
                    f'axis "{axis.name}": [{low}, {high}] is not inside [{axis.low}, {axis.high}]'
                )
            return with_range(axis, low, high), Wire(axis.name, axis.name)

        return edit_axes(universe, self.axis, narrow)

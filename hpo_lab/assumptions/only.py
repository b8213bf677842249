"""Keeping nothing but some options of an axis, or some families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hpo_lab.assumption import Assumption, Edit, View, as_tuple, edit_axes, edited, kept_options
from hpo_lab.errors import InputError
from hpo_lab.space import Axis, Choice, Family, Option, Space


@dataclass(frozen=True)
class Only(Assumption):
    """Keep nothing but the named options of one or more choice axes, or the named families.

    Raises InputError for unknown names.

    >>> from hpo_lab.space import Family, Real, Space
    >>> universe = Space((Family("conv", (Real("lr", 0, 1),)), Family("attention")))
    >>> [f.name for f in Only(family="conv")(universe).declared.families]
    ['conv']
    """

    axis: str | tuple[str, ...] = ()
    option: Option | tuple[Option, ...] = ()
    family: str | tuple[str, ...] = ()
    reason: str = ""
    name: ClassVar[str] = "only"

    def __call__(self, universe: Space) -> View:
        axes, options, families = (as_tuple(v) for v in (self.axis, self.option, self.family))
        if bool(axes) != bool(options) or bool(axes) == bool(families):
            raise InputError('"only" takes either axis and option, or family')
        if families:
            for name in families:
                universe.index(name)
            return edited(universe, {}, families)

        def keep(family: Family, axis: Axis) -> Edit:
            if not isinstance(axis, Choice):
                raise InputError(f'axis "{axis.name}" has no options; use "narrowed" for a range')
            return kept_options(axis, sorted({int(axis.column(option)) for option in options}))

        return edit_axes(universe, axes, keep)

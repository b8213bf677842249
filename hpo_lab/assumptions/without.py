"""Leaving something out: options of an axis, or whole families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hpo_lab.assumption import Assumption, Edit, View, as_tuple, edit_axes, edited, kept_options
from hpo_lab.errors import InputError
from hpo_lab.space import Axis, Choice, Family, Option, Space


@dataclass(frozen=True)
class Without(Assumption):
    """Leave out options of one or more choice axes, or whole families.

    ``without(axis=["op1", "op2"], option="gat")`` or ``without(family="attention")``. Raises
    InputError for unknown names and where nothing would be left.

    >>> from hpo_lab.space import Choice, Space
    >>> universe = Space.box(Choice("op", ("gat", "gcn", "skip")))
    >>> Without(axis="op", option="gat")(universe).declared.families[0].axes[0].options
    ('gcn', 'skip')
    """

    axis: str | tuple[str, ...] = ()
    option: Option | tuple[Option, ...] = ()
    family: str | tuple[str, ...] = ()
    reason: str = ""
    name: ClassVar[str] = "without"

    def __call__(self, universe: Space) -> View:
        axes, options, families = (as_tuple(v) for v in (self.axis, self.option, self.family))
        if bool(axes) != bool(options) or bool(axes) == bool(families):
            raise InputError('"without" takes either axis and option, or family')
        if families:
            for name in families:
                universe.index(name)
            left = [f.name for f in universe.families if f.name not in families]
            if not left:
                raise InputError("leaving out every family leaves an empty space; keep one")
            return edited(universe, {}, left)

        def drop(family: Family, axis: Axis) -> Edit:
            if not isinstance(axis, Choice):
                raise InputError(f'axis "{axis.name}" has no options; use "narrowed" for a range')
            gone = {axis.column(option) for option in options}
            return kept_options(axis, [i for i in range(len(axis.options)) if i not in gone])

        return edit_axes(universe, axes, drop)

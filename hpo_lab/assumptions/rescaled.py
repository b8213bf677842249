"""Another scale for an axis: the same values, weighted differently."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from hpo_lab.assumption import Assumption, Edit, View, Wire, edit_axes
from hpo_lab.errors import InputError
from hpo_lab.space import Axis, Choice, Family, Space


@dataclass(frozen=True)
class Rescaled(Assumption):
    """Search one or more numeric axes on a ``"log"`` or a ``"linear"`` scale.

    This changes the measure, not the set, so its price is always zero. Raises InputError for a
    choice, and for a log scale on an axis that reaches zero.

    >>> from hpo_lab.space import Real, Space
    >>> Rescaled("lr", "linear")(Space.box(Real("lr", 0.1, 1, log=True))).declared.families[0].axes
    (Real(name='lr', low=0.1, high=1, log=False),)
    """

    axis: str | tuple[str, ...]
    scale: Literal["log", "linear"]
    reason: str = ""
    name: ClassVar[str] = "rescaled"

    def __call__(self, universe: Space) -> View:
        if self.scale not in ("log", "linear"):
            raise InputError(f'"rescaled": scale must be "log" or "linear", not "{self.scale}"')

        def rescale(family: Family, axis: Axis) -> Edit:
            if isinstance(axis, Choice):
                raise InputError(f'axis "{axis.name}" is a choice and has no scale')
            return replace(axis, log=self.scale == "log"), Wire(axis.name, axis.name)

        return edit_axes(universe, self.axis, rescale)

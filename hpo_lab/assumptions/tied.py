"""Axes that share one value: the same operation everywhere, the same width in every layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hpo_lab.assumption import Assumption, Edit, View, Wire, as_tuple, edited
from hpo_lab.errors import InputError, nearest
from hpo_lab.space import Axis, Choice, Family, Space, with_range


@dataclass(frozen=True)
class Tied(Assumption):
    """Give two or more axes of the same kind one common value, declared under the first's name.

    Numeric axes are tied over their common range; choices must have the same options. A family
    that has only some of the axes cannot be tied. Raises InputError where axes do not match.

    >>> from hpo_lab.space import Choice, Space
    >>> universe = Space.box(*[Choice(name, ("gat", "gcn")) for name in ("op1", "op2")])
    >>> view = Tied(("op1", "op2"))(universe)
    >>> view.lift(view.declared.points([{"op1": "gcn"}])).records()
    [{'op1': 'gcn', 'op2': 'gcn'}]
    """

    axis: tuple[str, ...]
    reason: str = ""
    name: ClassVar[str] = "tied"

    def __call__(self, universe: Space) -> View:
        names = as_tuple(self.axis)
        if len(set(names)) < 2 or len(set(names)) < len(names):
            raise InputError('"tied" needs at least two different axes')
        for name in names:
            if name not in universe.columns:
                raise InputError(f"the space has no axis {nearest(name, universe.columns)}")
        edits: dict[tuple[str, str], Edit] = {}
        for family in universe.families:
            own = [axis for axis in family.axes if axis.name in names]
            if own and len(own) < len(names):
                raise InputError(f'family "{family.name}" has only some of the axes to tie')
            if own:
                edits.update(_tied(family, own, names[0]))
        return edited(universe, edits, [family.name for family in universe.families])


def _tied(family: Family, axes: list[Axis], lead: str) -> dict[tuple[str, str], Edit]:
    common = family.axis(lead)
    for axis in axes:
        common = _common(common, axis)
    return {
        (family.name, axis.name): (common if axis.name == lead else None, Wire(axis.name, lead))
        for axis in axes
    }


def _common(a: Axis, b: Axis) -> Axis:
    if isinstance(a, Choice) or isinstance(b, Choice):
        if not (isinstance(a, Choice) and isinstance(b, Choice) and a.options == b.options):
            raise InputError(
                f'axes "{a.name}" and "{b.name}" have different options; make them equal first '
                'with "only"'
            )
        return a
    if type(a) is not type(b):
        raise InputError(f'axes "{a.name}" and "{b.name}" are of different kinds')
    low, high = max(a.low, b.low), min(a.high, b.high)
    if low > high:
        raise InputError(f'axes "{a.name}" and "{b.name}" have no value in common')
    return with_range(a, low, high)

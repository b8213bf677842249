"""Grid search: a full factorial over mixed and conditional axes that fits the budget.

Source of the design: R. A. Fisher (1935), "The Design of Experiments", ch. VI (factorial designs).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.space import Axis, Family, Floats, Ints, Points, Real, Space

Placement = Literal["inclusive", "centred"]
Spread = Literal["even", "finite"]
Share = Literal["weight", "axes"]


@dataclass(frozen=True)
class Grid(Strategy):
    """Grid search: in each family a full factorial, as large as the budget allows.

    *What it assumes.* Every axis matters, all combinations matter, and what lies between two levels
    is like what is on them.

    *Where it looks.* At all combinations of a few levels of each axis: with d axes each has about
    the d-th root of the budget. Where one axis decides, all evaluations together try no more than
    these few values of it.

    *Where it never looks.* Between its levels, in any run: with k levels, k values of a real axis
    are seen and no others. A seed changes nothing, so repetitions never find what one run missed.

    *Families.* Each gets one evaluation, and the rest is spread in proportion to their weights
    (``share`` "weight") or to their numbers of axes that can vary, at least one ("axes"); largest
    remainder first, ties to the family listed first. With fewer evaluations than families the
    heaviest get one each. What a family cannot use goes to the families after it, round and round
    until none can use it.

    *Levels.* Every axis starts with one level. The axis with the fewest levels gets one more
    (ties to the axis listed first) as long as the product of the levels fits; a finite axis never
    gets more levels than it has values. With ``spread`` "even" all axes take part, with "finite"
    first only choices and integers do, and real axes share what is left.

    *Placement.* On an axis with k levels they lie, in the scale of the axis, at i / (k - 1) with
    ``inclusive`` (both ends; a single level lies in the middle), or at (i + 1/2) / k with
    ``centred``. On integers and options the levels are distinct and spread over the list.

    *Remainder.* Evaluations that no larger factorial can use are not spent: the search ends
    early. Five axes of nine options and a budget of 50 give 3 × 2 × 2 × 2 × 2 = 48 points.

    *Order.* Points are listed family by family, the last axis fastest; with a ``shuffle`` above 0,
    in the random order of that number. The random generator is ignored.

    >>> from hpo_lab.space import Choice
    >>> space = Space.box(Real("x", 0, 1), Choice("c", ("a", "b")))
    >>> search = Grid().start(space, budget=7, rng=np.random.default_rng(0))
    >>> search.ask().values.tolist()
    [[0.0, 0.0], [0.0, 1.0], [0.5, 0.0], [0.5, 1.0], [1.0, 0.0], [1.0, 1.0]]

    Raises InputError for a setting that is not one of those named.
    """

    name: ClassVar[str] = "grid"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = True
    anytime: ClassVar[bool] = False

    placement: Placement = "inclusive"
    spread: Spread = "even"
    share: Share = "weight"
    shuffle: int = 0

    def __post_init__(self) -> None:
        for name, known in (("placement", Placement), ("spread", Spread), ("share", Share)):
            one, other = get_args(known)
            if getattr(self, name) not in (one, other):
                raise InputError(
                    f'the {name} of a grid must be "{one}" or "{other}", '
                    f"not {getattr(self, name)!r}"
                )
        if self.shuffle < 0:
            raise InputError(f"shuffle must be a number from 0 on, not {self.shuffle}")

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search that asks for the whole grid in one batch."""
        grid = _grid(space, budget, self)
        if self.shuffle:
            grid = grid[np.random.default_rng(self.shuffle).permutation(len(grid))]
        return _Search(grid)


class _Search:
    def __init__(self, grid: Points) -> None:
        self.grid = grid

    def ask(self) -> Points:
        asked, self.grid = self.grid, self.grid[:0]
        return asked

    def tell(self, points: Points, values: Floats) -> None:
        pass  # nothing is learned


def _grid(space: Space, budget: int, settings: Grid) -> Points:
    """The whole grid as one batch."""
    counts = _counts(space, budget, settings)
    blocks = [
        _factorial(space, index, counts[index], settings.placement)
        for index in range(len(space.families))
        if counts[index] is not None
    ]
    return Points.concatenate(blocks)


def _counts(space: Space, budget: int, settings: Grid) -> list[list[int] | None]:
    """For each family the number of levels of each axis; None where the budget gives it nothing."""
    weights = space.weights
    if settings.share == "axes":
        varying = [sum(axis.size > 1 for axis in family.axes) for family in space.families]
        weights = np.maximum(varying, 1) / np.maximum(varying, 1).sum()
    shares = _shares(weights, budget)
    counts: list[list[int] | None] = [None] * len(shares)
    spent = [0] * len(shares)
    spare, before = 0, -1
    while spare != before:  # ends: every further round spends something of what is left over
        before = spare
        for index, family in enumerate(space.families):
            room = shares[index] + spare
            levels = _levels(family, room, settings.spread)
            if room > 0 and math.prod(levels) > spent[index]:
                counts[index], spent[index] = levels, math.prod(levels)
            shares[index] = spent[index]
            spare = room - spent[index]
    return counts


def _shares(weights: Floats, budget: int) -> list[int]:
    """Spread the budget: one each while it lasts, the rest by weight, largest remainder first."""
    heaviest = np.argsort(-weights, kind="stable")
    shares = np.zeros(len(weights), dtype=np.int64)
    shares[heaviest[:budget]] = 1
    quota = weights * max(budget - len(weights), 0)
    shares += np.floor(quota).astype(np.int64)
    missing = budget - int(shares.sum())
    shares[np.argsort(np.floor(quota) - quota, kind="stable")[:missing]] += 1
    return [int(share) for share in shares]


def _levels(family: Family, room: int, spread: Spread) -> list[int]:
    """The number of levels of each axis, so that their product is at most ``room``."""
    counts = [1] * len(family.axes)
    varying = [i for i, axis in enumerate(family.axes) if axis.size > 1]
    finite = [i for i in varying if family.axes[i].size < math.inf]
    for growing in (finite, varying) if spread == "finite" else (varying,):
        _grown(counts, [i for i in growing if counts[i] < family.axes[i].size], family, room)
    return counts


def _grown(counts: list[int], growing: list[int], family: Family, room: int) -> None:
    """Give levels to some axes, the one with the fewest first, as long as the product fits."""
    product = math.prod(counts)
    while growing:
        fewest = min(growing, key=lambda i: counts[i])
        most = room // (product // counts[fewest])  # that fit on this axis
        if most <= counts[fewest]:
            growing.remove(fewest)
            continue
        alone = len(growing) == 1
        now = min(most, family.axes[fewest].size) if alone else counts[fewest] + 1
        product, counts[fewest] = product // counts[fewest] * int(now), int(now)
        if counts[fewest] >= family.axes[fewest].size:
            growing.remove(fewest)


def _factorial(
    space: Space, family: int, counts: Sequence[int] | None, placement: Placement
) -> Points:
    """The product of the axes' levels in one family, the last axis fastest."""
    places = space.places(family)
    levels = [
        _placed(axis, count, placement)
        for (_, axis), count in zip(places, counts or (), strict=True)
    ]
    values = np.full((math.prod(counts or ()), space.width), np.nan)
    inner = len(values)
    for (column, _), steps in zip(places, levels, strict=True):  # meshgrid stops at 64 axes
        inner //= len(steps)
        block = np.repeat(steps, inner)
        values[:, column] = np.tile(block, len(values) // len(block))
    return Points(space, np.full(len(values), family, dtype=np.int64), values)


def _placed(axis: Axis, count: int, placement: Placement) -> Floats:
    """The native values (count,) of an axis's levels."""
    steps = np.arange(count)
    if placement == "centred" or count == 1:
        unit = (steps + 0.5) / count
    else:
        unit = steps / (count - 1)
    values = axis.from_unit(unit)
    return values if isinstance(axis, Real) else _distinct(axis, values)


def _distinct(axis: Axis, values: Floats) -> Floats:
    """Move rising whole values apart where they coincide (a log scale crowds its low end)."""
    steps: Ints = np.arange(len(values))
    risen = np.maximum.accumulate(values - steps) + steps
    low = axis.from_unit(np.zeros(1))[0]
    return np.asarray(np.minimum(risen, low + axis.size - len(values) + steps))

"""Coordinate search: tune one hyperparameter at a time, the others held fixed.

Source: Y. Pushak and H. H. Hoos (2022), "AutoML loss landscapes", ACM Transactions on Evolutionary
Learning and Optimization 2(3): if interactions are weak, one pass in any order is nearly optimal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.space import Axis, Choice, Floats, Points, Space

Start = Literal["random", "centre"]


@dataclass(frozen=True)
class Coordinate(Strategy):
    """One axis at a time: try its levels, keep the best, go on to the next axis.

    *What it assumes.* Axes hardly interact: the best value of one is about the same whatever the
    others are.

    *Where it looks.* First each family is tried at its start, a random point or (``centre``) the
    middle of every axis, and the best family is kept for good. Then pass after pass over its axes,
    in random order: an unordered choice tries its other options (at most ``levels`` - 1 of them, at
    random), any other axis ``levels`` values spread evenly over its range, in unit scale, both
    ends among them. In each further pass the range around the incumbent is ``shrink`` times as wide
    as in the pass before, until it holds no other level; then ranges are whole again.

    *Where it never looks.* Off the axis-parallel lines through its incumbent: what is better only
    if two axes change together is not seen. Nor in a family that was worse at its start.

    One ask is one axis. A failed trial is worse than every success.

    Raises InputError for a setting outside its range.

    >>> from hpo_lab.space import Choice, Real
    >>> space = Space.box(Real("x", 0, 1), Choice("c", ("a", "b", "c")))
    >>> search = Coordinate(levels=5).start(space, budget=20, rng=np.random.default_rng(0))
    >>> sizes = []
    >>> while len(asked := search.ask()):
    ...     sizes.append(len(asked))
    ...     search.tell(asked, (asked.values[:, 0] - 0.3) ** 2 + asked.values[:, 1])
    >>> sum(sizes)
    20
    """

    name: ClassVar[str] = "coordinate"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True

    levels: int = 5
    shrink: float = 0.5
    origin: Start = "random"

    def __post_init__(self) -> None:
        if self.levels < 2:
            raise InputError(f"levels must be at least 2, not {self.levels}")
        if not 0.0 < self.shrink < 1.0:
            raise InputError(f"shrink must lie in (0, 1), not {self.shrink}")
        if self.origin not in get_args(Start):
            raise InputError(f'origin must be "random" or "centre", not {self.origin!r}')

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a start of its own."""
        return _Search(self, space, budget, rng)


class _Search:
    def __init__(
        self, settings: Coordinate, space: Space, budget: int, rng: np.random.Generator
    ) -> None:
        self.settings, self.space, self.left, self.rng = settings, space, budget, rng
        self.here: Points | None = None
        self.value, self.width = np.inf, 1.0
        self.waiting: list[int] = []  # axes of this pass that were not tried yet

    def ask(self) -> Points:
        asked = self._starts() if self.here is None else self._next(self.here)
        asked = asked[: self.left]
        self.left -= len(asked)
        return asked

    def tell(self, points: Points, values: Floats) -> None:
        values = np.where(np.isfinite(values), values, np.inf)
        best = int(np.argmin(values))
        if self.here is None or values[best] < self.value:
            self.here, self.value = points[best], float(values[best])

    def _starts(self) -> Points:
        """One point of every family, the heaviest first."""
        families = np.argsort(-self.space.weights, kind="stable")
        unit = self.rng.random((len(families), self.space.width))
        if self.settings.origin == "centre":
            unit = np.full_like(unit, 0.5)
        return self.space.from_unit(families, unit)

    def _next(self, here: Points) -> Points:
        """The levels of the next axis that has any; a draw where nothing can vary."""
        places = self.space.places(int(here.family[0]))
        varying = [i for i, (_, axis) in enumerate(places) if axis.size > 1]
        for _ in range(2 * len(varying) + 2):
            if not self.waiting:
                self._new_pass(varying)
            if not self.waiting:
                break
            column, axis = places[self.waiting.pop()]
            unit = self.space.to_unit(here)
            values = self._levels(axis, float(unit[0, column]), float(here.values[0, column]))
            if len(values):
                table = np.repeat(here.values, len(values), axis=0)
                table[:, column] = values
                return Points(self.space, np.repeat(here.family, len(values)), table)
        self.width = 1.0
        return self.space.sample(1, self.rng)

    def _new_pass(self, varying: list[int]) -> None:
        self.waiting = [varying[i] for i in self.rng.permutation(len(varying))]
        self.width *= self.settings.shrink if self.value < np.inf else 1.0

    def _levels(self, axis: Axis, at: float, now: float) -> Floats:
        """The values to try on an axis, without the present one."""
        if isinstance(axis, Choice) and not axis.ordered:
            others = np.delete(np.arange(axis.size), int(now))
            return self.rng.permutation(others)[: self.settings.levels - 1]
        reach = min(2.0 * self.width, 1.0)  # the first pass shrinks the width once: all of the axis
        low = min(max(at - reach / 2.0, 0.0), 1.0 - reach)
        values = axis.from_unit(np.linspace(low, low + reach, self.settings.levels))
        return np.asarray(np.setdiff1d(values, [now]))

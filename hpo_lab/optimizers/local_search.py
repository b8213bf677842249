"""Local search with restarts: go to a better neighbour until there is none, then start anew.

Source: E. Aarts and J. K. Lenstra (1997), "Local Search in Combinatorial Optimization"; on
continuous axes it is the compass search of R. Hooke and T. A. Jeeves (1961), as described by
T. G. Kolda, R. M. Lewis and V. Torczon (2003), SIAM Review 45.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._moves import neighbours
from hpo_lab.space import Floats, Points, Real, Space

Improvement = Literal["best", "first"]


@dataclass(frozen=True)
class LocalSearch(Strategy):
    """Local search: a random start, then better neighbours only, then another random start.

    *What it assumes.* From most places better neighbours lead to a good minimum: good minima have
    large basins, and steps along single axes are enough to follow them.

    *Where it looks.* Around one point, at its neighbours. They differ in one axis: every other
    option of an unordered choice, one level of an integer or ordered choice, ``step`` down or up on
    a real axis (in unit scale), where a step over a bound ends on it. With ``best`` all neighbours
    are asked for at once and the best is taken, with ``first`` one after the other in random order
    until one improves. Where none does, the step is halved down to ``smallest``, if the family has
    a real axis; then the search starts anew, from a draw of the reference measure, which is the
    only way to another family.

    *Where it never looks.* Across a hill: a basin that no random start falls into, or into whose
    slope no step of ``step`` reaches, is not seen. Between restarts no two axes change at once, so
    that it stops in a narrow valley that is not parallel to an axis.

    A failed trial improves nothing.

    Raises InputError for a setting outside its range.

    >>> from hpo_lab.space import Integer
    >>> space = Space.box(Integer("x", 0, 9))
    >>> search = LocalSearch().start(space, budget=30, rng=np.random.default_rng(0))
    >>> seen = []
    >>> while len(asked := search.ask()):
    ...     seen += asked.values[:, 0].tolist()
    ...     search.tell(asked, (asked.values[:, 0] - 3) ** 2)
    >>> len(seen), 3.0 in seen
    (30, True)
    """

    name: ClassVar[str] = "local_search"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True

    improvement: Improvement = "best"
    step: float = 0.1
    smallest: float = 0.001

    def __post_init__(self) -> None:
        if self.improvement not in get_args(Improvement):
            raise InputError(f'improvement must be "best" or "first", not {self.improvement!r}')
        if not 0.0 < self.step <= 1.0:
            raise InputError(f"step must lie in (0, 1], not {self.step}")
        if not 0.0 < self.smallest <= self.step:
            raise InputError(f"smallest must lie in (0, step], not {self.smallest}")

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search at a random start of its own."""
        return _Search(self, space, budget, rng)


class _Search:
    def __init__(
        self, settings: LocalSearch, space: Space, budget: int, rng: np.random.Generator
    ) -> None:
        self.settings, self.space, self.left, self.rng = settings, space, budget, rng
        self.here: Points | None = None
        self.value, self.step = np.inf, settings.step
        self.waiting: Points | None = None  # neighbours that were not asked for yet

    def ask(self) -> Points:
        if self.left == 0:
            return self.space.sample(0, self.rng)
        if self.here is not None and self.waiting is None:
            around = neighbours(self.space, self.here, self.step)
            if self.settings.improvement == "first":
                around = around[self.rng.permutation(len(around))]
            self.waiting = around
        if self.waiting is None or not len(self.waiting):
            self.here, self.waiting = None, None
            asked = self.space.sample(1, self.rng)
        else:
            size = 1 if self.settings.improvement == "first" else len(self.waiting)
            asked, self.waiting = self.waiting[:size], self.waiting[size:]
        asked = asked[: self.left]
        self.left -= len(asked)
        return asked

    def tell(self, points: Points, values: Floats) -> None:
        values = np.where(np.isfinite(values), values, np.inf)
        best = int(np.argmin(values))
        if self.here is None or values[best] < self.value:
            self.step = self.settings.step if self.here is None else self.step
            self.here, self.value, self.waiting = points[best], float(values[best]), None
        elif self.waiting is not None and not len(self.waiting):
            self._no_better(self.here)

    def _no_better(self, here: Points) -> None:
        """All neighbours were seen: look nearer, or start anew."""
        family = self.space.families[int(here.family[0])]
        real = any(isinstance(axis, Real) and axis.size > 1 for axis in family.axes)
        self.step /= 2.0
        if real and self.step >= self.settings.smallest:
            self.waiting = None
        else:
            self.here, self.waiting = None, None

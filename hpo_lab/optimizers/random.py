"""Random search: independent draws from the space's reference measure.

Source: J. Bergstra and Y. Bengio (2012), "Random search for hyper-parameter optimization",
Journal of Machine Learning Research 13.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpo_lab.optimizer import Search, Strategy
from hpo_lab.space import Floats, Points, Space


@dataclass(frozen=True)
class Random(Strategy):
    """Random search: independent draws from the reference measure of the declared space.

    *What it assumes.* Nothing of the landscape; of the space, that its reference measure is a fair
    guess of where good points are.

    *Where it looks.* Everywhere in proportion to that measure, whatever it was told and wherever it
    was before: T evaluations miss a region of measure m with probability (1 − m)^T.

    *Where it never looks.* Nowhere is excluded. But it never looks more closely around what was
    good, and never elsewhere because it was there already.

    The whole budget is asked for in one batch, and repetitions are possible.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", 0, 1), Real("y", -1, 1))
    >>> search = Random().start(space, budget=5, rng=np.random.default_rng(0))
    >>> search.ask().values.shape
    (5, 2)
    >>> len(search.ask())
    0
    """

    name: ClassVar[str] = "random"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search that draws ``budget`` points with ``rng``."""
        return _Search(space, budget, rng)


class _Search:
    def __init__(self, space: Space, budget: int, rng: np.random.Generator) -> None:
        self.space, self.left, self.rng = space, budget, rng

    def ask(self) -> Points:
        points = self.space.sample(self.left, self.rng)
        self.left = 0
        return points

    def tell(self, points: Points, values: Floats) -> None:
        pass  # nothing is learned

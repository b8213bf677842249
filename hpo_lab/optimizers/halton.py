"""Halton points: a sequence that fills the space evenly, one prime number an axis.

Source: J. H. Halton (1960), "On the efficiency of certain quasi-random sequences of points in
evaluating multi-dimensional integrals"; A. B. Owen (2017), "A randomized Halton algorithm in R".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._quasi import Batch, spread, width
from hpo_lab.space import Space


@dataclass(frozen=True)
class Halton(Strategy):
    """Halton sequence, scrambled: even along each axis; in many dimensions little is left of it.

    It asks for the first points of one randomly scrambled sequence, all in one batch. Where there
    are several families the first coordinate picks one by weight.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", 0, 1), Real("y", 0, 1))
    >>> asked = Halton().start(space, budget=9, rng=np.random.default_rng(0)).ask()
    >>> sorted(np.floor(asked.values[:, 1] * 9).astype(int).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7, 8]
    """

    name: ClassVar[str] = "halton"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search that asks for ``budget`` points; imports scipy.stats."""
        from scipy.stats.qmc import Halton as Engine

        return Batch(spread(space, Engine(width(space), rng=rng), budget))

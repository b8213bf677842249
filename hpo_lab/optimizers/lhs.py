"""Latin hypercube: as many strata along each axis as there are points, one point in each.

Source: M. D. McKay, R. J. Beckman and W. J. Conover (1979), "A comparison of three methods for
selecting values of input variables in the analysis of output from a computer code"; B. Tang (1993),
"Orthogonal array-based Latin hypercubes".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._quasi import Batch, spread, width
from hpo_lab.space import Space


@dataclass(frozen=True)
class LatinHypercube(Strategy):
    """Latin hypercube sampling: every axis alone is covered as evenly as a grid would.

    *What it assumes.* Axes matter one by one: what the landscape does along each of them is worth
    seeing at as many values as there are evaluations, their combinations are not.

    *Where it looks.* At ``budget`` points, one in each of ``budget`` strata of every axis; which
    strata meet is left to chance. With ``centred`` they lie in the middle of their strata. With
    several families the first coordinate picks one by weight, and the strata are those of all
    families together.

    *Where it never looks.* Twice into one stratum of an axis, whatever lies there. No region is
    excluded beforehand (with ``centred`` all but the middles are), but nothing that it is told
    changes where it looks, and what is a matter of two axes together is met as if at random.

    All points are asked for in one batch.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", 0, 1), Real("y", 0, 1))
    >>> asked = LatinHypercube().start(space, budget=5, rng=np.random.default_rng(0)).ask()
    >>> np.sort(np.floor(asked.values * 5), axis=0).T.tolist()
    [[0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 2.0, 3.0, 4.0]]
    """

    name: ClassVar[str] = "lhs"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ("scipy",)

    centred: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.centred, bool):
            raise InputError(f"centred must be true or false, not {self.centred!r}")

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search that asks for ``budget`` points; imports scipy.stats."""
        from scipy.stats.qmc import LatinHypercube as Engine

        return Batch(
            spread(space, Engine(width(space), scramble=not self.centred, rng=rng), budget)
        )

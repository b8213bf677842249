"""Sobol' points: a sequence that fills the space evenly, from the first points on.

Source: I. M. Sobol' (1967), "On the distribution of points in a cube and the approximate
evaluation of integrals"; A. B. Owen (1998), "Scrambling Sobol' and Niederreiter-Xing points";
direction numbers of S. Joe and F. Y. Kuo (2008), as in scipy.stats.qmc.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._quasi import Batch, placed, width
from hpo_lab.space import Space

MOST = 21_201  # dimensions that direction numbers are known for


@dataclass(frozen=True)
class Sobol(Strategy):
    """Sobol' sequence, scrambled: even in every projection, the same distribution as random.

    *What it assumes.* The landscape changes slowly enough for a design without holes to come near
    its optimum, and more slowly the more axes there are that matter.

    *Where it looks.* Everywhere, each single point like one of random search, all together more
    evenly: the first 2^k points of one randomly scrambled sequence lie in 2^k different strata of
    every axis. Where there are several families the first coordinate picks one by weight.

    *Where it never looks.* Nowhere is excluded beforehand, but nothing that it is told changes
    where it looks: it never returns to what was good, and never fills the gaps that are left.

    All points are asked for in one batch. ``start`` raises InputError for a space of more than
    21,200 columns.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", 0, 1), Real("y", 0, 1))
    >>> asked = Sobol().start(space, budget=8, rng=np.random.default_rng(0)).ask()
    >>> sorted(np.floor(asked.values[:, 0] * 8).astype(int).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7]
    """

    name: ClassVar[str] = "sobol"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("scipy",)

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search that asks for ``budget`` points; imports scipy.stats."""
        from scipy.stats.qmc import Sobol as Engine

        if width(space) > MOST:
            raise InputError(f"sobol knows {MOST:,} dimensions and the space has {width(space):,}")
        engine = Engine(width(space), rng=rng)
        # a power of two is what scipy draws without a warning; fewer points are a prefix
        unit = engine.random_base2(max(budget - 1, 1).bit_length())[:budget]
        return Batch(placed(space, unit))

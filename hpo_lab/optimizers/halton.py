"""Halton points: a sequence that fills the space evenly, one prime number an axis.

Source: J. H. Halton (1960), "On the efficiency of certain quasi-random sequences of points in
evaluating multi-dimensional integrals"; A. B. Owen (2017), "A randomized Halton algorithm in R".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._quasi import Batch, placed, width
from hpo_lab.space import Floats, Ints, Space


@dataclass(frozen=True)
class Halton(Strategy):
    """Halton sequence, scrambled: even along each axis; in many dimensions little is left of it.

    Coordinate j of point i is the number 0.d₀d₁d₂… in the j-th prime base, d₀ being the last digit
    of i, each digit permuted at random (one permutation a digit place and axis).

    *What it assumes.* The landscape changes slowly enough for a design without holes to come near
    its optimum, and depends on few axes, the first ones best.

    *Where it looks.* Everywhere, each single point like one of random search, all together more
    evenly: b^k points in a row lie in b^k different strata of an axis, b its prime number. So an
    axis whose prime is above the budget sees no two points in one of b strata, and no more order
    than that. Where there are several families the first coordinate picks one by weight.

    *Where it never looks.* Nowhere is excluded beforehand, but nothing that it is told changes
    where it looks: it never returns to what was good, and never fills the gaps that are left.

    It asks for the first points of one randomly scrambled sequence, all in one batch.

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
        """Return a search that asks for ``budget`` points."""
        axes = zip(_primes(width(space)).tolist(), rng.spawn(width(space)), strict=True)
        unit = [_permuted_inverses(budget, base, own) for base, own in axes]
        return Batch(placed(space, np.column_stack(unit)))


def _permuted_inverses(n: int, base: int, rng: np.random.Generator) -> Floats:
    """The scrambled radical inverses (n,) of 0, 1, …; fewer are a prefix of more.

    Place by place: the indices up to base^(k+1) are those up to base^k with every digit in front.
    """
    values = np.zeros(1)
    for place in range(1, int(53 / np.log2(base)) + 2):
        digits = rng.permutation(base) * float(base) ** -place
        blocks = min(base, -(-n // len(values)))
        values = (digits[:blocks, None] + values).ravel()
    return np.minimum(values[:n], 1.0)  # the sum of all places may round up to 1


def _primes(count: int) -> Ints:
    """The first prime numbers (count,)."""
    limit = max(20, int(count * (np.log(count + 1) + np.log(np.log(count + 3)) + 2)))
    prime = np.ones(limit, dtype=bool)
    prime[:2] = False
    for number in range(2, int(limit**0.5) + 1):
        prime[number * number :: number] &= not prime[number]
    return np.flatnonzero(prime)[:count]

"""LeadingOnes: how many bits remain from the first wrong one on.

    f(x) = n − Σ_i Π_(j ≤ i) [x_j = t_j]

Rudolph 1997, *Convergence Properties of Evolutionary Algorithms*, turned over so that it is
minimised; t is all ones for instance 1 and a random string for the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum
from hpo_lab.region import Region
from hpo_lab.space import Floats, Ints, Points, Space
from landscapes._bits import Cube, at, best_of, bit_space, check_bits, cube_of, one_basin, target


@dataclass(frozen=True)
class LeadingOnes(Landscape):
    """Bits that count only after all earlier ones are right: large plateaus, one minimum.

    The universe is n axes x1 … xn with the options 0 and 1; values are 0 … n, the optimum is 0.
    The optimum of every region is exact: bits are set right from the first on until one cannot
    be. One minimum, as flipping the first wrong bit is always an improvement. Whatever is no
    option counts as a wrong bit (calling the landscape refuses it).

    >>> f = LeadingOnes(n=4)
    >>> f([[1, 1, 0, 1], [1, 1, 1, 1]])
    array([2., 0.])
    """

    n: int = 20
    instance: int = 1
    name: ClassVar[str] = "leadingones"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "bits"

    def __post_init__(self) -> None:
        check_bits(self.n)

    @property
    def universe(self) -> Space:
        """The n axes x1 … xn with the options 0 and 1."""
        return bit_space(self.n)

    def evaluate(self, points: Points) -> Floats:
        """Return the number (n,) of bits from the first wrong one on."""
        wrong = points.values != target(self, self.n, self.instance)
        first = np.where(wrong.any(axis=1), wrong.argmax(axis=1), self.n)
        return (self.n - first).astype(float)

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside any region."""
        goal = target(self, self.n, self.instance)
        cubes = [cube_of(self.universe, box) for box in region]
        return best_of([at(self, _longest(cube, goal)) for cube in cubes if cube is not None], "")

    def minima(self) -> Minima:
        """Return the one minimum, whose basin is everything."""
        return one_basin(self)


def _longest(cube: Cube, goal: Ints) -> Ints:
    """A point (n,) of a cube that is right for as long as one can be."""
    group = {locus: g for g, loci in enumerate(cube.free) for locus in loci}
    bits = [-1] * len(cube.free)
    for locus, right in enumerate(goal.tolist()):
        g = group.get(locus)
        if g is not None and bits[g] < 0:
            bits[g] = right
        if (cube.fixed[locus] if g is None else bits[g]) != right:
            break
    return cube.at([max(bit, 0) for bit in bits])

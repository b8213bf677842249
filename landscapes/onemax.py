"""OneMax: the number of bits that are wrong.

    f(x) = n − Σ_i [x_i = t_i]

The counting ones problem (Ackley 1987, *A Connectionist Machine for Genetic Hillclimbing*), turned
over so that it is minimised; t is all ones for instance 1 and a random string for the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum
from hpo_lab.region import Region
from hpo_lab.space import Floats, Points, Space
from landscapes._bits import at, best_of, bit_space, check_bits, cube_of, one_basin, target


@dataclass(frozen=True)
class OneMax(Landscape):
    """Bits that count one each: the easiest landscape on bits, with one minimum.

    The universe is n axes x1 … xn with the options 0 and 1; values are 0 … n, the optimum is 0.
    The optimum of every region is exact: bits that are free, alone or tied, take the value that
    most of their targets have. Whatever is no option counts as a wrong bit (calling the landscape
    refuses it).

    >>> f = OneMax(n=4)
    >>> f([[1, 1, 0, 1], [1, 1, 1, 1]])
    array([1., 0.])
    """

    n: int = 20
    instance: int = 1
    name: ClassVar[str] = "onemax"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "bits"

    def __post_init__(self) -> None:
        check_bits(self.n)

    @property
    def universe(self) -> Space:
        """The n axes x1 … xn with the options 0 and 1."""
        return bit_space(self.n)

    def evaluate(self, points: Points) -> Floats:
        """Return the number (n,) of wrong bits."""
        wrong = points.values != target(self, self.n, self.instance)
        return np.asarray(np.count_nonzero(wrong, axis=1), dtype=float)

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside any region."""
        goal, found = target(self, self.n, self.instance), []
        for box in region:
            cube = cube_of(self.universe, box)
            if cube is not None:
                found.append(at(self, cube.at([goal[list(g)].mean() >= 0.5 for g in cube.free])))
        return best_of(found, "")

    def minima(self) -> Minima:
        """Return the one minimum, whose basin is everything."""
        return one_basin(self)

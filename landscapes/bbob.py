"""BBOB: the 24 noiseless functions that black-box optimizers are compared on.

    1 sphere, 2 ellipsoid, 3 Rastrigin, 4 Büche-Rastrigin, 5 linear slope (all separable);
    6 attractive sector, 7 step ellipsoid, 8 Rosenbrock, 9 Rosenbrock rotated;
    10 ellipsoid rotated, 11 discus, 12 bent cigar, 13 sharp ridge, 14 different powers;
    15 Rastrigin rotated, 16 Weierstrass, 17 and 18 Schaffers, 19 Griewank-Rosenbrock;
    20 Schwefel, 21 Gallagher with 101 peaks, 22 with 21, 23 Katsuura, 24 Lunacek bi-Rastrigin

Every formula is in ``_bbob_instance.Instance``. Source: Hansen, Finck, Ros & Auger 2009,
"Real-parameter black-box optimization benchmarking 2009: noiseless functions definitions", INRIA
RR-6829; instances as in COCO (Hansen et al. 2021, Optimization Methods and Software 36(1)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum
from hpo_lab.region import Region, contains
from hpo_lab.space import Floats, Ints, Points, Real, Space
from landscapes._bbob_instance import HIGH, LOW, Instance, instance
from landscapes._compiled import bare, shared
from landscapes._separable import MinOfSeparables

Kernel = Callable[[Floats, Floats, Floats], None]
SEPARABLE = 5  # the functions up to here are sums over the axes
NANOSECONDS = (  # a coordinate takes about so long: decides only when a second thread is woken
    *(0.6, 3.8, 6.4, 5.7, 0.6, 1.7, 3.6, 0.7, 1.3, 4.6, 4.6, 4.0),
    *(1.1, 3.0, 7.5, 60.0, 13.9, 13.9, 2.2, 1.5, 34.2, 7.1, 7.2, 3.6),
)
WORTH = 150_000.0  # nanoseconds of work that are worth waking a second thread for
ONE_MINIMUM = (1, 2, 5, 6, 13, 14)  # separable and falling to x_opt, or increasing in a convex sum


@dataclass(frozen=True)
class Bbob(Landscape):
    """One instance of one of the 24 BBOB functions, its optimum known.

    The universe is [-5, 5]^dimension, axes x1, x2, …; values are COCO's, f_opt included.
    ``function`` is 1–24, ``dimension`` at least 2, ``instance`` (from 1) moves and rotates the
    function. The optimum is exact in every region that holds x_opt, and for functions 1–5 in every
    declared space; elsewhere it is what ``_bbob_bounds`` certifies. Functions 1, 2, 5, 6, 13 and
    14 have one minimum; those of the others are not listed.

    A point outside the universe is evaluated by the definition, which has a penalty there for
    functions 4, 7, 16–18 and 20–24 (calling the landscape refuses it).

    >>> f = Bbob(function=15, dimension=10, instance=1)
    >>> f.optimum().value
    1000.0
    >>> f([[0.0] * 10, [1.0] * 10]).round(6)
    array([1307.172985, 1353.214621])
    """

    function: int = 1
    dimension: int = 2
    instance: int = 1
    name: ClassVar[str] = "bbob"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if not 1 <= self.function <= 24:
            raise InputError(f"function must be one of BBOB's, 1 to 24, not {self.function}")
        if self.dimension < 2:
            raise InputError(f"dimension must be at least 2, not {self.dimension}")
        if self.instance < 1:
            raise InputError(f"instance must be at least 1, not {self.instance}")

    @cached_property
    def universe(self) -> Space:
        """The box [-5, 5]^dimension."""
        return Space.box(*[Real(f"x{i}", LOW, HIGH) for i in range(1, self.dimension + 1)])

    @property
    def made_of(self) -> Instance:
        """Every number that this instance is made of."""
        return instance(self.function, self.dimension, self.instance)

    @cached_property
    def _compiled(self) -> tuple[Kernel, Floats, int]:
        """The kernel, compiled, the instance as it wants it, and what it shares between threads."""
        from landscapes._bbob_kernels import KERNELS

        kernel, data = KERNELS[self.function - 1], self.made_of.packed()
        kernel(np.zeros((1, self.dimension)), data, np.empty(1))
        point = NANOSECONDS[self.function - 1] * self.dimension
        return bare(kernel), data, int(WORTH / point)

    def __reduce__(self) -> tuple[type[Bbob], tuple[int, int, int]]:
        """Only the arguments travel to other processes."""
        return Bbob, (self.function, self.dimension, self.instance)

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,); any real coordinates will do."""
        kernel, data, many = self._compiled
        given = np.ascontiguousarray(points.values)
        count = len(given)
        values = np.empty(count)
        if count < many:
            kernel(given, data, values)
        else:
            _in_threads(kernel, given, data, values)
        return values

    @cached_property
    def _best(self) -> Optimum:
        """x_opt and its value."""
        point = self.universe.points(self.made_of.x_opt)
        return Optimum(float(self.evaluate(point)[0]), point)

    @cached_property
    def _separable(self) -> MinOfSeparables:
        from landscapes._bbob_separable import separable

        return separable(self.made_of, self.universe)

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside a region where it is known, else certified bounds."""
        if contains(self.universe, region, self._best.point)[0]:
            return self._best
        if self.function <= SEPARABLE:
            return self._separable.lowest(region, self.evaluate)
        from landscapes._bbob_bounds import bounds

        return bounds(self, region)

    def minima(self) -> Minima | None:
        """Return the only minimum of functions 1, 2, 5, 6, 13 and 14; None for the others."""
        if self.function not in ONE_MINIMUM:
            return None
        best = self._best

        def labels(given: Points) -> Ints:
            return np.zeros(len(given), dtype=np.int64)

        def lowest(region: Region) -> Floats:
            found = self.lowest(region)
            if isinstance(found, Optimum):
                return np.array([found.value])
            return np.array([found.low if found.low == found.high else np.nan])

        return Minima(best.point, np.array([best.value]), labels, lowest, np.ones(1))


def _in_threads(kernel: Kernel, given: Floats, data: Floats, values: Floats) -> None:
    shared(len(given), lambda a, b: kernel(given[a:b], data, values[a:b]))

"""Peaks: a max-set of Gaussians, turned over so that it is minimised.

    f(x) = 1 − max over k of w_k exp(−‖x − c_k‖²_Σ / (2d)),   ‖z‖²_Σ = Σ_i z_i² / σ_i²

Source: Gallagher & Yuan 2006, "A general-purpose tunable landscape generator", IEEE Transactions
on Evolutionary Computation 10(5), eq. 6, with its root 1/d; here all peaks share one diagonal Σ,
so that their basins are the cells of a power diagram (Aurenhammer 1987).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum, generator, keyed_normal
from hpo_lab.region import Region
from hpo_lab.space import Floats, Ints, Points, Real, Space
from landscapes._power import Cells, PowerDiagram, cell_minima, cell_shares
from landscapes._separable import MinOfSeparables, Separable, Valleys

LOW, HIGH = -5.0, 5.0
HEIGHTS = (0.4, 0.95)  # of all peaks but the best, whose height is 1
PROPOSALS = 2000  # places tried for a peak before all peaks are made narrower


@dataclass(frozen=True)
class Peaks(Landscape):
    """A smooth landscape of Gaussian peaks in a box: its optimum, minima and basins are exact.

    The universe is [-5, 5]^dimension, axes x1, x2, …; values lie in [0, 1] and the optimum is 0.
    There are exactly ``peaks`` local minima, at the centres: none lies under another peak. The
    best has height 1, the others heights uniform on [0.4, 0.95]; centres are uniform in the box,
    given that no peak is dominated. The width is σ = 2.5 / peaks^(1/dimension), a tenth narrower
    as often as the peaks do not fit. ``conditioning`` is the ratio of Σ's largest to its smallest
    variance; the first axis is the narrowest. Neither conditioning nor noise moves a peak unless
    the peaks do not fit. ``noise`` is the standard deviation of what a strategy is told; the
    truth has none.

    A basin is the set of points where its peak is the highest: where steepest descent in the
    metric of Σ ends, which is the ordinary one at conditioning 1. A point outside the universe is
    evaluated by the formula (calling the landscape refuses it).

    >>> f = Peaks(dimension=2, peaks=30, instance=1)
    >>> f.optimum().value, len(f.minima().values)
    (0.0, 30)
    >>> f([[0.0, 0.0], [1.0, 2.0]]).shape
    (2,)
    """

    dimension: int = 2
    peaks: int = 30
    instance: int = 1
    conditioning: float = 1.0
    noise: float = 0.0
    name: ClassVar[str] = "peaks"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise InputError(f"dimension must be at least 1, not {self.dimension}")
        if self.peaks < 1:
            raise InputError(f"peaks must be at least 1, not {self.peaks}")
        if not (math.isfinite(self.conditioning) and self.conditioning >= 1.0):
            raise InputError(f"conditioning must be a number from 1 on, not {self.conditioning}")
        if self.conditioning > 1.0 and self.dimension == 1:
            raise InputError("conditioning compares axes: with dimension 1 it must be 1")
        if not (math.isfinite(self.noise) and self.noise >= 0.0):
            raise InputError(f"noise must be a standard deviation from 0 on, not {self.noise}")

    @cached_property
    def universe(self) -> Space:
        """The box [-5, 5]^dimension."""
        return Space.box(*[Real(f"x{i}", LOW, HIGH) for i in range(1, self.dimension + 1)])

    @cached_property
    def _diagram(self) -> PowerDiagram:
        """f = 1 − exp(−min_k s_k): the peaks as parabolas, in native coordinates."""
        rng = generator(self, self.dimension, self.peaks, self.instance)
        heights = np.append(
            1.0, HEIGHTS[0] + (HEIGHTS[1] - HEIGHTS[0]) * rng.random(self.peaks - 1)
        )
        offsets = -np.log(heights)
        share = np.linspace(-0.5, 0.5, self.dimension) if self.dimension > 1 else np.zeros(1)
        variance = self.conditioning**share * (2.5 / self.peaks ** (1 / self.dimension)) ** 2
        while True:
            curvature = 1.0 / (2.0 * self.dimension * variance)
            centres = _placed(curvature, offsets, rng)
            if centres is not None:
                return PowerDiagram(curvature, centres, offsets)
            variance = variance * 0.81

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,); any real coordinates will do."""
        from landscapes._kernels import bells

        diagram = self._diagram
        values = np.ascontiguousarray(points.values)
        found: Floats = bells(values, diagram.curvature, diagram.centres, diagram.offsets)
        return found

    def observe(self, points: Points, repetition: int = 0, replicate: Ints | None = None) -> Floats:
        """Return f plus normal noise (n,), keyed by instance, repetition, point and replicate."""
        truth = self.evaluate(points)
        if not self.stochastic:
            return truth
        again = np.zeros(len(points), dtype=np.int64) if replicate is None else replicate
        return truth + self.noise * keyed_normal(points, self.instance, repetition, again)

    @property
    def stochastic(self) -> bool:
        """Whether there is noise."""
        return self.noise > 0.0

    @cached_property
    def _separable(self) -> MinOfSeparables:
        diagram = self._diagram
        flat = np.zeros(self.peaks)
        terms = tuple(
            Valleys(np.full(self.peaks, a), centre, flat, centre)
            for a, centre in zip(diagram.curvature, diagram.centres.T, strict=True)
        )
        outer = _Bells(diagram.offsets)
        return MinOfSeparables(self.universe, (Separable(terms, outer, self.peaks),))

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside any region: each peak's nearest point to it."""
        found = self._separable.lowest(region)
        if isinstance(found, Bounds):
            return found
        return Optimum(float(self.evaluate(found.point)[0]), found.point)

    def minima(self) -> Minima:
        """Return all minima, best first, with their basins; masses are exact in one dimension.

        In two dimensions, too: cells are polygons there. In more they are None.
        """
        return _minima(self)


@dataclass(frozen=True, eq=False)
class _Bells:
    """g_k(s) = 1 − exp(−(s + o_k))."""

    offsets: Floats

    def __call__(self, sums: Floats) -> Floats:
        return -np.expm1(-(sums + self.offsets))


def _placed(curvature: Floats, offsets: Floats, rng: np.random.Generator) -> Floats | None:
    """Centres (K, d), uniform given that no peak lies under another; None where they do not fit."""
    centres = np.empty((len(offsets), len(curvature)))
    for k in range(len(offsets)):
        proposals = LOW + (HIGH - LOW) * rng.random((PROPOSALS, len(curvature)))
        free = np.ones(PROPOSALS, dtype=bool)
        for j in range(k):
            distance = ((proposals - centres[j]) ** 2 * curvature).sum(axis=1)
            free &= distance > abs(offsets[k] - offsets[j])
        if not free.any():
            return None
        centres[k] = proposals[np.argmax(free)]
    return centres


@lru_cache(maxsize=16)
def _minima(landscape: Peaks) -> Minima:
    diagram, universe = landscape._diagram, landscape.universe
    order = np.argsort(diagram.offsets, kind="stable")
    points = universe.points(diagram.centres[order])
    rank = np.argsort(order)

    def labels(given: Points) -> Ints:
        from landscapes._kernels import lowest_parabola

        values = np.ascontiguousarray(given.values)
        _, k = lowest_parabola(values, diagram.curvature, diagram.centres, diagram.offsets)
        return rank[k]

    def lowest(region: Region) -> Floats:
        found = cell_minima(universe, region, cells)[order]
        return np.where(np.isinf(found), found, -np.expm1(-found))

    cells = (Cells(diagram, tuple(range(landscape.dimension))),)
    masses = cell_shares(diagram, LOW, HIGH)
    values = landscape.evaluate(points)
    return Minima(points, values, labels, lowest, None if masses is None else masses[order])

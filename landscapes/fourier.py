"""Fourier: a smooth random field, a sum of cosine waves of random direction and phase.

    f(x) = √(2/M) Σ_m cos(w_m · x + b_m),   w_m ~ N(0, I/l²),   b_m ~ U[0, 2π)

Source: Rahimi & Recht 2007, "Random features for large-scale kernel machines", alg. 1: for large
M a Gaussian process with covariance exp(−‖x − y‖²/(2l²)). The density of its local minima is known
(Rice 1945; Longuet-Higgins 1957, "The statistical analysis of a random, moving surface"):
√3/(2πl) in one dimension, 1/(2π√3 l²) in two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Optimum, generator
from hpo_lab.region import Box, Interval, Region
from hpo_lab.space import Floats, Points, Real, Space
from landscapes._compiled import announced, shared
from landscapes._separable import NOWHERE, groups

LOW, HIGH = -5.0, 5.0
STEP = 0.3  # side of the first cells, in length scales
CELLS = 200_000  # cells at a time beyond which an optimum is only bounded
SEEN = 1024  # points that give an upper bound then
TOLERANCE = 1e-10  # by how much an optimum may be missed
ROUNDING = 1e-11  # what the sums of the field may be off by


@dataclass(frozen=True)
class Fourier(Landscape):
    """A random Fourier field: smooth, multimodal everywhere, without any global structure.

    The universe is [-5, 5]^dimension, axes x1, x2, …; values have mean 0 and variance 1. ``length``
    is the length scale l, ``features`` the number M of waves (the density of minima needs about
    1,000), ``instance`` draws another field. A point outside the universe is evaluated by the
    formula (calling the landscape refuses it).

    The optimum of any region is found by branch and bound on second-order Taylor bounds, to 1e-10
    or better. Where that takes more than 200,000 cells (beyond three dimensions, or at a very
    short length scale) there are certified bounds instead.

    >>> f = Fourier(dimension=2, length=1.0, instance=1)
    >>> round(f.optimum().value, 3), round(f.expected_minima, 2)
    (-2.617, 9.19)
    """

    dimension: int = 2
    length: float = 1.0
    features: int = 1000
    instance: int = 1
    name: ClassVar[str] = "fourier"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise InputError(f"dimension must be at least 1, not {self.dimension}")
        if not (math.isfinite(self.length) and self.length > 0.0):
            raise InputError(f"length must be a positive number, not {self.length}")
        if self.features < 1:
            raise InputError(f"features must be at least 1, not {self.features}")
        if self.instance < 1:
            raise InputError(f"instance must be at least 1, not {self.instance}")

    @cached_property
    def universe(self) -> Space:
        """The box [-5, 5]^dimension."""
        return Space.box(*[Real(f"x{i}", LOW, HIGH) for i in range(1, self.dimension + 1)])

    @property
    def expected_minima(self) -> float:
        """The expected number of local minima inside the universe; nan from three dimensions on."""
        density = {
            1: math.sqrt(3.0) / (2.0 * math.pi * self.length),
            2: 1.0 / (2.0 * math.pi * math.sqrt(3.0) * self.length**2),
        }
        return density.get(self.dimension, math.nan) * (HIGH - LOW) ** self.dimension

    @cached_property
    def _waves(self) -> tuple[Floats, Floats]:
        """Waves (M, d) and phases (M,), in turns."""
        rng = generator(self, self.dimension, self.features, self.instance)
        directions = rng.standard_normal((self.features, self.dimension))
        return directions / (2.0 * math.pi * self.length), rng.random(self.features)

    @property
    def _amplitude(self) -> float:
        return math.sqrt(2.0 / self.features)

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,); any real coordinates will do."""
        from landscapes._fourier_kernels import field

        waves, phases = self._waves
        values, out = np.ascontiguousarray(points.values), np.empty(len(points))
        shared(len(points), lambda a, b: field(values, waves, phases, out, a, b))
        out *= self._amplitude
        return out

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the optimum inside any region; certified bounds where there are too many cells."""
        found = [self._in_box(box) for box in region]
        optima = [one for one in found if isinstance(one, Optimum)]
        bounds = [one for one in found if isinstance(one, Bounds) and one is not NOWHERE]
        best = min(optima, key=lambda one: one.value, default=None)
        if bounds:
            high = min([one.high for one in bounds] + [one.value for one in optima])
            return Bounds(bounds[0].low, high, bounds[0].how)
        return best or NOWHERE

    def _in_box(self, box: Box) -> Optimum | Bounds:
        parts = groups(self.universe, box)
        if any(not isinstance(common, Interval) and not len(common) for _, common in parts):
            return NOWHERE
        cells = _Cells.of(self, parts)
        if cells is None:
            seen = self._sampled(parts)
            how = f"−√(2M), and the best of {SEEN:,} points seen"
            return Bounds(-math.sqrt(2.0 * self.features), seen, how)
        with announced("bounding a random Fourier field"):
            point = cells.lowest()
        if point is None:
            how = f"−√(2M), and the best of {SEEN:,} points seen"
            return Bounds(-math.sqrt(2.0 * self.features), self._sampled(parts), how)
        found = self.universe.points(point)
        return Optimum(float(self.evaluate(found)[0]), found)

    def _sampled(self, parts: Parts) -> float:
        """The lowest value of some points of a box."""
        rng = generator(self, "seen")
        points = np.empty((SEEN, self.dimension))
        for columns, common in parts:
            if isinstance(common, Interval):
                drawn = common.low + (common.high - common.low) * rng.random(SEEN)
            else:
                drawn = rng.choice(common, SEEN)
            points[:, columns] = drawn[:, None]
        return float(self.evaluate(self.universe.points(points)).min())


Parts = list[tuple[list[int], "Interval | Floats"]]


@dataclass(eq=False)
class _Cells:
    """Cells of one size that may hold the optimum of a box, halved until none is left.

    In a cell of half sides h around c, by Taylor's theorem along the free directions,

        f(c + δ) ≥ f + Σ_i (g_i δ_i + ½ (H_ii − Σ_j≠i |H_ij|) δ_i²) − r,
        r = √(2/M)/6 Σ_m (Σ_i |w_mi| h_i)³,

    since 2 δ_i δ_j ≥ −δ_i² − δ_j²; each summand is least at a closed-form δ_i.
    """

    landscape: Fourier
    centres: Floats  # (n, d)
    half: Floats  # (k,)
    low: Floats  # (d,) where the box begins and ends, whatever rounding makes of the cells
    high: Floats
    spread: Floats  # (k, d): which axes move along each free direction

    @staticmethod
    def of(landscape: Fourier, parts: Parts) -> _Cells | None:
        """The first cells of a box; None where there are too many."""
        d, half, spread, steps = landscape.dimension, [], [], []
        low, high = np.empty(d), np.empty(d)
        for columns, common in parts:
            low[columns], high[columns] = _ends(common)
            if isinstance(common, Interval):
                count = math.ceil((common.high - common.low) / (STEP * landscape.length))
                edges = np.linspace(common.low, common.high, count + 1)
                half.append((edges[1] - edges[0]) / 2.0)
                spread.append(np.isin(np.arange(d), columns).astype(float))
                steps.append((edges[1:] + edges[:-1]) / 2.0)
            else:
                steps.append(common)
        if math.prod(len(one) for one in steps) > CELLS:
            return None
        grid = np.meshgrid(*steps, indexing="ij")
        centres = np.empty((grid[0].size, d))
        for (columns, _), values in zip(parts, grid, strict=True):
            centres[:, columns] = values.reshape(-1, 1)
        return _Cells(landscape, centres, np.array(half), low, high, np.reshape(spread, (-1, d)))

    def lowest(self) -> Floats | None:
        """The point (d,) of the optimum; None where the cells became too many."""
        if not len(self.half):
            points = self.landscape.universe.points(self.centres)
            return np.asarray(self.centres[np.argmin(self.landscape.evaluate(points))])
        waves, _ = self.landscape._waves
        along = np.ascontiguousarray(2.0 * math.pi * waves @ self.spread.T)
        best, point = math.inf, self.centres[0]
        while len(self.centres):
            if len(self.centres) > CELLS:
                return None
            value, gradient, hessian = self._taylor(self.centres, along)
            reached, where = self._descended(self.centres[np.argmin(value)], along)
            if reached < best:
                best, point = reached, where
            below = value + self._dip(gradient, hessian) - self._remainder(along) - ROUNDING
            self._halve(self.centres[below < best - TOLERANCE])
        return np.asarray(point)

    def _descended(self, start: Floats, along: Floats) -> tuple[float, Floats]:
        """The local minimum of the box that a descent from a centre reaches, and its value."""
        from scipy.optimize import minimize

        columns = self.spread.argmax(axis=1)  # one axis of each free direction
        low, high = (ends[columns] - start[columns] for ends in (self.low, self.high))

        def at(step: Floats) -> Floats:
            return np.clip(start + step @ self.spread, self.low, self.high)

        def slope(step: Floats) -> tuple[float, Floats]:
            value, gradient, _ = self._taylor(at(step)[None], along)
            return float(value[0]), gradient[0]

        found = minimize(
            slope,
            np.zeros(len(columns)),
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low, high, strict=True)),
            options={"ftol": 1e-15, "gtol": 1e-9},
        )
        where = at(np.asarray(found.x))
        points = self.landscape.universe.points(where)
        return float(self.landscape.evaluate(points)[0]), where

    def _taylor(self, points: Floats, along: Floats) -> tuple[Floats, Floats, Floats]:
        from landscapes._fourier_kernels import taylor

        waves, phases = self.landscape._waves
        parts = taylor(np.ascontiguousarray(points), waves, phases, along)
        value, gradient, hessian = (self.landscape._amplitude * part for part in parts)
        return value, gradient, hessian

    def _dip(self, gradient: Floats, hessian: Floats) -> Floats:
        """The least of the quadratic model's lower bound over each cell, relative to its centre."""
        diagonal = np.diagonal(hessian, axis1=1, axis2=2)
        bend = diagonal - (np.abs(hessian).sum(axis=2) - np.abs(diagonal))
        inner = np.where(bend > 0.0, -gradient / np.where(bend > 0.0, bend, 1.0), np.inf)
        at = np.where(np.abs(inner) < self.half, inner, -np.sign(gradient) * self.half)
        # a concave summand is least at the end against the gradient
        return np.asarray((gradient * at + 0.5 * bend * at**2).sum(axis=1))

    def _remainder(self, along: Floats) -> float:
        return self.landscape._amplitude / 6.0 * float(((np.abs(along) @ self.half) ** 3).sum())

    def _halve(self, kept: Floats) -> None:
        for row, direction in enumerate(self.spread):
            self.half[row] /= 2.0
            move = self.half[row] * direction
            kept = np.concatenate([kept - move, kept + move])
        self.centres = kept


def _ends(common: Interval | Floats) -> tuple[float, float]:
    if isinstance(common, Interval):
        return common.low, common.high
    return float(common[0]), float(common[-1])

"""Weierstrass: a bowl under a fractal whose roughness is a dial.

    f(x) = Σ_i bowl (x_i − c_i)² + amplitude · Σ_{k=0}^{terms−1} a^k (1 − cos 2π b^k (x_i − c_i)),
    a = b^(−hoelder),   b a whole number

With infinitely many terms the fractal is Hölder continuous of exponent H = −ln a / ln b exactly,
everywhere, and nowhere differentiable for H < 1; what is left out is at most 2 a^terms / (1 − a)
times the amplitude on every axis. Down to distances of b^(1 − terms) the truncated sum cannot be
told from it: E (φ(t + h) − φ(t))² grows as h^(2H).

Source: Weierstrass 1872; Hardy 1916, "Weierstrass's non-differentiable function", Transactions of
the AMS 17 (the exponent); BBOB's f16 has a = 1/2, b = 3, so H = 0.631, and 12 terms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Optimum, generator
from hpo_lab.region import Region
from hpo_lab.space import Floats, Ints, Points, Real, Space
from landscapes._bounding import Certified
from landscapes._separable import MinOfSeparables, Raised, Separable, filled

EDGE = 5.0
REACH = 4.0  # how far from the middle the optimum may lie
FINEST = 1e6  # b^(terms − 1) up to which phases keep nine digits or more


@dataclass(frozen=True)
class Weierstrass(Landscape):
    """A bowl under a fractal: at every scale down to the finest the same ruggedness.

    The universe is [-5, 5]^dimension, axes x1, x2, …; the optimum is 0, at a place uniform on
    [-4, 4]^dimension for each instance (in the middle for instance 0). ``hoelder`` is the Hölder
    exponent in (0, 1]: small is rough. ``base`` is the ratio of one scale to the next, ``terms``
    the number of scales; the finest ripples are base^(1 − terms) long. ``amplitude`` is the height
    of the coarsest ripples, ``bowl`` the curvature of the bowl.

    The optimum of every box, grid and diagonal is certified by branch and bound, to a relative
    1e-10 of the truncated sum: called exact. Where the search would grow too long there are
    certified bounds. The minima are too many to be known. A point outside the universe is
    evaluated by the formula (calling the landscape refuses it).

    >>> f = Weierstrass(dimension=2, hoelder=0.5)
    >>> f.optimum().value, f(f.centre)
    (0.0, 0.0)
    >>> from hpo_lab.region import Box, Interval
    >>> f = Weierstrass(dimension=1, instance=0)
    >>> round(f.lowest((Box("", (("x1", Interval(0.3, 0.4)),)),)).value, 6)
    1.611111

    Raises InputError for a dimension below 1, an exponent outside (0, 1], a base below 2, fewer
    than 1 term or a finest scale below 1e-6, a negative amplitude and a bowl that is not positive.
    """

    dimension: int = 2
    hoelder: float = 0.5
    base: int = 3
    terms: int = 12
    amplitude: float = 1.0
    bowl: float = 1.0
    instance: int = 1
    name: ClassVar[str] = "weierstrass"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise InputError(f"dimension must be at least 1, not {self.dimension}")
        if not 0.0 < self.hoelder <= 1.0:
            raise InputError(f"hoelder must be an exponent in (0, 1], not {self.hoelder}")
        if self.base < 2:
            raise InputError(f"base must be a whole number from 2 on, not {self.base}")
        most = 1 + math.floor(math.log(FINEST) / math.log(self.base) + 1e-9)
        if not 1 <= self.terms <= most:
            raise InputError(f"terms must be 1 to {most} with base {self.base}, not {self.terms}")
        if not (math.isfinite(self.amplitude) and self.amplitude >= 0.0):
            raise InputError(f"amplitude must be a height from 0 on, not {self.amplitude}")
        if not (math.isfinite(self.bowl) and self.bowl > 0.0):
            raise InputError(f"bowl must be a positive curvature, not {self.bowl}")

    @cached_property
    def universe(self) -> Space:
        """The box [-5, 5]^dimension."""
        return Space.box(*[Real(f"x{i}", -EDGE, EDGE) for i in range(1, self.dimension + 1)])

    @cached_property
    def centre(self) -> Floats:
        """Where the optimum lies (dimension,)."""
        if self.instance == 0:
            return np.zeros(self.dimension)
        rng = generator(self, self.dimension, self.instance)
        return REACH * (2.0 * rng.random(self.dimension) - 1.0)

    @cached_property
    def heights(self) -> Floats:
        """The heights of the ripples (terms,), coarsest first."""
        decay = float(self.base) ** -self.hoelder
        return np.asarray(self.amplitude * decay ** np.arange(self.terms))

    @property
    def truncation(self) -> float:
        """By how much the infinite sum may exceed f, at most."""
        decay = float(self.base) ** -self.hoelder
        rest = float(2.0 * self.amplitude * decay**self.terms / (1.0 - decay))
        return self.dimension * rest

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,); any real coordinates will do."""
        from landscapes._separable_kernels import fractal_bowl

        scale = float(self.bowl), self.heights, float(self.base)
        return filled(points, lambda x, y, _: fractal_bowl(x, self.centre, *scale, y))[0]

    @cached_property
    def _separable(self) -> MinOfSeparables:
        scale = float(self.bowl), self.heights, float(self.base)
        terms = tuple(Certified((_Fractal(float(c), *scale),)) for c in self.centre)
        return MinOfSeparables(self.universe, (Separable(terms, Raised(np.zeros(1)), 1),))

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the optimum inside any region, certified to a relative 1e-10, or bounds on it."""
        return self._separable.lowest(region, self.evaluate)


@dataclass(frozen=True, eq=False)
class _Fractal:
    """φ on one axis, with minorants: tangents to the ripples that are longer than the interval."""

    centre: float
    bowl: float
    heights: Floats
    base: float

    @property
    def hints(self) -> Floats:
        """The optimum, and the bottoms of whole waves, where all ripples vanish."""
        return self.centre + np.arange(-10.0, 11.0)[:, None]

    def at(self, k: Ints, x: Floats) -> Floats:
        """Return φ (m,) at values (m,)."""
        t = x - self.centre
        total = self.bowl * t * t
        for height, phase in zip(self.heights, self._phases(t), strict=True):
            total += height * _ripple(phase)
        return total

    def _phases(self, t: Floats) -> Floats:
        """b^j t less the nearest whole number, for every scale j: (terms, m)."""
        phases = np.empty((len(self.heights), len(t)))
        phase = t
        for j in range(len(self.heights)):
            phase = phase - np.rint(phase)
            phases[j] = phase
            phase = self.base * phase
        return phases

    def under(self, k: Ints, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Return minorants v and s (m,) on intervals (m,)."""
        left, right = low - self.centre, high - self.centre
        half, middle = (high - low) / 2.0, (low + high) / 2.0 - self.centre
        value, slope = self.bowl * middle**2, 2.0 * self.bowl * middle
        frequency = 2.0 * math.pi
        ends = zip(*[self._phases(t) for t in (left, middle, right)], strict=True)
        for height, (start, phase, stop) in zip(self.heights, ends, strict=True):
            long = 2.0 * frequency * half <= 1.0
            tangent = _ripple(phase) - (frequency * half) ** 2 / 2.0
            # a short ripple is lowest at an end, unless there is a bottom in between
            crossed = (start <= 0.0) & (stop >= 0.0) | (frequency * half >= math.pi / 2.0)
            natural = np.where(crossed, 0.0, np.minimum(_ripple(start), _ripple(stop)))
            value += height * np.where(long, tangent, natural)
            slope += height * np.where(long, frequency * np.sin(2.0 * math.pi * phase), 0.0)
            frequency *= self.base
        return value, slope


def _ripple(phase: Floats) -> Floats:
    return np.asarray(2.0 * np.sin(math.pi * phase) ** 2)

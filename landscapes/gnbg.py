"""GNBG: the generalized numerical benchmark generator, without its rotations.

    f(x) = min over k of σ_k + (Σ_i h_ki T_k(x_i − m_ki)²)^λ
    T_k(a) = exp(ln a + μ_k1 (sin(ω_k1 ln a) + sin(ω_k2 ln a)))             for a > 0, T_k(0) = 0
    T_k(a) = −exp(ln |a| + μ_k2 (sin(ω_k3 ln |a|) + sin(ω_k4 ln |a|)))      for a < 0

Source: Yazdani, Omidvar, Yazdani, Deb & Gandomi 2023, "GNBG: a generalized and configurable
benchmark generator for continuous numerical optimization", arXiv 2312.07083, with the
rotation matrices left out; the default ranges of σ, h, μ, ω and λ are those of its generator.
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
from landscapes._separable import MinOfSeparables, Separable, filled

EDGE = 100.0
REACH = 80.0  # how far from the middle a component's minimum may lie
CLOSE = 0.1  # share of φ that a tangent may lie too low to be preferred to the crude bound
FLOORS = (-99.0, -98.0)  # the components' minimum values


@dataclass(frozen=True)
class Gnbg(Landscape):
    """Basins of any steepness, each rippled at all scales towards its own minimum.

    The universe is [-100, 100]^dimension, axes x1, x2, …. Each of the ``components`` has its
    minimum at a place uniform on [-80, 80]^dimension, with a value uniform on [-99, -98]; the
    lowest of these is the optimum. ``conditioning`` is the upper end of the weights h, uniform on
    [1, conditioning] for every component and axis; ``power`` is λ (1/2 is a cone, less is sharper).
    ``mu`` and ``omega`` are the ranges that the depth and the frequency of the ripples are drawn
    from, for every component and side by itself, or once for both sides where ``symmetric``; with
    mu (0, 0) components are smooth.

    The optimum of every box, grid and diagonal is certified by branch and bound, to a relative
    1e-10: called exact. Where the search would grow too long there are certified bounds. Minima
    are not known: the ripples of a component never end towards its minimum. A point outside the
    universe is evaluated by the formula (calling the landscape refuses it).

    >>> f = Gnbg(dimension=3, components=4)
    >>> bool(f.optimum().value == f.floors.min()), f.components_at(f.optimum().point).shape
    (True, (1,))

    Raises InputError for fewer than one dimension or component, a conditioning below 1, a power
    that is not positive, and ranges that are reversed or negative.
    """

    dimension: int = 2
    components: int = 3
    conditioning: float = 1e5
    power: float = 0.25
    mu: tuple[float, float] = (0.2, 0.5)
    omega: tuple[float, float] = (5.0, 50.0)
    symmetric: bool = False
    instance: int = 1
    name: ClassVar[str] = "gnbg"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise InputError(f"dimension must be at least 1, not {self.dimension}")
        if self.components < 1:
            raise InputError(f"components must be at least 1, not {self.components}")
        if not (math.isfinite(self.conditioning) and self.conditioning >= 1.0):
            raise InputError(f"conditioning must be a number from 1 on, not {self.conditioning}")
        if not 0.0 < self.power <= 4.0:
            raise InputError(f"power must be in (0, 4], not {self.power}")
        for key, most in (("mu", 1.0), ("omega", 1000.0)):
            low, high = getattr(self, key)
            if not 0.0 <= low <= high <= most:
                raise InputError(f"{key} must be a range [low, high] in [0, {most:g}]")

    @cached_property
    def universe(self) -> Space:
        """The box [-100, 100]^dimension."""
        return Space.box(*[Real(f"x{i}", -EDGE, EDGE) for i in range(1, self.dimension + 1)])

    @cached_property
    def _part(self) -> _Part:
        k, d = self.components, self.dimension
        rng = generator(self, d, k, self.instance)
        centres = REACH * (2.0 * rng.random((k, d)) - 1.0)
        floors = _between(FLOORS, rng.random(k))
        weights = _between((1.0, self.conditioning), rng.random((k, d)))
        mu, omega = _between(self.mu, rng.random((k, 2))), _between(self.omega, rng.random((k, 4)))
        if self.symmetric:
            mu, omega = mu[:, [0, 0]], omega[:, [0, 1, 0, 1]]
        return _Part(centres, weights, mu, omega, floors)

    @property
    def centres(self) -> Floats:
        """The components' minima (components, dimension)."""
        return self._part.centres

    @property
    def floors(self) -> Floats:
        """The components' minimum values (components,)."""
        return self._part.floors

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,); any real coordinates will do."""
        return self._judge(points)[0]

    def components_at(self, points: Points) -> Ints:
        """Return which component (n,) is the lowest at each point."""
        return self._judge(points)[1]

    def _judge(self, points: Points) -> tuple[Floats, Ints]:
        from landscapes._separable_kernels import gnbg_components

        part, power = self._part, float(self.power)
        warp = part.mu, part.omega / (2.0 * math.pi), part.floors
        m, h = part.centres, part.weights
        return filled(points, lambda x, *out: gnbg_components(x, m, h, *warp, power, *out))

    @cached_property
    def _separable(self) -> MinOfSeparables:
        part = self._part
        terms = tuple(
            Certified((_Warped(part.centres[:, i], part.weights[:, i], part.mu, part.omega),))
            for i in range(self.dimension)
        )
        outer = _Powers(part.floors, float(self.power))
        return MinOfSeparables(self.universe, (Separable(terms, outer, self.components),))

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the optimum inside any region, certified to a relative 1e-10, or bounds on it."""
        return self._separable.lowest(region, self.evaluate)


@dataclass(frozen=True, eq=False)
class _Part:
    """What is drawn: m and h (K, d), μ (K, 2) and ω (K, 4), the side x > m first; σ (K,)."""

    centres: Floats
    weights: Floats
    mu: Floats
    omega: Floats
    floors: Floats


@dataclass(frozen=True, eq=False)
class _Powers:
    """g_k(s) = σ_k + s^λ."""

    floors: Floats
    power: float

    def __call__(self, sums: Floats) -> Floats:
        return np.asarray(self.floors + np.maximum(sums, 0.0) ** self.power)


@dataclass(frozen=True, eq=False)
class _Warped:
    """φ_k = h_k T_k(x − m_k)² on one axis, with minorants.

    With L = ln |x − m|, T² = exp G, G = 2L + 2μ (sin ω₁L + sin ω₂L). As |G − 2L| ≤ 4μ, φ is at
    least h exp(−4μ) times the square of the nearest distance. Its curvature is
    φ (G'² + G'' − G') / (x − m)².
    """

    centres: Floats
    weights: Floats
    mu: Floats
    omega: Floats

    @property
    def hints(self) -> Floats:
        """Where each component is 0."""
        return self.centres[None]

    def at(self, k: Ints, x: Floats) -> Floats:
        """Return φ (m,) of components (m,) at values (m,)."""
        return self._sloped(k, x)[0]

    def _sloped(self, k: Ints, x: Floats) -> tuple[Floats, Floats]:
        """φ and φ' (m,)."""
        a = x - self.centres[k]
        mu, first, second = self._side(k, a)
        distance = np.where(a == 0.0, 1.0, np.abs(a))
        log = np.log(distance)
        swing = np.sin(first * log) + np.sin(second * log)
        value = self.weights[k] * np.exp(2.0 * (log + mu * swing))
        rate = 2.0 + 2.0 * mu * (first * np.cos(first * log) + second * np.cos(second * log))
        value = np.where(a == 0.0, 0.0, value)
        return value, np.sign(a) * value * rate / distance

    def _side(self, k: Ints, a: Floats) -> tuple[Floats, Floats, Floats]:
        """μ and the two ω (m,) of the sides that a = x − m lies on."""
        side = (a <= 0.0).astype(np.int64)
        return self.mu[k, side], self.omega[k, 2 * side], self.omega[k, 2 * side + 1]

    def under(self, k: Ints, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Return minorants v and s (m,) of components (m,) on intervals (m,)."""
        left, right = low - self.centres[k], high - self.centres[k]
        middle, half = (low + high) / 2.0, (high - low) / 2.0
        apart = (left > 0.0) | (right < 0.0)
        near = np.where(apart, np.minimum(abs(left), abs(right)), 0.0)
        far = np.maximum(abs(left), abs(right))
        mu, first, second = self._side(k, middle - self.centres[k])
        natural = self.weights[k] * near**2 * np.exp(-4.0 * mu)
        value, slope = self._sloped(k, middle)
        rate = 2.0 + 2.0 * mu * (first + second)  # |G'| at most
        bend = rate**2 + rate + 2.0 * mu * (first**2 + second**2)
        nearest = np.where(apart, near, 1.0)
        growth = np.exp(
            np.minimum(rate * np.log(far / nearest), 8.0 * mu + 1.4)
        )  # (mid / far)² ≥ 1/4
        deficit = value * growth * bend * (half / nearest) ** 2 / 2.0
        deficit[(self.mu[k] == 0.0).all(axis=1)] = 0.0  # a parabola is above all its tangents
        close = (apart | (deficit == 0.0)) & (deficit <= CLOSE * value)
        return np.where(close, value - deficit, natural), np.where(close, slope, 0.0)


def _between(within: tuple[float, float], unit: Floats) -> Floats:
    return within[0] + (within[1] - within[0]) * unit

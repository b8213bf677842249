"""Fractal: fractional Brownian motion on a line or surface, frozen on a lattice.

    E (f(x) − f(y))² = 2 ‖x − y‖^(2H),   x, y on the lattice over a square of side 1/√2

Source: Mandelbrot & Van Ness 1968 (the motion); Stein 2002, "Fast and exact simulation of
fractional Brownian surfaces", Journal of Computational and Graphical Statistics 11(3): the field
is cut out of a periodic one whose covariance agrees with it up to distance 1, with random slopes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.landscape import Landscape, Minima, generator
from hpo_lab.lattice import minima_of
from hpo_lab.space import ENUMERABLE, Floats, Integer, Points, Space

SIDE = 1.0 / math.sqrt(2.0)  # of the square: its diagonal is 1, up to where the covariance is exact
ROUGHEST, SMOOTHEST = 0.01, 0.99


@dataclass(frozen=True)
class Fractal(Landscape):
    """A fractional Brownian surface: equally rugged at every scale, as rough as ``hurst`` says.

    The universe is a lattice of ``size`` integers an axis, x1 and x2 (x1 alone with ``dimension``
    1). ``hurst`` is the Hurst exponent H, from 0.01 (nearly noise) over 0.5 (Brownian) to 0.99
    (nearly smooth): increments over a distance r have variance 2 r^(2H), the square's side
    being 1/√2. Values are relative to that of the lattice's first point, which is 0. ``instance``
    draws another surface. Calling refuses a point outside the universe.

    The optimum of any region is exact, by enumeration; so are local minima (points whose four
    neighbours, or two, are not lower) and their basins.

    >>> f = Fractal(size=64, hurst=0.3, instance=1)
    >>> f.optimum().value == f.evaluate(f.universe.enumerate()).min()
    np.True_
    """

    dimension: int = 2
    size: int = 128
    hurst: float = 0.5
    instance: int = 1
    name: ClassVar[str] = "fractal"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.dimension not in (1, 2):
            raise InputError(f"dimension must be 1 or 2, not {self.dimension}")
        if not 2 <= self.size**self.dimension <= ENUMERABLE or self.size < 2:
            most = int(ENUMERABLE ** (1.0 / self.dimension))
            raise InputError(f"size must lie in [2, {most}], not {self.size}")
        if not ROUGHEST <= self.hurst <= SMOOTHEST:
            raise InputError(f"hurst must lie in [{ROUGHEST}, {SMOOTHEST}], not {self.hurst}")
        if self.instance < 1:
            raise InputError(f"instance must be at least 1, not {self.instance}")

    @cached_property
    def universe(self) -> Space:
        """The lattice {0, …, size − 1}^dimension."""
        axes = [Integer(f"x{i}", 0, self.size - 1) for i in range(1, self.dimension + 1)]
        return Space.box(*axes)

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,)."""
        index = points.values.astype(np.int64)
        surface = _surface(self)
        return np.asarray(surface[tuple(index.T)])

    def minima(self) -> Minima | None:
        """Return all local minima, best first, with their basins and the basins' exact masses."""
        return minima_of(self)


@lru_cache(maxsize=16)
def _surface(landscape: Fractal) -> Floats:
    """The values on the lattice, (size,) or (size, size)."""
    size, d = landscape.size, landscape.dimension
    reach, constant, slope, far = _embedding(2.0 * landscape.hurst)
    step = SIDE / (size - 1)
    period = 2 * math.ceil(reach / step)  # lattice points around the torus
    distance = np.minimum(np.arange(period), period - np.arange(period)) * step
    radius = distance if d == 1 else np.hypot(distance[:, None], distance)
    covariance = _periodic(radius, 2.0 * landscape.hurst, reach, constant, slope, far)
    power = np.fft.fftn(covariance).real
    if power.min() < -1e-7 * power.max():
        raise AssertionError("the embedding is not positive definite")
    rng = generator(landscape, d, size, landscape.hurst, landscape.instance)
    noise = rng.standard_normal((2, *power.shape))
    amplitude = np.sqrt(np.maximum(power, 0.0) / power.size)
    waves = np.fft.fftn(amplitude * (noise[0] + 1j * noise[1]))
    field = waves.real[(slice(size),) * d]
    tilt = rng.standard_normal(d) * math.sqrt(2.0 * slope)
    place = np.arange(size) * step
    plane = tilt[0] * place if d == 1 else tilt[0] * place[:, None] + tilt[1] * place
    surface = field - field[(0,) * d] + plane
    return np.asarray(surface)


def _embedding(alpha: float) -> tuple[float, float, float, float]:
    """R, c0, c2 and β of Stein 2002, table 1, for α = 2H."""
    if alpha <= 1.5:
        return 1.0, 1.0 - alpha / 2.0, alpha / 2.0, 0.0
    reach = 2.0
    far = alpha * (2.0 - alpha) / (3.0 * reach * (reach**2 - 1.0))
    slope = (alpha - far * (reach - 1.0) ** 2 * (reach + 2.0)) / 2.0
    return reach, far * (reach - 1.0) ** 3 + 1.0 - slope, slope, far


def _periodic(
    radius: Floats, alpha: float, reach: float, constant: float, slope: float, far: float
) -> Floats:
    """The periodic field's covariance: c0 − r^α + c2 r² up to 1, β (R − r)³ / r up to R, then 0."""
    near = constant - radius**alpha + slope * radius**2
    beyond = far * np.maximum(reach - radius, 0.0) ** 3 / np.maximum(radius, 1.0)
    return np.where(radius <= 1.0, near, beyond)

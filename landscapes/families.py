"""Families: a synthetic universe of architecture families, one of which is planted as the best.

    f(z, x) = min over k of v_zk + Σ_i φ_zki(x_i)                       (components k of family z)
    φ_zki(x) = a_zi (t − c_zki)² + ruggedness · (1 − cos(2π · 8 (t − c_zki)))    on a numeric axis
    φ_zki(x) = p_zi(x) ≥ 0                                                       on a choice

t is the axis' unit coordinate (logarithmic where the axis is). The ripple is Rastrigin's
(Rastrigin 1974; Mühlenbein, Schomisch & Born 1991); the rest is of this project's own making.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError, nearest
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum, generator
from hpo_lab.region import Region
from hpo_lab.space import (
    Axis,
    Choice,
    Family,
    Floats,
    Integer,
    Ints,
    Points,
    Real,
    Space,
    levels,
)
from landscapes._power import Cells, PowerDiagram, cell_minima
from landscapes._separable import MinOfSeparables, Penalties, Separable, Term, Valleys

WAVES = 8.0  # ripples along a whole axis
CURVATURE = (1.0, 4.0)  # of the valleys, uniform for each family and axis
HEIGHT = (0.02, 0.3)  # by how much a family's other optima are worse than its best
PENALTY = (0.02, 0.3)  # of an option that is not the best one
SPREAD = 0.2  # how much worse the other families may be than the best of the rest
TRIES = 200  # draws of the optima of a family before one fewer is planted

_LR = Real("lr", 1e-5, 1e-1, log=True)
_ACTIVATION = Choice("activation", ("relu", "gelu", "tanh"))
UNIVERSE = Space(
    (
        Family("conv", (_LR, _ACTIVATION, Integer("kernel", 1, 7))),
        Family("attention", (_LR, _ACTIVATION, Integer("heads", 1, 16, log=True))),
        Family("recurrent", (_LR, _ACTIVATION, Integer("state", 8, 512, log=True))),
        Family("mlp", (_LR, _ACTIVATION)),
    )
)


@dataclass(frozen=True)
class Families(Landscape):
    """Architecture families with shared and private axes, and the best family planted.

    True by construction: it validates the instrument and makes no claim about networks.

    The universe is conv, attention, recurrent and mlp, or ``space``: any universe of one's own.
    ``families`` keeps some of its families (default: all). ``best`` is the family that holds the
    optimum, of value 0 (default: "attention" where there is one, else the first); the best of
    the rest is worse by ``gap``, further families by up to 0.2 more. Each family has ``optima``
    local minima (fewer only where its axes leave no room), whose values differ by 0.02 to 0.3.
    ``ruggedness`` is the amplitude of a Rastrigin-like ripple on the numeric axes.

    The optimum is exact for every set of families and every box. At ruggedness 0 so are the
    minima: points that no small step on real axes, no step to the next integer and no other
    option improves. A basin is the set of points whose value a minimum's own component gives;
    masses are unknown. With ripples, minima are None.

    >>> f = Families(optima=3, gap=0.2)
    >>> f.optimum().value, f.optimum().point.records()[0]["family"]
    (0.0, 'attention')
    >>> len(f.minima().values)
    12
    """

    families: tuple[str, ...] = ()
    best: str | None = None
    gap: float = 0.1
    optima: int = 2
    ruggedness: float = 0.0
    instance: int = 1
    space: Space | None = None
    name: ClassVar[str] = "families"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        known = [family.name for family in (self.space or UNIVERSE).families]
        for name in self.families:
            if name not in known:
                raise InputError(f"families: the universe has no family {nearest(name, known)}")
        if len(set(self.families)) < len(self.families):
            raise InputError("families names a family twice; remove the repetition")
        kept = self.families or known
        if self.best is not None and self.best not in kept:
            raise InputError(f"best: the universe has no family {nearest(self.best, kept)}")
        if not (math.isfinite(self.gap) and self.gap >= 0.0):
            raise InputError(f"gap must be a number from 0 on, not {self.gap}")
        if self.optima < 1:
            raise InputError(f"optima must be at least 1, not {self.optima}")
        if not (math.isfinite(self.ruggedness) and self.ruggedness >= 0.0):
            raise InputError(f"ruggedness must be a number from 0 on, not {self.ruggedness}")

    @cached_property
    def universe(self) -> Space:
        """The families that are kept, in the order of the universe."""
        every = (self.space or UNIVERSE).families
        return Space(tuple(f for f in every if not self.families or f.name in self.families))

    @cached_property
    def planted(self) -> str:
        """The family that holds the optimum."""
        names = [family.name for family in self.universe.families]
        return self.best or ("attention" if "attention" in names else names[0])

    @cached_property
    def _cells(self) -> tuple[Cells, ...]:
        """The components of each family, without ripples."""
        return tuple(
            _drawn(family, value, self.optima, generator(self, family.name, self.instance))
            for family, value in zip(self.universe.families, self._values(), strict=True)
        )

    def _values(self) -> list[float]:
        """The lowest value of each family: 0 for the best, ``gap`` for the best of the rest."""
        rest = [f.name for f in self.universe.families if f.name != self.planted]
        draws = {n: float(generator(self, n, self.instance, "value").random()) for n in rest}
        runner_up = min(draws.values(), default=0.0)
        lowest = {n: self.gap + SPREAD * (draw - runner_up) for n, draw in draws.items()}
        return [lowest.get(family.name, 0.0) for family in self.universe.families]

    @cached_property
    def _separable(self) -> MinOfSeparables:
        pairs = zip(self.universe.families, self._cells, strict=True)
        parts = tuple(_separable(family, cells, self.ruggedness) for family, cells in pairs)
        return MinOfSeparables(self.universe, parts)

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,)."""
        return self._separable.evaluate(points)

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside any region.

        Certified bounds only where real axes of different ranges or scales are tied.
        """
        found = self._separable.lowest(region)
        if isinstance(found, Bounds):
            return found
        return Optimum(float(self.evaluate(found.point)[0]), found.point)

    def minima(self) -> Minima | None:
        """Return all minima, best first, and their basins; None where there are ripples."""
        return _minima(self) if self.ruggedness == 0.0 else None


@dataclass(frozen=True, eq=False)
class _Raised:
    """g_k(s) = s + v_k."""

    offsets: Floats

    def __call__(self, sums: Floats) -> Floats:
        return sums + self.offsets


def _drawn(family: Family, value: float, optima: int, rng: np.random.Generator) -> Cells:
    """The optima of one family: each a minimum of its own, the best one at ``value``."""
    numeric = tuple(i for i, axis in enumerate(family.axes) if not isinstance(axis, Choice))
    penalties = {
        i: _penalties(axis, rng) for i, axis in enumerate(family.axes) if isinstance(axis, Choice)
    }
    axes = [family.axes[i] for i in numeric]
    curvature = _uniform(CURVATURE, len(axes), rng)
    for count in range(optima if any(axis.size > 1 for axis in axes) else 1, 0, -1):
        for _ in range(TRIES):
            offsets = value + np.append(0.0, _uniform(HEIGHT, count - 1, rng))
            centres = np.empty((count, len(axes)))
            for column, axis in enumerate(axes):
                centres[:, column] = _settled(axis, rng.random(count))
            diagram = PowerDiagram(curvature, centres, offsets)
            if count == 1 or _all_minima(diagram, axes):
                return Cells(diagram, numeric, unit=True, penalties=penalties)
    raise AssertionError("one optimum always fits")


def _uniform(within: tuple[float, float], count: int, rng: np.random.Generator) -> Floats:
    return within[0] + (within[1] - within[0]) * rng.random(count)


def _penalties(axis: Choice, rng: np.random.Generator) -> Floats:
    """A penalty (options,) for every option but the best, whose is 0."""
    penalties = _uniform(PENALTY, len(axis.options), rng)
    penalties[int(rng.random() * len(axis.options))] = 0.0
    return penalties


def _settled(axis: Axis, unit: Floats) -> Floats:
    """Unit coordinates that are equal to the last bit after the way to native values and back."""
    for _ in range(8):
        unit = axis.to_unit(axis.from_unit(unit))
    return unit


def _all_minima(diagram: PowerDiagram, axes: list[Axis]) -> bool:
    """Whether no centre lies under another parabola, nor has a lower neighbour in the integers."""
    if diagram.dominated():
        return False
    for column, axis in enumerate(axes):
        if isinstance(axis, Integer):
            steps = axis.to_unit(levels(axis))
            place = np.searchsorted(steps, diagram.centres[:, column] - 1e-9)
            for move in (-1, 1):
                beside = diagram.centres.copy()
                beside[:, column] = steps[np.clip(place + move, 0, len(steps) - 1)]
                gaps = beside[:, None, :] - diagram.centres[None, :, :]
                lowest = (gaps**2 @ diagram.curvature + diagram.offsets).min(axis=1)
                if (lowest < diagram.offsets).any():
                    return False
    return True


def _separable(family: Family, cells: Cells, ruggedness: float) -> Separable:
    diagram, count = cells.diagram, len(cells.diagram.offsets)
    terms: list[Term] = []
    for index, axis in enumerate(family.axes):
        if index in cells.penalties:
            terms.append(Penalties(np.repeat(cells.penalties[index][:, None], count, axis=1)))
            continue
        column = cells.axes.index(index)
        curvature = np.full(count, diagram.curvature[column])
        centre = diagram.centres[:, column]
        height = np.full(count, ruggedness)
        terms.append(Valleys(curvature, centre, height, centre, WAVES, axis))
    return Separable(tuple(terms), _Raised(diagram.offsets), count)


@lru_cache(maxsize=16)
def _minima(landscape: Families) -> Minima:
    separable, universe, cells = landscape._separable, landscape.universe, landscape._cells
    points, values, component = separable.minima()
    rank = np.full(sum(len(c.diagram.offsets) for c in cells), -1)
    rank[component] = np.arange(len(component))

    def labels(given: Points) -> Ints:
        return rank[separable.labels(given)]

    def lowest(region: Region) -> Floats:
        return cell_minima(universe, region, cells)[component]

    return Minima(points, values, labels, lowest)

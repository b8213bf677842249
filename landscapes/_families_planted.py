"""The planted universe: in each family the lowest of some valleys, one family with the optimum.

    f(z, x) = min over k of v_zk + Σ_i φ_zki(x_i)                       (components k of family z)
    φ_zki(x) = a_zi (t − c_zki)² + ruggedness · (1 − cos(2π · 8 (t − c_zki)))    on a numeric axis
    φ_zki(x) = p_zi(x) ≥ 0                                                       on a choice

and, where its visibility is given, in the planted family

    f(x) = min(valley, gap + 1/2 + |gradient| · (S'(x) / max S' − 1/2)),   S = Σ_i φ_i
    valley = max(gap · S(x) / s, gap + 10 (S(x) / s − 1))

where s is the reach of a valley that covers that share of the family (``_families_visibility``).
S' is S, so that all around slopes toward the optimum, or for a gradient below 0 the same around
the farthest corner and the dearest options, so that all around slopes away from it.

t is the axis' unit coordinate (logarithmic where the axis is). The ripple is Rastrigin's
(Rastrigin 1974; Mühlenbein, Schomisch & Born 1991); the rest is of this project's own making.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpo_lab.landscape import Bounds, Minima, Optimum
from hpo_lab.region import Region
from hpo_lab.space import Axis, Choice, Family, Floats, Integer, Ints, Points, Space, levels
from landscapes._families_visibility import reach
from landscapes._power import Cells, PowerDiagram, cell_minima
from landscapes._separable import MinOfSeparables, Penalties, Raised, Separable, Term, Valleys

WAVES = 8.0  # ripples along a whole axis
CURVATURE = (1.0, 4.0)  # of the valleys, uniform for each family and axis
HEIGHT = (0.02, 0.3)  # by how much a family's other optima are worse than its best
PENALTY = (0.02, 0.3)  # of an option that is not the best one
SPREAD = 0.2  # how much worse the other families may be than the best of the rest
TRIES = 200  # draws of the optima of a family before one fewer is planted
WALL = 10.0  # how steep a hidden valley is above ``gap``: 1 for each tenth of its reach
VALLEY, SLOPE = 0, 1  # the two components of a planted family whose visibility is given

Draw = Callable[..., np.random.Generator]  # a generator from whatever identifies it


@dataclass(frozen=True, eq=False)
class Planted:
    """The families of ``universe`` with their components, without ripples.

    ``hidden`` is the index of the family whose ``visibility`` is given: it has one component.
    """

    universe: Space
    cells: tuple[Cells, ...]
    gap: float
    ruggedness: float
    hidden: int | None
    visibility: float
    gradient: float

    @staticmethod
    def drawn(
        universe: Space,
        best: str,
        gap: float,
        optima: int,
        ruggedness: float,
        visibility: float | None,
        gradient: float,
        draw: Draw,
    ) -> Planted:
        """Return the planted universe; ``draw`` gives a generator for a family's name."""
        hidden = None if visibility is None else universe.index(best)
        cells = tuple(
            _drawn(family, value, 1 if i == hidden else optima, draw(family.name))
            for i, (family, value) in enumerate(
                zip(universe.families, _values(universe, best, gap, draw), strict=True)
            )
        )
        return Planted(universe, cells, gap, ruggedness, hidden, visibility or 1.0, gradient)

    @cached_property
    def separable(self) -> MinOfSeparables:
        """All families as the lowest of separable components."""
        parts = []
        for i, (family, cells) in enumerate(zip(self.universe.families, self.cells, strict=True)):
            if i == self.hidden:
                parts.append(_hidden(family, cells, self.gap, self.visibility, self.gradient))
            else:
                parts.append(_separable(family, cells, self.ruggedness))
        return MinOfSeparables(self.universe, tuple(parts))

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,)."""
        return self.separable.evaluate(points)

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside a region, bounds where unlike real axes are tied."""
        return self.separable.lowest(region, truth=self.evaluate)

    def minima(self) -> Minima | None:
        """Return all minima, best first, and their basins; None where there are ripples."""
        if self.ruggedness > 0.0:
            return None
        points, values, component = self.separable.minima()
        stays = self._stays(points, component)
        points, values, component = points[stays], values[stays], component[stays]
        rank = np.full(sum(part.components for part in self.separable.families), -1)
        rank[component] = np.arange(len(component))
        if self.hidden is not None and self.gradient > 0.0:  # all around descends into the valley
            rank[self._first + SLOPE] = rank[self._first + VALLEY]

        def labels(given: Points) -> Ints:
            return np.asarray(rank[self.separable.labels(given)])

        def lowest(region: Region) -> Floats:
            return self._cell_minima(region)[component]

        return Minima(points, values, labels, lowest)

    def _stays(self, points: Points, component: Ints) -> Ints:
        """The minima but a far corner beside which a single step leads into the valley."""
        if self.hidden is None or self.gradient >= 0.0:
            return np.arange(len(points))
        kept = component != self._first + SLOPE
        for i in np.flatnonzero(~kept).tolist():
            kept[i] = (self.evaluate(_steps(points[i])) > self.evaluate(points[i])).all()
        return np.flatnonzero(kept)

    @property
    def _first(self) -> int:
        """The number of the hidden family's first component."""
        return sum(part.components for part in self.separable.families[: self.hidden])

    def _cell_minima(self, region: Region) -> Floats:
        """The lowest value in the region of every component, inside its own cell."""
        parts = []
        for i, (family, cells) in enumerate(zip(self.universe.families, self.cells, strict=True)):
            boxes = tuple(box for box in region if box.family == family.name)
            if i == self.hidden:
                parts.append(self._hidden_minima(boxes))
            else:
                parts.append(cell_minima(Space((family,)), boxes, (cells,)))
        return np.concatenate(parts)

    def _hidden_minima(self, boxes: Region) -> Floats:
        """The same (2,) of valley and slope; nan where the one covers the other's bottom.

        A gradient from 0 on makes both grow with S, so that a box whose bottom is not in the
        valley does not meet it; above 0 valley and slope are one basin.
        """
        low, below = np.full(2, np.inf), np.full(2, np.inf)
        for box in boxes:
            found = self.separable.in_box(box)
            if found is None:
                continue
            own = self.separable.points(self.universe.index(box.family), found.points)
            if self.gradient > 0.0:
                active = np.array([True, False])
                values = np.array([found.values.min(), np.inf])
            else:
                active = self.separable.labels(own) == self._first + np.arange(2)
                values = found.values
            low = np.where(active, np.minimum(low, values), low)
            unsure = (self.gradient < 0.0) & ~active | (found.below < found.values)
            below = np.where(unsure, np.minimum(below, found.below), below)
        return np.where(below < low, np.nan, low)


def _values(universe: Space, best: str, gap: float, draw: Draw) -> list[float]:
    """The lowest value of each family: 0 for the best, ``gap`` for the best of the rest."""
    rest = [f.name for f in universe.families if f.name != best]
    draws = {n: float(draw(n, "value").random()) for n in rest}
    runner_up = min(draws.values(), default=0.0)
    lowest = {n: gap + SPREAD * (draw - runner_up) for n, draw in draws.items()}
    return [lowest.get(family.name, 0.0) for family in universe.families]


def _hidden(
    family: Family, cells: Cells, gap: float, visibility: float, gradient: float
) -> Separable:
    """The valley that covers the share ``visibility`` of its family, and the slope around it."""
    curvature, centre = cells.diagram.curvature, cells.diagram.centres[0]
    terms: list[Term] = []
    parts: list[Floats] = []
    highest = 0.0  # of S'
    for index, axis in enumerate(family.axes):
        if index in cells.penalties:
            price = cells.penalties[index]
            around = price.max() - price if gradient < 0.0 else price
            terms.append(Penalties(np.stack([price, around], axis=1)))
            parts.append(price)
            highest += float(around.max())
            continue
        column = cells.axes.index(index)
        a, c = float(curvature[column]), float(centre[column])
        ends = _ends(axis)
        slope = float(ends[np.argmax(np.abs(ends - c))]) if gradient < 0.0 else c
        both, flat = np.array([c, slope]), np.zeros(2)
        terms.append(Valleys(np.full(2, a), both, flat, both, axis=axis))
        parts.append(np.array([a, c]))
        highest += a * float(((ends - slope) ** 2).max())
    outer = _Hidden(reach(family.axes, parts, visibility), gap, gradient, highest or 1.0)
    return Separable(tuple(terms), outer, 2)


@dataclass(frozen=True, eq=False)
class _Hidden:
    """g of the valley, from S and its reach, and of the slope around, from S' and its highest."""

    reach: float
    gap: float
    gradient: float
    highest: float

    def __call__(self, sums: Floats) -> Floats:
        found = np.empty_like(sums)
        share = sums[:, VALLEY] / self.reach
        found[:, VALLEY] = np.maximum(self.gap * share, self.gap + WALL * (share - 1.0))
        tilt = abs(self.gradient) * (sums[:, SLOPE] / self.highest - 0.5)
        found[:, SLOPE] = self.gap + (0.5 + tilt)
        return found


def _ends(axis: Axis) -> Floats:
    """The unit coordinates (2,) of an axis' lowest and highest value."""
    assert not isinstance(axis, Choice)  # noqa: S101  choices have prices
    return axis.to_unit(np.array([axis.low, axis.high], dtype=float))


def _steps(point: Points) -> Points:
    """The points one option or one integer away from a batch of one."""
    moved = [point.values]
    for column, axis in point.space.places(int(point.family[0])):
        value = point.values[0, column]
        if isinstance(axis, Choice):
            beside = [float(v) for v in range(len(axis.options)) if v != value]
        elif isinstance(axis, Integer):
            beside = [v for v in (value - 1.0, value + 1.0) if axis.low <= v <= axis.high]
        else:
            beside = []
        for other in beside:
            moved.append(point.values.copy())
            moved[-1][0, column] = other
    values = np.concatenate(moved[1:]) if len(moved) > 1 else point.values[:0]
    return Points(point.space, np.repeat(point.family, len(values)), values)


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
    return Separable(tuple(terms), Raised(diagram.offsets), count)

"""Power diagrams: who is lowest among parabolas of one shape, and how low inside its own cell.

    s_k(t) = Σ_i a_i (t_i − c_ki)² + o_k,   cell of k = where s_k is the lowest.

Differences of the s_k are linear in t, so the cells are convex polytopes, and the lowest s_k in
a cell and a box is the least distance to a polytope.
Source: Aurenhammer 1987 (power diagrams); Lawson & Hanson 1974, ch. 23 (least distance).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hpo_lab.region import Box, Interval, Region
from hpo_lab.space import Axis, Floats, Space
from landscapes._separable import Common, groups, scale

SLACK = 1e-10  # how far outside a cell, in units of the largest term, a point still counts as in it
NODES = 20_000  # branches tried before an answer is given up as unknown


@dataclass(frozen=True, slots=True)
class Group:
    """Coordinates that have one value in common: any in [low, high], or one of finitely many."""

    coordinates: tuple[int, ...]
    low: float
    high: float
    values: Floats | None = None  # increasing


@dataclass(frozen=True, eq=False)
class PowerDiagram:
    """Parabolas of one shape: ``curvature`` a (d,), ``centres`` c (K, d), ``offsets`` o (K,)."""

    curvature: Floats
    centres: Floats
    offsets: Floats

    def dominated(self) -> bool:
        """Whether some parabola's lowest point lies under, or on, another one."""
        gaps = self.centres[:, None, :] - self.centres[None, :, :]
        heights = (gaps**2 @ self.curvature) + self.offsets  # of parabola j at the centre of i
        np.fill_diagonal(heights, np.inf)
        return bool((heights.min(axis=1, initial=np.inf) <= self.offsets).any())

    def lowest(self, k: int, groups: list[Group]) -> float:
        """Return the lowest s_k in the cell of k and in the product of the groups' values.

        inf where they do not meet; nan where ``NODES`` branches did not settle it.
        """
        best, stack, nodes = math.inf, [groups], 0
        while stack:
            node, nodes = stack.pop(), nodes + 1
            if nodes > NODES:
                return math.nan
            found = self._relaxed(k, node)
            if found is None or found[0] >= best:
                continue
            value, common = found
            split = _off_grid(node, common)
            if split is None:
                best = value
            else:
                stack += _branches(node, split, float(common[split]))
        return best

    def _relaxed(self, k: int, groups: list[Group]) -> tuple[float, Floats] | None:
        """A lower bound on s_k, and the groups' values that it was found at: exact on the grid."""
        a, centre, member = self._shape(k, groups)
        low, high = np.array([g.low for g in groups]), np.array([g.high for g in groups])
        common = np.array([_nearest(g, c) for g, c in zip(groups, centre.tolist(), strict=True)])
        bound = self._value(k, common @ member)  # were there no other parabola
        # s_k ≤ s_j is normal_j · common ≤ room_j
        others = np.arange(len(self.offsets)) != k
        away = self.centres[others] - self.centres[k]
        normal = 2.0 * (away * self.curvature) @ member.T
        squares = (self.centres[others] ** 2 - self.centres[k] ** 2) @ self.curvature
        room = squares + self.offsets[others] - self.offsets[k]
        size = np.abs(normal) @ np.maximum(np.abs(low), np.abs(high)) + np.abs(squares)
        if (normal @ common <= room + SLACK * size).all():
            return bound, common
        free = high > low
        if not free.any():
            return None
        moved = _least_distance(
            np.sqrt(a[free]),
            centre[free],
            np.vstack([normal[:, free], np.eye(free.sum()), -np.eye(free.sum())]),
            np.concatenate([room - normal[:, ~free] @ common[~free], high[free], -low[free]]),
        )
        if moved is None:
            return None
        common[free] = np.clip(moved, low[free], high[free])
        return max(bound, self._value(k, common @ member)), common

    def _value(self, k: int, at: Floats) -> float:
        return float(self.curvature @ (at - self.centres[k]) ** 2 + self.offsets[k])

    def _shape(self, k: int, groups: list[Group]) -> tuple[Floats, Floats, Floats]:
        """The parabola in the common values: curvature and centre; and who is in which group."""
        member = np.zeros((len(groups), len(self.curvature)))
        for row, group in enumerate(groups):
            member[row, list(group.coordinates)] = 1.0
        a = member @ self.curvature
        return a, (member @ (self.curvature * self.centres[k])) / a, member


def _least_distance(scale: Floats, centre: Floats, rows: Floats, room: Floats) -> Floats | None:
    """The t nearest to the centre, in units of 1/scale, with rows · t ≤ room; None where none is.

    Lawson & Hanson 1974, algorithm LDP (23.27), by non-negative least squares.
    """
    from scipy.optimize import nnls

    g = -rows / scale  # z = scale · (t − centre), and g z ≥ h
    h = rows @ centre - room
    length = np.linalg.norm(g, axis=1)
    if (h[length == 0.0] > 0.0).any():
        return None
    g, h = g[length > 0.0] / length[length > 0.0, None], h[length > 0.0] / length[length > 0.0]
    unit = max(float(h.max()), 1e-300)  # no z is nearer than this, so lengths are of order one
    e = np.vstack([g.T, h / unit])
    f = np.zeros(len(e))
    f[-1] = 1.0
    u, _ = nnls(e, f, maxiter=50 * e.shape[1])
    r = e @ u - f
    if -r[-1] < 1e-12:
        return None
    z = unit * r[:-1] / -r[-1]
    if (g @ z < h - 1e-7 * max(1.0, float(np.abs(z).max()))).any():
        return None
    return np.asarray(centre + z / scale)


def _nearest(group: Group, value: float) -> float:
    """The group's value nearest to this one."""
    if group.values is None:
        return min(max(value, group.low), group.high)
    return float(group.values[np.argmin(np.abs(group.values - value))])


def _off_grid(groups: list[Group], common: Floats) -> int | None:
    """The finite group whose value lies farthest from its allowed ones, None where all are met."""
    worst, where = 0.0, None
    for row, group in enumerate(groups):
        if group.values is not None and group.high > group.low:
            gap = float(np.abs(group.values - common[row]).min()) / (group.high - group.low)
            if gap > worst:
                worst, where = gap, row
    return where


def _branches(groups: list[Group], split: int, value: float) -> list[list[Group]]:
    """The two halves of a finite group's values, the one nearer to the value last."""
    group = groups[split]
    values = np.array([]) if group.values is None else group.values
    below, above = values[values <= value], values[values > value]
    halves = [half for half in (below, above) if len(half)]
    if len(halves) == 2 and value - below[-1] < above[0] - value:
        halves.reverse()
    made = [Group(group.coordinates, float(half[0]), float(half[-1]), half) for half in halves]
    return [[*groups[:split], new, *groups[split + 1 :]] for new in made]


@dataclass(frozen=True, eq=False)
class Cells:
    """The power diagram of one family of a space, and what its finite axes add for everyone.

    ``axes`` are the family's axes that are coordinates of the diagram, in its order, in ``unit``
    or in native numbers; ``penalties`` (levels,) belong to the other axes, by their index.
    """

    diagram: PowerDiagram
    axes: tuple[int, ...]
    unit: bool = False
    penalties: Mapping[int, Floats] = field(default_factory=dict)

    def in_box(self, space: Space, box: Box) -> Floats:
        """Return the lowest value (K,) in each cell and the box; inf where they do not meet."""
        family, sizes = space.family(box.family), len(self.diagram.offsets)
        added, coordinates = 0.0, []
        for columns, common in groups(space, box):
            axes = [family.axes[i] for i in columns]
            if not isinstance(common, Interval) and not len(common):
                return np.full(sizes, np.inf)
            if not isinstance(common, Interval) and all(i in self.penalties for i in columns):
                rows = common.astype(np.int64)
                added += float(np.sum([self.penalties[i][rows] for i in columns], axis=0).min())
            elif self.unit and not _alike(axes):
                return np.full(sizes, np.nan)  # one value, but several places in the diagram
            else:
                coordinates.append(self._group(axes[0], columns, common))
        lowest = [self.diagram.lowest(k, coordinates) for k in range(sizes)]
        return np.array(lowest) + added

    def _group(self, axis: Axis, columns: list[int], common: Common) -> Group:
        places = tuple(self.axes.index(i) for i in columns)
        whole = isinstance(common, Interval)
        values = np.array([common.low, common.high]) if isinstance(common, Interval) else common
        values = axis.to_unit(values) if self.unit else values
        return Group(places, float(values[0]), float(values[-1]), None if whole else values)


def _alike(axes: list[Axis]) -> bool:
    """Whether equal values of tied axes are equal unit coordinates."""
    return len(axes) == 1 or len({scale(axis) for axis in axes}) == 1


def cell_minima(space: Space, region: Region, cells: Sequence[Cells]) -> Floats:
    """Return the lowest value in each cell and the region, the families' cells one after another.

    inf where they do not meet, nan where it is not known.
    """
    parts = []
    for family, own in zip(space.families, cells, strict=True):
        lowest = np.full(len(own.diagram.offsets), np.inf)
        for box in region:
            if box.family == family.name:
                lowest = np.minimum(lowest, own.in_box(space, box))
        parts.append(lowest)
    return np.concatenate(parts)


def cell_shares(diagram: PowerDiagram, low: float, high: float) -> Floats | None:
    """Return the share (K,) of the cube [low, high]^d that each cell covers; None from 3-D on.

    Intervals in one dimension, polygons in two.
    """
    sizes, d = range(len(diagram.offsets)), len(diagram.curvature)
    if d > 2:
        return None
    corners = [[low], [high]] if d == 1 else [[low, low], [high, low], [high, high], [low, high]]
    volumes = []
    for k in sizes:
        cell = np.array(corners)
        for j in sizes:
            if j != k and len(cell):
                cell = _cut(cell, *_border(diagram, k, j))
        volumes.append(_volume(cell))
    return np.array(volumes) / (high - low) ** d


def _border(diagram: PowerDiagram, k: int, j: int) -> tuple[Floats, float]:
    """Normal and room of s_k ≤ s_j, normal · t ≤ room."""
    ours, theirs, a = diagram.centres[k], diagram.centres[j], diagram.curvature
    room = (theirs**2 - ours**2) @ a + diagram.offsets[j] - diagram.offsets[k]
    return 2.0 * a * (theirs - ours), float(room)


def _cut(cell: Floats, normal: Floats, room: float) -> Floats:
    """The corners of a convex cell's part in a half-space (Sutherland & Hodgman 1974)."""
    over = cell @ normal - room
    kept: list[Floats] = []
    for i in range(len(cell)):
        if over[i] <= 0.0:
            kept.append(cell[i])
        following = (i + 1) % len(cell)
        if over[i] * over[following] < 0.0:
            share = over[i] / (over[i] - over[following])
            kept.append(cell[i] + share * (cell[following] - cell[i]))
    return np.array(kept)


def _volume(cell: Floats) -> float:
    """The length of an interval, the area of a polygon (shoelace formula)."""
    if len(cell) < 2:
        return 0.0
    if cell.shape[1] == 1:
        return float(np.ptp(cell))
    x, y = (cell - cell[0]).T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2.0)

"""Power diagrams: who is lowest among parabolas of one shape, and how low inside its own cell.

    s_k(x) = Σ_i a_i (T (x − c_k))_i² + o_k,   cell of k = where s_k is the lowest.

Differences of the s_k are linear in x, so the cells are convex polytopes, and the lowest s_k in
a cell and a box is the least distance to a polytope.
Source: Aurenhammer 1987 (power diagrams).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from hpo_lab.region import Box, Interval, Region
from hpo_lab.space import Axis, Floats, Space
from landscapes._nearest import (
    NODES,
    Group,
    branches,
    least_distance,
    least_squares,
    least_squares_in_box,
    membership,
    off_grid,
)
from landscapes._separable import Common, groups, scale

SLACK = 1e-10  # how far outside a cell, in units of the largest term, a point still counts as in it
VOLUMES = {1: 10_000, 2: 10_000, 3: 1000, 4: 300, 5: 40}  # dimension: cells measured in seconds


@dataclass(frozen=True, eq=False)
class PowerDiagram:
    """Parabolas of one shape: ``curvature`` a (d,), ``centres`` c (K, d), ``offsets`` o (K,).

    ``turn`` T (d, d) has the principal axes as rows; without one they are the coordinates.
    """

    curvature: Floats
    centres: Floats
    offsets: Floats
    turn: Floats | None = None

    @cached_property
    def factor(self) -> Floats:
        """F (d, d) with s_k(x) = ‖F (x − c_k)‖² + o_k."""
        axes = np.eye(len(self.curvature)) if self.turn is None else self.turn
        return np.asarray(np.sqrt(self.curvature)[:, None] * axes)

    @cached_property
    def metric(self) -> Floats:
        """FᵀF (d, d)."""
        if self.turn is None:
            return np.diag(self.curvature)
        return np.asarray(self.factor.T @ self.factor)

    def dominated(self) -> bool:
        """Whether some parabola's lowest point lies under, or on, another one."""
        gaps = (self.centres[:, None, :] - self.centres[None, :, :]) @ self.factor.T
        heights = (gaps**2).sum(axis=2) + self.offsets  # of parabola j at the centre of i
        np.fill_diagonal(heights, np.inf)
        return bool((heights.min(axis=1, initial=np.inf) <= self.offsets).any())

    def borders(self, k: int) -> tuple[Floats, Floats]:
        """Return normals (K − 1, d) and rooms (K − 1,): s_k ≤ s_j is normal_j · x ≤ room_j."""
        others = np.arange(len(self.offsets)) != k
        away = (self.centres[others] - self.centres[k]) @ self.metric
        room = (away * (self.centres[others] + self.centres[k])).sum(axis=1)
        return 2.0 * away, room + self.offsets[others] - self.offsets[k]

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
            split = off_grid(node, common)
            if split is None:
                best = value
            else:
                stack += branches(node, split, float(common[split]))
        return best

    def _relaxed(self, k: int, groups: list[Group]) -> tuple[float, Floats] | None:
        """A lower bound on s_k, and the groups' values that it was found at: exact on the grid."""
        member = membership(groups, len(self.curvature))
        low, high = np.array([g.low for g in groups]), np.array([g.high for g in groups])
        factor, target = self.factor @ member.T, self.factor @ self.centres[k]
        common = self._unbordered(k, groups, member)
        bound = self._value(k, common @ member)
        normal, room = self.borders(k)
        normal = normal @ member.T
        size = np.abs(normal) @ np.maximum(np.abs(low), np.abs(high)) + np.abs(room)
        if (normal @ common <= room + SLACK * size).all():
            return bound, common
        free = high > low
        if not free.any():
            return None
        moved = least_distance(
            np.asarray(np.linalg.qr(factor[:, free], mode="r")),
            least_squares(factor[:, free], target - factor[:, ~free] @ common[~free]),
            np.vstack([normal[:, free], np.eye(free.sum()), -np.eye(free.sum())]),
            np.concatenate([room - normal[:, ~free] @ common[~free], high[free], -low[free]]),
        )
        if moved is None:
            return None
        common[free] = np.clip(moved, low[free], high[free])
        return max(bound, self._value(k, common @ member)), common

    def _unbordered(self, k: int, groups: list[Group], member: Floats) -> Floats:
        """The groups' values (groups,) that parabola k is lowest at, were there no other.

        On grids the nearest ones; where the parabola is turned, grids count as ranges.
        """
        if self.turn is None:
            a = member @ self.curvature
            centre = (member @ (self.curvature * self.centres[k])) / a
            return np.array([g.nearest(c) for g, c in zip(groups, centre.tolist(), strict=True)])
        low, high = np.array([g.low for g in groups]), np.array([g.high for g in groups])
        target = self.factor @ self.centres[k]
        return least_squares_in_box(self.factor @ member.T, target, low, high)[0]

    def _value(self, k: int, at: Floats) -> float:
        return float(((self.factor @ (at - self.centres[k])) ** 2).sum() + self.offsets[k])


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
        if not self.unit:
            return Group.of(places, common)
        if isinstance(common, Interval):
            low, high = axis.to_unit(np.array([common.low, common.high])).tolist()
            return Group(places, low, high)
        return Group.of(places, axis.to_unit(common))


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
    """Return the share (K,) of the cube [low, high]^d that each cell covers.

    Every centre lies in its own cell and inside the cube. Intervals in one dimension, polygons in
    two, polytopes up to five. None where ``VOLUMES`` calls that too long, and should the shares
    not sum to one.
    """
    d, count = len(diagram.curvature), len(diagram.offsets)
    if count > VOLUMES.get(d, 0):
        return None
    volume = _flat_volume if d <= 2 else _polytope_volume
    shares = np.array([volume(diagram, k, low, high) for k in range(count)]) / (high - low) ** d
    return shares if abs(float(shares.sum()) - 1.0) < 1e-9 else None


def _flat_volume(diagram: PowerDiagram, k: int, low: float, high: float) -> float:
    return _volume(flat_cell(diagram, k, low, high))


def flat_cell(diagram: PowerDiagram, k: int, low: float, high: float) -> Floats:
    """Return the corners (m, d) of a cell in the interval or square [low, high]^d, in order."""
    line = len(diagram.curvature) == 1
    corners = [[low], [high]] if line else [[low, low], [high, low], [high, high], [low, high]]
    cell = np.array(corners)
    normals, rooms = diagram.borders(k)
    for _ in range(len(rooms)):
        over = (cell @ normals.T - rooms).max(axis=0)
        deepest = int(np.argmax(over))
        if over[deepest] <= 0.0:
            break
        cell = _cut(cell, normals[deepest], float(rooms[deepest]))
        rooms[deepest] = np.inf  # each once, whatever rounding says
    return cell


def _polytope_volume(diagram: PowerDiagram, k: int, low: float, high: float) -> float:
    """The volume of a cell in the cube, from its half-spaces and its corners; nan for no answer.

    Source: Barber, Dobkin & Huhdanpaa 1996 (Qhull).
    """
    from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

    d = len(diagram.curvature)
    normal, room = diagram.borders(k)
    rows = np.vstack([normal, np.eye(d), -np.eye(d)])
    rooms = np.concatenate([room, np.full(d, high), np.full(d, -low)])
    try:
        corners = HalfspaceIntersection(np.column_stack([rows, -rooms]), diagram.centres[k])
        return float(ConvexHull(corners.intersections).volume)
    except QhullError:  # nearly degenerate
        return math.nan


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

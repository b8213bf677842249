"""The place in a product of sets where a quadratic bowl is lowest, and how low it is there.

    s(x) = ‖F (x − c)‖² + o     over boxes, grids, fixed values and tied coordinates

Boxes are bounded least squares, grids branch and bound over them, both with a certificate.
Sources: Stark & Parker 1995 (bounded-variable least squares); Lawson & Hanson 1974, ch. 23 (least
distance); Land & Doig 1960 (branch and bound); Frank & Wolfe 1956 (the gap that certifies).
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass

import numpy as np

from hpo_lab.region import Interval
from hpo_lab.space import Bools, Floats

NODES = 20_000  # branches tried before an answer is given up as unknown
EXACT = 1e-12  # a gap below this, absolute and relative, between certificate and value is rounding


@dataclass(frozen=True, slots=True)
class Group:
    """Coordinates that have one value in common: any in [low, high], or one of finitely many."""

    coordinates: tuple[int, ...]
    low: float
    high: float
    values: Floats | None = None  # increasing

    @staticmethod
    def of(coordinates: tuple[int, ...], common: Interval | Floats) -> Group:
        """Return the group with these values in common, which are not none."""
        if isinstance(common, Interval):
            return Group(coordinates, common.low, common.high)
        return Group(coordinates, float(common[0]), float(common[-1]), common)

    def nearest(self, value: float) -> float:
        """Return the group's value nearest to this one."""
        if self.values is None:
            return min(max(value, self.low), self.high)
        return float(self.values[np.argmin(np.abs(self.values - value))])


def membership(groups: list[Group], dimension: int) -> Floats:
    """Return which coordinate is in which group, (groups, d): x = values @ membership."""
    member = np.zeros((len(groups), dimension))
    for row, group in enumerate(groups):
        member[row, list(group.coordinates)] = 1.0
    return member


def off_grid(groups: list[Group], common: Floats) -> int | None:
    """Return the finite group whose value lies farthest from its own ones, None if all are met."""
    worst, where = 0.0, None
    for row, group in enumerate(groups):
        if group.values is not None and group.high > group.low:
            gap = float(np.abs(group.values - common[row]).min()) / (group.high - group.low)
            if gap > worst:
                worst, where = gap, row
    return where


def branches(groups: list[Group], split: int, value: float) -> list[list[Group]]:
    """Return the two halves of a finite group's values, the one nearer to the value last."""
    group = groups[split]
    values = np.array([]) if group.values is None else group.values
    below, above = values[values <= value], values[values > value]
    halves = [half for half in (below, above) if len(half)]
    if len(halves) == 2 and value - below[-1] < above[0] - value:
        halves.reverse()
    made = [Group(group.coordinates, float(half[0]), float(half[-1]), half) for half in halves]
    return [[*groups[:split], new, *groups[split + 1 :]] for new in made]


def least_squares(factor: Floats, target: Floats) -> Floats:
    """Return the t (g,) with the least ‖factor · t − target‖; the factor (m, g) has full rank."""
    return np.asarray(np.linalg.lstsq(factor, target, rcond=None)[0], dtype=np.float64)


def least_squares_in_box(
    factor: Floats, target: Floats, low: Floats, high: Floats
) -> tuple[Floats, float]:
    """Return the t (g,) in [low, high] with the least ‖factor · t − target‖², and a lower bound.

    Stark & Parker 1995: solve for the free variables, stop at the first bound met, free the one
    that gains most. By convexity no t in the box is lower than the value at t minus the gap of
    Frank & Wolfe 1956, which is returned: it holds however the search ended.
    """
    t = np.clip(least_squares(factor, target), low, high)
    free = (t > low) & (t < high)
    for _ in range(10 * (len(t) + 2)):
        t = _settled(factor, target, low, high, t, free)
        residual = target - factor @ t
        pull = factor.T @ residual  # minus half the gradient
        gain = pull * np.where(pull > 0.0, high - t, low - t)
        square = float(residual @ residual)
        held = np.where(free, 0.0, gain)
        if held.max(initial=0.0) <= 1e-15 * square:
            break
        free[np.argmax(held)] = True
    return t, max(square - 2.0 * float(gain.sum()), 0.0)


def _settled(
    factor: Floats, target: Floats, low: Floats, high: Floats, t: Floats, free: Bools
) -> Floats:
    """The free variables at their least squares; those that meet a bound on the way stay there."""
    while free.any():
        z = t.copy()
        z[free] = least_squares(factor[:, free], target - factor[:, ~free] @ t[~free])
        over = free & ((z < low) | (z > high))
        if not over.any():
            return z
        bound = np.where(z < low, low, high)
        step = np.full(len(t), np.inf)
        step[over] = (bound - t)[over] / (z - t)[over]
        first = over & (step <= step.min())
        t = np.where(first, bound, np.clip(t + step.min() * (z - t), low, high))
        free &= ~first
    return t


def least_distance(factor: Floats, centre: Floats, rows: Floats, room: Floats) -> Floats | None:
    """Return the t with the least ‖factor · (t − centre)‖ and rows · t ≤ room; None if none is.

    ``factor`` is square. Lawson & Hanson 1974, algorithm LDP (23.27), by non-negative least
    squares.
    """
    from scipy.optimize import nnls

    g = -np.linalg.solve(factor.T, rows.T).T  # z = factor · (t − centre), and g z ≥ h
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
    return np.asarray(centre + np.linalg.solve(factor, z))


@dataclass(frozen=True, eq=False)
class Bowl:
    """s(x) = ‖factor · (x − centre)‖² + offset: ``factor`` (d, d) of full rank, ``centre`` (d,)."""

    factor: Floats
    centre: Floats
    offset: float

    def relaxed(self, groups: list[Group]) -> tuple[float, Floats]:
        """Return a bound on s over the groups' ranges, and values (groups,) that come next to it.

        Grids count as their whole range.
        """
        low, high = np.array([g.low for g in groups]), np.array([g.high for g in groups])
        own = np.array([self.centre[g.coordinates[0]] for g in groups])
        member = membership(groups, len(self.centre))
        if ((low <= own) & (own <= high)).all() and np.array_equal(own @ member, self.centre):
            return self.offset, own
        common, square = least_squares_in_box(
            self.factor @ member.T, self.factor @ self.centre, low, high
        )
        return square + self.offset, common

    def at(self, place: Floats) -> float:
        """Return s at one place (d,)."""
        return float(((self.factor @ (place - self.centre)) ** 2).sum() + self.offset)


Node = tuple[float, int, Bowl, list[Group], Floats | None]  # bound, number, …, its solution


@dataclass(frozen=True, eq=False)
class Nearest:
    """The lowest place found (d,), its s, and a bound that no place can undercut."""

    place: Floats
    value: float
    below: float

    @property
    def exact(self) -> bool:
        """Whether nothing but rounding lies between the two."""
        return self.value - self.below <= EXACT * max(1.0, abs(self.value))


def nearest(bowls: list[Bowl], groups: list[Group], nodes: int = NODES) -> Nearest:
    """Return the lowest of the bowls in the product of the groups' values; best bound first.

    Not ``exact`` only where so many ``nodes`` did not settle a grid.
    """
    member = membership(groups, len(bowls[0].centre))
    number = itertools.count()  # of the node: bounds may be equal, bowls have no order
    heap: list[Node] = [(bowl.offset, next(number), bowl, groups, None) for bowl in bowls]
    heapq.heapify(heap)
    place, best = np.zeros(0), math.inf
    for _ in range(nodes):
        if not heap or heap[0][0] >= best - EXACT * max(1.0, abs(best)):
            return Nearest(place, best, best)
        bound, _, bowl, node, common = heapq.heappop(heap)
        if common is None:  # only now is it worth its solution
            tighter, common = bowl.relaxed(node)
            heapq.heappush(heap, (max(bound, tighter), next(number), bowl, node, common))
            met = [g.nearest(c) for g, c in zip(node, common.tolist(), strict=True)]
            if bowl.at(met @ member) < best:
                place, best = met @ member, bowl.at(met @ member)
            continue
        split = off_grid(node, common)
        if split is not None:
            for half in branches(node, split, float(common[split])):
                heapq.heappush(heap, (bound, next(number), bowl, half, None))
    return Nearest(place, best, min([best, *[entry[0] for entry in heap]]))

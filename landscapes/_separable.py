"""Landscapes that are the lowest of some components, each a function of a separable sum.

    f(x) = min over k of g_k(Σ_i φ_ki(x_i)),   every g_k increasing.

For every product ∏ S_i of sets of values, and with some axes tied to be equal,

    min over ∏ S_i of f = min over k of g_k(Σ_i min over S_i of φ_ki),

so one-dimensional minimisations give the exact optimum of every declared space, and so does any
sum of families. A landscape file gives the terms φ and the outer functions g; nothing is
inherited.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from hpo_lab.landscape import Bounds, Optimum
from hpo_lab.region import AxisSet, Box, Interval, Region, axis_values, intersect_sets, whole_axis
from hpo_lab.space import Axis, Floats, Ints, Points, Real, Space
from landscapes._compiled import shared

BLOCK = 8192  # points evaluated at a time, so that memory stays low
EXACT = 1e-10  # relative gap below which a value that is certified so closely is called exact
NOWHERE = Bounds(math.inf, math.inf, "no point of the region has a value")


class Term(Protocol):
    """φ_k(x) on one axis, for all components k at once."""

    def __call__(self, values: Floats) -> Floats:
        """Return φ (n, K) at the native values (n,)."""
        ...

    def minimum(self, low: float, high: float) -> tuple[Floats, Floats]:
        """Return values (K,) in [low, high] where each φ_k is lowest, and bounds below it (K,)."""
        ...

    def plus(self, other: Term) -> Term | None:
        """Return a term with the minimisers of the sum, None where none is known: for tied axes."""
        ...


@dataclass(frozen=True, eq=False)
class Penalties:
    """A term on a finite axis: φ (levels, K) for each value first, first + 1, …"""

    table: Floats
    first: float = 0.0

    def __call__(self, values: Floats) -> Floats:
        rows: Floats = self.table[(values - self.first).astype(np.int64)]
        return rows

    def minimum(self, low: float, high: float) -> tuple[Floats, Floats]:
        """Never needed: finite axes are enumerated."""
        raise TypeError("a term on a finite axis has no interval to be minimised over")

    def plus(self, other: Term) -> Term | None:
        """None is needed: finite axes are enumerated."""
        return None


@dataclass(frozen=True, eq=False)
class Valleys:
    """φ_k = a_k (t − c_k)² + b_k (1 − cos(2π m (t − p_k))) in the coordinate t of one axis.

    t is the value itself, or its unit coordinate where ``axis`` is given. ``curvature`` a > 0,
    ``centre`` c, ``height`` b ≥ 0 and ``phase`` p are (K,); ``waves`` m is per unit of t.
    """

    curvature: Floats
    centre: Floats
    height: Floats
    phase: Floats
    waves: float = 0.0
    axis: Axis | None = None

    def coordinate(self, values: Floats) -> Floats:
        """Return t (n,) of native values (n,)."""
        if self.axis is None:
            return values
        return self.axis.to_unit(np.ascontiguousarray(values))

    def __call__(self, values: Floats) -> Floats:
        t = self.coordinate(values)[:, None]
        bowl: Floats = self.curvature * (t - self.centre) ** 2
        if self.waves == 0.0 or not self.height.any():
            return bowl
        ripple = 1.0 - np.cos(2.0 * math.pi * self.waves * (t - self.phase))
        return bowl + self.height * ripple

    def minimum(self, low: float, high: float) -> tuple[Floats, Floats]:
        """Return where each φ_k is lowest, and its value there: exact."""
        x = self.argmin(low, high)
        return x, diagonal(self, x)

    def argmin(self, low: float, high: float) -> Floats:
        """Return the native values (K,) in [low, high] where each φ_k is lowest."""
        ends = self.coordinate(np.array([low, high]))
        t = np.array([self._lowest(k, *ends.tolist()) for k in range(len(self.centre))])
        if self.axis is None:
            return t
        values = np.clip(self.axis.from_unit(t), low, high)
        return np.where(t <= ends[0], low, np.where(t >= ends[1], high, values))

    def _lowest(self, k: int, low: float, high: float) -> float:
        """The t in [low, high] where φ_k is lowest: in a convex stretch, or at an end."""
        a, b = float(self.curvature[k]), float(self.height[k])
        c, p = float(self.centre[k]), float(self.phase[k])
        if b == 0.0 or self.waves == 0.0:
            return min(max(c, low), high)
        if p == c and low <= c <= high:
            return c  # the bottom of both, exactly
        left, right = self.stretches(k, low, high)
        candidates = np.concatenate([root(lambda t: self.slope(k, t), left, right), [low, high]])
        omega = 2.0 * math.pi * self.waves
        value = a * (candidates - c) ** 2 + b * (1.0 - np.cos(omega * (candidates - p)))
        return float(candidates[np.argmin(value)])

    def slope(self, k: int, t: Floats) -> Floats:
        """Return φ_k' (n,) at the coordinates (n,)."""
        omega = 2.0 * math.pi * self.waves
        ripple = self.height[k] * omega * np.sin(omega * (t - self.phase[k]))
        return np.asarray(2.0 * self.curvature[k] * (t - self.centre[k]) + ripple)

    def stretches(self, k: int, low: float, high: float) -> tuple[Floats, Floats]:
        """Return the ends (m,), (m,) of the stretches of [low, high] where φ_k is convex.

        φ'' > 0 where cos > −2a / (b ω²): within some reach of the bottoms of the ripples.
        """
        omega, p = 2.0 * math.pi * self.waves, float(self.phase[k])
        ratio = -2.0 * float(self.curvature[k]) / (float(self.height[k]) * omega**2)
        reach = math.acos(max(ratio, -1.0)) / omega
        first = math.floor((low - p - reach) * self.waves)
        last = math.ceil((high - p + reach) * self.waves)
        bottoms = p + np.arange(first, last + 1) / self.waves
        return np.clip(bottoms - reach, low, high), np.clip(bottoms + reach, low, high)

    def plus(self, other: Term) -> Term | None:
        """The sum of parabolas is a parabola, and of ripples of one length a ripple."""
        if not isinstance(other, Valleys) or not self._alike(other):
            return None
        a = self.curvature + other.curvature
        centre = (self.curvature * self.centre + other.curvature * other.centre) / a
        waves = self.waves or other.waves
        ripple = self._phasor(waves) + other._phasor(waves)
        if waves == 0.0:
            return Valleys(a, centre, np.zeros_like(a), centre, axis=self.axis)
        phase = np.angle(ripple) / (2.0 * math.pi * waves)
        return Valleys(a, centre, np.abs(ripple), phase, waves, self.axis)

    def only(self, k: int) -> Valleys:
        """Return one component by itself."""
        a, c, b, p = (v[[k]] for v in (self.curvature, self.centre, self.height, self.phase))
        return Valleys(a, c, b, p, self.waves, self.axis)

    def _alike(self, other: Valleys) -> bool:
        """Whether the two have the same coordinate and the same length of ripples."""
        rippled = {term.waves for term in (self, other) if term.waves and term.height.any()}
        return len(rippled) < 2 and scale(self.axis) == scale(other.axis)

    def _phasor(self, waves: float) -> np.ndarray[tuple[int], np.dtype[np.complex128]]:
        if not self.height.any() or not self.waves:
            return np.zeros(len(self.height), dtype=complex)
        return np.asarray(self.height * np.exp(2j * math.pi * waves * self.phase))


def root(slope: Callable[[Floats], Floats], left: Floats, right: Floats) -> Floats:
    """Return the zero of a rising function on each [left, right], or the nearer end: bisection."""
    left, right = left.copy(), right.copy()
    for _ in range(60):
        middle = (left + right) / 2.0
        rising = slope(middle) > 0.0
        right, left = np.where(rising, middle, right), np.where(rising, left, middle)
    return (left + right) / 2.0


@dataclass(frozen=True, eq=False)
class Separable:
    """The components of one family: a term for each axis, in order, and the outer functions.

    ``outer`` maps the sums (n, K) to the values (n, K), each column by its own increasing g_k.
    """

    terms: tuple[Term, ...]
    outer: Callable[[Floats], Floats]
    components: int

    def __call__(self, values: Floats) -> Floats:
        """Return g_k (n, K) at the values (n, axes) of this family's own axes."""
        total = np.zeros((len(values), self.components))
        for term, column in zip(self.terms, values.T, strict=True):
            total += term(np.ascontiguousarray(column))
        return self.outer(total)


@dataclass(frozen=True, eq=False)
class Raised:
    """g_k(s) = s + o_k."""

    offsets: Floats

    def __call__(self, sums: Floats) -> Floats:
        """Return g (n, K) of the sums (n, K)."""
        return sums + self.offsets


@dataclass(frozen=True, eq=False)
class Lowest:
    """Where each component (K,) of a family is lowest in a box, and its value there.

    ``below`` are certified bounds under the lowest values: equal to them where these are exact.
    """

    points: Floats  # (K, axes)
    values: Floats  # (K,)
    below: Floats  # (K,)


@dataclass(frozen=True, eq=False)
class MinOfSeparables:
    """The theorem over a space: one ``Separable`` for each of its families."""

    space: Space
    families: tuple[Separable, ...]

    @cached_property
    def _first(self) -> Ints:
        """The number of the first component of each family; components are counted through."""
        sizes = [family.components for family in self.families]
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,)."""
        return self._by_blocks(points)[0]

    def labels(self, points: Points) -> Ints:
        """Return the number (n,) of the component that is lowest at each point."""
        return self._by_blocks(points)[1]

    def _by_blocks(self, points: Points) -> tuple[Floats, Ints]:
        values, labels = np.empty(len(points)), np.empty(len(points), dtype=np.int64)
        for start in range(0, len(points), BLOCK):
            block = slice(start, start + BLOCK)
            values[block], labels[block] = self._block(points.family[block], points.values[block])
        return values, labels

    def _block(self, family: Ints, values: Floats) -> tuple[Floats, Ints]:
        lowest, labels = np.empty(len(family)), np.empty(len(family), dtype=np.int64)
        for index, separable in enumerate(self.families):
            rows = np.flatnonzero(family == index)
            columns = [column for column, _ in self.space.places(index)]
            components = separable(values[rows][:, columns])
            best = np.argmin(components, axis=1)
            lowest[rows] = components[np.arange(len(rows)), best]
            labels[rows] = best + self._first[index]
        return lowest, labels

    def minima(self) -> tuple[Points, Floats, Ints]:
        """Return the components' minimisers where they are active: points, values, numbers (m,).

        Best first. A component whose own minimiser lies under another one is dominated, and has
        no minimum of its own.
        """
        points, numbers = [], []
        for index, family in enumerate(self.space.families):
            lowest = self.in_box(Box(family.name))
            if lowest is not None:  # a whole family is never empty
                points.append(self.points(index, lowest.points))
                numbers.append(np.arange(len(lowest.points)) + self._first[index])
        every, number = Points.concatenate(points), np.concatenate(numbers)
        values, labels = self._by_blocks(every)
        kept = np.flatnonzero(labels == number)
        kept = kept[np.argsort(values[kept], kind="stable")]
        return every[kept], values[kept], number[kept]

    def lowest(
        self, region: Region, truth: Callable[[Points], Floats] | None = None
    ) -> Optimum | Bounds:
        """Return the exact optimum inside a region of the space.

        ``truth`` evaluates its point, where a landscape has a kernel that rounds differently.
        There are bounds instead where continuous axes whose terms have no common minimum in
        closed form are tied, or where branch and bound was given up.
        """
        best: Optimum | None = None
        below = math.inf
        for box in region:
            found = self.in_box(box)
            if found is None:
                continue
            k = int(np.argmin(found.values))
            below = min(below, float(found.below.min()))
            if best is None or found.values[k] < best.value:
                index = self.space.index(box.family)
                best = Optimum(float(found.values[k]), self.points(index, found.points[[k]]))
        if best is None:
            return NOWHERE
        exact = best.value - below <= EXACT * max(1.0, abs(best.value))
        how = "the axes' terms bounded one by one, and the best point that was found"
        if not exact:
            return Bounds(below, best.value, how)
        return best if truth is None else Optimum(float(truth(best.point)[0]), best.point)

    def points(self, family: int, values: Floats) -> Points:
        """Return values (n, axes) of one family's own axes as points of the space."""
        table = np.full((len(values), self.space.width), np.nan)
        table[:, [column for column, _ in self.space.places(family)]] = values
        return Points(self.space, np.full(len(values), family, dtype=np.int64), table)

    def in_box(self, box: Box) -> Lowest | None:
        """Return where each component is lowest in a box; None where the box is empty."""
        index = self.space.index(box.family)
        separable = self.families[index]
        points = np.empty((separable.components, len(separable.terms)))
        below = np.zeros(separable.components)
        for columns, common in groups(self.space, box):
            if not isinstance(common, Interval) and not len(common):
                return None
            terms = [separable.terms[i] for i in columns]
            found, least = _lowest_on(terms, common)
            points[:, columns] = found[:, None]
            below += least
        values = np.diag(separable(points))
        return Lowest(points, values, np.minimum(values, separable.outer(below[None])[0]))


Common = Interval | Floats  # a continuum, or finitely many values (n,), perhaps none


def groups(space: Space, box: Box) -> list[tuple[list[int], Common]]:
    """Return the groups of axes of a box that share one value, with the values it may have.

    Axes are given by their index in the family.
    """
    family = space.family(box.family)
    sets, index = box.full(family), {axis.name: i for i, axis in enumerate(family.axes)}
    parts = [{index[axis.name]} for axis in family.axes]
    for tie in box.ties:  # ties that overlap make one group
        tied = {index[name] for name in tie}
        parts = [p for p in parts if not p & tied] + [set().union(*[p for p in parts if p & tied])]
    found = []
    for part in parts:
        axes = [family.axes[i] for i in sorted(part)]
        found.append((sorted(part), _common(axes, [sets[axis.name] for axis in axes])))
    return found


def _common(axes: list[Axis], sets: list[AxisSet]) -> Common:
    """The values that lie on all axes and in all sets."""
    within: AxisSet | None = whole_axis(axes[0])
    for one in [*sets, *[whole_axis(axis) for axis in axes[1:]]]:
        within = None if within is None else intersect_sets(within, one)
    if within is None:
        return np.empty(0)
    finite = [v for v in (axis_values(axis, within) for axis in axes) if v is not None]
    if not finite and isinstance(within, Interval):
        return within
    values = finite[0]
    for axis in axes:
        values = values[axis.contains(values)]
    return values


def _lowest_on(terms: list[Term], common: Common) -> tuple[Floats, Floats]:
    """Where (K,) the sum of the tied terms is lowest, and bounds below it (K,)."""
    if not isinstance(common, Interval):
        return _lowest_among(terms, common)
    together: Term | None = terms[0]
    for term in terms[1:]:
        together = None if together is None else together.plus(term)
    if together is not None:
        x, least = together.minimum(common.low, common.high)
        gap = diagonal(together, x) - least  # a sum is known but for a constant
        return x, np.sum([diagonal(term, x) for term in terms], axis=0) - gap
    # the best of 1,001 values that the axes have in common, and each axis by itself
    found, _ = _lowest_among(terms, np.linspace(common.low, common.high, 1001))
    apart = [term.minimum(common.low, common.high)[1] for term in terms]
    return found, np.sum(apart, axis=0)


def _lowest_among(terms: list[Term], values: Floats) -> tuple[Floats, Floats]:
    total = terms[0](values)
    for term in terms[1:]:
        total = total + term(values)
    return values[np.argmin(total, axis=0)], total.min(axis=0)


def filled(points: Points, kernel: Callable[[Floats, Floats, Ints], None]) -> tuple[Floats, Ints]:
    """Return the values and labels (n,) that ``kernel(points, values, labels)`` writes."""
    given = np.ascontiguousarray(points.values)
    values, labels = np.empty(len(given)), np.empty(len(given), dtype=np.int64)
    shared(len(given), lambda a, b: kernel(given[a:b], values[a:b], labels[a:b]))
    return values, labels


def diagonal(term: Term, values: Floats) -> Floats:
    """Return φ_k (K,) of each component at a value (K,) of its own."""
    return np.diag(term(values)).copy()


def scale(axis: Axis | None) -> tuple[float, float, bool] | None:
    """Return what makes two axes have equal unit coordinates at equal values."""
    return (axis.low, axis.high, axis.log) if isinstance(axis, Real) else None

"""What is known of the BBOB functions in a region without x_opt: certified, exact where it can be.

f21 and f22 are exact everywhere: the highest of rotated Gaussians is the lowest of quadratic bowls.
The others are enclosed by interval arithmetic (Moore, Kearfott & Cloud 2009, "Introduction to
interval analysis", ch. 5: natural extensions, every formula of ``_bbob_instance.Instance`` over
boxes instead of points) and bounded by branch and bound on them, where at most ``FREE``
coordinates are free; f_opt is a bound everywhere.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hpo_lab.landscape import Bounds, Optimum
from hpo_lab.region import Interval, Region
from hpo_lab.space import Floats
from landscapes._bbob_instance import MU, SCHWEFEL, Instance
from landscapes._nearest import Bowl, Group, Nearest, nearest
from landscapes._separable import NOWHERE, Common, groups

if TYPE_CHECKING:
    from landscapes.bbob import Bbob

FREE = 4  # free coordinates up to which boxes are worth splitting
BOXES = 16_384  # boxes bounded in all
ROUND = 256  # boxes split at a time
CORNERS = 1024  # combinations of listed values that are boxes of their own
CLOSE = 1e-10  # a gap below this, relative to the value, is an exact optimum
ROUNDING = 1e-11  # relative slack for what the enclosures' own sums may be off by
SEEN = 256  # points that give an upper bound to start from

Parts = list[tuple[list[int], Common]]


def bounds(landscape: Bbob, region: Region) -> Optimum | Bounds:
    """Return the exact optimum inside a region where it is known, certified bounds elsewhere."""
    found = [_in_box(landscape, parts) for parts in _boxes(landscape, region)]
    if not found:
        return NOWHERE
    best = min(found, key=lambda one: one.high)
    low, value = min(one.low for one in found), _value(landscape, best.place)
    if value - low <= CLOSE * max(1.0, abs(value)):
        return Optimum(value, landscape.universe.points(best.place))
    return Bounds(low, value, best.how)


@dataclass(frozen=True, eq=False)
class _Found:
    """Bounds on the lowest value in a box, the upper one at a place (d,)."""

    low: float
    high: float
    place: Floats
    how: str


def _boxes(landscape: Bbob, region: Region) -> list[Parts]:
    """The boxes of a region that are not empty, as groups of axes with common values."""
    found = [groups(landscape.universe, box) for box in region]
    return [
        parts
        for parts in found
        if all(isinstance(common, Interval) or len(common) for _, common in parts)
    ]


def _value(landscape: Bbob, place: Floats) -> float:
    return float(landscape.evaluate(landscape.universe.points(place))[0])


def _in_box(landscape: Bbob, parts: Parts) -> _Found:
    if len(landscape.made_of.weights):
        return _in_bowls(landscape, parts)
    return _Search(landscape, parts).found()


def _in_bowls(landscape: Bbob, parts: Parts) -> _Found:
    """f21 and f22: T_osz(10 − max_k w_k exp(−q_k))² falls with max_k, so q_k − ln w_k is enough."""
    made = landscape.made_of
    bowls = []
    for centre, curvature, weight in zip(made.centres, made.curvature, made.weights, strict=True):
        factor = np.sqrt(curvature / (2.0 * made.dimension))[:, None] * made.first
        bowls.append(Bowl(factor, np.linalg.solve(made.first, centre), -math.log(weight)))
    sides = [Group.of(tuple(columns), common) for columns, common in parts]
    lowest: Nearest = nearest(bowls, sides)
    value = _value(landscape, lowest.place)
    if lowest.exact:
        return _Found(value, value, lowest.place, "exact")
    below = 10.0 - np.exp(-np.array([lowest.below]))
    low = float(made.f_opt + oscillated(below)[0] ** 2)
    return _Found(low, value, lowest.place, "branch and bound on quadratic bowls")


# --- branch and bound ----------------------------------------------------------------------------


class _Search:
    """Branch and bound over one box: the box with the least bound is split first."""

    def __init__(self, landscape: Bbob, parts: Parts) -> None:
        self.landscape, self.parts = landscape, parts
        self.enclosure = Enclosure(landscape.made_of)
        d = landscape.dimension
        self.member = np.zeros((len(parts), d))
        for row, (columns, _) in enumerate(parts):
            self.member[row, columns] = 1.0
        self.place, self.high = self._seen()

    def found(self) -> _Found:
        """Bounds, and where the upper one was seen."""
        f_opt = self.landscape.made_of.f_opt
        start = self._first()
        if start is None:
            how = f"the optimum of the universe, and the best of {SEEN} points"
            return _Found(f_opt, self.high, self.place, how)
        low, count = self._split(*start)
        self._descend()
        how = f"interval branch and bound over {count:,} boxes"
        return _Found(max(min(low, self.high), f_opt), self.high, self.place, how)

    def _first(self) -> tuple[Floats, Floats] | None:
        """The boxes to begin with, low and high (n, groups); None where it is not worth it."""
        free = [isinstance(c, Interval) and c.low < c.high for _, c in self.parts]
        listed = [[c.low] if isinstance(c, Interval) else c.tolist() for _, c in self.parts]
        if sum(free) > FREE or math.prod(len(one) for one in listed) > CORNERS:
            return None
        low = np.array(list(itertools.product(*listed)), dtype=float)
        ends = [c.high if isinstance(c, Interval) else -math.inf for _, c in self.parts]
        return low, np.maximum(low, np.array(ends))

    def _split(self, low: Floats, high: Floats) -> tuple[float, int]:
        """The least bound on what is left when no box can improve, or too many were looked at."""
        heap: list[tuple[float, int, Floats, Floats]] = []
        number, count = itertools.count(), len(low)
        closed = math.inf
        while True:
            below = self._below(low, high)
            self._look((low + high) / 2.0)
            for bound, a, b in zip(below.tolist(), low, high, strict=True):
                if bound >= self._enough or (a == b).all():
                    closed = min(closed, bound)
                else:
                    heapq.heappush(heap, (bound, next(number), a, b))
            if not heap or count >= BOXES or heap[0][0] >= self._enough:
                return min(closed, heap[0][0] if heap else math.inf), count
            taken = [heapq.heappop(heap) for _ in range(min(ROUND, len(heap)))]
            low, high = _halved(np.array([t[2] for t in taken]), np.array([t[3] for t in taken]))
            count += len(low)

    @property
    def _enough(self) -> float:
        """A bound from which on a box cannot hold a lower value that matters."""
        return self.high - CLOSE / 10.0 * max(1.0, abs(self.high))

    def _below(self, low: Floats, high: Floats) -> Floats:
        return self.enclosure.below(low @ self.member, high @ self.member)

    def _look(self, at: Floats) -> None:
        """Evaluate places of groups (n, groups); keep the best."""
        points = self.landscape.universe.points(at @ self.member)
        values = self.landscape.evaluate(points)
        best = int(np.argmin(values))
        if values[best] < self.high:
            self.high, self.place = float(values[best]), points.values[best]

    def _seen(self) -> tuple[Floats, float]:
        self.high, self.place = math.inf, np.zeros(0)
        rng = np.random.default_rng(0)
        at = np.empty((SEEN, len(self.parts)))
        for row, (_, common) in enumerate(self.parts):
            if isinstance(common, Interval):
                at[:, row] = common.low + (common.high - common.low) * rng.random(SEEN)
            else:
                at[:, row] = rng.choice(common, SEEN)
        self._look(at)
        return self.place, self.high

    def _descend(self) -> None:
        """One descent from the best place, along the continuous groups."""
        from scipy.optimize import minimize

        free = [i for i, (_, c) in enumerate(self.parts) if isinstance(c, Interval)]
        if not free:
            return
        columns = [self.parts[i][0][0] for i in range(len(self.parts))]
        start = self.place[columns]
        ends = [self.parts[i][1] for i in free]

        def value(x: Floats) -> float:
            at = start.copy()
            at[free] = x
            return _value(self.landscape, at @ self.member)

        bounds = [(c.low, c.high) for c in ends if isinstance(c, Interval)]
        found = minimize(value, start[free], method="L-BFGS-B", bounds=bounds)
        at = start.copy()
        at[free] = np.clip(found.x, [b[0] for b in bounds], [b[1] for b in bounds])
        self._look(at[None])


def _halved(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Both halves of each box along its widest side."""
    rows, side = np.arange(len(low)), np.argmax(high - low, axis=1)
    middle = (low[rows, side] + high[rows, side]) / 2.0
    left, right = high.copy(), low.copy()
    left[rows, side] = right[rows, side] = middle
    return np.concatenate([low, right]), np.concatenate([left, high])


# --- interval arithmetic -------------------------------------------------------------------------

Span = tuple[Floats, Floats]  # low and high, of one shape


def oscillated(x: Floats) -> Floats:
    """T_osz of the report, increasing."""
    size = np.log(np.where(x == 0.0, 1.0, np.abs(x)))
    fast = np.where(x > 0.0, 10.0, 5.5) * size
    slow = np.where(x > 0.0, 7.9, 3.1) * size
    return np.asarray(np.sign(x) * np.exp(size + 0.049 * (np.sin(fast) + np.sin(slow))))


def asymmetric(x: Floats, beta: float) -> Floats:
    """T_asy^β of the report along the last axis, increasing."""
    share = beta * np.linspace(0.0, 1.0, x.shape[-1])
    raised = np.maximum(x, 0.0)
    return np.where(x > 0.0, raised ** (1.0 + share * np.sqrt(raised)), x)


def _each(rising: Callable[[Floats], Floats], x: Span) -> Span:
    """An increasing function of a span."""
    return rising(x[0]), rising(x[1])


def _plus(x: Span, by: Floats | float) -> Span:
    return x[0] + by, x[1] + by


def _times(x: Span, by: Floats | float) -> Span:
    a, b = x[0] * by, x[1] * by
    return np.minimum(a, b), np.maximum(a, b)


def _sum(*spans: Span) -> Span:
    return (
        np.asarray(sum(span[0] for span in spans)),
        np.asarray(sum(span[1] for span in spans)),
    )


def _product(x: Span, y: Span) -> Span:
    every = np.stack([x[i] * y[j] for i in (0, 1) for j in (0, 1)])
    return every.min(axis=0), every.max(axis=0)


def _turned(matrix: Floats, x: Span) -> Span:
    """A x by its middle and radius, with what rounding may do to the sums."""
    middle, radius = (x[0] + x[1]) / 2.0, (x[1] - x[0]) / 2.0
    size = np.abs(matrix).T
    reach = radius @ size + 1e-15 * len(matrix) * (np.abs(middle) @ size)
    centre = middle @ matrix.T
    return centre - reach, centre + reach


def _size(x: Span) -> Span:
    """|x|"""
    across = (x[0] <= 0.0) & (x[1] >= 0.0)
    a, b = np.abs(x[0]), np.abs(x[1])
    return np.where(across, 0.0, np.minimum(a, b)), np.maximum(a, b)


def _square(x: Span) -> Span:
    return _each(np.square, _size(x))


def _cosine(x: Span) -> Span:
    """cos x: 1 where the span has an even multiple of π, −1 where it has an odd one."""
    low, high = np.minimum(np.cos(x[0]), np.cos(x[1])), np.maximum(np.cos(x[0]), np.cos(x[1]))
    turn, slack = 2.0 * math.pi, 1e-9 * np.maximum(1.0, np.abs(x[1]))
    top = np.floor((x[1] + slack) / turn) >= np.ceil((x[0] - slack) / turn)
    bottom = np.floor((x[1] + slack) / turn - 0.5) >= np.ceil((x[0] - slack) / turn - 0.5)
    return np.where(bottom, -1.0, low), np.where(top, 1.0, high)


def _sine(x: Span) -> Span:
    return _cosine(_plus(x, -math.pi / 2.0))


def _to_nearest(x: Span) -> Span:
    """The distance |x − round(x)|, at most 1/2."""
    slack = 1e-12 * np.maximum(1.0, np.abs(x[1]))
    a, b = np.abs(x[0] - np.round(x[0])), np.abs(x[1] - np.round(x[1]))
    whole = np.floor(x[1] + slack) >= np.ceil(x[0] - slack)
    half = np.floor(x[1] - 0.5 + slack) >= np.ceil(x[0] - 0.5 - slack)
    return np.where(whole, 0.0, np.minimum(a, b)), np.where(half, 0.5, np.maximum(a, b))


def _total(x: Span) -> Span:
    return x[0].sum(axis=-1), x[1].sum(axis=-1)


@dataclass(frozen=True, eq=False)
class Enclosure:
    """The values of one instance over boxes inside the universe: f_opt and more, from below."""

    made: Instance

    def below(self, low: Floats, high: Floats) -> Floats:
        """Return a bound (n,) on f from below over each of the boxes [low, high] (n, d)."""
        kind = FORMULAS[self.made.function]
        bound = kind(self, (low, high))[0]
        return self.made.f_opt + np.maximum(bound - ROUNDING * np.maximum(1.0, np.abs(bound)), 0.0)

    @property
    def d(self) -> int:
        return self.made.dimension

    @cached_property
    def _lowest_wave(self) -> float:
        return sum(0.5**k * math.cos(math.pi * 3.0**k) for k in range(12))

    def _moved(self, x: Span) -> Span:
        return _plus(x, -self.made.shift)

    def _first(self, x: Span) -> Span:
        return _turned(self.made.first, self._moved(x))

    def sphere(self, x: Span) -> Span:
        return _total(_square(self._moved(x)))

    def ellipsoid(self, x: Span) -> Span:
        return _total(_times(_square(_each(oscillated, self._moved(x))), self.made.scale))

    def _rastrigin(self, z: Span) -> Span:
        ripples = _times(_total(_cosine(_times(z, 2.0 * math.pi))), -10.0)
        return _plus(_sum(ripples, _total(_square(z))), 10.0 * self.d)

    def separable_rastrigin(self, x: Span) -> Span:
        z = _each(lambda v: asymmetric(oscillated(v), 0.2), self._moved(x))
        return self._rastrigin(_times(z, self.made.scale))

    def bueche_rastrigin(self, x: Span) -> Span:
        def scaled(s: Floats) -> Floats:
            odd = np.arange(self.d) % 2 == 0  # axes 1, 3, …
            factor = np.where((s > 0.0) & odd, 10.0 * self.made.scale, self.made.scale)
            return np.asarray(factor * oscillated(s))

        return self._rastrigin(_each(scaled, self._moved(x)))

    def linear_slope(self, x: Span) -> Span:
        c = self.made.scale
        return _plus(_total(_times(x, -c)), float(5.0 * np.abs(c).sum()))

    def attractive_sector(self, x: Span) -> Span:
        low, high = _times(self._first(x), self.made.sign)
        ahead = np.maximum(low, 0.0), np.maximum(high, 0.0)
        behind = np.maximum(-high, 0.0), np.maximum(-low, 0.0)
        squares = tuple(np.maximum(1e4 * p**2, n**2) for p, n in zip(ahead, behind, strict=True))
        return _each(lambda v: oscillated(v) ** 0.9, _total((squares[0], squares[1])))

    def step_ellipsoid(self, x: Span) -> Span:
        z = self._first(x)
        steps = _turned(self.made.second, _each(_stepped, z))
        first, total = _size(z), _total(_times(_square(steps), self.made.scale))
        low, high = (np.maximum(first[i][..., 0] / 1e4, total[i]) for i in (0, 1))
        return 0.1 * low, 0.1 * high

    def _bananas(self, z: Span) -> tuple[Span, Span]:
        """z_i² − z_{i+1} and z_i − 1, for i < d."""
        before, after = (z[0][..., :-1], z[1][..., :-1]), (z[0][..., 1:], z[1][..., 1:])
        square = _square(before)
        return (square[0] - after[1], square[1] - after[0]), _plus(before, -1.0)

    def _rosenbrock(self, z: Span) -> Span:
        across, along = self._bananas(z)
        return _sum(_times(_total(_square(across)), 100.0), _total(_square(along)))

    def rosenbrock(self, x: Span) -> Span:
        return self._rosenbrock(_plus(_times(self._moved(x), self.made.scale), 1.0))

    def rotated_rosenbrock(self, x: Span) -> Span:
        return self._rosenbrock(_plus(_turned(self.made.first, x), 0.5))

    def rotated_ellipsoid(self, x: Span) -> Span:
        return _total(_times(_square(_each(oscillated, self._first(x))), self.made.scale))

    def bent_cigar(self, x: Span) -> Span:
        z = _turned(self.made.second, _each(lambda v: asymmetric(v, 0.5), self._first(x)))
        return _total(_times(_square(z), _cigar(self.d)))

    def sharp_ridge(self, x: Span) -> Span:
        squares = _square(self._first(x))
        rest = _each(np.sqrt, _total((squares[0][..., 1:], squares[1][..., 1:])))
        return _sum((squares[0][..., 0], squares[1][..., 0]), _times(rest, 100.0))

    def different_powers(self, x: Span) -> Span:
        z = _size(self._first(x))
        return _each(np.sqrt, _total(_each(lambda v: v**self.made.scale, z)))

    def rotated_rastrigin(self, x: Span) -> Span:
        z = _each(lambda v: asymmetric(oscillated(v), 0.2), self._first(x))
        return self._rastrigin(_turned(self.made.second, z))

    def weierstrass(self, x: Span) -> Span:
        z = _plus(_turned(self.made.second, _each(oscillated, self._first(x))), 0.5)
        waves = [_times(_cosine(_times(z, 2.0 * math.pi * 3.0**k)), 0.5**k) for k in range(12)]
        mean = _times(_total(_sum(*waves)), 1.0 / self.d)
        return _each(lambda v: 10.0 * v**3, _plus(mean, -self._lowest_wave))

    def schaffers(self, x: Span) -> Span:
        z = _turned(self.made.second, _each(lambda v: asymmetric(v, 0.5), self._first(x)))
        squares = _square(z)
        u = _each(np.sqrt, _sum(*_pairs(squares)))
        waves = _square(_sine(_times(_each(lambda v: v**0.2, u), 50.0)))
        terms = _product(_each(np.sqrt, u), _plus(waves, 1.0))
        return _square(_times(_total(terms), 1.0 / (self.d - 1.0)))

    def griewank_rosenbrock(self, x: Span) -> Span:
        across, along = self._bananas(_plus(_turned(self.made.first, x), 0.5))
        r = _sum(_times(_square(across), 100.0), _square(along))
        waves = _times(_cosine(r), -1.0)
        total = _total(_sum(_times(r, 1.0 / 4000.0), waves))
        return _plus(_times(total, 10.0 / (self.d - 1.0)), 10.0)

    def schwefel(self, x: Span) -> Span:
        moved = _times(x, 2.0 * self.made.sign)
        share = (np.roll(moved[0], 1, axis=-1), np.roll(moved[1], 1, axis=-1))
        before = _times(_plus(share, -SCHWEFEL), np.append(0.0, np.full(self.d - 1, 0.25)))
        y = _sum(moved, before)
        z = _times(_plus(_times(_plus(y, -SCHWEFEL), self.made.scale), SCHWEFEL), 100.0)
        beyond = _square(_each(lambda v: np.maximum(v - 500.0, 0.0), _size(z)))
        waves = _total(_product(z, _sine(_each(np.sqrt, _size(z)))))
        mean = _plus(_times(waves, -1.0 / self.d), 418.9828872724339)
        return _times(_sum(mean, _total(beyond)), 0.01)

    def katsuura(self, x: Span) -> Span:
        z = self._first(x)
        terms = [_times(_to_nearest(_times(z, 2.0**j)), 0.5**j) for j in range(1, 33)]
        number = np.arange(1.0, self.d + 1.0)
        factors = _plus(_times(_sum(*terms), number), 1.0)
        power = 10.0 / self.d**1.2
        product = _each(lambda v: v.prod(axis=-1) ** power, factors)
        return _times(_plus(product, -1.0), 10.0 / self.d**2)

    def lunacek(self, x: Span) -> Span:
        c = self.made.scale
        moved = _times(x, 2.0 * self.made.sign)
        near = _total(_square(_plus(moved, -MU)))
        far = _plus(_times(_total(_square(_plus(moved, -c[1]))), c[0]), float(self.d))
        bowl = np.minimum(near[0], far[0]), np.minimum(near[1], far[1])
        z = _turned(self.made.second @ self.made.first, _plus(moved, -MU))
        waves = _times(_total(_cosine(_times(z, 2.0 * math.pi))), -10.0)
        return _plus(_sum(bowl, waves), 10.0 * self.d)


def _pairs(squares: Span) -> Sequence[Span]:
    return (
        (squares[0][..., :-1], squares[1][..., :-1]),
        (squares[0][..., 1:], squares[1][..., 1:]),
    )


def _cigar(d: int) -> Floats:
    return np.append(1.0, np.full(d - 1, 1e6))


def _stepped(z: Floats) -> Floats:
    """Rounded to tenths up to 1/2, to whole numbers beyond: increasing."""
    return np.where(np.abs(z) > 0.5, np.floor(z + 0.5), np.floor(10.0 * z + 0.5) / 10.0)


FORMULAS: dict[int, Callable[[Enclosure, Span], Span]] = {
    1: Enclosure.sphere,
    2: Enclosure.ellipsoid,
    3: Enclosure.separable_rastrigin,
    4: Enclosure.bueche_rastrigin,
    5: Enclosure.linear_slope,
    6: Enclosure.attractive_sector,
    7: Enclosure.step_ellipsoid,
    8: Enclosure.rosenbrock,
    9: Enclosure.rotated_rosenbrock,
    10: Enclosure.rotated_ellipsoid,
    11: Enclosure.rotated_ellipsoid,
    12: Enclosure.bent_cigar,
    13: Enclosure.sharp_ridge,
    14: Enclosure.different_powers,
    15: Enclosure.rotated_rastrigin,
    16: Enclosure.weierstrass,
    17: Enclosure.schaffers,
    18: Enclosure.schaffers,
    19: Enclosure.griewank_rosenbrock,
    20: Enclosure.schwefel,
    23: Enclosure.katsuura,
    24: Enclosure.lunacek,
}

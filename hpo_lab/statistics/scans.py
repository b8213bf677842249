"""Scans: the box in which visits are rarest, beside how many uniform search would have made there.

A box B is a product of one set an axis. With N visits in all, n(B) of them inside and mass μ(B)
inside, the log likelihood ratio of Poisson visits at a share ρ of their fair density against the
fair density is

    score(B) = (1 − ρ) N μ(B) − ln(1/ρ) n(B) − price · edges(B)

with a price on each edge so that a box names no more axes than it needs. It is a sum over points:
whatever the other axes say, the best interval of an axis is a maximal subarray and the best set of
options those that add to the sum, both exact. Climbs go from axis to axis; they start from single
axes, from peeling and from random boxes. At ρ = 0 a visit costs everything: the largest empty box.

Sources: Friedman and Fisher 1999 (PRIM: peeling); Kulldorff 1997 (the scan by likelihood ratio);
Bentley 1984 (maximal subarrays); Neill 2012 (subsets of options in the order of their gains).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpo_lab.statistics._arrays import Bools, Floats, Ints

PEEL = 0.1  # share of the box that one step of peeling takes away
SWEEPS = 30  # climbs settle after three or four
LEAST = 2.0  # expected visits of the smallest box that peeling gets to
HALF = 0.5  # of the fair density: what overlaps a sparse region only in part has so much
CLIMBS = 8  # of many boxes, these are climbed from


@dataclass(frozen=True, slots=True)
class Between:
    """Unit coordinates strictly between two visits; an infinite bound is the end of the axis."""

    low: float = -math.inf
    high: float = math.inf

    @property
    def mass(self) -> float:
        return max(min(self.high, 1.0) - max(self.low, 0.0), 0.0)

    @property
    def edges(self) -> int:
        return int(self.low > -math.inf) + int(self.high < math.inf)


@dataclass(frozen=True, eq=False)
class Continuum:
    """An axis of unit coordinates ``at`` (n,) under the uniform measure on [0, 1]."""

    at: Floats

    @cached_property
    def order(self) -> Ints:
        return np.argsort(self.at, kind="stable")

    @property
    def everything(self) -> Between:
        return Between()

    def holds(self, side: Between) -> Bools:
        """Which points (n,) lie in a side of a box."""
        return np.asarray((self.at > side.low) & (self.at < side.high))

    def best(self, inside: Bools, gain: float, cost: float, price: float) -> tuple[Between, float]:
        """The best interval for the points inside the other sides, and its score."""
        visits = self.at[self.order[inside[self.order]]]
        stops = np.concatenate([[0.0], visits, [1.0]])
        potential = gain * stops - cost * np.arange(len(stops))  # score of (i, j): P_j − P_i + cost
        start, lowest = _running_least(potential[1:])
        found = [(0, len(stops) - 1, 0.0)]
        if len(visits):
            found.append((0, 1 + int(np.argmax(potential[1:-1])), price))
            found.append((1 + int(np.argmin(potential[1:-1])), len(stops) - 1, price))
            if len(visits) > 1:
                rise = potential[2:-1] - lowest[:-2]
                end = int(np.argmax(rise))
                found.append((1 + int(start[end]), 2 + end, 2 * price))
        scores = [float(potential[j] - potential[i] + cost - edges) for i, j, edges in found]
        i, j, _ = found[int(np.argmax(scores))]
        low = -math.inf if i == 0 else float(stops[i])
        high = math.inf if j == len(stops) - 1 else float(stops[j])
        return Between(low, high), max(scores)

    def peels(self, side: Between, inside: Bools) -> list[tuple[Between, float, int]]:
        """What is left after each peel, with the mass and the visits that it takes away."""
        low, high = max(side.low, 0.0), min(side.high, 1.0)
        step = PEEL * (high - low)
        at = self.at[inside]
        return [
            (Between(low + step, side.high), step, int((at <= low + step).sum())),
            (Between(side.low, high - step), step, int((at >= high - step).sum())),
        ]

    def some(self, share: float, rng: np.random.Generator) -> Between:
        """A random interval of that mass."""
        low = rng.random() * (1 - share)
        return Between(low, low + share)


def _running_least(values: Floats) -> tuple[Ints, Floats]:
    """The least of the values so far (n,), and where it stands (n,)."""
    lowest = np.minimum.accumulate(values)
    fresh = np.concatenate([[True], values[1:] < lowest[:-1]]) if len(values) else np.empty(0, bool)
    return np.maximum.accumulate(np.where(fresh, np.arange(len(values)), 0)), lowest


@dataclass(frozen=True, slots=True, eq=False)
class Some:
    """A set of levels, as a mask (k,), with its mass and how many cuts it takes to say it."""

    mask: Bools
    mass: float
    edges: int


@dataclass(frozen=True, eq=False)
class Levels:
    """An axis of k levels of the given ``mass`` (k,); ``code`` (n,) is the level of each point.

    Sets of ``ordered`` levels are intervals.
    """

    code: Ints
    mass: Floats
    ordered: bool = False

    @property
    def everything(self) -> Some:
        return self._some(np.ones(len(self.mass), np.bool_))

    def _some(self, mask: Bools) -> Some:
        if self.ordered:
            edges = int(not mask[0]) + int(not mask[-1])
        else:
            edges = min(int(mask.sum()), int((~mask).sum()))
        return Some(mask, float(self.mass[mask].sum()), edges)

    def holds(self, side: Some) -> Bools:
        """Which points (n,) lie in a side of a box."""
        return np.asarray(side.mask[self.code])

    def best(self, inside: Bools, gain: float, cost: float, price: float) -> tuple[Some, float]:
        """The best set for the points inside the other sides, and its score."""
        visits = np.bincount(self.code[inside], minlength=len(self.mass))
        gains = gain * self.mass - cost * visits
        if not self.ordered:
            return self._best_subset(gains, price)
        sides = [self._some(mask) for mask in self._intervals(gains)]
        scores = [float(gains[side.mask].sum()) - price * side.edges for side in sides]
        best = int(np.argmax(scores))
        return sides[best], scores[best]

    def _intervals(self, gains: Floats) -> list[Bools]:
        """The best interval with no edge, with one on either side, and with two."""
        k = len(gains)
        total = np.concatenate([[0.0], np.cumsum(gains)])
        start, lowest = _running_least(total[:-1])
        end = int(np.argmax(total[1:] - lowest))
        bounds = [(0, k), (0, 1 + int(np.argmax(total[1:]))), (int(np.argmin(total[:-1])), k)]
        place = np.arange(k)
        return [(place >= i) & (place < j) for i, j in [*bounds, (int(start[end]), end + 1)]]

    def _best_subset(self, gains: Floats, price: float) -> tuple[Some, float]:
        """The levels of the largest gains, of every number of them that can be best."""
        k, order = len(gains), np.argsort(-gains, kind="stable")
        sizes = np.arange(1, k + 1)
        scores = np.cumsum(gains[order]) - price * np.minimum(sizes, k - sizes)
        best = int(np.argmax(scores))
        mask = np.zeros(k, np.bool_)
        mask[order[: best + 1]] = True
        return self._some(mask), float(scores[best])

    def peels(self, side: Some, inside: Bools) -> list[tuple[Some, float, int]]:
        """What is left after each peel, with the mass and the visits that it takes away."""
        kept = np.flatnonzero(side.mask)
        if len(kept) == 1:
            return []
        visits = np.bincount(self.code[inside], minlength=len(self.mass))
        ends = {int(kept[0]), int(kept[-1])} if self.ordered else set(kept.tolist())
        found = []
        for level in sorted(ends):
            mask = side.mask.copy()
            mask[level] = False
            found.append((self._some(mask), float(self.mass[level]), int(visits[level])))
        return found

    def some(self, share: float, rng: np.random.Generator) -> Some:
        """A random set of about that mass: at least one level."""
        k = len(self.mass)
        size = max(1, round(share * k))
        mask = np.zeros(k, np.bool_)
        if self.ordered:
            start = int(rng.integers(0, k - size + 1))
            mask[start : start + size] = True
        else:
            mask[rng.permutation(k)[:size]] = True
        return self._some(mask)


Axis = Continuum | Levels
Side = Between | Some


@dataclass(frozen=True, slots=True, eq=False)
class SparseBox:
    """A box: one side an axis; its ``mass``, the ``visits`` inside and its score."""

    sides: tuple[Side, ...]
    mass: float
    visits: int
    score: float


@dataclass(frozen=True, eq=False)
class Scan:
    """A product of axes with n points on each, and the visits that uniform search makes in all."""

    axes: tuple[Axis, ...]
    points: int
    fair: float
    price: float = 2.0

    def sparsest(self, ratio: float, *, starts: int = 300, seed: int = 0) -> SparseBox:
        """Return the box of the highest score that was found, at this share of the fair density.

        Climbs start from the axes that have most to give, from peeling, and from the best of
        ``starts`` random boxes. Raises ValueError for a ratio outside 0 .. 1.

        >>> rng = np.random.default_rng(0)
        >>> x, y = rng.random((2, 3000))
        >>> kept = ~((x < 0.4) & (y > 0.5))  # nobody came here: 20 % of the square
        >>> axes = (Continuum(x[kept]), Continuum(y[kept]))
        >>> box = Scan(axes, int(kept.sum()), float(kept.sum())).sparsest(0.1)
        >>> [round(side.mass, 2) for side in box.sides], box.visits
        ([0.4, 0.5], 0)
        """
        if not 0 <= ratio < 1:
            raise ValueError("the ratio is a share of the fair density: from 0 up to 1")
        rng = np.random.default_rng(seed)
        boxes = [self._peeled(ratio), *self._slabs(ratio)]
        for thin in self._thin(rng, starts):
            boxes += [thin, list(self._climbed(thin, max(ratio, HALF)).sides)]
        return max((self._climbed(box, ratio) for box in boxes), key=lambda box: box.score)

    def emptied(self, box: SparseBox) -> SparseBox:
        """Return the largest box without any visit that climbs reach from this one.

        Climbs begin with each of its narrowest sides.
        """
        sides = list(box.sides)
        for ratio in (0.03, 0.01):
            sides = list(self._climbed(sides, ratio).sides)
        narrow = sorted(range(len(sides)), key=lambda place: sides[place].mass)[:CLIMBS]
        turns = [self._climbed(sides, 0.0, first) for first in narrow or [0]]
        return max(turns, key=lambda found: found.score)

    @cached_property
    def _everything(self) -> list[Side]:
        return [axis.everything for axis in self.axes]

    def _cost(self, ratio: float) -> float:
        """What a visit costs; at a ratio of 0 more than all space is worth."""
        return math.log(1 / ratio) if ratio > 0 else 2 * self.fair + 1e3

    def _judged(self, sides: Sequence[Side], ratio: float) -> SparseBox:
        inside = self._inside(sides)
        visits = int(inside.sum())
        mass = math.prod(side.mass for side in sides)
        score = (1 - ratio) * self.fair * mass - self._cost(ratio) * visits
        return SparseBox(
            tuple(sides), mass, visits, score - self.price * sum(side.edges for side in sides)
        )

    def _inside(self, sides: Sequence[Side], without: int = -1) -> Bools:
        inside = np.ones(self.points, np.bool_)
        for place, (axis, side) in enumerate(zip(self.axes, sides, strict=True)):
            if place != without and side.edges:
                inside &= axis.holds(side)  # type: ignore[arg-type]
        return inside

    def _climbed(self, sides: Sequence[Side], ratio: float, first: int = 0) -> SparseBox:
        """Set one side after the other to the best there is, until nothing gets better."""
        sides, count = list(sides), len(self.axes)
        out = [~axis.holds(side) for axis, side in zip(self.axes, sides, strict=True)]  # type: ignore[arg-type]
        times_out = np.sum(out, axis=0) if out else np.zeros(self.points, np.int64)
        masses = np.array([side.mass for side in sides])
        edges = sum(side.edges for side in sides)
        cost, score = self._cost(ratio), -math.inf
        for _ in range(SWEEPS):
            before = score
            for place in (*range(first, count), *range(first)):
                axis, old = self.axes[place], sides[place]
                masses[place] = 1.0
                gain = (1 - ratio) * self.fair * float(masses.prod())
                new, own = axis.best(times_out == out[place], gain, cost, self.price)
                edges -= old.edges
                score = own - self.price * edges
                if new != old:
                    now_out = ~axis.holds(new)
                    times_out = times_out + now_out.astype(np.int64) - out[place]
                    sides[place], out[place] = new, now_out
                edges += sides[place].edges
                masses[place] = sides[place].mass
            if score <= before + 1e-9:
                break
        return self._judged(sides, ratio)

    def _peeled(self, ratio: float) -> list[Side]:
        """Peel off, again and again, where visits are densest; the best box on the way."""
        sides = list(self._everything)
        best, highest = list(sides), -math.inf
        while (mass := math.prod(side.mass for side in sides)) * self.fair > LEAST:
            inside = self._inside(sides)
            score = (1 - ratio) * self.fair * mass - self._cost(ratio) * float(inside.sum())
            if score > highest:
                best, highest = list(sides), score
            peels = [
                (visits / lost * side.mass, place, left)
                for place, (axis, side) in enumerate(zip(self.axes, sides, strict=True))
                for left, lost, visits in axis.peels(side, inside)  # type: ignore[arg-type]
            ]
            if not peels:
                break
            _, place, left = max(peels, key=lambda peel: peel[0])
            sides[place] = left
        return best

    def _slabs(self, ratio: float) -> list[list[Side]]:
        """The best box on each axis alone, of the axes where it is worth most."""
        everything = self._everything
        gain, cost = (1 - ratio) * self.fair, self._cost(ratio)
        all_points = np.ones(self.points, np.bool_)
        slabs = [everything]
        for place, axis in enumerate(self.axes):
            side, _ = axis.best(all_points, gain, cost, self.price)
            slabs.append([*everything[:place], side, *everything[place + 1 :]])
        return self._best(slabs, ratio)

    def _best(self, boxes: Iterable[list[Side]], ratio: float) -> list[list[Side]]:
        return sorted(boxes, key=lambda sides: -self._judged(sides, ratio).score)[:CLIMBS]

    def _thin(self, rng: np.random.Generator, starts: int) -> list[list[Side]]:
        """The random boxes that promise most: half of the fair density is enough."""
        return self._best((self._some(rng) for _ in range(starts)), HALF)

    def _some(self, rng: np.random.Generator) -> list[Side]:
        """A random box on up to three axes."""
        sides = list(self._everything)
        chosen = rng.permutation(len(self.axes))[: rng.integers(1, 4)]
        mass = 10.0 ** rng.uniform(-2.0, -0.5)
        for place in chosen:
            sides[place] = self.axes[place].some(mass ** (1 / len(chosen)), rng)
        return sides

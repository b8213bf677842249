"""Concatenated traps: blocks that lead away from their best state.

    f(x) = Σ over blocks of (k − h(u)),   h(u) = k if u = k, else k − 1 − u

u is the number of a block's bits that are right. Deb & Goldberg 1993, "Analyzing deception in trap
functions", FOGA 2, fully deceptive; turned over so that it is minimised. What counts as right is
all ones for instance 1 and a random string for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum
from hpo_lab.region import Box, Region
from hpo_lab.space import Floats, Ints, Points, Space
from landscapes._bits import VISITED, Cube, at, best_of, bit_space, check_bits, cube_of, target
from landscapes._separable import NOWHERE

LISTED = 16  # blocks up to which all minima are listed
HOW = "blocks minimised apart; the better of tied bits mostly right and mostly wrong"


@dataclass(frozen=True)
class Trap(Landscape):
    """n / k deceptive blocks: 2^(n/k) minima, the best of which has the smallest basin.

    The universe is n axes x1 … xn with the options 0 and 1, blocks are k in a row; values are
    0 … n, the optimum is 0. The minima are the points whose blocks are all right or all wrong.
    The basin of a block's right state is the states with at most one wrong bit, (k + 1) / 2^k of
    all (steepest descent: setting the last bit right gains most), of its wrong state all others.

    The optimum is exact in every region unless ties across blocks leave more than 20 free bits in
    blocks that hang together: then there are bounds. Minima are listed to 16 blocks; of equal ones
    that which comes first in the enumeration is first. Whatever is no option counts as a wrong
    bit (calling the landscape refuses it).

    >>> f = Trap(n=6, k=3)
    >>> f([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]])
    array([0., 1., 4.])
    >>> f.minima().values
    array([0., 1., 1., 2.])
    """

    n: int = 20
    k: int = 5
    instance: int = 1
    name: ClassVar[str] = "trap"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "bits"

    def __post_init__(self) -> None:
        check_bits(self.n)
        if not 2 <= self.k <= VISITED:
            raise InputError(f"k must be from 2 to {VISITED} bits in a block, not {self.k}")
        if self.n % self.k:
            raise InputError(f"n must be a multiple of k = {self.k}, not {self.n}")

    @property
    def universe(self) -> Space:
        """The n axes x1 … xn with the options 0 and 1."""
        return bit_space(self.n)

    def evaluate(self, points: Points) -> Floats:
        """Return the sum (n,) of the losses of the blocks."""
        total = np.zeros(len(points))
        table = _losses(np.arange(self.k + 1), self.k).astype(float)
        for right in self._right(points).T:
            total += table[right]
        return total

    def _right(self, points: Points) -> Ints:
        """How many bits of each block (n, blocks) are right."""
        right = points.values == target(self, self.n, self.instance)
        found = np.zeros((len(points), self.n // self.k), dtype=np.int64)
        for place in range(self.k):  # of a bit in its block: few long sums, not many short ones
            found += right[:, place :: self.k]
        return found

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside a region, or bounds (see the class)."""
        return best_of([_lowest_in_box(self, box) for box in region], HOW)

    def minima(self) -> Minima | None:
        """Return all minima with their basins and exact masses; None beyond 16 blocks.

        The lowest value of a basin in a region is nan where the region's optimum is only bounded.
        """
        return _minima(self) if self.n // self.k <= LISTED else None


def _losses(right: Ints, k: int) -> Ints:
    """The loss of blocks with so many right bits."""
    return np.where(right == k, 0, 1 + right)


@dataclass(frozen=True, slots=True, eq=False)
class _Cluster:
    """Blocks that hang together by tied bits, and the free bits that they read."""

    blocks: tuple[int, ...]
    bits: tuple[int, ...]


def _clusters(f: Trap, cube: Cube) -> list[_Cluster]:
    parts = [{block} for block in range(f.n // f.k)]
    for loci in cube.free:
        own = {locus // f.k for locus in loci}
        parts = [p for p in parts if not p & own] + [set().union(*[p for p in parts if p & own])]
    home = {block: number for number, part in enumerate(parts) for block in part}
    bits: list[list[int]] = [[] for _ in parts]
    for g, loci in enumerate(cube.free):
        bits[home[loci[0] // f.k]].append(g)
    return [_Cluster(tuple(sorted(p)), tuple(b)) for p, b in zip(parts, bits, strict=True)]


def _right_of_states(f: Trap, cube: Cube, blocks: Sequence[int], bits: Sequence[int]) -> Ints:
    """How many bits of each block are right, (2^bits, blocks); the first bit changes fastest."""
    goal, free = target(f, f.n, f.instance), cube.is_free
    loci = [range(block * f.k, (block + 1) * f.k) for block in blocks]
    right = np.array([[sum(cube.fixed[i] == goal[i] and not free[i] for i in own) for own in loci]])
    for g in bits:
        mine = [[i for i in cube.free[g] if i in own] for own in loci]
        one = np.array([sum(int(goal[i]) for i in own) for own in mine])
        zero = np.array([len(own) for own in mine]) - one
        right = np.concatenate([right + zero, right + one])
    return right


@lru_cache(maxsize=64)
def _lowest_in_box(f: Trap, box: Box) -> Optimum | Bounds:
    cube = cube_of(f.universe, box)
    if cube is None:
        return NOWHERE
    right = _mostly_right(f, cube)
    bits = np.array([right, 1 - right])
    below, exact = 0, True
    for cluster in _clusters(f, cube):
        if len(cluster.bits) > VISITED:
            exact = False
            below += sum(_least_apart(f, cube, block) for block in cluster.blocks)
            continue
        counts = _right_of_states(f, cube, cluster.blocks, cluster.bits)
        losses = _losses(counts, f.k).sum(axis=1)
        state = int(np.argmin(losses))
        below += int(losses[state])
        bits[:, list(cluster.bits)] = [state >> j & 1 for j in range(len(cluster.bits))]
    found = min((at(f, cube.at(row)) for row in bits), key=lambda one: one.value)
    if exact or below == found.value:
        return found
    return Bounds(float(below), found.value, HOW)


def _mostly_right(f: Trap, cube: Cube) -> Ints:
    """The value of each free bit that most of its loci need."""
    goal = target(f, f.n, f.instance)
    return np.array([goal[list(loci)].mean() >= 0.5 for loci in cube.free], dtype=np.int64)


def _least_apart(f: Trap, cube: Cube, block: int) -> int:
    """The lowest loss of one block, whatever the others need."""
    bits = [g for g, loci in enumerate(cube.free) if any(i // f.k == block for i in loci)]
    return int(_losses(_right_of_states(f, cube, [block], bits), f.k).min())


@lru_cache(maxsize=8)
def _minima(f: Trap) -> Minima:
    blocks = f.n // f.k
    goal = target(f, f.n, f.instance)
    codes = np.arange(1 << blocks)
    solved = (codes[:, None] >> np.arange(blocks)) & 1  # which blocks are right
    strings = np.where(np.repeat(solved, f.k, axis=1) == 1, goal, 1 - goal)
    order = np.lexsort((*strings.T[::-1], blocks - solved.sum(axis=1)))
    rank = np.argsort(order)
    points = f.universe.points(strings[order].astype(float))
    share = np.where(solved == 1, f.k + 1, 2**f.k - f.k - 1) / 2.0**f.k

    def labels(given: Points) -> Ints:
        right = f._right(given) >= f.k - 1
        return rank[right @ (1 << np.arange(blocks))]

    def lowest(region: Region) -> Floats:
        best = np.full(len(codes), np.inf)
        for box in region:
            cube = cube_of(f.universe, box)
            if cube is not None:
                best = np.minimum(best, _lowest_by_code(f, cube, codes))
        return best[order]

    masses = share.prod(axis=1)[order]
    return Minima(points, f.evaluate(points), labels, lowest, masses)


def _lowest_by_code(f: Trap, cube: Cube, codes: Ints) -> Floats:
    """The lowest loss in a cube of each set of blocks that end right, as codes; nan if unknown."""
    total = np.zeros(len(codes))
    for cluster in _clusters(f, cube):
        if len(cluster.bits) > VISITED:
            return np.full(len(codes), np.nan)
        right = _right_of_states(f, cube, cluster.blocks, cluster.bits)
        powers = 1 << np.arange(len(cluster.blocks))
        least = np.full(1 << len(cluster.blocks), np.inf)
        np.minimum.at(least, (right >= f.k - 1) @ powers, _losses(right, f.k).sum(axis=1))
        total += least[(codes[:, None] >> np.array(cluster.blocks) & 1) @ powers]
    return total

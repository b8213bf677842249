"""The W-model: OneMax behind layers of redundancy, neutrality, epistasis and ruggedness.

    x → without the dummies → majorities of μ bits → blocks of ν bits mixed → d, the number of
    zeros → f = r_γ(d)

Weise & Wu 2018, "Difficult features of combinatorial optimization problems and the tunable W-model
benchmark problem for simulating them", GECCO Companion; dummies as in Doerr, Ye, Horesh, Wang,
Shir & Bäck 2020, Applied Soft Computing 88. Layer by layer, on q bits y (after the majorities):

    neutrality   y_j = 1 if at least half of its μ bits are right; left-over bits are not read
    epistasis    z_i = P ⊕ y_(i+1), the last z_i = P, P the parity of the block: a bijection, which
                 turns one changed bit into almost all (the last block may be shorter)
    ruggedness   r_γ a permutation of 0 … q with r(0) = 0, γ from 0 to q(q − 1)/2

Raw permutation number g has Σ|r(i) − r(i − 1)| = q + g: its first s values alternate q, 1, q − 1,
2, …, the others follow in order, the largest of the last few moved behind them. γ runs first over
those with even s, in which r falls and rises, then, backwards, over those with odd s, in which it
leads away from 0 ever longer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum, generator
from hpo_lab.lattice import minima
from hpo_lab.region import Box, Region
from hpo_lab.space import Bools, Floats, Ints, Points, Space
from landscapes._bits import (
    VISITED,
    Cube,
    at,
    best_of,
    bit_space,
    check_bits,
    cube_of,
    lowest_by_states,
    target,
    values_of_states,
)
from landscapes._separable import NOWHERE

DRAWS = 4096  # points of a cube that are evaluated for an upper bound
HOW = "tied bits set apart; the best of 4,096 points"


@dataclass(frozen=True)
class WModel(Landscape):
    """OneMax with four dials of difficulty, and its optimum known by construction.

    The universe is n axes x1 … xn with the options 0 and 1. ``dummies`` of them, seeded, are read
    by nothing; ``mu`` bits make one by majority; ``nu`` of these are mixed; ``gamma`` is the
    number of the permutation of the values. q = (n − dummies) // mu; values are 0 … q, the
    optimum is 0. Right is 1 for instance 1; for the others it is a random string, and so are the
    dummies. With dummies = 0, mu = nu = 1 and gamma = 0 it is OneMax.

    The optimum is exact in every region without ties, and with ties up to 20 free bits; else
    it is bounded. Minima and basins are known to n = 20, by steepest descent over all states, of
    equals the first counting as lower, so that a plateau can have several minima. Whatever is no
    option counts as a wrong bit (calling the landscape refuses it).

    >>> f = WModel(n=16, mu=2, nu=4, gamma=10)
    >>> f.optimum().value, f.optimum().point.values[0].astype(int).tolist()
    (0.0, [1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0])
    """

    n: int = 16
    dummies: int = 0
    mu: int = 2
    nu: int = 4
    gamma: int = 10
    instance: int = 1
    name: ClassVar[str] = "wmodel"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        check_bits(self.n)
        if not 0 <= self.dummies < self.n:
            raise InputError(f"dummies must be from 0 to n − 1 = {self.n - 1}, not {self.dummies}")
        read = self.n - self.dummies
        if not 1 <= self.mu <= read:
            raise InputError(f"mu must be from 1 to the {read} bits that are read, not {self.mu}")
        if not 1 <= self.nu <= self._q:
            raise InputError(f"nu must be from 1 to q = {self._q} majorities, not {self.nu}")
        most = self._q * (self._q - 1) // 2
        if not 0 <= self.gamma <= most:
            raise InputError(f"gamma must be from 0 to q(q − 1)/2 = {most}, not {self.gamma}")

    @property
    def _q(self) -> int:
        """How many bits the ones of which count."""
        return (self.n - self.dummies) // self.mu

    @property
    def universe(self) -> Space:
        """The n axes x1 … xn with the options 0 and 1."""
        return bit_space(self.n)

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,)."""
        right = (points.values == target(self, self.n, self.instance)).T
        ones = np.zeros((self._q, len(points)), dtype=np.int16)
        for loci in _read(self).T:  # few long sums, not many short ones
            ones += right[loci]
        mixed = _mixed(2 * ones >= self.mu, self.nu)
        values: Floats = _permutation(self.gamma, self._q)[np.count_nonzero(~mixed, axis=0)]
        return values

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside a region, or bounds (see the class)."""
        return best_of([_lowest_in_box(self, box) for box in region], HOW)

    def minima(self) -> Minima | None:
        """Return all minima with their basins and exact masses; None where n is above 20."""
        return _minima(self) if self.n <= VISITED else None


@lru_cache(maxsize=64)
def _read(f: WModel) -> Ints:
    """The loci (q, μ) that are read, in order."""
    loci = np.arange(f.n)
    if f.dummies:
        drawn = generator(f, "dummies", f.n, f.dummies, f.instance).permutation(f.n)
        loci = np.sort(drawn[f.dummies :])
    return loci[: f._q * f.mu].reshape(f._q, f.mu)


def _mixed(y: Bools, nu: int) -> Bools:
    """The epistasis layer on bits (q, n) of n points."""
    mixed = np.empty_like(y)
    for start in range(0, len(y), nu):
        block = y[start : start + nu]
        parity = np.logical_xor.reduce(block, axis=0)
        mixed[start : start + len(block) - 1] = parity ^ block[1:]
        mixed[start + len(block) - 1] = parity
    return mixed


def _alternations(g: int, q: int) -> int:
    """How many values of raw permutation g alternate: s = 0 for g < q, then s for q − 1 − s g."""
    most = q * (q - 1) // 2
    return q - 1 - (1 + math.isqrt(1 + 8 * (most - g))) // 2 if g else 0


@lru_cache(maxsize=64)
def _permutation(gamma: int, q: int) -> Floats:
    """r_γ (q + 1,) as floats, for 0 … q."""
    most = q * (q - 1) // 2
    even = [g for g in range(most + 1) if _alternations(g, q) % 2 == 0]
    odd = [g for g in range(most, -1, -1) if _alternations(g, q) % 2 == 1]
    return np.array(_raw((even + odd)[gamma], q), dtype=float)


def _raw(g: int, q: int) -> list[int]:
    """Raw permutation number g: [0, q, 1, q − 1, …, then the others in order, one moved back]."""
    s = _alternations(g, q)
    low, high = 1 + s // 2, q - (s + 1) // 2
    alternating = [q - j // 2 if j % 2 == 0 else 1 + j // 2 for j in range(s)]
    rest = list(range(low, high + 1))
    if s % 2:
        rest.reverse()
    back = g - q * (q - 1) // 2 + (q - s - 1) * (q - s) // 2
    if back:
        rest.append(rest.pop(-1 - back))
    return [0, *alternating, *rest]


# ---- the optimum of a region


@lru_cache(maxsize=64)
def _lowest_in_box(f: WModel, box: Box) -> Optimum | Bounds:
    cube = cube_of(f.universe, box)
    if cube is None:
        return NOWHERE
    if not cube.tied:
        return _untied(f, cube)
    if len(cube.free) <= VISITED:
        return lowest_by_states(f, cube)
    apart = Cube(cube.fixed, tuple((locus,) for loci in cube.free for locus in loci))
    draws = generator(f, "draws", f.n, f.instance).integers(0, 2, (DRAWS, len(cube.free)))
    points = f.universe.points(cube.at(draws))
    values, below = f.evaluate(points), _untied(f, apart).value
    best = int(np.argmin(values))
    if values[best] == below:
        return Optimum(below, points[best])
    return Bounds(below, float(values[best]), HOW)


def _untied(f: WModel, cube: Cube) -> Optimum:
    """Which numbers of ones can be had, block by block; of them the one with the lowest value."""
    zero, one = _majorities(f, cube)
    ways = [{0: 0}]  # the numbers of ones after each block -> of which in the last
    outcomes = []
    for start in range(0, f._q, f.nu):
        block = slice(start, start + f.nu)
        outcomes.append(_outcomes(zero[block], one[block]))
        ways.append({w + c: c for w in ways[-1] for c in outcomes[-1]})
    values = _permutation(f.gamma, f._q)
    total = min(ways[-1], key=lambda ones: values[f._q - ones])
    majorities: list[int] = []
    for number in range(len(outcomes) - 1, -1, -1):
        own = ways[number + 1][total]
        majorities = [*outcomes[number][own], *majorities]
        total -= own
    return at(f, _loci(f, cube, majorities))


def _majorities(f: WModel, cube: Cube) -> tuple[Bools, Bools]:
    """Whether each of the q majorities can be 0, and can be 1."""
    free = cube.is_free[_read(f)]
    right = (cube.fixed == target(f, f.n, f.instance))[_read(f)] & ~free
    least = right.sum(axis=1)
    return 2 * least < f.mu, 2 * (least + free.sum(axis=1)) >= f.mu


def _outcomes(zero: Bools, one: Bools) -> dict[int, tuple[int, ...]]:
    """The numbers of ones that a mixed block can have, each with bits that make it.

    Of s ones behind the first bit and parity P the mixed block has s, or its length − s, ones.
    """
    found = {}
    must = np.flatnonzero(~zero[1:])
    may = np.flatnonzero(zero[1:] & one[1:])
    for s in range(len(must), len(must) + len(may) + 1):
        rest = np.zeros(len(zero) - 1, dtype=np.int64)
        rest[must] = 1
        rest[may[: s - len(must)]] = 1
        for parity in (0, 1):
            first = parity ^ s % 2
            if one[0] if first else zero[0]:
                found[len(zero) - s if parity else s] = (first, *rest.tolist())
    return found


def _loci(f: WModel, cube: Cube, majorities: Sequence[int]) -> Ints:
    """A point (n,) of an untied cube with these majorities: free bits all right or all wrong."""
    goal = target(f, f.n, f.instance)
    wanted = 1 - goal
    rows = _read(f)
    wanted[rows] = np.where(np.array(majorities)[:, None] == 1, goal[rows], 1 - goal[rows])
    return np.where(cube.is_free, wanted, cube.fixed)


@lru_cache(maxsize=8)
def _minima(f: WModel) -> Minima:
    everything = Cube(np.zeros(f.n, dtype=np.int64), tuple((i,) for i in range(f.n)))
    return minima(f.universe, values_of_states(f, everything))

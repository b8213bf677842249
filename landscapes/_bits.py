"""Landscapes on bits: their space, boxes of it as cubes of free bits, and the best over boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum, generator
from hpo_lab.region import AxisSet, Box, Interval, Region
from hpo_lab.space import Bools, Choice, Floats, Ints, Points, Space
from landscapes._separable import NOWHERE

LARGEST = 1000  # bits of the landscapes whose truth is a closed form
VISITED = 20  # free bits up to which all states of a cube are visited
BLOCK = 14  # bits of the states that are evaluated together


@lru_cache(maxsize=32)
def bit_space(n: int) -> Space:
    """Return the space of n axes x1 … xn with the options 0 and 1."""
    return Space.box(*[Choice(f"x{i}", (0, 1)) for i in range(1, n + 1)])


def check_bits(n: int) -> None:
    """Raise InputError where n is no number of bits."""
    if not 1 <= n <= LARGEST:
        raise InputError(f"n must be from 1 to {LARGEST:,} bits, not {n}")


@lru_cache(maxsize=64)
def target(landscape: Landscape, n: int, instance: int) -> Ints:
    """Return the string (n,) that counts as all ones: all ones for instance 1, else a seeded one.

    So instance i is instance 1 after an exclusive or with the complement of its string.
    """
    if instance == 1:
        return np.ones(n, dtype=np.int64)
    return generator(landscape, "target", n, instance).integers(0, 2, n)


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """A box as a cube of G free bits, each of which may set several tied loci at once.

    ``fixed`` (n,) are the values of the other loci (and 0), ``free`` the loci of each free bit.
    """

    fixed: Ints
    free: tuple[tuple[int, ...], ...]

    def at(self, bits: ArrayLike) -> Ints:
        """Return the values (…, n) of all loci at free bits (…, G)."""
        given = np.asarray(bits)
        values = np.broadcast_to(self.fixed, (*given.shape[:-1], len(self.fixed))).copy()
        for g, loci in enumerate(self.free):
            values[..., list(loci)] = given[..., [g]]
        return values

    @property
    def tied(self) -> bool:
        """Whether a free bit sets several loci."""
        return any(len(loci) > 1 for loci in self.free)

    @property
    def is_free(self) -> Bools:
        """Which loci (n,) are free."""
        found = np.zeros(len(self.fixed), dtype=bool)
        found[[i for loci in self.free for i in loci]] = True
        return found


def cube_of(space: Space, box: Box) -> Cube | None:
    """Return the cube of a box of a space of bits; None where the box is empty.

    Axes that the box does not name cost nothing: reports ask for thousands of boxes.
    """
    place = {name: i for i, name in enumerate(space.columns)}
    parts = [{place[name] for name in tie} for tie in box.ties]
    allowed = {place[name]: _allowed(within) for name, within in box.sets}
    fixed, free = np.zeros(space.width, dtype=np.int64), []
    for loci in _tied(space.width, parts):
        values = set.intersection({0, 1}, *[allowed[i] for i in loci if i in allowed])
        if not values:
            return None
        if len(values) == 2:
            free.append(loci)
        else:
            fixed[list(loci)] = values.pop()
    return Cube(fixed, tuple(free))


def _allowed(within: AxisSet) -> set[int]:
    """Which bits lie in a set."""
    if isinstance(within, Interval):
        return {bit for bit in (0, 1) if within.low <= bit <= within.high}
    return {bit for bit in (0, 1) if bit in within.values}


def _tied(n: int, ties: list[set[int]]) -> list[tuple[int, ...]]:
    """The loci in groups that have one value, in the order of their first."""
    apart: list[set[int]] = []
    for tie in ties:  # those that overlap make one
        apart = [p for p in apart if not p & tie] + [tie.union(*[p for p in apart if p & tie])]
    groups = {min(part): tuple(sorted(part)) for part in apart}
    inner = {i for part in apart for i in part}
    return [groups.get(i, (i,)) for i in range(n) if i in groups or i not in inner]


def best_of(found: Sequence[Optimum | Bounds], how: str) -> Optimum | Bounds:
    """Return the best over boxes of what is known of each; NOWHERE where all are empty."""
    within = [one for one in found if isinstance(one, Optimum) or one.low < math.inf]
    if not within:
        return NOWHERE
    best = min(within, key=_high)
    low = min(one.value if isinstance(one, Optimum) else one.low for one in within)
    if isinstance(best, Optimum) and low >= best.value:
        return best
    return Bounds(low, _high(best), how)


def _high(found: Optimum | Bounds) -> float:
    return found.value if isinstance(found, Optimum) else found.high


def at(landscape: Landscape, loci: Ints) -> Optimum:
    """Return a point (n,) that is known to be an optimum, with its value."""
    point = landscape.universe.points(loci)
    return Optimum(float(landscape.evaluate(point)[0]), point)


def values_of_states(landscape: Landscape, cube: Cube) -> Floats:
    """Return the truth (2^G,) of all states of a cube; the last free bit changes fastest."""
    width = len(cube.free)
    low = min(width, BLOCK)
    shifts = np.arange(width - 1, -1, -1)
    parts = []
    for first in range(0, 1 << width, 1 << low):
        states = first + np.arange(1 << low)
        loci = cube.at(states[:, None] >> shifts & 1)
        parts.append(landscape.evaluate(landscape.universe.points(loci)))
    return np.concatenate(parts)


def lowest_by_states(landscape: Landscape, cube: Cube) -> Optimum:
    """Return the optimum of a cube by visiting all its states."""
    width = len(cube.free)
    best = int(np.argmin(values_of_states(landscape, cube)))
    return at(landscape, cube.at([best >> shift & 1 for shift in range(width - 1, -1, -1)]))


def one_basin(landscape: Landscape) -> Minima:
    """Return the minima of a landscape whose every other point has a lower neighbour: its optimum.

    The landscape has to know its optimum in every region.
    """
    best = landscape.optimum()
    if isinstance(best, Bounds):
        raise TypeError("an optimum that is only bounded is nobody's only minimum")

    def lowest(region: Region) -> Floats:
        found = landscape.lowest(region)
        return np.array([found.value if isinstance(found, Optimum) else np.inf])

    def labels(points: Points) -> Ints:
        return np.zeros(len(points), dtype=np.int64)

    return Minima(best.point, np.array([best.value]), labels, lowest, np.ones(1))

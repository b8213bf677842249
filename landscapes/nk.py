"""NK, NKq and NKp: sums of random tables over bits, turned over so that they are minimised.

    f(x) = 1 − (1/N) Σ_i c_i(x_i; x_i1 … x_iK),   contributions c in [0, 1]

Kauffman 1993, *The Origins of Order*, ch. 2: every locus i contributes by its own bit and those of
K others, one random number for each of the 2^(K + 1) combinations. NKq: numbers are drawn from
0, 1/(q − 1), … 1 (Newman & Engelhardt 1998, Proc. R. Soc. B 265, eq. 1). NKp: a number is zero
with probability p (Barnett 1998, *Ruggedness and neutrality: the NKp family*, ALife VI).

Contributions are kept as whole numbers (multiples of 2^-32, or of 1/(q − 1)), so that sums are
exact: values don't depend on the order of adding, and two points tie only if they are equal.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hpo_lab.errors import InputError, nearest
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum, generator
from hpo_lab.region import Box, Region
from hpo_lab.space import Floats, Ints, Points, Space
from landscapes._bits import Cube, at, best_of, bit_space, cube_of
from landscapes._compiled import announced, shared
from landscapes._elimination import (
    EXACT,
    Factor,
    Least,
    Order,
    elimination_order,
    minimise,
    without,
)
from landscapes._separable import NOWHERE

NEIGHBOURHOODS = ("adjacent", "random")
LARGEST = 200  # loci
ENTRIES = 2**27  # table entries in all, four bytes each
LISTED = 24  # loci up to which all states are visited
COPIED = 2**22  # table entries up to which they are copied for elimination
QUICK = 2.0**17  # table entries up to which no better order is looked for
LONG = 2.0**24  # table entries from which on one may have to wait
KICKS = 10_000  # of the local search for an upper bound


@dataclass(frozen=True)
class NK(Landscape):
    """A rugged landscape on bits; k is the dial: from k = 0, one minimum, to k = n − 1, no order.

    The universe is n axes x1 … xn with the options 0 and 1; values lie in [0, 1]. With
    ``neighbourhood = "adjacent"`` contribution i reads loci i, i + 1, … i + k around a ring
    (Kauffman's window of nearest neighbours: which of the loci in it is called i is a matter of
    name), with ``"random"`` locus i and k others. Giving ``q`` makes it NKq, ``p`` above 0 NKp;
    without either it is NK. At equal n, k, neighbourhood and instance the three have the same
    neighbourhoods, and NKq and NKp are NK's numbers rounded down, and set to zero.

    The optimum is exact in every region of bits fixed, left free and tied where bucket elimination
    reads at most 24 bits at a time: up to 24 free bits always, adjacent neighbourhoods to k = 11
    at any n (ties across the ring cost more), random ones to about n = 40 with k = 3. Elsewhere
    it is bounded: below by mini-buckets, above by local search.

    Minima are known to n = 24: neighbours differ in one bit, and of equal values the point
    that comes first in the enumeration (x1 the highest digit) counts as lower. So on the
    plateaus of NKq and NKp a minimum is a point without a lower neighbour of which no equal
    neighbour comes earlier; one plateau can have several. Values are compared exactly. n = 24
    takes 200 MB for as long as its minima are kept. A point outside the universe is evaluated
    as if all but 0 were 1 (calling the landscape refuses it).

    >>> f = NK(n=20, k=4, neighbourhood="random", instance=1)
    >>> round(f.optimum().value, 6), len(f.minima().values)
    (0.247272, 434)
    >>> round(NK(n=100, k=4, neighbourhood="adjacent").optimum().value, 6)
    0.204942
    """

    n: int = 20
    k: int = 4
    neighbourhood: str = "random"
    instance: int = 1
    q: int | None = None
    p: float = 0.0
    name: ClassVar[str] = "nk"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if not 1 <= self.n <= LARGEST:
            raise InputError(f"n must be from 1 to {LARGEST} loci, not {self.n}")
        if not 0 <= self.k < self.n:
            raise InputError(f"k must be from 0 to n − 1 = {self.n - 1} other loci, not {self.k}")
        if self.n * 2 ** (self.k + 1) > ENTRIES:
            raise InputError(f"n · 2^(k + 1) must be at most 2^27 numbers; lower k = {self.k}")
        if self.neighbourhood not in NEIGHBOURHOODS:
            hint = nearest(self.neighbourhood, NEIGHBOURHOODS)
            raise InputError(f"there is no neighbourhood {hint}")
        if self.q is not None and not 2 <= self.q <= 2**16:
            raise InputError(f"q must be from 2 to 65,536 values of a contribution, not {self.q}")
        if not 0.0 <= self.p < 1.0:
            raise InputError(f"p must be a share of zeros from 0 up to 1 (excluded), not {self.p}")
        if self.q is not None and self.p > 0.0:
            raise InputError("give q, for NKq, or p, for NKp, but not both")

    @property
    def universe(self) -> Space:
        """The n axes x1 … xn with the options 0 and 1."""
        return bit_space(self.n)

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,); threads share large batches."""
        from landscapes._nk_kernels import losses_at

        model, values = _model(self), np.ascontiguousarray(points.values)
        links, tables, whole = model.links, model.tables, model.whole
        losses = np.empty(len(points))
        shared(len(points), lambda a, b: losses_at(values, links, tables, whole, a, b, losses))
        return losses

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside a region, or certified bounds where it is out of reach.

        Bounds hold by mini-bucket elimination from below, and above by the best value that a
        seeded local search found, which a point has.
        """
        return best_of([_lowest_in_box(self, box) for box in region], HOW)

    def minima(self) -> Minima | None:
        """Return all minima, best first, with basins by steepest descent and their exact masses.

        None where n is above 24.
        """
        return _minima(self) if self.n <= LISTED else None


HOW = "contributions minimised apart (mini-buckets); a seeded iterated local search"


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """Contributions in whole numbers of 1/scale.

    ``links`` (N, K + 1): the loci that each contribution reads, the highest bit of the index
    first; ``tables`` (N, 2^(K + 1)).
    """

    links: Ints
    tables: NDArray[np.uint32]
    scale: int

    @property
    def whole(self) -> int:
        """The sum of contributions that are all 1."""
        return len(self.links) * self.scale

    def losses(self, sums: Ints) -> Floats:
        """f (n,) of sums of contributions: different sums have different values."""
        return (self.whole - sums) / float(self.whole)


@lru_cache(maxsize=4)
def _model(f: NK) -> _Model:
    rng = generator(f, f.n, f.k, f.neighbourhood, f.instance)
    loci = np.arange(f.n)[:, None]
    if f.neighbourhood == "adjacent":
        links = (loci + np.arange(f.k + 1)) % f.n
    else:
        others = rng.random((f.n, f.n))
        others[np.arange(f.n), np.arange(f.n)] = 2.0  # a locus is not one of its own others
        links = np.concatenate([loci, np.sort(np.argsort(others, axis=1)[:, : f.k], axis=1)], 1)
    size = (f.n, 2 ** (f.k + 1))
    tables = rng.integers(0, 2**32, size, dtype=np.uint32)
    if f.q is not None:
        return _Model(links, ((tables * np.uint64(f.q)) >> np.uint64(32)).astype("u4"), f.q - 1)
    if f.p > 0.0:
        tables[rng.integers(0, 2**32, size, dtype=np.uint32) < f.p * 2**32] = 0
    return _Model(links, tables, 2**32)


# ---- the optimum of a region


@dataclass(frozen=True, slots=True, eq=False)
class _Reads:
    """What a cube's bits make of the indices: ``bases`` (N,), and ``masks`` (N, G) to be added."""

    bases: Ints
    masks: Ints


def _reads(model: _Model, cube: Cube) -> _Reads:
    weights: Ints = 1 << np.arange(model.links.shape[1] - 1, -1, -1)
    member = np.zeros((len(cube.fixed), len(cube.free)), dtype=np.int64)
    for g, loci in enumerate(cube.free):
        member[list(loci), g] = 1
    bases = (cube.fixed[model.links] * weights).sum(axis=1)
    return _Reads(bases, (member[model.links] * weights[None, :, None]).sum(axis=1))


@lru_cache(maxsize=64)
def _lowest_in_box(f: NK, box: Box) -> Optimum | Bounds:
    cube, model = cube_of(f.universe, box), _model(f)
    if cube is None:
        return NOWHERE
    reads = _reads(model, cube)
    scopes = [tuple(np.flatnonzero(row).tolist()) for row in reads.masks]
    order = _order(f, cube, scopes)
    few, large = len(cube.free) <= EXACT, model.tables.size > COPIED
    states = f.n * 2.0 ** min(len(cube.free), 60)
    wait = (few and states > LONG) or large or order.work > LONG
    with announced(f"minimising over {len(cube.free)} bits") if wait else nullcontext():
        if few and (large or states <= 4.0 * order.work):
            return at(f, cube.at(_by_visiting(model, reads)))
        if large:
            return _bounded(f, reads, _each_apart(model, reads, scopes))
        least = minimise(_factors(model, reads, scopes), order)
        return at(f, cube.at(least.bits)) if least.exact else _bounded(f, reads, least)


def _order(f: NK, cube: Cube, scopes: list[tuple[int, ...]]) -> Order:
    """An elimination order; without ties that of the whole landscape, where it is good enough."""
    whole = _whole_order(f)
    if cube.tied or whole.work > QUICK:
        return elimination_order(scopes, len(cube.free))
    return without(whole, [loci[0] for loci in cube.free])


@lru_cache(maxsize=64)
def _whole_order(f: NK) -> Order:
    return elimination_order([tuple(row) for row in _model(f).links.tolist()], f.n)


def _by_visiting(model: _Model, reads: _Reads) -> list[int]:
    """The best state of a cube, by visiting all."""
    from landscapes._nk_kernels import LOW, best_state

    width = reads.masks.shape[1]
    found: list[tuple[np.int64, np.int64]] = []
    shared(
        1 << max(width - LOW, 0),
        lambda a, b: found.append(best_state(model.tables, reads.bases, reads.masks, a, b)),
    )
    _, first = min((-total, state) for total, state in found)
    return [int(first) >> b & 1 for b in range(width)]


def _entries(reads: _Reads, i: int, scope: tuple[int, ...]) -> Ints:
    """The indices (2^m,) into table i over the m free bits that it reads."""
    index = reads.bases[[i]]
    for g in scope:
        index = np.concatenate([index, index | reads.masks[i, g]])
    return index


def _factors(model: _Model, reads: _Reads, scopes: list[tuple[int, ...]]) -> list[Factor]:
    """The losses of each contribution as a table over the free bits that it reads."""
    factors = []
    for i, scope in enumerate(scopes):
        best = model.tables[i, _entries(reads, i, scope)].astype(np.int64)
        factors.append(Factor(model.scale - best, scope))
    return factors


def _each_apart(model: _Model, reads: _Reads, scopes: list[tuple[int, ...]]) -> Least:
    """Every contribution at the best of its entries in the cube: no point can be better."""
    best = [int(model.tables[i, _entries(reads, i, s)].max()) for i, s in enumerate(scopes)]
    return Least(
        model.whole - sum(best), np.zeros(reads.masks.shape[1], dtype=np.uint8), exact=False
    )


def _bounded(f: NK, reads: _Reads, least: Least) -> Bounds:
    """Bounds by the lower bound that was found and by a local search from its bits."""
    from landscapes._nk_kernels import climb

    model, width = _model(f), reads.masks.shape[1]
    rng = generator(f, f.n, f.k, f.neighbourhood, f.instance, "kicks")
    kicks = rng.integers(0, width, (KICKS, 4))
    reading = reads.masks.T != 0
    readers = np.where(reading, np.arange(f.n), f.n)  # those that read a bit first, then f.n
    readers = np.sort(readers, axis=1)[:, : reading.sum(axis=1).max()]
    readers[readers == f.n] = -1
    total, _ = climb(model.tables, reads.bases, reads.masks, readers, least.bits, kicks)
    high = float(model.losses(np.array([total]))[0])
    return Bounds(least.value / float(model.whole), high, HOW)


# ---- all states


def _descended(f: NK) -> tuple[Ints, NDArray[np.int32]]:
    """The keys (2^n,) of all states, and the states (2^n,) at which steepest descent ends."""
    from landscapes._nk_kernels import LOW, follow, keys_of_states, steps_of_states

    # the last axis is the lowest bit, so that a state's number is its place in the enumeration
    everything = Cube(np.zeros(f.n, dtype=np.int64), tuple((i,) for i in range(f.n))[::-1])
    model = _model(f)
    reads, tables = _reads(model, everything), model.tables
    keys = np.empty(1 << f.n, dtype=np.int64)
    ends = np.empty(1 << f.n, dtype=np.int32)
    blocks = 1 << max(f.n - LOW, 0)
    shared(blocks, lambda a, b: keys_of_states(tables, reads.bases, reads.masks, a, b, keys))
    shared(blocks, lambda a, b: steps_of_states(keys, f.n, a, b, ends))
    follow(ends)
    return keys, ends


@lru_cache(maxsize=2)
def _minima(f: NK) -> Minima:
    from landscapes._nk_kernels import best_keys, bottoms, number_basins

    with announced(f"visiting 2^{f.n} states"):
        keys, label = _descended(f)
        best_first = bottoms(label)
        best_first = best_first[np.argsort(-keys[best_first])]
        masses = number_basins(label, best_first) / len(label)
    digits = np.arange(f.n - 1, -1, -1)
    model = _model(f)

    def labels(points: Points) -> Ints:
        places = (points.values != 0.0) @ (1 << digits)
        found: Ints = label[places].astype(np.int64)
        return found

    def lowest(region: Region) -> Floats:
        best = np.full(len(best_first), -1, dtype=np.int64)
        for box in region:
            cube = cube_of(f.universe, box)
            if cube is not None:
                base = int(cube.fixed @ (1 << digits))
                masks = np.array([sum(1 << digits[i] for i in loci) for loci in cube.free])
                best_keys(keys, label, base, masks.astype(np.int64), best)
        return np.where(best < 0, np.inf, model.losses(best >> f.n))

    points = f.universe.points(((best_first[:, None] >> digits) & 1).astype(float))
    return Minima(points, model.losses(keys[best_first] >> f.n), labels, lowest, masses)

"""The lowest value of a sum of small tables over bits: exact, or bounded from below.

    min over x in {0, 1}^G of Σ_f T_f(x restricted to the bits of f)

Exact by bucket elimination (non-serial dynamic programming: Bertelè & Brioschi 1972; Dechter
1999, Artificial Intelligence 113): bits are eliminated one by one, each time replacing the tables
that read the bit by their sum, minimised over it. The order is greedy: next the bit that brings
fewest others together (min-fill). On a ring whose tables read K + 1 neighbours a sum reads at most
2K + 1 bits, so the cost is G · 2^(2K + 1). Where the sums grow too large, mini-buckets (Dechter &
Rish 2003, Journal of the ACM 50) minimise parts of a sum apart, which can only lower it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo_lab.space import Ints

EXACT = 24  # bits that the largest sum of an exact elimination may read
APART = 18  # bits that a part of a sum may read where there are only bounds


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A table (2^m,) of whole numbers; bit j of the index is the variable ``reads[j]``."""

    table: Ints
    reads: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Least:
    """``value`` is the minimum where ``exact``, else below it; ``bits`` (G,) have it, or try to."""

    value: int
    bits: NDArray[np.uint8]
    exact: bool


@dataclass(frozen=True, slots=True)
class Order:
    """In which order the variables are eliminated, and how many bits the largest sum reads."""

    variables: tuple[int, ...]
    width: int
    work: float  # table entries over all sums


def elimination_order(scopes: Sequence[tuple[int, ...]], variables: int) -> Order:
    """Return the greedy order: next the variable that brings fewest others together anew.

    >>> elimination_order([(0, 1), (1, 2), (2, 3)], 4)
    Order(variables=(0, 1, 2, 3), width=2, work=14.0)
    """
    beside = [1 << v for v in range(variables)]  # bit sets: v, and who shares a table with it
    for scope in scopes:
        together = sum(1 << v for v in scope)
        for v in scope:
            beside[v] |= together
    fill = [_apart(beside, v) for v in range(variables)]
    left, order, widths = set(range(variables)), [], [0]
    while left:
        v = min(left, key=lambda u: (fill[u], beside[u].bit_count(), u))
        left.remove(v)
        order.append(v)
        widths.append(beside[v].bit_count())
        touched = 0
        for u in _members(beside[v] & ~(1 << v)):
            beside[u] = (beside[u] | beside[v]) & ~(1 << v)
            touched |= beside[u]
        for u in _members(touched):
            fill[u] = _apart(beside, u)
    return Order(tuple(order), max(widths), sum(2.0**width for width in widths[1:]))


def without(order: Order, kept: Sequence[int]) -> Order:
    """Return the order of the ``kept`` variables, renumbered by their places there.

    Fixing the others can only take variables out of sums, so width and work bound those of it.
    """
    number = {v: i for i, v in enumerate(kept)}
    return Order(tuple(number[v] for v in order.variables if v in number), order.width, order.work)


def _members(bits: int) -> Iterator[int]:
    """The places of the ones of a bit set."""
    while bits:
        yield (bits & -bits).bit_length() - 1
        bits &= bits - 1


def _apart(beside: list[int], v: int) -> int:
    """How many ordered pairs beside v are not beside each other."""
    return sum((beside[v] & ~beside[u]).bit_count() for u in _members(beside[v]))


def minimise(factors: Sequence[Factor], order: Order) -> Least:
    """Return the minimum of the sum of the factors, or a bound below it if the order is too wide.

    The largest sum is never written down: memory is that of the minimised sums that still wait, at
    most 2^(EXACT − 1) numbers each.
    """
    exact = order.width <= EXACT
    limit = EXACT if exact else APART
    waiting, lowest = list(factors), 0
    choices: list[tuple[int, tuple[int, ...], NDArray[np.uint8]]] = []
    for v in order.variables:
        bucket = [f for f in waiting if v in f.reads]
        waiting = [f for f in waiting if v not in f.reads]
        for number, part in enumerate(_parts(bucket, limit)):
            message, choice = _eliminated(part, v)
            if message.reads:
                waiting.append(message)
            else:
                lowest += int(message.table[0])
            if number == 0:
                choices.append((v, message.reads, choice))
    lowest += sum(int(f.table[0]) for f in waiting)  # tables that read no bit
    return Least(lowest, _chosen(choices, len(order.variables)), exact)


def _parts(bucket: list[Factor], limit: int) -> list[list[Factor]]:
    """The factors in parts that read at most ``limit`` bits each, large ones first."""
    parts: list[tuple[set[int], list[Factor]]] = []
    for factor in sorted(bucket, key=lambda f: -len(f.reads)):
        for scope, members in parts:
            if len(scope | set(factor.reads)) <= limit:
                scope |= set(factor.reads)
                members.append(factor)
                break
        else:
            parts.append((set(factor.reads), [factor]))
    return [members for _, members in parts]


def _eliminated(part: list[Factor], v: int) -> tuple[Factor, NDArray[np.uint8]]:
    """The minimum over v of the sum of some factors, and the packed choice of v that has it."""
    from landscapes._nk_kernels import eliminate

    scope = tuple(sorted({u for f in part for u in f.reads} - {v}))
    place = {u: b for b, u in enumerate((v, *scope))}
    masks = np.zeros((len(part), len(place)), dtype=np.int64)
    for i, factor in enumerate(part):
        for j, u in enumerate(factor.reads):
            masks[i, place[u]] = 1 << j
    sizes = [len(f.table) for f in part]
    offsets = np.cumsum([0, *sizes[:-1]])
    message = np.empty(1 << len(scope), dtype=np.int64)
    choice = np.empty(1 << len(scope), dtype=np.bool_)
    eliminate(np.concatenate([f.table for f in part]), offsets, masks, message, choice)
    return Factor(message, scope), np.packbits(choice, bitorder="little")


def _chosen(
    choices: list[tuple[int, tuple[int, ...], NDArray[np.uint8]]], variables: int
) -> NDArray[np.uint8]:
    """The bits that the choices lead to, from the last variable eliminated back to the first."""
    bits = np.zeros(variables, dtype=np.uint8)
    for v, scope, choice in reversed(choices):
        place = sum(int(bits[u]) << j for j, u in enumerate(scope))
        bits[v] = choice[place >> 3] >> (place & 7) & 1
    return bits

"""Compiled kernels for sums of tables over bits, imported late: importing this file loads numba.

A sum Σ_i T_i[index_i] is over ``tables``; a state is a whole number whose bit b sets the bits
``masks[i, b]`` of index_i. Sums are whole numbers and exact, so no order of adding matters.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from hpo_lab.space import Floats, Ints
from landscapes._compiled import compiled

Table = NDArray[np.uint32]
_LANES = 128  # points evaluated together: their bits fit the first cache
LOW = 10  # bits of a state that vary fastest, whose part of each index is looked up

_inner: Any = numba.njit(cache=True)


@compiled
def losses_at(
    values: Floats, links: Ints, tables: Table, whole: int, start: int, stop: int, losses: Floats
) -> None:
    """Fill ``losses`` (n,), 1 − sum/whole, for the points ``values`` (n, N) in [start, stop).

    ``links`` (N, K + 1) are the loci whose bits make the index into T_i, the highest bit first.
    """
    loci, width = links.shape
    bits = np.empty((values.shape[1], _LANES), dtype=np.uint8)
    index = np.empty(_LANES, dtype=np.uint32)
    total = np.empty(_LANES, dtype=np.int64)
    for first in range(start, stop, _LANES):
        size = min(_LANES, stop - first)
        for p in range(size):
            total[p] = 0
            for j in range(values.shape[1]):
                bits[j, p] = values[first + p, j] != 0.0
        for i in range(loci):
            row = bits[links[i, 0]]
            for p in range(size):
                index[p] = row[p]
            for j in range(1, width):
                row = bits[links[i, j]]
                for p in range(size):
                    index[p] = (index[p] << np.uint32(1)) | row[p]
            table = tables[i]
            for p in range(size):
                total[p] += np.int64(table[index[p]])
        for p in range(size):
            losses[first + p] = (whole - total[p]) / float(whole)


@_inner  # type: ignore[untyped-decorator, unused-ignore]
def _index_maps(masks: Ints, bits: int) -> Ints:
    """The part of each index (F, 2^bits) that the lowest bits of a state make."""
    maps = np.zeros((masks.shape[0], 1 << bits), dtype=np.int64)
    for i in range(masks.shape[0]):
        for b in range(bits):
            for s in range(1 << b):
                maps[i, (1 << b) + s] = maps[i, s] | masks[i, b]
    return maps


@_inner  # type: ignore[untyped-decorator, unused-ignore]
def _high_index(masks: Ints, i: int, low: int, block: int) -> int:
    """The part of index i that the bits of a state above the lowest make."""
    index = 0
    for b in range(low, masks.shape[1]):
        if (block >> (b - low)) & 1:
            index |= masks[i, b]
    return index


@_inner  # type: ignore[untyped-decorator, unused-ignore]
def _sum_block(
    tables: Table, bases: Ints, masks: Ints, maps: Ints, low: int, block: int, total: Ints
) -> None:
    """Fill ``total`` (2^low,) with the sums of the states of one block."""
    total[:] = 0
    for i in range(tables.shape[0]):
        high = bases[i] | _high_index(masks, i, low, block)
        table, own = tables[i], maps[i]
        for s in range(total.shape[0]):
            total[s] += np.int64(table[high | own[s]])


@compiled
def keys_of_states(
    tables: Table, bases: Ints, masks: Ints, start: int, stop: int, keys: Ints
) -> None:
    """Fill ``keys`` (2^B,) for the blocks of 2^min(B, LOW) states in [start, stop).

    A key is the sum, then the state counted from the last: the larger key is the better state,
    of equals the one that comes first.
    """
    width = masks.shape[1]
    low = min(width, LOW)
    maps = _index_maps(masks, low)
    total = np.empty(1 << low, dtype=np.int64)
    last = (1 << width) - 1
    for block in range(start, stop):
        _sum_block(tables, bases, masks, maps, low, block, total)
        first = block << low
        for s in range(1 << low):
            keys[first + s] = (total[s] << width) | (last - first - s)


@compiled
def best_state(
    tables: Table, bases: Ints, masks: Ints, start: int, stop: int
) -> tuple[np.int64, np.int64]:
    """Return the largest sum over the blocks in [start, stop), and the first state that has it."""
    low = min(masks.shape[1], LOW)
    maps = _index_maps(masks, low)
    total = np.empty(1 << low, dtype=np.int64)
    best, state = np.int64(-1), np.int64(0)
    for block in range(start, stop):
        _sum_block(tables, bases, masks, maps, low, block, total)
        highest = total.max()
        if highest > best:
            best, state = highest, (np.int64(block) << low) + np.argmax(total)
    return best, state


@compiled
def steps_of_states(keys: Ints, width: int, start: int, stop: int, step: NDArray[np.int32]) -> None:
    """Fill ``step`` (2^B,) for the blocks in [start, stop): the best of a state and its neighbours.

    Neighbours differ in one bit; states, steps and keys are as in ``keys_of_states``.
    """
    low = min(width, LOW)
    size = 1 << low
    last = (1 << width) - 1
    best = np.empty(size, dtype=np.int64)
    for block in range(start, stop):
        first = block << low
        own = keys[first : first + size]
        best[:] = own
        for b in range(low, width):
            other = keys[first ^ (1 << b) : (first ^ (1 << b)) + size]
            for s in range(size):
                best[s] = max(best[s], other[s])
        for b in range(low):
            half = 1 << b
            for s in range(0, size, 2 * half):
                for t in range(s, s + half):
                    best[t] = max(best[t], own[t + half])
                    best[t + half] = max(best[t + half], own[t])
        for s in range(size):
            step[first + s] = last - (best[s] & last)


@compiled
def follow(step: NDArray[np.int32]) -> None:
    """Replace each state's step by the state at which its steps end."""
    for s in range(len(step)):
        end = step[s]
        while step[end] != end:
            end = step[end]
        t = np.int32(s)
        while step[t] != end:
            further = step[t]
            step[t] = end
            t = further


@compiled
def bottoms(ends: NDArray[np.int32]) -> Ints:
    """Return the states (m,) that are their own end, in increasing order."""
    count = 0
    for s in range(len(ends)):
        count += ends[s] == s
    found = np.empty(count, dtype=np.int64)
    count = 0
    for s in range(len(ends)):
        if ends[s] == s:
            found[count] = s
            count += 1
    return found


@compiled
def number_basins(ends: NDArray[np.int32], bottoms: Ints) -> Ints:
    """Replace each state's end by its place in ``bottoms`` (m,), and return their sizes (m,)."""
    number = np.empty(len(ends), dtype=np.int32)
    for i in range(len(bottoms)):
        number[bottoms[i]] = i
    sizes = np.zeros(len(bottoms), dtype=np.int64)
    for s in range(len(ends)):
        ends[s] = number[ends[s]]
        sizes[ends[s]] += 1
    return sizes


@compiled
def best_keys(keys: Ints, label: NDArray[np.int32], base: int, masks: Ints, best: Ints) -> None:
    """Raise ``best`` (m,) to the largest key in each basin over the states base + Σ masks[g].

    All 2^G sums of ``masks`` (G,), which share no bit, are visited in the order of Gray 1953.
    """
    state = base
    for i in range(1 << len(masks)):
        basin = label[state]
        if keys[state] > best[basin]:
            best[basin] = keys[state]
        g, j = 0, i + 1
        while j & 1 == 0:
            j >>= 1
            g += 1
        if g < len(masks):
            state ^= masks[g]


@compiled
def eliminate(tables: Ints, offsets: Ints, masks: Ints, message: Ints, choice: Any) -> None:
    """Fill ``message`` (2^(B−1),): min over a state's bit 0 of the sum; ``choice``: that bit.

    ``tables`` are all tables in a row, each from ``offsets`` (F,) on.
    """
    width = masks.shape[1]
    low = min(width, LOW)
    maps = _index_maps(masks, low)
    total = np.empty(1 << low, dtype=np.int64)
    for block in range(1 << (width - low)):
        total[:] = 0
        for i in range(len(offsets)):
            high, own = offsets[i] + _high_index(masks, i, low, block), maps[i]
            for s in range(1 << low):
                total[s] += tables[high + own[s]]
        first = block << (low - 1)
        for s in range(1 << (low - 1)):
            one = total[2 * s + 1] < total[2 * s]
            choice[first + s] = one
            message[first + s] = total[2 * s + 1] if one else total[2 * s]


@_inner  # type: ignore[untyped-decorator, unused-ignore]
def _flip(
    tables: Table, masks: Ints, readers: Ints, index: Ints, bits: NDArray[np.uint8], b: int
) -> np.int64:
    """Flip bit b of a state; what the sum gains."""
    gain = np.int64(0)
    for i in readers[b]:
        if i >= 0:
            gain -= np.int64(tables[i, index[i]])
            index[i] ^= masks[i, b]
            gain += np.int64(tables[i, index[i]])
    bits[b] ^= 1
    return gain


@compiled
def climb(
    tables: Table,
    bases: Ints,
    masks: Ints,
    readers: Ints,
    start: NDArray[np.uint8],
    kicks: Ints,
) -> tuple[np.int64, NDArray[np.uint8]]:
    """Return the largest sum that iterated local search meets from a start (B,), and where.

    Bits are flipped in turn as long as that is an improvement; then the bits of the next row of
    ``kicks`` are, from the best so far (Lourenço, Martin & Stützle 2003). ``readers`` (B, R) are
    the tables that read each bit, filled with -1.
    """
    width = masks.shape[1]
    index = bases.copy()
    bits = np.zeros(width, dtype=np.uint8)
    total = np.int64(0)
    for i in range(len(index)):
        total += np.int64(tables[i, index[i]])
    for b in range(width):
        if start[b]:
            total += _flip(tables, masks, readers, index, bits, b)
    best, best_bits, best_index = np.int64(-1), bits.copy(), index.copy()
    for row in range(kicks.shape[0] + 1):
        idle, b = 0, 0
        while idle < width:
            gain = _flip(tables, masks, readers, index, bits, b)
            idle += 1
            if gain > 0:
                total += gain
                idle = 0
            else:
                _flip(tables, masks, readers, index, bits, b)
            b = (b + 1) % width
        if total >= best:
            best = total
            best_bits[:] = bits
            best_index[:] = index
        total = best
        bits[:] = best_bits
        index[:] = best_index
        if row < kicks.shape[0]:
            for b in kicks[row]:
                total += _flip(tables, masks, readers, index, bits, b)
    return best, best_bits

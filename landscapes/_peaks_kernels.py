"""Compiled kernels of peaks: which of many quadratic bowls is the lowest.

No fast-math: a point's value does not depend on the batch that it comes in. Centres go through
the same arithmetic as points, so that a bowl is exactly its offset at its own centre.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from hpo_lab.space import Floats, Ints
from landscapes._compiled import compiled

_BLOCK = 64  # points whose bowls are summed together, so that the loop runs in vector registers


@numba.njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def _load(points: Floats, start: int, size: int, turn: Floats, raw: Floats, block: Floats) -> None:
    """Columns of ``block`` become the points, multiplied by the matrix ``turn`` if it has rows."""
    d = points.shape[1]
    into = raw if len(turn) else block
    for p in range(size):
        for i in range(d):
            into[i, p] = points[start + p, i]
    for i in range(len(turn)):
        for p in range(size):
            block[i, p] = 0.0
        for j in range(d):
            t = turn[i, j]
            for p in range(size):
                block[i, p] += t * raw[j, p]


@numba.njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def _keep(
    k: int, offset: float, total: Floats, lowest: Floats, labels: Ints, start: int, size: int
) -> None:
    for p in range(size):
        if total[p] + offset < lowest[start + p]:
            lowest[start + p] = total[p] + offset
            labels[start + p] = k


@compiled
def lowest_parabola(
    points: Floats,
    turn: Floats,
    curvature: Floats,
    centres: Floats,
    offsets: Floats,
    lowest: Floats,
    labels: Ints,
) -> None:
    """Write min over k of Σ_i a_ki (T (x − c_k))_i² + o_k (n,), and the first such k (n,).

    ``points`` (n, d); T = ``turn`` (d, d), or (0, 0) for none; ``curvature`` a and ``centres`` c
    (K, d); ``offsets`` o (K,).
    """
    n, d = points.shape
    count = len(offsets)
    raw = np.empty((d, _BLOCK))
    block = np.empty((d, _BLOCK))
    total = np.empty(_BLOCK)
    turned = centres.copy()
    if len(turn):
        for start in range(0, count, _BLOCK):
            size = min(_BLOCK, count - start)
            _load(centres, start, size, turn, raw, block)
            for p in range(size):
                for i in range(d):
                    turned[start + p, i] = block[i, p]
    lowest[:] = math.inf
    labels[:] = 0
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        _load(points, start, size, turn, raw, block)
        for k in range(count):
            for p in range(size):
                total[p] = 0.0
            for i in range(d):
                a, c = curvature[k, i], turned[k, i]
                for p in range(size):
                    total[p] += a * (block[i, p] - c) * (block[i, p] - c)
            _keep(k, offsets[k], total, lowest, labels, start, size)


@compiled
def lowest_quadric(
    points: Floats,
    factors: Floats,
    centres: Floats,
    offsets: Floats,
    lowest: Floats,
    labels: Ints,
) -> None:
    """Write min over k of ‖U_k (x − c_k)‖² + o_k (n,), and the first such k (n,).

    ``factors`` U (K, d, d) are upper triangular.
    """
    n, d = points.shape
    none = np.empty((0, 0))
    block = np.empty((d, _BLOCK))
    away = np.empty((d, _BLOCK))
    row = np.empty(_BLOCK)
    total = np.empty(_BLOCK)
    lowest[:] = math.inf
    labels[:] = 0
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        _load(points, start, size, none, block, block)
        for k in range(len(offsets)):
            for p in range(size):
                total[p] = 0.0
            for i in range(d):
                c = centres[k, i]
                for p in range(size):
                    away[i, p] = block[i, p] - c
            for i in range(d):
                for p in range(size):
                    row[p] = 0.0
                for j in range(i, d):
                    u = factors[k, i, j]
                    for p in range(size):
                        row[p] += u * away[j, p]
                for p in range(size):
                    total[p] += row[p] * row[p]
            _keep(k, offsets[k], total, lowest, labels, start, size)


@compiled
def turned_over(values: Floats) -> None:
    """Replace every s by 1 − exp(−s); exact near 0."""
    for p in range(len(values)):
        values[p] = -math.expm1(-values[p])

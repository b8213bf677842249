"""Compiled kernels, imported late: importing this file loads numba.

No fast-math: a point's value does not depend on the batch that it comes in.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from hpo_lab.space import Floats, Ints
from landscapes._compiled import compiled

_BLOCK = 64  # points whose parabolas are summed together, so that the loop runs in vector registers


@numba.njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def lowest_parabola(
    points: Floats, curvature: Floats, centres: Floats, offsets: Floats
) -> tuple[Floats, Ints]:
    """Return min over k of Σ_i a_i (x_i − c_ki)² + o_k for points (n, d), and the first such k."""
    n, d = points.shape
    lowest = np.empty(n)
    labels = np.empty(n, dtype=np.int64)
    block = np.empty((d, _BLOCK))
    total = np.empty(_BLOCK)
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        for p in range(size):
            for i in range(d):
                block[i, p] = points[start + p, i]
            lowest[start + p] = math.inf
            labels[start + p] = 0
        for k in range(len(offsets)):
            for p in range(size):
                total[p] = 0.0
            for i in range(d):
                a, c = curvature[i], centres[k, i]
                for p in range(size):
                    total[p] += a * (block[i, p] - c) * (block[i, p] - c)
            for p in range(size):
                if total[p] + offsets[k] < lowest[start + p]:
                    lowest[start + p] = total[p] + offsets[k]
                    labels[start + p] = k
    return lowest, labels


@compiled
def bells(points: Floats, curvature: Floats, centres: Floats, offsets: Floats) -> Floats:
    """Return 1 − exp(−min over k of …), as ``lowest_parabola``; exact near 0."""
    values, _ = lowest_parabola(points, curvature, centres, offsets)
    for p in range(len(values)):
        values[p] = -math.expm1(-values[p])
    return values

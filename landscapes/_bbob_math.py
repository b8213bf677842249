"""The transformations of the BBOB functions over blocks of points, compiled; imports numba.

A block holds m points as an array (d, m), so that loops over its points run in vector registers.
Sums run over the axes in order, as in COCO, whatever m is.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from hpo_lab.space import Floats

inner = numba.njit(cache=True, nogil=True, error_model="numpy")  # what only kernels call

BLOCK = 64  # points in a block


@inner
def room(points: Floats, arrays: int) -> Floats:
    """Return space for so many arrays of one block."""
    n, d = points.shape
    return np.empty((arrays, d * min(n, BLOCK)))


@inner
def blocks(points: Floats) -> int:
    return (len(points) + BLOCK - 1) // BLOCK


@inner
def taken(points: Floats, shift: Floats, block: int, into: Floats) -> Floats:
    """Return a block of points as (d, m), each less the shift (d,)."""
    n, d = points.shape
    start = block * BLOCK
    m = min(BLOCK, n - start)
    x = into[: d * m].reshape(d, m)
    for i in range(d):
        row, offset = x[i], shift[i]
        for p in range(m):
            row[p] = points[start + p, i] - offset
    return x


@inner
def like(into: Floats, x: Floats) -> Floats:
    """Return an array of the shape of a block."""
    return into[: x.size].reshape(x.shape)


@inner
def rotated(x: Floats, transposed: Floats, into: Floats, plus: float = 0.0) -> Floats:
    """Return A x + a constant (d, m), by Aᵀ (d, d)."""
    d, m = x.shape
    y = like(into, x)
    y[:] = plus
    if m == 1:  # the vector registers go along the other axis; the order of the sums is the same
        one, column = x.reshape(d), y.reshape(d)
        for j in range(d):
            row, factor = transposed[j], one[j]
            for i in range(d):
                column[i] += factor * row[i]
        return y
    for i in range(d):
        total = y[i]
        for j in range(d):
            factor, row = transposed[j, i], x[j]
            for p in range(m):
                total[p] += factor * row[p]
    return y


@inner
def oscillate(x: Floats, into: Floats) -> Floats:
    """Return T_osz (d, m), element by element."""
    y = like(into, x)
    given, found = x.reshape(x.size), y.reshape(x.size)
    for p in range(x.size):
        found[p] = oscillated(given[p])
    return y


@inner
def oscillated(x: float) -> float:
    """Return T_osz of one number."""
    if x == 0.0:
        return 0.0
    t = math.log(abs(x)) / 0.1
    a, b = (1.0, 0.79) if x > 0.0 else (0.55, 0.31)
    size = math.exp(t + 0.49 * (math.sin(a * t) + math.sin(b * t))) ** 0.1
    return math.copysign(size, x)


@inner
def asymmetric(x: Floats, beta: float, into: Floats) -> Floats:
    """Return T_asy^beta (d, m)."""
    d, m = x.shape
    y = like(into, x)
    for i in range(d):
        factor, given, found = beta * i / (d - 1.0), x[i], y[i]
        for p in range(m):
            one = given[p]
            found[p] = one ** (1.0 + factor * math.sqrt(one)) if one > 0.0 else one
    return y


@inner
def squares(x: Floats, total: Floats) -> None:
    """Write Σ x² (m,)."""
    d, m = x.shape
    total[:] = 0.0
    for i in range(d):
        row = x[i]
        for p in range(m):
            total[p] += row[p] * row[p]


@inner
def weighted_squares(x: Floats, scale: Floats, total: Floats) -> None:
    """Write Σ c x² (m,)."""
    d, m = x.shape
    total[:] = 0.0
    for i in range(d):
        row, c = x[i], scale[i]
        for p in range(m):
            total[p] += c * row[p] * row[p]


@inner
def waves(x: Floats, into: Floats, total: Floats) -> None:
    """Write 10 (d − Σ cos 2πx) (m,)."""
    d, m = x.shape
    total[:] = 0.0
    for i in range(d):
        row = x[i]
        for p in range(m):
            total[p] += math.cos(2.0 * math.pi * row[p])
    for p in range(m):
        total[p] = 10.0 * (d - total[p])


@inner
def outside(points: Floats, block: int, factor: float, total: Floats) -> None:
    """Add factor · f_pen = factor · Σ max(0, |x_i| − 5)² to the totals (m,)."""
    for p in range(len(total)):
        penalty = 0.0
        for i in range(points.shape[1]):
            beyond = max(0.0, abs(points[block * BLOCK + p, i]) - 5.0)
            penalty += beyond * beyond
        total[p] += factor * penalty


@inner
def bananas(x: Floats, total: Floats) -> None:
    """Write 100 Σ (x_i² − x_{i+1})² + Σ (x_i − 1)² (m,)."""
    d, m = x.shape
    for p in range(m):
        curved, along = 0.0, 0.0
        for i in range(d - 1):
            a, b = x[i, p] * x[i, p] - x[i + 1, p], x[i, p] - 1.0
            curved += a * a
            along += b * b
        total[p] = 100.0 * curved + along

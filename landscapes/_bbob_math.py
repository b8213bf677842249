"""The transformations of the BBOB functions over blocks of points, compiled; imports numba.

A block holds m points axis by axis in one array (d m,) and some padding, so that loops over its
points run in vector registers; of a single point they run over its axes. Sums go over the axes in
order, as in COCO, and every element is computed by itself, so that no value depends on the batch.
"""

from __future__ import annotations

import math

import numpy as np

from hpo_lab.space import Floats
from landscapes._bbob_elementary import cosine, exponential, fused, inner, logarithm, power, sine

BLOCK = 64  # points in a block
ANGLE = 1e9  # beyond it, sine and cosine are left to the C library
TINY, HUGE = 1e-290, 1e290


@inner
def blocks(points: Floats) -> int:
    """Return how many blocks there are."""
    return (len(points) + BLOCK - 1) // BLOCK


@inner
def padded(size: int) -> int:
    """Return the next multiple of 16: rests below a register's width cost as much as a register."""
    return (size + 15) // 16 * 16


@inner
def room(points: Floats, arrays: int) -> Floats:
    """Return space for so many arrays of one block, padded with ordinary numbers."""
    n, d = points.shape
    return np.ones((arrays, padded(d * min(n, BLOCK))))


@inner
def part(values: Floats, block: int) -> Floats:
    """Return the values (m,) of one block."""
    return values[block * BLOCK : (block + 1) * BLOCK]


@inner
def axis(x: Floats, i: int, m: int) -> Floats:
    """Return the coordinates (m,) on one axis of a block."""
    return x[i * m : (i + 1) * m]


@inner
def taken(points: Floats, shift: Floats, block: int, into: Floats) -> Floats:
    """Return a block of points, each less the shift (d,)."""
    n, d = points.shape
    start = block * BLOCK
    m = min(BLOCK, n - start)
    if m == 1:
        one = points[start]
        for i in range(d):
            into[i] = one[i] - shift[i]
        return into[: padded(d)]
    for i in range(d):
        row, offset = axis(into, i, m), shift[i]
        for p in range(m):
            row[p] = points[start + p, i] - offset
    return into[: padded(d * m)]


@inner
def rotated(
    x: Floats, d: int, m: int, transposed: Floats, into: Floats, plus: float = 0.0
) -> Floats:
    """Return A x + a constant, by Aᵀ (d d,)."""
    y = into[: len(x)]
    y[: d * m] = plus
    if m == 1:
        for j in range(d):
            row, factor = axis(transposed, j, d), x[j]
            for i in range(d):
                y[i] += factor * row[i]
        return y
    for i in range(d):
        total, column = axis(y, i, m), transposed[i:]
        for j in range(0, d - 3, 4):  # four at a time keep the total in a register
            a, b, c, e = (
                column[j * d],
                column[(j + 1) * d],
                column[(j + 2) * d],
                column[(j + 3) * d],
            )
            first, second = axis(x, j, m), axis(x, j + 1, m)
            third, fourth = axis(x, j + 2, m), axis(x, j + 3, m)
            for p in range(m):
                so_far = (total[p] + a * first[p]) + b * second[p]
                total[p] = (so_far + c * third[p]) + e * fourth[p]
        for j in range(d - d % 4, d):
            a, first = column[j * d], axis(x, j, m)
            for p in range(m):
                total[p] += a * first[p]
    return y


@inner
def oscillate(x: Floats, into: Floats) -> Floats:
    """Return T_osz, element by element."""
    y, strange = into[: len(x)], 0
    for p in range(len(x)):
        size = abs(x[p])
        strange |= 0 if TINY < size < HUGE else 1
        t = logarithm(size)[0] / 0.1
        a, b = (1.0, 0.79) if x[p] > 0.0 else (0.55, 0.31)
        moved = t + 0.49 * (sine(a * t) + sine(b * t))
        product = 0.1 * moved
        grown = exponential(product, fused(0.1, moved, -product))
        y[p] = grown if x[p] > 0.0 else -grown
    if strange:
        for p in range(len(x)):
            if not TINY < abs(x[p]) < HUGE:
                y[p] = oscillated(x[p])
    return y


@inner
def oscillated(x: float) -> float:
    """Return T_osz of one number by the C library, as COCO does, to the last bit."""
    if x == 0.0:
        return 0.0
    t = math.log(abs(x)) / 0.1
    a, b = (1.0, 0.79) if x > 0.0 else (0.55, 0.31)
    size = math.exp(t + 0.49 * (math.sin(a * t) + math.sin(b * t))) ** 0.1
    return math.copysign(size, x)


@inner
def asymmetric(x: Floats, d: int, m: int, beta: float, into: Floats) -> Floats:
    """Return T_asy^beta."""
    y = into[: len(x)]
    if m == 1:
        _asymmetric(x, beta, 0, 1, d, y)
        return y
    for i in range(d):
        _asymmetric(axis(x, i, m), beta, i, 0, d, axis(y, i, m))
    return y


@inner
def _asymmetric(x: Floats, beta: float, first: int, step: int, d: int, y: Floats) -> None:
    """The same for numbers on the axes ``first``, ``first + step``, …"""
    strange = 0
    for p in range(len(x)):
        one = x[p]
        strange |= 0 if one <= 0.0 or TINY < one < 1e4 else 1
        exponent = 1.0 + beta * (first + step * p) / (d - 1.0) * math.sqrt(abs(one))
        y[p] = power(one, exponent) if one > 0.0 else one
    if strange:
        for p in range(len(x)):
            if not (x[p] <= 0.0 or TINY < x[p] < 1e4):
                factor = beta * (first + step * p) / (d - 1.0)
                y[p] = x[p] ** (1.0 + factor * math.sqrt(x[p]))


@inner
def powers(x: Floats, exponent: float, y: Floats) -> None:
    """Write x^exponent (k,) for x ≥ 0, exponents up to 6; y is another array."""
    strange = 0
    for p in range(len(x)):
        strange |= 0 if 1e-50 < x[p] < 1e50 else 1
        y[p] = power(x[p], exponent)
    if strange:
        for p in range(len(x)):
            if not 1e-50 < x[p] < 1e50:
                y[p] = x[p] ** exponent


@inner
def cosines(x: Floats, factor: float, y: Floats) -> None:
    """Write cos(factor · x) (k,)."""
    strange = 0
    for p in range(len(x)):
        angle = factor * x[p]
        strange |= 0 if abs(angle) <= ANGLE else 1
        y[p] = cosine(angle)
    if strange:
        for p in range(len(x)):
            if not abs(factor * x[p]) <= ANGLE:
                y[p] = math.cos(factor * x[p])


@inner
def sines(x: Floats, factor: float, y: Floats) -> None:
    """Write sin(factor · x) (k,)."""
    strange = 0
    for p in range(len(x)):
        angle = factor * x[p]
        strange |= 0 if abs(angle) <= ANGLE else 1
        y[p] = sine(angle)
    if strange:
        for p in range(len(x)):
            if not abs(factor * x[p]) <= ANGLE:
                y[p] = math.sin(factor * x[p])


@inner
def bells(x: Floats, factor: float, y: Floats) -> None:
    """Write exp(−factor · x) (k,) for x ≥ 0."""
    strange = 0
    for p in range(len(x)):
        far = -factor * x[p]
        strange |= 0 if far >= -700.0 else 1
        y[p] = exponential(far, 0.0)
    if strange:
        for p in range(len(x)):
            if not -factor * x[p] >= -700.0:
                y[p] = math.exp(-factor * x[p])


@inner
def add(total: Floats, more: float) -> None:
    """Add a number to each."""
    for p in range(len(total)):
        total[p] += more


@inner
def summed(x: Floats, d: int, total: Floats) -> None:
    """Write Σ x (m,) over the first d axes."""
    m = len(total)
    total[:] = 0.0
    for i in range(d):
        row = axis(x, i, m)
        for p in range(m):
            total[p] += row[p]


@inner
def squares(x: Floats, d: int, total: Floats) -> None:
    """Write Σ x² (m,) over the first d axes."""
    m = len(total)
    total[:] = 0.0
    for i in range(d):
        row = axis(x, i, m)
        for p in range(m):
            total[p] += row[p] * row[p]


@inner
def weighted_squares(x: Floats, scale: Floats, total: Floats) -> None:
    """Write Σ c x² (m,)."""
    m = len(total)
    total[:] = 0.0
    for i in range(len(scale)):
        row, c = axis(x, i, m), scale[i]
        for p in range(m):
            total[p] += c * row[p] * row[p]


@inner
def scaled(x: Floats, m: int, scale: Floats) -> None:
    """Multiply by c, in place."""
    for i in range(len(scale)):
        row, c = axis(x, i, m), scale[i]
        for p in range(m):
            row[p] *= c


@inner
def waves(x: Floats, d: int, into: Floats, total: Floats) -> None:
    """Write 10 (d − Σ cos 2πx) (m,)."""
    y = into[: len(x)]
    cosines(x, 2.0 * math.pi, y)
    summed(y, d, total)
    for p in range(len(total)):
        total[p] = 10.0 * (d - total[p])


@inner
def rastrigin_sum(x: Floats, d: int, into: Floats, more: Floats, total: Floats) -> None:
    """Write 10 (d − Σ cos 2πx) + Σ x² (m,)."""
    waves(x, d, into, total)
    bowl = more[: len(total)]
    squares(x, d, bowl)
    for p in range(len(total)):
        total[p] += bowl[p]


@inner
def outside(points: Floats, block: int, factor: float, total: Floats) -> None:
    """Add factor · f_pen = factor · Σ max(0, |x_i| − 5)² to the totals (m,)."""
    for p in range(len(total)):
        x = points[block * BLOCK + p]
        out = 0
        for i in range(len(x)):
            out |= 1 if abs(x[i]) > 5.0 else 0
        if out:
            penalty = 0.0
            for i in range(len(x)):
                beyond = max(0.0, abs(x[i]) - 5.0)
                penalty += beyond * beyond
            total[p] += factor * penalty

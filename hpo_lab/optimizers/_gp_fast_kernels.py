"""The loops over pairs of rows behind ``gp_fast``; imported late, since numba takes a second.

A row holds ``numbers`` coordinates, then names. With a weight w (1 / length²) a column, the scaled
squared distance r² is Σ w (x - y)² over the numbers and Σ 2 w over the names that differ.
Matérn 5/2 of it: C. E. Rasmussen and C. K. I. Williams (2006), "Gaussian Processes for Machine
Learning", eq. 4.17.
"""

from __future__ import annotations

import math

import numba

from hpo_lab.space import Floats


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def _pair(x: Floats, y: Floats, weights: Floats, numbers: int) -> tuple[float, float]:
    """The correlation of two rows, and -2 times its derivative by r²."""
    squared = 0.0
    for c in range(numbers):
        squared += weights[c] * (x[c] - y[c]) ** 2
    for c in range(numbers, len(x)):
        if x[c] != y[c]:
            squared += 2.0 * weights[c]
    root = math.sqrt(5.0 * squared)
    decay = math.exp(-root)
    return (1.0 + root + root * root / 3.0) * decay, 5.0 / 3.0 * (1.0 + root) * decay


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def cross(
    rows: Floats, others: Floats, weights: Floats, numbers: int, matern: Floats, slope: Floats
) -> None:
    """Fill the correlations (n, m) of rows with others, and their slopes."""
    for i in range(len(rows)):
        for j in range(len(others)):
            matern[i, j], slope[i, j] = _pair(rows[i], others[j], weights, numbers)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def within(rows: Floats, weights: Floats, numbers: int, matern: Floats, slope: Floats) -> None:
    """Fill the lower triangles (n, n) of the rows' correlations with each other, and slopes."""
    for i in range(len(rows)):
        for j in range(i + 1):
            matern[i, j], slope[i, j] = _pair(rows[i], rows[j], weights, numbers)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def contract(rows: Floats, numbers: int, given: Floats, sums: Floats) -> None:
    """Add to sums (columns,) the squared differences of all pairs i > j, weighted by given."""
    for i in range(len(rows)):
        for j in range(i):
            weight = given[i, j]
            for c in range(numbers):
                sums[c] += weight * (rows[i, c] - rows[j, c]) ** 2
            for c in range(numbers, rows.shape[1]):
                if rows[i, c] != rows[j, c]:
                    sums[c] += 2.0 * weight

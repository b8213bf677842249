"""Compiled kernels of the random Fourier field, imported late: importing this file loads numba."""

from __future__ import annotations

import math

import numba
import numpy as np

from hpo_lab.space import Floats
from landscapes._compiled import compiled

_BLOCK = 64  # points summed together, so that the loop runs in vector registers
_SINE = tuple(
    (-1.0) ** k * (2.0 * math.pi) ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(11)
)


@compiled
def field(
    points: Floats, waves: Floats, phases: Floats, out: Floats, start: int, stop: int
) -> None:
    """Write Σ_m cos 2π(w_m·x + b_m) of points (n, d) to ``out``; waves (M, d), phases (M,).

    The cosine is the sine series of the distance to the nearest zero, at most a quarter turn:
    its last term is below 1e-17. No branches, so that blocks of points share vector registers.
    """
    d = points.shape[1]
    block = np.empty((d, _BLOCK))
    turn = np.empty(_BLOCK)
    total = np.empty(_BLOCK)
    for first in range(start, stop, _BLOCK):
        size = min(_BLOCK, stop - first)
        for p in range(size):
            for i in range(d):
                block[i, p] = points[first + p, i]
            total[p] = 0.0
        for m in range(len(phases)):
            for p in range(size):
                turn[p] = phases[m]
            for i in range(d):
                w = waves[m, i]
                for p in range(size):
                    turn[p] += w * block[i, p]
            for p in range(size):
                t = turn[p] - np.floor(turn[p])
                t = 0.25 - min(t, 1.0 - t)
                u = t * t
                s = _SINE[10]
                for k in range(9, -1, -1):
                    s = s * u + _SINE[k]
                total[p] += s * t
        for p in range(size):
            out[first + p] = total[p]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
def _turns(points: Floats, n: int, waves: Floats, phase: float, m: int) -> float:
    turn = phase
    for i in range(points.shape[1]):
        turn += waves[m, i] * points[n, i]
    return 2.0 * math.pi * (turn - math.floor(turn))


@compiled
def taylor(
    points: Floats, waves: Floats, phases: Floats, along: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return value (n,), gradient (n, k) and Hessian (n, k, k) of ``field`` along k directions.

    ``along`` (M, k) are the waves' components (in radians a unit) along the directions.
    """
    n, k = len(points), along.shape[1]
    value, gradient, hessian = np.zeros(n), np.zeros((n, k)), np.zeros((n, k, k))
    for p in range(n):
        for m in range(len(phases)):
            angle = _turns(points, p, waves, phases[m], m)
            cosine, sine = math.cos(angle), math.sin(angle)
            value[p] += cosine
            for i in range(k):
                gradient[p, i] -= sine * along[m, i]
                for j in range(i + 1):
                    hessian[p, i, j] -= cosine * along[m, i] * along[m, j]
        for i in range(k):
            for j in range(i):
                hessian[p, j, i] = hessian[p, i, j]
    return value, gradient, hessian

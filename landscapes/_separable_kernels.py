"""Compiled kernels of the separable landscapes, imported late: importing this file loads numba.

No fast-math: a point's value does not depend on the batch that it comes in. Ripples, 1 − cos 2πt
= 2 sin² πt, are exact to a few units in the last place near their bottoms too.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from hpo_lab.space import Floats, Ints
from landscapes._compiled import compiled

_BLOCK = 64  # points that are worked on together, so that the loops run in vector registers
_WHOLE = 6755399441055744.0  # 1.5 · 2^52: adding and subtracting it rounds to the nearest integer
_SERIES = tuple((-1.0) ** k * math.pi ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(11))
_S0, _S1, _S2, _S3, _S4, _S5, _S6, _S7, _S8, _S9, _S10 = _SERIES


@numba.njit(cache=True, inline="always")  # type: ignore[untyped-decorator, unused-ignore]
def _sin_pi(r: float) -> float:
    """Return sin πr for |r| ≤ 1/2, by its series to r^21: below 1e-17 of the true value."""
    q = r * r
    s = _S10
    s = s * q + _S9
    s = s * q + _S8
    s = s * q + _S7
    s = s * q + _S6
    s = s * q + _S5
    s = s * q + _S4
    s = s * q + _S3
    s = s * q + _S2
    s = s * q + _S1
    s = s * q + _S0
    return s * r


@numba.njit(cache=True, inline="always")  # type: ignore[untyped-decorator, unused-ignore]
def _ripple(t: float) -> float:
    """Return 1 − cos 2πt."""
    s = _sin_pi(t - ((t + _WHOLE) - _WHOLE))
    return 2.0 * s * s


@numba.njit(cache=True, inline="always")  # type: ignore[untyped-decorator, unused-ignore]
def _sine(t: float) -> float:
    """Return sin 2πt."""
    r = t - ((t + _WHOLE) - _WHOLE)
    return _sin_pi(2.0 * math.copysign(min(abs(r), 0.5 - abs(r)), r))


@compiled
def rippled_bowls(
    points: Floats,
    curvature: Floats,
    centres: Floats,
    offsets: Floats,
    height: float,
    waves: float,
    phases: Floats,
    values: Floats,
    labels: Ints,
) -> None:
    """Write min over k of o_k + Σ_i a_ki (x_i − c_ki)², plus ripples that all k have in common.

    The ripples are height · Σ_i (1 − cos 2π waves (x_i − p_i)). Points are (n, d), curvature and
    centres (K, d), offsets (K,), phases (d,); values and labels, the first lowest k, are (n,).
    """
    n, d = points.shape
    count = len(offsets)
    x = np.empty(_BLOCK)
    ripple = np.empty(_BLOCK)
    bowls = np.empty((count, _BLOCK))
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        ripple[:] = 0.0
        for k in range(count):
            for p in range(size):
                bowls[k, p] = offsets[k]
        for i in range(d):
            for p in range(size):
                x[p] = points[start + p, i]
            for p in range(size):
                ripple[p] += _ripple(waves * (x[p] - phases[i]))
            for k in range(count):
                a, c = curvature[k, i], centres[k, i]
                for p in range(size):
                    bowls[k, p] += a * (x[p] - c) * (x[p] - c)
        for p in range(size):
            best = 0
            for k in range(1, count):
                if bowls[k, p] < bowls[best, p]:
                    best = k
            labels[start + p] = best
            values[start + p] = bowls[best, p] + height * ripple[p]


@compiled
def fractal_bowl(
    points: Floats, centre: Floats, bowl: float, heights: Floats, base: float, values: Floats
) -> None:
    """Write Σ_i λ t_i² + Σ_k h_k (1 − cos 2π b^k t_i), t = x − c, for points (n, d).

    ``heights`` are (terms,), values (n,). Phases are kept in [−1/2, 1/2]: b times a phase is a
    phase again.
    """
    n, d = points.shape
    phase = np.empty(_BLOCK)
    total = np.empty(_BLOCK)
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        total[:] = 0.0
        for i in range(d):
            for p in range(size):
                phase[p] = points[start + p, i] - centre[i]
            for p in range(size):
                total[p] += bowl * phase[p] * phase[p]
                phase[p] -= (phase[p] + _WHOLE) - _WHOLE
            for k in range(len(heights)):
                for p in range(size):
                    s = _sin_pi(phase[p])
                    total[p] += heights[k] * (2.0 * s * s)
                    turned = base * phase[p]
                    phase[p] = turned - ((turned + _WHOLE) - _WHOLE)
        for p in range(size):
            values[start + p] = total[p]


@compiled
def gnbg_components(
    points: Floats,
    minima: Floats,
    weights: Floats,
    mu: Floats,
    waves: Floats,
    floors: Floats,
    power: float,
    values: Floats,
    labels: Ints,
) -> None:
    """Write min over k of σ_k + (Σ_i h_ki T_k(x_i − m_ki)²)^λ, and the first such k, both (n,).

    Points are (n, d), minima m and weights h (K, d), mu (K, 2) and waves ω / 2π (K, 4) of the two
    sides, x > m first; floors σ (K,), power λ.
    """
    n, d = points.shape
    values[:] = math.inf
    labels[:] = 0
    log = np.empty(_BLOCK)
    depth = np.empty(_BLOCK)
    first = np.empty(_BLOCK)
    second = np.empty(_BLOCK)
    total = np.empty(_BLOCK)
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        for k in range(len(floors)):
            total[:] = 0.0
            for i in range(d):
                for p in range(size):  # without branches: sides are as random as points
                    a = points[start + p, i] - minima[k, i]
                    left = a < 0.0
                    log[p] = max(abs(a), 1e-300)  # whose T is 0
                    depth[p] = mu[k, 1] if left else mu[k, 0]
                    first[p] = waves[k, 2] if left else waves[k, 0]
                    second[p] = waves[k, 3] if left else waves[k, 1]
                for p in range(size):
                    log[p] = math.log(log[p])
                for p in range(size):
                    swing = _sine(first[p] * log[p]) + _sine(second[p] * log[p])
                    log[p] = 2.0 * (log[p] + depth[p] * swing)
                for p in range(size):
                    total[p] += weights[k, i] * math.exp(log[p])
            for p in range(size):
                value = floors[k] + total[p] ** power
                if value < values[start + p]:
                    values[start + p] = value
                    labels[start + p] = k


@compiled
def boxed(points: Floats, low: Floats, high: Floats, slope: float, values: Floats) -> None:
    """Write 0 where low ≤ x ≤ high, else 1 − slope · mean of |x − c| / reach.

    Points are (n, d), low and high (d,), values (n,); c is the middle of low and high, reach the
    distance from c to the farther of 0 and 1.
    """
    n, d = points.shape
    middle = (low + high) / 2.0
    share = slope / d / np.maximum(middle, 1.0 - middle)
    for p in range(n):
        outside = False
        away = 0.0
        for i in range(d):
            x = points[p, i]
            outside |= (x < low[i]) | (x > high[i])
            away += share[i] * abs(x - middle[i])
        values[p] = 1.0 - away if outside else 0.0

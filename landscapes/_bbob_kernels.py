"""The 24 BBOB functions, compiled; imports numba. Formulas: ``_bbob_instance.Instance``.

Each takes points (n, d) and an instance packed in one array, and returns the values (n,).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from hpo_lab.space import Floats
from landscapes._bbob_math import (
    BLOCK,
    asymmetric,
    bananas,
    blocks,
    inner,
    like,
    oscillate,
    oscillated,
    outside,
    room,
    rotated,
    squares,
    taken,
    waves,
    weighted_squares,
)
from landscapes._compiled import compiled


@inner
def parts(data: Floats, d: int, scales: int) -> tuple[Floats, Floats, Floats]:
    """Return shift (d,), scale (scales,) and sign (d,)."""
    return data[1 : 1 + d], data[1 + d : 1 + d + scales], data[1 + d + scales : 1 + 2 * d + scales]


@inner
def matrix(data: Floats, d: int, scales: int, k: int) -> Floats:
    """Return Aᵀ (k = 0) or Bᵀ (k = 1), (d, d)."""
    start = 1 + 2 * d + scales + k * d * d
    return data[start : start + d * d].reshape(d, d)


@inner
def part(values: Floats, block: int) -> Floats:
    """Return the values (m,) of one block."""
    return values[block * BLOCK : (block + 1) * BLOCK]


@inner
def add(total: Floats, more: float) -> None:
    for p in range(len(total)):
        total[p] += more


@compiled
def sphere(points: Floats, data: Floats) -> Floats:
    """f1."""
    n, d = points.shape
    values, space = np.empty(n), room(points, 1)
    shift, _, _ = parts(data, d, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        squares(taken(points, shift, b, space[0]), total)
        add(total, data[0])
    return values


@compiled
def ellipsoid(points: Floats, data: Floats) -> Floats:
    """f2."""
    n, d = points.shape
    values, space = np.empty(n), room(points, 2)
    shift, scale, _ = parts(data, d, d)
    for b in range(blocks(points)):
        total = part(values, b)
        z = oscillate(taken(points, shift, b, space[0]), space[1])
        weighted_squares(z, scale, total)
        add(total, data[0])
    return values


@compiled
def rastrigin(points: Floats, data: Floats) -> Floats:
    """f3."""
    n, d = points.shape
    values, space, more = np.empty(n), room(points, 2), np.empty(BLOCK)
    shift, scale, _ = parts(data, d, d)
    for b in range(blocks(points)):
        total = part(values, b)
        z = oscillate(taken(points, shift, b, space[0]), space[1])
        z = asymmetric(z, 0.2, space[0])
        for i in range(d):
            z[i] *= scale[i]
        rastrigin_sum(z, space[1], more, total)
        add(total, data[0])
    return values


@inner
def rastrigin_sum(z: Floats, into: Floats, more: Floats, total: Floats) -> None:
    """Write 10 (d − Σ cos 2πz) + Σ z²."""
    waves(z, into, total)
    squares(z, more[: len(total)])
    for p in range(len(total)):
        total[p] += more[p]


@compiled
def bueche_rastrigin(points: Floats, data: Floats) -> Floats:
    """f4."""
    n, d = points.shape
    values, space, more = np.empty(n), room(points, 2), np.empty(BLOCK)
    shift, scale, _ = parts(data, d, d)
    for b in range(blocks(points)):
        total = part(values, b)
        z = oscillate(taken(points, shift, b, space[0]), space[1])
        for i in range(d):
            up = scale[i] * 10.0 if i % 2 == 0 else scale[i]
            for p in range(len(total)):
                z[i, p] *= up if z[i, p] > 0.0 else scale[i]
        rastrigin_sum(z, space[0], more, total)
        add(total, data[0])
        outside(points, b, 100.0, total)
    return values


@compiled
def linear_slope(points: Floats, data: Floats) -> Floats:
    """f5."""
    n, d = points.shape
    values = np.zeros(n)
    _, scale, _ = parts(data, d, d)
    for i in range(d):
        c, edge = scale[i], math.copysign(5.0, scale[i])
        for p in range(n):
            x = points[p, i] if points[p, i] * edge < 25.0 else edge
            values[p] += 5.0 * abs(c) - c * x
    add(values, data[0])
    return values


@compiled
def attractive_sector(points: Floats, data: Floats) -> Floats:
    """f6."""
    n, d = points.shape
    values, space = np.empty(n), room(points, 2)
    shift, _, sign = parts(data, d, 0)
    turn = matrix(data, d, 0, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), turn, space[1])
        total[:] = 0.0
        for i in range(d):
            for p in range(len(total)):
                steep = 1e4 if z[i, p] * sign[i] > 0.0 else 1.0
                total[p] += steep * z[i, p] * z[i, p]
        for p in range(len(total)):
            total[p] = oscillated(total[p]) ** 0.9 + data[0]
    return values


@compiled
def step_ellipsoid(points: Floats, data: Floats) -> Floats:
    """f7."""
    n, d = points.shape
    values, space, first = np.empty(n), room(points, 2), np.empty(BLOCK)
    shift, scale, _ = parts(data, d, d)
    turn, again = matrix(data, d, d, 0), matrix(data, d, d, 1)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), turn, space[1])
        for p in range(len(total)):
            first[p] = abs(z[0, p]) * 1e-4
        for i in range(d):
            for p in range(len(total)):
                fine = math.floor(10.0 * z[i, p] + 0.5) / 10.0
                coarse = math.floor(z[i, p] + 0.5)
                z[i, p] = coarse if abs(z[i, p]) > 0.5 else fine
        weighted_squares(rotated(z, again, space[0]), scale, total)
        for p in range(len(total)):
            total[p] = 0.1 * max(first[p], total[p])
        outside(points, b, 1.0, total)
        add(total, data[0])
    return values


@compiled
def rosenbrock(points: Floats, data: Floats) -> Floats:
    """f8."""
    n, d = points.shape
    values, space = np.empty(n), room(points, 1)
    shift, scale, _ = parts(data, d, d)
    for b in range(blocks(points)):
        total = part(values, b)
        z = taken(points, shift, b, space[0])
        for i in range(d):
            for p in range(len(total)):
                z[i, p] = scale[i] * z[i, p] + 1.0
        bananas(z, total)
        add(total, data[0])
    return values


@compiled
def rotated_rosenbrock(points: Floats, data: Floats) -> Floats:
    """f9."""
    n, d = points.shape
    values, space = np.empty(n), room(points, 2)
    shift, _, _ = parts(data, d, 0)
    turn = matrix(data, d, 0, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), turn, space[1], 0.5)
        bananas(z, total)
        add(total, data[0])
    return values


@compiled
def rotated_ellipsoid(points: Floats, data: Floats) -> Floats:
    """f10, and f11 with its own scale."""
    n, d = points.shape
    values, space = np.empty(n), room(points, 2)
    shift, scale, _ = parts(data, d, d)
    turn = matrix(data, d, d, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), turn, space[1])
        weighted_squares(oscillate(z, space[0]), scale, total)
        add(total, data[0])
    return values


@compiled
def bent_cigar(points: Floats, data: Floats) -> Floats:
    """f12."""
    n, d = points.shape
    values, space = np.empty(n), room(points, 2)
    shift, scale, _ = parts(data, d, d)
    turn, again = matrix(data, d, d, 0), matrix(data, d, d, 1)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), turn, space[1])
        z = rotated(asymmetric(z, 0.5, space[0]), again, space[1])
        weighted_squares(z, scale, total)
        add(total, data[0])
    return values


@compiled
def sharp_ridge(points: Floats, data: Floats) -> Floats:
    """f13."""
    n, d = points.shape
    values, space = np.empty(n), room(points, 2)
    shift, _, _ = parts(data, d, 0)
    turn = matrix(data, d, 0, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), turn, space[1])
        squares(z[1:], total)
        for p in range(len(total)):
            total[p] = 100.0 * math.sqrt(total[p]) + z[0, p] * z[0, p] + data[0]
    return values


@compiled
def different_powers(points: Floats, data: Floats) -> Floats:
    """f14."""
    n, d = points.shape
    values, space = np.empty(n), room(points, 2)
    shift, scale, _ = parts(data, d, d)
    turn = matrix(data, d, d, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), turn, space[1])
        total[:] = 0.0
        for i in range(d):
            for p in range(len(total)):
                total[p] += abs(z[i, p]) ** scale[i]
        for p in range(len(total)):
            total[p] = math.sqrt(total[p]) + data[0]
    return values


@compiled
def rotated_rastrigin(points: Floats, data: Floats) -> Floats:
    """f15."""
    n, d = points.shape
    values, space, more = np.empty(n), room(points, 2), np.empty(BLOCK)
    shift, _, _ = parts(data, d, 0)
    turn, again = matrix(data, d, 0, 0), matrix(data, d, 0, 1)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), turn, space[1])
        z = asymmetric(oscillate(z, space[0]), 0.2, space[1])
        rastrigin_sum(rotated(z, again, space[0]), space[1], more, total)
        add(total, data[0])
    return values


@compiled
def weierstrass(points: Floats, data: Floats) -> Floats:
    """f16."""
    n, d = points.shape
    values, space = np.empty(n), room(points, 2)
    shift, _, _ = parts(data, d, 0)
    turn, again = matrix(data, d, 0, 0), matrix(data, d, 0, 1)
    lowest = 0.0
    for k in range(12):
        lowest += 0.5**k * math.cos(math.pi * 3.0**k)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), turn, space[1])
        z = rotated(oscillate(z, space[0]), again, space[1])
        total[:] = 0.0
        for i in range(d):
            for p in range(len(total)):
                for k in range(12):
                    wave = math.cos(2.0 * math.pi * (z[i, p] + 0.5) * 3.0**k)
                    total[p] += wave * 0.5**k
        for p in range(len(total)):
            above = total[p] / d - lowest
            total[p] = 10.0 * (above * above * above) + data[0]
        outside(points, b, 10.0 / d, total)
    return values


@compiled
def schaffers(points: Floats, data: Floats) -> Floats:
    """f17 and f18."""
    n, d = points.shape
    values, space = np.empty(n), room(points, 2)
    shift, _, _ = parts(data, d, 0)
    turn, again = matrix(data, d, 0, 0), matrix(data, d, 0, 1)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), turn, space[1])
        z = rotated(asymmetric(z, 0.5, space[0]), again, space[1])
        total[:] = 0.0
        for i in range(d - 1):
            for p in range(len(total)):
                square = z[i, p] * z[i, p] + z[i + 1, p] * z[i + 1, p]
                wave = math.sin(50.0 * square**0.1)
                total[p] += math.sqrt(math.sqrt(square)) * (1.0 + wave * wave)
        for p in range(len(total)):
            mean = total[p] / (d - 1.0)
            total[p] = mean * mean + data[0]
        outside(points, b, 10.0, total)
    return values


@compiled
def griewank_rosenbrock(points: Floats, data: Floats) -> Floats:
    """f19."""
    n, d = points.shape
    values, space = np.empty(n), room(points, 2)
    shift, _, _ = parts(data, d, 0)
    turn = matrix(data, d, 0, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), turn, space[1])
        add(z.reshape(z.size), 0.5)
        total[:] = 0.0
        for i in range(d - 1):
            for p in range(len(total)):
                across, along = z[i, p] * z[i, p] - z[i + 1, p], 1.0 - z[i, p]
                term = 100.0 * across * across + along * along
                total[p] += term / 4000.0 - math.cos(term)
        for p in range(len(total)):
            total[p] = 10.0 + 10.0 * total[p] / (d - 1.0) + data[0]
    return values


@compiled
def schwefel(points: Floats, data: Floats) -> Floats:
    """f20."""
    n, d = points.shape
    values, space, more = np.empty(n), room(points, 2), np.empty(BLOCK)
    shift, scale, sign = parts(data, d, d)
    middle = 4.2096874637
    for b in range(blocks(points)):
        total, beyond = part(values, b), more
        x = taken(points, shift, b, space[0])
        z = like(space[1], x)
        total[:] = 0.0
        beyond[:] = 0.0
        for i in range(d):
            for p in range(len(total)):
                y = 2.0 * sign[i] * x[i, p]
                if i > 0:
                    y += 0.25 * (2.0 * sign[i - 1] * x[i - 1, p] - middle)
                one = 100.0 * (scale[i] * (y - middle) + middle)
                z[i, p] = one
                far = max(0.0, abs(one) - 500.0)
                beyond[p] += far * far
                total[p] += one * math.sin(math.sqrt(abs(one)))
        for p in range(len(total)):
            total[p] = 0.01 * (beyond[p] + 418.9828872724339 - total[p] / d) + data[0]
    return values


@inner
def gallagher(points: Floats, data: Floats, peaks: int) -> Floats:
    """f21 and f22."""
    n, d = points.shape
    values, space, more = np.empty(n), room(points, 2), np.empty(BLOCK)
    shift, _, _ = parts(data, d, 0)
    turn, start, size = matrix(data, d, 0, 0), 1 + 2 * d + d * d, peaks * d
    centres = data[start : start + size].reshape(peaks, d)
    curvature = data[start + size : start + 2 * size].reshape(peaks, d)
    weights = data[start + 2 * size :]
    for b in range(blocks(points)):
        total, far = part(values, b), more
        z = rotated(taken(points, shift, b, space[0]), turn, space[1])
        total[:] = 0.0
        for k in range(peaks):
            far[:] = 0.0
            for i in range(d):
                for p in range(len(total)):
                    away = z[i, p] - centres[k, i]
                    far[p] += curvature[k, i] * away * away
            for p in range(len(total)):
                total[p] = max(total[p], weights[k] * math.exp(-0.5 / d * far[p]))
        for p in range(len(total)):
            value = oscillated(10.0 - total[p])
            total[p] = value * value
        outside(points, b, 1.0, total)
        add(total, data[0])
    return values


@compiled
def gallagher_101(points: Floats, data: Floats) -> Floats:
    """f21."""
    return gallagher(points, data, 101)


@compiled
def gallagher_21(points: Floats, data: Floats) -> Floats:
    """f22."""
    return gallagher(points, data, 21)


@compiled
def katsuura(points: Floats, data: Floats) -> Floats:
    """f23."""
    n, d = points.shape
    values, space = np.empty(n), room(points, 2)
    shift, _, _ = parts(data, d, 0)
    turn = matrix(data, d, 0, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), turn, space[1])
        total[:] = 1.0
        for i in range(d):
            for p in range(len(total)):
                rough = 0.0
                for j in range(1, 33):
                    fine = 2.0**j * z[i, p]
                    rough += abs(fine - math.floor(fine + 0.5)) / 2.0**j
                total[p] *= (1.0 + (i + 1.0) * rough) ** (10.0 / d**1.2)
        for p in range(len(total)):
            total[p] = 10.0 / d / d * (total[p] - 1.0) + data[0]
        outside(points, b, 1.0, total)
    return values


@compiled
def lunacek(points: Floats, data: Floats) -> Floats:
    """f24."""
    n, d = points.shape
    values, space, more = np.empty(n), room(points, 2), np.empty((2, BLOCK))
    shift, scale, sign = parts(data, d, 2)
    turn, again = matrix(data, d, 2, 0), matrix(data, d, 2, 1)
    better, worse = 2.5, scale[1]
    for b in range(blocks(points)):
        total = part(values, b)
        x = taken(points, shift, b, space[0])
        more[:] = 0.0
        for i in range(d):
            for p in range(len(total)):
                x_hat = 2.0 * sign[i] * x[i, p]
                more[0, p] += (x_hat - better) * (x_hat - better)
                more[1, p] += (x_hat - worse) * (x_hat - worse)
                x[i, p] = x_hat - better
        z = rotated(rotated(x, turn, space[1]), again, space[0])
        waves(z, space[1], total)
        for p in range(len(total)):
            total[p] += min(more[0, p], d + scale[0] * more[1, p])
        outside(points, b, 1e4, total)
        add(total, data[0])
    return values


KERNELS: tuple[Callable[[Floats, Floats], Floats], ...] = (
    sphere,
    ellipsoid,
    rastrigin,
    bueche_rastrigin,
    linear_slope,
    attractive_sector,
    step_ellipsoid,
    rosenbrock,
    rotated_rosenbrock,
    rotated_ellipsoid,
    rotated_ellipsoid,
    bent_cigar,
    sharp_ridge,
    different_powers,
    rotated_rastrigin,
    weierstrass,
    schaffers,
    schaffers,
    griewank_rosenbrock,
    schwefel,
    gallagher_101,
    gallagher_21,
    katsuura,
    lunacek,
)

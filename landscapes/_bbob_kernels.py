"""The 24 BBOB functions, compiled; imports numba. Formulas: ``_bbob_instance.Instance``.

Each writes the values (n,) of points (n, d); ``data`` is an instance packed in one array.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from hpo_lab.space import Floats
from landscapes._bbob_elementary import inner
from landscapes._bbob_math import (
    BLOCK,
    add,
    asymmetric,
    axis,
    bells,
    blocks,
    cosines,
    oscillate,
    oscillated,
    outside,
    padded,
    part,
    powers,
    rastrigin_sum,
    room,
    rotated,
    scaled,
    sines,
    squares,
    summed,
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
    """Return Aᵀ (k = 0) or Bᵀ (k = 1), (d d,)."""
    start = 1 + 2 * d + scales + k * d * d
    return data[start : start + d * d]


@compiled
def sphere(points: Floats, data: Floats, values: Floats) -> None:
    """f1."""
    d, space = points.shape[1], room(points, 1)
    shift, _, _ = parts(data, d, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        squares(taken(points, shift, b, space[0]), d, total)
        add(total, data[0])


@compiled
def ellipsoid(points: Floats, data: Floats, values: Floats) -> None:
    """f2."""
    d, space = points.shape[1], room(points, 2)
    shift, scale, _ = parts(data, d, d)
    for b in range(blocks(points)):
        total = part(values, b)
        z = oscillate(taken(points, shift, b, space[0]), space[1])
        weighted_squares(z, scale, total)
        add(total, data[0])


@compiled
def rastrigin(points: Floats, data: Floats, values: Floats) -> None:
    """f3."""
    d, space, more = points.shape[1], room(points, 2), np.empty(BLOCK)
    shift, scale, _ = parts(data, d, d)
    for b in range(blocks(points)):
        total = part(values, b)
        z = oscillate(taken(points, shift, b, space[0]), space[1])
        z = asymmetric(z, d, len(total), 0.2, space[0])
        scaled(z, len(total), scale)
        rastrigin_sum(z, d, space[1], more, total)
        add(total, data[0])


@compiled
def bueche_rastrigin(points: Floats, data: Floats, values: Floats) -> None:
    """f4."""
    d, space, more = points.shape[1], room(points, 2), np.empty(BLOCK)
    shift, scale, _ = parts(data, d, d)
    for b in range(blocks(points)):
        total = part(values, b)
        z = oscillate(taken(points, shift, b, space[0]), space[1])
        for i in range(d):
            down, row = scale[i], axis(z, i, len(total))
            up = down * 10.0 if i % 2 == 0 else down
            for p in range(len(total)):
                row[p] *= up if row[p] > 0.0 else down
        rastrigin_sum(z, d, space[0], more, total)
        add(total, data[0])
        outside(points, b, 100.0, total)


@compiled
def linear_slope(points: Floats, data: Floats, values: Floats) -> None:
    """f5."""
    d, space = points.shape[1], room(points, 1)
    shift, scale, _ = parts(data, d, d)
    for b in range(blocks(points)):
        total = part(values, b)
        x = taken(points, shift, b, space[0])
        total[:] = 0.0
        for i in range(d):
            c, edge, row = scale[i], math.copysign(5.0, scale[i]), axis(x, i, len(total))
            for p in range(len(total)):
                total[p] += 5.0 * abs(c) - c * (edge if row[p] * edge >= 25.0 else row[p])
        add(total, data[0])


@compiled
def attractive_sector(points: Floats, data: Floats, values: Floats) -> None:
    """f6."""
    d, space, more = points.shape[1], room(points, 2), np.empty((2, BLOCK))
    shift, _, sign = parts(data, d, 0)
    turn = matrix(data, d, 0, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), d, len(total), turn, space[1])
        steep, moved = more[0][: len(total)], more[1][: len(total)]
        steep[:] = 0.0
        for i in range(d):
            row, side = axis(z, i, len(total)), sign[i]
            for p in range(len(total)):
                steep[p] += (1e4 if row[p] * side > 0.0 else 1.0) * row[p] * row[p]
        oscillate(steep, moved)
        powers(moved, 0.9, total)
        add(total, data[0])


@compiled
def step_ellipsoid(points: Floats, data: Floats, values: Floats) -> None:
    """f7."""
    d, space, first = points.shape[1], room(points, 2), np.empty(BLOCK)
    shift, scale, _ = parts(data, d, d)
    turn, again = matrix(data, d, d, 0), matrix(data, d, d, 1)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), d, len(total), turn, space[1])
        for p in range(len(total)):
            first[p] = abs(z[p]) * 1e-4
        for p in range(len(z)):
            fine, coarse = math.floor(10.0 * z[p] + 0.5) / 10.0, math.floor(z[p] + 0.5)
            z[p] = coarse if abs(z[p]) > 0.5 else fine
        weighted_squares(rotated(z, d, len(total), again, space[0]), scale, total)
        for p in range(len(total)):
            total[p] = 0.1 * max(first[p], total[p])
        outside(points, b, 1.0, total)
        add(total, data[0])


@inner
def bananas(z: Floats, d: int, more: Floats, total: Floats) -> None:
    """Write 100 Σ (z_i² − z_{i+1})² + Σ (z_i − 1)² (m,)."""
    m = len(total)
    along = more[:m]
    along[:] = 0.0
    total[:] = 0.0
    for i in range(d - 1):
        row, following = axis(z, i, m), axis(z, i + 1, m)
        for p in range(m):
            a, b = row[p] * row[p] - following[p], row[p] - 1.0
            total[p] += a * a
            along[p] += b * b
    for p in range(m):
        total[p] = 100.0 * total[p] + along[p]


@compiled
def rosenbrock(points: Floats, data: Floats, values: Floats) -> None:
    """f8."""
    d, space, more = points.shape[1], room(points, 1), np.empty(BLOCK)
    shift, scale, _ = parts(data, d, d)
    for b in range(blocks(points)):
        total = part(values, b)
        z = taken(points, shift, b, space[0])
        for p in range(len(z)):
            z[p] = scale[0] * z[p] + 1.0
        bananas(z, d, more, total)
        add(total, data[0])


@compiled
def rotated_rosenbrock(points: Floats, data: Floats, values: Floats) -> None:
    """f9."""
    d, space, more = points.shape[1], room(points, 2), np.empty(BLOCK)
    shift, _, _ = parts(data, d, 0)
    turn = matrix(data, d, 0, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        bananas(
            rotated(taken(points, shift, b, space[0]), d, len(total), turn, space[1], 0.5),
            d,
            more,
            total,
        )
        add(total, data[0])


@compiled
def rotated_ellipsoid(points: Floats, data: Floats, values: Floats) -> None:
    """f10, and f11 with its own scale."""
    d, space = points.shape[1], room(points, 2)
    shift, scale, _ = parts(data, d, d)
    turn = matrix(data, d, d, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), d, len(total), turn, space[1])
        weighted_squares(oscillate(z, space[0]), scale, total)
        add(total, data[0])


@compiled
def bent_cigar(points: Floats, data: Floats, values: Floats) -> None:
    """f12."""
    d, space = points.shape[1], room(points, 2)
    shift, scale, _ = parts(data, d, d)
    turn, again = matrix(data, d, d, 0), matrix(data, d, d, 1)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), d, len(total), turn, space[1])
        z = rotated(asymmetric(z, d, len(total), 0.5, space[0]), d, len(total), again, space[1])
        weighted_squares(z, scale, total)
        add(total, data[0])


@compiled
def sharp_ridge(points: Floats, data: Floats, values: Floats) -> None:
    """f13."""
    d, space = points.shape[1], room(points, 2)
    shift, _, _ = parts(data, d, 0)
    turn = matrix(data, d, 0, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), d, len(total), turn, space[1])
        squares(z[len(total) :], d - 1, total)
        for p in range(len(total)):
            total[p] = 100.0 * math.sqrt(total[p]) + z[p] * z[p] + data[0]


@compiled
def different_powers(points: Floats, data: Floats, values: Floats) -> None:
    """f14."""
    d, space = points.shape[1], room(points, 2)
    shift, scale, _ = parts(data, d, d)
    turn = matrix(data, d, d, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), d, len(total), turn, space[1])
        y = space[0][: len(z)]
        for p in range(len(z)):
            z[p] = abs(z[p])
        for i in range(d):
            powers(axis(z, i, len(total)), scale[i], axis(y, i, len(total)))
        summed(y, d, total)
        for p in range(len(total)):
            total[p] = math.sqrt(total[p]) + data[0]


@compiled
def rotated_rastrigin(points: Floats, data: Floats, values: Floats) -> None:
    """f15."""
    d, space, more = points.shape[1], room(points, 2), np.empty(BLOCK)
    shift, _, _ = parts(data, d, 0)
    turn, again = matrix(data, d, 0, 0), matrix(data, d, 0, 1)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), d, len(total), turn, space[1])
        z = asymmetric(oscillate(z, space[0]), d, len(total), 0.2, space[1])
        rastrigin_sum(rotated(z, d, len(total), again, space[0]), d, space[1], more, total)
        add(total, data[0])


@compiled
def weierstrass(points: Floats, data: Floats, values: Floats) -> None:
    """f16."""
    d, space = points.shape[1], room(points, 2)
    shift, _, _ = parts(data, d, 0)
    turn, again = matrix(data, d, 0, 0), matrix(data, d, 0, 1)
    waves_of_one = np.empty((12, max(padded(d), BLOCK)))
    lowest = 0.0
    for k in range(12):
        lowest += 0.5**k * math.cos(math.pi * 3.0**k)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), d, len(total), turn, space[1])
        for p in range(d * len(total)):  # 3¹¹ magnifies the last bit
            z[p] = oscillated(z[p])
        z = rotated(z, d, len(total), again, space[0])
        for p in range(len(z)):
            z[p] = 2.0 * math.pi * (z[p] + 0.5)
        total[:] = 0.0
        if len(total) == 1:
            octaves(z, waves_of_one)
            for i in range(d):
                for k in range(12):
                    total[0] += waves_of_one[k, i]
        else:
            for i in range(d):
                octaves(axis(z, i, len(total)), waves_of_one)
                for k in range(12):
                    row = waves_of_one[k]
                    for p in range(len(total)):
                        total[p] += row[p]
        for p in range(len(total)):
            above = total[p] / d - lowest
            total[p] = 10.0 * (above * above * above) + data[0]
        outside(points, b, 10.0 / d, total)


@inner
def octaves(x: Floats, into: Floats) -> None:
    """Write 2^-k cos(3^k x) for k = 0 … 11."""
    for k in range(12):
        row, size = into[k][: len(x)], 0.5**k
        cosines(x, 3.0**k, row)
        for p in range(len(x)):
            row[p] *= size


@compiled
def schaffers(points: Floats, data: Floats, values: Floats) -> None:
    """f17 and f18."""
    d, space = points.shape[1], room(points, 3)
    shift, _, _ = parts(data, d, 0)
    turn, again = matrix(data, d, 0, 0), matrix(data, d, 0, 1)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), d, len(total), turn, space[1])
        z = rotated(asymmetric(z, d, len(total), 0.5, space[0]), d, len(total), again, space[1])
        for i in range(d - 1):
            row, following = axis(z, i, len(total)), axis(z, i + 1, len(total))
            for p in range(len(total)):
                row[p] = row[p] * row[p] + following[p] * following[p]
        axis(z, d - 1, len(total))[:] = 1.0  # stays over
        wave, root = space[0][: len(z)], space[2][: len(z)]
        for p in range((d - 1) * len(total)):  # magnified 50 times: the last bit counts
            root[p] = z[p] ** 0.1
        sines(root, 50.0, wave)
        powers(z, 0.25, root)
        for p in range(len(z)):
            root[p] *= 1.0 + wave[p] * wave[p]
        summed(root, d - 1, total)
        for p in range(len(total)):
            mean = total[p] / (d - 1.0)
            total[p] = mean * mean + data[0]
        outside(points, b, 10.0, total)


@compiled
def griewank_rosenbrock(points: Floats, data: Floats, values: Floats) -> None:
    """f19."""
    d, space = points.shape[1], room(points, 2)
    shift, _, _ = parts(data, d, 0)
    turn = matrix(data, d, 0, 0)
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), d, len(total), turn, space[1])
        add(z, 0.5)
        for i in range(d - 1):  # the last axis stays over
            row, following = axis(z, i, len(total)), axis(z, i + 1, len(total))
            for p in range(len(total)):
                across, along = row[p] * row[p] - following[p], 1.0 - row[p]
                row[p] = 100.0 * across * across + along * along
        wave = space[0][: len(z)]
        cosines(z, 1.0, wave)
        for p in range(len(z)):
            wave[p] = z[p] / 4000.0 - wave[p]
        summed(wave, d - 1, total)
        for p in range(len(total)):
            total[p] = 10.0 + 10.0 * total[p] / (d - 1.0) + data[0]


@compiled
def schwefel(points: Floats, data: Floats, values: Floats) -> None:
    """f20."""
    d, space, more = points.shape[1], room(points, 3), np.empty(BLOCK)
    shift, scale, sign = parts(data, d, d)
    middle = 4.2096874637
    for b in range(blocks(points)):
        total = part(values, b)
        x = taken(points, shift, b, space[0])
        z, wave = space[1][: len(x)], space[2][: len(x)]
        beyond = more[: len(total)]
        beyond[:] = 0.0
        for i in range(d):
            j, share = (i - 1, 0.25) if i > 0 else (0, 0.0)
            row, before, into = (
                axis(x, i, len(total)),
                axis(x, j, len(total)),
                axis(z, i, len(total)),
            )
            c, side, turn = scale[i], 2.0 * sign[i], 2.0 * sign[j]
            for p in range(len(total)):
                one = side * row[p] + share * (turn * before[p] - middle)
                into[p] = 100.0 * (c * (one - middle) + middle)
                far = max(0.0, abs(into[p]) - 500.0)
                beyond[p] += far * far
        for p in range(len(z)):
            x[p] = math.sqrt(abs(z[p]))
        sines(x, 1.0, wave)
        for p in range(len(z)):
            wave[p] *= z[p]
        summed(wave, d, total)
        for p in range(len(total)):
            total[p] = 0.01 * (beyond[p] + 418.9828872724339 - total[p] / d) + data[0]


@inner
def higher(a: float, b: float) -> float:
    """Return the greater, and nan where b is none."""
    return a if b <= a else b


@inner
def gallagher(points: Floats, data: Floats, peaks: int, values: Floats) -> None:
    """f21 and f22."""
    d, space, more = points.shape[1], room(points, 2), np.empty((2, max(BLOCK, padded(peaks))))
    shift, _, _ = parts(data, d, 0)
    turn, start, wide = matrix(data, d, 0, 0), 1 + 2 * d + d * d, padded(peaks)
    centres, curvature = data[start : start + d * wide], data[start + d * wide :]
    weights = data[start + 2 * d * wide :]
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), d, len(total), turn, space[1])
        total[:] = 0.0
        if len(total) == 1:
            far, bell = more[0][:wide], more[1][:wide]
            distances_of_one(z, d, centres, curvature, far)
            bells(far, 0.5 / d, bell)
            for k in range(peaks):
                total[0] = higher(total[0], weights[k] * bell[k])
        else:
            far, bell = more[0][: len(total)], more[1][: len(total)]
            for k in range(peaks):
                distances(z, d, centres[k:], curvature[k:], wide, far)
                bells(far, 0.5 / d, bell)
                for p in range(len(total)):
                    total[p] = higher(total[p], weights[k] * bell[p])
        for p in range(len(total)):
            total[p] = 10.0 - total[p]
        moved = more[0][: len(total)]
        oscillate(total, moved)
        for p in range(len(total)):
            total[p] = moved[p] * moved[p]
        outside(points, b, 1.0, total)
        add(total, data[0])


@inner
def distances(z: Floats, d: int, centre: Floats, curvature: Floats, step: int, far: Floats) -> None:
    """Write Σ_i a_i (z_i − C_i)² (m,) of points (d m,) from a peak, every ``step``-th number."""
    m = len(far)
    far[:] = 0.0
    for i in range(d):
        row, a, c = axis(z, i, m), curvature[i * step], centre[i * step]
        for p in range(m):
            far[p] += a * (row[p] - c) * (row[p] - c)


@inner
def distances_of_one(z: Floats, d: int, centres: Floats, curvature: Floats, far: Floats) -> None:
    """Write the same (K,) of one point (d,) from every peak."""
    peaks = len(far)
    far[:] = 0.0
    for i in range(d):
        one, a, c = z[i], axis(curvature, i, peaks), axis(centres, i, peaks)
        for k in range(peaks):
            far[k] += a[k] * (one - c[k]) * (one - c[k])


@compiled
def gallagher_101(points: Floats, data: Floats, values: Floats) -> None:
    """f21."""
    gallagher(points, data, 101, values)


@compiled
def gallagher_21(points: Floats, data: Floats, values: Floats) -> None:
    """f22."""
    gallagher(points, data, 21, values)


@compiled
def katsuura(points: Floats, data: Floats, values: Floats) -> None:
    """f23."""
    d, space = points.shape[1], room(points, 2)
    shift, _, _ = parts(data, d, 0)
    turn, exponent = matrix(data, d, 0, 0), 10.0 / d**1.2
    for b in range(blocks(points)):
        total = part(values, b)
        z = rotated(taken(points, shift, b, space[0]), d, len(total), turn, space[1])
        y = space[0][: len(z)]
        roughness(z, y)
        for i in range(d):
            row = axis(y, i, len(total))
            for p in range(len(total)):
                row[p] = 1.0 + (i + 1.0) * row[p]
        y[d * len(total) :] = 1.0
        powers(y, exponent, z)
        total[:] = 1.0
        for i in range(d):
            row = axis(z, i, len(total))
            for p in range(len(total)):
                total[p] *= row[p]
        for p in range(len(total)):
            total[p] = 10.0 / d / d * (total[p] - 1.0) + data[0]
        outside(points, b, 1.0, total)


@inner
def roughness(x: Floats, y: Floats) -> None:
    """Write Σ_j |2^j x − round(2^j x)| / 2^j for j = 1 … 32."""
    y[:] = 0.0
    for j in range(1, 33):
        finer, coarser = 2.0**j, 0.5**j
        for p in range(len(x)):
            fine = finer * x[p]
            y[p] += abs(fine - math.floor(fine + 0.5)) * coarser


@compiled
def lunacek(points: Floats, data: Floats, values: Floats) -> None:
    """f24."""
    d, space, more = points.shape[1], room(points, 2), np.empty((2, BLOCK))
    shift, scale, sign = parts(data, d, 2)
    turn, again = matrix(data, d, 2, 0), matrix(data, d, 2, 1)
    for b in range(blocks(points)):
        total = part(values, b)
        x = taken(points, shift, b, space[0])
        better, worse = more[0][: len(total)], more[1][: len(total)]
        better[:] = 0.0
        worse[:] = 0.0
        for i in range(d):
            row, side, far = axis(x, i, len(total)), 2.0 * sign[i], scale[1]
            for p in range(len(total)):
                x_hat = side * row[p]
                row[p] = x_hat - 2.5
                better[p] += row[p] * row[p]
                worse[p] += (x_hat - far) * (x_hat - far)
        z = rotated(x, d, len(total), turn, space[1])
        z = rotated(z, d, len(total), again, space[0])
        waves(z, d, space[1], total)
        for p in range(len(total)):
            total[p] += min(better[p], d + scale[0] * worse[p])
        outside(points, b, 1e4, total)
        add(total, data[0])


KERNELS: tuple[Callable[[Floats, Floats, Floats], None], ...] = (
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

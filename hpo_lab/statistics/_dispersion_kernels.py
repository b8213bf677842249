"""Compiled loops over pairs of points and over restarts; imported late, since numba takes a second.

All take points (n, d) in the unit cube, C-contiguous.
"""

from __future__ import annotations

import numba

from hpo_lab.statistics._arrays import Floats, Ints


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def discrepancy_sums(unit: Floats, single: Floats, double: Floats) -> None:
    """Fill running sums (n,) over the first points of the two terms of the centred discrepancy.

    Hickernell 1998, eq. 5.7: single adds prod(1 + |z|/2 - z^2/2), double adds both halves of
    prod(1 + |z_i|/2 + |z_j|/2 - |x_i - x_j|/2), with z = x - 1/2.
    """
    n, d = unit.shape
    first, second = 0.0, 0.0
    for i in range(n):
        alone = 1.0
        own = 1.0
        for a in range(d):
            z = abs(unit[i, a] - 0.5)
            alone *= 1.0 + 0.5 * z - 0.5 * z * z
            own *= 1.0 + z
        row = 0.0
        for j in range(i):
            both = 1.0
            for a in range(d):
                x, y = unit[i, a], unit[j, a]
                both *= 1.0 + 0.5 * (abs(x - 0.5) + abs(y - 0.5) - abs(x - y))
            row += both
        first += alone
        second += 2.0 * row + own
        single[i] = first
        double[i] = second


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def largest_rectangle(points: Floats, best: Floats) -> float:
    """The largest empty rectangle of the unit square that touches a point above or below.

    ``points`` in order of their second axis. A maximal rectangle rests on a point, hangs from one,
    or goes from wall to wall (left to the caller). From each point one sweep goes up, to every
    ceiling, and one goes down to the lower wall. Fills best (4,) with left, low, right, high.
    """
    n = len(points)
    area = 0.0
    for i in range(n):
        for up in (True, False):
            left, right = 0.0, 1.0
            here = points[i, 1]
            blocked = False
            j = i
            while True:
                j = j + 1 if up else j - 1
                if j < 0 or j == n:
                    break
                there = points[j, 1]
                if there == here:
                    continue
                if up and (right - left) * (there - here) > area:
                    area = (right - left) * (there - here)
                    best[:] = left, here, right, there
                if points[j, 0] < points[i, 0]:
                    left = max(left, points[j, 0])
                elif points[j, 0] > points[i, 0]:
                    right = min(right, points[j, 0])
                else:
                    blocked = True
                    break
            low, high = (here, 1.0) if up else (0.0, here)
            if not blocked and (right - left) * (high - low) > area:
                area = (right - left) * (high - low)
                best[:] = left, low, right, high
    return area


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def grown_box(unit: Floats, centre: Floats, order: Ints, low: Floats, high: Floats) -> float:
    """Cut the cube to an empty box around a centre: greedily, nearest points (``order``) first.

    Each point that is still inside is cut off by the face that leaves the largest volume. Fills
    low and high (d,), returns the volume.
    """
    d = len(centre)
    low[:] = 0.0
    high[:] = 1.0
    for k in order:
        inside = True
        for a in range(d):
            if not low[a] < unit[k, a] < high[a]:
                inside = False
                break
        if not inside:
            continue
        axis, kept = -1, -1.0
        for a in range(d):
            x = unit[k, a]
            if x == centre[a]:
                continue
            left = high[a] - x if x < centre[a] else x - low[a]
            share = left / (high[a] - low[a])
            if share > kept:
                axis, kept = a, share
        if axis < 0:
            return 0.0  # the centre is a point
        if unit[k, axis] < centre[axis]:
            low[axis] = unit[k, axis]
        else:
            high[axis] = unit[k, axis]
    volume = 1.0
    for a in range(d):
        volume *= high[a] - low[a]
    return volume

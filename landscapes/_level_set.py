"""How much of a cube lies below a level of the lowest of quadratic bowls: a union of ellipsoids.

Intervals on the line; in the plane, bowls of one shape are discs cut by the polygons of their
power diagram; elsewhere V_d r^d / det F for an ellipsoid inside the cube that meets no other, and
the rest by points drawn in the ellipsoids themselves, of which each counts where its bowl is the
lowest. Source of the last: Karp & Luby 1983 (the union of sets problem).
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from hpo_lab.space import Bools, Floats, Ints
from landscapes._power import PowerDiagram, flat_cell
from landscapes._quadrics import Quadrics
from landscapes._share import Share

DRAWN = 2**14  # points in an ellipsoid, whose standard error is then below 0.4 % of its volume
IN_CUBE = 2**18  # points in the cube, where the ellipsoids are larger than it
SPLITS = np.linspace(0.0, 1.0, 65)[1:-1]  # weights with which two ellipsoids are tried apart


def share_below(
    quadrics: Quadrics,
    diagram: PowerDiagram | None,
    level: float,
    low: float,
    high: float,
    rng: np.random.Generator,
) -> Share:
    """Return the share of [low, high]^d in which the lowest s_k is at most ``level``.

    ``diagram`` is the power diagram of bowls that have one shape, else None.
    """
    if math.isinf(level):
        return Share(1.0, 0.0, "exact: no point lies above that level")
    deep = np.flatnonzero(quadrics.offsets < level)
    d = quadrics.centres.shape[1]
    if d == 1:
        return Share(_line(quadrics, deep, level, low, high), 0.0, "exact: intervals")
    if d == 2 and diagram is not None:
        areas = [_disc_in_cell(diagram, int(k), level, low, high) for k in deep]
        return Share(math.fsum(areas) / (high - low) ** d, 0.0, "exact: discs cut by polygons")
    return _ellipsoids(quadrics, deep, level, low, high, rng)


def _line(quadrics: Quadrics, deep: Ints, level: float, low: float, high: float) -> float:
    """The share of the interval that the union of intervals covers."""
    reach = np.sqrt((level - quadrics.offsets[deep]) / quadrics.curvature[deep, 0])
    centre = quadrics.centres[deep, 0]
    starts, ends = np.clip([centre - reach, centre + reach], low, high)
    order = np.argsort(starts)
    covered = np.maximum.accumulate(np.concatenate([[low], ends[order]]))
    new = np.maximum(covered[1:] - np.maximum(starts[order], covered[:-1]), 0.0)
    return float(new.sum() / (high - low))


def _disc_in_cell(diagram: PowerDiagram, k: int, level: float, low: float, high: float) -> float:
    """The area of an ellipse in its own cell and in the square: a disc, where F is undone."""
    corners = (flat_cell(diagram, k, low, high) - diagram.centres[k]) @ diagram.factor.T
    area = disc_in_polygon(corners, math.sqrt(max(level - float(diagram.offsets[k]), 0.0)))
    return area / abs(float(np.linalg.det(diagram.factor)))


def disc_in_polygon(corners: Floats, radius: float) -> float:
    """Return the area that a disc around the origin has in a polygon (m, 2).

    Green's theorem: along an edge inside the disc the integrand is that of the polygon, outside
    it is that of the arc.

    >>> square = np.array([[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 9.0]])
    >>> abs(disc_in_polygon(square, 1.0) - math.pi / 4) < 1e-15
    True
    """
    area = 0.0
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        way = end - start
        a, b = float(way @ way), float(start @ way)
        c = float(start @ start) - radius**2
        root = math.sqrt(max(b * b - a * c, 0.0))
        met = [] if a == 0.0 else np.clip([(-b - root) / a, (-b + root) / a], 0.0, 1.0).tolist()
        cuts = [0.0, *met, 1.0]
        for one, other in itertools.pairwise(cuts):
            p, q = start + one * way, start + other * way
            cross, middle = float(p[0] * q[1] - p[1] * q[0]), (p + q) / 2.0
            inside = float(middle @ middle) <= radius**2
            area += cross if inside else radius**2 * math.atan2(cross, float(p @ q))
    return abs(area) / 2.0


def _ellipsoids(
    quadrics: Quadrics,
    deep: Ints,
    level: float,
    low: float,
    high: float,
    rng: np.random.Generator,
) -> Share:
    radius = np.sqrt(level - quadrics.offsets[deep])
    factors, centres = quadrics.factors[deep], quadrics.centres[deep]
    shares = _volumes(factors, radius) / (high - low) ** factors.shape[1]
    alone = _inside(factors, centres, radius, low, high) & _apart(factors, centres, radius)
    known = float(shares[alone].sum())
    rest = np.flatnonzero(~alone)
    if not len(rest):
        return Share(known, 0.0, "exact: ellipsoids inside the box that do not meet")
    if shares[rest].sum() > 1.0:
        return _in_cube(quadrics, level, low, high, rng)
    total, variance = known, 0.0
    for k in rest:
        places = centres[k] + radius[k] * _ball(factors.shape[1], rng) @ np.linalg.inv(factors[k]).T
        _, labels = quadrics.lowest(places)
        own = ((places >= low) & (places <= high)).all(axis=1) & (labels == deep[k])
        total += float(shares[k] * own.mean())
        variance += (float(shares[k]) * _error(int(own.sum()), DRAWN)) ** 2
    how = f"estimate: {len(rest)} of {len(deep)} ellipsoids by {DRAWN:,} points in each"
    return Share(min(total, 1.0), math.sqrt(variance), how)


def _in_cube(
    quadrics: Quadrics, level: float, low: float, high: float, rng: np.random.Generator
) -> Share:
    places = low + (high - low) * rng.random((IN_CUBE, quadrics.centres.shape[1]))
    hits = int((quadrics.lowest(places)[0] <= level).sum())
    return Share(hits / IN_CUBE, _error(hits, IN_CUBE), f"estimate: {IN_CUBE:,} points of the box")


def _error(hits: int, of: int) -> float:
    """The standard error of a proportion, not 0 where all or none were hit (Agresti & Coull)."""
    share = (hits + 2.0) / (of + 4.0)
    return math.sqrt(share * (1.0 - share) / of)


def _volumes(factors: Floats, radius: Floats) -> Floats:
    """V_d r^d / det F (k,), by logarithms."""
    d = factors.shape[1]
    ball = d / 2.0 * math.log(math.pi) - math.lgamma(d / 2.0 + 1.0)
    return np.asarray(np.exp(ball + d * np.log(radius) - np.linalg.slogdet(factors)[1]))


def _ball(d: int, rng: np.random.Generator) -> Floats:
    """Points (n, d) uniform in the unit ball."""
    way = rng.standard_normal((DRAWN, d))
    way /= np.linalg.norm(way, axis=1)[:, None]
    return np.asarray(way * rng.random(DRAWN)[:, None] ** (1.0 / d))


def _inside(factors: Floats, centres: Floats, radius: Floats, low: float, high: float) -> Bools:
    """Which ellipsoids (k,) lie in the cube."""
    half = radius[:, None] * np.linalg.norm(np.linalg.inv(factors), axis=2)
    return np.asarray(((centres - half >= low) & (centres + half <= high)).all(axis=1))


def _apart(factors: Floats, centres: Floats, radius: Floats) -> Bools:
    """Which ellipsoids (k,) certainly meet no other.

    No x has q_k(x) ≤ 1 and q_j(x) ≤ 1, their quadratic forms over r², where some weight w makes
    (1 − w) q_k + w q_j above 1 everywhere.
    """
    forms = np.swapaxes(factors, 1, 2) @ factors / radius[:, None, None] ** 2
    alone = np.ones(len(radius), dtype=bool)
    for k in range(len(radius)):
        for j in range(k):
            way, w = centres[j] - centres[k], SPLITS[:, None, None]
            p, q = (1.0 - w) * forms[k], w * forms[j]
            # the least of the weighted sum is way' (p⁻¹ + q⁻¹)⁻¹ way = (p way)' (p + q)⁻¹ (q way)
            least = np.einsum(
                "wi,wi->w", p @ way, np.linalg.solve(p + q, (q @ way)[..., None])[..., 0]
            )
            if least.max() <= 1.0:
                alone[[k, j]] = False
    return alone

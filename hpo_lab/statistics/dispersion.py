"""Evenness of points in the unit cube: discrepancy, covering radius and the largest empty box.

All take an array (n, d) of coordinates in [0, 1] on continuous axes. A number alone means little:
it stands beside what as many uniform points have (``random_discrepancy`` exactly, the others by
running the same computation on uniform points, ``random_dispersion``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hpo_lab.statistics._arrays import Floats

PROBES = 16_384  # places that are looked at for the largest empty ball
RESTARTS = 64  # boxes that are grown for the largest empty one above two dimensions
READABLE = 7  # axes up to which a covering radius tells searches apart


def centred_discrepancy(unit: npt.ArrayLike) -> float:
    """Squared centred L2 discrepancy of the points (n, d): 0 is perfectly even. O(n² d).

    That of ``scipy.stats.qmc.discrepancy(method="CD")``. Raises ValueError without a point, or
    for coordinates outside [0, 1].

    Source: Hickernell 1998, "A generalized discrepancy and quadrature error bound", eq. 5.7.

    >>> round(centred_discrepancy([[0.25], [0.75]]), 6)
    0.020833
    """
    points = _unit(unit)
    return float(discrepancy_curve(points, [len(points)])[0])


def discrepancy_curve(unit: npt.ArrayLike, budgets: npt.ArrayLike) -> Floats:
    """The same of the first points only, for each budget (k,): all of them in one O(n² d) pass.

    nan where the budget is 0, the discrepancy of all points where it is more than there are.
    Raises as `centred_discrepancy` does.

    Source: Fang, Li and Sudjianto 2006, *Design and Modeling for Computer Experiments*, on adding
    a point to a known discrepancy.

    >>> discrepancy_curve([[0.25], [0.75]], [1, 2]).round(6).tolist()
    [0.145833, 0.020833]
    """
    from hpo_lab.statistics import _dispersion_kernels

    points = _unit(unit)
    single, double = np.empty(len(points)), np.empty(len(points))
    _dispersion_kernels.discrepancy_sums(points, single, double)
    count = np.minimum(np.asarray(budgets, dtype=np.int64), len(points))
    at = np.maximum(count, 1) - 1
    n = np.maximum(count, 1).astype(np.float64)
    whole = (13 / 12) ** points.shape[1]
    squared = whole - 2 * single[at] / n + double[at] / n**2
    return np.asarray(np.where(count > 0, squared, np.nan))


def random_discrepancy(count: npt.ArrayLike, axes: int) -> Floats:
    """Expected squared centred discrepancy of uniform points, ((5/4)^d - (13/12)^d) / n.

    Shape of ``count``, inf at 0. It follows from the double sum of Hickernell 1998, eq. 5.7, whose
    diagonal has mean (5/4)^d and whose other terms have mean (13/12)^d each.

    >>> float(random_discrepancy(100, 2).round(6))
    0.003889
    """
    with np.errstate(divide="ignore"):
        return np.asarray(((5 / 4) ** axes - (13 / 12) ** axes) / np.asarray(count, np.float64))


def covering_radius(unit: npt.ArrayLike, *, probes: int = PROBES, seed: int = 0) -> float:
    """Radius of the largest empty ball that is centred in the cube: the farthest from all points.

    The largest distance from ``probes`` scrambled Sobol points (and the cube's corners, up to
    2^10) to the nearest point: a lower bound. At d = 10 and 100 points it is 1.1 for uniform and
    for Sobol points alike: useless above about 7 axes. Raises as `centred_discrepancy` does.

    >>> covering_radius([[0.5, 0.5]]) == 0.5**0.5
    True
    """
    from scipy.spatial import cKDTree

    points = _unit(unit)
    places = _places(points.shape[1], probes, seed)
    distance, _ = cKDTree(points).query(places)
    return float(np.max(distance))


@lru_cache(maxsize=16)
def _places(axes: int, probes: int, seed: int) -> Floats:
    """Probes (k, d) in the cube: an even cloud, and its corners."""
    from scipy.stats import qmc

    if axes == 1:
        cloud = np.linspace(0, 1, probes)[:, None]
    else:
        sobol = qmc.Sobol(axes, rng=np.random.default_rng(seed))
        cloud = sobol.random_base2(max(int(np.ceil(np.log2(probes))), 1))[:probes]
    if axes > 10:
        return np.asarray(cloud)
    corners = (np.arange(2**axes)[:, None] >> np.arange(axes)) & 1
    return np.concatenate([cloud, corners.astype(np.float64)])


def largest_empty_box(
    unit: npt.ArrayLike, *, restarts: int = RESTARTS, seed: int = 0
) -> tuple[float, Floats]:
    """Volume of the largest axis-parallel box without a point inside, and its corners (2, d).

    Exact for one axis (the largest gap) and for two (a sweep, O(n²)). Above two it is NP-hard in
    the dimension: boxes are grown greedily around ``restarts`` uniform centres, so the volume is a
    lower bound, to be compared with that of the same heuristic on uniform points
    (`random_dispersion`). In two dimensions uniform points leave about 1.8 ln n / n. Raises as
    `centred_discrepancy` does.

    Source: Naamad, Lee and Hsu 1984, "On the maximum empty rectangle problem" (two axes).

    >>> volume, box = largest_empty_box([[0.5, 0.25]])
    >>> volume, box.tolist()
    (0.75, [[0.0, 0.25], [1.0, 1.0]])
    """
    points = _unit(unit)
    axes = points.shape[1]
    if axes == 1:
        return _largest_gap(points[:, 0])
    from hpo_lab.statistics import _dispersion_kernels

    if axes == 2:
        corners = np.zeros(4)
        points = np.ascontiguousarray(points[np.lexsort(points.T)])
        volume = _dispersion_kernels.largest_rectangle(points, corners)
        gap, sides = _largest_gap(points[:, 0])  # from the lower wall to the upper one
        if gap > volume:
            return gap, np.column_stack([sides, [0.0, 1.0]])
        return float(volume), corners.reshape(2, 2)
    best, box = 0.0, np.zeros((2, axes))
    for centre in np.random.default_rng(seed).random((restarts, axes)):
        order = np.argsort(np.abs(points - centre).max(axis=1), kind="stable")
        low, high = np.empty(axes), np.empty(axes)
        volume = _dispersion_kernels.grown_box(points, centre, order, low, high)
        if volume > best:
            best, box = float(volume), np.stack([low, high])
    return best, box


def empty_box_volume(unit: npt.ArrayLike) -> float:
    """Return only the volume of `largest_empty_box`."""
    return largest_empty_box(unit)[0]


def _largest_gap(values: Floats) -> tuple[float, Floats]:
    stops = np.concatenate([[0.0], np.sort(values), [1.0]])
    gaps = np.diff(stops)
    widest = int(gaps.argmax())
    return float(gaps[widest]), stops[widest : widest + 2, None]


@lru_cache(maxsize=256)
def random_dispersion(count: int, axes: int, what: str, searches: int = 20) -> Floats:
    """What ``searches`` sets of as many uniform points have, (searches,): the same computation.

    ``what`` is "discrepancy", "radius" or "box". Always the same points, so that what is compared
    with it can be repeated. Raises KeyError for another word.

    >>> random_dispersion(100, 2, "box").shape
    (20,)
    """
    measured: Callable[[Floats], float] = {
        "discrepancy": centred_discrepancy,
        "radius": covering_radius,
        "box": empty_box_volume,
    }[what]
    rng = np.random.default_rng([count, axes])
    return np.array([measured(rng.random((count, axes))) for _ in range(searches)])


def _unit(unit: npt.ArrayLike) -> Floats:
    points = np.ascontiguousarray(unit, dtype=np.float64)
    if points.ndim != 2 or not points.size:
        raise ValueError("points must be (n, d), at least one point on at least one axis")
    if not ((points >= 0) & (points <= 1)).all():
        raise ValueError("coordinates must lie between 0 and 1, without nan")
    return points

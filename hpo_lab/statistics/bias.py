"""Structural bias: where a search goes by itself, when there is nothing to learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hpo_lab.statistics._arrays import Floats, Words
from hpo_lab.statistics.visits import holm

PLACE, CENTRE, BOUNDS = "place", "distance from the centre", "on the bounds"
RARE = 0.001  # share of runs on the bounds that passes for none


@dataclass(frozen=True, slots=True, eq=False)
class Bias:
    """The tests (k,) of structural bias: axis, test, statistic, p, and p corrected over all k."""

    axis: npt.NDArray[np.int64]
    test: Words
    statistic: Floats
    p: Floats
    adjusted: Floats


def structural_bias(places: npt.ArrayLike, known: npt.ArrayLike | None = None) -> Bias:
    """Test whether points that should be uniform in the unit cube are.

    ``places`` (runs, axes) holds one point of each of the independent runs, in unit coordinates;
    ``known`` (runs, axes), where given, says which of them exist. Three tests an axis: Kolmogorov
    and Smirnov's of the coordinate ("place") and of its distance from the centre, twice |x − 1/2|
    (a pull inwards or outwards leaves the coordinate symmetric, and the first test weak), and an
    exact binomial test of how many lie on a bound to the last bit, against 1 in 1,000: they are
    what a test of distributions overlooks. Corrected by Holm over all. Raises ValueError for
    coordinates outside [0, 1] or fewer than two runs.

    Sources: Kononova et al. 2015, Information Sciences 298; Vermetten et al. 2022, IEEE
    Transactions on Evolutionary Computation 26 (uniformity tests of final points on f0).

    >>> rng = np.random.default_rng(0)
    >>> bool(structural_bias(rng.random((100, 2))).adjusted.min() > 0.05)
    True
    >>> bool(structural_bias(rng.beta(3, 3, (100, 2))).adjusted.min() < 0.001)
    True
    """
    table = np.asarray(places, dtype=np.float64)
    there = np.ones(table.shape, bool) if known is None else np.asarray(known, dtype=np.bool_)
    if table.ndim != 2 or table.shape != there.shape or len(table) < 2:
        raise ValueError("places need one row a run, at least two, and one column an axis")
    if not ((table[there] >= 0) & (table[there] <= 1)).all():
        raise ValueError("places are unit coordinates, between 0 and 1")
    rows = [_axis_tests(j, table[there[:, j], j]) for j in range(table.shape[1])]
    tests = [one for row in rows for one in row]
    p = np.array([one[3] for one in tests], dtype=np.float64)
    return Bias(
        np.array([one[0] for one in tests], dtype=np.int64),
        np.array([one[1] for one in tests], dtype=str),
        np.array([one[2] for one in tests], dtype=np.float64),
        p,
        holm(p),
    )


def _axis_tests(axis: int, x: Floats) -> list[tuple[int, str, float, float]]:
    """(axis, test, statistic, p) of one axis; nothing where fewer than two runs have it."""
    if len(x) < 2:
        return []
    from scipy.stats import binom

    atoms = int(((x == 0.0) | (x == 1.0)).sum())
    return [
        (axis, PLACE, *_uniformity(x)),
        (axis, CENTRE, *_uniformity(2.0 * np.abs(x - 0.5))),
        (axis, BOUNDS, atoms / len(x), float(binom.sf(atoms - 1, len(x), RARE))),
    ]


def _uniformity(x: Floats) -> tuple[float, float]:
    """Kolmogorov and Smirnov's distance from the uniform distribution, and its exact p-value."""
    from scipy.stats import kstwo

    n, ranked = len(x), np.sort(x)
    steps = np.arange(n + 1) / n
    distance = float(max((steps[1:] - ranked).max(), (ranked - steps[:-1]).max()))
    return distance, float(kstwo.sf(distance, n))


def centre_pull(distances: npt.ArrayLike) -> tuple[float, float]:
    """Test whether runs keep to the centre or to the bounds: mean and p.

    ``distances`` (runs,) holds each run's mean of twice |x − 1/2| over everything it visited: 1/2
    without bias, however its visits hang together. Student's t over the runs, two-sided; (nan,
    nan) where they do not vary.

    >>> mean, p = centre_pull(np.random.default_rng(0).normal(0.45, 0.05, 100))
    >>> round(mean, 2), p < 1e-6
    (0.45, True)
    """
    from scipy.special import stdtr

    x = np.asarray(distances, dtype=np.float64)
    spread = float(x.std(ddof=1)) if len(x) > 1 else 0.0
    if spread <= 1e-12:
        return float("nan"), float("nan")
    mean = float(x.mean())
    t = abs(mean - 0.5) / (spread / np.sqrt(len(x)))
    return mean, float(2.0 * stdtr(len(x) - 1, -t))


def drawn_to(places: npt.ArrayLike) -> str:
    """Say where coordinates (n,) in [0, 1] lie more often than uniform ones do.

    >>> drawn_to([0.4, 0.5, 0.6]), drawn_to([0.0, 0.02, 0.99]), drawn_to([0.1, 0.2, 0.3])
    ('the centre', 'the bounds', 'the low end')
    """
    x = np.asarray(places, dtype=np.float64)
    shift, reach = float(x.mean() - 0.5), float(np.abs(x - 0.5).mean() - 0.25)
    # in units of what uniform coordinates have for a standard deviation
    if abs(shift) * np.sqrt(12.0) > abs(reach) * np.sqrt(48.0):
        return "the high end" if shift > 0 else "the low end"
    return "the bounds" if reach > 0 else "the centre"

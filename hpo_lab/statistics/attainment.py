"""Empirical attainment: which share of the runs had a value that good by then?

Source: Grunert da Fonseca, Fonseca and Hall 2001 (EMO), with the two objectives evaluations and
value, as Lopez-Ibanez et al. 2025 use it for anytime performance.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hpo_lab.statistics._arrays import Floats


def attainment_function(best: npt.ArrayLike, levels: npt.ArrayLike) -> Floats:
    """Return the empirical attainment function (levels, budget).

    ``best`` (runs, budget) is the best value so far, inf before the first success; ``levels``
    (levels,) are values. Entry (v, t - 1) is the share of the runs whose best after t evaluations
    is at most levels[v]. Raises ValueError for a wrong shape, no run, nan, or values that rise.

    >>> attainment_function([[3.0, 1.0], [2.0, 2.0]], [2.5, 1.0]).tolist()
    [[0.5, 1.0], [0.0, 0.5]]
    """
    runs, bars = _monotone(best), np.asarray(levels, dtype=np.float64)
    ranked = np.sort(runs, axis=0)
    counts = [np.searchsorted(column, bars, "right") for column in ranked.T]
    return np.asarray(np.stack(counts, axis=1) / len(runs), dtype=np.float64)


def attainment_difference(
    first: npt.ArrayLike, second: npt.ArrayLike, levels: npt.ArrayLike
) -> Floats:
    """Return the attainment (levels, budget) of the first minus that of the second, -1 .. 1.

    Above 0 where more runs of the first had a value that good by then. The numbers of runs may
    differ, the budgets may not. Raises ValueError as `attainment_function` does.

    >>> attainment_difference([[3.0, 1.0]], [[2.0, 2.0]], [2.5, 1.0]).tolist()
    [[-1.0, 0.0], [0.0, 1.0]]
    """
    a, b = attainment_function(first, levels), attainment_function(second, levels)
    if a.shape != b.shape:
        raise ValueError(f"both need the same budget, not {a.shape[1]} and {b.shape[1]}")
    return np.asarray(a - b)


def attained_by(best: npt.ArrayLike, share: float) -> Floats:
    """Return the value (budget,) that at least this share of the runs had by each evaluation.

    The attainment surface: the ceil(share * runs)-th smallest best so far; inf where fewer have
    succeeded. A share of 1/2 is the (upper) median run. Raises ValueError unless 0 < share <= 1,
    and as `attainment_function` does.

    >>> attained_by([[3.0, 1.0], [2.0, 2.0], [np.inf, 5.0]], 0.5).tolist()
    [3.0, 2.0]
    """
    runs = _monotone(best)
    if not 0 < share <= 1:
        raise ValueError(f"a share of the runs lies above 0 and is at most 1, not {share}")
    place = int(np.ceil(share * len(runs) - 1e-9)) - 1
    return np.asarray(np.partition(runs, place, axis=0)[place])


def _monotone(best: npt.ArrayLike) -> Floats:
    runs = np.asarray(best, dtype=np.float64)
    if runs.ndim != 2 or not len(runs) or np.isnan(runs).any():
        raise ValueError("best must be (runs, budget) without nan, with at least one run")
    if (runs[:, 1:] > runs[:, :-1]).any():
        raise ValueError("best must be the best so far, which never rises; accumulate the minimum")
    return runs

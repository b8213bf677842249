"""Many runs on many tasks in one number or one curve, as rliable has them; minimised.

Source: Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical
precipice", NeurIPS, section 4. Theirs are scores to be maximised: ours are their negatives.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hpo_lab.statistics._arrays import Floats


def interquartile_mean(values: npt.ArrayLike) -> float:
    """Return the mean of the middle half of all values, whatever their shape.

    A quarter of them, rounded down, is left out at each end; inf (a run that never succeeded)
    counts as a value, so the result is inf where more than a quarter are. Raises ValueError for
    no values or nan.

    >>> interquartile_mean([0.0, 1.0, 2.0, np.inf])
    1.5
    """
    ranked = np.sort(_known(values))
    cut = len(ranked) // 4
    return float(ranked[cut : len(ranked) - cut].mean())


def optimality_gap(values: npt.ArrayLike, target: float = 0.0) -> float:
    """Return by how much values miss a target on average: the mean of max(value - target, 0).

    Being better than the target earns nothing. Raises ValueError for no values or nan.

    >>> optimality_gap([1.0, 2.0, 4.0], target=2.0)
    0.6666666666666666
    """
    return float(np.maximum(_known(values) - target, 0.0).mean())


def performance_profile(values: npt.ArrayLike, thresholds: npt.ArrayLike) -> Floats:
    """Return the share (thresholds,) of all values that are at most each threshold.

    So a regret of 0 has reached the threshold 0, where rliable's strict inequality says no.
    Raises ValueError for no values or nan.

    >>> performance_profile([0.0, 1.0, np.inf, 2.0], [0.0, 1.5, 9.0]).tolist()
    [0.25, 0.5, 0.75]
    """
    ranked = np.sort(_known(values))
    return np.asarray(np.searchsorted(ranked, np.asarray(thresholds), "right") / len(ranked))


def _known(values: npt.ArrayLike) -> Floats:
    flat = np.asarray(values, dtype=np.float64).ravel()
    if not len(flat) or np.isnan(flat).any():
        raise ValueError("there must be values, none of them nan; no success is inf")
    return flat

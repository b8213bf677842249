"""Many runs on many tasks in one number or one curve, as rliable has them; minimised.

Source: Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical
precipice", NeurIPS, section 4. Theirs are scores to be maximised: ours are their negatives.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hpo_lab.statistics._arrays import Floats
from hpo_lab.statistics.intervals import resampled_runs


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


def aggregate_interval(
    values: npt.ArrayLike,
    statistic: Callable[[Floats], float],
    *,
    other: npt.ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 1_000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return the interval of a statistic of all values (tasks, repetitions), or of a difference.

    With ``other`` of the same shape it is that of statistic(values) - statistic(other), pairs
    kept. Percentiles over resamples of the repetitions within each task, the tasks staying as they
    are: rliable's stratified bootstrap. So it speaks of these tasks, not of others like them; and
    it is approximate, for percentiles of few repetitions are too close together. None where
    nothing varies within a task. Raises ValueError for shapes that do not fit or nan.

    >>> values = np.random.default_rng(0).exponential(size=(6, 20))
    >>> low, high = aggregate_interval(values, interquartile_mean)
    >>> low < interquartile_mean(values) < high
    True
    """
    given = np.asarray(values, dtype=np.float64)
    paired = given if other is None else np.asarray(other, dtype=np.float64)
    if given.ndim != 2 or paired.shape != given.shape or np.isnan([given, paired]).any():
        raise ValueError("values must be (tasks, repetitions) without nan, and other alike")
    if (given == given[:, :1]).all() and (paired == paired[:, :1]).all():
        return None
    draws = np.stack(
        [
            resampled_runs(1, given.shape[1], resamples=resamples, seed=seed + task)[:, 0]
            for task in range(len(given))
        ],
        axis=1,
    )
    places = draws + given.shape[1] * np.arange(len(given))[:, None]
    found = np.array([statistic(given.ravel()[place]) for place in places])
    if other is not None:
        found = found - np.array([statistic(paired.ravel()[place]) for place in places])
    rank, ranked = int(resamples * (1 - level) / 2), np.sort(found)
    return float(ranked[rank]), float(ranked[-1 - rank])


def _known(values: npt.ArrayLike) -> Floats:
    flat = np.asarray(values, dtype=np.float64).ravel()
    if not len(flat) or np.isnan(flat).any():
        raise ValueError("there must be values, none of them nan; no success is inf")
    return flat

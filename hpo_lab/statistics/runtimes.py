"""Runtimes: how many evaluations until a target is reached."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def expected_running_time(evaluations: npt.ArrayLike, solved: npt.ArrayLike) -> float:
    """Evaluations spent on a target, over all runs, for each run that reached it.

    `evaluations` (runs,) until the target was reached, or all that were spent where it was not;
    `solved` (runs,) which reached it. inf where none did. Raises ValueError for wrong shapes or
    without runs.

    Source: Hansen, Auger, Finck and Ros 2009, "Real-parameter black-box optimization benchmarking
    2009: experimental setup", INRIA RR-6828 (ERT); Auger and Hansen 2005, eq. 1.

    >>> expected_running_time([100, 300, 1_000], [True, True, False])
    700.0
    """
    spent, reached = np.asarray(evaluations, dtype=np.float64), np.asarray(solved, dtype=np.bool_)
    if spent.ndim != 1 or spent.shape != reached.shape or not len(spent):
        raise ValueError("evaluations and solved need one entry a run each, and at least one run")
    return float(spent.sum() / reached.sum()) if reached.any() else float("inf")

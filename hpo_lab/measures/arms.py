"""The summary of each arm: mean regret and its parts, with an interval of the total."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.measure import ArmResult, Measure, Results
from hpo_lab.measures.regret import Regret
from hpo_lab.statistics import MINIMUM_REPETITIONS, bootstrap_mean

if TYPE_CHECKING:
    import pandas as pd

AVERAGED = (
    "incumbent",
    "total",
    "from_space",
    "from_search",
    "from_selection",
    "floor",
    "shortfall",
    "observed_total",
    "observed_from_space",
    "observed_from_search",
)


@dataclass(frozen=True)
class Arms(Measure):
    """Regret of each arm at its budget: means over runs, medians where a run never succeeded.

    ``total_low`` and ``total_high`` bound the mean total regret (95 %, bootstrap over paired
    repetitions, clustered on instances where there are several); they are nan below 30
    repetitions, where nothing varies, and for medians. ``runs`` counts what is stored,
    ``samples`` what differs: a deterministic strategy is one sample an instance. One row an arm.
    """

    name: ClassVar[str] = "arms"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        regret = Regret()(results)
        rows = []
        for arm in results.arms:
            own = regret
            for key, value in arm.labels.items():
                own = own[own[key] == value]
            rows.append(_row(arm, own))
        return pd.DataFrame(rows)


def _row(arm: ArmResult, own: pd.DataFrame) -> dict[str, object]:
    whole = bool(own["success"].all())
    centre = own[list(AVERAGED)].mean() if whole else own[list(AVERAGED)].median()
    low, high = total_interval(arm, own) if whole else (np.nan, np.nan)
    return {
        **arm.labels,
        "unit": arm.unit,
        "runs": len(own),
        "samples": sum(cell.distinct_runs for cell in arm.cells),
        "statistic": "mean" if whole else "median",
        "failures": float(own["failures"].mean()),
        "success": float(own["success"].mean()),
        "split": bool(np.isfinite(own["from_space"]).all()),
        **{str(key): float(value) for key, value in centre.items()},
        "total_low": low,
        "total_high": high,
    }


def total_interval(arm: ArmResult, own: pd.DataFrame) -> tuple[float, float]:
    """Return the interval of the mean total regret of an arm; nan where there is none."""
    totals = own.pivot_table(index="instance", columns="repetition", values="total").to_numpy()
    fixed = arm.deterministic and len(totals) == 1
    if fixed or totals.shape[1] < MINIMUM_REPETITIONS or not np.isfinite(totals).all():
        return np.nan, np.nan
    interval = bootstrap_mean(totals)
    return interval if interval is not None else (np.nan, np.nan)

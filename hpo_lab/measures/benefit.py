"""What a smaller space gained or lost each strategy at the study's budget, run by paired run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.measure import ArmResult, Measure, Results
from hpo_lab.measures.regret import Regret
from hpo_lab.statistics import MINIMUM_REPETITIONS, bootstrap_mean

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Benefit(Measure):
    """Net benefit of a declared space: total regret in the universe minus total regret in it.

    Paired by instance and repetition; the mean over pairs, with a 95 % interval from 30
    repetitions on. Positive: at this budget the smaller space was better, its price included.
    Needs a space without assumptions in the study; no rows otherwise. ``net`` is nan where a run
    never succeeded. One row a landscape, declared space, strategy and budget.
    """

    name: ClassVar[str] = "benefit"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        regret = Regret()(results)
        universes = {s.label for s in results.study.spaces if not s.assumptions}
        rows = [
            _row(arm, regret, sorted(universes)[0])
            for arm in results.arms
            if universes and arm.arm.space.label not in universes
        ]
        return pd.DataFrame([row for row in rows if row], columns=list(_COLUMNS))


_COLUMNS = ("landscape", "space", "strategy", "budget", "unit", "runs", "net", "low", "high")


def _row(arm: ArmResult, regret: pd.DataFrame, universe: str) -> dict[str, Any]:
    here = _totals(regret, arm.labels)
    everywhere = _totals(regret, {**arm.labels, "space": universe})
    if everywhere is None or here is None:
        return {}
    net = (everywhere - here).dropna(axis=1)  # repetitions that both have
    values = net.to_numpy()
    if values.size == 0:
        return {}
    finite = bool(np.isfinite(values).all())
    interval = None
    if finite and values.shape[1] >= MINIMUM_REPETITIONS and not arm.deterministic:
        interval = bootstrap_mean(values)
    low, high = interval or (np.nan, np.nan)
    return {
        **arm.labels,
        "unit": arm.unit,
        "runs": values.size,
        "net": float(values.mean()) if finite else np.nan,
        "low": low,
        "high": high,
    }


def _totals(regret: pd.DataFrame, labels: dict[str, Any]) -> pd.DataFrame | None:
    own = regret
    for key, value in labels.items():
        own = own[own[key] == value]
    if own.empty:
        return None
    return own.pivot_table(index="instance", columns="repetition", values="total", dropna=False)

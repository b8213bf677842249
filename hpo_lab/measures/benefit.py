"""What a smaller space gained or lost each strategy at the study's budget, run by paired run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.landscape import Optimum
from hpo_lab.measure import ArmResult, Cell, Measure, Results
from hpo_lab.space import Floats
from hpo_lab.statistics import MINIMUM_REPETITIONS, bootstrap_means

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Benefit(Measure):
    """Net benefit of a declared space: total regret in the universe minus total regret in it.

    Paired by instance and repetition; the mean over pairs, with a 95 % interval from 30
    repetitions on. Positive: at this budget the smaller space was better, its price included.
    ``benefit`` is what the search gained, net + price. Needs no optimum: f*(U) cancels. Needs a
    space without assumptions in the study; no rows otherwise. ``net`` is nan where a run never
    succeeded. One row a landscape, declared space, strategy and budget.
    """

    name: ClassVar[str] = "benefit"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        rows = [_row(pair) for pair in paired_arms(results)]
        return pd.DataFrame(rows, columns=list(_COLUMNS))


_COLUMNS = (
    *("landscape", "space", "strategy", "budget", "unit", "runs"),
    *("net", "low", "high", "price", "benefit"),
)


@dataclass(frozen=True, eq=False)
class Pair:
    """An arm and the same strategy in the universe.

    ``here`` and ``everywhere`` are the truth (instances, repetitions, budget) of the incumbent
    after each evaluation, inf before the first success, in the runs that both arms have.
    """

    arm: ArmResult
    here: Floats
    everywhere: Floats

    @property
    def net(self) -> Floats:
        """Regret in the universe minus regret here; nan where neither has succeeded yet."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.everywhere - self.here)

    @property
    def price(self) -> float:
        """Mean price over the instances; nan where it is not exact."""
        problems = [cell.problem for cell in self.arm.cells]
        ends = [(p.optimum, p.optimum_universe) for p in problems]
        if not all(isinstance(one, Optimum) for both in ends for one in both):
            return float("nan")
        return float(np.mean([a.value - b.value for a, b in ends]))  # type: ignore[union-attr]

    def intervals(self, columns: Floats) -> Floats:
        """95 % intervals (k, 2) of means over pairs (instances, repetitions, k); nan for none."""
        if columns.shape[1] < MINIMUM_REPETITIONS or self.arm.deterministic:
            return np.full((columns.shape[2], 2), np.nan)
        return bootstrap_means(columns)


def paired_arms(results: Results) -> Iterator[Pair]:
    """Yield every arm of a declared space that the study also has in the universe."""
    universes = {s.label for s in results.study.spaces if not s.assumptions}
    full = {
        _key(arm): arm
        for arm in sorted(results.arms, key=lambda arm: arm.arm.space.label, reverse=True)
        if arm.arm.space.label in universes
    }
    for arm in results.arms:
        if arm.arm.space.label not in universes and _key(arm) in full:
            pair = _paired(arm, full[_key(arm)])
            if pair.here.size:
                yield pair


def _key(arm: ArmResult) -> tuple[Any, ...]:
    labels = arm.labels
    return labels["landscape"], labels["strategy"], labels["budget"]


def _paired(arm: ArmResult, full: ArmResult) -> Pair:
    """The runs of instances that both have, in the repetitions that all of these have."""
    both = [(a, b) for a in arm.cells for b in full.cells if a.instance == b.instance]
    had = [set(cell.repetitions.tolist()) for pair in both for cell in pair]
    kept = np.array(sorted(set.intersection(*had)) if had else [], dtype=np.int64)

    def truth(cell: Cell) -> Floats:
        return cell.incumbent_truth[np.searchsorted(cell.repetitions, kept)]

    shape = (len(both), len(kept), arm.arm.budget)
    here = np.array([truth(a) for a, _ in both]).reshape(shape)
    return Pair(arm, here, np.array([truth(b) for _, b in both]).reshape(shape))


def _row(pair: Pair) -> dict[str, Any]:
    last = pair.net[:, :, -1:]
    finite = bool(np.isfinite(last).all())
    low, high = pair.intervals(last)[0] if finite else (np.nan, np.nan)
    net = float(last.mean()) if finite else np.nan
    return {
        **pair.arm.labels,
        "unit": pair.arm.unit,
        "runs": last.size,
        "net": net,
        "low": float(low),
        "high": float(high),
        "price": pair.price,
        "benefit": net + pair.price,
    }

"""Evaluations until a target is reached: expected running times over fifty-one targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.landscape import Optimum
from hpo_lab.measure import ArmResult, Measure, Results
from hpo_lab.measures.comparisons import best_known
from hpo_lab.space import Floats, Ints
from hpo_lab.statistics import expected_running_times, first_hits, log_targets, lower_median

if TYPE_CHECKING:
    import pandas as pd

TO_OPTIMUM, TO_BEST_FOUND = "optimum", "best found"


@dataclass(frozen=True)
class Runtimes(Measure):
    """How many evaluations each arm needs for each precision, over runs and instances.

    A run reaches ``precision`` where it visits a truth at most that far above f*(U), or, as
    ``relative_to`` says, above the best truth that any stored run of the study found on the
    instance, where f*(U) is not known exactly (such targets flatter, and move with the study).
    ``targets`` precisions from ``easiest`` to ``hardest``, evenly spaced in the logarithm and in
    the landscape's unit, are COCO's. ``ert`` is the expected running time: evaluations of all
    runs until the target or the end, for each run that reached it; ``median`` counts a run that
    did not as inf; ``success`` is the share that did. One row an arm and precision.
    """

    easiest: float = 1e2
    hardest: float = 1e-8
    targets: int = 51
    name: ClassVar[str] = "runtimes"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        best = best_known(results)
        blocks = [self._block(arm, best) for arm in results.arms]
        return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()

    def _block(self, arm: ArmResult, best: dict[tuple[str, int], float]) -> pd.DataFrame:
        import pandas as pd

        precisions = log_targets(self.easiest, self.hardest, self.targets)
        hits = arm_hits(arm, best, precisions)
        spent = np.concatenate([cell.asked.sum(axis=1) for cell in arm.cells])
        times = np.where(hits > 0, hits, np.inf)
        return pd.DataFrame(
            {
                **arm.labels,
                "unit": arm.unit,
                "relative_to": relative_to(arm),
                "precision": precisions,
                "runs": len(hits),
                "success": (hits > 0).mean(axis=0),
                "ert": expected_running_times(hits, spent),
                "median": lower_median(times, axis=0),
            }
        )


def arm_hits(arm: ArmResult, best: dict[tuple[str, int], float], precisions: Floats) -> Ints:
    """Return when (runs, targets) each run of an arm, over its instances, reached each precision.

    A tolerance of 1e-12 of the optimum's size is added: the same value may come with other bits.
    """
    label = arm.arm.landscape.label
    found = []
    for cell in arm.cells:
        goal = best[label, cell.instance]
        reachable = np.isfinite(goal)  # nothing succeeded anywhere: nothing is reached
        bars = goal + precisions + 1e-12 * max(1.0, abs(goal)) if reachable else 0 * precisions
        values = cell.truth if reachable else np.full_like(cell.truth, np.inf)
        found.append(first_hits(values, bars))
    return np.concatenate(found)


def relative_to(arm: ArmResult) -> str:
    """Return what the precisions of an arm are relative to."""
    known = all(isinstance(cell.problem.optimum_universe, Optimum) for cell in arm.cells)
    return TO_OPTIMUM if known else TO_BEST_FOUND

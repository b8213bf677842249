"""Runtime profiles: the share of all targets that were reached, over evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.measure import ArmResult, Measure, Results
from hpo_lab.measures.comparisons import best_known
from hpo_lab.measures.runtimes import arm_hits, relative_to
from hpo_lab.space import Ints
from hpo_lab.statistics import log_targets

if TYPE_CHECKING:
    import pandas as pd

STEPS = 60  # evaluations at which curves are tabulated


@dataclass(frozen=True)
class Ecdf(Measure):
    """Empirical distribution of runtimes over all runs and targets of an arm.

    ``solved`` is the share of the run-target pairs that were solved by the evaluation. Targets,
    and what they are relative to, are those of ``runtimes``. One row an arm and evaluation, at
    most 60 evaluations, spaced in the logarithm.
    """

    easiest: float = 1e2
    hardest: float = 1e-8
    targets: int = 51
    name: ClassVar[str] = "ecdf"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        best = best_known(results)
        blocks = [self._block(arm, best) for arm in results.arms]
        return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()

    def _block(self, arm: ArmResult, best: dict[tuple[str, int], float]) -> pd.DataFrame:
        import pandas as pd

        hits = arm_hits(arm, best, log_targets(self.easiest, self.hardest, self.targets))
        evaluations = log_steps(arm.arm.budget)
        times = np.sort(hits[hits > 0])
        return pd.DataFrame(
            {
                **arm.labels,
                "relative_to": relative_to(arm),
                "evaluation": evaluations,
                "runs": len(hits),
                "targets": hits.shape[1],
                "solved": np.searchsorted(times, evaluations, "right") / hits.size,
            }
        )


def log_steps(budget: int, most: int = STEPS) -> Ints:
    """Return at most so many evaluations from 1 to the budget, evenly spaced in the logarithm.

    >>> log_steps(5).tolist(), log_steps(1000, 4).tolist()
    ([1, 2, 3, 4, 5], [1, 10, 100, 1000])
    """
    return np.unique(np.round(np.geomspace(1, budget, most)).astype(np.int64))

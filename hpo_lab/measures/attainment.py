"""What shares of the runs had attained by when: quantiles of the anytime performance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.measure import ArmResult, Measure, Results
from hpo_lab.measures.comparisons import best_known
from hpo_lab.measures.ecdf import log_steps
from hpo_lab.measures.runtimes import relative_to
from hpo_lab.statistics import attained_by

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Attainment(Measure):
    """The regret of the best truth seen that each share of the runs had by each evaluation.

    Empirical attainment surfaces, over runs and instances: by ``evaluation``, at least ``share`` of
    the runs had visited a truth at most ``regret`` above f*(U), or above what ``relative_to``
    says (see ``runtimes``); inf where fewer had succeeded. This is the best that was seen, not
    the incumbent's truth, which may rise. One row an arm, share and evaluation, at most 60
    evaluations, spaced in the logarithm.
    """

    shares: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)
    name: ClassVar[str] = "attainment"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        best = best_known(results)
        blocks = [self._block(arm, share, best) for arm in results.arms for share in self.shares]
        return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()

    def _block(
        self, arm: ArmResult, share: float, best: dict[tuple[str, int], float]
    ) -> pd.DataFrame:
        import pandas as pd

        evaluations = log_steps(arm.arm.budget)
        label = arm.arm.landscape.label
        runs = [
            cell.best_truth[:, evaluations - 1] - min(best[label, cell.instance], 1e300)
            for cell in arm.cells
        ]
        return pd.DataFrame(
            {
                **arm.labels,
                "unit": arm.unit,
                "relative_to": relative_to(arm),
                "share": share,
                "evaluation": evaluations,
                "runs": sum(map(len, runs)),
                "regret": attained_by(np.concatenate(runs), share),
            }
        )

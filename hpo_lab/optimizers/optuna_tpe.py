"""Tree-structured Parzen estimators: Optuna's default sampler behind ask and tell.

Source: J. Bergstra, R. Bardenet, Y. Bengio and B. Kégl (2011), "Algorithms for hyper-parameter
optimization", NeurIPS 24; S. Watanabe (2023), arXiv 2304.11127; by Optuna (TPESampler).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.space import Space


@dataclass(frozen=True)
class OptunaTPE(Strategy):
    """Optuna's TPE: draws from the density of good points that the bad ones' density lacks.

    *What it assumes.* Good points cluster, axis by axis: the better tenth of the trials (25 at
    most) and the rest are two densities, products of one Parzen window a trial on each axis. With
    ``multivariate`` the windows are joint, so that good combinations are remembered together.

    *Where it looks.* The first ``initial`` points are drawn at random. Then, of ``candidates``
    draws from the good points' density, the one with the highest ratio of the two densities is
    asked for: on each axis by itself or, with ``multivariate``, jointly on the axes that all
    families have (the family among them), the others still by themselves; with ``group`` jointly
    on those of each family, too.

    *Where it never looks.* Nowhere is excluded for ever, as each density holds a flat prior window
    on every axis; but with that window at 1 / (good trials + 1) of the weight, far from the good
    points it looks ever more rarely. On discrete spaces it repeats points.

    The family is a categorical parameter and each family's own axes are conditional on it, as the
    sampler has them. A failed trial (nan or infinite) is told as failed and teaches nothing. One
    thread.

    Raises InputError for a setting outside its range and where Optuna is missing.
    """

    name: ClassVar[str] = "optuna_tpe"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("optuna", "scipy")

    initial: int = 10
    candidates: int = 24
    multivariate: bool = True
    group: bool = False

    def __post_init__(self) -> None:
        for name in ("initial", "candidates"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.group and not self.multivariate:
            raise InputError("group needs multivariate; set multivariate to true or group to false")

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a study of its own; imports Optuna."""
        from hpo_lab.optimizers._optuna import OptunaSearch

        def sampler(samplers: Any, seed: int) -> Any:
            return samplers.TPESampler(
                n_startup_trials=self.initial,
                n_ei_candidates=self.candidates,
                multivariate=self.multivariate,
                group=self.group,
                seed=seed,
            )

        return OptunaSearch(self.name, sampler, space, budget, rng)

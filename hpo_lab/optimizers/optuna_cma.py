"""CMA-ES as Optuna runs it: one trial at a time, unordered choices at random.

Source: N. Hansen (2016), "The CMA evolution strategy: a tutorial", arXiv 1604.00772; by Optuna
(CmaEsSampler) and the package cmaes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._libraries import library
from hpo_lab.space import Space


@dataclass(frozen=True)
class OptunaCMA(Strategy):
    """Optuna's CMA-ES: a Gaussian over the numbers that every family has; the rest at random.

    *What it assumes.* In one basin good directions persist: mean, step and covariance of a
    Gaussian learn from the better half of each generation.

    *Where it looks.* The first ``initial`` points are drawn at random. Then the points of each
    generation (``population``; 0 stands for 4 + ⌊3 ln d⌋) are drawn from the Gaussian, whose first
    mean is the middle of the space and whose first step is ``sigma``, in unit scale. Integers are
    rounded; with ``margin`` they keep a chance to change. The family, unordered choices and what
    not every family has are drawn at random for ever.

    *Where it never looks.* Outside the Gaussian, once its step has shrunk: it does not restart.

    A failed trial (nan or infinite) is told as failed and teaches nothing. One thread.

    Raises InputError for a setting outside its range and where Optuna or cmaes is missing.
    """

    name: ClassVar[str] = "optuna_cma"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("optuna", "cmaes", "scipy")

    initial: int = 1
    population: int = 0
    sigma: float = 1 / 6
    margin: bool = False

    def __post_init__(self) -> None:
        if self.initial < 1:
            raise InputError(f"initial must be at least 1, not {self.initial}")
        if self.population != 0 and self.population < 5:
            raise InputError(f"population must be at least 5, or 0, not {self.population}")
        if not 0.0 < self.sigma < np.inf:
            raise InputError(f"sigma must be positive, not {self.sigma}")

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a study of its own; imports Optuna and cmaes."""
        from hpo_lab.optimizers._optuna import OptunaSearch

        library(self.name, "cmaes", "cmaes")

        def sampler(samplers: Any, seed: int) -> Any:
            return samplers.CmaEsSampler(
                n_startup_trials=self.initial,
                popsize=self.population or None,
                sigma0=self.sigma,
                with_margin=self.margin,
                warn_independent_sampling=False,
                seed=seed,
            )

        return OptunaSearch(self.name, sampler, space, budget, rng)

"""Bayesian optimization by Optuna's Gaussian-process sampler, behind ask and tell.

Source: J. Snoek, H. Larochelle and R. P. Adams (2012), "Practical Bayesian optimization of machine
learning algorithms", NeurIPS 25; by Optuna (GPSampler).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.space import Points, Space


@dataclass(frozen=True)
class OptunaGP(Strategy):
    """Optuna's Gaussian process with expected improvement; slow, as it stands on torch.

    *What it assumes.* Nearby points have similar values: Matérn 5/2 with one length scale a
    parameter, Hamming distance between unordered choices, noise of one size (with
    ``noiseless``, as good as none).

    *Where it looks.* The first ``initial`` points are drawn at random. Then each point has the
    highest logarithm of the expected improvement that is found from a quasi-random sample, by
    gradients and by search along discrete axes. Only the parameters that every family has are
    modelled (the family among them); the others are drawn at random.

    *Where it never looks.* Where the expected improvement is low: near points that disappointed
    and, with many trials, far from the incumbent.

    A failed trial (nan or infinite) is told as failed and teaches nothing. One thread.

    Raises InputError for a setting outside its range and where Optuna or torch is missing.
    """

    name: ClassVar[str] = "optuna_gp"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("optuna", "torch", "scipy")

    initial: int = 10
    noiseless: bool = False

    def __post_init__(self) -> None:
        if self.initial < 1:
            raise InputError(f"initial must be at least 1, not {self.initial}")

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a study of its own; imports Optuna and torch."""
        from hpo_lab.optimizers._optuna import OptunaSearch, one_torch_thread

        def sampler(samplers: Any, seed: int) -> Any:
            return samplers.GPSampler(
                n_startup_trials=self.initial,
                deterministic_objective=self.noiseless,
                warn_independent_sampling=False,
                seed=seed,
            )

        class OneThreaded(OptunaSearch):
            def ask(self) -> Points:
                with one_torch_thread(OptunaGP.name):
                    return super().ask()

        with one_torch_thread(self.name):  # says at once where torch is missing
            return OneThreaded(self.name, sampler, space, budget, rng)

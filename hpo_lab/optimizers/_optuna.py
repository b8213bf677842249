"""Optuna's samplers behind ask and tell: our spaces in its terms, one trial at a time.

Source: T. Akiba, S. Sano, T. Yanase, T. Ohta and M. Koyama (2019), "Optuna: a next-generation
hyperparameter optimization framework", KDD. Imported only when a search starts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hpo_lab.optimizers._encoding import clipped
from hpo_lab.optimizers._libraries import library, one_thread
from hpo_lab.optimizers._values import LARGEST
from hpo_lab.space import Axis, Choice, Floats, Integer, Points, Space


class OptunaSearch:
    """One study of Optuna's: the family is a categorical parameter, then come its own axes.

    Equal axes of several families are one parameter. Integers and ordered choices are integers,
    unordered choices are categorical. A value that is nan or infinite is a failed trial.
    """

    def __init__(
        self,
        name: str,
        sampler: Callable[[Any, int], Any],
        space: Space,
        budget: int,
        rng: np.random.Generator,
    ) -> None:
        """Begin a study with ``sampler(optuna.samplers, seed)``; InputError without Optuna."""
        self.optuna = library(name, "optuna", "optuna")
        self.space, self.left = space, budget
        distinct = dict.fromkeys(
            place for i in range(len(space.families)) for place in space.places(i)
        )
        self.names = {place: f"{j}-{place[1].name}" for j, place in enumerate(distinct)}
        with self._calm():
            made = sampler(self.optuna.samplers, int(rng.integers(2**31)))
            self.study = self.optuna.create_study(sampler=made)
        self.trial: Any = None

    def ask(self) -> Points:
        if self.left == 0:
            return self.space.sample(0, np.random.default_rng(0))
        self.left -= 1
        with self._calm():
            self.trial = self.study.ask()
            family = 0
            if len(self.space.families) > 1:
                family = self.trial.suggest_categorical("family", range(len(self.space.families)))
            row = np.full((1, self.space.width), np.nan)
            for place in self.space.places(family):
                row[0, place[0]] = _suggested(self.trial, self.names[place], place[1])
        return Points(self.space, np.array([family]), row)

    def tell(self, points: Points, values: Floats) -> None:
        value = float(values[0])
        with self._calm():
            if np.isfinite(value):
                self.study.tell(self.trial, float(np.clip(value, -LARGEST, LARGEST)))
            else:
                self.study.tell(self.trial, state=self.optuna.trial.TrialState.FAIL)

    @contextmanager
    def _calm(self) -> Iterator[None]:
        """One thread for linear algebra, and nothing on the terminal."""
        log = self.optuna.logging
        verbosity = log.get_verbosity()
        log.set_verbosity(log.ERROR)
        try:
            with one_thread("scipy.linalg"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            log.set_verbosity(verbosity)


@contextmanager
def one_torch_thread(name: str) -> Iterator[None]:
    """One thread for torch as well; InputError where it is missing."""
    torch = library(name, "torch", "torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _suggested(trial: Any, name: str, axis: Axis) -> float:
    """The trial's value for the axis, as the axis's column holds it."""
    if isinstance(axis, Choice):
        if axis.ordered:
            return float(trial.suggest_int(name, 0, len(axis.options) - 1))
        return float(trial.suggest_categorical(name, range(len(axis.options))))
    if isinstance(axis, Integer):
        return float(trial.suggest_int(name, axis.low, axis.high, log=axis.log))
    value = trial.suggest_float(name, axis.low, axis.high, log=axis.log)
    return clipped(axis, float(value))

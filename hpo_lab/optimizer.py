"""Strategies and searches: a strategy is a recipe, a search is that recipe running, blind.

A search sees a space, a budget and a random generator; it asks for points and is told values.
It never sees the universe, the landscape or the assumption.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np

from hpo_lab.space import Floats, Points, Space


class Search(Protocol):
    """A strategy at work on one space."""

    def ask(self) -> Points:
        """Return any batch that fits the budget left; an empty one ends the run early."""
        ...

    def tell(self, points: Points, values: Floats) -> None:
        """Learn the observed values (n,) of the batch asked for; nan is a failed trial."""
        ...


class Strategy(Protocol):
    """A frozen dataclass whose fields are its settings; all of them identify its runs.

    ``deterministic``: it asks for the same points whatever the random generator.
    ``anytime``: its first n requests do not depend on the budget.
    ``version`` goes up when the same settings come to ask for other points.
    ``libraries`` names the distributions that it stands on besides numpy, as pip knows them
    ("scikit-learn"): reports show the versions that its runs were made with.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ()

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a new search of the space with that many evaluations to spend."""
        ...

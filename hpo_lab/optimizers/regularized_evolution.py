"""Regularized (aging) evolution: tournaments in a population that loses its oldest, not its worst.

Source: E. Real, A. Aggarwal, Y. Huang and Q. V. Le (2019), "Regularized evolution for image
classifier architecture search", AAAI 33, algorithm 1.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._moves import mutated
from hpo_lab.space import Floats, Points, Space


@dataclass(frozen=True)
class RegularizedEvolution(Strategy):
    """Aging evolution: mutate the best of a random sample, let the oldest die.

    *What it assumes.* Good points are one change away from other good points; and a value may be
    luck, so that nobody should be a parent for ever.

    *Where it looks.* The first ``population`` points are draws from the reference measure. Each
    later one is a mutation of the best of ``sample`` individuals drawn from the population with
    replacement; it joins the population, and the oldest leaves. A mutation changes one axis:
    another option, a Gaussian step of ``sigma`` in unit scale, at least one level; with probability
    ``migration`` the family is drawn anew.

    *Where it never looks.* More than one axis away from the last ``population`` points that it
    asked for (a new family aside). Where a good point needs two changes that are bad one by one, it
    gets there only through a bad one that wins a tournament.

    A failed trial is worse than every success.

    Raises InputError for a setting outside its range.

    >>> from hpo_lab.space import Choice
    >>> space = Space.box(*[Choice(f"op{i}", ("a", "b", "c")) for i in range(4)])
    >>> search = RegularizedEvolution(population=5, sample=2)
    >>> search = search.start(space, budget=8, rng=np.random.default_rng(0))
    >>> asked = search.ask()
    >>> search.tell(asked, asked.values.sum(axis=1))
    >>> len(asked), len(search.ask())
    (5, 1)
    """

    name: ClassVar[str] = "regularized_evolution"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True

    population: int = 20
    sample: int = 5
    sigma: float = 0.1
    migration: float = 0.1

    def __post_init__(self) -> None:
        if self.population < 1:
            raise InputError(f"population must be at least 1, not {self.population}")
        if not 1 <= self.sample <= self.population:
            raise InputError(f"sample must lie in [1, population], not {self.sample}")
        if not 0.0 < self.sigma < np.inf:
            raise InputError(f"sigma must be positive, not {self.sigma}")
        if not 0.0 <= self.migration <= 1.0:
            raise InputError(f"migration is a probability in [0, 1], not {self.migration}")

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a population of its own."""
        return _Search(self, space, budget, rng)


class _Search:
    def __init__(
        self, settings: RegularizedEvolution, space: Space, budget: int, rng: np.random.Generator
    ) -> None:
        self.settings, self.space, self.left, self.rng = settings, space, budget, rng
        self.alive: deque[tuple[Points, float]] = deque(maxlen=settings.population)

    def ask(self) -> Points:
        settings = self.settings
        if not self.left:
            return self.space.sample(0, self.rng)
        if not self.alive:
            asked = self.space.sample(settings.population, self.rng)[: self.left]
        else:
            drawn = self.rng.integers(len(self.alive), size=settings.sample)
            parent, _ = min((self.alive[i] for i in drawn), key=lambda one: one[1])
            asked = mutated(self.space, parent, settings.sigma, settings.migration, self.rng)
        self.left -= len(asked)
        return asked

    def tell(self, points: Points, values: Floats) -> None:
        told = np.where(np.isfinite(values), values, np.inf).tolist()
        self.alive.extend((points[i], value) for i, value in enumerate(told))

"""Differential evolution: steps that are differences of other members of the population.

Source: R. Storn and K. Price (1997), "Differential evolution – a simple and efficient heuristic for
global optimization over continuous spaces", Journal of Global Optimization 11 (rand/1/bin).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._genotype import Rule, check_rule, decoded, inside, vectors
from hpo_lab.space import Floats, Points, Space


@dataclass(frozen=True)
class DifferentialEvolution(Strategy):
    """Differential evolution, rand/1/bin: v = a + ``weight`` (b − c), crossed with the parent.

    *What it assumes.* The good points that were found say by their differences how far and which
    way to go: one region, or several of like shape, that the population shrinks upon. Only the
    order of values counts.

    *Where it looks.* First at ``population`` points from the reference measure, as vectors in the
    unit cube: one coordinate for the family, where there are several, and one for every column.
    Then at one trial vector for each of them: it takes each coordinate from v with probability
    ``crossover``, at least one, and replaces its parent unless it is worse. Coordinates that leave
    the cube are handled by ``bounds``: "reflect" folds them back, "saturate" puts them on the bound
    (known to pile up there), "resample" draws them anew, "wrap" goes around.

    *Where it never looks.* Where no difference of two members leads: steps are as short as the
    population is narrow, and a coordinate in which all members agree never changes again.

    One ask is one generation. A failed trial is worse than every success.

    Raises InputError for a setting outside its range.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", -1, 1), Real("y", -1, 1))
    >>> search = DifferentialEvolution(population=8).start(space, 20, np.random.default_rng(0))
    >>> for _ in range(4):
    ...     asked = search.ask()
    ...     search.tell(asked, (asked.values**2).sum(axis=1))
    ...     print(len(asked), end=" ")
    8 8 4 0
    """

    name: ClassVar[str] = "differential_evolution"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True

    population: int = 20
    weight: float = 0.5
    crossover: float = 0.9
    bounds: Rule = "reflect"

    def __post_init__(self) -> None:
        if self.population < 4:
            raise InputError(f"population must be at least 4, not {self.population}")
        if not 0.0 < self.weight <= 2.0:
            raise InputError(f"weight must lie in (0, 2], not {self.weight}")
        if not 0.0 <= self.crossover <= 1.0:
            raise InputError(f"crossover is a probability in [0, 1], not {self.crossover}")
        check_rule(self.bounds)

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a population of its own."""
        return _Search(self, space, budget, rng)


class _Search:
    def __init__(
        self, settings: DifferentialEvolution, space: Space, budget: int, rng: np.random.Generator
    ) -> None:
        self.settings, self.space, self.left, self.rng = settings, space, budget, rng
        self.parents = self.trials = np.empty((0, 0))
        self.values = np.empty(0)

    def ask(self) -> Points:
        size = self.settings.population
        self.trials = self._bred() if len(self.values) else vectors(self.space, size, self.rng)
        asked = decoded(self.space, self.trials)[: self.left]
        self.left -= len(asked)
        return asked

    def tell(self, points: Points, values: Floats) -> None:
        values = np.where(np.isfinite(values), values, np.inf)
        if not len(self.values):
            self.parents, self.values = self.trials, values
            return
        rows = np.flatnonzero(values <= self.values[: len(values)])
        self.parents[rows], self.values[rows] = self.trials[rows], values[rows]

    def _bred(self) -> Floats:
        """One trial vector for every parent."""
        n, d = self.parents.shape
        # three others for each, all different: the smallest of n − 1 random keys, past oneself
        keys = self.rng.random((n, n - 1)).argpartition(2, axis=1)[:, :3]
        a, b, c = (keys + (keys >= np.arange(n)[:, None])).T
        moved = self.parents[a] + self.settings.weight * (self.parents[b] - self.parents[c])
        crossed = self.rng.random((n, d)) < self.settings.crossover
        crossed[np.arange(n), self.rng.integers(d, size=n)] = True
        return np.where(crossed, inside(moved, self.settings.bounds, self.rng), self.parents)

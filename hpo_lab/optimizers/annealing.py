"""Simulated annealing: a random walk that takes ever fewer steps for the worse.

Source: S. Kirkpatrick, C. D. Gelatt and M. P. Vecchi (1983), "Optimization by simulated annealing",
Science 220; the acceptance rule is that of N. Metropolis et al. (1953).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._moves import mutated
from hpo_lab.space import Floats, Points, Space

_DRAWS = 10  # random points that the temperature is measured on


@dataclass(frozen=True)
class Annealing(Strategy):
    """Simulated annealing: one-axis moves, accepted by Metropolis' rule as the temperature falls.

    *What it assumes.* Small moves change values little, hills between minima are low beside the
    spread of random values, and the better minima lie together.

    *Where it looks.* It starts from the best of ten draws from the reference measure, with a
    temperature of ``hot`` times their standard deviation, and cools geometrically to ``cold`` times
    that when the budget ends (so it is not anytime). A move changes one axis: a Gaussian step of
    ``sigma`` in unit scale, at least one level, or another option; with probability ``migration``
    the family is drawn anew. A worse value by Δ is accepted with probability exp(−Δ / temperature),
    a failed trial never.

    *Where it never looks.* After its ten draws, more than one axis away from where it stands (a new
    family aside): it sees the surroundings of one walk, never starts anew, and does not return to
    the best point that it left.

    Raises InputError for a setting outside its range.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", -1, 1))
    >>> search = Annealing().start(space, budget=12, rng=np.random.default_rng(0))
    >>> len(search.ask())
    10
    """

    name: ClassVar[str] = "annealing"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = False

    hot: float = 1.0
    cold: float = 0.001
    sigma: float = 0.1
    migration: float = 0.1

    def __post_init__(self) -> None:
        for name in ("hot", "sigma"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} must be positive, not {getattr(self, name)}")
        if not 0.0 < self.cold <= 1.0:
            raise InputError(f"cold is a share in (0, 1], not {self.cold}")
        if not 0.0 <= self.migration <= 1.0:
            raise InputError(f"migration is a probability in [0, 1], not {self.migration}")

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search that cools down over its budget."""
        return _Search(self, space, budget, rng)


class _Search:
    def __init__(
        self, settings: Annealing, space: Space, budget: int, rng: np.random.Generator
    ) -> None:
        self.settings, self.space, self.rng = settings, space, rng
        self.budget, self.left = budget, budget
        self.here: Points | None = None
        self.value, self.hot = np.inf, 0.0

    def ask(self) -> Points:
        if self.here is None:
            asked = self.space.sample(min(_DRAWS, self.left), self.rng)
        elif self.left:
            settings = self.settings
            asked = mutated(self.space, self.here, settings.sigma, settings.migration, self.rng)
        else:
            return self.space.sample(0, self.rng)
        self.left -= len(asked)
        return asked

    def tell(self, points: Points, values: Floats) -> None:
        values = np.where(np.isfinite(values), values, np.inf)
        if self.here is None:
            best = int(np.argmin(values))
            self.here, self.value = points[best], float(values[best])
            self.hot = self.settings.hot * _spread(values[np.isfinite(values)])
        elif self._accepts(float(values[0])):
            self.here, self.value = points, float(values[0])

    def _accepts(self, value: float) -> bool:
        if value <= self.value:
            return True
        if not math.isfinite(value):
            return False
        done = 1.0 - self.left / self.budget
        temperature = self.hot * self.settings.cold**done
        if temperature <= 0.0:
            return False
        return bool(self.rng.random() < math.exp(-min((value - self.value) / temperature, 700.0)))


def _spread(values: Floats) -> float:
    """The standard deviation, scaled first so that huge values do not overflow."""
    largest = float(np.abs(values).max(initial=0.0))
    return largest * float(np.std(values / largest)) if largest > 0.0 else 0.0

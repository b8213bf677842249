"""Particle swarm optimization: points with momentum, drawn to their own and the swarm's best place.

Source: J. Kennedy and R. Eberhart (1995), "Particle swarm optimization"; the default weights are
those of M. Clerc and J. Kennedy (2002), IEEE Transactions on Evolutionary Computation 6(1).
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
class ParticleSwarm(Strategy):
    """Particle swarm: v ← ``inertia`` v + ``own`` r₁ (p − x) + ``social`` r₂ (g − x), x ← x + v.

    *What it assumes.* Between and around good places there are better ones: the best place of all
    is worth everybody's approach. Only the order of values counts.

    *Where it looks.* First at ``particles`` points from the reference measure, as vectors in the
    unit cube: one coordinate for the family, where there are several, and one for every column.
    Then every particle x moves by its velocity v; p is the best place of the particle, g that of
    the swarm. Coordinates that leave the cube are handled by ``bounds`` ("reflect", "saturate",
    "resample", "wrap"), and lose their velocity.

    *Where it never looks.* Away from its best places for long: nothing mutates, and a coordinate in
    which all places and all best places agree and no particle moves never changes again.

    One ask is one move of the swarm. A failed trial is worse than every success.

    Raises InputError for a setting outside its range.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", -1, 1), Real("y", -1, 1))
    >>> search = ParticleSwarm(particles=6).start(space, 15, np.random.default_rng(0))
    >>> for _ in range(4):
    ...     asked = search.ask()
    ...     search.tell(asked, (asked.values**2).sum(axis=1))
    ...     print(len(asked), end=" ")
    6 6 3 0
    """

    name: ClassVar[str] = "particle_swarm"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True

    particles: int = 20
    inertia: float = 0.7298
    own: float = 1.49618
    social: float = 1.49618
    bounds: Rule = "reflect"

    def __post_init__(self) -> None:
        if self.particles < 1:
            raise InputError(f"particles must be at least 1, not {self.particles}")
        for name in ("inertia", "own", "social"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise InputError(f"{name} must be a number from 0 on, not {getattr(self, name)}")
        check_rule(self.bounds)

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a swarm of its own."""
        return _Search(self, space, budget, rng)


class _Search:
    def __init__(
        self, settings: ParticleSwarm, space: Space, budget: int, rng: np.random.Generator
    ) -> None:
        self.settings, self.space, self.left, self.rng = settings, space, budget, rng
        self.places = vectors(space, settings.particles, rng)
        self.speeds = np.zeros_like(self.places)
        self.best, self.values = self.places, np.full(len(self.places), np.inf)
        self.moving = False

    def ask(self) -> Points:
        if self.moving:
            self._move()
        self.moving = True
        asked = decoded(self.space, self.places)[: self.left]
        self.left -= len(asked)
        return asked

    def tell(self, points: Points, values: Floats) -> None:
        values = np.where(np.isfinite(values), values, np.inf)
        rows = np.flatnonzero(values < self.values[: len(values)])
        self.best = self.best.copy()
        self.best[rows], self.values[rows] = self.places[rows], values[rows]

    def _move(self) -> None:
        settings, shape = self.settings, self.places.shape
        leader = self.best[np.argmin(self.values)]
        own, social = self.rng.random(shape), self.rng.random(shape)
        self.speeds = (
            settings.inertia * self.speeds
            + settings.own * own * (self.best - self.places)
            + settings.social * social * (leader - self.places)
        )
        moved = self.places + self.speeds
        self.places = inside(moved, settings.bounds, self.rng)
        self.speeds = np.where((moved < 0.0) | (moved > 1.0), 0.0, self.speeds)

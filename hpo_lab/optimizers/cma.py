"""CMA-ES: a Gaussian whose mean, step and covariance learn from the better half of its samples.

Source: N. Hansen (2016), "The CMA evolution strategy: a tutorial", arXiv 1604.00772; the margin
that keeps discrete axes alive: R. Hamano, S. Saito, M. Nomura and S. Shirakawa (2022), "CMA-ES with
margin", GECCO; by the package cmaes (M. Nomura and M. Shibata).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._genotype import decoded
from hpo_lab.optimizers._libraries import library, one_thread
from hpo_lab.optimizers._quasi import width
from hpo_lab.optimizers._values import LARGEST
from hpo_lab.space import Floats, Points, Space


@dataclass(frozen=True)
class CMA(Strategy):
    """CMA-ES with margin, restarted with twice the population when it has converged.

    *What it assumes.* Seen from afar there is one bowl, however long, narrow and turned. Only the
    order of values counts.

    *Where it looks.* At samples of its Gaussian, whose mean moves to the better ones, whose step
    grows while moves agree and shrinks where they cancel, and whose covariance learns their
    directions. It lives in the unit cube: one coordinate for the family, where there are several,
    and one for every column. Finite axes (and the family) are the cells that their coordinate lies
    in, and keep a minimal probability to change (the margin). The first mean is the middle of the
    cube (later ones are uniform in it), the first step ``sigma``; ``population`` 0 stands for
    4 + ⌊3 ln d⌋.

    *Where it never looks.* Outside its Gaussian, until it has converged and starts anew: corners
    and bounds are rare from the first generation on, and once the step has shrunk, what is some
    steps away is not seen any more.

    One ask is one generation; a generation that the budget cuts teaches nothing. A failed trial is
    the worst of its generation. The linear algebra runs on one thread.

    Raises InputError for a setting outside its range and where the package cmaes is missing.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", -1, 1), Real("y", -1, 1))
    >>> search = CMA(population=6).start(space, 15, np.random.default_rng(0))
    >>> for _ in range(4):
    ...     asked = search.ask()
    ...     search.tell(asked, (asked.values**2).sum(axis=1))
    ...     print(len(asked), end=" ")
    6 6 3 0
    """

    name: ClassVar[str] = "cma"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("cmaes",)

    population: int = 0
    sigma: float = 0.3

    def __post_init__(self) -> None:
        if self.population != 0 and self.population < 4:
            raise InputError(f"population must be at least 4, or 0, not {self.population}")
        if not 0.0 < self.sigma < np.inf:
            raise InputError(f"sigma must be positive, not {self.sigma}")

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a Gaussian of its own; imports cmaes."""
        return _Search(self, space, budget, rng)


class _Search:
    def __init__(self, settings: CMA, space: Space, budget: int, rng: np.random.Generator) -> None:
        self.settings, self.space, self.left, self.rng = settings, space, budget, rng
        self.steps = _steps(space)
        self.size = settings.population or 4 + int(3 * np.log(len(self.steps)))
        self.gaussian = self._started(np.full(len(self.steps), 0.5))
        self.asked: list[tuple[Floats, Floats]] = []

    def ask(self) -> Points:
        if not self.left:
            return self.space.sample(0, self.rng)
        with one_thread("cmaes"):
            pairs = [self.gaussian.ask() for _ in range(self.size)][: self.left]
        self.asked = pairs
        self.left -= len(pairs)
        cube = np.array([pair[0] for pair in pairs])[:, : width(self.space)]
        return decoded(self.space, cube)

    def tell(self, points: Points, values: Floats) -> None:
        if len(values) < self.size:
            return
        told = np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), LARGEST)
        with one_thread("cmaes"):
            self.gaussian.tell([(pair[1], v) for pair, v in zip(self.asked, told, strict=True)])
            if self.gaussian.should_stop():
                self.size *= 2
                self.gaussian = self._started(self.rng.random(len(self.steps)))

    def _started(self, mean: Floats) -> Any:
        gaussian = library("cma", "cmaes", "cmaes").CMAwM
        ends = np.column_stack([self.steps / 2.0, 1.0 - self.steps / 2.0])
        return gaussian(
            mean=np.clip(mean, ends[:, 0], ends[:, 1]),
            sigma=self.settings.sigma,
            bounds=ends,
            steps=self.steps,
            seed=int(self.rng.integers(2**31)),
            population_size=self.size,
        )


def _steps(space: Space) -> Floats:
    """The width (d,) of the cells of each coordinate, 0 where it is continuous; at least two."""
    places = {c: axis for i in range(len(space.families)) for c, axis in space.places(i)}
    sizes = [places[column].size for column in range(space.width)]
    if len(space.families) > 1:
        sizes = [float(len(space.families)), *sizes]
    sizes += [np.inf] * (2 - len(sizes))  # the package knows no single dimension
    # a coordinate with one cell says nothing; it may drift
    return np.array([0.0 if size == 1 or np.isinf(size) else 1.0 / size for size in sizes])

"""A generational genetic algorithm with elitism, built from DEAP's operators.

Source: J. H. Holland (1975), "Adaptation in Natural and Artificial Systems"; the operators are
those of F.-A. Fortin et al. (2012), "DEAP: Evolutionary algorithms made easy", Journal of Machine
Learning Research 13.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import ClassVar, Literal, get_args

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._genotype import Rule, check_rule
from hpo_lab.space import Axis, Choice, Floats, Points, Real, Space

Operator = Literal["uniform", "blend"]

_ATTEMPTS = 10  # to make a child differ from its parent; a space may have only one point


@dataclass(frozen=True)
class Evolution(Strategy):
    """A genetic algorithm: tournaments, uniform crossover, mutation by axis kind, an elite.

    *What it assumes.* Good points are made of parts that are good in other good points, too, and
    small changes of a good point change it little. Only the order of values counts.

    *Where it looks.* The first generation is ``population`` draws from the reference measure. Each
    later one keeps the ``elite`` best individuals, with the values that they have, and asks for
    ``population - elite`` children: where the coordinates of two winners meet, or a few steps from
    there. One ask is one generation; the last is cut to the budget.

    *Where it never looks.* Nowhere is excluded for ever, but far from all individuals hardly ever:
    mutation changes ``genes`` axes of a child on average, by steps of ``sigma``, and a family that
    has died out comes back by ``migration`` alone.

    *Selection.* Parents win tournaments of ``tournament`` individuals. A value that is nan or
    infinite is a failed trial, worse than every success.

    *Crossover.* With probability ``crossover`` two parents exchange genes, each gene with
    probability ``exchange`` (``operator`` "uniform"). With "blend" (L. J. Eshelman and J. D.
    Schaffer 1993, BLX-α) numbers and ordered choices are drawn uniformly between the parents'
    and ``alpha`` times their distance beyond; with alpha 0 the population shrinks to the middle
    by itself, which variance survives from 0.366 on. Parents of different families keep their
    families and cross only the axes that both families have, by name and in unit scale.

    *Mutation.* With probability ``mutation`` a child is mutated, ``genes`` of its axes on average
    (each with probability min(1, genes / axes)). Real axes move by a Gaussian step of ``sigma``,
    integers and ordered choices by one of max(sigma, one level), both in unit scale; unordered
    choices draw an option. Coordinates over a bound are handled by ``bounds``: "reflect",
    "saturate" (on the bound), "resample" or "wrap". With probability ``migration`` a mutated
    child also draws a new family by weight; axes that are new to it are drawn uniformly.
    A child that equals its first parent is mutated until it differs (ten attempts at most).

    Raises InputError for a setting outside its range.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", -1, 1), Real("y", -1, 1))
    >>> search = Evolution(population=4).start(space, budget=9, rng=np.random.default_rng(0))
    >>> for _ in range(4):
    ...     asked = search.ask()
    ...     search.tell(asked, (asked.values**2).sum(axis=1))
    ...     print(len(asked), end=" ")
    4 3 2 0
    """

    name: ClassVar[str] = "evolution"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("deap",)

    population: int = 10
    elite: int = 1
    tournament: int = 3
    crossover: float = 0.5
    exchange: float = 0.5
    mutation: float = 0.9
    genes: float = 1.0
    sigma: float = 0.1
    migration: float = 0.1
    operator: Operator = "uniform"
    alpha: float = 0.366
    bounds: Rule = "reflect"

    def __post_init__(self) -> None:
        if self.population < 2:
            raise InputError(f"population must be at least 2, not {self.population}")
        if not 0 <= self.elite < self.population:
            raise InputError(f"elite must be at least 0 and below population, not {self.elite}")
        if self.tournament < 1:
            raise InputError(f"tournament must be at least 1, not {self.tournament}")
        for name in ("crossover", "exchange", "mutation", "migration"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is a probability in [0, 1], not {getattr(self, name)}")
        for name in ("genes", "sigma"):
            if not 0 < getattr(self, name) < np.inf:
                raise InputError(f"{name} must be positive, not {getattr(self, name)}")
        if self.operator not in get_args(Operator):
            raise InputError(f'operator must be "uniform" or "blend", not {self.operator!r}')
        if not 0 <= self.alpha < np.inf:
            raise InputError(f"alpha must be a number from 0 on, not {self.alpha}")
        check_rule(self.bounds)

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a population of its own; ``rng`` seeds it."""
        return _Search(self, space, budget, rng)


class _Individual(list[float]):
    """Unit coordinates by column (nan where inactive), a family, and a fitness to maximise."""

    __slots__ = ("family", "fitness")

    def __init__(self, unit: Sequence[float], family: int, fitness: float = -np.inf) -> None:
        super().__init__(unit)
        self.family, self.fitness = family, fitness

    def same(self, other: _Individual) -> bool:
        """Equal where both are active; inactive coordinates are nan on both sides."""
        return self.family == other.family and (
            self == other or all(a == b or a != a for a, b in zip(self, other, strict=True))
        )


class _Search:
    def __init__(
        self, settings: Evolution, space: Space, budget: int, rng: np.random.Generator
    ) -> None:
        from hpo_lab.optimizers._deap import operators

        self.settings, self.space, self.left, self.rng = settings, space, budget, rng
        self.random = random.Random(int(rng.integers(2**63)))  # noqa: S311 (a search, no secret)
        self.deap = operators(self.random)
        self.genome = [_Genes(space.places(i), settings) for i in range(len(space.families))]
        self.shared: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
        self.parents: list[_Individual] = []
        self.children: list[_Individual] = []

    def ask(self) -> Points:
        if self.left == 0:
            return self.space.sample(0, self.rng)
        self.children = self._breed() if self.parents else self._founders()
        self.children = self.children[: self.left]
        self.left -= len(self.children)
        n, width = len(self.children), self.space.width
        family = np.array([child.family for child in self.children], dtype=np.int64)
        unit = np.fromiter(chain.from_iterable(self.children), dtype=float, count=n * width)
        return self.space.from_unit(family, unit.reshape(n, width))

    def tell(self, points: Points, values: Floats) -> None:
        units = self.space.to_unit(points).tolist()  # integers and options return to mid-cell
        fitness = np.where(np.isfinite(values), -values, -np.inf).tolist()
        born = list(map(_Individual, units, points.family.tolist(), fitness))
        ranked = sorted(self.parents, key=attrgetter("fitness"), reverse=True)
        self.parents = ranked[: self.settings.elite] + born

    def _founders(self) -> list[_Individual]:
        # The rows of one draw, so that a shorter budget sees a prefix.
        founders = self.space.sample(self.settings.population, self.rng)
        return list(
            map(_Individual, self.space.to_unit(founders).tolist(), founders.family.tolist())
        )

    def _breed(self) -> list[_Individual]:
        settings = self.settings
        wanted = settings.population - settings.elite
        pool = self.deap.tournament(self.parents, wanted + wanted % 2, settings.tournament)
        children: list[_Individual] = []
        for mother, father in zip(pool[::2], pool[1::2], strict=True):
            children += self._pair(mother, father)
        return children[:wanted]

    def _pair(self, mother: _Individual, father: _Individual) -> tuple[_Individual, _Individual]:
        """Two children of two parents."""
        one, other = _Individual(mother, mother.family), _Individual(father, father.family)
        draw, settings = self.random.random, self.settings
        if draw() < settings.crossover:
            self._cross(one, other)
        for child, parent in ((one, mother), (other, father)):
            if draw() < settings.mutation:
                self._mutate(child)
            for _ in range(_ATTEMPTS):
                if not child.same(parent):
                    break
                self._mutate(child)
        return one, other

    def _cross(self, one: _Individual, other: _Individual) -> None:
        exchanged, blended = self._shared(one.family, other.family)
        if exchanged:
            self._exchange(exchanged, one, other)
        if blended:
            self._blend(blended, one, other)

    def _shared(self, one: int, other: int) -> tuple[list[int], list[int]]:
        """The columns that two families have in common: those exchanged and those blended."""
        if (one, other) not in self.shared:
            own, foreign = self.genome[one], set(self.genome[other].columns)
            blended = set(own.steps) if self.settings.operator == "blend" else set()
            both = [c for c in own.columns if c in foreign]
            split = [c for c in both if c not in blended], [c for c in both if c in blended]
            self.shared[one, other] = split
        return self.shared[one, other]

    def _exchange(self, columns: list[int], one: _Individual, other: _Individual) -> None:
        if len(columns) == len(one):  # all of them: in place
            self.deap.uniform(one, other, self.settings.exchange)
            return
        mine, theirs = [one[c] for c in columns], [other[c] for c in columns]
        self.deap.uniform(mine, theirs, self.settings.exchange)
        for column, gene, exchanged in zip(columns, mine, theirs, strict=True):
            one[column], other[column] = gene, exchanged

    def _blend(self, columns: list[int], one: _Individual, other: _Individual) -> None:
        mine, theirs = [one[c] for c in columns], [other[c] for c in columns]
        self.deap.blend(mine, theirs, self.settings.alpha)
        for column, gene, mirrored in zip(columns, mine, theirs, strict=True):
            one[column] = self._kept(gene)
            other[column] = self._kept(mirrored)

    def _mutate(self, child: _Individual) -> None:
        if len(self.genome) > 1 and self.random.random() < self.settings.migration:
            self._migrate(child)
        genes = self.genome[child.family]
        if genes.steps:
            self._step(child, genes)
        if genes.draws:
            self._draw(child, genes)

    def _step(self, child: _Individual, genes: _Genes) -> None:
        """A Gaussian step of the numbers and ordered choices that it falls on, kept in bounds."""
        if len(genes.steps) == len(child):  # all of them: in place
            self.deap.gaussian(child, 0.0, genes.sigma, genes.probability)
            if min(child) < 0.0 or max(child) > 1.0:
                child[:] = [self._kept(gene) for gene in child]
            return
        steps = [child[c] for c in genes.steps]
        self.deap.gaussian(steps, 0.0, genes.sigma, genes.probability)
        for column, gene in zip(genes.steps, steps, strict=True):
            child[column] = self._kept(gene)

    def _draw(self, child: _Individual, genes: _Genes) -> None:
        """An option, drawn anew, of the unordered choices that it falls on."""
        draws = [
            min(int(child[c] * k), k - 1) for c, k in zip(genes.draws, genes.options, strict=True)
        ]
        self.deap.uniform_int(draws, 0, genes.last, genes.probability)
        for column, option, k in zip(genes.draws, draws, genes.options, strict=True):
            child[column] = (option + 0.5) / k

    def _kept(self, gene: float) -> float:
        """A coordinate in [0, 1], by the rule."""
        if 0.0 <= gene <= 1.0:
            return gene
        rule = self.settings.bounds
        if rule == "reflect":
            folded = gene % 2.0  # as often as it takes
            return 2.0 - folded if folded > 1.0 else folded
        if rule == "saturate":
            return 0.0 if gene < 0.0 else 1.0
        return gene % 1.0 if rule == "wrap" else self.random.random()

    def _migrate(self, child: _Individual) -> None:
        """Draw a new family by weight, and the axes that are new to the child."""
        families = range(len(self.genome))
        child.family = self.random.choices(families, self.space.weights.tolist())[0]
        active = set(self.genome[child.family].columns)
        for column, gene in enumerate(child):
            if column not in active:
                child[column] = np.nan
            elif gene != gene:
                child[column] = self.random.random()


class _Genes:
    """The columns of one family by the way they mutate: by steps, or by drawing an option."""

    def __init__(self, places: Sequence[tuple[int, Axis]], settings: Evolution) -> None:
        nominal = [isinstance(axis, Choice) and not axis.ordered for _, axis in places]
        split = list(zip(places, nominal, strict=True))
        stepped = [place for place, drawn in split if not drawn]
        drawn = [place for place, drawn in split if drawn]
        self.columns = [column for column, _ in places]
        self.probability = min(1.0, settings.genes / max(len(places), 1))
        self.steps = [column for column, _ in stepped]
        levels = [0.0 if isinstance(axis, Real) else 1 / axis.size for _, axis in stepped]
        self.sigma = [max(settings.sigma, level) for level in levels]
        self.draws = [column for column, _ in drawn]
        self.options = [int(axis.size) for _, axis in drawn]
        self.last = [k - 1 for k in self.options]

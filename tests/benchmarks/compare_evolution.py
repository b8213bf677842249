"""evolution and differential_evolution against DEAP's bare operators; prints ratios and a target.

``python tests/benchmarks/compare_evolution.py``, in about a minute. One generation of ours is an
ask and a tell of a search; DEAP's is the loop of its examples over plain lists with the operators
that ours uses, with nothing around them: no bounds, no space, no batch of points, and copies of
lists ("cloned" copies by ``deepcopy``, as DEAP's own toolbox does). Both are told values that are
made beforehand. Sides take turns in one process and are timed in CPU seconds; a side's time is the
least of its rounds. Below, what a point of random, grid and quasi-random search costs in a batch.
"""

from __future__ import annotations

import argparse
import copy
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from deap import base, creator, tools

from hpo_lab import discovery
from hpo_lab.optimizer import Strategy
from hpo_lab.optimizers.differential_evolution import DifferentialEvolution
from hpo_lab.optimizers.evolution import Evolution
from hpo_lab.space import Real, Space

ROUNDS = 15
GENERATIONS = 60  # in a round
TARGET = 2.5  # ours at most so much of DEAP's bare operators
DIMENSIONS = (5, 10, 30)
MICROSECONDS = 0.2  # a point of a batch, at most

Generation = Callable[[], None]


def cube(d: int) -> Space:
    """Return d real axes from 0 to 1."""
    return Space.box(*[Real(f"x{i}", 0.0, 1.0) for i in range(d)])


def ours(strategy: Strategy, d: int) -> Generation:
    """A generation of one of our searches, endless for the purpose."""
    search = strategy.start(cube(d), 10**9, np.random.default_rng(0))
    values = np.random.default_rng(1).random(1000)
    search.tell(search.ask(), values[: getattr(strategy, "population", 0)])

    def generation() -> None:
        asked = search.ask()
        search.tell(asked, values[: len(asked)])

    return generation


def individuals(n: int, d: int) -> list[Any]:
    """A population as DEAP's examples make it."""
    if not hasattr(creator, "Minimum"):
        creator.create("Minimum", base.Fitness, weights=(-1.0,))
        creator.create("Individual", list, fitness=creator.Minimum)
    population = [creator.Individual(random.random() for _ in range(d)) for _ in range(n)]  # noqa: S311
    for individual in population:
        individual.fitness.values = (random.random(),)  # noqa: S311
    return population


def sliced(individual: Any) -> Any:
    """A copy that costs next to nothing, without its fitness."""
    return creator.Individual(individual)


def genetic(settings: Evolution, d: int, clone: Callable[[Any], Any]) -> Generation:
    """The loop of DEAP's genetic algorithms (examples/ga/onemax) with our settings."""
    wanted = settings.population - settings.elite
    even = wanted + wanted % 2
    values = told()
    parents = individuals(settings.population, d)
    blend = settings.operator == "blend"
    cross = tools.cxBlend if blend else tools.cxUniform
    how = settings.alpha if blend else settings.exchange

    def generation() -> None:
        nonlocal parents
        children = [clone(one) for one in tools.selTournament(parents, even, settings.tournament)]
        for one, other in zip(children[::2], children[1::2], strict=True):
            if random.random() < settings.crossover:  # noqa: S311
                cross(one, other, how)
        for child in children:
            if random.random() < settings.mutation:  # noqa: S311
                tools.mutGaussian(child, 0.0, settings.sigma, settings.genes / d)
        for child in children:
            child.fitness.values = (next(values),)
        parents = tools.selBest(parents, settings.elite) + children[:wanted]

    return generation


def differential(
    settings: DifferentialEvolution, d: int, clone: Callable[[Any], Any]
) -> Generation:
    """The loop of DEAP's differential evolution (examples/de/basic) with our settings."""
    values = told()
    parents = individuals(settings.population, d)

    def generation() -> None:
        for place, agent in enumerate(parents):
            a, b, c = tools.selRandom(parents, 3)
            trial = clone(agent)
            kept = random.randrange(d)  # noqa: S311
            for i in range(d):
                if i == kept or random.random() < settings.crossover:  # noqa: S311
                    trial[i] = a[i] + settings.weight * (b[i] - c[i])
            trial.fitness.values = (next(values),)
            if trial.fitness > agent.fitness:
                parents[place] = trial

    return generation


def told() -> Iterator[float]:
    """Values without end, made beforehand."""
    made = np.random.default_rng(1).random(4096).tolist()
    while True:
        yield from made


def microseconds(generation: Generation) -> float:
    """Return the CPU microseconds of one generation, over a round."""
    start = time.process_time()
    for _ in range(GENERATIONS):
        generation()
    return 1e6 * (time.process_time() - start) / GENERATIONS


def compare(settings: Evolution | DifferentialEvolution, d: int) -> dict[str, object]:
    """Print the least time of each side, ours first; return what the docs show of it."""

    def bare(clone: Callable[[Any], Any]) -> Generation:
        if isinstance(settings, Evolution):
            return genetic(settings, d, clone)
        return differential(settings, d, clone)

    sides = {"ours": ours(settings, d), "bare": bare(sliced), "cloned": bare(copy.deepcopy)}
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, generation in sides.items():
            spent[name].append(microseconds(generation))
    own, plain, cloned = (min(times) for times in spent.values())
    title = f"{settings.name} d = {d}, population {settings.population}"
    if isinstance(settings, Evolution):
        title += f", {settings.operator}"
    print(
        f"{title:48} {own:5.0f} μs; bare {plain:.0f} μs (ours {own / plain:.2f} of it), "
        f"cloned {cloned:.0f} μs (ours {own / cloned:.2f} of it)"
    )
    name = settings.name
    if isinstance(settings, Evolution) and settings.operator != "uniform":
        name += f" {settings.operator}"
    return {
        "strategy": name,
        "peer": "DEAP's bare operators",
        "d": d,
        "n": settings.population,
        "own_ms": round(own / 1e3, 4),
        "peer_ms": round(plain / 1e3, 4),
        "target": TARGET,
    }


def batches(n: int = 100_000) -> list[dict[str, object]]:
    """Print what a point of a batch costs with strategies that learn nothing; return it."""
    rows: list[dict[str, object]] = []
    for name in ("random", "grid", "sobol", "halton", "lhs"):
        strategy = discovery.make("strategies", name, {})
        for d in DIMENSIONS:
            times = []
            for _ in range(5):
                start = time.process_time()
                asked = strategy.start(cube(d), n, np.random.default_rng(0)).ask()
                times.append(1e6 * (time.process_time() - start) / len(asked))
            print(f"{name:8} d = {d:2}: {min(times):.3f} μs a point ({len(asked):,} in a batch)")
            row = {"strategy": name, "peer": "", "d": d, "n": len(asked)}
            rows.append(row | {"own_ms": min(times) / 1e3, "peer_ms": None, "target": None})
    return rows


SETTINGS = (
    Evolution(),
    Evolution(operator="blend"),
    Evolution(population=100),
    DifferentialEvolution(population=20),
    DifferentialEvolution(population=100),
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", metavar="CSV", help="write the figures into this file, too")
    keep = parser.parse_args().keep
    print(f"a generation; target: at most {TARGET} of DEAP's bare operators")
    found = [compare(settings, d) for d in DIMENSIONS for settings in SETTINGS]
    print(f"a point of a batch; target: at most {MICROSECONDS} μs")
    points = batches()
    if keep:
        pd.DataFrame(found + points).to_csv(keep, index=False)

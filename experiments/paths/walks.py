"""The runs that are drawn, and their numbers beside those of random search."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

import landscapes
from hpo_lab import Landscape, discovery, search
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Optimum
from hpo_lab.space import Floats, Real, Space

BUDGET, SEED = 60, 1  # the seed of the run that is drawn; the others are the next ones
SIDE = 10  # cells along each axis
RANDOM = 1000  # random searches that a run is compared with
RUNS = 50
FEW = {"gp": 6, "gp_fast": 10, "optuna_cma": 10, "optuna_tpe": 10}  # runs of slower ones
FEW |= {"forest": 3, "optuna_gp": 3, "smac": 2}  # of those that take seconds each


@dataclass(frozen=True)
class Scene:
    """A landscape that everybody searches, and what is known of it."""

    name: str
    title: str
    text: str
    use: str
    arguments: tuple[tuple[str, Any], ...]

    @property
    def landscape(self) -> Landscape:
        return _made(self)

    @property
    def optimum(self) -> Optimum:
        """The optimum, which is known exactly on a scene."""
        known = self.landscape.optimum()
        if isinstance(known, Bounds):
            raise InputError(f"the optimum of {self.title} is known between bounds only")
        return known


@lru_cache(maxsize=8)
def _made(scene: Scene) -> Landscape:
    made: Landscape = landscapes.make(scene.use, **dict(scene.arguments))
    return made


SCENES = (
    Scene(
        "valley",
        "The valley",
        "Rosenbrock’s function, rotated (BBOB f9): smooth, with one long, narrow, bent valley that "
        "is parallel to no axis. Slopes tell the truth here, but only to those who follow them "
        "along both axes at once.",
        "bbob",
        (("function", 9), ("dimension", 2), ("instance", 1)),
    ),
    Scene(
        "peaks",
        "The peaks",
        "Gallagher’s 101 peaks, turned over (BBOB f21): many valleys of all depths and no order "
        "among them. Near a minimum slopes lead to it, but no minimum says where the best one is.",
        "bbob",
        (("function", 21), ("dimension", 2), ("instance", 1)),
    ),
)


@dataclass(frozen=True, eq=False)
class Walk:
    """One run on one scene: its points (n, 2) in unit coordinates, in order, and their numbers."""

    unit: Floats
    regret: Floats  # (n,) of each point, above the optimum
    best: int  # the first of the best points
    distance: float  # from the best point to the optimum, in unit coordinates
    unseen: float  # share of cells never visited
    empty: tuple[float, float, float]  # largest empty circle in unit coordinates: x, y, radius
    beats: float  # share of random searches with as many evaluations that ended worse


def walk(strategy: str, scene: Scene) -> Walk:
    """Return the run of a strategy on a scene; InputError where its package is missing."""
    there = scene.landscape.universe.to_unit(scene.optimum.point)[0]
    unit, regret = _run(strategy, scene, SEED)
    best = int(np.argmin(regret))
    return Walk(
        unit=unit,
        regret=regret,
        best=best,
        distance=float(np.linalg.norm(unit[best] - there)),
        unseen=1.0 - float(visited(unit).mean()),
        empty=_largest_empty(unit),
        beats=_beaten(scene, regret),
    )


def beats(strategy: str, scene: Scene) -> tuple[float, float, int]:
    """Return the mean of ``Walk.beats`` over runs, the drawn one the first, its standard error
    (nan of one run), and their number.
    """
    runs = 1 if discovery.find("strategies", strategy).deterministic else FEW.get(strategy, RUNS)
    seeds = range(SEED, SEED + runs)
    shares = np.array([_beaten(scene, _run(strategy, scene, seed)[1]) for seed in seeds])
    error = shares.std(ddof=1) / runs**0.5 if runs > 1 else np.nan
    return float(shares.mean()), float(error), runs


@lru_cache(maxsize=256)  # the run that is drawn is also the first of several
def _run(strategy: str, scene: Scene, seed: int) -> tuple[Floats, Floats]:
    """The points (n, 2) of a run in unit coordinates, and their regrets (n,)."""
    f = scene.landscape
    trials = search(f, strategy, budget=BUDGET, seed=seed)
    points = f.universe.points(trials[list(f.universe.columns)].to_numpy())
    return f.universe.to_unit(points), trials["truth"].to_numpy() - scene.optimum.value


def _beaten(scene: Scene, regret: Floats) -> float:
    """The share of random searches that ended worse than a run, half of those that ended alike."""
    others = random_regrets(scene, len(regret))
    return float((others > regret.min()).mean() + (others == regret.min()).mean() / 2.0)


def visited(unit: Floats) -> Floats:
    """Return which cells (SIDE, SIDE), by row and column, hold a point."""
    cells = np.minimum((unit * SIDE).astype(np.int64), SIDE - 1)
    seen = np.zeros((SIDE, SIDE))
    seen[cells[:, 1], cells[:, 0]] = 1.0
    return seen


def _largest_empty(unit: Floats) -> tuple[float, float, float]:
    """The largest circle around a point of the square that holds no visited point."""
    from scipy.spatial import cKDTree

    line = np.linspace(0.0, 1.0, 201)
    places = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    distance = np.asarray(cKDTree(unit).query(places)[0])
    centre = places[int(np.argmax(distance))]
    return float(centre[0]), float(centre[1]), float(distance.max())


@lru_cache(maxsize=64)
def random_regrets(scene: Scene, evaluations: int) -> Floats:
    """Return the regrets (RANDOM,) of random searches with so many evaluations."""
    f = scene.landscape
    points = f.universe.sample(RANDOM * evaluations, np.random.default_rng(SEED))
    lowest = f.evaluate(points).reshape(RANDOM, evaluations).min(axis=1)
    return np.asarray(lowest - scene.optimum.value)


@lru_cache(maxsize=1)
def expected_unseen() -> float:
    """Return the share of cells that random search leaves unvisited on average."""
    return float((1.0 - 1.0 / SIDE**2) ** BUDGET)


def lacking(strategy: str) -> str | None:
    """Return the sentence that says what a strategy needs on this machine, None if nothing."""
    try:
        started(strategy)
    except InputError as error:
        return str(error)
    return None


def blind(strategy: str) -> bool:
    """Say whether a strategy asks for everything before it is told anything."""
    return len(started(strategy).ask()) > BUDGET / 2


def started(strategy: str) -> Any:
    """Return a search of the square by a strategy with its defaults; InputError if it refuses."""
    space = Space.box(Real("x1", -5.0, 5.0), Real("x2", -5.0, 5.0))
    recipe = discovery.make("strategies", strategy, {})
    return recipe.start(space, BUDGET, np.random.default_rng(SEED))

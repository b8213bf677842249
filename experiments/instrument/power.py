"""Power: what is the chance that a planted blind spot is found, and what else is flagged with it?

Planted avoidance: a sampler visits a region at ``ratio`` of its fair density and spreads what it
saves over the rest. ``surface`` lays it over ratio, measure, budget and repetitions, among equal
cells; ``planted`` puts it into real spaces, through their region systems.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from experiments.instrument import simulated as sim
from hpo_lab import discovery
from hpo_lab.assumption import View
from hpo_lab.landscape import Problem
from hpo_lab.measure import system_names
from hpo_lab.optimizer import Strategy
from hpo_lab.region import BoxSystem, intersect, measure, region_system
from hpo_lab.space import Bools, Floats, Ints, Points
from hpo_lab.statistics import (
    NEGLECTED,
    NEVER_SEEN,
    Verdicts,
    least_visits,
    verdicts,
    visit_p_value,
    visit_upper_bound,
)

UNIVERSE = discovery.make("landscapes", "families", {}).universe
RATIOS = (0.0, 0.1, 0.25, 0.5)
CELLS = (1_000, 300, 100, 30, 10, 5)  # equal ones: 0.1 % to 20 %
BUDGETS = (20, 100, 500)
REPETITIONS = (10, 30, 100)
STUDIES = 200
ALPHA = 0.05


def said(told: Verdicts) -> Bools:
    """Return which regions (m,) are called never seen or neglected."""
    return np.asarray(np.isin(told.word, [NEVER_SEEN, NEGLECTED]))


def equivalent_density(told: Verdicts, budget: int, runs: int, measure: Floats) -> Floats:
    """Return a bound (m,) of how dense uniform draws would have to be for as many runs to come.

    The density ratio ρ at which P(Bin(T, ρ μ) >= h) is the 95 % upper bound on the probability
    that a run of this strategy comes. That probability itself stops telling densities apart where
    hardly any run misses a region: at a quarter of the fair density 57 % of the runs still visit
    what 97 % of uniform ones do.
    """
    from scipy.special import betaincinv

    bound = visit_upper_bound(told.came, runs, 1 - ALPHA)
    return np.asarray(betaincinv(told.least, budget - told.least + 1.0, bound) / measure)


# --- the surface ---------------------------------------------------------------------------------


def exact(ratio: float, cells: int, budget: int, runs: int) -> tuple[float, float]:
    """Return the power (significant, named) where no other region is significant, exactly.

    A run comes with probability P(Bin(T, ratio μ) >= h); k of R runs come, and k is significant
    where its p-value is at most α / m among m testable regions. That others may be significant
    too can only help, so this is a lower bound of the power of Benjamini and Hochberg's method.
    """
    from scipy.stats import binom

    mu = np.full(cells, 1 / cells)
    least = least_visits(mu, budget, runs, ALPHA)[0]
    fair, true = (float(binom.sf(least - 1, budget, share / cells)) for share in (1.0, ratio))
    k = np.arange(runs + 1)
    small = visit_p_value(k, runs, fair) <= ALPHA / cells
    few = visit_upper_bound(k, runs, 1 - ALPHA) < fair / 2
    few[0] = True  # never seen: no bound is asked for
    mass = binom.pmf(k, runs, true)
    return float(mass[small].sum()), float(mass[small & few].sum())


def surface(ratio: float, cells: int, budget: int, runs: int, studies: int) -> dict[str, object]:
    """Return the share of simulated studies in which the planted one of equal cells was found.

    ``significant`` by the corrected test, ``named`` never seen or neglected, ``by_visits`` the
    same names without counts, by the test of any visit alone; ``by_density`` what is significant
    and whose ``equivalent_density`` is below a half, which no verdict asks for.
    """
    rng = sim.generator("surface", ratio, cells, budget, runs)
    mu = np.full(cells, 1 / cells)
    searched = np.full(cells, (1 - ratio / cells) / (cells - 1))
    searched[0] = ratio / cells
    hits = np.zeros((4, studies))
    false = np.zeros(studies)
    for study in range(studies):
        counts = _counts(searched, budget, runs, rng)
        visited = (counts > 0).sum(axis=0)
        told = verdicts(mu, budget, visited, runs, counts=counts)
        flags = sim.significant(told)
        alone = verdicts(mu, budget, visited, runs)
        sparse = equivalent_density(told, budget, runs, mu)[0] < 0.5
        hits[:, study] = flags[0], said(told)[0], said(alone)[0], flags[0] & sparse
        false[study] = flags[1:].sum() / max(flags.sum(), 1)
    significant, named, by_visits, by_density = hits.mean(axis=1)
    certain, certain_named = exact(ratio, cells, budget, runs)
    return {
        **{"ratio": ratio, "measure": 1 / cells, "budget": budget, "repetitions": runs},
        **{"studies": studies, "testable": bool(sim.testable(told).any())},
        **{"expected": told.expected[0], "at_least": int(told.least[0])},
        **{"significant": significant, "named": named, "by_visits": by_visits},
        "by_density": by_density,
        **{"exact_significant": certain, "exact_named": certain_named},
        "false_discoveries": false.mean(),
    }


def _counts(share: Floats, budget: int, runs: int, rng: np.random.Generator) -> Ints:
    """Visits (runs, cells) of independent draws with these shares of the cells."""
    cells = len(share)
    if budget > 2 * cells:
        return rng.multinomial(budget, share, size=runs).astype(np.int64)
    drawn = np.searchsorted(np.cumsum(share)[:-1], rng.random((runs, budget)), side="right")
    place = (np.arange(runs)[:, None] * cells + drawn).ravel()
    return np.bincount(place, minlength=runs * cells).reshape(runs, cells)


def surface_jobs(studies: int = STUDIES) -> Iterator[tuple[float, int, int, int, int]]:
    """Yield the arguments of ``surface``."""
    for ratio in RATIOS:
        for cells in CELLS:
            for budget in BUDGETS:
                for runs in REPETITIONS:
                    yield ratio, cells, budget, runs, studies


# --- in real spaces ------------------------------------------------------------------------------

# place, system and which of its regions: a family, options, pairs, ranges, cells and basins
PLANTED: tuple[tuple[str, str, int], ...] = (
    ("conditional", "families", 1),
    ("conditional", "planes", 40),
    ("categorical", "options", 0),
    ("categorical", "pairs", 4),
    ("continuous", "bins", 3),
    ("continuous", "cells", 27),
    ("mixed", "planes", 70),
    ("conditional, declared", "bins", 20),
)


def planted_jobs(studies: int = STUDIES) -> Iterator[tuple[str, str, int, float, int]]:
    """Yield the arguments of ``planted``."""
    for name, system, region in PLANTED:
        for ratio in RATIOS:
            yield name, system, region, ratio, studies


def planted(
    name: str,
    system: str,
    index: int,
    ratio: float,
    studies: int,
    budget: int = 100,
    runs: int = 30,
) -> dict[str, object]:
    """Return how often an avoided region of a real space is found, and the false discoveries.

    A discovery is false where the region does not meet the avoided one: there the search goes at
    least as often as a uniform one does.
    """
    budget, runs = 100, 30
    at = sim.place(name)
    chosen = _box_system(at, system)
    region = at.problem.view.pull(chosen.regions[index])
    draw = sim.avoiding(region, ratio)
    fair = [not intersect(other, chosen.regions[index]) for other in chosen.regions]
    rng = sim.generator("planted", name, system, index, ratio)
    hits, false = [], []
    only = sim.Place(at.name, at.problem, (chosen,))
    for block in sim.studies_of(only, draw, studies, runs, (budget,), rng):
        for counts in block[system][0]:
            told = sim.verdicts_of(at, chosen, budget, counts)
            flags = sim.significant(told)
            hits.append((flags[index], said(told)[index]))
            false.append((flags & fair).sum() / max(flags.sum(), 1))
    significant, named = np.mean(hits, axis=0)
    return {
        **{"place": name, "system": system},
        "region": system_names(chosen, at.problem.view.universe)[index],
        "measure": measure(at.problem.view.declared, region),
        **{"ratio": ratio, "budget": budget, "repetitions": runs, "studies": len(hits)},
        **{"significant": significant, "named": named, "false_discoveries": np.mean(false)},
    }


def _box_system(at: sim.Place, name: str) -> BoxSystem:
    return next(s for s in at.systems if s.name == name and not hasattr(s, "landscape"))


# --- a landscape that hides its best family ------------------------------------------------------

# the valley's share of the family, and how the rest of the family leads to it (or away, below 0)
HIDDEN_STUDIES = 60  # really run, not drawn
HIDDEN: tuple[tuple[float, float], ...] = ((0.2, 0.0), (0.02, 0.0), (0.02, -1.0))


def hidden(
    strategy: str, visibility: float, gradient: float, studies: int, runs: int = 30
) -> dict[str, object]:
    """Return how often a strategy is said to have left the best family, beside what it did.

    Nothing is planted in the strategy: that it leaves the family is the landscape's doing. All
    runs together show how often it comes (``fair``: as a multiple of uniform search's visits).
    """
    budget = 100
    problem = Problem(
        discovery.make(
            "landscapes",
            "families",
            {"visibility": visibility, "gradient": gradient, "optima": 1, "gap": 0.2},
        ),
        View.identity(UNIVERSE),
    )
    rng = sim.generator("hidden", strategy, visibility, gradient)
    recipe: Strategy = discovery.make("strategies", strategy, {})
    system = region_system("families", UNIVERSE)
    at = sim.Place("families", problem, (system,))
    best = UNIVERSE.index("attention")
    flagged, visits, found = [], [], []
    for _ in range(studies):
        counts = np.zeros((runs, len(UNIVERSE.families)), dtype=np.int64)
        for run in range(runs):
            points, truth = _run(recipe, problem, budget, rng)
            counts[run] = np.bincount(system.labels(points)[:, 0], minlength=counts.shape[1])
            found.append(truth.min() < 0.2)
        told = sim.verdicts_of(at, system, budget, counts)
        flagged.append((sim.significant(told)[best], said(told)[best]))
        visits.append(counts[:, best].mean())
    significant, named = np.mean(flagged, axis=0)
    return {
        **{"strategy": strategy, "visibility": visibility, "gradient": gradient},
        **{"budget": budget, "repetitions": runs, "studies": studies},
        **{"density_ratio": np.mean(visits) / (budget * UNIVERSE.weights[best])},
        **{"valley_found": np.mean(found), "significant": significant, "named": named},
    }


def _run(
    recipe: Strategy, problem: Problem, budget: int, rng: np.random.Generator
) -> tuple[Points, Floats]:
    """The points that one run asks for, and their truths."""
    search = recipe.start(problem.view.declared, budget, rng)
    asked, told = [], []
    while len(points := search.ask()):
        answer = problem.answer(points)
        search.tell(points, answer.observed)
        asked.append(points)
        told.append(answer.truth)
    return Points.concatenate(asked), np.concatenate(told)


def hidden_jobs(studies: int = HIDDEN_STUDIES) -> Iterator[tuple[str, float, float, int]]:
    """Yield the arguments of ``hidden``."""
    for strategy in ("evolution", "random"):
        for visibility, gradient in HIDDEN:
            yield strategy, visibility, gradient, studies

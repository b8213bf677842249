"""False alarms: random search against its own null, through the region systems and the measure.

In a study of uniform search no region was left out on purpose, so whatever is significant is a
false alarm, and the false discovery rate is the share of studies with one.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pandas as pd

from experiments.instrument import simulated as sim
from hpo_lab.measure import System, system_errors
from hpo_lab.space import Bools, Floats, Ints
from hpo_lab.statistics import (
    NEGLECTED,
    NEVER_SEEN,
    Verdicts,
    randomised_p_value,
    verdicts,
    visit_p_value,
)

# budgets and repetitions that are simulated together: a smaller one is the beginning of a larger
SHAPES: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((20, 100), (10, 30, 100)),
    ((500,), (10, 30)),
)
STUDIES = 2_000
JOBS = 8  # for each place
NOMINAL, MOST = 0.05, 0.07  # what the 99 % bounds of a rate may be: the lower, the upper one

Key = tuple[str, str, int, int]  # place, system, budget, repetitions
Judged = tuple[Bools, Bools, Ints, Floats]  # each (studies,), see simulate
Tally = dict[Key, list[Judged]]


def jobs(studies: int = STUDIES) -> Iterator[tuple[str, int, int, int]]:
    """Yield the arguments of ``simulate`` for all places."""
    for name in sim.PLACES:
        for shape in range(len(SHAPES)):
            for part in range(JOBS):
                yield name, shape, part, -(-studies // JOBS)


def simulate(name: str, shape: int, part: int, studies: int) -> Tally:
    """Return what each study of random search in a place came to, by setting.

    Any significant region; any called never seen or neglected; how many were tested; and the
    randomised p-value of one region drawn at random, which has to be uniform.
    """
    budgets, repetitions = SHAPES[shape]
    at, rng = sim.place(name), sim.generator("false alarms", name, shape, part)
    found: Tally = defaultdict(list)
    for block in sim.studies_of(at, sim.uniform, studies, max(repetitions), budgets, rng):
        for system, budget, runs in itertools.product(at.systems, budgets, repetitions):
            counts = block[system.name][budgets.index(budget)][:, :runs]
            key = name, system.name, budget, runs
            found[key].append(_judged(at, system, budget, counts, rng))
    return dict(found)


def _judged(
    at: sim.Place, system: System, budget: int, counts: Ints, rng: np.random.Generator
) -> Judged:
    """The same of studies (studies, runs, regions); verdicts are asked for where any can be."""
    studies, runs, _ = counts.shape
    pattern = sim.verdicts_of(at, system, budget, counts[0])
    came = (counts >= pattern.least).sum(axis=1)
    alarms, said = np.zeros((2, studies), dtype=bool)
    for study in np.flatnonzero(suspicious(pattern, came, runs, system.partition)):
        told = sim.verdicts_of(at, system, budget, counts[study])
        alarms[study] = sim.significant(told).any()
        said[study] = np.isin(told.word, [NEVER_SEEN, NEGLECTED]).any()
    tested = np.full(studies, sim.testable(pattern).sum())
    exact = system_errors(system, at.problem.view) == 0
    p = np.array([_randomised(pattern, one, exact, runs, rng) for one in came])
    return alarms, said, tested, p


def suspicious(pattern: Verdicts, came: Ints, runs: int, partition: bool) -> Bools:
    """Return in which studies (studies,) a step-up method can reject anything at all.

    ``came`` (studies, regions) runs came to each region. What is tested, and against which chance,
    depends on no visits, so that ``pattern``, the verdicts on any study, has it. Most studies of
    random search are cleared here, before all their verdicts are computed.
    """
    family = sim.testable(pattern)
    size = int(family.sum())
    if not size:
        return np.zeros(len(came), dtype=bool)
    ranked = np.sort(visit_p_value(came[:, family], runs, pattern.chance[family]), axis=1)
    penalty = 1.0 if partition else float((1 / np.arange(1, size + 1)).sum())
    line = NOMINAL * np.arange(1, size + 1) / (size * penalty)
    return np.asarray((ranked <= line * (1 + 1e-6)).any(axis=1))


def _randomised(
    pattern: Verdicts, came: Ints, exact: Bools, runs: int, rng: np.random.Generator
) -> float:
    """The randomised p-value of one region that is in the space and can be missed.

    Only where its measure is exact: an estimated one is taken smaller on purpose.
    """
    open_ = np.flatnonzero((pattern.chance > 0) & (pattern.chance < 1) & exact)
    if not len(open_):
        return float("nan")
    one = rng.choice(open_)
    return float(randomised_p_value(came[one], runs, pattern.chance[one], rng.random()))


def table(tallies: list[Tally]) -> pd.DataFrame:
    """Return one row a setting: rates with their 99 % bounds, and the test of uniformity."""
    keys = dict.fromkeys(key for tally in tallies for key in tally)
    return pd.DataFrame([_row(key, [j for t in tallies for j in t.get(key, [])]) for key in keys])


def _row(key: Key, parts: list[Judged]) -> dict[str, object]:
    alarms, said, tested, p = (np.concatenate([part[i] for part in parts]) for i in range(4))
    lower, upper = sim.rate_bounds(int(alarms.sum()), len(alarms))
    return {
        **dict(zip(("place", "system", "budget", "repetitions"), key, strict=True)),
        "studies": len(alarms),
        "tested": int(np.max(tested)),
        "alarms": int(alarms.sum()),
        "rate": alarms.mean(),
        "lower": lower,
        "upper": upper,
        "said": said.mean(),
        "uniform": uniformity(np.asarray(p, dtype=np.float64)),
    }


# the highest rates among 2,000 studies belong to equal regions, which need no space to be drawn
AGAIN: tuple[tuple[str, str, int, int, int], ...] = (
    ("conditional", "cells", 48, 500, 10),
    ("conditional", "families", 4, 100, 30),
    ("mixed", "options", 3, 20, 30),
)
AGAIN_STUDIES = 60_000


def again_jobs(studies: int = AGAIN_STUDIES) -> Iterator[tuple[str, str, int, int, int, int]]:
    """Yield the arguments of ``again``."""
    for one in AGAIN:
        yield *one, studies


def again(
    place: str, system: str, cells: int, budget: int, runs: int, studies: int
) -> dict[str, object]:
    """Return the rate of false alarms among equal regions, from many independent studies."""
    rng, mu = sim.generator("again", cells, budget, runs), np.full(cells, 1 / cells)
    everywhere = np.full((runs, cells), budget)
    pattern = verdicts(mu, budget, np.full(cells, runs), runs, counts=everywhere)
    alarms, block = 0, 1_000
    for start in range(0, studies, block):
        counts = rng.multinomial(budget, mu, size=(min(block, studies - start), runs))
        came = (counts >= pattern.least).sum(axis=1)
        alarms += int(suspicious(pattern, came, runs, partition=True).sum())
    lower, upper = sim.rate_bounds(alarms, studies)
    return {
        **{"place": place, "system": system, "budget": budget, "repetitions": runs},
        **{"regions": cells, "studies": studies, "alarms": alarms, "rate": alarms / studies},
        **{"lower": lower, "upper": upper},
    }


def uniformity(p: Floats) -> float:
    """Return the p-value of Kolmogorov and Smirnov's test that values are uniform on [0, 1]."""
    from scipy.stats import kstest

    known = p[~np.isnan(p)]
    return float(kstest(known, "uniform").pvalue) if len(known) else float("nan")


def holds(row: pd.DataFrame) -> pd.Series[bool]:
    """Return for each setting whether its bounds are what was promised."""
    return (row["lower"] <= NOMINAL) & (row["upper"] <= MOST)

"""False alarms: random search against its own null, through the region systems and the measure.

In a study of uniform search no region was left out on purpose, so whatever is significant is a
false alarm, and the false discovery rate is the share of studies with one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from experiments.instrument import simulated as sim
from hpo_lab.measure import system_errors
from hpo_lab.space import Bools, Floats
from hpo_lab.statistics import NEGLECTED, NEVER_SEEN, Verdicts, randomised_p_value

BUDGETS = (20, 100, 500)
REPETITIONS = (10, 30, 100)
STUDIES = 2_000
JOBS = 8  # for each place
NOMINAL, MOST = 0.05, 0.07  # what the 99 % bounds of a rate may be: the lower, the upper one

Key = tuple[str, str, int, int]  # place, system, budget, repetitions
Tally = dict[Key, tuple[list[bool], list[bool], list[int], list[float]]]


def jobs(studies: int = STUDIES) -> Iterator[tuple[str, int, int]]:
    """Yield the arguments of ``simulate`` for all places."""
    for name in sim.PLACES:
        for part in range(JOBS):
            yield name, part, -(-studies // JOBS)


def simulate(
    name: str,
    part: int,
    studies: int,
    budgets: Sequence[int] = BUDGETS,
    repetitions: Sequence[int] = REPETITIONS,
) -> Tally:
    """Return what each study of random search in a place came to, by setting.

    Any significant region; any called never seen or neglected; how many were tested; and the
    randomised p-value of one region drawn at random, which has to be uniform.
    """
    at, rng = sim.place(name), sim.generator("false alarms", name, part)
    found: Tally = defaultdict(lambda: ([], [], [], []))
    for block in sim.studies_of(at, sim.uniform, studies, max(repetitions), budgets, rng):
        for system in at.systems:
            exact = system_errors(system, at.problem.view) == 0
            for budget, counts in zip(budgets, block[system.name], strict=True):
                for runs in repetitions:
                    one = found[name, system.name, budget, runs]
                    for study in counts[:, :runs]:
                        told = sim.verdicts_of(at, system, budget, study)
                        one[0].append(bool(sim.significant(told).any()))
                        one[1].append(bool(np.isin(told.word, [NEVER_SEEN, NEGLECTED]).any()))
                        one[2].append(int(sim.testable(told).sum()))
                        one[3].append(_randomised(told, exact, runs, rng))
    return dict(found)


def _randomised(told: Verdicts, exact: Bools, runs: int, rng: np.random.Generator) -> float:
    """The randomised p-value of one region that is in the space and can be missed.

    Only where its measure is exact: an estimated one is taken smaller on purpose.
    """
    open_ = np.flatnonzero((told.chance > 0) & (told.chance < 1) & exact)
    if not len(open_):
        return float("nan")
    one = rng.choice(open_)
    return float(randomised_p_value(told.came[one], runs, told.chance[one], rng.random()))


def table(tallies: list[Tally]) -> pd.DataFrame:
    """Return one row a setting: rates with their 99 % bounds, and the test of uniformity."""
    keys = dict.fromkeys(key for tally in tallies for key in tally)
    return pd.DataFrame([_row(key, [t[key] for t in tallies if key in t]) for key in keys])


def _row(
    key: Key, parts: list[tuple[list[bool], list[bool], list[int], list[float]]]
) -> dict[str, object]:
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


def uniformity(p: Floats) -> float:
    """Return the p-value of Kolmogorov and Smirnov's test that values are uniform on [0, 1]."""
    from scipy.stats import kstest

    known = p[~np.isnan(p)]
    return float(kstest(known, "uniform").pvalue) if len(known) else float("nan")


def holds(row: pd.DataFrame) -> pd.Series[bool]:
    """Return for each setting whether its bounds are what was promised."""
    return (row["lower"] <= NOMINAL) & (row["upper"] <= MOST)

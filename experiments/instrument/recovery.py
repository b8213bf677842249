"""Rules: is a planted blind spot, which no region system declares, recovered and said right?

A sampler avoids a box of one, two or three conditions; ``rules.blind_rules`` sees the points alone.
Scored by the Jaccard index (in measure) of the planted region and the rule nearest to it, 0 where
there is none. Without any avoidance every rule is a false alarm.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from experiments.instrument import simulated as sim
from hpo_lab.region import Among, Box, Interval, Region, measure
from hpo_lab.rules import blind_rules, in_words, overlap

RATIOS = (0.0, 0.1, 0.25)
SIZES = ((100, 30), (50, 100))  # budget, repetitions
STUDIES, CLEAN_STUDIES = 20, 400
CLEAN = ("conditional", "categorical", "mixed", "continuous", "continuous, 5 axes")

_GAT = Among((0.0,))
PLANTED: tuple[tuple[str, Region], ...] = (
    ("conditional", (Box("attention", (("heads", Interval(8, 16)),)),)),
    ("conditional", (Box("recurrent", (("activation", Among((0.0,))),)),)),
    (
        "conditional",
        tuple(Box(f, (("lr", Interval(0.01, 0.1)),)) for f in ("conv", "attention", "recurrent")),
    ),
    ("categorical", (Box("", (("op1", _GAT),)),)),
    ("categorical", (Box("", (("op1", _GAT), ("op2", Among((1.0,))))),)),
    ("mixed", (Box("", (("act", Among((0.0,))), ("depth", Interval(5, 8)))),)),
    ("continuous", (Box("", (("x1", Interval(1.5, 5)), ("x2", Interval(-5, -1)))),)),
    ("continuous, 5 axes", (Box("", (("x1", Interval(0, 0.3)), ("x3", Interval(0.6, 1)))),)),
    (
        "continuous, 5 axes",
        (
            Box(
                "",
                (
                    ("x1", Interval(0, 0.4)),
                    ("x3", Interval(0.5, 1)),
                    ("x4", Interval(0.2, 0.7)),
                ),
            ),
        ),
    ),
)


def jobs(studies: int = STUDIES) -> Iterator[tuple[int, float, int, int, int]]:
    """Yield the arguments of ``recover``."""
    for which in range(len(PLANTED)):
        for ratio in RATIOS:
            for budget, runs in SIZES:
                yield which, ratio, budget, runs, studies


def recover(which: int, ratio: float, budget: int, runs: int, studies: int) -> dict[str, object]:
    """Return how often a planted region was recovered, and how well."""
    name, region = PLANTED[which]
    space = sim.place(name).problem.view.declared
    draw, rng = sim.avoiding(region, ratio), sim.generator("rules", which, ratio, budget, runs)
    run = np.repeat(np.arange(runs), budget)
    nearest, count = np.zeros(studies), np.zeros(studies)
    for study in range(studies):
        found = blind_rules(space, draw(space, runs * budget, rng), run, budget, runs=runs)
        count[study] = len(found)
        nearest[study] = max((overlap(space, r.region, region) for r in found), default=0.0)
    return {
        **{"place": name, "planted": in_words(space, region), "measure": measure(space, region)},
        **{"ratio": ratio, "budget": budget, "repetitions": runs, "studies": studies},
        **{"found": np.mean(nearest > 0.5), "jaccard": np.median(nearest)},
        **{"jaccard_low": np.quantile(nearest, 0.1), "rules": count.mean()},
    }


def clean_jobs(studies: int = CLEAN_STUDIES) -> Iterator[tuple[str, int, int, int]]:
    """Yield the arguments of ``clean``."""
    for name in CLEAN:
        yield name, *SIZES[0], studies


def clean(name: str, budget: int, runs: int, studies: int) -> dict[str, object]:
    """Return how often rules were learned from, and confirmed on, random search."""
    space = sim.place(name).problem.view.declared
    rng = sim.generator("rules", name, budget, runs)
    run = np.repeat(np.arange(runs), budget)
    alarms = 0
    for _ in range(studies):
        points = sim.uniform(space, runs * budget, rng)
        alarms += bool(blind_rules(space, points, run, budget, runs=runs))
    lower, upper = sim.rate_bounds(alarms, studies)
    return {
        **{"place": name, "budget": budget, "repetitions": runs, "studies": studies},
        **{"alarms": alarms, "rate": alarms / studies, "lower": lower, "upper": upper},
    }

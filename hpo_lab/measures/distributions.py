"""Spaces compared by what a uniform draw from them is worth: error distributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.landscape import Landscape, Optimum, Problem
from hpo_lab.measure import ArmResult, Measure, Results
from hpo_lab.measures.price import draws_of
from hpo_lab.space import Floats
from hpo_lab.statistics import visit_upper_bound
from hpo_lab.study import Part, SpaceSpec

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 2_000  # of a landscape whose truth is a formula, where no random search was run
POINTS = 150  # values at which a distribution is given
UNIFORM = "random"  # the strategy whose trials are independent draws from the declared space


@dataclass(frozen=True)
class Distributions(Measure):
    """The share of uniform draws from each declared space at or below each truth (its EDF).

    ``share`` is exact, by mass, where a space is enumerable; else it is estimated from the trials
    of random search that are stored, or, where there are none and the landscape's truth is a
    formula, from 2,000 draws with a fixed seed; ``how`` says which, ``draws`` how many. ``low`` and
    ``high`` are the pointwise 95 % interval (Clopper and Pearson: the bootstrap of independent
    draws is binomial, but has no width where the first draw lies), of the mean over the instances
    as given where there are several; nan for exact rows. ``value`` counts from f*(U)
    where that is known, as ``regret`` says: then a curve begins at the price of its space, and the
    gap between the left ends of two curves is the price. Draws without a value stay in the count.
    Values lie closest where few draws are better. One row a landscape, space and value.

    Source: Radosavovic et al. 2019 and 2020 (comparing design spaces by error distributions).
    """

    name: ClassVar[str] = "distributions"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        study = results.study
        blocks = [
            _edf(results, landscape, space)
            for landscape in study.landscapes
            for space in study.spaces
            if landscape.label in space.landscapes
        ]
        found = [block for block in blocks if block is not None]
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _edf(results: Results, landscape: Part, space: SpaceSpec) -> pd.DataFrame | None:
    import pandas as pd

    study = results.study
    problems = [study.problem(landscape, space, i) for i in study.instances_of(landscape)]
    best = [p.optimum_universe for p in problems]
    regret = all(isinstance(one, Optimum) for one in best)
    origins = [one.value if isinstance(one, Optimum) and regret else 0.0 for one in best]
    exact = _exact(problems, origins)
    drawn = None if exact else _drawn(results, landscape, space, problems, origins)
    if exact is not None:
        value, share = exact
        band, draws, how = np.full((len(value), 2), np.nan), 0, "exact"
    elif drawn is not None:
        values, how = drawn
        draws = values.size
        value, share, band = _estimated(values)
    else:
        return None
    return pd.DataFrame(
        {
            "landscape": landscape.label,
            "space": space.label,
            "unit": problems[0].landscape.unit,
            "value": value,
            "share": share,
            "low": band[:, 0],
            "high": band[:, 1],
            "draws": draws,
            "regret": regret,
            "how": how,
        }
    )


def _exact(problems: Sequence[Problem], origins: Sequence[float]) -> tuple[Floats, Floats] | None:
    """Values, and the probability (k,) of a draw at or below each; None where not enumerable."""
    tables = [draws_of(problem) for problem in problems]
    if any(table is None for table in tables):
        return None
    values = np.concatenate([t[2] - o for t, o in zip(tables, origins, strict=True) if t])
    mass = np.concatenate([t[0] for t in tables if t]) / len(tables)
    known = np.isfinite(values)
    order = np.argsort(values[known], kind="stable")
    ranked, share = values[known][order], np.cumsum(mass[known][order])
    if not len(ranked):
        return None
    last = np.flatnonzero(np.append(ranked[1:] > ranked[:-1], True))  # of equal values
    ranked, share = ranked[last], share[last]
    kept = np.unique(np.searchsorted(share, _shares(share[0], share[-1])).clip(0, len(share) - 1))
    return ranked[kept], np.minimum(share[kept], 1.0)


def _shares(least: float, most: float) -> Floats:
    """Half of the shares evenly spread, half by their logarithm: the left end is what counts."""
    return np.concatenate(
        [np.geomspace(least, most, POINTS // 2), np.linspace(least, most, POINTS // 2)]
    )


def _drawn(
    results: Results,
    landscape: Part,
    space: SpaceSpec,
    problems: Sequence[Problem],
    origins: Sequence[float],
) -> tuple[Floats, str] | None:
    """Truths (instances, draws) of uniform draws, inf where a draw has no value, and their source.

    As many from each instance, so that all weigh the same.
    """
    stored = _stored(results, landscape, space)
    if stored is not None:
        values = [truth - origins[i - 1] for i, truth in stored.items()]
        least = min(len(truth) for truth in values)
        return np.array([truth[:least] for truth in values]), "trials of random search"
    if any(type(p.landscape).lowest is Landscape.lowest for p in problems):
        return None  # what it would take to evaluate it is not known
    values = []
    for problem, origin in zip(problems, origins, strict=True):
        points = problem.view.declared.sample(DRAWS, np.random.default_rng(0))
        answer = problem.answer(points)
        values.append(np.where(answer.state == 0, answer.truth, np.inf) - origin)
    return np.array(values), "drawn for this"


def _stored(results: Results, landscape: Part, space: SpaceSpec) -> dict[int, Floats] | None:
    """The truths of all trials of random search by instance, of its largest budget."""
    arms = [
        arm
        for arm in results.arms
        if arm.arm.strategy.use == UNIFORM
        and arm.arm.landscape == landscape
        and arm.arm.space == space
    ]
    if not arms:
        return None
    longest: ArmResult = max(arms, key=lambda arm: arm.arm.budget)
    return {cell.instance: cell.truth[cell.asked] for cell in longest.cells}


def _estimated(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Values, shares (k,) and bands (k, 2) of draws (instances, draws)."""
    ranked = np.sort(values[np.isfinite(values)])
    if not len(ranked):
        return np.empty(0), np.empty(0), np.empty((0, 2))
    shares = _shares(1 / len(ranked), 1.0)
    at = np.unique(
        ranked[np.minimum(np.ceil(shares * len(ranked)) - 1, len(ranked) - 1).astype(int)]
    )
    count = np.searchsorted(ranked, at, side="right")
    high = visit_upper_bound(count, values.size, 0.975)
    low = 1 - visit_upper_bound(values.size - count, values.size, 0.975)
    return at, count / values.size, np.stack([low, high], axis=1)

"""The net price of a declared space over budgets: what it gained minus what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from hpo_lab.landscape import Problem
from hpo_lab.measure import Measure, Results
from hpo_lab.measures.benefit import Pair, paired_arms
from hpo_lab.measures.curves import EXACT
from hpo_lab.measures.price import random_curve, universe_of, winning
from hpo_lab.space import Bools, Floats, Ints
from hpo_lab.statistics import RandomSearchCurve, break_even, changes
from hpo_lab.study import Study

if TYPE_CHECKING:
    import pandas as pd

FARTHEST = 10**7  # evaluations up to which a closed form is followed to its break-even
POINTS = 120  # of a closed form beyond the study's budget


@dataclass(frozen=True)
class Net(Measure):
    """N_T, regret in the universe minus regret in the declared space, at every evaluation T.

    Above zero the declared space is ahead, its price included. ``net`` is the mean over paired
    runs where all of them have succeeded by then, ``low`` and ``high`` its 95 % interval
    (pointwise, from 30 repetitions on); before, it is the difference of the medians, as
    ``statistic`` says, and nan where there is none. ``success`` is the least share of runs that
    have succeeded in either space. An anytime strategy after T evaluations is the strategy with
    budget T; another one is seen on its way to its budget. Rows of the strategy "random, exact"
    are random search's expectation in closed form, carried on beyond the budget to where the
    declared space stops winning. One row an arm and evaluation.
    """

    name: ClassVar[str] = "net"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        blocks = [_rows(pair) for pair in paired_arms(results)]
        blocks += [_closed(form) for form in closed_forms(results.study)]
        return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()


class Curve(NamedTuple):
    """N_T (T,) of paired runs with its pointwise interval, and where all runs have succeeded."""

    net: Floats
    low: Floats
    high: Floats
    whole: Bools


def curve_of(pair: Pair) -> Curve:
    """Return the net of all pairs after each evaluation; computed only where it changes."""
    budget = pair.here.shape[2]
    starts = changes(np.concatenate([pair.here, pair.everywhere]))
    part = Pair(pair.arm, pair.here[:, :, starts], pair.everywhere[:, :, starts])
    net, whole = _centre(part)
    band = pair.intervals(np.where(whole, part.net, 0.0))
    band[~whole] = np.nan
    step = np.searchsorted(starts, np.arange(budget), side="right") - 1
    return Curve(net[step], band[step, 0], band[step, 1], whole[step])


def _centre(pair: Pair) -> tuple[Floats, Bools]:
    here, everywhere = (np.concatenate(list(truth)) for truth in (pair.here, pair.everywhere))
    whole = np.isfinite(here).all(axis=0) & np.isfinite(everywhere).all(axis=0)
    with np.errstate(invalid="ignore"):
        middle = np.median(everywhere, axis=0) - np.median(here, axis=0)
        mean = (everywhere - here).mean(axis=0)
    return np.where(whole, mean, np.where(np.isfinite(middle), middle, np.nan)), whole


def _rows(pair: Pair) -> pd.DataFrame:
    import pandas as pd

    curve = curve_of(pair)
    success = [np.isfinite(truth).mean(axis=(0, 1)) for truth in (pair.here, pair.everywhere)]
    return pd.DataFrame(
        {
            **pair.arm.labels,
            "unit": pair.arm.unit,
            "evaluation": np.arange(1, pair.here.shape[2] + 1),
            "pairs": pair.here.shape[0] * pair.here.shape[1],
            "net": curve.net,
            "low": curve.low,
            "high": curve.high,
            "statistic": np.where(curve.whole, "mean", "difference of medians"),
            "success": np.minimum(*success),
        }
    )


class ClosedForm(NamedTuple):
    """Random search in closed form, in a declared space and in the universe."""

    labels: dict[str, Any]
    problem: Problem
    here: RandomSearchCurve
    everywhere: RandomSearchCurve


def closed_forms(study: Study) -> Iterator[ClosedForm]:
    """Yield every declared space in which random search has a closed form, on one instance."""
    for landscape in study.landscapes:
        for space in study.spaces:
            alone = len(study.instances_of(landscape)) == 1
            if not space.assumptions or landscape.label not in space.landscapes or not alone:
                continue
            problem = study.problem(landscape, space, 1)
            here, everywhere = random_curve(problem), random_curve(universe_of(problem))
            if here is not None and everywhere is not None:
                labels = {
                    "landscape": landscape.label,
                    "space": space.label,
                    "strategy": EXACT,
                    "budget": max(study.budgets),
                    "unit": problem.landscape.unit,
                }
                yield ClosedForm(labels, problem, here, everywhere)


def _closed(form: ClosedForm) -> pd.DataFrame:
    import pandas as pd

    at = _evaluations(form.labels["budget"], break_even(winning(form.problem))[0])
    net = form.everywhere.expected(at) - form.here.expected(at)
    failed = np.maximum(form.everywhere.failure(at), form.here.failure(at))
    return pd.DataFrame(
        {
            **form.labels,
            "evaluation": at,
            "pairs": 0,
            "net": net,
            "low": np.nan,
            "high": np.nan,
            "statistic": "expectation",
            "success": 1 - failed,
        }
    )


def _evaluations(budget: int, last: int | None) -> Ints:
    """Every evaluation of the study, and then further and further apart past the last win."""
    dense = np.unique(np.geomspace(1, budget, 2_000).astype(np.int64)) if budget > 2_000 else None
    own = np.arange(1, budget + 1) if dense is None else dense
    end = min(max(3 * (last or 0), 10 * budget), FARTHEST)
    beyond = np.geomspace(budget, max(end, budget), POINTS).astype(np.int64)
    marks = [last, last + 1] if last is not None and last < FARTHEST else []
    return np.unique(np.concatenate([own, beyond, np.array(marks, dtype=np.int64)]))

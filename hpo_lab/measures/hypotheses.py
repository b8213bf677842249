"""The hypotheses that a study declared, tested: the only confirmatory tests of its report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.measure import ArmResult, Measure, Results
from hpo_lab.measures.comparisons import (
    EVERYWHERE,
    FIRST_GUESS,
    described,
    landscape_scales,
    over_landscapes,
    paired_values,
)
from hpo_lab.space import Floats
from hpo_lab.statistics import compare, holm
from hpo_lab.study import Hypothesis

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05
SUPPORTED, NOT_SUPPORTED, UNTESTED = "supported", "not supported", "not tested"


@dataclass(frozen=True)
class Hypotheses(Measure):
    """Each declared hypothesis with its test; one row each, in the order of the study file.

    The columns are those of ``comparisons``; a declared ``rope`` is in the landscape's unit, or
    over all landscapes in units of each one's scale. ``p`` is Wilcoxon's signed-rank test in the
    declared direction of arm minus ``against`` (``less``: the arm is better), ``p_holm`` corrected
    over all declared hypotheses, those without a test included. ``verdict`` is supported where it
    is at most 5 %, not supported, or not tested: no runs yet, or fewer than two independent pairs.
    """

    practical: float = 0.01
    name: ClassVar[str] = "hypotheses"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        declared = results.study.hypotheses
        table = pd.DataFrame([self._row(one, results) for one in declared])
        if declared:
            table["p_holm"] = _corrected(table["p"].to_numpy())
            table["verdict"] = [_verdict(p) for p in table["p_holm"]]
        return table

    def _row(self, one: Hypothesis, results: Results) -> dict[str, object]:
        row = {
            "landscape": one.landscape or EVERYWHERE,
            "space": one.space or one.first,
            "strategy": one.strategy or one.first,
            "budget": one.budget,
            "compared": one.compared,
            "against": one.second,
            "hypothesis": one.name,
            "expectation": one.expectation,
            "measure": one.measure,
            "direction": one.direction,
            "p": np.nan,
        }
        pairs = _pairs(one, results)
        if not pairs:
            return row
        scales = landscape_scales(results)
        if not one.landscape:
            rope = self.practical if one.rope is None else one.rope
            found = over_landscapes(pairs, scales, rope, one.measure, one.direction)
            unit, over = FIRST_GUESS, "landscapes"
        else:
            rope = self.practical * scales[one.landscape] if one.rope is None else one.rope
            first, second, varies = paired_values(*pairs[0], one.measure)
            found = compare(first, second, rope, varies=varies, direction=one.direction)
            unit, over = pairs[0][0].unit, "repetitions"
        return {**row, "unit": unit, **described(found, over), "rope": rope}


def _pairs(one: Hypothesis, results: Results) -> list[tuple[ArmResult, ArmResult]]:
    """The arms that are compared, on each landscape where both have runs in common."""
    first, second = _arms(one, one.first, results), _arms(one, one.second, results)
    both = [(first[label], second[label]) for label in first if label in second]
    return [pair for pair in both if paired_values(*pair)[0].size]


def _arms(one: Hypothesis, label: str, results: Results) -> dict[str, ArmResult]:
    wanted = {"space": one.space, "strategy": one.strategy, "budget": one.budget}
    wanted[one.compared] = label
    if one.landscape:
        wanted["landscape"] = one.landscape
    return {
        arm.arm.landscape.label: arm
        for arm in results.arms
        if all(arm.labels[key] == value for key, value in wanted.items())
    }


def _corrected(p: Floats) -> Floats:
    """Holm over everything that was declared: what could not be tested counts as p = 1."""
    return np.where(np.isnan(p), np.nan, holm(np.where(np.isnan(p), 1.0, p)))


def _verdict(p: float) -> str:
    if np.isnan(p):
        return UNTESTED
    return SUPPORTED if p <= LEVEL else NOT_SUPPORTED

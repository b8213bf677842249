"""Every two strategies in one space, and every two spaces under one strategy, run by paired run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from hpo_lab.landscape import TIES, Optimum
from hpo_lab.measure import ArmResult, Cell, Measure, Results
from hpo_lab.space import Floats
from hpo_lab.statistics import (
    Direction,
    Paired,
    compare,
    has_intervals,
    holm,
    improvement_placements,
    lower_median,
    paired_differences,
    share_interval,
)

if TYPE_CHECKING:
    import pandas as pd

EVERYWHERE = "all"  # the landscape of rows that compare over landscapes
FIRST_GUESS = "of a first guess’s regret"  # the unit of such rows
CONFIRMATORY, EXPLORATORY = "confirmatory", "exploratory"
Quantity = Literal["total", "best", "observed"]


@dataclass(frozen=True)
class Comparisons(Measure):
    """Paired comparisons of total regret at the budget, by instance and repetition.

    One row a pair: the arm of the first columns against the strategy or space named in
    ``against`` (``compared`` says which it is), everything else being equal. Differences are
    arm minus ``against``: below 0 the arm is better. f*(U) falls out of them, so they are known
    where it is not. ``mean`` is nan where some run never succeeded; ``median`` and all that
    follows take such a regret as the worst. ``improvement`` is the share of pairs in which the arm
    is better, ``a12`` the probability that one of its runs beats one of the other's (equals count
    half in both). ``*_low`` and ``*_high``: 95 %, cluster bootstrap, see ``statistics.compare``.

    Tests count what is independent (``pairs``): the repetitions where there is one instance, the
    instances otherwise, and the landscapes in the rows of the landscape "all". ``p`` is Wilcoxon's
    signed-rank test, ``p_holm`` the same after Holm's correction over the rows with the same
    landscape, budget, kind and held space or strategy. ``better``, ``equivalent`` and ``worse``
    are the posterior of the Bayesian signed-rank test, from five independent pairs on (of fewer it
    repeats its prior); differences within +-``rope`` count as equivalent. ``rope`` is
    ``practical`` times the landscape's scale, the median regret of its runs after one evaluation.
    Rows of "all" are in units of that scale.

    Strategies whose runs do not vary are one sample: no interval, test or posterior. ``status``
    is confirmatory where the study declared this comparison as a hypothesis, whose own test is in
    the table ``hypotheses``; everything else is exploratory.
    """

    practical: float = 0.01
    name: ClassVar[str] = "comparisons"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        scales = landscape_scales(results)
        rows = [self._row(a, b, kind, scales) for a, b, kind in _pairs(results)]
        rows += self._everywhere(results, scales)
        table = pd.DataFrame(rows)
        if table.empty:
            return table
        table["p_holm"] = corrected(table)
        declared = set(_declared(results))
        keys = zip(*(table[key] for key in _KEY), strict=True)
        table["status"] = [CONFIRMATORY if key in declared else EXPLORATORY for key in keys]
        return table

    def _row(
        self, arm: ArmResult, other: ArmResult, kind: str, scales: Mapping[str, float]
    ) -> dict[str, object]:
        first, second, varies = paired_values(arm, other)
        rope = self.practical * scales[arm.arm.landscape.label]
        return {
            **arm.labels,
            "compared": kind,
            "against": other.labels[kind],
            "unit": arm.unit,
            **described(compare(first, second, rope, varies=varies), "repetitions"),
            "rope": rope,
        }

    def _everywhere(self, results: Results, scales: Mapping[str, float]) -> list[dict[str, object]]:
        groups: dict[tuple[object, ...], list[tuple[ArmResult, ArmResult]]] = {}
        for arm, other, kind in _pairs(results):
            key = (*list(arm.labels.values())[1:], kind, other.labels[kind])
            groups.setdefault(key, []).append((arm, other))
        rows = []
        for (space, strategy, budget, compared, against), pairs in groups.items():
            if len(pairs) < 2:
                continue
            rows.append(
                {
                    "landscape": EVERYWHERE,
                    "space": space,
                    "strategy": strategy,
                    "budget": budget,
                    "compared": compared,
                    "against": against,
                    "unit": FIRST_GUESS,
                    **described(over_landscapes(pairs, scales, self.practical), "landscapes"),
                    "rope": self.practical,
                }
            )
        return rows


_KEY = ("landscape", "space", "strategy", "budget", "compared", "against")
_FAMILY = ("landscape", "budget", "compared")


def _pairs(results: Results) -> Iterator[tuple[ArmResult, ArmResult, str]]:
    """Every two arms that differ in their strategy alone, then those that differ in the space."""
    for kind in ("strategy", "space"):
        groups: dict[tuple[object, ...], list[ArmResult]] = {}
        for arm in results.arms:
            rest = tuple(label for key, label in arm.labels.items() if key != kind)
            groups.setdefault(rest, []).append(arm)
        for group in groups.values():
            for arm, other in combinations(group, 2):
                if paired_values(arm, other)[0].size:
                    yield arm, other, kind


def paired_values(
    arm: ArmResult, other: ArmResult, what: Quantity = "total"
) -> tuple[Floats, Floats, bool]:
    """Return both arms' values (instances, repetitions) where both have run, and if they vary.

    ``total``: the truth of the incumbent, whose differences are those of total regret;
    ``best``: the best truth seen; ``observed``: the observed value of the incumbent. Either array
    is empty where no pair of runs is there.
    """
    cells = {cell.instance: cell for cell in other.cells}
    both = [(cell, cells[cell.instance]) for cell in arm.cells if cell.instance in cells]
    common = [set(c.repetitions.tolist()) for pair in both for c in pair]
    shared = np.array(sorted(set.intersection(*common)) if common else [], dtype=np.int64)
    values = [[_final(c, what)[np.isin(c.repetitions, shared)] for c in pair] for pair in both]
    stacked = np.array(values, dtype=np.float64).reshape(len(both), 2, len(shared))
    varies = any(c.distinct_runs > 1 for pair in both for c in pair)
    return stacked[:, 0], stacked[:, 1], varies


def _final(cell: Cell, what: Quantity) -> Floats:
    curves = {
        "total": cell.incumbent_truth,
        "best": cell.best_truth,
        "observed": cell.incumbent_observed,
    }
    return np.round(curves[what][:, -1], TIES)  # equals may differ in their last bits


def over_landscapes(
    pairs: Iterable[tuple[ArmResult, ArmResult]],
    scales: Mapping[str, float],
    rope: float,
    what: Quantity = "total",
    direction: Direction = "two-sided",
) -> Paired:
    """Compare arms over landscapes, which are the clusters; differences in units of each's scale.

    Instances of a landscape are averaged, each repetition by itself, so that every landscape
    counts the same. A12 is computed on each instance, where values can be compared as they are:
    the probability of improvement of Agarwal et al. 2021, with landscapes as tasks.
    """
    apart, placed = [], []
    for arm, other in pairs:
        first, second, varies = paired_values(arm, other, what)
        runs = slice(None) if varies else slice(1)  # where nothing varies one is all there is
        first, second = first[:, runs], second[:, runs]
        scale = scales[arm.arm.landscape.label] or 1.0  # nothing to measure by: as it is
        apart.append(_over_instances(paired_differences(first, second)) / scale)
        placed.append(_over_instances(improvement_placements(first, second)))
    differences, placements = _stacked(apart), _stacked(placed)
    found = compare(differences, np.zeros_like(differences), rope, direction=direction)
    interval = share_interval(placements) if has_intervals(*placements.shape) else None
    bounds = interval or (float("nan"), float("nan"))
    return replace(found, a12=float(placements.mean()), a12_interval=bounds)


def _over_instances(values: Floats) -> Floats:
    """The mean (repetitions,) over instances, or their median where some value is infinite."""
    if np.isfinite(values).all():
        return np.asarray(values.mean(axis=0))
    return lower_median(values, axis=0)


def _stacked(rows: Sequence[Floats]) -> Floats:
    """One row a landscape, as long as the shortest; a single value stands for all repetitions."""
    several = [len(row) for row in rows if len(row) > 1]
    length = min(several, default=1)
    return np.stack([row[:length] if len(row) > 1 else np.repeat(row, length) for row in rows])


def described(found: Paired, without_instances: str) -> dict[str, object]:
    """Return the columns of a comparison."""
    over = "instances" if without_instances == "repetitions" else without_instances
    return {
        "pairs": found.pairs,
        "independent": over if found.clustered else without_instances,
        **_with_interval("mean", found.mean, found.mean_interval),
        **_with_interval("median", found.median, found.median_interval),
        **_with_interval("improvement", found.improvement, found.improvement_interval),
        **_with_interval("a12", found.a12, found.a12_interval),
        "p": found.p,
        "better": found.posterior.better,
        "equivalent": found.posterior.equivalent,
        "worse": found.posterior.worse,
    }


def _with_interval(name: str, value: float, interval: tuple[float, float]) -> dict[str, object]:
    return {name: value, f"{name}_low": interval[0], f"{name}_high": interval[1]}


def corrected(table: pd.DataFrame) -> Floats:
    """Return Holm's p-values inside each family of a table of comparisons; nan where p is."""
    held = np.where(table["compared"] == "strategy", table["space"], table["strategy"])
    adjusted = np.full(len(table), np.nan)
    tested = np.flatnonzero(table["p"].notna())
    families: dict[tuple[object, ...], list[int]] = {}
    for place in tested:
        row = table.iloc[place]
        key = (*(row[name] for name in _FAMILY), held[place])
        families.setdefault(key, []).append(int(place))
    for places in families.values():
        adjusted[places] = holm(table["p"].to_numpy()[places])
    return adjusted


def _declared(results: Results) -> Iterator[tuple[object, ...]]:
    """The keys of the rows that a hypothesis speaks of, in either order of the two."""
    for one in results.study.hypotheses:
        for first, second in ((one.first, one.second), (one.second, one.first)):
            space, strategy = one.space or first, one.strategy or first
            place = one.landscape or EVERYWHERE
            yield place, space, strategy, one.budget, one.compared, second


def landscape_scales(results: Results) -> dict[str, float]:
    """Return for each landscape the median regret of its stored runs after one evaluation.

    Against f*(U), or where that is not known exactly against the best truth of all stored runs on
    the instance. Failed first evaluations are left out; 0 where there is none.
    """
    firsts: dict[str, list[Floats]] = {}
    best = best_known(results)
    for arm in results.arms:
        for cell in arm.cells:
            label = arm.arm.landscape.label
            first = cell.truth[:, 0]
            regret = first[np.isfinite(first)] - best[label, cell.instance]
            firsts.setdefault(label, []).append(regret)
    joined = {label: np.concatenate(parts) for label, parts in firsts.items()}
    return {label: float(np.median(all_)) if len(all_) else 0.0 for label, all_ in joined.items()}


def best_known(results: Results) -> dict[tuple[str, int], float]:
    """Return f*(U) of each landscape and instance, or the best truth of all its stored runs."""
    best: dict[tuple[str, int], float] = {}
    for arm in results.arms:
        for cell in arm.cells:
            key = arm.arm.landscape.label, cell.instance
            optimum = cell.problem.optimum_universe
            if isinstance(optimum, Optimum):
                best[key] = optimum.value
            else:
                seen = float(cell.truth.min()) if cell.truth.size else np.inf
                best[key] = min(best.get(key, np.inf), seen)
    return best

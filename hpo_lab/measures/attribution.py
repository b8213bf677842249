"""What each of several assumptions contributes to the price of a declared space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.measure import ArmResult, Measure, Results
from hpo_lab.measures._subsets import Sets, in_words, sets_of
from hpo_lab.measures.curves import EXACT
from hpo_lab.measures.price import random_curve
from hpo_lab.space import ENUMERABLE, Floats
from hpo_lab.statistics import (
    MINIMUM_REPETITIONS,
    bootstrap_means,
    dual,
    first_in,
    last_out,
    members,
    minimal_sets,
    shapley,
    shapley_bounds,
)
from hpo_lab.study import Part, SpaceSpec, Study

if TYPE_CHECKING:
    import pandas as pd

PRICE = "price"
MOST_POINTS = 4 * ENUMERABLE  # of all subsets' spaces together that are listed for a closed form
MOST_SENTENCES = 5
SAME = 1e-12  # values closer than this (relative above 1) are one value


@dataclass(frozen=True)
class Attribution(Measure):
    """The price of a declared space shared among its assumptions, and the regret at a budget.

    The value of a set of assumptions is the optimum of the space that makes just those (``game``
    "price"; exact optima of all subsets, at most 12 assumptions, means over instances), or the
    expected total regret of a strategy in it after ``budget`` evaluations: of "random, exact" in
    closed form, of another strategy as the mean of its runs, where the study has all subsets as
    spaces. ``first_in`` is what an assumption costs alone, ``last_out`` what giving it up alone
    gains, ``shapley`` its mean contribution over all orders; the shares sum to ``total``. Where
    optima are only bounded, ``*_low`` and ``*_high`` bound them; from runs they are the 95 %
    interval of the share (paired repetitions, 30 or more). An assumption without a price (a scale)
    is in the regret alone, where shares may be negative: it helped. ``words`` says what is masked:
    assumptions that look harmless one at a time. Spaces with one assumption have nothing to share.
    One row an assumption and game; where the price cannot be shared ``status`` says why.
    """

    name: ClassVar[str] = "attribution"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for landscape, space in shared(results.study):
            rows += _rows(results, landscape, space)
        return pd.DataFrame(rows, columns=list(_COLUMNS))


_SHARES = ("first_in", "last_out", "shapley")
_COLUMNS = (
    *("landscape", "space", "unit", "instances", "game", "budget", "assumption"),
    *_SHARES,
    *(f"{share}_{end}" for share in _SHARES for end in ("low", "high")),
    *("total", "status", "words"),
)


def shared(study: Study) -> Iterator[tuple[Part, SpaceSpec]]:
    """Yield every landscape with each declared space that makes two assumptions or more on it."""
    for landscape in study.landscapes:
        for space in study.spaces:
            if landscape.label in space.landscapes and len(space.assumptions) > 1:
                yield landscape, space


def _rows(results: Results, landscape: Part, space: SpaceSpec) -> list[dict[str, Any]]:
    study = results.study
    begin = {
        "landscape": landscape.label,
        "space": space.label,
        "unit": study.problem(landscape, space, 1).landscape.unit,
        "instances": len(study.instances_of(landscape)),
    }
    try:
        sets = sets_of(study, landscape, space)
    except InputError as error:
        refused = {"game": PRICE, "status": f"refused: {error}", "words": ""}
        return [{**begin, **refused, "assumption": in_words(part)} for part in space.assumptions]
    rows = [{**begin, "game": PRICE, **row} for row in _price_rows(sets, str(begin["unit"]))]
    for budget in study.budgets:
        regret = _random_regrets(study, landscape, space, budget)
        if regret is not None:
            more = {"game": EXACT, "budget": budget, "status": "exact"}
            rows += [{**begin, **more, **row} for row in _game_rows(space.assumptions, regret)]
    for arms in _subset_arms(results, landscape, space):
        game = next(iter(arms.values())).labels
        more = {"game": game["strategy"], "budget": game["budget"]}
        rows += [{**begin, **more, **row} for row in _run_rows(space.assumptions, arms)]
    return rows


def _price_rows(sets: Sets, unit: str) -> list[dict[str, Any]]:
    """The shares of the price; bounds of them where optima are bounds."""
    if not sets.players:
        return []
    if sets.exact:
        rows = _game_rows(sets.players, sets.low)
        words = masking(sets, unit)
        return [{**row, "status": "exact", "words": words} for row in rows]
    low, high = sets.low, sets.high
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        status = "unknown: no bound on the optimum of some set of assumptions"
        return [{"assumption": in_words(p), "status": status, "words": ""} for p in sets.players]
    alone, all_but = 1 << np.arange(len(sets.players)), -1 - (1 << np.arange(len(sets.players)))
    bounds = {
        "first_in": (low[alone] - high[0], high[alone] - low[0]),
        "last_out": (low[-1] - high[all_but], high[-1] - low[all_but]),
        "shapley": shapley_bounds(low, high, monotone=True),
    }
    return [
        {
            "assumption": in_words(part),
            **{f"{k}_low": max(float(b[0][i]), 0.0) for k, b in bounds.items()},
            **{f"{k}_high": float(b[1][i]) for k, b in bounds.items()},
            "status": "bounds",
            "words": "",
        }
        for i, part in enumerate(sets.players)
    ]


def _game_rows(players: Sequence[Part], game: Floats) -> list[dict[str, Any]]:
    found = {"first_in": first_in(game), "last_out": last_out(game), "shapley": shapley(game)}
    rounding = SAME * max(1.0, float(np.abs(game[[0, -1]]).max()))
    found = {share: np.where(np.abs(v) <= rounding, 0.0, v) for share, v in found.items()}
    total = float(game[-1] - game[0])
    return [
        {
            "assumption": in_words(part),
            **{share: float(values[i]) for share, values in found.items()},
            **{f"{s}_{end}": float(v[i]) for s, v in found.items() for end in ("low", "high")},
            "total": total,
            "words": "",
        }
        for i, part in enumerate(players)
    ]


def masking(sets: Sets, unit: str = "") -> str:
    """Return in words which assumptions look harmless one at a time, and what they cost together.

    Either is exact: giving up any of a masked set but one gains nothing, giving up all of it does;
    and what costs nothing until all of a set is assumed. Empty where there is neither.
    """
    names = [in_words(part) for part in sets.players]
    gains = dual(sets.low)
    hidden = [c for c in minimal_sets(gains) if len(members(c)) > 1]
    joint = [c for c in minimal_sets(sets.low) if len(members(c)) > 1]
    said = [_masked([names[i] for i in members(c)], float(gains[c]), unit) for c in hidden]
    said += [
        _together([names[i] for i in members(c)], float(sets.low[c] - sets.low[0]), unit)
        for c in joint
    ]
    rest = len(said) - MOST_SENTENCES
    more = [f"and {rest} more such sets"] if rest > 0 else []
    return "; ".join([*said[:MOST_SENTENCES], *more])


def _masked(names: Sequence[str], gain: float, unit: str) -> str:
    listed = ", ".join(f'"{name}"' for name in names[:-1])
    amount = f"{gain:.3g} {unit}".strip()
    if len(names) == 2:
        pair = f'"{names[0]}" or "{names[1]}"'
        return f"giving up {pair} alone gains nothing, giving up both gains {amount}"
    return (
        f'giving up {listed} and "{names[-1]}" together gains {amount}, and nothing as long as '
        "one of them stays"
    )


def _together(names: Sequence[str], cost: float, unit: str) -> str:
    listed = ", ".join(f'"{name}"' for name in names[:-1])
    amount = f"{cost:.3g} {unit}".strip()
    return f'{listed} and "{names[-1]}" cost {amount} together, and nothing without one of them'


def _random_regrets(study: Study, landscape: Part, space: SpaceSpec, budget: int) -> Floats | None:
    """Random search's expected truth (2^n,) in the space of each set; None where not exact."""
    chain = space.assumptions
    size = study.problem(landscape, space, 1).view.universe.size
    if len(study.instances_of(landscape)) > 1 or size * 2 ** len(chain) > MOST_POINTS:
        return None
    found = np.empty(1 << len(chain))
    for subset in range(1 << len(chain)):
        spec = SpaceSpec("", tuple(chain[i] for i in members(subset)), space.landscapes)
        try:
            curve = random_curve(study.problem(landscape, spec, 1))
        except InputError:  # some assumption needs another before it
            return None
        if curve is None:
            return None
        found[subset] = curve.expected([budget])[0]
    return found


def _subset_arms(
    results: Results, landscape: Part, space: SpaceSpec
) -> Iterator[Mapping[int, ArmResult]]:
    """For each strategy and budget its arms in all subsets of the assumptions, if all are there."""
    place = {part: 1 << i for i, part in enumerate(space.assumptions)}
    if len(place) < len(space.assumptions):
        return
    groups: dict[tuple[str, int], dict[int, ArmResult]] = {}
    for arm in results.arms:
        parts = arm.arm.space.assumptions
        if arm.arm.landscape == landscape and set(parts) <= set(place):
            key = arm.arm.strategy.label, arm.arm.budget
            groups.setdefault(key, {})[sum(place[part] for part in set(parts))] = arm
    for arms in groups.values():
        if len(arms) == 1 << len(place):
            yield arms


def _run_rows(chain: Sequence[Part], arms: Mapping[int, ArmResult]) -> list[dict[str, Any]]:
    """Shares of the mean regret, from runs that all subsets have, with intervals of the shares."""
    runs = _truths([arms[subset] for subset in range(len(arms))])
    if runs is None:
        return []
    rows = _game_rows(chain, runs.mean(axis=(0, 1)))
    each = np.apply_along_axis(
        lambda game: np.concatenate([first_in(game), last_out(game), shapley(game)]), 2, runs
    )
    enough = runs.shape[1] >= MINIMUM_REPETITIONS and not arms[0].deterministic
    ends = bootstrap_means(each) if enough else np.full((each.shape[2], 2), np.nan)
    ends = ends.reshape(len(_SHARES), len(chain), 2)
    for i, row in enumerate(rows):
        for share, found in zip(_SHARES, ends[:, i], strict=True):
            row[f"{share}_low"], row[f"{share}_high"] = map(float, found)
        row["status"] = f"mean of {runs.shape[0] * runs.shape[1]} paired runs"
    return rows


def _truths(arms: Sequence[ArmResult]) -> Floats | None:
    """Truth of the incumbent (instances, repetitions, arms) at the end, None if not all succeed."""
    cells = [{cell.instance: cell for cell in arm.cells} for arm in arms]
    instances = sorted(set.intersection(*[set(own) for own in cells]))
    if not instances:
        return None
    had = [set(own[i].repetitions.tolist()) for own in cells for i in instances]
    kept = np.array(sorted(set.intersection(*had)), dtype=np.int64)
    truth = np.array(
        [
            [own[i].incumbent_truth[np.searchsorted(own[i].repetitions, kept), -1] for own in cells]
            for i in instances
        ]
    ).transpose(0, 2, 1)
    return truth if truth.size and np.isfinite(truth).all() else None

"""What sets of assumptions cost together beyond what their parts cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.measure import Measure, Results
from hpo_lab.measures._subsets import Sets, in_words, sets_of
from hpo_lab.measures.attribution import shared
from hpo_lab.statistics import dual, members, minimal_sets, moebius
from hpo_lab.study import Part, SpaceSpec

if TYPE_CHECKING:
    import pandas as pd

MOST = 60  # sets of one declared space: the largest, and every one that is masked
ZERO = 1e-9  # relative to the largest: less is rounding of differences


@dataclass(frozen=True)
class Interactions(Measure):
    """Moebius interactions of the assumptions of a declared space, from exact optima.

    ``interaction`` is what a set costs beyond all that its subsets do (Harsanyi's dividend): below
    zero where they pay for the same thing, above where they cost only together. ``cost`` is the
    price of making just these, ``gain`` what giving up just these gains. ``masked``: giving up
    fewer of them gains nothing at all, so that one at a time they look harmless; ``only_together``:
    making fewer of them costs nothing. The 60 largest of each landscape and space, and all that
    are masked; only where every optimum is exact. One row a set of two assumptions or more.
    """

    name: ClassVar[str] = "interactions"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for landscape, space in shared(results.study):
            rows += _rows(results, landscape, space)
        return pd.DataFrame(rows, columns=list(_COLUMNS))


_COLUMNS = (
    *("landscape", "space", "unit", "assumptions", "order"),
    *("interaction", "cost", "gain", "masked", "only_together"),
)


def _rows(results: Results, landscape: Part, space: SpaceSpec) -> list[dict[str, Any]]:
    try:
        sets = sets_of(results.study, landscape, space)
    except InputError:
        return []
    if not sets.exact or len(sets.players) < 2:
        return []
    unit = results.study.problem(landscape, space, 1).landscape.unit
    return [
        {"landscape": landscape.label, "space": space.label, "unit": unit, **row}
        for row in _interactions(sets)
    ]


def _interactions(sets: Sets) -> list[dict[str, Any]]:
    game = sets.low
    worth, gains = moebius(game), dual(game)
    several = np.bitwise_count(np.arange(len(game))) > 1
    masked, joint = set(minimal_sets(gains)), set(minimal_sets(game))
    large = several & (np.abs(worth) > ZERO * max(1.0, float(np.abs(worth).max())))
    ranked = sorted(np.flatnonzero(large).tolist(), key=lambda c: (-abs(worth[c]), c))
    kept = dict.fromkeys(ranked[:MOST])
    kept.update(dict.fromkeys(c for c in sorted(masked | joint) if several[c]))
    return [
        {
            "assumptions": " + ".join(in_words(sets.players[i]) for i in members(subset)),
            "order": len(members(subset)),
            "interaction": float(worth[subset]),
            "cost": float(game[subset] - game[0]),
            "gain": float(gains[subset]),
            "masked": subset in masked,
            "only_together": subset in joint,
        }
        for subset in kept
    ]

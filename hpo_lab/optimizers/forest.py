"""Bayesian optimization with a forest of trees: scikit-optimize's Optimizer behind ask and tell.

Source: F. Hutter, H. H. Hoos and K. Leyton-Brown (2011), "Sequential model-based optimization for
general algorithm configuration", LION 5; P. Geurts, D. Ernst and L. Wehenkel (2006), "Extremely
randomized trees", Machine Learning 63; T. Head et al., scikit-optimize.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._skopt import (
    Acquisition,
    Design,
    Native,
    Preset,
    Reference,
    Running,
    check,
    one_of,
    resolve,
)
from hpo_lab.space import Space

Model = Literal["extra_trees", "random_forest"]

_PRESETS: dict[str, dict[str, object]] = {
    "tuned": {"acquisition": "EI", "candidates": 3000, "trees": 50, "leaf": 1},
    "skopt": {"acquisition": "gp_hedge", "candidates": 10000, "trees": 100, "leaf": 3},
}
_SHORT = {"extra_trees": "ET", "random_forest": "RF"}


@dataclass(frozen=True)
class Forest(Strategy):
    """Bayesian optimization with extra trees or a random forest, by scikit-optimize.

    The first ``initial`` points are the ``design``: drawn at random, or even (the first points of
    ``lhs``, ``sobol`` or ``halton``), without repetition where that is possible. Then each point
    maximizes the ``acquisition`` over ``candidates`` draws: expected improvement or probability of
    improvement beyond the best value less ``xi``, the lower confidence bound ``kappa`` deviations
    below the mean, or gp_hedge, which draws one of the three at each step, by what they promised.

    *What it assumes.* Values are alike in boxes: each of ``trees`` trees splits the space along
    one axis at a time, into leaves of no fewer than ``leaf`` observations; extra trees draw where
    an axis is split, a random forest resamples the observations and splits where variance falls
    most. The mean is that of the trees, the variance that within leaves and between trees.
    Beyond the observations of a box nothing is extrapolated: no slope, no length scale.

    *preset "tuned"* (3,000 candidates, expected improvement, 50 trees, leaves of 1). The trees
    see the family and unordered choices one-hot, numbers and ordered choices in unit scale. Axes
    of different families are one column only if they are equal; where a family lacks an axis its
    column is -1, below all values that others have, so that one split tells who has the axis.
    Values are standardized by median and interquartile range, drawn in logarithmically beyond 3
    standard deviations, and standardized again; ``xi`` is in that unit.

    *Where it looks.* Candidates are draws from the space's reference measure. A share ``local`` of
    them stays in the incumbent's family and goes only a part of the way from the incumbent to its
    draw: numbers a fraction between 1/1000 and 1 (log-uniform), each unordered choice with
    probability 1 / (1 + axes). Points that were asked for before are dropped, and a space with no
    more points than ``candidates`` is listed instead; a point is repeated only when no new one is
    found. *Where it never looks.* Where all trees agree on a mean worse than the best value; and
    it cannot tell apart the points of a box that no tree divides.

    *preset "skopt"*. scikit-optimize's own defaults: 100 trees, leaves of 3, 10,000 candidates,
    gp_hedge; no local candidates. Ordered choices are integers and the family is one more
    categorical dimension; the trees do not see the axes that a family lacks. On one family it asks
    for exactly the points of ``skopt.Optimizer(base_estimator="ET")``, or "RF".

    Both: a value that is nan or infinite is a failed trial and is told as the worst success so
    far; until there is a success, points are drawn at random. Values beyond ±1e100 are told as
    ±1e100. After construction the fields hold the resolved settings.

    Raises InputError for a setting outside its range; ``start`` raises it where the space has too
    many dimensions for scikit-optimize's own Sobol' sequence.

    >>> from hpo_lab.space import Choice, Real
    >>> space = Space.box(Real("x", -1, 1), Choice("c", ("a", "b")))
    >>> search = Forest(initial=5).start(space, budget=25, rng=np.random.default_rng(0))
    >>> lowest = 2.0
    >>> while len(asked := search.ask()):
    ...     values = asked.values[:, 0] ** 2 + asked.values[:, 1]
    ...     search.tell(asked, values)
    ...     lowest = min(lowest, values.min())
    >>> bool(lowest < 0.01)
    True
    """

    name: ClassVar[str] = "forest"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("scikit-optimize", "scikit-learn", "scipy")

    preset: Preset = "tuned"
    model: Model = "extra_trees"
    trees: int = 0  # 0: the preset's number
    leaf: int = 0  # likewise
    initial: int = 10
    design: Design = "random"
    acquisition: Acquisition = "preset"
    xi: float = 0.01
    kappa: float = 1.96
    candidates: int = 0  # 0: the preset's number
    local: float = 0.5  # preset skopt has none

    def __post_init__(self) -> None:
        check(self)
        one_of("model", self.model, get_args(Model))
        if self.trees < 0:
            raise InputError(f"trees must be positive, not {self.trees}")
        if self.leaf < 0:
            raise InputError(f"leaf must be positive, not {self.leaf}")
        resolve(self, _PRESETS)

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a forest of its own; imports scikit-optimize."""
        begin: Any = _tuned if self.preset == "tuned" else _as_skopt
        return Running(lambda: begin(self, space, rng), budget)


def _grown(settings: Forest, seed: int) -> Any:
    """The forest, not fitted yet."""
    from hpo_lab.optimizers._forest_model import KINDS

    return KINDS[settings.model](
        n_estimators=settings.trees, min_samples_leaf=settings.leaf, random_state=seed
    )


def _tuned(settings: Forest, space: Space, rng: np.random.Generator) -> tuple[Reference, Any]:
    from hpo_lab.optimizers._forest_model import TableForest

    bridge = Reference(space, settings, rng)
    forest = _grown(settings, int(rng.integers(2**31)))
    return bridge, bridge.optimizer(TableForest(forest, bridge.encoding))


def _as_skopt(settings: Forest, space: Space, rng: np.random.Generator) -> tuple[Native, Any]:
    from hpo_lab.optimizers._forest_model import MaskedForest

    bridge = Native(space, settings, rng)
    own = all(getattr(settings, name) == _PRESETS["skopt"][name] for name in ("trees", "leaf"))
    if own and not bridge.several:
        return bridge, bridge.optimizer(_SHORT[settings.model])
    forest = _grown(settings, bridge.seed)
    if not bridge.several:
        return bridge, bridge.optimizer(forest)
    masked = MaskedForest(forest, *bridge.lacking(bridge.dimensions()))
    return bridge, bridge.optimizer(masked, "sampling")

"""Bayesian optimization with a Gaussian process: scikit-optimize's Optimizer behind ask and tell.

Source: J. Snoek, H. Larochelle and R. P. Adams (2012), "Practical Bayesian optimization of machine
learning algorithms", NeurIPS 25; T. Head et al., scikit-optimize.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._encoding import Encoding
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

Kernel = Literal["matern52", "matern32", "matern12", "rbf"]
Maximizer = Literal["preset", "auto", "sampling", "lbfgs"]
Families = Literal["one_hot", "separate"]

_PRESETS: dict[str, dict[str, object]] = {
    "tuned": {"acquisition": "EI", "candidates": 1000, "acquisition_optimizer": "sampling"},
    "skopt": {"acquisition": "gp_hedge", "candidates": 10000, "acquisition_optimizer": "auto"},
}


@dataclass(frozen=True)
class GP(Strategy):
    """Bayesian optimization: a Gaussian process and an acquisition function, by scikit-optimize.

    The first ``initial`` points are the ``design``: drawn at random, or even (the first points of
    ``lhs``, ``sobol`` or ``halton``), without repetition where that is possible. Then each point
    maximizes the ``acquisition`` over ``candidates`` draws: expected improvement or probability of
    improvement beyond the best value less ``xi``, the lower confidence bound ``kappa`` deviations
    below the mean, or gp_hedge, which draws one of the three at each step, by what they promised.

    *preset "tuned"* (1,000 candidates, expected improvement). *What it assumes.* Nearby points
    have similar values: the ``kernel`` (Matérn 5/2, 3/2 or 1/2, or "rbf", the smoothest) with
    noise, fitted by maximum likelihood from one start. One length scale each for the family, for
    every real axis, integer axis and ordered choice (in unit scale), and for every set of unordered
    choices with the same options (one-hot). Axes of different families share a coordinate only if
    they are equal; where a family lacks an axis its coordinate is constant. Values are
    standardized by median and interquartile range, drawn in logarithmically beyond 3 standard
    deviations, and standardized again; ``xi`` is in that unit.

    With ``families`` "separate" each family has a Gaussian process of its own, on its own axes
    alone, and learns nothing from the others but the scale of values. Its prior mean is the mean of
    its n values and one more at the mean of all. A family that was never asked for is expected at
    the mean and with the deviation of all values; one with fewer than 5 observations keeps the
    prior's hyperparameters (amplitude 1, length scales 0.5, noise 0.01).

    *Where it looks.* Candidates are draws from the space's reference measure. A share ``local`` of
    them stays in the incumbent's family and goes only a part of the way from the incumbent to its
    draw: numbers a fraction between 1/1000 and 1 (log-uniform), each unordered choice with
    probability 1 / (1 + axes). Points that were asked for before are dropped, and a space with no
    more points than ``candidates`` is listed instead; a point is repeated only when no new one is
    found. With ``acquisition_optimizer`` "lbfgs" the best five then climb along their real axes
    (all else stays), which is refused in a space that has none; "auto" climbs where it can.
    *Where it never looks.* Where the acquisition is low at every draw.

    *preset "skopt"*. scikit-optimize's own defaults: one length scale a column (Hamming distance
    where all axes are unordered choices and the kernel is Matérn 5/2), two restarts, 10,000
    candidates, gp_hedge; no local candidates. Unless told to sample it climbs by L-BFGS in all
    columns and rounds, but not where all axes are unordered choices. Ordered choices are integers
    and the family is one more categorical dimension; the model does not see the axes that a family
    lacks. On one family it asks for exactly the points of a bare ``skopt.Optimizer``.

    Both: a value that is nan or infinite is a failed trial and is told as the worst success so
    far; until there is a success, points are drawn at random. Values beyond ±1e100 are told as
    ±1e100. Linear algebra runs on one thread, so that results do not depend on their number.
    After construction the fields hold the resolved settings.

    Raises InputError for a setting outside its range; ``start`` raises it where the space has
    nothing to climb along, or too many dimensions for scikit-optimize's own Sobol' sequence.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", -1, 1))
    >>> search = GP(initial=3).start(space, budget=4, rng=np.random.default_rng(0))
    >>> asked = search.ask()
    >>> search.tell(asked, asked.values[:, 0] ** 2)
    >>> len(asked), len(search.ask()), len(search.ask())
    (3, 1, 0)
    >>> settings = GP(preset="skopt")
    >>> settings.acquisition, settings.candidates, settings.local
    ('gp_hedge', 10000, 0.0)
    """

    name: ClassVar[str] = "gp"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("scikit-optimize", "scikit-learn", "scipy")

    preset: Preset = "tuned"
    initial: int = 10
    design: Design = "random"
    kernel: Kernel = "matern52"
    families: Families = "one_hot"
    acquisition: Acquisition = "preset"
    xi: float = 0.01
    kappa: float = 1.96
    acquisition_optimizer: Maximizer = "preset"
    candidates: int = 0  # 0: the preset's number
    local: float = 0.5  # preset skopt has none

    def __post_init__(self) -> None:
        check(self)
        one_of("kernel", self.kernel, get_args(Kernel))
        one_of("families", self.families, get_args(Families))
        one_of("acquisition_optimizer", self.acquisition_optimizer, get_args(Maximizer))
        if self.families == "separate" and self.preset == "skopt":
            raise InputError(
                'families = "separate" is not scikit-optimize\'s; use preset = "tuned"'
            )
        resolve(self, _PRESETS)

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a model of its own; imports scikit-optimize."""
        begin: Any = _tuned if self.preset == "tuned" else _as_skopt
        return Running(lambda: begin(self, space, rng), budget)


def _tuned(settings: GP, space: Space, rng: np.random.Generator) -> tuple[Reference, Any]:
    from hpo_lab.optimizers._gp_model import ClimbableRegressor, GroupedMatern, SeparateRegressor

    bridge = Reference(space, settings, rng)
    encoding, climbable = bridge.encoding, bridge.climbable
    climb = _climbs(settings.acquisition_optimizer, bool(climbable.any()), "real axes")
    if settings.families == "separate" and len(space.families) > 1:
        separate = SeparateRegressor(encoding.nominal, _own(encoding), settings.kernel, climbable)
        return bridge, bridge.optimizer(separate, climb)
    lengths = (1.0,) * (1 + max(encoding.groups))
    kernel = GroupedMatern(encoding.nominal, encoding.groups, 1.0, lengths, 0.01, settings.kernel)
    return bridge, bridge.optimizer(ClimbableRegressor(kernel, climbable), climb)


def _own(encoding: Encoding) -> tuple[tuple[int, ...], ...]:
    """Each family's groups of columns (width,), counted anew; -1 for what it lacks."""
    found = []
    for active in encoding.active:
        groups = np.where([False, *active], encoding.groups, -1)
        present = np.unique(groups[groups >= 0])
        found.append(tuple(np.where(groups >= 0, np.searchsorted(present, groups), -1).tolist()))
    return tuple(found)


def _climbs(wanted: str, possible: bool, along: str) -> bool:
    """Whether the acquisition is climbed; InputError where it must be and cannot."""
    if wanted == "lbfgs" and not possible:
        raise InputError(
            f'acquisition_optimizer = "lbfgs" climbs along {along} and this space has none; '
            'use "auto" or "sampling"'
        )
    return possible and wanted != "sampling"


def _as_skopt(settings: GP, space: Space, rng: np.random.Generator) -> tuple[Native, Any]:
    bridge = Native(space, settings, rng)
    numbers = not all(bridge.encoding.nominal) or space.size == 1
    climb = _climbs(settings.acquisition_optimizer, numbers, "numbers")
    estimator = "GP"
    if bridge.several or settings.kernel != "matern52":
        estimator = _regressor(bridge, settings.kernel)
    return bridge, bridge.optimizer(estimator, "auto" if climb else "sampling")


def _regressor(bridge: Native, kernel: str) -> Any:
    """scikit-optimize's model with this kernel, blind to the axes that a row's family lacks."""
    from skopt.learning.gaussian_process import kernels
    from skopt.utils import cook_estimator, normalize_dimensions

    from hpo_lab.optimizers._gp_model import LENGTH_BOUNDS, MaskedRegressor

    dimensions = bridge.dimensions()
    model = cook_estimator("GP", space=dimensions, random_state=bridge.seed)
    if kernel != "matern52":
        lengths = np.ones_like(model.kernel.k2.length_scale)
        bounds = [LENGTH_BOUNDS] * len(lengths)
        rough = {"matern32": 1.5, "matern12": 0.5}.get(kernel)
        smooth = kernels.Matern(lengths, bounds, rough) if rough else kernels.RBF(lengths, bounds)
        model.kernel.set_params(k2=smooth)
    if not bridge.several:
        return model
    return MaskedRegressor(
        *bridge.lacking(normalize_dimensions(dimensions)),
        kernel=model.kernel,
        random_state=bridge.seed,
    )

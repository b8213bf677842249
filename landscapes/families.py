"""Families: universes of architecture families whose best family is known.

Two definitions, each in a file of its own, with its formula and sources on top:

    planted     f(z, x) = min over k of v_zk + Σ_i φ_zki(x_i), the best family planted by dials
                (``_families_planted``)
    by a task   f(z, s, t) = f_irr + Σ_j w_j [δ_j − κ_zj(s)]₊ + c · params_z(s) / n_z + q_z(t; s),
                the best family decided by demands and inductive biases (``_families_tasks``)

True by construction: validates optimizers and metrics, never claims about networks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError, nearest
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum, generator
from hpo_lab.region import Region
from hpo_lab.space import Choice, Family, Floats, Integer, Points, Real, Space
from landscapes._families_planted import Planted
from landscapes._families_tasks import Demanded, task_of

_LR = Real("lr", 1e-5, 1e-1, log=True)
_ACTIVATION = Choice("activation", ("relu", "gelu", "tanh"))
UNIVERSE = Space(
    (
        Family("conv", (_LR, _ACTIVATION, Integer("kernel", 1, 7))),
        Family("attention", (_LR, _ACTIVATION, Integer("heads", 1, 16, log=True))),
        Family("recurrent", (_LR, _ACTIVATION, Integer("state", 8, 512, log=True))),
        Family("mlp", (_LR, _ACTIVATION)),
    )
)
DIALS = ("best", "gap", "optima", "ruggedness", "space", "visibility", "gradient")  # planted ones


@dataclass(frozen=True)
class Families(Landscape):
    """Architecture families with shared and private axes, one of which holds the optimum.

    True by construction: it validates the instrument and makes no claim about networks.

    **Planted**, the default. The universe is conv, attention, recurrent and mlp, or ``space``:
    any universe of one's own. ``best`` is the family that holds the optimum, of value 0 (default:
    "attention" where there is one, else the first); the best of the rest is worse by ``gap``,
    further families by up to 0.2 more. Each family has ``optima`` local minima (fewer only where
    its axes leave no room), whose values differ by 0.02 to 0.3. ``ruggedness`` is the amplitude of
    a Rastrigin-like ripple on the numeric axes.

    A planted discovery is as hard as two more dials say. ``visibility``, in (0, 1], is the share of
    the best family (of its reference measure) on which it beats the best of the rest: one valley
    from 0 to ``gap`` with steep walls, so that its basin is hardly larger. The share is exact where
    the family has one real axis and few other values, met to about a hundredth of itself where it
    has more, and as nearly as its steps allow where it has no real axis. ``gradient``, in [-1, 1],
    is by how much the rest of the best family, between ``gap`` and ``gap`` + 1, falls toward that
    valley: at 1 from its farthest point to its middle by 1, at 0 not at all, below 0 it deceives
    and falls away from it, toward the farthest corner. Without ``visibility`` the best family is
    like the others.

    **By a task**: ``task`` is "recall", "parity", "copy", "motif", "language" or "control" over
    mlp, conv, attention, recurrent, ssm, moe and hybrid; "tabular" or "smooth" over mlp, trees
    and kernels. What it demands, and the sizes that capabilities are measured by, are changed by
    ``demands``, pairs of a name (range, bindings, tracking, invariance, capacity, irregularity,
    nuisance, smoothness; length, pairs, vocabulary, examples) and a number. ``instance`` draws
    the weights of the demands.

    ``families`` keeps some of the families (default: all). The optimum is exact for every set of
    families and every box. The minima of a planted universe are exact at ruggedness 0: points that
    no small step on real axes, no step to the next integer and no other option improves; a basin
    is the set of points whose value a minimum's own component gives (with a gradient above 0 the
    whole best family is one), and masses are unknown. With ripples minima are None. By a task they
    are structures, each at its best rate, that no step to the next size or another option betters;
    a basin is what steps to the best neighbour lead there from, and its mass is exact.

    >>> f = Families(optima=3, gap=0.2)
    >>> f.optimum().value, f.optimum().point.records()[0]["family"]
    (0.0, 'attention')
    >>> len(f.minima().values)
    12
    >>> Families(task="parity").optimum().point.records()[0]["family"]
    'recurrent'
    """

    families: tuple[str, ...] = ()
    best: str | None = None
    gap: float = 0.1
    optima: int = 2
    ruggedness: float = 0.0
    instance: int = 1
    space: Space | None = None
    visibility: float | None = None
    gradient: float = 0.0
    task: str | None = None
    demands: tuple[tuple[str, float], ...] = ()
    name: ClassVar[str] = "families"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        known = [family.name for family in self._every.families]
        for name in self.families:
            if name not in known:
                raise InputError(f"families: the universe has no family {nearest(name, known)}")
        if len(set(self.families)) < len(self.families):
            raise InputError("families names a family twice; remove the repetition")
        if self.task is not None:
            self._check_task()
        elif self.demands:
            raise InputError("demands change those of a task; name the task, too")
        self._check_planted(self.families or known)

    def _check_task(self) -> None:
        default = {field.name: field.default for field in fields(self)}
        for key in DIALS:
            if getattr(self, key) != default[key]:
                raise InputError(f"{key} plants an optimum, but the task decides: leave one out")

    def _check_planted(self, kept: list[str] | tuple[str, ...]) -> None:
        if self.best is not None and self.best not in kept:
            raise InputError(f"best: the universe has no family {nearest(self.best, kept)}")
        if not (math.isfinite(self.gap) and self.gap >= 0.0):
            raise InputError(f"gap must be a number from 0 on, not {self.gap}")
        if self.optima < 1:
            raise InputError(f"optima must be at least 1, not {self.optima}")
        if not (math.isfinite(self.ruggedness) and self.ruggedness >= 0.0):
            raise InputError(f"ruggedness must be a number from 0 on, not {self.ruggedness}")
        if not -1.0 <= self.gradient <= 1.0:
            raise InputError(f"gradient must be from -1 to 1, not {self.gradient}")
        if self.visibility is None:
            if self.gradient != 0.0:
                raise InputError("gradient says what surrounds a hidden valley: give visibility")
            return
        if not 0.0 < self.visibility <= 1.0:
            raise InputError(f"visibility must be above 0 and up to 1, not {self.visibility}")
        if self.gap == 0.0 or self.ruggedness > 0.0:
            raise InputError("visibility needs a gap above 0, and ruggedness 0")

    @property
    def _every(self) -> Space:
        """All families that there are to choose from."""
        if self.task is not None:
            return task_of(self.task, self.demands).universe
        return self.space or UNIVERSE

    @cached_property
    def universe(self) -> Space:
        """The families that are kept, in the order of the universe."""
        kept = self._every.families
        return Space(tuple(f for f in kept if not self.families or f.name in self.families))

    @property
    def planted(self) -> str | None:
        """The family that holds the optimum; None where the task decides."""
        if self.task is not None:
            return None
        names = [family.name for family in self.universe.families]
        return self.best or ("attention" if "attention" in names else names[0])

    @cached_property
    def _model(self) -> Planted | Demanded:
        def draw(family: str, *what: str) -> np.random.Generator:
            return generator(self, family, self.instance, *what)

        if self.task is not None:
            task = task_of(self.task, self.demands)
            return Demanded.drawn(task, self.universe, draw(self.task, "weights"))
        return Planted.drawn(
            self.universe,
            self.planted or "",
            self.gap,
            self.optima,
            self.ruggedness,
            self.visibility,
            self.gradient,
            draw,
        )

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,)."""
        return self._model.evaluate(points)

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside any region.

        Certified bounds only where real axes of different ranges or scales are tied.
        """
        return self._model.lowest(region)

    def minima(self) -> Minima | None:
        """Return all minima, best first, and their basins; None where there are ripples."""
        return _minima(self)


@lru_cache(maxsize=16)
def _minima(landscape: Families) -> Minima | None:
    return landscape._model.minima()

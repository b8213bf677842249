"""Nevergrad's NGOpt: a rule that picks an optimizer by the space and the budget.

Source: J. Rapin and O. Teytaud (2018), Nevergrad; L. Meunier et al. (2022), "Black-box optimization
revisited: improving algorithm selection wizards through massive benchmarking", IEEE Transactions on
Evolutionary Computation 26; by the package nevergrad.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hpo_lab.errors import InputError, nearest
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._encoding import Encoding, clipped
from hpo_lab.optimizers._libraries import Guest, library
from hpo_lab.space import Axis, Choice, Floats, Integer, Points, Space

_LARGEST = 1e20  # nevergrad takes no loss beyond 5e20


@dataclass(frozen=True)
class Nevergrad(Strategy):
    """One of nevergrad's optimizers, by its name; NGOpt chooses for itself.

    *What it assumes.* NGOpt decides by the kinds of axes, their number and the budget. With real
    axes alone and fewer than 200 evaluations an axis it is COBYLA, which believes that the values
    are linear nearby; with choices or integers it is a discrete (1+1) evolution strategy, which
    believes that better points share most coordinates with the best.

    *Where it looks.* COBYLA starts in the middle of the box, whatever the seed (the same requests
    until it has converged; random points follow). The evolution strategy starts in the middle too
    and changes a few coordinates of the best point at a time.

    *Where it never looks.* Far from where it started, unless the budget outlasts convergence.

    Reals and integers are Scalar or Log with both bounds (integers by casting), ordered choices
    TransitionChoice, others Choice. Families are a Choice of Dicts; the axes that all families
    have in common stand outside it. Axes with one value are no parameters. A value that is nan or
    infinite is told as the worst success so far, and as 1e20 while there is none; values beyond
    ±1e20 are told as ±1e20. One worker; nevergrad works on one thread.

    Raises InputError for an unknown optimizer, where the package is missing, and where the
    optimizer would hand the run to pycma's fmin, which seeds itself by the clock.

    >>> Nevergrad().optimizer
    'NGOpt'
    """

    name: ClassVar[str] = "nevergrad"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ("nevergrad", "cma", "scipy")

    optimizer: str = "NGOpt"

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with an optimizer of its own; imports nevergrad."""
        return _Search(self, space, budget, rng)


class _Search:
    """What was told waits until the next ask: some optimizers go on in a thread when told."""

    def __init__(
        self, settings: Nevergrad, space: Space, budget: int, rng: np.random.Generator
    ) -> None:
        self.ng = library(settings.name, "nevergrad", settings.name)
        self.space, self.left, self.encoding = space, budget, Encoding(space)
        self.guest, self.worst = Guest(rng), -np.inf
        self.told: tuple[Any, float] | None = None
        known = self.ng.optimizers.registry
        if settings.optimizer not in known:
            raise InputError(f"nevergrad has no optimizer {nearest(settings.optimizer, known)}")
        self.optimizer: Any = None
        if space.size > 1:
            own = np.random.RandomState(int(rng.integers(2**31)))
            with self._at_work():
                parameters = _parameters(self.ng.p, space)
                parameters.random_state = own
                self.optimizer = known[settings.optimizer](parameters, budget, num_workers=1)
                _check_repeatable(settings.optimizer, self.optimizer)

    def ask(self) -> Points:
        if not self.left or self.optimizer is None:
            left, self.left = self.left, 0
            return self.space.sample(left, np.random.default_rng(0))
        self.left -= 1
        with self._at_work():
            if self.told is not None:
                self.optimizer.tell(*self.told)
            self.candidate = self.optimizer.ask()
            asked = self._points(self.candidate.value)  # may draw
        if not self.left:
            del self.optimizer  # its thread, if it has one, ends with it
            self.optimizer = None
        return asked

    def tell(self, points: Points, values: Floats) -> None:
        if self.optimizer is None:
            return
        value = float(values[0])
        if np.isfinite(value):
            value = float(np.clip(value, -_LARGEST, _LARGEST))
            self.worst = max(self.worst, value)
        else:
            value = self.worst if np.isfinite(self.worst) else _LARGEST
        self.told = (self.candidate, value)

    def _points(self, value: dict[str, Any]) -> Points:
        inner = value.get("family", {})
        family = int(inner.get("index", 0))
        given = {**value, **inner}
        row = self.encoding.middle(family)
        for column, axis in self.space.places(family):
            if axis.size > 1:
                row[0, column] = clipped(axis, float(given[f"c{column}"]))
        return Points(self.space, np.array([family]), row)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        with self.guest.at_work(), warnings.catch_warnings():
            warnings.simplefilter("ignore", self.ng.errors.NevergradWarning)
            warnings.filterwarnings("ignore", message="COBYLA: Invalid")
            yield


def _parameters(p: Any, space: Space) -> Any:
    """The space as a Dict of nevergrad's parameters, named by their columns."""
    families = [set(space.places(i)) for i in range(len(space.families))]
    common = set.intersection(*families)

    def named(family: int, inside: bool) -> dict[str, Any]:
        return {
            f"c{column}": _parameter(p, axis)
            for column, axis in space.places(family)
            if axis.size > 1 and ((column, axis) in common) != inside
        }

    if len(families) == 1:
        return p.Dict(**named(0, inside=False))
    own = [p.Dict(index=i, **named(i, inside=True)) for i in range(len(families))]
    return p.Dict(**named(0, inside=False), family=p.Choice(own))


def _parameter(p: Any, axis: Axis) -> Any:
    """The axis as a parameter of nevergrad."""
    if isinstance(axis, Choice):
        return (p.TransitionChoice if axis.ordered else p.Choice)(len(axis.options))
    made = (p.Log if axis.log else p.Scalar)(lower=axis.low, upper=axis.high)
    return made.set_integer_casting() if isinstance(axis, Integer) else made


def _check_repeatable(name: str, optimizer: Any) -> None:
    """Raise InputError where pycma's fmin is inside: it seeds itself by the clock."""
    inner = optimizer
    while inner is not None:
        if "Fmin2" in str(inner.name):
            raise InputError(
                f"nevergrad's {name} would hand this run to {inner.name}, which does not repeat "
                'itself for a seed: use a smaller budget or another optimizer, such as "CMA"'
            )
        inner = getattr(inner, "optim", None) or getattr(inner, "_optim", None)

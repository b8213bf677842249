"""Blindness: what a strategy asks for depends on its space, its seed and what it was told."""

from __future__ import annotations

import gc
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hpo_lab.assumption import Assumption, View, assume
from hpo_lab.assumptions.fixed import Fixed
from hpo_lab.assumptions.without import Without
from hpo_lab.harness import execute
from hpo_lab.landscape import Bounds, Landscape, Optimum, Problem
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.region import Region
from hpo_lab.space import Family, Floats, Ints, Points, Real, Space
from hpo_lab.store import Trials
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from hpo_lab.testing.strategy import rugged

HIDDEN = (Landscape, Problem, View, Assumption, Optimum, Bounds)  # kinds that no search may hold
_PUBLIC = (types.ModuleType, type, types.CodeType, types.BuiltinFunctionType)


def check_blindness(
    strategy: Strategy, spaces: Mapping[str, Space] = KINDS_OF_SPACE, budget: int = 18
) -> None:
    """Raise AssertionError, saying what gave the landscape away, unless the strategy is blind.

    On every space runs of ``budget`` evaluations go through ``hpo_lab.harness.execute``:

    * *Not the landscape.* Two problems with the same declared space and the same observed values
      differ in everything else: name, version, unit, universe, assumptions, truth and optimum.
      The requests are the same.
    * *Not the future.* Another landscape has the values of the first up to trial k and other ones
      at every other point, for two k. The requests up to the first that could know are the same.
    * *No way there.* No landscape, problem, view, assumption or optimum can be reached from the
      space and the generator that a search is given, nor from the search after its run, over
      whatever objects refer to; what modules and classes hold belongs to nobody.

    >>> from hpo_lab.optimizers.random import Random
    >>> check_blindness(Random())
    """
    for kind, space in spaces.items():
        try:
            _check_on(strategy, space, budget)
        except AssertionError as error:
            raise AssertionError(f'{strategy!r} on the space "{kind}": {error}') from error


def requests(strategy: Strategy, problem: Problem, budget: int) -> Trials:
    """Return the trials of one run through the harness, on the way checking what its search holds.

    AssertionError where a hidden object can be reached from what ``start`` gets or returns.
    """
    watched = _Watched(strategy)
    trials = execute(problem, watched, budget, np.random.default_rng(3))
    found = next(hidden_in(watched.search), None)
    assert found is None, f"the search holds a {type(found).__name__}"
    return trials


def hidden_in(*roots: object) -> Iterator[object]:
    """Yield the landscapes, problems, views, assumptions and optima reachable from objects.

    >>> view = View.identity(Space.box(Real("x", 0, 1)))
    >>> [type(one).__name__ for one in hidden_in({"deep": [lambda found=view: found]})]
    ['View']
    """
    seen: set[int] = set()
    left = list(roots)
    kept = []  # so that no address is used twice
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, _PUBLIC):
            continue
        seen.add(id(one))
        kept.append(one)
        if set(HIDDEN) & set(type(one).__mro__):
            yield one
        left += _referents(one)


def twins(space: Space) -> Iterator[Problem]:
    """Yield two problems that answer alike on the declared space and differ in all that is hidden.

    >>> plain, disguised = twins(Space.box(Real("x", 0, 1)))
    >>> plain.view.declared == disguised.view.declared, plain.view == disguised.view
    (True, False)
    """
    yield Problem(_Plain(space), View.identity(space))
    disguised = _Disguised(space)
    yield Problem(disguised, disguised.view)


def _referents(one: object) -> list[Any]:
    """What an object refers to of its own: of a function its closure, but not its module."""
    if isinstance(one, types.FunctionType):
        return [one.__closure__, one.__defaults__, one.__kwdefaults__, one.__dict__]
    if isinstance(one, np.ndarray):
        return [one.base, *(one.flat if one.dtype.hasobject else ())]
    if isinstance(one, types.FrameType):
        return [one.f_back, *one.f_locals.values()]
    return gc.get_referents(one)


def _check_on(strategy: Strategy, space: Space, budget: int) -> None:
    plain, disguised = (requests(strategy, problem, budget) for problem in twins(space))
    assert len(plain) == len(disguised), "asks for as many points as something hidden says"
    assert _same(plain, disguised, len(plain)), "asks for other points if only the hidden differs"
    assert np.array_equal(plain.observed, disguised.observed), "the twins do not answer alike"
    keys = Points(space, plain.family, plain.values).keys()
    for k in {len(plain) // 2, len(plain) - 1}:
        turning = _Turning(space, frozenset(key.tobytes() for key in keys[:k]))
        other = requests(strategy, Problem(turning, View.identity(space)), budget)
        known = int((plain.batch <= plain.batch[k]).sum())  # the batch of trial k was told k values
        assert _same(plain, other, known), f"knows after {k} values what it is told later"


def _same(one: Trials, other: Trials, n: int) -> bool:
    """Whether the first n requests are the same points, in the same batches."""
    return (
        len(other) >= n
        and np.array_equal(one.family[:n], other.family[:n])
        and np.array_equal(one.batch[:n], other.batch[:n])
        and np.array_equal(one.values[:n], other.values[:n], equal_nan=True)
    )


class _Watched(Strategy):
    """The strategy as it is, but that what its search begins with and comes to is looked at."""

    name = "watched"

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.search: Search | None = None

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        found = next(hidden_in(space, budget, rng), None)
        assert found is None, f"the harness hands out a {type(found).__name__}"
        self.search = self.strategy.start(space, budget, rng)
        return self.search


@dataclass(frozen=True)
class _Plain(Landscape):
    """What is told is the truth, and the universe is what is declared."""

    declared: Space
    name: ClassVar[str] = "plain"

    @property
    def universe(self) -> Space:
        return self.declared

    def evaluate(self, points: Points) -> Floats:
        return rugged(points)


@dataclass(frozen=True)
class _Disguised(Landscape):
    """A larger universe, another truth and another optimum behind the same answers."""

    declared: Space
    name: ClassVar[str] = "disguised"
    version: ClassVar[int] = 7
    unit: ClassVar[str] = "s"

    @cached_property
    def universe(self) -> Space:
        hidden = Real("a hidden axis", -1.0, 1.0)
        families = [Family(f.name, (*f.axes, hidden), f.weight) for f in self.declared.families]
        return Space((*families, Family("a hidden family", (hidden,), 5.0)))

    @cached_property
    def view(self) -> View:
        """The declared space as what is left without the hidden family and axis."""
        steps = Without(family="a hidden family"), Fixed("a hidden axis", 0.5, "no reason")
        view = assume(self.universe, steps)
        assert view.declared == self.declared
        return view

    def observe(self, points: Points, repetition: int = 0, replicate: Ints | None = None) -> Floats:
        lowered, exists = self.view.lower(points)
        told = np.zeros(len(points))
        told[exists] = rugged(lowered)
        return told

    def evaluate(self, points: Points) -> Floats:
        return 1e3 - 2.0 * self.observe(points)

    def lowest(self, region: Region) -> Bounds:
        return Bounds(-1e3, 1e3, "hidden")


@dataclass(frozen=True)
class _Turning(Landscape):
    """The plain landscape at some points, and upside down at all others."""

    declared: Space
    before: frozenset[bytes]  # keys of the points that keep their values
    name: ClassVar[str] = "turning"

    @property
    def universe(self) -> Space:
        return self.declared

    def evaluate(self, points: Points) -> Floats:
        kept = [key.tobytes() in self.before for key in points.keys()]  # noqa: SIM118
        return np.where(kept, rugged(points), 5.0 - rugged(points))

"""The contract of a strategy, to be run in the tests of your own."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass

import numpy as np

from hpo_lab.optimizer import Strategy
from hpo_lab.space import Floats, Points, Space
from hpo_lab.testing.spaces import KINDS_OF_SPACE

Landscape = Callable[[Points], Floats]

_MANY = 100  # points from which on two seeds cannot well ask for the same


def check_strategy(
    strategy: Strategy, spaces: Mapping[str, Space] = KINDS_OF_SPACE, budget: int = 24
) -> None:
    """Raise AssertionError, saying which law is broken where, unless the strategy keeps them all.

    On every space, with at most ``budget`` evaluations a run, a strategy asks only for points of
    its space and never for more than the budget; asks for the same points when the seed and the
    told values are the same, and for others with another seed (unless it says that it is
    deterministic: then for the same); with a shorter budget asks for the first of them if it says
    that it is anytime; survives values that are all equal, nan, infinite, huge and tiny; leaves
    what it is told and the global random generators alone. Its settings are those of a frozen,
    hashable dataclass of plain values.

    >>> from hpo_lab.optimizers.random import Random
    >>> check_strategy(Random())
    """
    check_settings(strategy)
    for kind, space in spaces.items():
        try:
            before = _global_state()
            _check_on(strategy, space, budget)
            assert _global_state() == before, "touches a global random generator"
        except AssertionError as error:
            raise AssertionError(f'{strategy!r} on the space "{kind}": {error}') from error
        except Exception as error:
            raise AssertionError(f'{strategy!r} on the space "{kind}" raises {error!r}') from error


def check_settings(strategy: Strategy) -> None:
    """Raise AssertionError unless the settings are a frozen, hashable dataclass of plain values."""
    kind = type(strategy)
    told = f"{kind.__name__}: "
    assert is_dataclass(strategy), told + "a strategy is a dataclass"
    assert kind.__dataclass_params__.frozen, told + "make the dataclass frozen"
    assert isinstance(kind.name, str), told + "name must be a text"
    assert isinstance(kind.version, int), told + "version must be a whole number"
    for flag in ("deterministic", "anytime"):
        assert isinstance(getattr(kind, flag), bool), told + f"{flag} must be True or False"
    names = kind.libraries
    texts = isinstance(names, tuple) and all(isinstance(one, str) and one for one in names)
    assert texts, told + "libraries must be a tuple of names of distributions"
    settings = {field.name: getattr(strategy, field.name) for field in fields(strategy)}
    for name, value in settings.items():
        assert _plain(value), told + f"{name} must be a plain value, not {value!r}"
    twin = kind(**settings)
    assert twin == strategy, told + "its own settings must make an equal strategy"
    assert hash(twin) == hash(strategy), told + "equal strategies must have equal hashes"
    assert repr(twin) == repr(strategy), told + "equal strategies must look alike"


def trace(strategy: Strategy, space: Space, budget: int, seed: int, landscape: Landscape) -> Points:
    """Return the points (n,) that a run asks for, n ≤ budget; AssertionError if they don't fit."""
    search = strategy.start(space, budget, np.random.default_rng(seed))
    batches = [space.sample(0, np.random.default_rng(0))]
    left = budget
    while left > 0:
        asked = search.ask()
        if len(asked) == 0:
            break
        assert len(asked) <= left, f"asks for {len(asked)} points with a budget of {left} left"
        assert asked.space == space, "asks for points of another space"
        outside = asked[~space.contains(asked)]
        assert len(outside) == 0, f"asks for {outside.values[:1]}, which is outside the space"
        values = np.asarray(landscape(asked), dtype=float)
        values.setflags(write=False)
        kept = asked.values.copy()
        search.tell(asked, values)
        assert np.array_equal(kept, asked.values, equal_nan=True), "changes the points it is told"
        batches.append(asked)
        left -= len(asked)
    return Points.concatenate(batches)


def rugged(points: Points) -> Floats:
    """Return a value (n,) for each point of any space: bumpy, bounded, a function of the point."""
    unit = np.nan_to_num(points.space.to_unit(points))
    waves = np.sin(7.0 * unit + np.arange(points.space.width)).sum(axis=1)
    return np.asarray(waves + np.cos(3.0 * points.family))


def _check_on(strategy: Strategy, space: Space, budget: int) -> None:
    first = trace(strategy, space, budget, 1, rugged)
    assert len(first) > 0, "asks for nothing"
    assert _same(first, trace(strategy, space, budget, 1, rugged)), "does not repeat itself"
    _check_seeds(strategy, space, first)
    for shorter in {1, budget // 2}:
        begun = trace(strategy, space, shorter, 1, rugged)
        if strategy.anytime:
            assert _same(begun, first[: len(begun)]), (
                f"is not anytime: a budget of {shorter} is no prefix of {budget}"
            )
    for what, landscape in _trials_of_patience(space).items():
        try:
            trace(strategy, space, budget, 1, landscape)
        except Exception as error:
            raise AssertionError(f"does not survive {what}: {error!r}") from error


def _check_seeds(strategy: Strategy, space: Space, first: Points) -> None:
    other = trace(strategy, space, len(first), 2, rugged)
    if strategy.deterministic:
        # One that stops early may do so because of its budget: compare what both asked for.
        same = trace(strategy, space, len(first), 1, rugged)
        assert _same(same, other), "is not deterministic: asks for other points with another seed"
    elif space.size >= _MANY:
        assert not _same(first, other), "asks for the same points whatever the seed"


def _trials_of_patience(space: Space) -> dict[str, Landscape]:
    def cycle(*values: float) -> Landscape:
        """Values that depend on the point, so that equal points are told the same."""
        table = np.array(values)
        return lambda points: table[(np.abs(rugged(points)) * 1e3).astype(int) % len(table)]

    return {
        "equal values": lambda points: np.full(len(points), 3.25),
        "failures alone": lambda points: np.full(len(points), np.nan),
        "some failures": cycle(np.nan, 1.0, 2.0),
        "infinities alone": lambda points: np.full(len(points), np.inf),
        "infinities": cycle(np.inf, -np.inf, 1.0, 2.0),
        "huge values": cycle(1e308, -1e308, 1.0, 1e300),
        "tiny values": cycle(1e-300, -1e-300, 0.0, 3e-308),
    }


def _same(one: Points, other: Points) -> bool:
    return len(one) == len(other) and bool((one.keys() == other.keys()).all())


def _plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(_plain(part) for part in value)
    return isinstance(value, bool | int | float | str)


def _global_state() -> tuple[object, str]:
    """The states of Python's and numpy's global generators, to see that nobody touches them."""
    legacy = np.random.get_state(legacy=False)  # noqa: NPY002
    key = legacy["state"].pop("key").tobytes()
    return random.getstate(), repr((key, legacy))

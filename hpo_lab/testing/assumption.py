"""The contract of an assumption: what it declares must lie in the universe, and map both ways."""

from __future__ import annotations

import dataclasses

import numpy as np

from hpo_lab.assumption import Assumption, View
from hpo_lab.region import contains, measure, whole
from hpo_lab.space import Points, Space


def check_assumption(assumption: Assumption, universe: Space, *, seed: int = 0) -> None:
    """Raise AssertionError, saying what is wrong, unless the assumption keeps its contract.

    It is a frozen dataclass with a reason; applied to the universe it gives a view whose lift
    lands in the universe and in its image, whose lower undoes lift, and whose image has the
    mass that the declared space pulls back.

    >>> from hpo_lab.assumptions.fixed import Fixed
    >>> from hpo_lab.testing.spaces import KINDS_OF_SPACE
    >>> check_assumption(Fixed("depth", 2), KINDS_OF_SPACE["mixed"])
    """
    assert dataclasses.is_dataclass(assumption), f"{assumption!r} is not a dataclass"
    assert isinstance(hash(assumption), int), "an assumption must be frozen and hashable"
    assert isinstance(assumption.reason, str), "an assumption has a reason, a string"
    view = assumption(universe)
    check_view(view, np.random.default_rng(seed))
    assert view.universe == universe, "the view is not of the universe that was given"
    assert assumption(universe) == view, "applied twice, the assumption gives two views"


def check_view(view: View, rng: np.random.Generator) -> None:
    """Raise AssertionError unless lift, lower, image and pull of a view agree.

    >>> from hpo_lab.space import Real, Space
    >>> check_view(View.identity(Space.box(Real("x", 0, 1))), np.random.default_rng(0))
    """
    declared = view.declared.sample(200, rng)
    lifted = view.lift(declared)
    assert view.universe.contains(lifted).all(), "lift leaves the universe"
    assert contains(view.universe, view.image, lifted).all(), "lift leaves the image"
    lowered, exists = view.lower(lifted)
    assert exists.all(), "a lifted point does not exist in the declared space"
    assert same_points(lowered, declared), "lower does not undo lift"
    anywhere = view.universe.sample(200, rng)
    lowered, exists = view.lower(anywhere)
    assert view.declared.contains(lowered).all(), "lower leaves the declared space"
    assert same_points(view.lift(lowered), anywhere[np.flatnonzero(exists)]), "lift ∘ lower moves"
    pulled = measure(view.declared, view.pull(whole(view.universe)))
    assert abs(pulled - 1) < 1e-9, f"pulling the whole universe gives mass {pulled}, not 1"


def same_points(a: Points, b: Points) -> bool:
    """Return whether two batches hold the same points, nan for nan.

    >>> from hpo_lab.space import Integer, Space
    >>> space = Space.box(Integer("k", 1, 3))
    >>> same_points(space.points([[1], [2]]), space.points([[1], [3]]))
    False
    """
    return np.array_equal(a.family, b.family) and np.array_equal(a.values, b.values, equal_nan=True)

"""Laws of spaces and points, over every kind of space and over spaces that Hypothesis makes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo_lab.errors import InputError
from hpo_lab.region import masses, measure, whole
from hpo_lab.space import Axis, Choice, Family, Integer, Points, Real, Space
from hpo_lab.testing.spaces import KINDS_OF_SPACE

KINDS = pytest.mark.parametrize("space", KINDS_OF_SPACE.values(), ids=KINDS_OF_SPACE.keys())
NAMES = ("a", "b", "c", "d")


@st.composite
def axes(draw: st.DrawFn, name: str) -> Axis:
    kind = draw(st.sampled_from(("real", "integer", "choice")))
    if kind == "choice":
        options = draw(st.lists(st.text(max_size=3), min_size=1, max_size=5, unique=True))
        return Choice(name, tuple(options), draw(st.booleans()))
    if kind == "integer":
        low = draw(st.integers(1, 50))
        return Integer(name, low, low + draw(st.integers(0, 60)), draw(st.booleans()))
    low_real = draw(st.floats(1e-6, 1e3))
    return Real(name, low_real, low_real * draw(st.floats(1.0, 1e4)), draw(st.booleans()))


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    families = []
    for index in range(draw(st.integers(1, 4))):
        names = draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
        own = tuple(draw(axes(name)) for name in names)
        families.append(Family(f"f{index}", own, draw(st.floats(0.1, 10))))
    return Space(tuple(families))


@KINDS
def test_samples_lie_inside(space: Space) -> None:
    points = space.sample(500, np.random.default_rng(0))
    assert space.contains(points).all()


@settings(max_examples=150, deadline=None)
@given(spaces(), st.integers(0, 2**32))
def test_unit_coordinates_and_native_values_agree(space: Space, seed: int) -> None:
    points = space.sample(20, np.random.default_rng(seed))
    unit = space.to_unit(points)
    assert (np.isnan(unit) == ~space.active[points.family]).all()
    assert np.nanmin(unit, initial=0.5) >= 0
    assert np.nanmax(unit, initial=0.5) <= 1
    again = space.from_unit(points.family, unit)
    assert np.array_equal(np.isnan(again.values), np.isnan(points.values))
    assert np.allclose(again.values, points.values, rtol=1e-9, equal_nan=True)


@settings(max_examples=150, deadline=None)
@given(spaces())
def test_plain_dictionaries_and_records_round_trip(space: Space) -> None:
    assert Space.from_dict(space.to_dict()) == space
    points = space.sample(10, np.random.default_rng(0))
    again = space.points(points.records())
    assert np.array_equal(again.values, points.values, equal_nan=True)
    assert np.array_equal(again.family, points.family)


@settings(max_examples=80, deadline=None)
@given(spaces())
def test_masses_are_probabilities(space: Space) -> None:
    assert measure(space, whole(space)) == pytest.approx(1, abs=1e-12)
    if space.size < 5000:
        points = space.enumerate()
        assert len(points) == space.size == len(np.unique(points.keys()))
        assert masses(points).sum() == pytest.approx(1, abs=1e-12)


def test_draws_follow_the_reference_measure() -> None:
    space = Space((Family("a", (Integer("k", 1, 3, log=True),)), Family("b", weight=3.0)))
    drawn = space.sample(200_000, np.random.default_rng(1))
    table = space.enumerate()
    share = np.array([(drawn.keys() == key).mean() for key in table.keys()])  # noqa: SIM118
    exact = masses(table)
    assert np.abs(share - exact).max() < 5 * math.sqrt(0.25 / 200_000)
    assert exact.tolist() == pytest.approx(
        [0.25 * math.log(1 + 2 / (2 * k - 1)) / math.log(7) for k in (1, 2, 3)] + [0.75]
    )


@KINDS
def test_inactive_values_do_not_exist(space: Space) -> None:
    points = space.sample(50, np.random.default_rng(0))
    inactive = ~space.active[points.family]
    if not inactive.any():
        assert not np.isnan(points.values).any()
        return
    smuggled = Points(space, points.family, np.where(inactive, 0.5, points.values))
    assert (space.contains(smuggled) == ~inactive.any(axis=1)).all()


def test_ends_of_axes_are_reached() -> None:
    for axis in (Real("x", 1e-3, 10, log=True), Integer("k", 1, 9), Integer("k", 2, 300, log=True)):
        assert axis.from_unit(np.array([0.0, 1.0])).tolist() == [axis.low, axis.high]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Real("x", 2, 1), "low 2 is above high 1"),
        (lambda: Real("x", 0, 1, log=True), "needs low > 0"),
        (lambda: Real("x", 0, math.inf), "must be finite"),
        (lambda: Choice("c", ()), "no options"),
        (lambda: Choice("c", ("a", "a")), "names an option twice"),
        (lambda: Choice("family", ("a",)), "cannot be the name"),
        (lambda: Space(()), "no families left"),
        (lambda: Space((Family("a"), Family("a"))), "same name"),
        (lambda: Family("a", (Real("x", 0, 1), Real("x", 0, 1))), "an axis twice"),
        (lambda: Family("a", weight=0), "must be positive"),
        (lambda: Space.box(Real("x", 0, 1)).enumerate(), "too many to list"),
        (lambda: Space.box(Real("x", 0, 1)).points([[1, 2]]), "expected 1 columns"),
        (lambda: Space.box(Real("lr", 0, 1)).points([{"lt": 1}]), 'did you mean "lr"'),
        (lambda: Space.box(Real("lr", 0, 1)).points([{"lr": 3}]), "needs a number in [0, 1]"),
        (lambda: Space.box(Choice("c", ("gat",))).points([{"c": "gta"}]), 'did you mean "gat"'),
        (lambda: Space.from_dict({"family": {}}), 'did you mean "families"'),
        (lambda: Space.from_dict({"families": {"a": {"x": {"reel": [0, 1]}}}}), '"real"'),
    ],
)
def test_bad_spaces_get_one_sentence(make: object, said: str) -> None:
    with pytest.raises(InputError) as caught:
        make()  # type: ignore[operator]
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_option_is_not_its_look_alike() -> None:
    axis = Choice("c", (True, 1, "1", 2.0))
    assert [axis.column(o) for o in (True, 1, "1", 2)] == [0, 1, 2, 3]

"""Laws of assumptions and views: every assumption found, on the spaces that it fits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo_lab import discovery
from hpo_lab.assumption import Assumption, View, assume
from hpo_lab.assumptions.coarsened import Coarsened
from hpo_lab.assumptions.fixed import Fixed
from hpo_lab.assumptions.narrowed import Narrowed
from hpo_lab.assumptions.only import Only
from hpo_lab.assumptions.rescaled import Rescaled
from hpo_lab.assumptions.tied import Tied
from hpo_lab.assumptions.without import Without
from hpo_lab.errors import InputError
from hpo_lab.region import contains, describe, measure
from hpo_lab.space import Choice, Family, Integer, Real, Space
from hpo_lab.testing.assumption import check_assumption, check_view

OPS = ("gat", "gcn", "skip")
UNIVERSE = Space(
    (
        Family(
            "conv",
            (
                Real("lr", 1e-5, 1e-1, log=True),
                Integer("kernel", 1, 7),
                Choice("op1", OPS),
                Choice("op2", OPS),
            ),
        ),
        Family(
            "attention",
            (
                Real("lr", 1e-5, 1e-1, log=True),
                Integer("heads", 1, 16, log=True),
                Integer("width", 1, 16),
            ),
            weight=2.0,
        ),
        Family("mlp"),
    )
)
EXAMPLES: list[Assumption] = [
    Without(axis=("op1", "op2"), option="gat", reason="r"),
    Without(family=("mlp", "conv")),
    Only(axis="op1", option=("skip", "gat")),
    Only(family="conv"),
    Narrowed("lr", high=1e-3),
    Narrowed("kernel", low=3, high=5),
    Fixed("lr", 1e-3),
    Fixed("op2", "gcn"),
    Coarsened("lr", levels=4),
    Coarsened(("kernel", "heads"), levels=3),
    Coarsened("heads", values=(1, 8)),
    Rescaled("lr", "linear"),
    Rescaled("kernel", "log"),
    Tied(("op1", "op2")),
    Tied(("heads", "width")),
]
ANY = st.lists(st.sampled_from(EXAMPLES), max_size=4)


def applied(chain: list[Assumption]) -> View | None:
    try:
        return assume(UNIVERSE, chain)
    except InputError:  # an axis that an earlier assumption took away, say
        return None


def test_every_assumption_found_has_an_example() -> None:
    assert {type(a).name for a in EXAMPLES} == set(discovery.names("assumptions"))


@pytest.mark.parametrize("assumption", EXAMPLES, ids=repr)
def test_contract(assumption: Assumption) -> None:
    check_assumption(assumption, UNIVERSE)


@settings(max_examples=100, deadline=None)
@given(ANY)
def test_chains_keep_the_contract(chain: list[Assumption]) -> None:
    view = applied(chain)
    if view is not None:
        check_view(view, np.random.default_rng(0))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(EXAMPLES), min_size=3, max_size=3))
def test_composition_is_associative(chain: list[Assumption]) -> None:
    if applied(chain) is None:
        return
    a = chain[0](UNIVERSE)
    b = chain[1](a.declared)
    c = chain[2](b.declared)
    assert a.then(b).then(c) == a.then(b.then(c))
    assert a.then(b).then(c).image == a.then(b.then(c)).image


@settings(max_examples=100, deadline=None)
@given(ANY)
def test_the_image_is_exactly_what_lift_reaches(chain: list[Assumption]) -> None:
    view = applied(chain)
    if view is None or view.declared.size > 3000:
        return
    lifted = view.lift(view.declared.enumerate())
    assert contains(UNIVERSE, view.image, lifted).all()
    assert len(np.unique(lifted.keys())) == len(lifted)  # lift loses nothing
    # a finite image holds as many points as the declared space
    inside = contains(UNIVERSE, view.image, UNIVERSE.sample(2000, np.random.default_rng(0)))
    assert inside.sum() >= view.lower(UNIVERSE.sample(2000, np.random.default_rng(0)))[1].sum()


def test_pulled_masses_match_draws() -> None:
    view = assume(UNIVERSE, [Without(axis="op1", option="gat"), Narrowed("lr", high=1e-3)])
    region = Only(axis="op1", option="gcn")(UNIVERSE).image
    drawn = view.lift(view.declared.sample(50_000, np.random.default_rng(0)))
    share = contains(UNIVERSE, region, drawn).mean()
    assert measure(view.declared, view.pull(region)) == pytest.approx(share, abs=0.01)


def test_rescaling_changes_the_measure_and_not_the_set() -> None:
    view = Rescaled("lr", "linear")(UNIVERSE)
    low = Narrowed("lr", high=1e-3)(UNIVERSE).image
    assert view.image == View.identity(UNIVERSE).image
    assert measure(UNIVERSE, low) == pytest.approx(0.25 + 0.75 * 0.5)
    assert measure(view.declared, view.pull(low)) == pytest.approx(0.25 + 0.75 * 0.0099, abs=1e-4)


def test_regions_speak_native_units() -> None:
    words = describe(UNIVERSE, Fixed("op2", "gcn")(Only(family="conv")(UNIVERSE).declared).image)
    assert "op2 = gcn" in words
    assert "1e-05 ≤ lr ≤ 0.1" in words


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Without(axis="opp1", option="gat"), 'did you mean "op1"'),
        (lambda: Without(axis="op1", option="gta"), 'did you mean "gat"'),
        (lambda: Without(axis="op1", option=OPS), "no option left"),
        (lambda: Without(family=("conv", "attention", "mlp")), "empty space"),
        (lambda: Without(family="convv"), 'did you mean "conv"'),
        (lambda: Without(), "either axis and option, or family"),
        (lambda: Without(axis="op1", option="gat", family="conv"), "either"),
        (lambda: Without(axis="lr", option=0.1), "has no options"),
        (lambda: Only(axis="op1"), "either"),
        (lambda: Narrowed("lr"), "needs low, high or both"),
        (lambda: Narrowed("lr", low=1.0), "range"),
        (lambda: Narrowed("lr", low=0.01, high=0.001), "empty"),
        (lambda: Narrowed("lr", low=1e-9), "not inside"),
        (lambda: Narrowed("kernel", low=1.5), "whole bounds"),
        (lambda: Narrowed("op1", low=1), "is a choice"),
        (lambda: Fixed("lr", 7), "needs a number in"),
        (lambda: Fixed("lr", "x"), "needs a number"),
        (lambda: Coarsened("lr"), "either levels"),
        (lambda: Coarsened("lr", levels=-1), "at least 1"),
        (lambda: Coarsened("op1", levels=2), "a choice already"),
        (lambda: Rescaled("op1", "log"), "has no scale"),
        (lambda: Rescaled("lr", "cubic"), '"log" or "linear"'),  # type: ignore[arg-type]
        (lambda: Tied(("op1",)), "at least two"),
        (lambda: Tied(("op1", "kernel")), "different options"),
        (lambda: Tied(("heads", "kernel")), "only some of the axes"),
        (lambda: Tied(("op1", "opp2")), 'did you mean "op2"'),
    ],
)
def test_impossible_assumptions_get_one_sentence(make: Callable[[], Assumption], said: str) -> None:
    with pytest.raises(InputError) as caught:
        make()(UNIVERSE)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)

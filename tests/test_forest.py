"""forest: its trees, what they see of families and names, and scikit-optimize's own."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from hpo_lab.errors import InputError
from hpo_lab.optimizers._encoding import Encoding
from hpo_lab.optimizers.forest import Forest
from hpo_lab.optimizers.random import Random
from hpo_lab.space import Choice, Family, Floats, Integer, Points, Real, Space
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from hpo_lab.testing.strategy import check_strategy, rugged, trace

FAMILIES = KINDS_OF_SPACE["conditional"]
SMOOTH = Space.box(*[Real(f"x{i}", -5, 5) for i in range(3)])


def sphere(points: Points) -> Floats:
    return np.asarray(((points.values - 1.0) ** 2).sum(axis=1))


# --- settings -----------------------------------------------------------------------------------


def test_settings_are_resolved() -> None:
    skopt = dataclasses.asdict(Forest(preset="skopt", local=0.3))
    assert skopt == {
        "preset": "skopt",
        "model": "extra_trees",
        "trees": 100,
        "leaf": 3,
        "initial": 10,
        "design": "random",
        "acquisition": "gp_hedge",
        "xi": 0.01,
        "kappa": 1.96,
        "candidates": 10000,
        "local": 0.0,
    }
    tuned = Forest()
    assert min(tuned.trees, tuned.leaf, tuned.candidates) > 0
    assert tuned == Forest(**dataclasses.asdict(tuned))


@pytest.mark.parametrize(
    "given",
    [
        {"preset": "fast"},
        {"model": "GBRT"},
        {"trees": -1},
        {"leaf": -1},
        {"initial": 0},
        {"design": "grid"},
        {"acquisition": "UCB"},
        {"xi": float("inf")},
        {"kappa": -1.0},
        {"candidates": -1},
        {"local": -0.1},
    ],
    ids=str,
)
def test_bad_settings_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError) as said:
        Forest(**given)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    "settings",
    [
        Forest(model="random_forest", trees=7, leaf=3, initial=3, acquisition="LCB", candidates=60),
        Forest(trees=7, design="halton", initial=3, acquisition="gp_hedge", candidates=60, local=0),
        Forest(preset="skopt", initial=3, trees=5, candidates=60),
        Forest(preset="skopt", model="random_forest", initial=3, trees=5, candidates=60),
    ],
    ids=str,
)
def test_contract_of_other_settings(settings: Forest) -> None:
    few = ("mixed", "conditional", "two points", "one point")
    check_strategy(settings, {kind: KINDS_OF_SPACE[kind] for kind in few}, 6)


# --- the trees ----------------------------------------------------------------------------------


def fitted(space: Space, model: str, n: int = 60) -> tuple[Any, Floats]:
    """A forest over a space and the table of n points that it was fitted to."""
    from hpo_lab.optimizers._forest_model import KINDS, TableForest

    encoding, points = Encoding(space), space.sample(n, np.random.default_rng(0))
    table = encoding.encode(points)
    forest = KINDS[model](n_estimators=20, min_samples_leaf=2, random_state=0)
    return TableForest(forest, encoding).fit(table, rugged(points)), table


@pytest.mark.parametrize("model", ["extra_trees", "random_forest"])
def test_mean_and_deviation_are_scikit_optimizes(model: str) -> None:
    """One pass through each tree gives what scikit-optimize's three give, up to rounding."""
    ours, table = fitted(FAMILIES, model)
    theirs = type(ours.forest)(**ours.forest.get_params())
    theirs.fit(ours.features(table), rugged(FAMILIES.sample(60, np.random.default_rng(0))))
    others = Encoding(FAMILIES).encode(FAMILIES.sample(200, np.random.default_rng(1)))
    mean, deviation = ours.predict(others, return_std=True)
    told = theirs.predict(ours.features(others), return_std=True)
    np.testing.assert_allclose(mean, told[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(deviation, told[1], rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(ours.predict(others), mean)


def test_what_the_trees_see() -> None:
    space = Space(
        (
            Family("a", (Choice("c", ("u", "v", "w")), Real("x", 0, 1))),
            Family("b", (Integer("k", 1, 2), Real("x", 0, 1))),
        )
    )
    records = [
        {"family": "a", "c": "w", "x": 0.25},
        {"family": "b", "k": 2, "x": 0.75},
    ]
    model, _ = fitted(space, "extra_trees")
    table = Encoding(space).encode(space.points(records))
    expected = [[1, 0, 0, 0, 1, 0.25, -1], [0, 1, 0, 0, 0, 0.75, 0.75]]
    np.testing.assert_allclose(model.features(table), expected, rtol=1e-6)


@pytest.mark.parametrize("preset", ["tuned", "skopt"])
def test_what_a_family_lacks_cannot_change_a_prediction(preset: Any) -> None:
    from hpo_lab.optimizers._forest_model import MaskedForest

    search: Any = Forest(preset=preset, initial=20, trees=10).start(
        FAMILIES, 30, np.random.default_rng(0)
    )
    asked = search.ask()
    search.tell(asked, rugged(asked))
    search.ask()
    model, rng = search.optimizer.models[-1], np.random.default_rng(1)
    if preset == "skopt":
        assert isinstance(model, MaskedForest)
        family = np.arange(4).repeat(5)
        lacks = model.lacks[family]
        rows = np.hstack([np.eye(4)[family], rng.random((20, lacks.shape[1] - 4))])
    else:
        rows = search.bridge.encoding.encode(FAMILIES.sample(20, rng))
        own = np.ones((20, 1), dtype=bool)
        active = search.bridge.encoding.active[rows[:, 0].astype(int)]
        lacks = ~np.hstack([own, active])
    other = np.where(lacks, rng.random(rows.shape), rows)
    assert not np.array_equal(rows, other)
    np.testing.assert_array_equal(model.predict(rows), model.predict(other))


# --- where it looks -----------------------------------------------------------------------------


def test_asks_for_nothing_twice_while_something_is_new() -> None:
    asked = trace(Forest(trees=10), KINDS_OF_SPACE["categorical"], 40, 0, rugged)  # 81 points
    assert len(np.unique(asked.keys())) == 40


def test_does_not_depend_on_the_unit_of_the_values() -> None:
    space = KINDS_OF_SPACE["mixed"]
    plain = trace(Forest(), space, 16, 0, rugged)
    scaled = trace(Forest(), space, 16, 0, lambda p: 2.0**20 * rugged(p))
    assert np.array_equal(plain.values, scaled.values, equal_nan=True)


def test_prefers_the_good_family() -> None:
    good = FAMILIES.index("attention")
    asked = trace(
        Forest(candidates=500), FAMILIES, 50, 0, lambda p: rugged(p) - 5.0 * (p.family == good)
    )
    assert (asked.family[25:] == good).mean() > 0.6


NAMES = Space.box(*[Choice(f"c{i}", tuple(range(6))) for i in range(5)])
EFFECTS = np.random.default_rng(0).normal(size=(5, 6))


def table(points: Points) -> Floats:
    values = EFFECTS[np.arange(5), points.values.astype(int)].sum(axis=1)
    return np.asarray(values - EFFECTS.min(axis=1).sum())


@pytest.mark.parametrize(
    ("model", "space", "landscape"),
    [("extra_trees", SMOOTH, sphere), ("random_forest", NAMES, table)],
    ids=["bowl", "names"],
)
def test_beats_random_search(model: Any, space: Space, landscape: Any) -> None:
    """By the median of 3 seeds, the minimum being 0."""

    def regret(strategy: Any) -> float:
        traces = [trace(strategy, space, 30, seed, landscape) for seed in range(3)]
        return float(np.median([landscape(asked).min() for asked in traces]))

    assert regret(Forest(model=model)) < 0.7 * regret(Random())


# --- scikit-optimize's own ----------------------------------------------------------------------


@pytest.mark.parametrize(("model", "short"), [("extra_trees", "ET"), ("random_forest", "RF")])
def test_the_skopt_preset_asks_what_a_bare_optimizer_asks(model: Any, short: str) -> None:
    from skopt import Optimizer
    from skopt.space import Categorical
    from skopt.space import Integer as SkoptInteger
    from skopt.space import Real as SkoptReal

    space = Space.box(
        Real("lr", 1e-5, 1e-1, log=True), Integer("k", 1, 9), Choice("c", ("a", "b", "d"))
    )

    def landscape(points: Points) -> Floats:
        lr, k, c = points.values.T
        return np.asarray(np.log10(lr) ** 2 + k * (c + 1))

    settings = Forest(preset="skopt", model=model, initial=5, candidates=500)
    ours = trace(settings, space, 9, 4, landscape)
    bare = Optimizer(
        [SkoptReal(1e-5, 1e-1, "log-uniform"), SkoptInteger(1, 9), Categorical(range(3))],
        base_estimator=short,
        n_initial_points=5,
        acq_optimizer_kwargs={"n_points": 500},
        random_state=int(np.random.default_rng(4).integers(2**31)),
    )
    for row in ours.values:
        asked = bare.ask()
        np.testing.assert_allclose(row, np.array(asked, dtype=float), rtol=1e-9)
        bare.tell(asked, float(landscape(space.points([asked]))[0]))

"""The settings of gp: each does what it says, on every kind of space, and is refused elsewhere."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Strategy
from hpo_lab.optimizers._encoding import Encoding
from hpo_lab.optimizers.gp import GP
from hpo_lab.space import Choice, Family, Floats, Points, Real, Space
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from hpo_lab.testing.strategy import check_strategy, rugged, trace

KERNELS = ("matern52", "matern32", "matern12", "rbf")
SMOOTH = Space.box(*[Real(f"x{i}", -5, 5) for i in range(3)])
FAMILIES = KINDS_OF_SPACE["conditional"]


def sphere(points: Points) -> Floats:
    return np.asarray(((points.values - 1.0) ** 2).sum(axis=1))


def digest(strategy: Strategy, kind: str, budget: int, seed: int) -> str:
    asked = trace(strategy, KINDS_OF_SPACE[kind], budget, seed, rugged)
    return hashlib.sha256(asked.keys().tobytes()).hexdigest()


# --- what the fields hold -----------------------------------------------------------------------


def test_settings_are_resolved() -> None:
    assert dataclasses.asdict(GP(preset="skopt", local=0.3)) == {
        "preset": "skopt",
        "initial": 10,
        "design": "random",
        "kernel": "matern52",
        "families": "one_hot",
        "acquisition": "gp_hedge",
        "xi": 0.01,
        "kappa": 1.96,
        "acquisition_optimizer": "auto",
        "candidates": 10000,
        "local": 0.0,
    }
    assert GP() == GP(acquisition="EI", candidates=1000, acquisition_optimizer="sampling")


@pytest.mark.parametrize(
    "given",
    [
        {"preset": "fast"},
        {"initial": 0},
        {"design": "grid"},
        {"kernel": "linear"},
        {"families": "both"},
        {"families": "separate", "preset": "skopt"},
        {"acquisition": "UCB"},
        {"xi": -0.1},
        {"kappa": float("nan")},
        {"kappa": float("inf")},
        {"acquisition_optimizer": "adam"},
        {"candidates": -1},
        {"local": 1.1},
    ],
    ids=str,
)
def test_bad_settings_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError) as said:
        GP(**given)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (GP(acquisition_optimizer="lbfgs"), "categorical"),
        (GP(acquisition_optimizer="lbfgs"), "integer"),
        (GP(acquisition_optimizer="lbfgs"), "one point"),
        (GP(preset="skopt", acquisition_optimizer="lbfgs"), "categorical"),
        (GP(preset="skopt", design="sobol"), "wide"),
    ],
    ids=str,
)
def test_what_a_space_cannot_have_is_refused(settings: GP, kind: str) -> None:
    with pytest.raises(InputError, match="use "):
        settings.start(KINDS_OF_SPACE[kind], 5, np.random.default_rng(0))


# --- the contract of other settings -------------------------------------------------------------

OTHERS = [
    GP(initial=3, design="lhs", kernel="rbf", acquisition="LCB", kappa=0.5, candidates=50),
    GP(initial=3, design="sobol", acquisition_optimizer="auto", candidates=50),
    GP(initial=3, design="halton", kernel="matern12", acquisition="PI", xi=0.0, candidates=50),
    GP(initial=3, families="separate", acquisition_optimizer="auto", candidates=50),
    GP(initial=3, kernel="matern32", acquisition="gp_hedge", candidates=50, local=0.0),
]
FEW = ("continuous", "mixed", "conditional", "two points", "one point", "one family without axes")


@pytest.mark.parametrize("kind", FEW)
@pytest.mark.parametrize("settings", OTHERS, ids=str)
def test_contract(settings: GP, kind: str) -> None:
    check_strategy(settings, {kind: KINDS_OF_SPACE[kind]}, 6)


@pytest.mark.parametrize("kernel", ["matern32", "rbf"])
@pytest.mark.parametrize("design", ["lhs", "sobol", "halton"])
def test_contract_of_the_skopt_preset(kernel: Any, design: Any) -> None:
    few = {kind: KINDS_OF_SPACE[kind] for kind in ("mixed", "conditional")}
    settings = GP(
        preset="skopt",
        initial=3,
        design=design,
        kernel=kernel,
        acquisition_optimizer="sampling",
        candidates=60,
    )
    check_strategy(settings, few, 4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_OF_SPACE)
@pytest.mark.parametrize("settings", OTHERS, ids=str)
def test_contract_everywhere(settings: GP, kind: str) -> None:
    check_strategy(settings, {kind: KINDS_OF_SPACE[kind]}, 14)


# --- the kernels --------------------------------------------------------------------------------


def kernel_of(form: str, space: Space) -> Any:
    from hpo_lab.optimizers._gp_model import GroupedMatern

    encoding = Encoding(space)
    lengths = tuple(np.linspace(0.3, 1.5, 1 + max(encoding.groups)).tolist())
    return GroupedMatern(encoding.nominal, encoding.groups, 1.3, lengths, 0.02, form)


@pytest.mark.parametrize("form", KERNELS)
def test_the_kernels_are_scikit_learns(form: str) -> None:
    from sklearn.gaussian_process.kernels import RBF, Matern

    kernel = kernel_of(form, SMOOTH)
    table = Encoding(SMOOTH).encode(SMOOTH.sample(20, np.random.default_rng(0)))
    smoothness = {"matern52": 2.5, "matern32": 1.5, "matern12": 0.5}.get(form)
    lengths = np.array(kernel.lengths)
    theirs = RBF(lengths) if smoothness is None else Matern(lengths, nu=smoothness)
    np.testing.assert_allclose(kernel(table, table), 1.3 * theirs(table[:, 1:]), rtol=1e-10)


@pytest.mark.parametrize("form", KERNELS)
def test_the_kernels_have_the_right_gradients(form: str) -> None:
    """By the hyperparameters and by the point, against differences; their error is about 1e-6."""
    kernel = kernel_of(form, FAMILIES)
    encoding = Encoding(FAMILIES)
    table = encoding.encode(FAMILIES.sample(12, np.random.default_rng(0)))
    _, gradient = kernel(table, eval_gradient=True)
    theta = kernel.theta

    def covariances(at: Floats) -> Floats:
        return np.asarray(kernel.clone_with_theta(at)(table).ravel())

    def covariance(at: Floats) -> Floats:
        return np.asarray(kernel(at[None], others)[0])

    numeric = approx_fprime(theta, covariances, 1e-7)
    np.testing.assert_allclose(gradient.reshape(numeric.shape), numeric, atol=1e-5)

    numbers = ~np.array(encoding.nominal)
    x, others = table[0], table[1:]
    numeric = approx_fprime(x, covariance, 1e-7)
    np.testing.assert_allclose(
        kernel.gradient_x(x, others)[:, numbers], numeric[:, numbers], atol=1e-5
    )


# --- models -------------------------------------------------------------------------------------


def fitted(separate: bool, n: int = 40) -> tuple[Any, Floats]:
    """A model of the conditional space and the table that it was fitted to."""
    from hpo_lab.optimizers._gp_model import ClimbableRegressor, SeparateRegressor
    from hpo_lab.optimizers._skopt import Reference
    from hpo_lab.optimizers.gp import _own

    rng = np.random.default_rng(0)
    bridge = Reference(FAMILIES, GP(), rng)
    table = bridge.encoding.encode(FAMILIES.sample(n, rng))
    values = np.sin(5.0 * table[:, 1]) + 0.1 * rng.normal(size=n) + (table[:, 0] == 1)
    if separate:
        nominal, own = bridge.encoding.nominal, _own(bridge.encoding)
        model: Any = SeparateRegressor(nominal, own, "matern52", bridge.climbable)
    else:
        model = ClimbableRegressor(kernel_of("matern52", FAMILIES), bridge.climbable)
    return model.fit(table, values), table


@pytest.mark.parametrize("separate", [False, True])
def test_gradients_that_are_climbed(separate: bool) -> None:
    """Mean and deviation against differences, along the real axes of the family and no others."""
    model, table = fitted(separate)
    climbable = model.climbable
    for row in table[:12]:
        x = row + 0.01 * climbable[int(row[0])]  # off the observation, where the deviation is low
        *told, by_mean, by_deviation = model.predict(
            x[None], return_std=True, return_mean_grad=True, return_std_grad=True
        )
        np.testing.assert_array_equal(told, model.predict(x[None], return_std=True))
        free = climbable[int(row[0])]
        for place, gradient in enumerate((by_mean, by_deviation)):

            def at(moved: Floats, place: int = place) -> float:
                return float(model.predict(moved[None], return_std=True)[place][0])

            numeric = approx_fprime(x, at, 1e-6)
            np.testing.assert_allclose(gradient[free], numeric[free], rtol=1e-3, atol=1e-4)
            assert not gradient[~free].any()


def test_separate_models_learn_nothing_from_each_other() -> None:
    model, table = fitted(separate=True)
    conv = table[:, 0] == 0
    before = model.predict(table[conv], return_std=True)
    values = np.sin(9.0 * table[:, 1])
    other = type(model)(model.nominal, model.groups, model.form, model.climbable)
    one = other.fit(table, values).predict(table[conv], return_std=True)
    values[~conv] += np.random.default_rng(1).normal(size=int((~conv).sum()))
    two = other.fit(table, values).predict(table[conv], return_std=True)
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(before, one)


def test_a_family_without_observations_is_what_all_are() -> None:
    model, table = fitted(separate=True)
    known = table[table[:, 0] != 2]
    model.fit(known, np.arange(len(known)) / len(known))
    unknown = table[table[:, 0] == 2]
    mean, deviation = model.predict(unknown, return_std=True)
    assert (mean == 0.0).all()
    assert (deviation == 1.0).all()
    few = np.concatenate([known, unknown[:1]])
    model.fit(few, np.append(np.zeros(len(known)), 3.0))
    mean, deviation = model.predict(unknown[:1], return_std=True)
    np.testing.assert_allclose(mean, 1.5 + 1.5 / 1.01)  # prior mean, then one value with its noise
    assert 0.0 < deviation[0] < 0.2


def test_separate_models_are_one_model_where_there_is_one_family() -> None:
    for kind in ("mixed", "one point"):
        one = digest(GP(candidates=100), kind, 14, 3)
        assert digest(GP(candidates=100, families="separate"), kind, 14, 3) == one


# --- where each setting looks -------------------------------------------------------------------


@pytest.mark.parametrize("design", ["lhs", "sobol", "halton"])
def test_designs_are_even(design: Any) -> None:
    """Of 8 points one lies in each eighth (lhs, sobol); of Halton's, one half in each half."""
    asked = trace(GP(initial=8, design=design), SMOOTH, 8, 0, sphere)
    cells = 2 if design == "halton" else 8
    for column in (
        (asked.values.T + 5) / 10 if design != "halton" else [asked.values[:, 0] / 10 + 0.5]
    ):
        counts = np.bincount((column * cells).astype(int), minlength=cells)
        assert (counts == 8 // cells).all()


@pytest.mark.parametrize("design", ["lhs", "sobol", "halton"])
def test_designs_repeat_nothing_and_are_anytime(design: Any) -> None:
    space = KINDS_OF_SPACE["categorical"]  # 81 points
    asked = trace(GP(initial=30, design=design), space, 30, 0, rugged)
    assert len(np.unique(asked.keys())) == 30
    begun = trace(GP(initial=30, design=design), space, 4, 0, rugged)
    assert np.array_equal(begun.values, asked.values[:4])


def test_kappa_and_xi_explore() -> None:
    """The more of either, the farther from the best point (mean distance over steps and seeds)."""

    def distance(**settings: Any) -> float:
        far = []
        for seed in range(4):
            asked = trace(GP(local=0.0, **settings), SMOOTH, 20, seed, sphere)
            best = np.array([np.argmin(sphere(asked)[:n]) for n in range(10, 20)])
            far.append(np.linalg.norm(asked.values[10:] - asked.values[best], axis=1).mean())
        return float(np.mean(far))

    assert distance(acquisition="LCB", kappa=0.0) < 0.6 * distance(acquisition="LCB", kappa=20.0)
    assert distance(acquisition="PI", xi=0.0) < 0.8 * distance(acquisition="PI", xi=1.0)


def test_climbing_ends_higher_than_the_candidates() -> None:
    """The same model and the same seed: the climbed point promises at least as much."""
    from skopt.acquisition import gaussian_ei

    def promise(maximizer: Any) -> float:
        settings = GP(acquisition_optimizer=maximizer, candidates=30, initial=12)
        search: Any = settings.start(FAMILIES, 13, np.random.default_rng(2))
        asked = search.ask()
        search.tell(asked, rugged(asked))
        row = search.bridge.rows(search.ask())
        model, best = search.optimizer.models[-1], min(search.optimizer.yi)
        return float(gaussian_ei(np.array(row), model, best)[0])

    assert promise("lbfgs") > 1.01 * promise("sampling") > 0.0


def test_climbing_never_repeats_a_corner() -> None:
    """A slope: the acquisition's maximum is one corner, again and again."""
    space = Space.box(Real("x", 0, 1), Real("y", 0, 1))
    settings = GP(acquisition_optimizer="lbfgs", acquisition="LCB", kappa=0.0, initial=5)
    asked = trace(settings, space, 25, 0, lambda p: p.values.sum(axis=1))
    assert (asked.values == 0.0).all(axis=1).sum() == 1
    assert len(np.unique(asked.keys())) == 25


def test_separate_models_find_the_good_family() -> None:
    shared = Real("x", 0, 1)
    families = [Family(name, (shared, Choice("c", ("a", "b", "d")))) for name in "uvw"]
    space = Space(tuple(families))

    def landscape(points: Points) -> Floats:
        opposed = np.where(points.family == 1, 1.0 - points.values[:, 0], points.values[:, 0])
        return np.asarray(opposed + points.family)

    asked = trace(GP(families="separate"), space, 40, 0, landscape)
    assert (asked.family[25:] == 0).mean() > 0.6
    assert landscape(asked).min() < 0.02


# --- scikit-optimize's own ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "theirs"),
    [
        ({"design": "lhs"}, {"initial_point_generator": "lhs"}),
        ({"design": "sobol"}, {"initial_point_generator": "sobol"}),
        ({"design": "halton"}, {"initial_point_generator": "halton"}),
        (
            {"acquisition": "LCB", "kappa": 0.3},
            {"acq_func": "LCB", "acq_func_kwargs": {"kappa": 0.3}},
        ),
        ({"acquisition": "PI", "xi": 0.2}, {"acq_func": "PI", "acq_func_kwargs": {"xi": 0.2}}),
        ({"acquisition_optimizer": "sampling"}, {"acq_optimizer": "sampling"}),
    ],
    ids=str,
)
def test_the_skopt_preset_asks_what_a_bare_optimizer_asks(
    given: dict[str, Any], theirs: dict[str, Any]
) -> None:
    from skopt import Optimizer
    from skopt.space import Real as SkoptReal

    space = Space.box(Real("x", -5, 5), Real("lr", 1e-5, 1e-1, log=True))

    def landscape(points: Points) -> Floats:
        return np.asarray(points.values[:, 0] ** 2 + np.log10(points.values[:, 1]))

    ours = trace(GP(preset="skopt", initial=4, candidates=300, **given), space, 7, 4, landscape)
    from hpo_lab.optimizers._skopt import calm

    with calm():
        bare = Optimizer(
            [SkoptReal(-5, 5), SkoptReal(1e-5, 1e-1, prior="log-uniform")],
            n_initial_points=4,
            acq_optimizer_kwargs={"n_points": 300},
            random_state=int(np.random.default_rng(4).integers(2**31)),
            **theirs,
        )
        for row in ours.values:
            asked = bare.ask()
            np.testing.assert_allclose(row, asked, rtol=1e-9)
            bare.tell(asked, float(landscape(space.points([asked]))[0]))


def test_failures_alone_draw_beyond_skopts_design() -> None:
    failing: Callable[[Points], Floats] = lambda p: np.full(len(p), np.nan)  # noqa: E731
    asked = trace(GP(preset="skopt", initial=3, design="lhs"), SMOOTH, 8, 0, failing)
    assert len(np.unique(asked.keys())) == 8

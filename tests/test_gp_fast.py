"""gp_fast: its model against scikit-learn's, its acquisition against integrals, its behaviour."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Strategy
from hpo_lab.optimizers._encoding import Encoding
from hpo_lab.optimizers.gp_fast import GPFast
from hpo_lab.optimizers.random import Random
from hpo_lab.space import Choice, Floats, Points, Real, Space
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from hpo_lab.testing.strategy import check_strategy, rugged, trace

BOX = Space.box(*[Real(f"x{i}", -5, 5) for i in range(5)])


def sphere(points: Points) -> Floats:
    return np.asarray(((points.values - 1.0) ** 2).sum(axis=1))


# --- the contract with other settings (tests/test_strategies.py has the default ones) -----------


def test_contract_of_other_settings() -> None:
    kinds = ("mixed", "conditional", "categorical", "one point", "two points")
    few = {kind: KINDS_OF_SPACE[kind] for kind in kinds}
    bare = GPFast(initial=1, acquisition="EI", warp=False, restarts=0, local=1.0, steps=0)
    batched = GPFast(
        initial=3, acquisition="LCB", candidates=20, starts=1, refit=0.0, restarts=3, local=0.0
    )
    check_strategy(bare, few, 12)
    check_strategy(batched, few, 12)
    check_strategy(GPFast(initial=4, batch=5), few, 16)


@pytest.mark.parametrize(
    "make",
    [
        lambda: GPFast(initial=0),
        lambda: GPFast(acquisition="UCB"),  # type: ignore[arg-type]
        lambda: GPFast(kappa=-1.0),
        lambda: GPFast(kappa=float("nan")),
        lambda: GPFast(candidates=0),
        lambda: GPFast(local=1.1),
        lambda: GPFast(starts=0),
        lambda: GPFast(steps=-1),
        lambda: GPFast(refit=-0.1),
        lambda: GPFast(refit=float("inf")),
        lambda: GPFast(restarts=-1),
        lambda: GPFast(batch=0),
    ],
)
def test_bad_settings_are_refused(make: Callable[[], Strategy]) -> None:
    with pytest.raises(InputError):
        make()


SCRIPT = """
import sys
sys.path.insert(0, ".")
from tests.test_gp_fast import digest
print(digest())
"""


def digest() -> str:
    """A hash of what is asked for with so many observations that libraries would use threads."""
    space, told = Space.box(*[Real(f"x{i}", 0, 1) for i in range(10)]), hashlib.sha256()
    search = GPFast().start(space, 310, np.random.default_rng(0))
    known = space.sample(300, np.random.default_rng(1))
    search.tell(known, rugged(known))
    for _ in range(4):
        asked = search.ask()
        told.update(asked.values.tobytes())
        search.tell(asked, rugged(asked))
    return told.hexdigest()


def test_same_requests_whatever_the_number_of_threads() -> None:
    here = digest()
    for threads, hash_seed in (("1", "0"), ("2", "7"), ("4", "0")):
        count = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, **count, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == here, (threads, hash_seed)


# --- the model ----------------------------------------------------------------------------------


def model_of(space: Space, n: int, seed: int = 0) -> tuple[Any, Floats, Floats]:
    """A model with length scales and noise of no special values, n rows, and their values."""
    from hpo_lab.optimizers._gp_fast_model import Columns, Model

    encoding, rng = Encoding(space), np.random.default_rng(seed)
    model = Model(Columns(encoding))
    model.theta = np.append(np.linspace(-1.0, 0.5, model.columns.count), np.log(0.02))
    table = encoding.encode(space.sample(n, rng))
    return model, table, rng.normal(size=n)


@pytest.mark.parametrize("kind", ["continuous", "mixed", "conditional", "many families"])
def test_the_model_is_scikit_learns(kind: str) -> None:
    """Means, deviations and the likelihood, with the constant and the variance as found here."""
    from sklearn.gaussian_process import GaussianProcessRegressor

    from hpo_lab.optimizers._gp_model import GroupedMatern

    space = KINDS_OF_SPACE[kind]
    model, table, values = model_of(space, 40)
    rows, encoding = model.columns.of(table), Encoding(space)
    model.condition(rows, values)
    lengths = tuple(np.exp(model.theta[:-1]).tolist())
    noise = model.variance * np.exp(model.theta[-1])
    kernel = GroupedMatern(encoding.nominal, encoding.groups, model.variance, lengths, noise)
    theirs = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None)
    theirs.fit(table, values - model.constant)
    others = encoding.encode(space.sample(30, np.random.default_rng(5)))
    mean, deviation = theirs.predict(others, return_std=True)
    seen = model.columns.of(others)
    told = model.posterior(seen)
    for ours in (model.predict(seen), (told.mean, told.deviation)):
        np.testing.assert_allclose(ours[0], mean + model.constant, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(ours[1], deviation, rtol=1e-6)
    at_data = theirs.predict(table) + model.constant
    np.testing.assert_allclose(model.fitted, at_data, rtol=1e-8, atol=1e-10)

    # The loss, less its prior: theirs has no prior on the variance, which counts as 2 values of 1.
    away = (model.theta - model.middle) / model.deviations
    loss = model.loss(model.theta, rows, values)[0] - 0.5 * float(away @ away)
    explained = (len(values) + 2.0) * model.variance - 2.0
    rest = 0.5 * explained / model.variance + 0.5 * len(values) * np.log(2.0 * np.pi)
    likelihood = theirs.log_marginal_likelihood()
    assert -likelihood == pytest.approx(loss - np.log(model.variance) + rest, rel=1e-8)


def test_constant_and_variance_are_the_best_ones() -> None:
    """Rasmussen and Williams, eq. 2.42 with a flat prior: generalized least squares."""
    model, table, values = model_of(KINDS_OF_SPACE["mixed"], 30)
    rows = model.columns.of(table)
    model.condition(rows, values)
    covariance = model._cross(rows)[0] + np.exp(model.theta[-1]) * np.eye(30)
    inverse, ones = np.linalg.inv(covariance), np.ones(30)
    constant = (ones @ inverse @ values) / (ones @ inverse @ ones)
    assert model.constant == pytest.approx(constant, rel=1e-9)
    left = values - constant
    assert model.variance == pytest.approx((left @ inverse @ left + 2.0) / 32.0, rel=1e-9)


@pytest.mark.parametrize("kind", ["continuous", "mixed", "conditional", "categorical"])
def test_the_loss_has_the_right_gradient(kind: str) -> None:
    from scipy.optimize import approx_fprime

    model, table, values = model_of(KINDS_OF_SPACE[kind], 25)
    rows = model.columns.of(table)

    def loss(theta: Floats) -> float:
        return float(model.loss(theta, rows, values)[0])

    numeric = approx_fprime(model.theta, loss, 1e-6)
    np.testing.assert_allclose(model.loss(model.theta, rows, values)[1], numeric, atol=2e-4)


def test_the_posterior_has_the_right_gradients() -> None:
    from scipy.optimize import approx_fprime

    model, table, values = model_of(KINDS_OF_SPACE["conditional"], 25)
    model.condition(model.columns.of(table), values)
    k = model.columns.numbers
    for row in model.columns.of(table)[:5] + 0.01:  # a row of the data has no gradient of its own

        def at(numbers: Floats, name: str, row: Floats = row) -> float:
            return float(getattr(model.posterior(np.append(numbers, row[k:])[None]), name)[0])

        told = model.posterior(row[None])
        for name in ("mean", "deviation"):
            numeric = approx_fprime(row[:k], at, 1e-6, name)
            np.testing.assert_allclose(getattr(told, name + "_gradient")[0], numeric, atol=1e-4)


def test_rows_can_come_one_by_one_and_be_forgotten() -> None:
    model, table, values = model_of(KINDS_OF_SPACE["mixed"], 40)
    whole = model_of(KINDS_OF_SPACE["mixed"], 40)[0]
    rows = model.columns.of(table)
    whole.condition(rows, values)
    model.condition(rows[:30], values[:30])
    model.condition(np.concatenate([rows[:30], rows[:7]]), np.append(values[:30], values[:7]))
    model.forget(30)
    for n in (33, 40):
        model.condition(rows[:n], values[:n])
    np.testing.assert_allclose(np.triu(model.factor), np.triu(whole.factor), rtol=1e-9, atol=1e-12)
    others = rows[:9] * 0.9
    np.testing.assert_allclose(model.predict(others), whole.predict(others), rtol=1e-8)


def test_fitting_finds_the_axis_that_matters() -> None:
    from hpo_lab.optimizers._gp_fast_model import Columns, Model

    space, rng = Space.box(*[Real(f"x{i}", 0, 1) for i in range(4)]), np.random.default_rng(0)
    encoding, points = Encoding(space), space.sample(60, rng)
    model = Model(Columns(encoding))
    rows = model.columns.of(encoding.encode(points))
    values = np.sin(6.0 * points.values[:, 2])
    before = model.loss(model.theta, rows, values)[0]
    model.fit(rows, values, model.middle[None], 60)
    assert model.loss(model.theta, rows, values)[0] < before
    assert int(np.argmin(model.theta[:4])) == 2
    assert np.all(np.delete(model.theta[:4], 2) > model.theta[2] + 1.0)


def test_families_share_what_they_have_in_common() -> None:
    space = KINDS_OF_SPACE["conditional"]
    model, _, _ = model_of(space, 5)
    records: list[dict[str, Any]] = [
        {"family": "conv", "lr": 1e-3, "kernel": 3},
        {"family": "mlp", "lr": 1e-3},
        {"family": "mlp", "lr": 1e-1},
        {"family": "linear"},
    ]
    rows = model.columns.of(Encoding(space).encode(space.points(records)))
    model.condition(rows, np.arange(4.0))
    correlation = model._cross(rows)[0]
    assert correlation[0, 1] > correlation[0, 2]
    assert correlation[0, 1] < correlation[0, 0] == 1.0


# --- the acquisition ----------------------------------------------------------------------------


@pytest.mark.parametrize("z", [3.0, 0.0, -0.999, -1.001, -7.0, -30.0, -49.9, -50.1, -1e3])
def test_the_logarithm_of_the_improvement_is_an_integral(z: float) -> None:
    """h(z) is the integral of Φ up to z; scaled by Φ(z) it is seen however small it is."""
    from scipy.integrate import quad
    from scipy.special import log_ndtr

    from hpo_lab.optimizers._gp_fast_acquisition import log_improvement

    scale = 1.0 / max(1.0, abs(z))
    area = quad(lambda s: np.exp(log_ndtr(z - s * scale) - log_ndtr(z)), 0.0, np.inf)[0] * scale
    value, ratio = log_improvement(np.array([z]))
    # The integrand is made of log Φ, which is known to 1e-16 of itself: 5e5 at -1e3.
    assert value[0] == pytest.approx(log_ndtr(z) + np.log(area), rel=1e-9, abs=1e-9)
    assert ratio[0] == pytest.approx(1.0 / area, rel=1e-8)


@pytest.mark.parametrize("name", ["logEI", "EI", "LCB"])
def test_acquisitions_and_their_slopes(name: str) -> None:
    from scipy.integrate import quad
    from scipy.optimize import approx_fprime
    from scipy.stats import norm

    from hpo_lab.optimizers._gp_fast_acquisition import Acquisition

    acquisition = Acquisition(name, 1.5)
    for mean, deviation in ((0.2, 0.7), (2.0, 0.5), (-1.0, 0.1)):

        def at(told: Floats) -> float:
            return float(acquisition(told[:1], told[1:], 0.0)[0])

        told = np.array([mean, deviation])
        value, *slopes = acquisition.slopes(told[:1], told[1:], 0.0)
        numeric = approx_fprime(told, at, 1e-7)
        np.testing.assert_allclose(np.ravel(slopes), numeric, rtol=1e-4, atol=1e-6)
        density = norm(mean, deviation).pdf
        improvement = quad(lambda y, p=density: -y * p(y), mean - 12 * deviation, 0.0)[0]
        expected = {"EI": improvement, "logEI": np.log(improvement), "LCB": 1.5 * deviation - mean}
        assert value[0] == pytest.approx(expected[name], rel=1e-6)


def test_the_warp_is_scipys_power_transform() -> None:
    from scipy.stats import yeojohnson

    from hpo_lab.optimizers._gp_fast_values import powered, warped

    values = np.random.default_rng(0).gamma(1.0, size=60)
    values = (values - values.mean()) / values.std()
    for power in (-1.0, 0.0, 0.7, 1.0, 2.0, 3.0):
        np.testing.assert_allclose(powered(values, power), yeojohnson(values, power), rtol=1e-9)
    theirs, _ = yeojohnson(values)
    theirs = (theirs - theirs.mean()) / theirs.std()
    np.testing.assert_allclose(warped(values), theirs, atol=1e-3)  # the power, to 1e-3
    assert np.array_equal(np.argsort(warped(values)), np.argsort(values))
    assert np.array_equal(warped(np.zeros(5)), np.zeros(5))


# --- behaviour ----------------------------------------------------------------------------------


def best(strategy: Strategy, space: Space, landscape: Any, budget: int, seeds: int) -> float:
    lowest = [landscape(trace(strategy, space, budget, s, landscape)).min() for s in range(seeds)]
    return float(np.median(lowest))


def test_solves_a_sphere_and_beats_random_search_on_bumps() -> None:
    assert best(GPFast(), BOX, sphere, 40, 5) < 0.01  # of values up to 180

    def bumps(points: Points) -> Floats:
        return np.asarray(sphere(points) + 5.0 * np.cos(2.0 * points.values).sum(axis=1))

    assert best(GPFast(), BOX, bumps, 50, 5) < best(Random(), BOX, bumps, 50, 5) - 10.0


def test_moves_along_the_axes_that_are_no_real_numbers() -> None:
    space = Space.box(*[Choice(f"c{i}", tuple(range(9))) for i in range(6)])  # 531,441 points
    effects = np.random.default_rng(0).normal(size=(6, 9))

    def additive(points: Points) -> Floats:
        return np.asarray(effects[np.arange(6), points.values.astype(int)].sum(axis=1))

    lowest = effects.min(axis=1).sum()
    found, chance = (best(s, space, additive, 50, 3) for s in (GPFast(), Random()))
    assert found - lowest < 0.5 * (chance - lowest)


def test_finds_the_good_family() -> None:
    space = KINDS_OF_SPACE["conditional"]
    good = space.index("attention")
    asked = trace(GPFast(), space, 40, 0, lambda p: rugged(p) - 3.0 * (p.family == good))
    assert np.mean(asked.family[20:] == good) > 0.7


def test_asks_for_nothing_twice_while_something_is_new() -> None:
    space = KINDS_OF_SPACE["categorical"]  # 81 points
    for candidates in (500, 20):  # listed, and drawn
        asked = trace(GPFast(candidates=candidates), space, 30, 0, rugged)
        assert len(np.unique(asked.keys())) == 30
    few = trace(GPFast(), KINDS_OF_SPACE["two points"], 12, 0, rugged)
    assert len(np.unique(few.keys()[:2])) == 2


def test_a_batch_holds_different_points_and_leaves_no_trace() -> None:
    strategy = GPFast(initial=6, batch=4, refit=10.0)
    search = strategy.start(BOX, 18, np.random.default_rng(0))
    sizes = []
    while len(asked := search.ask()):
        sizes.append(len(asked))
        assert len(np.unique(asked.keys())) == len(asked)
        apart = np.abs(asked.values[:, None] - asked.values[None]).max(axis=2)
        assert (apart + np.eye(len(asked)) > 1e-3).all()  # the lie keeps them apart
        search.tell(asked, sphere(asked))
    assert sizes == [6, 4, 4, 4]
    assert len(search.model.rows) == 14  # type: ignore[attr-defined]  # no lie is left


def test_hyperparameters_are_fitted_on_a_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    from hpo_lab.optimizers._gp_fast_model import Model

    fitted: list[int] = []
    original = Model.fit

    def counted(self: Model, rows: Floats, *given: Any) -> None:
        fitted.append(len(rows))
        original(self, rows, *given)

    monkeypatch.setattr(Model, "fit", counted)
    trace(GPFast(initial=8, refit=0.25), BOX, 33, 0, sphere)
    assert fitted == [8, 10, 13, 17, 22, 28]
    fitted.clear()
    trace(GPFast(initial=8, refit=0.0), BOX, 13, 0, sphere)
    assert fitted == [8, 9, 10, 11, 12]


def test_draws_at_random_until_there_is_a_success() -> None:
    failing = trace(GPFast(initial=2), BOX, 9, 0, lambda p: np.full(len(p), np.nan))
    assert len(np.unique(failing.keys())) == 9
    infinite = trace(GPFast(initial=2), BOX, 9, 0, lambda p: np.full(len(p), -np.inf))
    assert np.array_equal(failing.values, infinite.values)


def test_a_failure_is_told_as_the_worst_success() -> None:
    def told(failure: float) -> Callable[[Points], Floats]:
        def landscape(points: Points) -> Floats:
            return np.where(points.values[:, 0] < -2, failure, np.minimum(sphere(points), 60.0))

        return landscape

    runs = [trace(GPFast(), BOX, 14, 0, told(failure)) for failure in (np.nan, np.inf, -np.inf)]
    assert np.array_equal(runs[0].values, runs[1].values)
    assert np.array_equal(runs[0].values, runs[2].values)


def test_does_not_depend_on_the_unit_of_the_values() -> None:
    space = KINDS_OF_SPACE["mixed"]
    plain = trace(GPFast(), space, 14, 0, rugged)
    scaled = trace(GPFast(), space, 14, 0, lambda p: 2.0**20 * rugged(p))
    assert np.array_equal(plain.values, scaled.values, equal_nan=True)


@pytest.mark.slow
def test_a_thousand_observations() -> None:
    import psutil

    search = GPFast().start(BOX, 1000, np.random.default_rng(0))
    slowest, before = 0.0, psutil.Process().memory_info().rss
    while True:
        start = time.process_time()  # other work on the machine is not ours
        asked = search.ask()
        if len(asked) == 0:
            break
        search.tell(asked, sphere(asked) + rugged(asked))
        slowest = max(slowest, time.process_time() - start)
    assert slowest < 1.0
    assert psutil.Process().memory_info().rss - before < 200e6

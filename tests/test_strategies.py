"""Every strategy that can be found, on every kind of space; then each by itself."""

from __future__ import annotations

import dataclasses
import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from hpo_lab import discovery
from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers.evolution import Evolution
from hpo_lab.optimizers.gp import GP
from hpo_lab.optimizers.grid import Grid
from hpo_lab.optimizers.random import Random
from hpo_lab.space import Choice, Family, Floats, Integer, Points, Real, Space
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from hpo_lab.testing.strategy import check_settings, check_strategy, rugged, trace

STRATEGIES = discovery.names("strategies")
MODEL_BUDGET = 14  # beyond ten initial points, so that the model is used, and no more
MODELS = ("gp", "forest")

# --- the contract over everything discovered ---------------------------------------------------


def skip_if_refused(strategy: Strategy, space: Space) -> None:
    """Skip with the strategy's own sentence: a package is missing, or it knows no such spaces."""
    try:
        strategy.start(space, 9, np.random.default_rng(0))
    except InputError as refused:
        pytest.skip(str(refused))


@pytest.mark.parametrize("kind", KINDS_OF_SPACE)
@pytest.mark.parametrize("name", STRATEGIES)
def test_contract(name: str, kind: str) -> None:
    if name == "smac":
        pytest.skip("a step costs seconds: test_peer_strategies.py has its contract")
    strategy = discovery.make("strategies", name, {})
    skip_if_refused(strategy, KINDS_OF_SPACE[kind])
    budget = MODEL_BUDGET if name in MODELS else 24
    check_strategy(strategy, {kind: KINDS_OF_SPACE[kind]}, budget)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_OF_SPACE)
@pytest.mark.parametrize("name", STRATEGIES)
def test_contract_long(name: str, kind: str) -> None:
    strategy = discovery.make("strategies", name, {})
    skip_if_refused(strategy, KINDS_OF_SPACE[kind])
    check_strategy(strategy, {kind: KINDS_OF_SPACE[kind]}, 40 if name != "smac" else 12)


def test_contract_of_other_settings() -> None:
    few = {kind: KINDS_OF_SPACE[kind] for kind in ("mixed", "conditional", "one point")}
    check_strategy(Grid(placement="centred"))
    check_strategy(Evolution(population=2, elite=0, tournament=1, genes=100.0, sigma=5.0))
    check_strategy(GP(initial=3, acquisition="gp_hedge", candidates=50, local=0.0), few, 6)
    check_strategy(GP(preset="skopt", initial=3, candidates=100), few, 5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [k for k in KINDS_OF_SPACE if k not in ("wide", "many families")])
def test_contract_of_the_skopt_preset(kind: str) -> None:
    check_strategy(GP(preset="skopt"), {kind: KINDS_OF_SPACE[kind]}, 13)


def test_naming_a_strategy_imports_no_heavy_library() -> None:
    script = (
        "import sys; from hpo_lab import discovery\n"
        "for name in discovery.names('strategies'): discovery.make('strategies', name, {})\n"
        "print({'skopt', 'sklearn', 'deap', 'scipy'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


# --- the contract notices what it forbids -------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Broken(Strategy):
    """Random search with one fault."""

    name: ClassVar[str] = "broken"
    fault: str = ""

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        return _BrokenSearch(self.fault, space, budget, rng)


class _BrokenSearch:
    def __init__(self, fault: str, space: Space, budget: int, rng: np.random.Generator) -> None:
        self.fault, self.space, self.left, self.rng = fault, space, budget, rng

    def ask(self) -> Points:
        n = self.left + 1 if self.fault == "asks for" else self.left
        self.left = 0
        rng = {"same points": np.random.default_rng(0), "repeat": np.random.default_rng()}.get(
            self.fault, self.rng
        )
        if self.fault == "global":
            random.random()  # noqa: S311
        points = self.space.sample(n, rng)
        return Points(self.space, points.family, points.values + 9 * (self.fault == "outside"))

    def tell(self, points: Points, values: Floats) -> None:
        if self.fault == "survive" and not np.isfinite(values).all():
            raise ValueError("no number")
        if self.fault == "changes":
            points.values[:] = 0.0


@pytest.mark.parametrize(
    "fault",
    ["asks for", "outside", "repeat", "same points", "global", "survive", "changes"],
)
def test_contract_notices(fault: str) -> None:
    space = {"continuous": KINDS_OF_SPACE["continuous"]}
    check_strategy(Broken(), space)
    with pytest.raises(AssertionError, match=fault):
        check_strategy(Broken(fault), space)


def test_contract_notices_false_claims() -> None:
    space = {"continuous": KINDS_OF_SPACE["continuous"]}

    class Claims(Random):
        deterministic = True

    class Budgeted(Grid):
        anytime = True

    with pytest.raises(AssertionError, match="not deterministic"):
        check_strategy(Claims(), space)
    with pytest.raises(AssertionError, match="not anytime"):
        check_strategy(Budgeted(), space)


def test_contract_notices_settings_that_are_no_values() -> None:
    @dataclasses.dataclass(frozen=True)
    class Listed(Random):
        sizes: Any = dataclasses.field(default_factory=list)

    with pytest.raises(AssertionError, match="plain value"):
        check_settings(Listed())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Grid(placement="left"),  # type: ignore[arg-type]
        lambda: Evolution(population=1),
        lambda: Evolution(elite=10),
        lambda: Evolution(tournament=0),
        lambda: Evolution(crossover=1.5),
        lambda: Evolution(sigma=0.0),
        lambda: Evolution(genes=float("nan")),
        lambda: GP(preset="fast"),  # type: ignore[arg-type]
        lambda: GP(initial=0),
        lambda: GP(acquisition="UCB"),  # type: ignore[arg-type]
        lambda: GP(candidates=-1),
        lambda: GP(local=1.1),
    ],
)
def test_bad_settings_are_refused(make: Callable[[], Strategy]) -> None:
    with pytest.raises(InputError):
        make()


# --- grid ---------------------------------------------------------------------------------------


def grid_of(space: Space, budget: int, **settings: Any) -> Points:
    return Grid(**settings).start(space, budget, np.random.default_rng(0)).ask()


def test_grid_is_the_full_factorial() -> None:
    space = Space.box(Real("x", 0, 1), Real("y", 1, 100, log=True), Choice("c", ("a", "b")))
    grid = grid_of(space, 20)  # 3 x 3 x 2
    expected = [[x, y, c] for x in (0.0, 0.5, 1.0) for y in (1.0, 10.0, 100.0) for c in (0.0, 1.0)]
    np.testing.assert_allclose(grid.values, expected, rtol=1e-12)
    centred = grid_of(space, 20, placement="centred")
    np.testing.assert_allclose(sorted(set(centred.values[:, 0])), [1 / 6, 1 / 2, 5 / 6])


def test_grid_leaves_a_remainder_and_spreads_options() -> None:
    space = Space.box(*[Choice(f"c{i}", tuple(range(9))) for i in range(5)])
    grid = grid_of(space, 50)
    assert [len(set(column)) for column in grid.values.T] == [3, 2, 2, 2, 2]
    assert sorted(set(grid.values[:, 0])) == [0, 4, 8]
    assert sorted(set(grid.values[:, 1])) == [0, 8]


def test_grid_lists_a_finite_space_in_full() -> None:
    space = Space(
        (
            Family("a", (Choice("c", ("x", "y", "z")), Integer("k", 1, 12, log=True))),
            Family("b", (Integer("k", 1, 12, log=True),), weight=5.0),
            Family("c"),
        )
    )
    for placement in ("inclusive", "centred"):
        grid = grid_of(space, 100, placement=placement)
        assert set(map(bytes, grid.keys())) == set(map(bytes, space.enumerate().keys()))


@pytest.mark.parametrize("budget", [1, 2, 3, 7, 49, 50, 333])
@pytest.mark.parametrize("kind", KINDS_OF_SPACE)
def test_grid_fits_and_never_repeats(kind: str, budget: int) -> None:
    for placement in ("inclusive", "centred"):
        grid = grid_of(KINDS_OF_SPACE[kind], budget, placement=placement)
        assert 1 <= len(grid) <= budget
        assert len(np.unique(grid.keys())) == len(grid)


def test_grid_serves_the_heaviest_families_first() -> None:
    families = tuple(Family(f"f{i}", (Real("x", 0, 1),), weight=1.0 + i) for i in range(4))
    assert sorted(grid_of(Space(families), 2).family) == [2, 3]
    assert np.bincount(grid_of(Space(families), 14).family).tolist() == [2, 3, 4, 5]


# --- evolution ----------------------------------------------------------------------------------


def test_evolution_asks_by_generations_and_keeps_its_elite() -> None:
    search = Evolution(population=6, elite=2).start(
        KINDS_OF_SPACE["mixed"], 20, np.random.default_rng(0)
    )
    sizes = []
    while len(asked := search.ask()):
        sizes.append(len(asked))
        search.tell(asked, rugged(asked))
    assert sizes == [6, 4, 4, 4, 2]


def test_evolution_leaves_the_global_generator_exactly_as_it_was() -> None:
    random.seed(11)
    random.gauss(0.0, 1.0)  # leaves a second number waiting
    before = random.getstate()
    trace(Evolution(), KINDS_OF_SPACE["conditional"], 60, 0, rugged)
    assert random.getstate() == before
    search = Evolution().start(KINDS_OF_SPACE["mixed"], 60, np.random.default_rng(0))
    for reseed in range(5):  # what others draw in between has no influence
        asked = search.ask()
        search.tell(asked, rugged(asked))
        random.seed(reseed)
    begun = trace(Evolution(), KINDS_OF_SPACE["mixed"], 46, 0, rugged)
    assert np.array_equal(begun.values[-9:], asked.values)


def test_evolution_explores_families_and_prefers_the_good_one() -> None:
    space = KINDS_OF_SPACE["conditional"]
    good = space.index("attention")
    asked = trace(Evolution(), space, 300, 0, lambda p: rugged(p) - 10.0 * (p.family == good))
    assert set(asked.family) == set(range(len(space.families)))
    assert np.mean(asked.family[-100:] == good) > 0.6


# --- gp -----------------------------------------------------------------------------------------

SMOOTH = Space.box(*[Real(f"x{i}", -5, 5) for i in range(3)])


def sphere(points: Points) -> Floats:
    return np.asarray(((points.values - 1.0) ** 2).sum(axis=1))


def medians(strategy: Strategy, space: Space, landscape: Any, budget: int, seeds: int) -> float:
    best = [landscape(trace(strategy, space, budget, s, landscape)).min() for s in range(seeds)]
    return float(np.median(best))


@pytest.mark.parametrize("strategy", [GP(), Evolution()])
def test_beats_random_search_on_a_smooth_landscape(strategy: Strategy) -> None:
    chance = medians(Random(), SMOOTH, sphere, 40, 10)
    assert medians(strategy, SMOOTH, sphere, 40, 10) < 0.7 * chance


@pytest.mark.slow
def test_the_tuned_preset_is_not_worse_than_skopt_by_chance() -> None:
    rng = np.random.default_rng(0)
    space = Space.box(*[Choice(f"c{i}", tuple(range(9))) for i in range(4)])
    effects, noise = rng.normal(size=(4, 9)), 0.5 * rng.normal(size=(9,) * 4)

    def table(points: Points) -> Floats:
        index = points.values.astype(int)
        main = effects[np.arange(4), index].sum(axis=1)
        return np.asarray(main + noise[tuple(index.T)])

    tuned = medians(GP(), space, table, 40, 8)
    assert tuned <= medians(GP(preset="skopt"), space, table, 40, 8) + 0.1
    assert tuned < medians(Random(), space, table, 40, 8)


def test_the_skopt_preset_asks_what_a_bare_optimizer_asks() -> None:
    from skopt import Optimizer
    from skopt.space import Real as SkoptReal

    space = Space.box(Real("x", -5, 5), Real("lr", 1e-5, 1e-1, log=True))
    strategy, budget = GP(preset="skopt", initial=5, candidates=500), 8

    def landscape(points: Points) -> Floats:
        return np.asarray(points.values[:, 0] ** 2 + np.log10(points.values[:, 1]))

    ours = trace(strategy, space, budget, 4, landscape)
    bare = Optimizer(
        [SkoptReal(-5, 5), SkoptReal(1e-5, 1e-1, prior="log-uniform")],
        n_initial_points=5,
        acq_optimizer_kwargs={"n_points": 500},
        random_state=int(np.random.default_rng(4).integers(2**31)),
    )
    for row in ours.values:
        asked = bare.ask()
        np.testing.assert_allclose(row, asked, rtol=1e-9)
        bare.tell(asked, float(landscape(space.points([asked]))[0]))


def test_gp_asks_for_nothing_twice_while_something_is_new() -> None:
    space = KINDS_OF_SPACE["categorical"]  # 81 points
    asked = trace(GP(candidates=81), space, 30, 0, rugged)
    assert len(np.unique(asked.keys())) == 30
    few = trace(GP(), KINDS_OF_SPACE["two points"], 12, 0, rugged)
    assert len(np.unique(few.keys()[:2])) == 2


def test_gp_draws_at_random_until_there_is_a_success() -> None:
    space = KINDS_OF_SPACE["continuous"]
    failing = trace(GP(initial=2), space, 9, 0, lambda p: np.full(len(p), np.nan))
    patient = trace(GP(initial=9), space, 9, 0, rugged)
    assert np.array_equal(failing.values, patient.values)


def test_gp_is_told_failures_as_the_worst_success() -> None:
    space, worst = KINDS_OF_SPACE["continuous"], 2.0

    def told(failure: float) -> Callable[[Points], Floats]:
        def landscape(points: Points) -> Floats:
            left = points.values[:, 0] < -2
            return np.where(left, failure, np.minimum(points.values[:, 0] ** 2 / 25 * 2, worst))

        return landscape

    by_nan = trace(GP(), space, 14, 0, told(np.nan))
    by_infinity = trace(GP(), space, 14, 0, told(np.inf))
    assert np.array_equal(by_nan.values, by_infinity.values)


def test_gp_does_not_depend_on_the_unit_of_the_values() -> None:
    space = KINDS_OF_SPACE["mixed"]
    plain = trace(GP(), space, 14, 0, rugged)
    scaled = trace(GP(), space, 14, 0, lambda p: 2.0**20 * rugged(p))
    assert np.array_equal(plain.values, scaled.values, equal_nan=True)


def test_inactive_values_do_not_reach_the_models() -> None:
    from hpo_lab.optimizers._encoding import Encoding
    from hpo_lab.optimizers._gp_model import missing
    from hpo_lab.optimizers._skopt import Native
    from hpo_lab.optimizers.gp import _regressor

    space = KINDS_OF_SPACE["conditional"]
    encoding = Encoding(space)
    points = space.sample(50, np.random.default_rng(0))
    table = encoding.encode(points)
    junk = np.random.default_rng(1).random(table.shape)
    active = np.column_stack([np.ones(50, dtype=bool), encoding.active[points.family]])
    decoded = encoding.decode(np.where(active, table, junk))
    np.testing.assert_allclose(decoded.values, points.values)
    assert np.array_equal(encoding.encode(decoded)[~active], table[~active])

    model = _regressor(Native(space, GP(preset="skopt"), np.random.default_rng(0)), "matern52")
    lacking = np.asarray(model.lacks)[np.arange(4).repeat(5)]
    codes = np.eye(4).repeat(5, axis=0)
    rng = np.random.default_rng(2)
    rows = np.hstack([codes, rng.random((20, lacking.shape[1] - 4))])
    with warnings.catch_warnings():  # skopt hears no warnings from a fit either
        warnings.simplefilter("ignore")
        model.fit(rows, rng.normal(size=20))
    other = np.where(lacking, rng.random(rows.shape), rows)
    np.testing.assert_array_equal(model.predict(rows), model.predict(other))
    for row in rows[::5]:
        answer = model.predict(
            row[None], return_std=True, return_mean_grad=True, return_std_grad=True
        )
        assert not np.any(answer[2][missing(row[None], model.lacks)[0]])


def test_the_kernel_has_the_right_gradient() -> None:
    from scipy.optimize import check_grad
    from sklearn.gaussian_process import GaussianProcessRegressor

    from hpo_lab.optimizers._encoding import Encoding
    from hpo_lab.optimizers._gp_model import GroupedMatern

    space = KINDS_OF_SPACE["conditional"]
    encoding, rng = Encoding(space), np.random.default_rng(0)
    table = encoding.encode(space.sample(25, rng))
    lengths = tuple(np.linspace(0.5, 2.0, 1 + max(encoding.groups)).tolist())
    kernel = GroupedMatern(encoding.nominal, encoding.groups, 1.3, lengths, 0.02)
    model = GaussianProcessRegressor(kernel, optimizer=None).fit(table, rng.normal(size=25))

    def likelihood(theta: Floats) -> float:
        return float(model.log_marginal_likelihood(theta))

    def gradient(theta: Floats) -> Floats:
        return np.asarray(model.log_marginal_likelihood(theta, True)[1])

    assert check_grad(likelihood, gradient, kernel.theta) < 2e-3


def test_the_kernel_is_scikit_learns_where_both_apply() -> None:
    from sklearn.gaussian_process.kernels import Matern

    from hpo_lab.optimizers._gp_model import GroupedMatern

    table = np.random.default_rng(0).random((20, 4))
    ours = GroupedMatern((True, False, False, False), (-1, 0, 1, 2), 1.0, (0.3, 1.0, 2.0), 1e-6)
    theirs = Matern(length_scale=(0.3, 1.0, 2.0), nu=2.5)
    np.testing.assert_allclose(ours(table, table), theirs(table[:, 1:]), rtol=1e-10)

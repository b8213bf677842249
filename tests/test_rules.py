"""Rules: planted avoidance is found again, luck is not, and what is said of a rule is true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo_lab import discovery
from hpo_lab import statistics as s
from hpo_lab.assumption import View, assume
from hpo_lab.assumptions.coarsened import Coarsened
from hpo_lab.assumptions.fixed import Fixed
from hpo_lab.assumptions.narrowed import Narrowed
from hpo_lab.assumptions.without import Without
from hpo_lab.errors import InputError
from hpo_lab.measures.rules import near_optimal_share, statement
from hpo_lab.region import Among, Box, Interval, Region, contains, measure
from hpo_lab.rules import Rule, blind_rules, in_words, overlap, roundest
from hpo_lab.space import Choice, Family, Integer, Real, Space
from hpo_lab.statistics.scans import Between, Continuum, Levels, Scan
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from tests.planted import avoiding, log_uniform, planted_box

FIVE = Space.box(*[Real(f"x{i}", 0, 1) for i in range(5)])
SPACES = {
    **{kind: KINDS_OF_SPACE[kind] for kind in ("continuous", "categorical", "mixed")},
    "conditional": KINDS_OF_SPACE["conditional"],
    "five axes": FIVE,
}


def recovered(kind: str, ratio: float, runs: int, studies: int) -> list[float]:
    """The Jaccard index of the best rule and a planted box of 1–20 %, in each of some studies."""
    found = []
    for study in range(studies):
        rng = np.random.default_rng([study, int(10 * ratio)])
        space = SPACES[kind]
        least = 1 / 27 if kind == "categorical" else 0.01  # no smaller box on three axes
        region = planted_box(space, log_uniform(least, 0.2, rng), rng)
        points, run = avoiding(space, region, ratio, 100, runs, rng)
        rules = blind_rules(space, points, run, 100)
        found.append(max((overlap(space, rule.region, region) for rule in rules), default=0.0))
    return found


@pytest.mark.parametrize("kind", SPACES)
@pytest.mark.parametrize("ratio", [0.0, 0.1])
def test_planted_avoidance_is_found_again(kind: str, ratio: float) -> None:
    """The issue asks for a median Jaccard index of 0.8; a few studies are enough to see it."""
    assert np.median(recovered(kind, ratio, 30, 7)) >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.0, 0.1])
@pytest.mark.parametrize("runs", [30, 100])
def test_planted_avoidance_is_found_again_at_length(ratio: float, runs: int) -> None:
    """On each kind of space, and, where they are large enough to be learned at all, on five axes.

    A box of 2 % at a tenth of its density is 27 visits too few in the half that learns from 30
    runs: on five axes chance makes boxes as empty as that.
    """
    found = {kind: recovered(kind, ratio, runs, 100) for kind in SPACES}
    assert np.median(np.concatenate(list(found.values()))) >= 0.9
    hard = {"five axes"} if ratio and runs == 30 else set()
    for kind in SPACES.keys() - hard:
        assert np.median(found[kind]) >= 0.8, kind


def false_alarms(kind: str, runs: int, budget: int, studies: int) -> int:
    """How many studies of random search have a rule."""
    count = 0
    for study in range(studies):
        points = SPACES[kind].sample(runs * budget, np.random.default_rng([study, runs]))
        run = np.arange(len(points)) % runs
        count += bool(blind_rules(SPACES[kind], points, run, budget, seed=study))
    return count


@pytest.mark.parametrize("kind", SPACES)
def test_luck_is_no_rule(kind: str) -> None:
    """At most 5 %: more than 3 of 12 studies would have a chance of 0.2 % then."""
    assert false_alarms(kind, 10, 30, 12) <= 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", SPACES)
@pytest.mark.parametrize(("runs", "budget"), [(10, 50), (30, 100)])
def test_luck_is_no_rule_at_length(kind: str, runs: int, budget: int) -> None:
    count = false_alarms(kind, runs, budget, 200)
    assert 1 - s.visit_upper_bound(200 - count, 200, 0.99) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("kind", SPACES)
def test_the_luck_of_a_single_run_is_no_rule(kind: str) -> None:
    """Each study simulates uniform searches of its own: 1 in 20 is above all 19 of them."""
    count = false_alarms(kind, 1, 50, 60)
    assert 1 - s.visit_upper_bound(60 - count, 60, 0.99) <= 0.05


def test_a_hidden_family_is_named() -> None:
    space = KINDS_OF_SPACE["conditional"]
    region: Region = (Box("attention"),)
    rng = np.random.default_rng(0)
    points, run = avoiding(space, region, 0.0, 60, 20, rng)
    (rule,) = blind_rules(space, points, run, 60)
    assert (rule.words, rule.verdict) == ("family = attention", s.NEVER_SEEN)
    assert overlap(space, rule.region, region) == 1
    assert rule.measure == pytest.approx(0.2)
    assert (rule.density, rule.runs_visited) == (0, 0)
    assert rule.expected == pytest.approx(1 - 0.8**60)
    assert rule.bound == pytest.approx(1 - 0.05 ** (1 / 10))  # ten runs confirmed


def test_what_a_rule_says_is_true() -> None:
    space = SPACES["mixed"]
    rng = np.random.default_rng(4)
    region = planted_box(space, 0.1, rng)
    points, run = avoiding(space, region, 0.1, 100, 40, rng)
    rules = blind_rules(space, points, run, 100)
    assert rules
    for rule in rules:
        inside = contains(space, rule.region, points)
        assert rule.measure == measure(space, rule.region)
        assert rule.density == pytest.approx(inside.mean() / rule.measure)
        assert rule.density <= 0.25
        assert rule.runs_visited == len(np.unique(run[inside]))
        assert (rule.verdict == s.NEVER_SEEN) == (not inside.any())
        held = inside & (run % 2 == 1)
        told = s.verdicts(
            [rule.measure],
            100,
            [len(np.unique(run[held]))],
            20,
            counts=np.bincount(run[held] // 2, minlength=20)[:, None],
        )
        assert rule.p == pytest.approx(float(told.p[0]))


def test_the_same_every_time_whatever_the_order_of_evaluations() -> None:
    space = SPACES["conditional"]
    points, run = avoiding(space, (Box("mlp"),), 0.1, 50, 20, np.random.default_rng(1))
    once = blind_rules(space, points, run, 50)
    assert once == blind_rules(space, points, run, 50)
    order = np.lexsort((np.random.default_rng(2).random(len(run)), run))
    assert [rule.words for rule in blind_rules(space, points[order], run[order], 50)] == [
        rule.words for rule in once
    ]


def test_runs_that_all_go_the_same_way_are_one() -> None:
    """A grid repeated twenty times confirms nothing."""
    space = SPACES["continuous"]
    grid = np.stack(np.meshgrid(np.linspace(-5, 0, 6), np.linspace(-5, 5, 6)), -1).reshape(-1, 2)
    points = space.points(np.tile(grid, (20, 1)))
    rules = blind_rules(space, points, np.repeat(np.arange(20), 36), 36)
    assert rules
    assert {(rule.verdict, rule.runs) for rule in rules} == {(s.BY_CONSTRUCTION, 1)}
    assert all(np.isnan(rule.p) for rule in rules)
    assert rules[0].words.startswith("x1 ≥ 0.")


@pytest.mark.parametrize("kind", KINDS_OF_SPACE)
def test_every_kind_of_space(kind: str) -> None:
    """Little data on any space: no rule from luck, and no error."""
    space = KINDS_OF_SPACE[kind]
    points = space.sample(60, np.random.default_rng(0))
    assert blind_rules(space, points, np.arange(60) % 6, 10) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"run": np.zeros(3, dtype=np.int64)}, "one entry for each"),
        ({"budget": 0}, "at least 1"),
        ({"most": 0}, "at least 1"),
        ({"runs": 2}, "number the runs"),
        ({"points": KINDS_OF_SPACE["continuous"].points(np.full((40, 2), 9.0))}, "outside"),
    ],
)
def test_bad_arguments(changes: dict[str, object], said: str) -> None:
    space = KINDS_OF_SPACE["continuous"]
    points = space.sample(40, np.random.default_rng(0))
    good = {"points": points, "run": np.arange(40) % 4, "budget": 10}
    with pytest.raises(InputError, match=said):
        blind_rules(space, **{**good, **changes})  # type: ignore[arg-type]


def test_no_evaluations_no_rules() -> None:
    space = KINDS_OF_SPACE["mixed"]
    nothing = space.sample(0, np.random.default_rng(0))
    assert blind_rules(space, nothing, np.zeros(0, dtype=np.int64), 10, runs=4) == []


# --- the scan -----------------------------------------------------------------------------------


@given(st.lists(st.floats(0.001, 0.999), max_size=8), st.floats(0.5, 30))
def test_the_best_interval_against_all_intervals(at: list[float], gain: float) -> None:
    line, cost, price = Continuum(np.array(at)), 2.3, 1.0
    stops = [-np.inf, *sorted(at), np.inf]
    every = [Between(a, b) for i, a in enumerate(stops) for b in stops[i + 1 :]]

    def score(side: Between) -> float:
        return gain * side.mass - cost * float(line.holds(side).sum()) - price * side.edges

    _, best = line.best(np.ones(len(at), dtype=bool), gain, cost, price)
    assert best == pytest.approx(max(score(side) for side in every))


@given(st.lists(st.integers(0, 6), max_size=30), st.floats(0.5, 30), st.booleans())
def test_the_best_levels_against_all_sets(code: list[int], gain: float, ordered: bool) -> None:
    mass = np.array([0.3, 0.2, 0.1, 0.1, 0.15, 0.1, 0.05])
    line, cost, price = Levels(np.array(code, dtype=np.int64), mass, ordered), 2.3, 1.0
    visits = np.bincount(code, minlength=7) if code else np.zeros(7)
    gains, best = gain * mass - cost * visits, -np.inf
    for bits in range(1, 128):
        mask = np.array([bool(bits >> i & 1) for i in range(7)])
        if ordered:
            if np.diff(np.flatnonzero(mask)).max(initial=1) > 1:
                continue
            edges = int(not mask[0]) + int(not mask[-1])
        else:
            edges = min(int(mask.sum()), int((~mask).sum()))
        best = max(best, float(gains[mask].sum()) - price * edges)
    side, found = line.best(np.ones(len(code), dtype=bool), gain, cost, price)
    assert found == pytest.approx(best)
    assert side.mass == pytest.approx(mass[side.mask].sum())


def test_an_emptied_box_is_empty() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((3, 500))
    kept = (x[0] > 0.4) | (rng.random(500) < 0.1)
    scan = Scan(tuple(Continuum(row[kept]) for row in x), int(kept.sum()), float(kept.sum()))
    box = scan.sparsest(0.1)
    empty = scan.emptied(box)
    assert box.visits > 0 == empty.visits
    assert 0 < empty.mass < box.mass
    with pytest.raises(ValueError, match="share of the fair density"):
        scan.sparsest(1.0)


# --- words and numbers --------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e3))
def test_a_round_number_lies_between_and_is_short(low: float, width: float) -> None:
    high = low + width
    found = roundest(low, high)
    assert low <= found <= high
    if high > low and abs(low) < 1e3 * (high - low):
        assert len(f"{abs(found):.6g}".replace(".", "").strip("0")) <= 5


def test_words() -> None:
    space = Space(
        (
            Family("conv", (Real("lr", 1e-5, 0.1, log=True), Integer("kernel", 1, 7))),
            Family("attention", (Real("lr", 1e-5, 0.1, log=True), Choice("act", ("a", "b", "c")))),
            Family("mlp"),
        )
    )
    lr = ("lr", Interval(1e-5, 0.003))
    assert in_words(space, (Box("conv", (lr,)), Box("attention", (lr,)))) == (
        "family ≠ mlp and lr ≤ 0.003"
    )
    assert in_words(space, (Box("conv", (("kernel", Interval(3, 3)),)),)) == (
        "family = conv and kernel = 3"
    )
    assert in_words(space, (Box("attention", (("act", Among((0.0, 2.0))),)),)) == (
        "family = attention and act ≠ b"
    )
    assert in_words(space, tuple(Box(name) for name in ("conv", "attention", "mlp"))) == (
        "everything"
    )


# --- in the universe ----------------------------------------------------------------------------

CHAINS = [
    [],
    [Without(axis="op", option="gat"), Narrowed("lr", high=1e-2)],
    [Coarsened("lr", levels=4)],
    [Fixed("depth", 3), Coarsened("lr", levels=3)],
]


@pytest.mark.parametrize("chain", CHAINS, ids=repr)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_a_pushed_region_holds_what_the_region_holds(chain: list[object], seed: int) -> None:
    """A lifted point lies in the pushed region exactly where the point lies in the region."""
    universe = Space.box(
        Real("lr", 1e-5, 1e-1, log=True), Integer("depth", 1, 8), Choice("op", ("gat", "gcn", "x"))
    )
    view: View = assume(universe, chain)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    region = planted_box(view.declared, 0.15, rng)
    points = view.declared.sample(200, rng)
    inside = contains(universe, view.push(region), view.lift(points))
    assert (inside == contains(view.declared, region, points)).all()


# --- from results -------------------------------------------------------------------------------


def test_the_share_of_the_near_optimal_set_against_enumeration() -> None:
    table = discovery.make("landscapes", "nk", {"n": 10, "k": 2})
    view = View.identity(table.universe)
    points = table.universe.enumerate()
    truth = table.evaluate(points)
    some = table.universe.sample(10_000, np.random.default_rng(0))
    near = truth <= truth.min() + 0.3 * (table.evaluate(some).mean() - truth.min())
    name = table.universe.columns[0]
    region: Region = (Box("", ((name, Among((0.0,))),)),)
    inside = contains(table.universe, region, points)
    expected = (near & inside).sum() / near.sum()
    assert near_optimal_share(table, view, 0.3, region) == pytest.approx(expected)


def test_the_sentence() -> None:
    rule = Rule(
        region=(Box(""),),
        words="family = attention and heads ≥ 8",
        verdict=s.NEVER_SEEN,
        measure=0.05,
        density=0.0,
        runs_visited=0,
        runs=100,
        expected=0.93,
        confirming=50,
        p=1e-9,
        adjusted=1e-8,
        bound=0.06,
    )
    assert statement(rule, 50, 0.8, 0.31, "points") == (
        "never {family = attention and heads ≥ 8} in 100 runs × 50 evaluations; uniform search "
        "would have visited in 93 of 100; the best there is 0.8 points better than anything found; "
        "31 % of the near-optimal set lies there"
    )

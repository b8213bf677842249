"""Comparisons, ranks and aggregates against their peers, published numbers and brute force.

Golden values: rliable 1.2.0 on negated values (it maximises), baycomp 1.0.3 with 400,000 draws,
both made once in environments of their own; the tables of Demšar 2006.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hpo_lab
from hpo_lab import discovery
from hpo_lab import statistics as s
from hpo_lab.answers import facts
from hpo_lab.errors import InputError
from hpo_lab.measure import ArmResult, Results
from hpo_lab.measures.comparisons import CONFIRMATORY, EVERYWHERE, paired_values
from hpo_lab.study import Study
from tests.small_studies import study_file

FIRST = np.array(
    [
        [3.58, 3.58, 0.46, 1.66, 2.36, 2.09, 1.59, 1.55],
        [2.63, 2.35, 3.3, 0.47, 2.01, 2.89, 0.65, 2.95],
        [1.55, 0.4, 3.18, 0.96, 4.61, 4.34, 1.19, 8.29],
        [1.57, 4.0, 1.5, 1.16, 1.18, 3.58, 5.13, 1.74],
        [1.07, 1.03, 2.05, 0.98, 0.71, 1.02, 4.15, 0.67],
    ]
)
SECOND = np.array(
    [
        [3.58, 3.27, 2.42, 1.28, 4.08, 1.33, 0.64, 3.13],
        [5.45, 1.08, 2.37, 3.1, 1.12, 3.3, 1.45, 4.38],
        [6.13, 0.66, 1.67, 3.07, 1.26, 1.82, 1.65, 5.01],
        [0.52, 1.27, 0.34, 5.53, 2.78, 2.19, 4.16, 2.7],
        [3.45, 2.0, 1.78, 3.29, 0.42, 0.89, 5.68, 4.45],
    ]
)
INF = float("inf")


# --- one number for many runs ------------------------------------------------------------------


def test_aggregates_are_those_of_rliable() -> None:
    assert s.interquartile_mean(FIRST) == pytest.approx(1.9135, abs=1e-12)
    assert s.optimality_gap(FIRST, target=1.0) == pytest.approx(1.322, abs=1e-12)
    assert s.probability_of_improvement(FIRST, SECOND) == pytest.approx(0.5828125, abs=1e-12)
    profile = s.performance_profile(FIRST, [0.515, 1.015, 2.015, 3.015])
    assert profile == pytest.approx([0.075, 0.2, 0.55, 0.725], abs=1e-12)


def test_aggregates_of_runs_without_success() -> None:
    assert s.interquartile_mean([1.0, 2.0, 3.0, INF]) == 2.5
    assert s.interquartile_mean([1.0, 2.0, INF, INF]) == INF
    assert s.performance_profile([1.0, INF], [1e300]).tolist() == [0.5]


def test_intervals_of_aggregates_are_those_of_the_stratified_bootstrap() -> None:
    """Against a plain loop over tasks: ends within 4 standard errors of a simulated percentile."""
    rng = np.random.default_rng(0)
    loop = [
        s.interquartile_mean(np.concatenate([rng.choice(task, len(task)) for task in FIRST]))
        for _ in range(4000)
    ]
    found = s.aggregate_interval(FIRST, s.interquartile_mean, resamples=4000)
    assert found == pytest.approx(np.quantile(loop, [0.025, 0.975]), abs=0.06)
    paired = s.aggregate_interval(FIRST, s.interquartile_mean, other=FIRST + 1)
    assert paired == pytest.approx((-1.0, -1.0))
    assert s.aggregate_interval([[1.0, 1.0]], s.interquartile_mean) is None


def test_a12_against_all_pairs() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 6, (3, 9)).astype(float), rng.integers(0, 6, (3, 7)).astype(float)
    x[0, 0], y[0, 0] = INF, INF
    wins = [
        np.mean([(a < b) + 0.5 * (a == b) for a, b in itertools.product(*rows)])
        for rows in zip(x, y, strict=True)
    ]
    assert s.a12(x, y) == pytest.approx(np.mean(wins), abs=1e-12)
    assert s.a12(x, y) == pytest.approx(1 - s.a12(y, x), abs=1e-12)
    placed = s.improvement_placements(x[:, :7], y)
    assert placed.mean(axis=1) == pytest.approx(
        [s.a12(*rows) for rows in zip(x[:, :7], y, strict=True)]
    )


def test_the_interval_of_a12_keeps_pairs_together() -> None:
    """Pairs that share their noise tell more: the interval is narrower than of shuffled pairs."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=60)
    x, y = noise, noise + 0.5 + 0.1 * rng.normal(size=60)
    paired, shuffled = s.a12_interval(x, y), s.a12_interval(x, rng.permutation(y))
    assert paired is not None
    assert shuffled is not None
    assert paired[1] - paired[0] < 0.5 * (shuffled[1] - shuffled[0])
    assert s.a12_interval([1.0, 2.0], [3.0, 4.0]) is None  # nothing varies


@pytest.mark.parametrize("instances", [1, 15])
def test_the_intervals_of_a12_and_of_the_median_cover(instances: int) -> None:
    """95 % of 300 samples: at least 92 % in truth would give 265 or more in 99 of 100 tries."""
    rng = np.random.default_rng(instances)
    hits_a12 = hits_median = 0
    repetitions = 30 // instances if instances > 1 else 30
    for _ in range(300):
        shift = 0.5 + 0.5 * rng.normal(size=(instances, 1)) * (instances > 1)
        x = rng.normal(size=(instances, repetitions))
        y = x + rng.normal(size=x.shape) + shift
        d = s.paired_differences(x, y)
        median = s.bootstrap_median(d)
        a12 = s.a12_interval(x, y)
        assert median is not None
        assert a12 is not None
        hits_median += median[0] <= -0.5 <= median[1]
        spread = np.sqrt(3 + 0.25 * (instances > 1))  # of x_i - y_j over runs and instances
        hits_a12 += a12[0] <= stats.norm.cdf(0.5 / spread) <= a12[1]
    assert hits_median >= 265
    assert hits_a12 >= 265


# --- tests and posteriors ----------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["less", "greater", "two-sided"])
@pytest.mark.parametrize("size", [4, 9, 25, 50])
def test_signed_ranks_without_ties_are_those_of_scipy(size: int, direction: Any) -> None:
    d = np.random.default_rng(size).normal(0.3, 1, size)
    mine = s.signed_rank_p_value(d, direction)
    assert mine == pytest.approx(stats.wilcoxon(d, alternative=direction).pvalue, rel=1e-9)


def test_signed_ranks_with_ties_against_all_signs() -> None:
    d = np.array([0.0, 1.0, -1.0, 2.0, 2.0, INF, 3.0, 1.0])
    ranks = stats.rankdata([1, 1, 2, 2, 9, 3, 1])
    seen = ranks[[True, False, True, True, True, True, True]].sum()
    sums = [np.dot(signs, ranks) for signs in itertools.product([0, 1], repeat=len(ranks))]
    above = np.mean([total >= seen for total in sums])
    assert s.signed_rank_p_value(d, "greater") == pytest.approx(above, abs=1e-12)
    assert s.signed_rank_p_value([0.0, 0.0]) == 1.0
    many = np.random.default_rng(0).normal(0.1, 1, 200)
    assert s.signed_rank_p_value(many) == pytest.approx(
        s.signed_rank_p_value(many, exact=False), rel=0.02
    )


def test_signed_ranks_hold_their_level() -> None:
    """400 studies of ten equal pairs with many ties: 5 % false alarms, 32 at most in 99 of 100."""
    rng = np.random.default_rng(1)
    alarms = sum(s.signed_rank_p_value(rng.integers(-3, 4, 10)) <= 0.05 for _ in range(400))
    assert 2 <= alarms <= 32


PAIRS = [0.9, -0.3, 1.4, 0.02, -0.8, 0.55, 2.1, -0.04, 0.7, 0.3, -0.2, 1.1]


@pytest.mark.parametrize(
    ("rope", "below", "within", "above"),
    [
        (0.0, 0.0326475, 0.0, 0.9673525),
        (0.05, 0.03365, 0.000815, 0.965535),
        (0.25, 0.0078675, 0.0853775, 0.906755),
        (0.5, 0.000035, 0.5993275, 0.4006375),
    ],
)
def test_the_bayesian_signed_rank_test_is_that_of_baycomp(
    rope: float, below: float, within: float, above: float
) -> None:
    """Both are simulated: four standard errors of 40,000 and of 400,000 draws."""
    found = s.bayesian_signed_rank(PAIRS, rope, draws=40_000)
    for mine, theirs in zip(
        (found.better, found.equivalent, found.worse), (below, within, above), strict=True
    ):
        error = np.sqrt(theirs * (1 - theirs) * (1 / 40_000 + 1 / 400_000))
        assert abs(mine - theirs) <= 4 * error + 1e-4
    turned = s.bayesian_signed_rank(-np.array(PAIRS), rope, draws=40_000)
    assert turned.better == pytest.approx(found.worse, abs=0.015)


# --- ranks -------------------------------------------------------------------------------------

AUC = """.763 .768 .771 .798  .599 .591 .590 .569  .954 .971 .968 .967  .628 .661 .654 .657
.882 .888 .886 .898  .936 .931 .916 .931  .661 .668 .609 .685  .583 .583 .563 .625
.775 .838 .866 .875  1 1 1 1  .940 .962 .965 .962  .619 .666 .614 .669  .972 .981 .9751 .975
.957 .978 .946 .970"""  # Demšar 2006, table 6; .9751 since printed ranks there are 2 and 3


def test_friedman_on_demsars_example() -> None:
    losses = -np.array(AUC.split(), dtype=float).reshape(14, 4)
    found = s.friedman(losses)
    assert found.mean_ranks.round(3).tolist() == [3.143, 2.0, 2.893, 1.964]
    assert round(found.chi_square, 2) == 9.28
    assert round(found.f, 2) == 3.69
    assert round(found.critical_difference, 2) == 1.25  # "the critical difference is 2.569 ..."
    assert found.p == pytest.approx(stats.f.sf(found.f, 3, 39), abs=0.01)


@pytest.mark.parametrize(
    ("strategies", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (7, 2.949), (10, 3.164)]
)
def test_nemenyi_against_demsars_table(strategies: int, q: float) -> None:
    found = s.nemenyi_difference(strategies, 20)
    assert found == pytest.approx(q * np.sqrt(strategies * (strategies + 1) / 120), abs=1e-3)


def test_friedman_on_three_problems_is_exact() -> None:
    """All agree: of 6^3 orders as far apart are 6; a limit would say 0."""
    found = s.friedman([[1.0, 2.0, 3.0]] * 3)
    assert found.p == pytest.approx(6 / 6**3, abs=0.006)  # 4 standard errors of 9,999 shuffles


def test_mean_rank_differences_cover() -> None:
    """Three equal strategies: the truth is 0; 95 % of 200 hold it, 92 % would give 175."""
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        found = s.mean_rank_difference(rng.normal(size=(12, 3, 3)), 0, 2, seed=seed)
        hits += found.low <= 0 <= found.high
    assert hits >= 175


# --- arguments ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: s.paired_differences([1.0], [1.0, 2.0]),
        lambda: s.paired_differences([np.nan], [1.0]),
        lambda: s.a12(FIRST, SECOND[:2]),
        lambda: s.improvement_placements(FIRST, SECOND[:, :3]),
        lambda: s.interquartile_mean([]),
        lambda: s.optimality_gap([np.nan]),
        lambda: s.signed_rank_p_value([1.0], "more"),  # type: ignore[arg-type]
        lambda: s.signed_rank_p_value([[1.0]]),
        lambda: s.bayesian_signed_rank([1.0], -1.0),
        lambda: s.friedman([[1.0, 2.0]]),
        lambda: s.ranks([np.nan]),
        lambda: s.nemenyi_difference(1, 5),
        lambda: s.mean_rank_difference(FIRST, 0, 1),
        lambda: s.mean_rank_difference(FIRST[:, :, None], 0, 1),
        lambda: s.bootstrap_median([np.nan, 1.0]),
    ],
)
def test_arguments_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"[a-z]{3}"):
        wrong()


# --- tables ------------------------------------------------------------------------------------

STUDY = """
schema = 1
name = "compared"
[[landscapes]]
use = "nas_graph"
dataset = ["cora", "arxiv"]
[[landscapes]]
use = "peaks"
peaks = 4
[spaces.universe]
[spaces.declared]
landscapes = ["cora", "arxiv"]
assume = [{ use = "without", axis = ["op1", "op2", "op3", "op4"], option = "gat" }]
[[strategies]]
use = "random"
[[strategies]]
use = "grid"
[runs]
budget = [8, 20]
instances = 2
repetitions = 30
entropy = 5
"""
HYPOTHESES = """
[[hypotheses]]
name = "longer lines"
compare = ["random", "grid"]
space = "universe"
landscape = "cora"
direction = "less"
expectation = "a grid wastes its budget on one operation"
[[hypotheses]]
name = "no difference"
compare = ["universe", "declared"]
strategy = "random"
budget = 8
rope = 0.5
[[hypotheses]]
name = "grids"
compare = ["universe", "declared"]
strategy = "grid"
landscape = "cora"
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("compared")
    (folder / "study.toml").write_text(STUDY + HYPOTHESES)
    study = Study.read(folder / "study.toml")
    hpo_lab.run(study, folder / "out", workers=1)
    return Results.load(study, folder / "out")


@pytest.fixture(scope="module")
def compared(results: Results) -> pd.DataFrame:
    table: pd.DataFrame = discovery.make("measures", "comparisons", {})(results)
    return table


def row(table: pd.DataFrame, **wanted: object) -> dict[Any, Any]:
    for key, value in wanted.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.to_dict("records")[0]


def arm(results: Results, *labels: object) -> ArmResult:
    return next(one for one in results.arms if tuple(one.labels.values()) == labels)


def test_every_pair_is_compared_once(compared: pd.DataFrame) -> None:
    kinds = compared.groupby(["landscape", "compared"]).size().to_dict()
    two_budgets = 2
    assert kinds == {
        ("cora", "strategy"): 2 * two_budgets,  # one pair in each of two spaces
        ("cora", "space"): 2 * two_budgets,
        ("arxiv", "strategy"): 2 * two_budgets,
        ("arxiv", "space"): 2 * two_budgets,
        ("peaks", "strategy"): two_budgets,
        (EVERYWHERE, "strategy"): 2 * two_budgets,
        (EVERYWHERE, "space"): 2 * two_budgets,
    }


def test_a_row_is_what_the_regrets_say(results: Results, compared: pd.DataFrame) -> None:
    regret = discovery.make("measures", "regret", {})(results)
    own = regret[(regret["landscape"] == "cora") & (regret["space"] == "universe")]
    own = own[own["budget"] == 20].pivot_table(
        index=["instance", "repetition"], columns="strategy", values="total"
    )
    d = (own["random"] - own["grid"]).to_numpy()
    found = row(
        compared, landscape="cora", space="universe", budget=20, compared="strategy", against="grid"
    )
    assert found["pairs"] == 30
    assert found["independent"] == "repetitions"
    assert found["mean"] == pytest.approx(d.mean(), abs=1e-8)
    assert found["median"] == pytest.approx(np.median(d), abs=1e-8)
    assert found["improvement"] == pytest.approx((d < 0).mean() + (d == 0).mean() / 2, abs=0.05)
    assert found["p"] == pytest.approx(s.signed_rank_p_value(np.round(d, 8)), rel=1e-6)
    assert found["mean_low"] < found["mean"] < found["mean_high"]
    assert found["better"] + found["equivalent"] + found["worse"] == pytest.approx(1)


def test_deterministic_strategies_are_one_sample(compared: pd.DataFrame) -> None:
    alone = compared[(compared["strategy"] == "grid") & (compared["landscape"] == "cora")]
    assert len(alone) == 2
    assert (alone["pairs"] == 1).all()
    unknown = ["p", "p_holm", "mean_low", "median_low", "a12_low", "better", "worse"]
    assert alone[unknown].isna().all(axis=None)
    assert alone[["mean", "median", "a12"]].notna().all(axis=None)


def test_instances_are_the_units_where_there_are_several(compared: pd.DataFrame) -> None:
    peaks = compared[compared["landscape"] == "peaks"]
    assert (peaks["pairs"] == 2).all()
    assert (peaks["independent"] == "instances").all()
    assert peaks["p"].min() >= 0.5  # two instances cannot show more
    over = compared[compared["landscape"] == EVERYWHERE]
    assert set(over["independent"]) == {"landscapes"}
    assert set(over.loc[over["space"] == "universe", "pairs"]) == {2, 3}


def test_holm_corrects_inside_a_family(compared: pd.DataFrame) -> None:
    held = np.where(compared["compared"] == "strategy", compared["space"], compared["strategy"])
    keys = [compared["landscape"], compared["budget"], compared["compared"], pd.Series(held)]
    for _, family in compared[compared["p"].notna()].groupby(keys):
        assert family["p_holm"].to_numpy() == pytest.approx(s.holm(family["p"].to_numpy()))


def test_hypotheses_are_tested_and_corrected_together(
    results: Results, compared: pd.DataFrame
) -> None:
    table = discovery.make("measures", "hypotheses", {})(results)
    assert table["hypothesis"].tolist() == ["longer lines", "no difference", "grids"]
    first, second, third = table.to_dict("records")
    a, b, _ = paired_values(
        arm(results, "cora", "universe", "random", 20), arm(results, "cora", "universe", "grid", 20)
    )
    assert first["p"] == s.signed_rank_p_value((a - b)[0], "less")
    assert first["p_holm"] == min(1.0, 3 * first["p"])  # three were declared, one is untestable
    assert first["expectation"].startswith("a grid wastes")
    assert second["independent"] == "landscapes"
    assert second["pairs"] == 2
    assert second["rope"] == 0.5
    assert (third["verdict"], third["pairs"]) == ("not tested", 1)
    declared = compared[compared["status"] == CONFIRMATORY]
    assert sorted(declared["landscape"]) == ["all", "cora", "cora"]


def test_a_report_says_what_was_declared(results: Results) -> None:
    said = facts(results)["hypotheses"]
    assert len(said) == 3
    assert said[0] == (
        "longer lines: random against grid, total, less, in universe, on cora, at 20 evaluations; "
        "expected: a grid wastes its budget on one operation"
    )
    assert said[1] == (
        "no difference: universe against declared, total, two-sided, by random, "
        "over all landscapes, at 8 evaluations"
    )


def test_ranks_over_problems(results: Results) -> None:
    table = discovery.make("measures", "ranks", {})(results)
    universe = table[(table["space"] == "universe") & (table["budget"] == 20)]
    assert universe["problems"].tolist() == [4, 4]  # two tables, two instances of peaks
    assert universe["rank"].sum() == pytest.approx(3)
    assert universe["friedman_p"].notna().all()


def test_a_hypothesis_changes_no_run(tmp_path: Path) -> None:
    plain = Study.read(study_file(tmp_path, text=STUDY))
    declared = Study.read(study_file(tmp_path, text=STUDY + HYPOTHESES))
    assert list(plain.runs) == list(declared.runs)
    assert not plain.hypotheses
    assert len(discovery.make("measures", "hypotheses", {})(Results.empty(declared))) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"random", "grid"', '"randm", "grid"'), 'compare: unknown value "randm" (did you mean'),
        (('"random", "grid"', '"grid", "grid"'), 'compare: both are "grid"; name two different'),
        (('"random", "grid"', '"grid"'), "compare: name two strategies or two spaces, as in"),
        (('space = "universe"', 'space = "univers"'), 'space: unknown value "univers" (did you'),
        (('space = "universe"\n', ""), "space: the key is missing; name one of universe, decl"),
        (
            ('space = "universe"', 'space = "universe"\nstrategy = "grid"'),
            "space: give either a strategy or a space; the other is compared",
        ),
        (('landscape = "cora"\ndir', 'landscape = "koora"\ndir'), 'unknown value "koora" (did you'),
        (('direction = "less"', 'direction = "les"'), 'direction: unknown value "les" (did you'),
        (('direction = "less"', 'directoin = "less"'), 'unknown key "directoin" (did you mean'),
        (("budget = 8\nrope", "budget = 9\nrope"), "budget: 9 is not in runs.budget (8, 20)"),
        (("rope = 0.5", "rope = -1"), "rope: must be at least 0 and finite, not -1"),
        (("rope = 0.5", 'rope = "a"'), "rope: expected a number, got a string"),
        (("rope = 0.5", 'measure = "totl"'), 'measure: unknown value "totl" (did you mean "total'),
        (('name = "grids"', 'name = "no difference"'), 'hypotheses: 2 are called "no difference"'),
        (('expectation = "a', 'expectation = 3 # "a'), "expectation: expected a string, got a who"),
    ],
)
def test_bad_hypotheses_get_one_sentence(
    change: tuple[str, str], said: str, tmp_path: Path
) -> None:
    path = study_file(tmp_path, change, text=STUDY + HYPOTHESES)
    with pytest.raises(InputError) as refused:
        Study.read(path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)

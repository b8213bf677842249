"""Statistics of arrays: intervals, visit tests, and random search in closed form.

Everything is minimised. Arrays come in and arrays go out; nothing here knows what a run is.

* ``intervals``: the bootstrap over instances and repetitions
* ``visits``: which regions did a strategy leave unseen, against uniform search
* ``random_search``: exact expectations on a finite table, winning budgets, price against chance
* ``attribution``: games on subsets, as of the price of several assumptions
* ``runtimes``: evaluations until a target is reached
* ``attainment``: which share of the runs had a value that good by then
* ``comparisons``: two strategies or spaces, paired: effects, tests, posteriors
* ``rankings``: several strategies over problems, for the appendix
* ``aggregates``: many runs in one number or one curve
"""

from hpo_lab.statistics.aggregates import (
    interquartile_mean,
    optimality_gap,
    performance_profile,
)
from hpo_lab.statistics.attainment import (
    attained_by,
    attainment_difference,
    attainment_function,
)
from hpo_lab.statistics.attribution import (
    dual,
    first_in,
    last_out,
    members,
    minimal_sets,
    moebius,
    monotone_bounds,
    shapley,
    shapley_bounds,
    subset_minima,
)
from hpo_lab.statistics.comparisons import (
    Direction,
    Paired,
    Posterior,
    a12,
    a12_interval,
    bayesian_signed_rank,
    compare,
    has_intervals,
    improvement_placements,
    independent_differences,
    paired_differences,
    probability_of_improvement,
    signed_rank_p_value,
)
from hpo_lab.statistics.intervals import (
    MINIMUM_REPETITIONS,
    bootstrap_mean,
    bootstrap_means,
    bootstrap_median,
    resampled_runs,
)
from hpo_lab.statistics.random_search import (
    Chance,
    RandomSearchCurve,
    break_even,
    power_law_regret,
    power_law_wins,
    price_against_chance,
    price_over_seeds,
    random_search_curve,
    winning_budgets,
)
from hpo_lab.statistics.rankings import (
    Friedman,
    RankDifference,
    friedman,
    mean_rank_difference,
    nemenyi_difference,
    ranks,
)
from hpo_lab.statistics.runtimes import (
    expected_running_time,
    expected_running_times,
    first_hits,
    log_targets,
    runtime_ecdf,
)
from hpo_lab.statistics.visits import (
    BY_CONSTRUCTION,
    EXCLUDED,
    NEGLECTED,
    NEVER_SEEN,
    NO_EVIDENCE,
    UNTESTABLE,
    Verdicts,
    benjamini_hochberg,
    benjamini_yekutieli,
    expected_occupied,
    fewer_runs_p_value,
    holm,
    is_testable,
    least_visits,
    randomised_p_value,
    verdicts,
    visit_chance,
    visit_p_value,
    visit_upper_bound,
)

__all__ = [
    "BY_CONSTRUCTION",
    "EXCLUDED",
    "MINIMUM_REPETITIONS",
    "NEGLECTED",
    "NEVER_SEEN",
    "NO_EVIDENCE",
    "UNTESTABLE",
    "Chance",
    "Direction",
    "Friedman",
    "Paired",
    "Posterior",
    "RandomSearchCurve",
    "RankDifference",
    "Verdicts",
    "a12",
    "a12_interval",
    "attained_by",
    "attainment_difference",
    "attainment_function",
    "bayesian_signed_rank",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bootstrap_mean",
    "bootstrap_means",
    "bootstrap_median",
    "break_even",
    "compare",
    "dual",
    "expected_occupied",
    "expected_running_time",
    "expected_running_times",
    "fewer_runs_p_value",
    "first_hits",
    "first_in",
    "friedman",
    "has_intervals",
    "holm",
    "improvement_placements",
    "independent_differences",
    "interquartile_mean",
    "is_testable",
    "last_out",
    "least_visits",
    "log_targets",
    "mean_rank_difference",
    "members",
    "minimal_sets",
    "moebius",
    "monotone_bounds",
    "nemenyi_difference",
    "optimality_gap",
    "paired_differences",
    "performance_profile",
    "power_law_regret",
    "power_law_wins",
    "price_against_chance",
    "price_over_seeds",
    "probability_of_improvement",
    "random_search_curve",
    "randomised_p_value",
    "ranks",
    "resampled_runs",
    "runtime_ecdf",
    "shapley",
    "shapley_bounds",
    "signed_rank_p_value",
    "subset_minima",
    "verdicts",
    "visit_chance",
    "visit_p_value",
    "visit_upper_bound",
    "winning_budgets",
]

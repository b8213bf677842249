"""Statistics of arrays: intervals, visit tests, and random search in closed form.

Everything is minimised. Arrays come in and arrays go out; nothing here knows what a run is.

* ``intervals``: the bootstrap over instances and repetitions
* ``visits``: which regions did a strategy leave unseen, against uniform search
* ``random_search``: exact expectations on a finite table, winning budgets, price against chance
* ``runtimes``: evaluations until a target is reached
"""

from hpo_lab.statistics.intervals import (
    MINIMUM_REPETITIONS,
    bootstrap_mean,
    bootstrap_means,
    resampled_runs,
)
from hpo_lab.statistics.random_search import (
    Chance,
    RandomSearchCurve,
    break_even,
    power_law_regret,
    price_against_chance,
    random_search_curve,
    winning_budgets,
)
from hpo_lab.statistics.runtimes import (
    expected_running_time,
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
    "RandomSearchCurve",
    "Verdicts",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bootstrap_mean",
    "bootstrap_means",
    "break_even",
    "expected_occupied",
    "expected_running_time",
    "fewer_runs_p_value",
    "holm",
    "is_testable",
    "least_visits",
    "power_law_regret",
    "price_against_chance",
    "random_search_curve",
    "randomised_p_value",
    "resampled_runs",
    "verdicts",
    "visit_chance",
    "visit_p_value",
    "visit_upper_bound",
    "winning_budgets",
]

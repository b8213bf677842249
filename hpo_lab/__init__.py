"""hpo_lab measures what a hyperparameter space costs and what a search left unseen.

>>> import hpo_lab, landscapes
>>> f = landscapes.make("peaks", dimension=2, peaks=30, instance=1)
>>> trials = hpo_lab.search(f, "random", budget=50, seed=1)
>>> bool(trials["truth"].min() >= f.optimum().value)
True
"""

import hpo_lab.report  # noqa: F401  (before the verb of that name: see there)
from hpo_lab.assumption import Assumption, View, assume
from hpo_lab.auditing import Audit, audit
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum, Problem
from hpo_lab.measure import Measure, Results, tabulate
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.space import Choice, Family, Integer, Points, Real, Space
from hpo_lab.study import Study
from hpo_lab.verbs import catalogue, price, report, run, search, status

__all__ = [
    "Assumption",
    "Audit",
    "Bounds",
    "Choice",
    "Family",
    "InputError",
    "Integer",
    "Landscape",
    "Measure",
    "Minima",
    "Optimum",
    "Points",
    "Problem",
    "Real",
    "Results",
    "Search",
    "Space",
    "Strategy",
    "Study",
    "View",
    "assume",
    "audit",
    "catalogue",
    "price",
    "report",
    "run",
    "search",
    "status",
    "tabulate",
]

"""What each strategy was: every resolved setting, and the libraries that its runs stood on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

from hpo_lab.measure import Measure, Results
from hpo_lab.space import Record
from hpo_lab.study import Part

if TYPE_CHECKING:
    import pandas as pd

EVERYONE = ("hpo-lab", "numpy")  # what every run stands on
COLUMNS = ("landscape", "strategy", "recipe", "kind", "name", "value", "runs")


@dataclass(frozen=True)
class Strategies(Measure):
    """Each strategy of the study with its settings and libraries: one row a setting or version.

    ``recipe`` is the strategy's name@version, which with every "setting" (``kind``) identifies its
    runs on all landscapes. A "library" is what it says that it stands on, with ``value`` the
    version that stood in the process of each run when it was made, not today's: a row each where
    there were several, with the number of ``runs``; empty where a run's process did not have it.
    ``runs`` of a setting are all stored runs of the strategy.
    """

    name: ClassVar[str] = "strategies"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        parts = results.study.strategies
        rows = [row for part in parts for row in _rows(part, results.made_with.get(part.label, {}))]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(part: Part, made_with: Mapping[tuple[str, ...], int]) -> Iterator[Record]:
    strategy = part.make()
    recipe = f"{strategy.name}@{strategy.version}"
    head = {"landscape": "all", "strategy": part.label, "recipe": recipe}
    runs = sum(made_with.values())
    for one in fields(strategy):
        value = str(getattr(strategy, one.name))
        yield {**head, "kind": "setting", "name": one.name, "value": value, "runs": runs}
    for library in dict.fromkeys([*strategy.libraries, *EVERYONE]):
        for version, count in versions(library, made_with).items():
            said = {"kind": "library", "name": library, "value": version, "runs": count}
            yield head | said


def versions(library: str, made_with: Mapping[tuple[str, ...], int]) -> dict[str, int]:
    """Return the versions of a distribution that runs were made with, and how many of them each.

    >>> versions("scikit-learn", {("numpy==2.4", "Scikit_Learn==1.8"): 3, ("numpy==2.4",): 1})
    {'': 1, '1.8': 3}
    """
    found: Counter[str] = Counter()
    for packages, runs in made_with.items():
        known = dict(one.split("==", 1) for one in packages if "==" in one)
        found[{_plain(name): v for name, v in known.items()}.get(_plain(library), "")] += runs
    return dict(sorted(found.items()))


def _plain(name: str) -> str:
    """A distribution's name as it is compared (PEP 503)."""
    return re.sub("[-_.]+", "-", name).lower()

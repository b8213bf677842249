"""The cards: which strategies are tested on f0, with which settings and budget, and their rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hpo_lab import discovery
from hpo_lab.errors import InputError
from hpo_lab.space import Real, Space
from hpo_lab.statistics.bias import BOUNDS
from hpo_lab.verbs import bias

if TYPE_CHECKING:
    from hpo_lab.harness import Progress

DIMENSIONS, RUNS, BUDGET = (2, 5, 10), 100, 100
BUDGETS: Mapping[str, int] = {  # of those that would need more than five minutes of one core
    "gp": 60,
    "forest": 40,
    "smac": 24,
    "optuna_gp": 25,
}
EXAMPLES: tuple[tuple[str, Mapping[str, Any]], ...] = (  # settings with a bias that is known
    ("evolution", {"operator": "blend", "alpha": 0.0}),
    ("differential_evolution", {"bounds": "saturate"}),
)


@dataclass(frozen=True)
class Card:
    """A strategy with its settings; ``title`` is what follows ``hpo-lab bias``."""

    strategy: str
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def title(self) -> str:
        return " ".join([self.strategy, *(f"{key}={value}" for key, value in self.settings)])

    @property
    def budget(self) -> int:
        return BUDGETS.get(self.strategy, BUDGET)


def cards() -> list[Card]:
    """Return a card for each strategy that is found, each followed by its examples."""
    found = []
    for name in discovery.names("strategies"):
        found.append(Card(name))
        found += [Card(name, tuple(given.items())) for own, given in EXAMPLES if own == name]
    return found


def missing(card: Card) -> str | None:
    """Return the sentence that says what a strategy lacks on this machine, None if nothing."""
    space = Space.box(Real("x1", 0, 1), Real("x2", 0, 1))
    try:
        strategy = discovery.make("strategies", card.strategy, dict(card.settings))
        strategy.start(space, 10, np.random.default_rng(0))
    except InputError as error:
        return str(error)
    return None


def measured(
    card: Card,
    folder: Path | None = None,
    *,
    dimensions: tuple[int, ...] = DIMENSIONS,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a card's rows: one a dimension, and the density of its visits, ten a dimension.

    Runs go into ``folder``, by default where ``hpo-lab bias`` keeps them; those there are kept.
    """
    found = bias(
        card.strategy,
        dict(card.settings),
        folder,
        dimensions=dimensions,
        budget=card.budget,
        runs=RUNS,
        workers=workers,
        progress=progress,
    )
    density = pd.DataFrame(found["density"])
    density.insert(0, "dimension", density["landscape"].map(_dimension))
    density.insert(0, "card", card.title)
    tests = pd.DataFrame(found["tests"])
    if len(tests):
        tests["dimension"] = tests["landscape"].map(_dimension)
    version = discovery.find("strategies", card.strategy).version
    rows = [
        {
            "card": card.title,
            "version": version,
            "dimension": dimension,
            "budget": card.budget,
            "runs": RUNS,
            **_verdict(tests[tests["dimension"] == dimension] if len(tests) else tests),
            "atoms": own["atoms"].iloc[0],
        }
        for dimension, own in density.groupby("dimension")
    ]
    columns = ["landscape", "space", "strategy", "budget", "runs", "atoms"]  # all on the card
    return pd.DataFrame(rows), density.drop(columns=columns)


def _dimension(landscape: str) -> int:
    found = re.search(r"dimension=(\d+)", landscape)
    if found is None:
        raise ValueError(f"a landscape of another kind: {landscape}")
    return int(found[1])


def _verdict(tests: pd.DataFrame) -> dict[str, Any]:
    """What the tests of one dimension say together; the strongest one by name.

    ``distance`` is the mean of twice |x − 1/2| over all visits, 0.5 for uniform search.
    """
    if tests.empty:  # a deterministic strategy is one sample
        nothing = {"towards": "", "sample": "", "axis": "", "test": ""}
        return {"tests": 0, "biased": 0, **nothing, "p": np.nan, "distance": np.nan}
    biased = tests[tests["biased"].astype(bool)]
    least = tests.sort_values("p_adjusted", kind="stable").iloc[0]
    whole = tests[tests["sample"] == "run"]["statistic"]
    return {
        "tests": len(tests),
        "biased": len(biased),
        "towards": _towards(biased),
        "sample": least["sample"],
        "axis": least["axis"],
        "test": least["test"],
        "p": least["p_adjusted"],
        "distance": whole.iloc[0] if len(whole) else np.nan,
    }


def _towards(biased: pd.DataFrame) -> str:
    """Where all axes together are drawn to: by the runs' mean distance, by atoms on the bounds.

    Single axes, which say where their own few points happen to lie, count where neither is found.
    """
    found = list(biased[biased["sample"] == "run"]["towards"])
    found += ["the bounds"] * bool((biased["test"] == BOUNDS).any())
    found = found or list(biased.sort_values("p")["towards"])
    return " and ".join(dict.fromkeys(found))

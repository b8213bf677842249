"""The genetic algorithm asks for what it always asked for: its speed is no licence to wander."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpo_lab.optimizers.evolution import Evolution
from hpo_lab.space import Floats, Points
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from hpo_lab.testing.strategy import rugged, trace

GOLDEN = Path(__file__).parent / "fixtures" / "evolution.json"
BUDGET, KEPT = 70, 12  # requests of a run, and how many of the last are kept
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "blend": {"operator": "blend", "alpha": 0.8, "crossover": 0.9, "sigma": 0.4},
    "saturate": {"bounds": "saturate", "sigma": 0.5, "genes": 3.0},
    "resample": {"bounds": "resample", "sigma": 0.5, "migration": 0.4},
    "wrap": {"bounds": "wrap", "sigma": 0.5, "elite": 0, "tournament": 1},
    "odd": {"population": 7, "elite": 2, "exchange": 0.2, "mutation": 0.3},
}
KINDS = ("continuous", "log", "integer", "ordered", "mixed", "conditional", "two points")


def failing(points: Points) -> Floats:
    """Bumps, of which some fail."""
    values = rugged(points)
    return np.where(np.abs(values) % 0.5 < 0.1, np.nan, values)


def requests(name: str, kind: str) -> list[list[float | None]]:
    """The family and the values of the last points of a run; None where an axis is inactive."""
    asked = trace(Evolution(**SETTINGS[name]), KINDS_OF_SPACE[kind], BUDGET, 5, failing)[-KEPT:]
    table = np.column_stack([asked.family, asked.values])
    return [[None if np.isnan(x) else float(f"{x:.12g}") for x in row] for row in table.tolist()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_requests_as_ever(name: str, kind: str) -> None:
    golden = json.loads(GOLDEN.read_text())[f"{name}, {kind}"]
    found = np.array(requests(name, kind), dtype=float)
    np.testing.assert_allclose(found, np.array(golden, dtype=float), rtol=1e-9)


if __name__ == "__main__":  # python -m tests.test_evolution: with a new version only
    runs = {f"{name}, {kind}": requests(name, kind) for name in SETTINGS for kind in KINDS}
    lines = ",\n".join(f"{json.dumps(run)}: {json.dumps(rows)}" for run, rows in runs.items())
    GOLDEN.write_text(f"{{\n{lines}\n}}\n")

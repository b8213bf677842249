"""The table that scikit-optimize publishes: Branin and Hartmann-6, 200 evaluations, 10 runs.

    best value       Branin          Hartmann-6
    GP               0.398 ± 0.000   -3.299 ± 0.048
    random search    0.911 ± 0.294   -2.374 ± 0.327

(scikit-optimize's benchmarks; mean and standard deviation over runs.) The functions are written
here from their definitions: L. C. W. Dixon and G. P. Szegő (1978), "The global optimization
problem: an introduction", in "Towards Global Optimisation 2".

``python -m experiments.strategies.published`` runs our strategies likewise, in some minutes, and
keeps the table in ``summary``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hpo_lab import discovery
from hpo_lab.optimizer import Strategy
from hpo_lab.space import Floats, Points, Real, Space
from hpo_lab.testing.strategy import trace

EVALUATIONS, RUNS = 200, 10
BRANIN = Space.box(Real("x1", -5, 10), Real("x2", 0, 15))
HARTMANN = Space.box(*[Real(f"x{i}", 0, 1) for i in range(1, 7)])

_C = np.array([1.0, 1.2, 3.0, 3.2])
_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_P = np.array(
    [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ]
)


def branin(x: Floats) -> Floats:
    """(x₂ - 5.1 x₁²/(4π²) + 5 x₁/π - 6)² + 10 (1 - 1/(8π)) cos x₁ + 10, at (n, 2)."""
    first, second = x.T
    parabola = second - 5.1 / (4 * math.pi**2) * first**2 + 5 / math.pi * first - 6
    return np.asarray(parabola**2 + 10 * (1 - 1 / (8 * math.pi)) * np.cos(first) + 10)


def hartmann(x: Floats) -> Floats:
    """-Σᵢ cᵢ exp(-Σⱼ aᵢⱼ (xⱼ - pᵢⱼ)²), at (n, 6)."""
    squared = (_A * (x[:, None, :] - _P) ** 2).sum(axis=2)
    return np.asarray(-(_C * np.exp(-squared)).sum(axis=1))


@dataclass(frozen=True)
class Row:
    """A problem with what is known of it and the published mean and deviation of each method."""

    space: Space
    function: Callable[[Floats], Floats]
    minimum: float
    gp: tuple[float, float]
    random: tuple[float, float]

    def bests(self, strategy: Strategy, evaluations: int, runs: int) -> Floats:
        """The best value (runs,) of each run."""

        def landscape(points: Points) -> Floats:
            return self.function(points.values)

        asked = [trace(strategy, self.space, evaluations, seed, landscape) for seed in range(runs)]
        return np.array([landscape(points).min() for points in asked])


PUBLISHED: Mapping[str, Row] = {
    "branin": Row(BRANIN, branin, 0.397887, (0.398, 0.000), (0.911, 0.294)),
    "hartmann": Row(HARTMANN, hartmann, -3.32237, (-3.299, 0.048), (-2.374, 0.327)),
}


STRATEGIES: Mapping[str, tuple[str, dict[str, object]]] = {
    "gp": ("gp", {}),
    "gp, LCB": ("gp", {"acquisition": "LCB"}),
    "gp_fast": ("gp_fast", {}),
    "forest": ("forest", {}),
    "random": ("random", {}),
}


def main() -> None:
    """Run everything and keep the table, row by row."""
    rows = []
    for label, (name, settings) in STRATEGIES.items():
        for function, row in PUBLISHED.items():
            strategy = discovery.make("strategies", name, settings)
            bests = row.bests(strategy, EVALUATIONS, RUNS)
            print(f"{function}, {label}: {bests.mean():.3f} ± {bests.std(ddof=1):.3f}", flush=True)
            theirs = row.random if name == "random" else row.gp if name == "gp" else (math.nan,) * 2
            rows.append(
                {
                    "function": function,
                    "strategy": label,
                    "mean": bests.mean(),
                    "deviation": bests.std(ddof=1),
                    "published_mean": theirs[0],
                    "published_deviation": theirs[1],
                }
            )
    kept = Path(__file__).parent / "summary" / "published.csv"
    pd.DataFrame(rows).to_csv(kept, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()

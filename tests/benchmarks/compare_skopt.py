"""``gp`` and ``forest`` beside scikit-optimize's own: milliseconds per ask and tell.

``python -m tests.benchmarks.compare_skopt`` prints the table. Sides take turns in one process on
one thread and are timed in CPU seconds, so that other work on the machine disturbs them little.
Each figure is the least of a side's steps.
"""

from __future__ import annotations

import warnings

import numpy as np
from threadpoolctl import threadpool_limits

from hpo_lab.optimizers.forest import Forest
from hpo_lab.optimizers.gp import GP
from hpo_lab.space import Floats
from tests.benchmarks.compare_gp import SETTINGS, Peer, Step, ours, seconds, values

ROUNDS = 3
TARGETS = {("gp", "skopt default"): 1 / 3}  # at most so much of the peer
PAIRS = (("gp", "skopt default"), ("forest", "skopt ET"))


def skopt(model: str) -> Peer:
    """scikit-optimize's Optimizer with its defaults (gp_hedge) and a model of its own."""

    def begin(d: int, known: Floats, told: Floats) -> Step:
        from skopt import Optimizer

        optimizer = Optimizer([(0.0, 1.0)] * d, base_estimator=model, random_state=0)
        optimizer.tell(known.tolist(), told.tolist())

        def step() -> None:
            asked = optimizer.ask()
            optimizer.tell(asked, float(values(np.array([asked]))[0]))

        return step

    return begin


SIDES: dict[str, Peer] = {
    "gp": ours(GP()),
    "forest": ours(Forest()),
    "skopt default": skopt("GP"),
    "skopt ET": skopt("ET"),
}


def compare(d: int, n: int) -> None:
    """Print milliseconds a step of each side, and each pair's ratio with its target."""
    known = np.random.default_rng(1).random((n, d))
    told = values(known)
    steps = {name: begin(d, known, told) for name, begin in SIDES.items()}
    with threadpool_limits(1):  # of what the sides have loaded by now
        times: dict[str, list[float]] = {name: [] for name in SIDES}
        for _ in range(ROUNDS):
            for name, step in steps.items():
                times[name].append(seconds(step))
    print(f"d = {d}, n = {n}")
    for name, taken in times.items():
        print(f"  {name:14} {1e3 * min(taken):7.0f} ms (median {1e3 * np.median(taken):.0f})")
    for own, peer in PAIRS:
        ratio = min(times[peer]) / min(times[own])
        target = TARGETS.get((own, peer))
        wanted = f", target 1/{1 / target:.0f}" if target else ""
        print(f"  {own} takes 1/{ratio:.1f} of {peer}{wanted}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # scikit-optimize's remarks
    for dimensions, observations in SETTINGS:
        compare(dimensions, observations)

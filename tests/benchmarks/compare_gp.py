"""gp_fast's ask and tell against its peers', in one process; prints milliseconds, ratios, targets.

``RAYON_NUM_THREADS=1 python tests/benchmarks/compare_gp.py``, in some minutes; peers that are not
installed are left out (scikit-optimize comes with the project; Optuna's sampler with torch, botorch
and egobox with ``make peers``). Sides take turns on one thread and are timed in CPU seconds, so
that other work on the machine disturbs them little. gp_fast's figure is the mean over two periods
of its schedule, the refits included; a peer's is the least of its steps.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from importlib import import_module

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from hpo_lab.optimizer import Strategy
from hpo_lab.optimizers.gp import GP
from hpo_lab.optimizers.gp_fast import GPFast
from hpo_lab.space import Floats, Points, Real, Space

ROUNDS = 3  # steps of each peer
SETTINGS = ((5, 100), (10, 200))  # dimensions, observations
TARGETS = {  # gp_fast at most so much of the peer, in each setting
    "skopt default": (1 / 30, 1 / 60),
    "optuna GP": (1 / 6, 1 / 6),
    "botorch": (1 / 10, 1 / 10),
}

Step = Callable[[], None]
Peer = Callable[[int, Floats, Floats], Step]


def values(unit: Floats) -> Floats:
    """Return bumps on a bowl (n,): nothing that a model is soon done with."""
    bowl = np.square(unit - 0.3).sum(axis=1)
    return np.asarray(bowl + 0.1 * np.sin(9.0 * unit + np.arange(unit.shape[1])).sum(axis=1))


def ours(strategy: Strategy) -> Peer:
    """A strategy of this project."""

    def begin(d: int, known: Floats, told: Floats) -> Step:
        space = Space.box(*[Real(f"x{i}", 0.0, 1.0) for i in range(d)])
        search = strategy.start(space, 10_000, np.random.default_rng(0))
        search.tell(Points(space, np.zeros(len(known), dtype=np.int64), known), told)

        def step() -> None:
            asked = search.ask()
            search.tell(asked, values(asked.values))

        return step

    return begin


def skopt(d: int, known: Floats, told: Floats) -> Step:
    """scikit-optimize's Optimizer with its defaults: gp_hedge."""
    from skopt import Optimizer

    optimizer = Optimizer([(0.0, 1.0)] * d, random_state=0)
    optimizer.tell(known.tolist(), told.tolist())

    def step() -> None:
        asked = optimizer.ask()
        optimizer.tell(asked, float(values(np.array([asked]))[0]))

    return step


def optuna(d: int, known: Floats, told: Floats) -> Step:
    """Optuna's GPSampler with its defaults."""
    optuna = import_module("optuna")
    import_module("torch").set_num_threads(1)  # the sampler stands on it
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    axes = {f"x{i}": optuna.distributions.FloatDistribution(0.0, 1.0) for i in range(d)}
    study = optuna.create_study(sampler=optuna.samplers.GPSampler(seed=0))
    for row, value in zip(known.tolist(), told.tolist(), strict=True):
        params = dict(zip(axes, row, strict=True))
        study.add_trial(optuna.trial.create_trial(params=params, distributions=axes, value=value))

    def step() -> None:
        trial = study.ask(axes)
        asked = np.array([[trial.params[name] for name in axes]])
        study.tell(trial, float(values(asked)[0]))

    return step


def botorch(d: int, known: Floats, told: Floats) -> Step:
    """A SingleTaskGP and the logarithmic expected improvement, as in botorch's tutorials."""
    torch, models = import_module("torch"), import_module("botorch.models")
    transforms = import_module("botorch.models.transforms")
    optim, acquisition = import_module("botorch.optim"), import_module("botorch.acquisition")
    fit, mlls = import_module("botorch.fit"), import_module("gpytorch.mlls")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, y = torch.tensor(known), torch.tensor(-told)[:, None]
    bounds = torch.stack([torch.zeros(d), torch.ones(d)]).double()

    def step() -> None:
        nonlocal x, y
        model = models.SingleTaskGP(x, y, outcome_transform=transforms.Standardize(1))
        fit.fit_gpytorch_mll(mlls.ExactMarginalLogLikelihood(model.likelihood, model))
        improvement = acquisition.LogExpectedImprovement(model, best_f=y.max())
        asked, _ = optim.optimize_acqf(improvement, bounds, q=1, num_restarts=10, raw_samples=512)
        x = torch.cat([x, asked])
        y = torch.cat([y, torch.tensor(-values(asked.numpy()))[:, None]])

    return step


def egobox(d: int, known: Floats, told: Floats) -> Step:
    """egobox's Egor with a Matérn 5/2 kernel: compiled, and without a learning framework."""
    egobox = import_module("egobox")
    settings = {"corr_spec": egobox.CorrelationSpec.MATERN52}
    optimizer = egobox.Egor([[0.0, 1.0]] * d, gp_config=settings, seed=0)
    x, y = known, told[:, None]

    def step() -> None:
        nonlocal x, y
        asked = np.atleast_2d(optimizer.suggest(x, y))
        x, y = np.vstack([x, asked]), np.vstack([y, values(asked)[:, None]])

    return step


PEERS: dict[str, Peer] = {
    "skopt default": skopt,
    "optuna GP": optuna,
    "botorch": botorch,
    "egobox": egobox,
    "gp (tuned)": ours(GP()),
}


def seconds(step: Step) -> float:
    """Return the CPU seconds of one step."""
    start = time.process_time()
    step()
    return time.process_time() - start


def compare(d: int, n: int, targets: dict[str, float]) -> list[dict[str, object]]:
    """Print a line a peer: milliseconds a step, gp_fast's part of it, and the target; return it."""
    known = np.random.default_rng(1).random((n, d))
    told = values(known)
    ours(GPFast())(d, known[:20], told[:20])()  # compiles
    fast = ours(GPFast())(d, known, told)
    peers: dict[str, Step] = {}
    for name, begin in PEERS.items():
        try:
            peers[name] = begin(d, known, told)
        except ImportError as error:
            print(f"{name} is left out: {error}")
    period = 2 * round(GPFast().refit * n)  # steps from one refit to the next but one
    own: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in peers}
    with threadpool_limits(1):  # of what the peers have loaded by now
        for turn in range(ROUNDS):
            share = period // ROUNDS + (turn < period % ROUNDS)
            own += [seconds(fast) for _ in range(share)]
            for name, step in peers.items():
                theirs[name].append(seconds(step))
    mean = float(np.mean(own))
    print(f"d = {d}, n = {n}: gp_fast {1e3 * mean:.1f} ms (median {1e3 * np.median(own):.1f})")
    for name, times in theirs.items():
        target = f", target 1/{1 / targets[name]:.0f}" if name in targets else ""
        print(f"  {name:14} {1e3 * min(times):7.0f} ms, gp_fast 1/{min(times) / mean:.0f}{target}")
    return [
        {
            "strategy": "gp_fast",
            "peer": name,
            "d": d,
            "n": n,
            "own_ms": round(1e3 * mean, 2),
            "peer_ms": round(1e3 * min(times), 2),
            "target": targets.get(name, 0.0),
        }
        for name, times in theirs.items()
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", metavar="CSV", help="write the figures into this file, too")
    keep = parser.parse_args().keep
    warnings.simplefilter("ignore")  # the peers' remarks
    rows = []
    for number, (dimensions, observations) in enumerate(SETTINGS):
        at_most = {name: parts[number] for name, parts in TARGETS.items()}
        rows += compare(dimensions, observations, at_most)
    if keep:
        pd.DataFrame(rows).to_csv(keep, index=False)

"""Our strategies with a model against their peers, in one process: milliseconds an ask and tell.

``RAYON_NUM_THREADS=1 python tests/benchmarks/compare_models.py``, in some minutes; peers that are
not installed are left out (scikit-optimize comes with the project; Optuna's sampler with torch,
botorch and egobox with ``make peers``). Sides take turns on one thread and are timed in CPU
seconds, so that other work on the machine disturbs them little. gp_fast's figure is the mean over
two periods of its schedule, the refits included; any other side's is the least of its steps.
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
from hpo_lab.optimizers.forest import Forest
from hpo_lab.optimizers.gp import GP
from hpo_lab.optimizers.gp_fast import GPFast
from hpo_lab.space import Floats, Points, Real, Space

ROUNDS = 3  # steps of each peer
SETTINGS = ((5, 100), (10, 200))  # dimensions, observations
PAIRS: dict[tuple[str, str], tuple[float, float]] = {  # at most so much, in each setting; 0: none
    ("gp_fast", "skopt default"): (1 / 30, 1 / 60),
    ("gp_fast", "optuna_gp"): (1 / 6, 1 / 6),
    ("gp_fast", "botorch"): (1 / 10, 1 / 10),
    ("gp_fast", "egobox"): (0, 0),
    ("gp", "skopt default"): (1 / 3, 1 / 3),
    ("forest", "skopt ET"): (0, 0),
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


SIDES: dict[str, Peer] = {
    "gp_fast": ours(GPFast()),
    "gp": ours(GP()),
    "forest": ours(Forest()),
    "skopt default": skopt("GP"),
    "skopt ET": skopt("ET"),
    "optuna_gp": optuna,
    "botorch": botorch,
    "egobox": egobox,
}


def seconds(step: Step) -> float:
    """Return the CPU seconds of one step."""
    start = time.process_time()
    step()
    return time.process_time() - start


def timed(d: int, n: int) -> dict[str, float]:
    """Return the milliseconds of a step of each side that is installed."""
    known = np.random.default_rng(1).random((n, d))
    told = values(known)
    SIDES["gp_fast"](d, known[:20], told[:20])()  # compiles
    steps: dict[str, Step] = {}
    for name, begin in SIDES.items():
        try:
            steps[name] = begin(d, known, told)
        except ImportError as error:
            print(f"{name} is left out: {error}")
    period = 2 * round(GPFast().refit * n)  # steps from one refit to the next but one
    taken: dict[str, list[float]] = {name: [] for name in steps}
    with threadpool_limits(1):  # of what the sides have loaded by now
        for turn in range(ROUNDS):
            share = period // ROUNDS + (turn < period % ROUNDS)
            for name, step in steps.items():
                times = share if name == "gp_fast" else 1
                taken[name] += [seconds(step) for _ in range(times)]
    spent = {name: min(times) for name, times in taken.items()}
    spent["gp_fast"] = float(np.mean(taken["gp_fast"]))
    return {name: 1e3 * least for name, least in spent.items()}


def compare(d: int, n: int, setting: int) -> list[dict[str, object]]:
    """Print a line a pair: milliseconds a step, their ratio, and the target; return the figures."""
    spent = timed(d, n)
    print(f"d = {d}, n = {n}")
    rows: list[dict[str, object]] = []
    for (own, peer), targets in PAIRS.items():
        if peer not in spent:
            continue
        wanted = f", target 1/{1 / targets[setting]:.0f}" if targets[setting] else ""
        ratio = spent[peer] / spent[own]
        print(f"  {own} {spent[own]:.1f} ms, {peer} {spent[peer]:.0f} ms: 1/{ratio:.0f}{wanted}")
        rows.append(
            {
                "strategy": own,
                "peer": peer,
                "d": d,
                "n": n,
                "own_ms": round(spent[own], 2),
                "peer_ms": round(spent[peer], 2),
                "target": targets[setting],
            }
        )
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", metavar="CSV", help="write the figures into this file, too")
    keep = parser.parse_args().keep
    warnings.simplefilter("ignore")  # the peers' remarks
    found = [row for i, (d, n) in enumerate(SETTINGS) for row in compare(d, n, i)]
    if keep:
        pd.DataFrame(found).to_csv(keep, index=False)

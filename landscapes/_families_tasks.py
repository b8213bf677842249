"""Tasks × architectures: what a task demands, and what each family of architectures can do.

    f(z, s, t) = f_irr + Σ_j w_j [δ_j − κ_zj(s)]₊ + c · params_z(s) / n_z + q_z(t; s)           (1)
    q_z(t; s) = min(CAP, a (t − m_z(s))²),   t = log10 of the family's rate                     (2)

δ_j ∈ [0, 1] is how much of capability j the task demands, κ_zj(s) ∈ [0, 1] how much of it the
structure s of family z has: nothing but a shortfall costs. Claims that the capabilities encode:

    range       convolution sees its receptive field, log RF / log L, RF = 1 + Σ_l (k − 1) dil^l; a
                recurrence forgets, e^{−L/τ} (chrono initialisation sets τ: Tallec & Ollivier 2018);
                attention sees everything
    bindings    attention needs head dimension, and two layers (induction heads: Olsson et al.
                2022); a convolution needs a width that grows with the length, and a state of fixed
                size limits recurrences (Zoology: Arora et al. 2024)
    tracking    recurrence has it; attention needs depth that grows with the length (Hahn 2020; with
                log L layers there are shortcuts: Liu et al. 2023); state-space models with
                eigenvalues that are not negative cannot tell parity (Sarrof, Veitsman & Hahn 2024),
                signed ones can (Grazzi et al. 2025)
    invariance  convolution has it under translation; a multilayer perceptron has none and learns
                each position apart: n_z = n / L
    capacity    grows with the logarithm of the parameters; experts add it at little cost
    irregularity, nuisance, smoothness: trees take rough targets and useless features better than
                perceptrons (Grinsztajn, Oyallon & Varoquaux 2022), kernel methods smooth targets

The numbers are made up. True by construction: validates optimizers and metrics, never claims
about networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hpo_lab.errors import InputError, nearest
from hpo_lab.landscape import Bounds, Minima, Optimum
from hpo_lab.region import Region
from hpo_lab.space import Choice, Family, Floats, Integer, Points, Real, Space
from landscapes._structured import Numbers, Structured, by_family

CAP = 0.4  # what a rate that trains nothing costs
CURVATURE = 0.15  # a, for each decade squared
PRICE = 3e-3  # c
FLOOR = (0.01, 0.05)  # f_irr, uniform
WEIGHT = (0.15, 0.35)  # of each demand, uniform
SIZES = ("length", "pairs", "vocabulary", "examples")
DEMANDS = (
    "range",
    "bindings",
    "tracking",
    "invariance",
    "capacity",
    "irregularity",
    "nuisance",
    "smoothness",
)

_NETWORK = (
    Real("lr", 1e-5, 1e-1, log=True),
    Choice("width", (32, 64, 128, 256, 512), ordered=True),
    Integer("depth", 1, 8),
)
_HEADS = Choice("heads", (1, 2, 4, 8, 16), ordered=True)
_STATE = Choice("state", (4, 8, 16, 32, 64), ordered=True)
SEQUENCES = Space(
    (
        Family("mlp", _NETWORK),
        Family(
            "conv",
            (*_NETWORK, Integer("kernel", 2, 16), Choice("dilation", (1, 2, 4), ordered=True)),
        ),
        Family("attention", (*_NETWORK, _HEADS)),
        Family("recurrent", (*_NETWORK, Choice("memory", (8, 32, 128, 512), ordered=True))),
        Family("ssm", (*_NETWORK, _STATE, Choice("eigenvalues", ("positive", "signed")))),
        Family("moe", (*_NETWORK, _HEADS, Choice("experts", (2, 4, 8, 16), ordered=True))),
        Family("hybrid", (*_NETWORK, _HEADS, _STATE)),
    )
)
TABLES = Space(
    (
        Family("mlp", _NETWORK),
        Family(
            "trees",
            (
                Real("shrinkage", 0.001, 1.0, log=True),
                Choice("rounds", (50, 100, 200, 400, 800, 1600), ordered=True),
                Integer("leaves", 2, 256, log=True),
            ),
        ),
        Family(
            "kernels",
            (
                Real("length_scale", 0.01, 100.0, log=True),
                Choice("kernel", ("gaussian", "matern", "laplace")),
                Choice("components", (100, 300, 1000, 3000), ordered=True),
            ),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Task:
    """What a task demands of each capability in [0, 1], and the sizes that it is measured by."""

    demands: Mapping[str, float]
    length: float = 64.0  # L
    pairs: float = 4.0  # M
    vocabulary: float = 1024.0  # V
    examples: float = 1e5  # n
    tabular: bool = False

    @property
    def universe(self) -> Space:
        """The families that make sense for it."""
        return TABLES if self.tabular else SEQUENCES


TASKS = {
    "control": Task({}, length=1.0),
    "recall": Task({"range": 1.0, "bindings": 1.0, "capacity": 0.6}, length=256.0, pairs=64.0),
    "parity": Task({"range": 1.0, "tracking": 1.0, "capacity": 0.6}),
    "copy": Task({"range": 1.0, "bindings": 1.0, "tracking": 0.5, "capacity": 0.6}, pairs=16.0),
    "motif": Task({"range": 0.4, "invariance": 1.0, "capacity": 0.7}, length=128.0),
    "language": Task(
        {"range": 1.0, "bindings": 1.0, "tracking": 0.4, "invariance": 0.6, "capacity": 1.0},
        length=512.0,
        pairs=32.0,
        vocabulary=32768.0,
        examples=1e7,
    ),
    "tabular": Task({"irregularity": 0.9, "nuisance": 0.9, "capacity": 0.6}, tabular=True),
    "smooth": Task({"smoothness": 1.0, "capacity": 0.6}, tabular=True),
}


def task_of(name: str, changed: Sequence[tuple[str, float]]) -> Task:
    """Return the task of that name with some of its demands or sizes changed.

    Raises InputError for an unknown task or demand, a demand outside [0, 1] or a size below 1.
    """
    if name not in TASKS:
        raise InputError(f"there is no task {nearest(name, TASKS)}")
    known = TASKS[name]
    demands, sizes = dict(known.demands), {size: getattr(known, size) for size in SIZES}
    for key, value in changed:
        if key in DEMANDS:
            if not 0.0 <= value <= 1.0:
                raise InputError(f"demands: {key} must be from 0 to 1, not {value}")
            demands[key] = value
        elif key in SIZES:
            if not (math.isfinite(value) and value >= (2.0 if key == "vocabulary" else 1.0)):
                raise InputError(f"demands: {key} must be a number from 1 on, not {value}")
            sizes[key] = value
        else:
            raise InputError(f"demands: there is no demand {nearest(key, DEMANDS + SIZES)}")
    return Task(demands, **sizes, tabular=known.tabular)


@dataclass(frozen=True, eq=False)
class Demanded:
    """The landscape of one task over some of its families; an instance draws f_irr and weights."""

    task: Task
    universe: Space
    floor: float
    weights: Mapping[str, float]

    @staticmethod
    def drawn(task: Task, universe: Space, rng: np.random.Generator) -> Demanded:
        floor = FLOOR[0] + (FLOOR[1] - FLOOR[0]) * float(rng.random())
        weights = WEIGHT[0] + (WEIGHT[1] - WEIGHT[0]) * rng.random(len(DEMANDS))
        return Demanded(task, universe, floor, dict(zip(DEMANDS, weights.tolist(), strict=True)))

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,), eq. 1."""
        return np.asarray(by_family(points, self._loss)[0])

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside any region: its structures × the valley of each."""
        return Structured(self.universe, self.evaluate, self._bottom).lowest(region)

    def minima(self) -> Minima:
        """Return the structures that no step betters at their best rates, with their basins."""
        return Structured(self.universe, self.evaluate, self._bottom).minima()

    def _loss(self, family: int, x: Numbers) -> Floats:
        name = self.universe.families[family].name
        architecture = ARCHITECTURES[name]
        can = architecture.capabilities(self.task, x)
        loss = self.floor + PRICE * architecture.price(self.task, x)
        for demand, amount in self.task.demands.items():
            shortfall = np.maximum(0.0, amount - np.asarray(can.get(demand, 0.0)))
            loss = loss + self.weights[demand] * shortfall
        away = np.log10(x[architecture.rate]) - architecture.middle(x)
        return np.asarray(loss + np.minimum(CAP, CURVATURE * away**2))[None]  # eq. 2

    def _bottom(self, family: int, axes: Sequence[str], x: Numbers) -> Floats:
        """10^m_z(s): each family has one real axis."""
        return np.asarray(10.0 ** ARCHITECTURES[self.universe.families[family].name].middle(x))


Capabilities = dict[str, Floats | float]


@dataclass(frozen=True, slots=True)
class Architecture:
    """One family: its capabilities κ, its params / n, and the middle m of its valley in a rate."""

    capabilities: Callable[[Task, Numbers], Capabilities]
    price: Callable[[Task, Numbers], Floats]
    middle: Callable[[Numbers], Floats]
    rate: str = "lr"


def _clip(value: Floats) -> Floats:
    return np.clip(value, 0.0, 1.0)


def _capacity(parameters: Floats) -> Floats:
    """Ten million parameters are as many as any task demands."""
    return _clip(np.log10(parameters) / 7.0)


def _layers(x: Numbers, each: Floats | float) -> Floats:
    """Parameters of ``depth`` layers of ``each`` · width²."""
    return np.asarray(x["depth"] * each * x["width"] ** 2)


def _network_rate(reference: float) -> Callable[[Numbers], Floats]:
    """m_z(s): wider and deeper networks need a smaller rate."""

    def middle(x: Numbers) -> Floats:
        wide, deep = np.log10(x["width"] / 128.0), np.log10(x["depth"] / 4.0)
        return np.asarray(reference - 0.5 * wide - 0.25 * deep)

    return middle


def _tracking_by_depth(task: Task, x: Numbers) -> Floats:
    """A shortcut takes layers in proportion to log2 L."""
    return _clip(x["depth"] / max(2.0 * math.log2(task.length), 1.0))


def _state(task: Task, bits: Floats) -> Floats:
    """A state must hold all pairs: M log2 V."""
    return _clip(bits / (task.pairs * math.log2(task.vocabulary)))


def _mlp(task: Task, x: Numbers) -> Capabilities:
    return {
        "range": 1.0,
        "bindings": _clip(x["width"] / (4.0 * task.pairs * task.length)),
        "tracking": 0.2,
        "invariance": 0.0,
        "capacity": _capacity(_layers(x, 1.0)),
        "irregularity": _clip(0.2 + 0.08 * x["depth"]),
        "nuisance": 0.4,
        "smoothness": 0.8,
    }


def _mlp_price(task: Task, x: Numbers) -> Floats:
    positions = 1.0 if task.tabular else task.length
    return np.asarray((positions * x["width"] + _layers(x, 1.0)) * positions / task.examples)


def _conv(task: Task, x: Numbers) -> Capabilities:
    base, depth = x["dilation"], x["depth"]
    reach = np.where(base == 1.0, depth, (base**depth - 1.0) / np.maximum(base - 1.0, 1.0))
    field = 1.0 + (x["kernel"] - 1.0) * reach
    return {
        "range": _clip(np.log(field) / max(math.log(task.length), 1e-9)),
        "bindings": _clip(x["width"] / (2.0 * task.pairs * task.length)),
        "tracking": 0.8 * _tracking_by_depth(task, x),
        "invariance": 1.0,
        "capacity": _capacity(_layers(x, x["kernel"])),
    }


def _attention(task: Task, x: Numbers) -> Capabilities:
    induction = np.where(x["depth"] >= 2.0, 1.0, 0.5)
    head = x["width"] / x["heads"]
    return {
        "range": 1.0,
        "bindings": induction * _clip(head / (2.0 * math.log2(task.vocabulary * task.pairs))),
        "tracking": _clip(_tracking_by_depth(task, x) + x["heads"] / (2.0 * task.length)),
        "invariance": 0.6,
        "capacity": _capacity(_layers(x, 12.0)),
    }


def _recurrent(task: Task, x: Numbers) -> Capabilities:
    return {
        "range": np.exp(-task.length / (16.0 * x["memory"])),
        "bindings": _state(task, x["width"]),
        "tracking": 1.0,
        "invariance": 0.8,
        "capacity": _capacity(_layers(x, 6.0)),
    }


def _ssm(task: Task, x: Numbers) -> Capabilities:
    signed = x["eigenvalues"] == 1.0 if "eigenvalues" in x else np.zeros(len(x["width"]), bool)
    return {
        "range": math.exp(-task.length / 8192.0),
        "bindings": _state(task, x["width"] * x["state"] / 16.0),
        "tracking": np.where(signed, 0.9, 0.5),
        "invariance": 0.8,
        "capacity": _capacity(_layers(x, 4.0) + x["depth"] * x["width"] * x["state"]),
    }


def _moe(task: Task, x: Numbers) -> Capabilities:
    can = _attention(task, x)
    return can | {"capacity": _capacity(_layers(x, 4.0 + 8.0 * x["experts"]))}


def _hybrid(task: Task, x: Numbers) -> Capabilities:
    """The better of its parts."""
    attention, state = _attention(task, x), _ssm(task, x)
    return {demand: np.maximum(attention[demand], state[demand]) for demand in attention}


def _trees(task: Task, x: Numbers) -> Capabilities:
    return {
        "irregularity": _clip(np.log2(x["leaves"]) / 5.0),
        "nuisance": 0.95,
        "smoothness": 0.5,
        "capacity": _clip(np.log10(x["rounds"] * x["leaves"]) / 5.0),
    }


def _kernels(task: Task, x: Numbers) -> Capabilities:
    kind = x["kernel"].astype(np.int64)
    return {
        "irregularity": np.array([0.1, 0.4, 0.6])[kind],
        "nuisance": 0.3,
        "smoothness": np.array([1.0, 0.9, 0.7])[kind],
        "capacity": _clip(np.log10(x["components"]) / 3.5),
    }


def _per_example(
    parameters: Callable[[Numbers], Floats],
) -> Callable[[Task, Numbers], Floats]:
    return lambda task, x: np.asarray(parameters(x) / task.examples)


ARCHITECTURES = {
    "mlp": Architecture(_mlp, _mlp_price, _network_rate(-2.5)),
    "conv": Architecture(
        _conv, _per_example(lambda x: _layers(x, x["kernel"])), _network_rate(-2.5)
    ),
    "attention": Architecture(
        _attention, _per_example(lambda x: _layers(x, 12.0)), _network_rate(-3.3)
    ),
    "recurrent": Architecture(
        _recurrent, _per_example(lambda x: _layers(x, 6.0)), _network_rate(-2.8)
    ),
    "ssm": Architecture(
        _ssm,
        _per_example(lambda x: _layers(x, 4.0) + x["depth"] * x["width"] * x["state"]),
        _network_rate(-3.0),
    ),
    "moe": Architecture(  # a tenth of what its experts have, beside those that are active
        _moe, _per_example(lambda x: _layers(x, 12.0 + 0.8 * x["experts"])), _network_rate(-3.5)
    ),
    "hybrid": Architecture(
        _hybrid,
        _per_example(lambda x: _layers(x, 14.0) + x["depth"] * x["width"] * x["state"]),
        _network_rate(-3.2),
    ),
    "trees": Architecture(
        _trees,
        _per_example(lambda x: x["rounds"] * x["leaves"]),
        lambda x: -0.7 - np.log10(x["rounds"] / 100.0),
        rate="shrinkage",
    ),
    "kernels": Architecture(
        _kernels,
        _per_example(lambda x: 10.0 * x["components"]),
        lambda x: 0.2 * x["kernel"],
        rate="length_scale",
    ),
}

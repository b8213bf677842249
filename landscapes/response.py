"""Response: a hyperparameter response surface, as of training a network on a classification task.

    f_b(x) = C − (C − e(s)) · (1 − a b^{−α(s)}) · r(u) · d(λ) · (1 − p(u))                      (1)
    u = log10 lr − m(s)                                             distance from the valley    (2)
    r(u) = max(0, 1 − (u/w)²), w = w₋ for u < 0, else w₊            the valley and its plateaus (3)
    p(u) = 1 / (1 + exp(−k (u − cliff))), p(0) = divergence         the cliff                   (4)
    d(λ) = exp(−h (log10 λ − c(s))²)                                weight decay                (5)
    m(s) = m_z + interaction · Σ_i shift_i(s_i)                     where the valley is         (6)
    e(s) = (C / 90) · Σ_i error_i(s_i),   α(s) = Σ_i speed_i(s_i)   floor and speed             (7)
    told: C with probability p(u), else f_b(x | no divergence) + σ √(1 + 15 (1 − r d)) · normal (8)

b are the epochs; the truth is f_b at all ``full`` epochs. C is the chance level, s the structure:
everything but lr and the weight decay λ. (1) is (1 − p) · f(no divergence) + p · C, the mean of
what (8) tells at b = full.

Made up, and true by construction: every number and form. Shapes that follow the literature: power
laws in time that cross (Domhan, Springenberg & Hutter 2015; Viering & Loog 2022), adaptive methods
that start faster and end higher (Wilson et al. 2017), a learning rate that scales with the batch
(Goyal et al. 2017; by its root for Adam: Malladi et al. 2022), with 1/width for Adam (Yang et al.
2022) and with 1 − momentum (Smith & Le 2018), decay that is decoupled (Loshchilov & Hutter 2019),
responses that are unimodal with few strong interactions (Pushak & Hoos 2018).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum, generator, keyed_normal
from hpo_lab.region import Region
from hpo_lab.space import Choice, Family, Floats, Integer, Ints, Points, Real, Space
from landscapes._separable import root
from landscapes._structured import Numbers, Structured, by_family

_SHARED = (
    Real("lr", 1e-5, 1.0, log=True),
    Choice("width", (16, 32, 64, 128, 256, 512, 1024), ordered=True),
    Integer("depth", 1, 12),
    Choice("batch", (32, 64, 128, 256, 512), ordered=True),
    Real("weight_decay", 1e-6, 1e-1, log=True),
)
_MOMENTUM = (
    Choice("momentum", (0.5, 0.9, 0.95, 0.99), ordered=True),
    Choice("nesterov", (False, True)),
)
_ADAM = (
    Choice("beta2", (0.9, 0.99, 0.999), ordered=True),
    Choice("decoupled", (False, True)),
)
UNIVERSE = Space(
    (
        Family("sgd", _SHARED),
        Family("momentum", _SHARED + _MOMENTUM),
        Family("adam", _SHARED + _ADAM),
    )
)
START = 0.95  # a: the share of what is to be learned that is still open after one epoch
GROWTH = 15.0  # by what the variance grows from the bottom of the valley to the plateau
DECAY = 0.01  # h
EDGE = 1e-12  # how far before a vertical cliff a valley ends, in decades


@dataclass(frozen=True, slots=True)
class _Optimizer:
    """What one family has of its own; ``width`` and ``batch`` are the exponents of its rates."""

    valley: float  # m_z at width 128, depth 4, batch 128 and momentum 0.9
    left: float  # w₋, decades
    right: float  # w₊
    width: float
    batch: float
    speed: float
    error: tuple[float, float]  # the range that its cost is drawn from, percentage points


_OPTIMIZERS = {
    "sgd": _Optimizer(-0.7, 2.0, 1.5, -0.5, 1.0, 0.8, (0.5, 2.0)),
    "momentum": _Optimizer(-1.7, 2.0, 1.5, -0.5, 1.0, 1.0, (0.0, 0.0)),
    "adam": _Optimizer(-3.0, 3.0, 2.0, -1.0, 0.5, 1.3, (-0.5, 1.5)),
}
_DEPTH = -0.5  # exponent of the learning rate in depth


@dataclass(frozen=True)
class Response(Landscape):
    """The error of a trained network over its hyperparameters, in percentage points.

    True by construction: it validates the instrument and makes no claim about networks.

    The universe has three families, since nested conditions flatten: sgd, momentum (with its
    ``momentum`` and ``nesterov``) and adam (with ``beta2`` and ``decoupled``). Each has a learning
    rate ``lr`` in 1e-5 … 1, ``width`` 16 … 1024, ``depth`` 1 … 12, ``batch`` 32 … 512 and
    ``weight_decay`` 1e-6 … 1e-1.

    Given the rest, the error is a valley in lr between two plateaus at chance level, which is
    100 (1 − 1/``classes``). ``interaction`` moves the valley with width, depth, batch and
    momentum: at 0 all structures of a family have it at one learning rate, at 1 where theory has
    it. A run diverges, and is told as chance, with a probability that rises from ``divergence`` at
    the valley's middle to 1/2 at ``cliff`` decades above; at divergence 0 the cliff is vertical.
    ``noise`` is the standard deviation at the valley's bottom, in percentage points, and four
    times that on the plateaus; what is told may thus lie outside [0, 100].

    A strategy is told the error after ``epochs`` of ``full`` epochs (by default all of them); the
    truth is the mean error at ``full``. Learning curves cross, so what looks best early is not
    what is best: ``curve`` has them. The optimum is exact in every declared space, and so are the
    minima and their basins. ``instance`` draws the best width, depth and decay, what is lost
    elsewhere, and the optimizers' offsets.

    >>> f = Response(noise=0.0, divergence=0.0)
    >>> best = f.optimum()
    >>> record = best.point.records()[0]
    >>> record["family"], record["width"], round(record["lr"], 4), round(best.value, 2)
    ('adam', 1024, 0.0001, 6.74)
    >>> f.curve(best.point).shape
    (1, 100)
    """

    interaction: float = 1.0
    cliff: float = 0.5
    noise: float = 0.5
    divergence: float = 0.01
    epochs: int | None = None
    full: int = 100
    classes: int = 10
    instance: int = 1
    name: ClassVar[str] = "response"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "percentage points"

    def __post_init__(self) -> None:
        if not 0.0 <= self.interaction <= 100.0:
            raise InputError(f"interaction must be from 0 to 100, not {self.interaction}")
        if not (math.isfinite(self.noise) and self.noise >= 0.0):
            raise InputError(f"noise must be a standard deviation from 0 on, not {self.noise}")
        if not (math.isfinite(self.cliff) and self.cliff > 0.0):
            raise InputError(f"cliff must be a number of decades above 0, not {self.cliff}")
        if not 0.0 <= self.divergence < 0.5:
            raise InputError(
                f"divergence must be a probability from 0 to below 0.5, not {self.divergence}"
            )
        if self.full < 1:
            raise InputError(f"full must be at least 1 epoch, not {self.full}")
        if self.epochs is not None and not 1 <= self.epochs <= self.full:
            raise InputError(f"epochs must be from 1 to full = {self.full}, not {self.epochs}")
        if self.classes < 2:
            raise InputError(f"classes must be at least 2, not {self.classes}")

    @property
    def universe(self) -> Space:
        """The families sgd, momentum and adam."""
        return UNIVERSE

    @property
    def chance(self) -> float:
        """The error of guessing, in percentage points."""
        return 100.0 * (1.0 - 1.0 / self.classes)

    def evaluate(self, points: Points) -> Floats:
        """Return the mean error (n,) after all epochs."""
        return self._after(points, self.full)

    def curve(self, points: Points) -> Floats:
        """Return the mean error (n, full) after each epoch from 1 to ``full``."""
        found = np.empty((len(points), self.full))
        for epoch in range(1, self.full + 1):
            found[:, epoch - 1] = self._after(points, epoch)
        return found

    def observe(self, points: Points, repetition: int = 0, replicate: Ints | None = None) -> Floats:
        """Return what is told after ``epochs`` (n,), eq. 8: keyed by instance, point, replicate.

        Whether a run diverges does not depend on the epochs.
        """
        from scipy.special import ndtr

        if not self.stochastic:
            return self._after(points, self._epochs)
        again = np.zeros(len(points), dtype=np.int64) if replicate is None else replicate
        told, deviation, divergence = by_family(points, self._told, rows=3)
        told += deviation * keyed_normal(points, self.instance, repetition, again, 0)
        uniform = ndtr(keyed_normal(points, self.instance, repetition, again, 1))
        return np.where(uniform < divergence, self.chance, told)

    @property
    def stochastic(self) -> bool:
        """Whether there is noise, or divergence by chance."""
        return self.noise > 0.0 or self.divergence > 0.0

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside any region: its structures × the valleys of each."""
        return Structured(self.universe, self.evaluate, self._bottom).lowest(region)

    def minima(self) -> Minima:
        """Return the structures that no step betters, best first, with basins and exact masses.

        Each is at its best learning rate and decay; a step goes to the next width, depth, batch
        size, momentum or beta2, or to the other option, and has the rates that are best there.
        """
        return _minima(self)

    @property
    def _epochs(self) -> int:
        return self.full if self.epochs is None else self.epochs

    @cached_property
    def _task(self) -> _Task:
        return _Task.drawn(generator(self, self.instance))

    @property
    def _steepness(self) -> float:
        """k of eq. 4, from p(0); infinite where the cliff is vertical."""
        if self.divergence == 0.0:
            return math.inf
        return math.log(1.0 / self.divergence - 1.0) / self.cliff

    def _after(self, points: Points, epochs: int) -> Floats:
        """Eq. 1."""

        def error(family: int, x: Numbers) -> Floats:
            learned = self._learned(family, x, epochs) * self._quality(family, x)
            return np.asarray(self.chance - learned * (1.0 - self._divergence(family, x)))[None]

        return np.asarray(by_family(points, error)[0])

    def _told(self, family: int, x: Numbers) -> Floats:
        """Eq. 8: the error without divergence, its standard deviation, and p."""
        quality = self._quality(family, x)
        error = self.chance - self._learned(family, x, self._epochs) * quality
        deviation = self.noise * np.sqrt(1.0 + GROWTH * (1.0 - quality))
        return np.stack([error, deviation, self._divergence(family, x)])

    def _learned(self, family: int, x: Numbers, epochs: int) -> Floats:
        """(C − e(s)) (1 − a b^{−α(s)}) of eq. 1: how far below chance it is in the valley."""
        floor = self.chance / 90.0 * self._task.error(family, x)  # eq. 7
        left = START * np.exp(-math.log(epochs) * self._speed(family, x))
        return np.asarray((self.chance - floor) * (1.0 - left))

    def _speed(self, family: int, x: Numbers) -> Floats:
        """α(s) of eq. 7: large batches take fewer steps an epoch, deep networks learn later."""
        own = _OPTIMIZERS[UNIVERSE.families[family].name].speed
        slower = 0.06 * np.log2(x["batch"] / 32.0) + 0.04 * np.log2(x["depth"])
        return np.asarray(own - slower)

    def _quality(self, family: int, x: Numbers) -> Floats:
        """r(u) d(λ), eqs. 3 and 5."""
        u, optimizer = self._offset(family, x), _OPTIMIZERS[UNIVERSE.families[family].name]
        length = np.where(u < 0.0, optimizer.left, optimizer.right)
        away = np.log10(x["weight_decay"]) - self._task.decay(x)
        return np.maximum(0.0, 1.0 - (u / length) ** 2) * np.exp(-DECAY * away**2)

    def _divergence(self, family: int, x: Numbers) -> Floats:
        """p(u), eq. 4."""
        return self._diverging(self._offset(family, x))

    def _diverging(self, u: Floats) -> Floats:
        if self.divergence == 0.0:
            return (u > self.cliff).astype(float)
        odds = np.clip(self._steepness * (u - self.cliff), -700.0, 700.0)
        return np.asarray(1.0 / (1.0 + np.exp(-odds)))

    def _offset(self, family: int, x: Numbers) -> Floats:
        """u, eq. 2."""
        return np.asarray(np.log10(x["lr"]) - self._middle(family, x))

    def _middle(self, family: int, x: Numbers) -> Floats:
        """m(s), eq. 6."""
        optimizer = _OPTIMIZERS[UNIVERSE.families[family].name]
        shift = optimizer.width * np.log10(x["width"] / 128.0)
        shift = shift + _DEPTH * np.log10(x["depth"] / 4.0)
        shift = shift + optimizer.batch * np.log10(x["batch"] / 128.0)
        if "momentum" in x:
            shift = shift + np.log10((1.0 - x["momentum"]) / 0.1)
        return np.asarray(optimizer.valley + self._task.rate + self.interaction * shift)

    def _bottom(self, family: int, axes: Sequence[str], x: Numbers) -> Floats:
        """Where f is lowest on lr, on the weight decay, or on their common value: native (n,)."""
        centre = self._task.decay(x)
        if "lr" not in axes:
            return np.asarray(10.0**centre)
        middle = self._middle(family, x)
        tied = "weight_decay" in axes
        u = self._deepest(family, middle - centre) if tied else self._own_deepest[family]
        return np.asarray(10.0 ** np.clip(middle + u, -300.0, 300.0))

    @cached_property
    def _own_deepest(self) -> tuple[Floats, ...]:
        """For each family the u (1,) at which r (1 − p) is highest."""
        return tuple(self._deepest(family) for family in range(len(UNIVERSE.families)))

    def _deepest(self, family: int, decay: Floats | None = None) -> Floats:
        """The u (n,) at which r (1 − p) is highest, or r (1 − p) d if log10 λ = c(s) + u + decay.

        log r, log (1 − p) and log d are concave in u, and so is their sum: it is highest where its
        slope, (r'/r) − k p + (d'/d), crosses zero, which bisection finds to the last bit.
        """
        optimizer = _OPTIMIZERS[UNIVERSE.families[family].name]
        vertical = self.divergence == 0.0
        k = 0.0 if vertical else self._steepness
        right = min(optimizer.right, self.cliff - EDGE) if vertical else optimizer.right

        def rising(u: Floats) -> Floats:
            """−r times the slope, which rises through its zero."""
            length = np.where(u < 0.0, optimizer.left, optimizer.right)
            others = k * self._diverging(u)
            if decay is not None:
                others = others + 2.0 * DECAY * (u + decay)
            return np.asarray(2.0 * u / length**2 + (1.0 - (u / length) ** 2) * others)

        n = 1 if decay is None else len(decay)
        return root(rising, np.full(n, -optimizer.left), np.full(n, right))


@lru_cache(maxsize=16)
def _minima(landscape: Response) -> Minima:
    return Structured(landscape.universe, landscape.evaluate, landscape._bottom).minima()


@dataclass(frozen=True, slots=True)
class _Task:
    """What an instance draws: where the best structures are, and what the others cost.

    Costs are percentage points at chance level 90.
    """

    rate: float  # decades by which all valleys are moved
    base: float  # the error of the best structure of a family at its best, after ever so long
    width: tuple[float, float]  # log2 of the best, and the cost of the distance from it, squared
    depth: tuple[float, float]
    batch: float  # the cost of each doubling
    family: tuple[float, ...]  # the cost of each family
    decays: tuple[float, float]  # log10 of the best weight decay: coupled, decoupled
    momentum: tuple[float, float]  # −log10 of the best 1 − momentum, and the cost, squared
    beta2: tuple[float, float]
    nesterov: float  # what it spares
    decoupled: float

    @staticmethod
    def drawn(rng: np.random.Generator) -> _Task:
        def one(low: float, high: float) -> float:
            return low + (high - low) * float(rng.random())

        return _Task(
            rate=one(-0.3, 0.3),
            base=one(3.0, 8.0),
            width=(one(6.0, 10.0), one(0.2, 0.6)),
            depth=(one(0.5, 3.0), one(0.3, 0.9)),
            batch=one(-0.3, 0.4),
            family=tuple(one(*optimizer.error) for optimizer in _OPTIMIZERS.values()),
            decays=(one(-5.0, -3.5), one(-2.5, -1.5)),
            momentum=(one(0.8, 1.5), one(0.5, 1.5)),
            beta2=(one(1.0, 3.0), one(0.2, 0.8)),
            nesterov=one(0.0, 0.4),
            decoupled=one(0.0, 0.8),
        )

    def error(self, family: int, x: Numbers) -> Floats:
        """Σ error_i of eq. 7: bowls in the logarithms of sizes, and prices of options."""
        cost = self.base + self.family[family] + self.batch * np.log2(x["batch"] / 32.0)
        cost = (
            cost + _bowl(np.log2(x["width"]), self.width) + _bowl(np.log2(x["depth"]), self.depth)
        )
        if "momentum" in x:
            cost = cost + _bowl(-np.log10(1.0 - x["momentum"]), self.momentum)
            cost = cost + self.nesterov * (1.0 - x["nesterov"])
        if "beta2" in x:
            cost = cost + _bowl(-np.log10(1.0 - x["beta2"]), self.beta2)
            cost = cost + self.decoupled * (1.0 - x["decoupled"])
        return np.asarray(cost)

    def decay(self, x: Numbers) -> Floats:
        """c(s) of eq. 5."""
        coupled, decoupled = self.decays
        if "decoupled" not in x:
            return np.full(len(x["width"]), coupled)
        return np.where(x["decoupled"] > 0.0, decoupled, coupled)


def _bowl(at: Floats, best_and_cost: tuple[float, float]) -> Floats:
    best, cost = best_and_cost
    return np.asarray(cost * (at - best) ** 2)

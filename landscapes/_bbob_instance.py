"""The instances of the 24 BBOB functions: every number that a function is made of.

Source: Hansen, Finck, Ros & Auger 2009, "Real-parameter black-box optimization benchmarking 2009:
noiseless functions definitions", INRIA RR-6829; what the report leaves open (the generator of the
instances, the order of the sums) is as in COCO's BBOB-2009 code. The generator is the minimal
standard one of Park & Miller 1988 with a shuffle of 32 (Bays & Durham 1976).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hpo_lab.space import Floats

LOW, HIGH = -5.0, 5.0
MODULUS = 2147483647
SEEDS = {4: 3, 18: 17}  # these share the instances of f3 and f17; all others have their own number
PEAKS = {21: 101, 22: 21}
MU = 2.5  # f24: where the better funnel lies
SCHWEFEL = 4.2096874637  # f20: twice the optimum's distance from the middle on every axis


@dataclass(frozen=True, eq=False)
class Instance:
    """What one instance of one function is made of; d is the dimension, arrays are read-only.

    With s = x − ``shift``, A = ``first``, B = ``second``, c = ``scale``, ± = ``sign`` (RR-6829's
    Λ, Q and R are multiplied into A, B and c), and f − f_opt as follows; T_osz, T_asy^β and f_pen
    are the report's, f_pen = Σ max(0, |x_i| − 5)²:

        1   Σ s²
        2   Σ c T_osz(s)²
        3   10 (d − Σ cos 2πz) + Σ z²,  z = c T_asy^0.2(T_osz(s))
        4   the same of z = c' T_osz(s), c' = 10 c where s > 0 on axes 1, 3, …;  + 100 f_pen
        5   Σ 5 |c| − c x, with x no further out than x_opt; c has the sign of x_opt
        6   T_osz(Σ (c_i z_i)²)^0.9,  z = A s,  c_i = 100 where z_i has the ``sign``, else 1
        7   max(|ẑ_1| / 10⁴, Σ c z²) / 10 + f_pen,  ẑ = A s,  z = B round(ẑ)
        8   Σ 100 (z_i² − z_{i+1})² + (z_i − 1)²,  z = c s + 1
        9   the same of z = A x + 1/2
        10  Σ c T_osz(A s)²
        11  the same; c = 10⁶, 1, 1, …
        12  Σ c z²,  z = B T_asy^0.5(A s),  c = 1, 10⁶, 10⁶, …
        13  z_1² + 100 √(Σ_{i>1} z_i²),  z = A s
        14  √(Σ |z_i|^c_i),  z = A s
        15  10 (d − Σ cos 2πz) + Σ z²,  z = B T_asy^0.2(T_osz(A s))
        16  10 (Σ_i Σ_k 2^-k cos(2π 3^k (z_i + 1/2)) / d − f_0)³ + 10 f_pen / d,  z = B T_osz(A s)
        17  (Σ √u_i (1 + sin²(50 u_i^(1/5))) / (d − 1))² + 10 f_pen,  z = B T_asy^0.5(A s),
            u_i = √(z_i² + z_{i+1}²)
        18  the same
        19  10 + 10 Σ (r_i / 4000 − cos r_i) / (d − 1),  r as the terms of 8, z = A x + 1/2
        20  (418.98… − Σ z sin √|z| / d + Σ max(0, |z| − 500)²) / 100,
            z = 100 (c (y − 2 |x_opt|) + 2 |x_opt|),  y_i = x̂_i + (x̂_{i−1} − 2 |x_opt|) / 4,
            x̂ = 2 ± x
        21  T_osz(10 − max_k w_k exp(−Σ_i a_ki (A x − C_k)_i² / (2d)))² + f_pen,  w = ``weights``,
            C = ``centres``, a = ``curvature``; the first peak is the optimum
        22  the same with fewer peaks
        23  (10 / d²) (Π (1 + i Σ_j |2^j z_i − round(2^j z_i)| / 2^j)^(10 / d^1.2) − 1) + f_pen,
            z = A s
        24  min(Σ (x̂ − μ0)², d + c_1 Σ (x̂ − c_2)²) + 10 (d − Σ cos 2πz) + 10⁴ f_pen,
            z = B A (x̂ − μ0),  x̂ = 2 ± x,  μ0 = 2.5

    What a function does without is empty; without a matrix its shape is (0, 0).
    """

    function: int
    dimension: int
    f_opt: float
    x_opt: Floats  # (d,)
    shift: Floats  # (d,)
    scale: Floats  # (d,); (2,) for f24
    sign: Floats  # (d,), ±1
    first: Floats  # (d, d)
    second: Floats  # (d, d)
    centres: Floats  # (K, d), rotated already
    curvature: Floats  # (K, d)
    weights: Floats  # (K,)

    def packed(self) -> Floats:
        """Return all of it in one array, for the kernels.

        Matrices and peaks are transposed, and peaks of no weight fill up a multiple of 16.
        """
        parts = [np.array([self.f_opt]), self.shift, self.scale, self.sign]
        parts += [self.first.T, self.second.T]
        if len(self.weights):
            more = np.zeros((-len(self.weights) % 16, self.dimension))
            parts += [np.concatenate([part, more]).T for part in (self.centres, self.curvature)]
            parts += [self.weights, more[:, 0]]
        return np.concatenate([part.ravel() for part in parts])


NONE, NO_MATRIX = np.empty(0), np.empty((0, 0))


@lru_cache(maxsize=64)
def instance(function: int, dimension: int, number: int) -> Instance:
    """Return an instance of a function 1–24 in at least 2 dimensions."""
    made = _Maker(function, dimension, number).make()
    for array in vars(made).values():
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
    return made


@dataclass(frozen=True)
class _Maker:
    """The seed of an instance, and the parts that several functions are made of."""

    function: int
    dimension: int
    number: int

    @property
    def seed(self) -> int:
        return SEEDS.get(self.function, self.function) + 10000 * self.number

    def make(self) -> Instance:
        x_opt, shift = self.optimum(), np.zeros(self.dimension)
        first, second = self.matrices()
        if self.function in (9, 19):  # where A x + 1/2 is 1
            x_opt = _sum(first) / (2.0 * self.stretch**2)
        elif self.function not in (5, 20, 21, 22, 24):
            shift = x_opt
        centres, curvature, weights = self.peaks(first)
        return Instance(
            self.function,
            self.dimension,
            f_opt(self.seed),
            x_opt,
            shift,
            self.scale(x_opt),
            np.where(x_opt < 0.0, -1.0, 1.0),
            first,
            second,
            centres,
            curvature,
            weights,
        )

    @property
    def stretch(self) -> float:
        return max(1.0, math.sqrt(self.dimension) / 8.0)

    def optimum(self) -> Floats:
        """x_opt (d,), for all but f9 and f19."""
        d, seed = self.dimension, self.seed + (1_000_000 if self.function == 12 else 0)
        drawn = np.array(uniform(d, seed))
        x = 8.0 * np.floor(1e4 * drawn) / 1e4 - 4.0
        x = np.where(x == 0.0, -1e-5, x)
        match self.function:
            case 4:
                x[::2] = np.abs(x[::2])
            case 5:
                x = np.where(x < 0.0, LOW, HIGH)
            case 8:
                x = 0.75 * x
            case 20:
                x = np.where(drawn < 0.5, -1.0, 1.0) * 0.5 * SCHWEFEL
            case 21 | 22:
                x = 0.8 * (self.spread[0] * drawn - self.spread[1])
            case 24:
                x = np.where(np.array(normal(d, seed)) < 0.0, -0.5, 0.5) * MU
        return x

    def scale(self, x_opt: Floats) -> Floats:
        """What the coordinates are multiplied by."""
        d = self.dimension
        rest = np.ones(d - 1)
        match self.function:
            case 2 | 10:
                return self.powers(1e6)
            case 3 | 20:
                return self.powers(10.0, 0.5)
            case 4:
                return self.powers(math.sqrt(10.0))
            case 5:
                return np.where(x_opt < 0.0, -1.0, 1.0) * self.powers(10.0)
            case 7:
                return self.powers(100.0)
            case 8:
                return np.full(d, self.stretch)
            case 11:
                return np.append(1e6, rest)
            case 12:
                return np.append(1.0, 1e6 * rest)
            case 14:
                return np.array([2.0 + 4.0 * i / (d - 1.0) for i in range(d)])
            case 24:
                slope = 1.0 - 0.5 / (math.sqrt(d + 20.0) - 4.1)
                return np.array([slope, -math.sqrt((MU * MU - 1.0) / slope)])
        return NONE

    def matrices(self) -> tuple[Floats, Floats]:
        """The matrices A and B."""
        match self.function:
            case 6 | 13:
                return self.product(math.sqrt(10.0)), NO_MATRIX
            case 7:
                c = np.array([math.sqrt(p) for p in self.powers(10.0)])
                return c[:, None] * self.rotation(), self.rotation(1_000_000)
            case 9 | 19:
                return self.stretch * self.rotation(), NO_MATRIX
            case 10 | 11 | 14:
                return self.rotation(1_000_000), NO_MATRIX
            case 12:
                return self.rotation(1_000_000), self.rotation(1_000_000)
            case 15:
                return self.rotation(1_000_000), self.product(math.sqrt(10.0))
            case 16:
                return self.rotation(1_000_000), self.product(1.0 / math.sqrt(100.0))
            case 17 | 18:
                condition = self.powers(math.sqrt(10.0 if self.function == 17 else 1000.0))
                return self.rotation(1_000_000), self.rotation() * condition[:, None]
            case 21 | 22:
                return self.rotation(), NO_MATRIX
            case 23:
                return self.product(math.sqrt(100.0)), NO_MATRIX
            case 24:
                return self.powers(10.0)[:, None] * self.rotation(), self.rotation(1_000_000)
        return NO_MATRIX, NO_MATRIX

    @property
    def spread(self) -> tuple[float, float]:
        """The peaks of f21 and f22 lie at ``a u − b``, u uniform on [0, 1]."""
        return (10.0, 5.0) if self.function == 21 else (9.8, 4.9)

    def peaks(self, rotation: Floats) -> tuple[Floats, Floats, Floats]:
        """Centres (K, d), rotated, curvatures (K, d) and weights (K,) of f21 and f22."""
        if self.function not in PEAKS:
            return NO_MATRIX, NO_MATRIX, NONE
        count, d = PEAKS[self.function], self.dimension
        order = _order(uniform(count - 1, self.seed))
        best = math.sqrt(1000.0) if self.function == 21 else 1000.0
        conditions = [best, *[math.pow(1000.0, k / (count - 2)) for k in order]]
        curvature = np.array(
            [
                [math.pow(a, j / (d - 1) - 0.5) for j in _order(uniform(d, self.seed + 1000 * k))]
                for k, a in enumerate(conditions)
            ]
        )
        rise = [k / (count - 2) * (9.1 - 1.1) + 1.1 for k in range(count - 1)]
        drawn = np.array(uniform(d * count, self.seed)).reshape(count, d)
        places = self.spread[0] * drawn - self.spread[1]
        centres = _sum(rotation.T[:, None, :] * places.T[:, :, None])
        centres[0] *= 0.8
        return centres, curvature, np.array([10.0, *rise])

    def powers(self, base: float, factor: float = 1.0) -> Floats:
        """base^(factor i / (d − 1)) (d,), i = 0 … d − 1."""
        d = self.dimension
        return np.array([math.pow(base, factor * i / (d - 1.0)) for i in range(d)])

    def rotation(self, offset: int = 0) -> Floats:
        """An orthogonal matrix (d, d): normal columns, made orthogonal from left to right."""
        d = self.dimension
        columns = np.array(normal(d * d, self.seed + offset)).reshape(d, d).T.copy()
        for j in range(d):
            columns[:, j] /= math.sqrt(_sum(columns[:, j] * columns[:, j]))
            later = columns[:, j + 1 :]
            later -= _sum(later * columns[:, j : j + 1]) * columns[:, j : j + 1]
        return columns

    def product(self, base: float) -> Floats:
        """Q Λ R (d, d) with Λ_i = base^(i / (d − 1))."""
        left = self.rotation(1_000_000) * self.powers(base)
        return np.asarray(_sum(left.T[:, :, None] * self.rotation()[:, None, :]))


def _sum(terms: Floats) -> Floats:
    """The sum over the first axis, one by one in order: a pairwise sum has other last bits."""
    total: Floats = np.add.accumulate(terms, axis=0)[-1]
    return total


def _order(values: list[float]) -> list[int]:
    return [int(i) for i in np.argsort(values, kind="stable")]


def f_opt(seed: int) -> float:
    """Return the optimal value of an instance: the ratio of two normals, within ±1000."""
    ratio = 100.0 * 100.0 * normal(1, seed)[0] / normal(1, seed + 1)[0]
    return min(1000.0, max(-1000.0, math.floor(ratio + 0.5) / 100.0))


def uniform(n: int, seed: int) -> list[float]:
    """Return n uniform numbers: Park & Miller's generator, shuffled through 32 places.

    >>> [round(u, 3) for u in uniform(2, 1)]
    [0.416, 0.092]
    """
    state = max(abs(seed), 1)
    shuffle = [0] * 40
    for i in range(39, -1, -1):
        state = 16807 * state % MODULUS
        shuffle[i] = state
    last, drawn = shuffle[0], []
    for _ in range(n):
        state = 16807 * state % MODULUS
        place = last // 67108865
        last, shuffle[place] = shuffle[place], state
        drawn.append(last / 2.147483647e9 or 1e-99)
    return drawn


def normal(n: int, seed: int) -> list[float]:
    """Return n normal numbers from 2n uniform ones (Box & Muller 1958)."""
    u = uniform(2 * n, seed)
    pairs = zip(u[:n], u[n:], strict=True)
    return [math.sqrt(-2.0 * math.log(a)) * math.cos(2.0 * math.pi * b) or 1e-99 for a, b in pairs]

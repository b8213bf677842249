"""How far a valley reaches if it is to cover a given share of its family.

    share(s) = μ{x : Σ_i φ_i(x_i) < s},   φ_i = a_i (t_i − c_i)², or the price of an option

under the family's reference measure μ, in which the axes are independent: the sum's distribution
is a convolution. One real axis is integrated in closed form, so that a family with no other real
axis and few other values has its share exactly. What is more enters as atoms, close together and
at the mean of what they stand for: shares are then met to about a hundredth of themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo_lab.region import masses
from hpo_lab.space import Axis, Choice, Floats, Real, Space, levels
from landscapes._separable import root

RATIO = math.log(1.05)  # between neighbouring atoms, which lie no farther apart than
PARTS = 1000  # the share 1 / PARTS of the largest sum
ATOMS = 4096  # up to so many are kept as they are
NEAREST = 1e-7  # the unit distance from a centre below which a real axis has one atom


@dataclass(frozen=True, eq=False)
class Atoms:
    """A distribution of finitely many values (n,), with their masses (n,)."""

    values: Floats
    masses: Floats

    def plus(self, other: Atoms, largest: float) -> Atoms:
        """Return the distribution of the sum of two independent ones, which is part of a sum."""
        values = np.add.outer(self.values, other.values).ravel()
        both = Atoms(values, np.multiply.outer(self.masses, other.masses).ravel())
        return both if len(values) <= ATOMS else both._merged(largest)

    def _merged(self, largest: float) -> Atoms:
        """Values that lie close together become their mean."""
        step = largest / PARTS
        bend = step / RATIO  # from here on a step is less than 5 %
        near = np.log(np.clip(self.values / bend, 1e-30, 1.0)) / RATIO
        place = np.floor(near + np.maximum(self.values - bend, 0.0) / step).astype(np.int64)
        place -= place.min()
        weight = np.bincount(place, self.masses).astype(np.float64)
        kept = weight > 0.0
        mean = np.bincount(place, self.masses * self.values)[kept] / weight[kept]
        return Atoms(mean, weight[kept])


def reach(axes: Sequence[Axis], parts: Sequence[Floats], share: float) -> float:
    """Return the s > 0 below which the sum lies with probability ``share``.

    ``parts`` has for each axis its prices (levels,) where it is a choice, else (2,): curvature and
    centre in unit coordinates. Without real axes the share is met as nearly as its steps allow.
    """
    parted = [
        _real(*part.tolist()) if isinstance(axis, Real) and axis.size > 1 else _finite(axis, part)
        for axis, part in zip(axes, parts, strict=True)
    ]
    largest = sum(float(atoms.values.max()) for atoms in parted)
    real = [i for i, axis in enumerate(axes) if isinstance(axis, Real) and axis.size > 1]
    total = Atoms(np.zeros(1), np.ones(1))
    for i, atoms in enumerate(parted):
        if i not in real[:1]:
            total = total.plus(atoms, largest)
    if not real:
        return _between(total, share)
    curvature, centre = parts[real[0]].tolist()
    return _along(total, curvature, centre, share)


def _finite(axis: Axis, part: Floats) -> Atoms:
    weights = masses(Space.box(axis).enumerate())
    if isinstance(axis, Choice):
        return Atoms(part, weights)
    curvature, centre = part.tolist()
    return Atoms(curvature * (axis.to_unit(levels(axis)) - centre) ** 2, weights)


def _covered(centre: float, distance: Floats) -> Floats:
    """The share of [0, 1] that lies within a distance of the centre."""
    return np.minimum(centre + distance, 1.0) - np.maximum(centre - distance, 0.0)


def _real(curvature: float, centre: float) -> Atoms:
    """A real axis in cells of geometric distances from the centre, each at its mean."""
    count = math.ceil(-math.log(NEAREST) / RATIO)
    edges = np.append(0.0, np.exp(np.linspace(math.log(NEAREST), 0.0, count)))
    weight = np.diff(_covered(centre, edges))
    mean_square = np.diff(edges**3) / np.diff(edges) / 3.0
    kept = weight > 0.0
    return Atoms(curvature * mean_square[kept], weight[kept])


def _along(atoms: Atoms, curvature: float, centre: float, share: float) -> float:
    """The reach with one real axis in closed form."""
    highest = float(atoms.values.max()) + curvature * max(centre, 1.0 - centre) ** 2

    def surplus(logarithm: Floats) -> Floats:
        room = np.maximum(np.exp(logarithm)[:, None] - atoms.values, 0.0)
        covered = _covered(centre, np.sqrt(room / curvature))
        return np.asarray((covered * atoms.masses).sum(axis=1) - share)

    top = np.array([math.log(highest)])
    return float(np.exp(root(surplus, top - 80.0, top))[0])


def _between(atoms: Atoms, share: float) -> float:
    """The middle of two neighbouring values of which the share below is nearest."""
    values, place = np.unique(atoms.values, return_inverse=True)
    below = np.cumsum(np.bincount(place, atoms.masses))
    k = int(np.argmin(np.abs(below - share)))
    following = values[k + 1] if k + 1 < len(values) else values[k] + max(float(values[k]), 1.0)
    return float((values[k] + following) / 2.0)

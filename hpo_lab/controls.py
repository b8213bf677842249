"""Controls: the same search where the landscape says nothing, or says the same elsewhere.

* ``flat``: uniform noise on the same universe. Where a search goes there, it goes by itself.
* ``relabelled``: the same landscape with the options of its unordered choices permuted. What stays
  with an option's place in the list is owed to how the list was written down.
* ``shifted``: the same landscape moved round the torus of its unit coordinates: real axes, linear
  integers and ordered choices. What stays where it was is not owed to the landscape.

Every repetition has its own permutation or shift, so that many repetitions average over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from hpo_lab import discovery
from hpo_lab.landscape import UNKNOWN, Bounds, Landscape, Optimum, generator, identity
from hpo_lab.region import Region
from hpo_lab.space import Axis, Choice, Floats, Integer, Ints, Points, Real, Record, Space

CONTROLS: Mapping[str, str] = {
    "flat": "the same search on uniform noise",
    "relabelled": "the same search on the landscape with options permuted",
    "shifted": "the same search on the landscape moved round the torus",
}


def controlled(landscape: Landscape, control: str, instance: int, repetition: int) -> Landscape:
    """Return the landscape that a control puts in the place of another, on the same universe."""
    if control == "flat":
        given = {"space": landscape.universe, "instance": instance}
        flat: Landscape = discovery.make("landscapes", "flat", given)
        return flat
    return Moved(landscape, control, (instance, repetition))


@dataclass(frozen=True)
class Moved(Landscape):
    """Another landscape read at moved points: f(m(x)), m a bijection that keeps the measure.

    ``how`` is "relabelled" or "shifted", ``seed`` what the movement is drawn from; axes of one
    name move alike. Integers on a logarithmic scale stay: their values have unequal masses.

    >>> from hpo_lab.space import Space
    >>> plain = Landscape.of(lambda point: point["x"], Space.box(Real("x", 0, 1)))
    >>> moved = Moved(plain, "shifted", (1, 1))
    >>> values = np.array([moved({"x": x}) for x in (0.1, 0.2, 0.3, 0.4)])
    >>> (np.diff(values) % 1.0).round(9).tolist()
    [0.1, 0.1, 0.1]
    """

    landscape: Landscape = field(metadata={"identity": "inner"})
    how: str
    seed: tuple[int, ...]
    name: ClassVar[str] = "moved"

    @property
    def inner(self) -> Record:
        """What identifies the landscape that is moved."""
        return identity(self.landscape)

    @property
    def universe(self) -> Space:
        return self.landscape.universe

    @property
    def stochastic(self) -> bool:
        return self.landscape.stochastic

    def evaluate(self, points: Points) -> Floats:
        return self.landscape.evaluate(self.move(points))

    def observe(self, points: Points, repetition: int = 0, replicate: Ints | None = None) -> Floats:
        return self.landscape.observe(self.move(points), repetition, replicate)

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Unknown: nobody counts regret on a control."""
        return UNKNOWN

    def move(self, points: Points) -> Points:
        """Return where the other landscape is read for each point (n,)."""
        values = points.values.copy()
        for index in range(len(self.universe.families)):
            rows = np.flatnonzero(points.family == index)
            for column, axis in self.universe.places(index):
                if axis in self._draws:
                    values[rows, column] = _moved(axis, values[rows, column], self._draws[axis])
        return Points(points.space, points.family, values)

    @cached_property
    def _draws(self) -> dict[Axis, Ints | float]:
        """What each axis that moves is moved by: a permutation, a number of steps, or a part."""
        draws: dict[Axis, Ints | float] = {}
        for axis in dict.fromkeys(a for f in self.universe.families for a in f.axes if a.size > 1):
            rng = generator(self, self.how, list(self.seed), axis.name)
            named = isinstance(axis, Choice) and not axis.ordered
            if named and self.how == "relabelled":
                draws[axis] = rng.permutation(int(axis.size))
            elif not named and self.how == "shifted":
                if isinstance(axis, Real):
                    draws[axis] = float(rng.random())
                elif isinstance(axis, Choice) or not axis.log:
                    draws[axis] = float(rng.integers(int(axis.size)))
        return draws


def _moved(axis: Axis, values: Floats, by: Ints | float) -> Floats:
    if isinstance(by, np.ndarray):
        return by[values.astype(np.int64)].astype(np.float64)
    if isinstance(axis, Real):
        return axis.from_unit((axis.to_unit(values) + by) % 1.0)
    low = axis.low if isinstance(axis, Integer) else 0
    return low + (values - low + by) % axis.size

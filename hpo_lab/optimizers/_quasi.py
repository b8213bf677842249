"""Points of low discrepancy in a mixed, conditional space, from scipy's generators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpo_lab.space import Floats, Points, Space

if TYPE_CHECKING:
    from scipy.stats.qmc import QMCEngine


class Batch:
    """A search that asks for all its points in one batch and learns nothing."""

    def __init__(self, points: Points) -> None:
        self.points = points

    def ask(self) -> Points:
        asked, self.points = self.points, self.points[:0]
        return asked

    def tell(self, points: Points, values: Floats) -> None:
        pass  # nothing is learned


def width(space: Space) -> int:
    """Return how many coordinates a point needs: one for the family, where there are several."""
    return max(space.width + (len(space.families) > 1), 1)


def spread(space: Space, engine: QMCEngine, n: int) -> Points:
    """Return n points of the space from an engine of ``width(space)`` dimensions.

    Where there are several families the first coordinate picks one by weight; every column of
    the space has a coordinate of its own, used where it is active. So each family, each axis and
    each group of axes sees a projection of one sequence.
    """
    return placed(space, np.asarray(engine.random(n)))


def placed(space: Space, unit: Floats) -> Points:
    """Return the points of the space at unit coordinates (n, ``width(space)``)."""
    family = np.zeros(len(unit), dtype=np.int64)
    if len(space.families) > 1:
        family += np.searchsorted(np.cumsum(space.weights)[:-1], unit[:, 0], side="right")
        unit = unit[:, 1:]
    return space.from_unit(family, unit[:, : space.width])

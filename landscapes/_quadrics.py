"""Quadratic bowls of any shapes: which is the lowest, and what is exact about their cells.

    s_k(x) = Σ_i a_ki (T_k (x − c_k))_i² + o_k,   cell of k = where s_k is the lowest.

Bowls of one shape make a power diagram. Cells of others are bounded by quadrics; along a line
the s_k are parabolas in one number, so there everything is exact again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpo_lab.space import Floats, Ints
from landscapes._compiled import shared
from landscapes._nearest import Bowl, Group, membership

POINTS = 100_000  # of a product of finite sets, up to which all are looked at
LINES = 1000  # of a product of finite sets and one continuum, likewise


@dataclass(frozen=True, eq=False)
class Quadrics:
    """``curvature`` a (K, d), ``centres`` c (K, d), ``offsets`` o (K,), and ``turns`` T.

    T is (0, d, d) where the coordinates are the principal axes, (1, d, d) where all bowls are
    turned alike, and (K, d, d) otherwise; its rows are the principal axes.
    """

    curvature: Floats
    centres: Floats
    offsets: Floats
    turns: Floats

    @cached_property
    def factors(self) -> Floats:
        """F (K, d, d) with s_k(x) = ‖F_k (x − c_k)‖² + o_k."""
        return factors(self.curvature, self.turns)

    @cached_property
    def bowls(self) -> list[Bowl]:
        """The bowls one by one."""
        parts = zip(self.factors, self.centres, self.offsets.tolist(), strict=True)
        return [Bowl(factor, centre, offset) for factor, centre, offset in parts]

    @cached_property
    def _kernel(self) -> tuple[Callable[..., None], tuple[Floats, ...]]:
        """The kernel for these shapes, and its arguments between the points and the answers."""
        from landscapes._peaks_kernels import lowest_parabola, lowest_quadric

        if len(self.turns) > 1:  # upper triangular factors of the same bowls are half the work
            triangles = np.array([np.linalg.qr(factor, mode="r") for factor in self.factors])
            return lowest_quadric, (triangles, self.centres, self.offsets)
        turn = self.turns[0] if len(self.turns) else np.empty((0, 0))
        return lowest_parabola, (turn, self.curvature, self.centres, self.offsets)

    def lowest(self, values: Floats) -> tuple[Floats, Ints]:
        """Return the lowest s (n,) at the points (n, d), and whose it is (n,)."""
        values = np.ascontiguousarray(values)
        lowest, labels = np.empty(len(values)), np.empty(len(values), dtype=np.int64)
        kernel, given = self._kernel

        def part(start: int, stop: int) -> None:
            kernel(values[start:stop], *given, lowest[start:stop], labels[start:stop])

        shared(len(values), part)
        return lowest, labels

    def pieces(self, origin: Floats, direction: Floats, low: float, high: float) -> Pieces:
        """Return who is lowest where on origin + t · direction, low ≤ t ≤ high."""
        along = self.factors @ direction
        across = np.einsum("kij,kj->ki", self.factors, origin - self.centres)
        a = (along**2).sum(axis=1)
        b = (along * across).sum(axis=1)
        meets = _roots(a, b, (across**2).sum(axis=1) + self.offsets)
        inside = meets[(meets > low) & (meets < high)]
        edges = np.unique(np.concatenate([[low], inside, [high]]))
        middles = (edges[1:] + edges[:-1]) / 2.0
        _, labels = self.lowest(origin + middles[:, None] * direction)
        bottoms = np.clip((-b / a)[labels], edges[:-1], edges[1:])
        return Pieces(edges, labels, bottoms)

    def cells_among(self, groups: list[Group]) -> Floats | None:
        """Return the lowest s_k (K,) in each cell and the product of the groups' values.

        inf where they do not meet. None where more than one group is a continuum, or there are
        too many points or lines to look at.
        """
        wide = [row for row, g in enumerate(groups) if g.values is None and g.high > g.low]
        grids = [np.array([g.low]) if g.values is None else g.values for g in groups]
        count = float(np.prod([len(grid) for grid in grids]))
        if len(wide) > 1 or count > (LINES if wide else POINTS):
            return None
        member = membership(groups, self.centres.shape[1])
        places = np.array(list(itertools.product(*grids))) @ member
        found = np.full(len(self.offsets), np.inf)
        if not wide:
            lowest, labels = self.lowest(places)
            np.minimum.at(found, labels, lowest)
            return found
        direction, length = member[wide[0]], groups[wide[0]].high - groups[wide[0]].low
        for place in places:  # at the group's low
            pieces = self.pieces(place, direction, 0.0, length)
            lowest, _ = self.lowest(place + pieces.bottoms[:, None] * direction)
            np.minimum.at(found, pieces.labels, lowest)  # at an edge two are equally low
        return found


@dataclass(frozen=True, eq=False)
class Pieces:
    """A line in pieces on each of which one bowl is the lowest.

    ``edges`` (m + 1,), ``labels`` (m,) whose piece it is, ``bottoms`` (m,) where that is lowest.
    """

    edges: Floats
    labels: Ints
    bottoms: Floats

    def shares(self, count: int) -> Floats:
        """Return the share (K,) of the line that each of so many bowls has."""
        lengths = np.bincount(self.labels, np.diff(self.edges), minlength=count)
        return np.asarray(lengths / (self.edges[-1] - self.edges[0]))


def factors(curvature: Floats, turns: Floats) -> Floats:
    """Return F (K, d, d) = √a T, with ``turns`` as ``Quadrics`` has them."""
    axes = turns if len(turns) else np.eye(curvature.shape[1])
    return np.asarray(np.sqrt(curvature)[:, :, None] * axes)


def _roots(a: Floats, b: Floats, c: Floats) -> Floats:
    """All t at which two of the parabolas a t² + 2 b t + c are equal."""
    i, j = np.triu_indices(len(a), 1)
    a, b, c = a[i] - a[j], b[i] - b[j], c[i] - c[j]
    with np.errstate(all="ignore"):  # those that do not meet, or only once
        q = -(b + np.copysign(np.sqrt(b * b - a * c), b))
        roots = np.concatenate([q / a, c / q])
    return np.asarray(roots[np.isfinite(roots)])

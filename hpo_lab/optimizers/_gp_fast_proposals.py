"""Where ``gp_fast`` looks: its first design, its candidates, and how the best are refined.

Imported late, as it imports scipy and numba.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from hpo_lab.optimizers._encoding import Encoding
from hpo_lab.optimizers._gp_fast_acquisition import Acquisition
from hpo_lab.optimizers._gp_fast_model import Model
from hpo_lab.optimizers._moves import neighbours
from hpo_lab.optimizers._quasi import placed, width
from hpo_lab.space import Bools, Floats, Ints, Points, Real, Space

_NEAREST = -3.0  # log10 of the smallest part of the way that a local candidate goes
_STEP = 0.05  # of a real axis, among the moves of one coordinate
_MOVES = 1000  # moves of one coordinate that are looked at in one go, at most
_PASSES = 3  # of moves of one coordinate, each from the best of the last


@dataclass(frozen=True, slots=True)
class Scope:
    """How far the search for the best point goes: the settings of the strategy that say so."""

    candidates: int
    local: float
    starts: int
    steps: int


class Visited:
    """Draws points that were not asked for yet, while there are such."""

    def __init__(self, space: Space, candidates: int, rng: np.random.Generator) -> None:
        self.space, self.candidates, self.rng = space, candidates, rng
        self.keys: set[bytes] = set()
        self.all = space.enumerate() if space.size <= candidates else None

    def add(self, points: Points) -> None:
        """From now on these points are visited."""
        self.keys |= {bytes(key) for key in points.keys()}  # noqa: SIM118 (not a mapping)

    def new(self, points: Points) -> Bools:
        """Return which points (n,) are not visited and no repetition of an earlier row."""
        seen, fresh = set(self.keys), np.empty(len(points), dtype=bool)
        for row, key in enumerate(points.keys()):
            fresh[row] = bytes(key) not in seen
            seen.add(bytes(key))
        return fresh

    def design(self, n: int) -> Points:
        """Return a Latin hypercube of n points, repetitions replaced by new draws."""
        columns = width(self.space)
        strata = self.rng.permuted(np.tile(np.arange(n), (columns, 1)), axis=1).T
        points = placed(self.space, (strata + self.rng.random((n, columns))) / n)
        points = points[self.new(points)]
        self.add(points)
        if len(points) == n:
            return points
        return Points.concatenate([points, self.draw(n - len(points))])

    def draw(self, n: int) -> Points:
        """Return n draws of the reference measure, new ones first."""
        drawn = self.space.sample(max(self.candidates, n), self.rng)
        fresh = drawn[self.new(drawn)][:n]
        if len(fresh) < n and self.all is not None:
            rest = self.all[self.rng.permutation(len(self.all))]
            both = Points.concatenate([fresh, rest])
            fresh = both[self.new(both)][:n]
        self.add(fresh)
        return Points.concatenate([fresh, drawn])[:n]


class Proposer:
    """Finds the point of the highest acquisition."""

    def __init__(self, encoding: Encoding, scope: Scope, visited: Visited) -> None:
        self.encoding, self.scope, self.visited = encoding, scope, visited
        self.rng = visited.rng
        columns = [0, *(1 + j for j, (_, axis) in enumerate(encoding.places) if _is_real(axis))]
        self.real: Ints = np.array(columns[1:], dtype=np.int64)
        self.discrete = len(encoding.places) > len(self.real)

    def best(self, model: Model, acquisition: Acquisition, target: float, anchor: Floats) -> Points:
        """Return one point, new if a new one is found; ``anchor`` (width,) is the incumbent."""
        hope = _Hope(model, acquisition, target)
        if self.visited.all is not None:
            fresh = self.visited.all[self.visited.new(self.visited.all)]
            if len(fresh):
                fresh = fresh[self.rng.permutation(len(fresh))]  # ties fall to no corner
                return self._first(fresh, hope(self.encoding.encode(fresh)))
        far, near = self._candidates(anchor)
        tables = [self.encoding.encode(points) for points in (far, near) if len(points)]
        values = [hope(table) for table in tables]
        half = -(-self.scope.starts // len(tables))
        ranks = [np.argsort(-value, kind="stable")[:half] for value in values]
        starts = [table[rank] for table, rank in zip(tables, ranks, strict=True)]
        refined = self._refined(np.concatenate(starts), hope)
        pool = np.concatenate([refined, *tables])
        return self._first(self.encoding.decode(pool), np.concatenate([hope(refined), *values]))

    def _first(self, points: Points, values: Floats) -> Points:
        """The best point that is new; the best one if none is."""
        order = np.argsort(-values, kind="stable")
        for row in order:
            chosen = points[int(row)]
            if bytes(chosen.keys()[0]) not in self.visited.keys:
                break
        else:
            chosen = points[int(order[0])]
        self.visited.add(chosen)
        return chosen

    def _candidates(self, anchor: Floats) -> tuple[Points, Points]:
        """Draws of the reference measure, and draws near the anchor."""
        space, count = self.encoding.space, self.scope.candidates
        near = round(self.scope.local * count)
        family = np.full(near, int(anchor[0]))
        goal = space.from_unit(family, self.rng.random((near, space.width)))
        goals = self.encoding.encode(goal)
        part = 10.0 ** self.rng.uniform(_NEAREST, 0.0, (near, 1))
        moved = anchor + part * (goals - anchor)
        renamed = self.rng.random(goals.shape) < 1.0 / self.encoding.width
        nominal = np.array(self.encoding.nominal)
        table = np.where(nominal, np.where(renamed, goals, anchor), moved)
        return space.sample(count - near, self.rng), self.encoding.decode(table)

    def _refined(self, table: Floats, hope: _Hope) -> Floats:
        """The rows (k, width), climbed along real axes; then the best moved along the others."""
        table = self._climbed(table, hope)
        if not self.discrete:
            return table
        values = hope(table)
        for _ in range(_PASSES):
            at = table[[int(np.argmax(values))]]
            moves = neighbours(self.encoding.space, self.encoding.decode(at), _STEP)
            if len(moves) == 0:
                break
            if len(moves) > _MOVES:
                moves = moves[self.rng.permutation(len(moves))[:_MOVES]]
            moved = self.encoding.encode(moves)
            promise = hope(moved)
            if promise.max() <= values.max():
                break
            better = self._climbed(moved[[int(np.argmax(promise))]], hope)
            table, values = np.concatenate([table, better]), np.append(values, hope(better))
        return table

    def _climbed(self, table: Floats, hope: _Hope) -> Floats:
        """The rows (k, width) after a common ascent along the real axes of their families."""
        free = np.zeros(table.shape, dtype=bool)
        free[:, self.real] = self.encoding.active[table[:, 0].astype(np.int64)][:, self.real - 1]
        start = table[free]
        if len(start) == 0 or self.scope.steps == 0:
            return table

        def loss(unit: Floats) -> tuple[float, Floats]:
            moved = table.copy()
            moved[free] = unit
            values, gradient = hope.climb(moved)
            return -float(values.sum()), -gradient[free]

        found = minimize(
            loss,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, 1.0)] * len(start),
            options={"maxfun": self.scope.steps},
        )
        climbed = table.copy()
        climbed[free] = found.x
        return climbed


class _Hope:
    """The acquisition over rows of a table."""

    def __init__(self, model: Model, acquisition: Acquisition, target: float) -> None:
        self.model, self.acquisition, self.target = model, acquisition, target

    def __call__(self, table: Floats) -> Floats:
        """The values (m,)."""
        mean, deviation = self.model.predict(self.model.columns.of(table))
        return self.acquisition(mean, deviation, self.target)

    def climb(self, table: Floats) -> tuple[Floats, Floats]:
        """The values (m,) and their gradients (m, width), zero where a column holds names."""
        columns = self.model.columns
        told = self.model.posterior(columns.of(table))
        value, by_mean, by_deviation = self.acquisition.slopes(
            told.mean, told.deviation, self.target
        )
        gradient = np.zeros(table.shape)
        gradient[:, columns.order[: columns.numbers]] = (
            by_mean[:, None] * told.mean_gradient + by_deviation[:, None] * told.deviation_gradient
        )
        return value, gradient


def _is_real(axis: object) -> bool:
    return isinstance(axis, Real)

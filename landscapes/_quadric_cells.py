"""How low a quadratic bowl is in its own cell, where the bowls have shapes of their own.

    min s_k(y)  subject to  D_j(y) = s_k(y) − s_j(y) ≤ 0 for all j,  low ≤ y ≤ high

The D_j are quadratics of any curvature, so this is not convex. Two certificates make an answer
exact: bisection down to boxes in each of which some D_j is positive shows that there is nothing;
and where the Lagrangian s_k + Σ λ_j D_j of a local solution is convex, its minimum over the box is
a lower bound (weak duality), so that a gap of rounding proves the solution. Neither may succeed.
Sources: Boyd & Vandenberghe 2004, §5.2 (duality) and appendix B (quadratics); Moore 1966.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hpo_lab.space import Floats
from landscapes._nearest import Group, least_squares_in_box, membership
from landscapes._quadrics import Quadrics

BOXES = 300  # parts of the box that may be open at a time
HALVINGS = 40
GAP = 1e-9  # between a solution and its certificate, absolute and relative
ACTIVE = 1e-7  # how far from 0 a constraint may be that counts as met with equality


@dataclass(frozen=True, eq=False)
class Forms:
    """The bowls in the values y that groups of coordinates have in common, inside a box.

    s_k(y) = y' P_k y − 2 b_k' y + e_k: ``p`` (K, g, g), ``b`` (K, g), ``e`` (K,).
    """

    p: Floats
    b: Floats
    e: Floats
    low: Floats
    high: Floats

    @staticmethod
    def of(quadrics: Quadrics, groups: list[Group]) -> Forms:
        """Return the bowls over groups whose values are ranges; fixed ones are put in."""
        member = membership(groups, quadrics.centres.shape[1])
        low, high = np.array([g.low for g in groups]), np.array([g.high for g in groups])
        free = high > low
        factors = quadrics.factors @ member[free].T
        away = quadrics.centres - low[~free] @ member[~free]
        aims = np.einsum("kij,kj->ki", quadrics.factors, away)
        return Forms(
            np.swapaxes(factors, 1, 2) @ factors,
            np.einsum("kij,ki->kj", factors, aims),
            (aims**2).sum(axis=1) + quadrics.offsets,
            low[free],
            high[free],
        )

    def lowest_in_cell(self, k: int) -> float:
        """Return the lowest s_k in its cell and the box: inf for nothing, nan for not known."""
        less = Forms(
            self.p[k] - self.p, self.b[k] - self.b, self.e[k] - self.e, self.low, self.high
        )
        middles = less.perhaps_negative()
        if not len(middles):
            return math.inf
        over = less.values(middles).max(axis=1)
        y = self._solved(k, less, middles[np.argmin(over)])
        value = float(self.values(y[None])[0, k])
        gap, below = GAP * max(1.0, value), self._certificate(k, less, y)
        feasible = less.values(y[None]).max() <= gap
        return below if feasible and abs(value - below) <= gap else math.nan

    def values(self, y: Floats) -> Floats:
        """Return all quadratics (n, K) at y (n, g)."""
        square = np.einsum("ni,kij,nj->nk", y, self.p, y, optimize=True)
        return np.asarray(square - 2.0 * y @ self.b.T + self.e)

    def slopes(self, y: Floats) -> Floats:
        """Return their gradients (n, K, g) at y (n, g)."""
        return np.asarray(2.0 * (np.einsum("kij,nj->nki", self.p, y) - self.b))

    def perhaps_negative(self) -> Floats:
        """Return the middles (n, g) of boxes, of which no other point has all quadratics ≤ 0.

        On a box of half-sides h a quadratic is at least its value in the middle − |gradient|' h −
        Σ_{i≠j} |P_ij| h_i h_j + Σ min(P_ii, 0) h_i².
        """
        middles, half = (self.low + self.high)[None] / 2.0, (self.high - self.low) / 2.0
        bend = np.abs(self.p)
        own = np.einsum("kii->ki", bend)
        own[...] = np.maximum(-np.einsum("kii->ki", self.p), 0.0)
        for _ in range(HALVINGS):
            reach = np.abs(self.slopes(middles)) @ half + half @ bend @ half
            middles = middles[(self.values(middles) - reach <= 0.0).all(axis=1)]
            if not len(middles) or 2 * len(middles) > BOXES:
                break
            side = int(np.argmax(half))
            half = np.where(np.arange(len(half)) == side, half / 2.0, half)
            step = np.where(np.arange(len(half)) == side, half, 0.0)
            middles = np.concatenate([middles - step, middles + step])
        return middles

    def _solved(self, k: int, less: Forms, start: Floats) -> Floats:
        """A local solution (g,) by sequential quadratic programming."""
        from scipy.optimize import minimize

        others = np.arange(len(self.e)) != k
        found = minimize(  # type: ignore[call-overload, unused-ignore]
            lambda y: self.values(y[None])[0, k],
            start,
            jac=lambda y: self.slopes(y[None])[0, k],
            method="SLSQP",
            bounds=list(zip(self.low, self.high, strict=True)),
            constraints={
                "type": "ineq",
                "fun": lambda y: -less.values(y[None])[0, others],
                "jac": lambda y: -less.slopes(y[None])[0, others],
            },
            options={"ftol": 1e-15, "maxiter": 100},
        )
        return np.asarray(np.clip(found.x, self.low, self.high))

    def _certificate(self, k: int, less: Forms, y: Floats) -> float:
        """The least Lagrangian in the box, with the multipliers of a solution; −inf for none."""
        from scipy.optimize import nnls

        met = np.flatnonzero(less.values(y[None])[0] > -ACTIVE)
        met = met[met != k]
        eye = np.eye(len(y))
        walls = [-eye[y <= self.low + ACTIVE], eye[y >= self.high - ACTIVE]]
        rows = np.vstack([less.slopes(y[None])[0, met], *walls])
        pull = -self.slopes(y[None])[0, k]
        weights = nnls(rows.T, pull)[0][: len(met)] if len(rows) else np.empty(0)
        p = self.p[k] + np.tensordot(weights, less.p[met], 1)
        b = self.b[k] + weights @ less.b[met]
        e = float(self.e[k] + weights @ less.e[met])
        try:
            root = np.linalg.cholesky(p)
        except np.linalg.LinAlgError:  # not convex
            return -math.inf
        aim = np.linalg.solve(root, b)
        return least_squares_in_box(root.T, aim, self.low, self.high)[1] + e - float(aim @ aim)

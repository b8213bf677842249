"""Peaks: a max-set of Gaussians, turned over so that it is minimised.

    f(x) = 1 − max over k of w_k exp(−‖x − c_k‖²_Σk / (2d)),   ‖z‖²_Σ = zᵀ Σ⁻¹ z

Source: Gallagher & Yuan 2006, "A general-purpose tunable landscape generator", IEEE Transactions
on Evolutionary Computation 10(5), eq. 6, with its root 1/d. Where all peaks share one Σ their
basins are the cells of a power diagram (Aurenhammer 1987).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar, Literal

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum, generator, keyed_normal
from hpo_lab.region import Box, Interval, Region
from hpo_lab.space import Floats, Ints, Points, Real, Space
from landscapes._nearest import NODES, Group, Nearest, nearest
from landscapes._power import Cells, PowerDiagram, cell_minima, cell_shares
from landscapes._quadrics import Quadrics, factors
from landscapes._separable import NOWHERE, MinOfSeparables, Separable, Valleys, groups
from landscapes._share import Share

LOW, HIGH = -5.0, 5.0
PROPOSALS = 2000  # places tried for a peak before all peaks are made narrower
AT_ONCE = 50  # of them: the first ones will mostly do
OWN_NODES = 500  # branches tried for each of the peaks whose cells are no polytopes
SHIFTS = 16  # of the lattice by which basins are measured where their volume has no formula


@dataclass(frozen=True)
class Peaks(Landscape):
    """A smooth landscape of Gaussian peaks in a box: its optimum, minima and basins are known.

    The universe is [-5, 5]^dimension, axes x1, x2, …; values lie in [0, 1] and the optimum is 0.
    There are exactly ``peaks`` local minima, at the centres: none lies under another peak. Centres
    are uniform in the box, given that.

    *Heights.* The best peak has height 1, the others have heights between ``shortest`` and
    ``tallest`` by the law ``heights``: ``uniform`` at random, ``linear`` in equal steps,
    ``geometric`` in equal ratios, both from the tallest down. With both bounds 1 every peak is a
    global optimum.

    *Shapes.* The width is σ = 2.5 / peaks^(1/dimension), a tenth narrower as often as the peaks do
    not fit. ``conditioning`` is the ratio of Σ's largest to its smallest variance. With
    ``covariance`` ``shared`` all peaks have one Σ, whose first axis is the narrowest; with
    ``individual`` each has the same variances in its own order, and its own width: log-uniform
    around σ, the widest at most ``widths`` times the narrowest. ``rotation`` turns the principal
    axes at random: all alike, or each peak its own way. These dials share the random centres: a
    peak only moves where it would come to lie under another one.

    *Basins.* A basin is the set of points where its peak is the highest. With a shared Σ these are
    convex, and steepest descent in the metric of Σ (the ordinary one at conditioning 1) from any
    point ends at the bottom of its basin. With individual ones their borders are quadrics, which
    descent may cross: it ends elsewhere from 1 to 12 starts in a hundred, the more the more the
    shapes differ and the fewer dimensions there are.

    *Truth.* ``optimum`` is exact for every declared space; only where rotated peaks meet a large
    grid it may come as bounds. ``minima().masses`` are exact with a shared Σ up to four dimensions
    (five up to 40 peaks) and with individual ones in one, ``estimated_masses`` are there always.
    ``near_optimal`` is the share of points within epsilon of the optimum.

    ``noise`` is the standard deviation of what a strategy is told; the truth has none. A point
    outside the universe is evaluated by the formula (calling the landscape refuses it).

    >>> f = Peaks(dimension=2, peaks=30, instance=1)
    >>> f.optimum().value, len(f.minima().values)
    (0.0, 30)
    >>> f([[0.0, 0.0], [1.0, 2.0]]).shape
    (2,)
    >>> Peaks(2, 30, covariance="individual", conditioning=10.0, rotation=True).optimum().value
    0.0
    """

    dimension: int = 2
    peaks: int = 30
    instance: int = 1
    conditioning: float = 1.0
    noise: float = 0.0
    covariance: Literal["shared", "individual"] = "shared"
    rotation: bool = False
    widths: float = 1.0
    heights: Literal["uniform", "linear", "geometric"] = "uniform"
    shortest: float = 0.4
    tallest: float = 0.95
    name: ClassVar[str] = "peaks"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise InputError(f"dimension must be at least 1, not {self.dimension}")
        if self.peaks < 1:
            raise InputError(f"peaks must be at least 1, not {self.peaks}")
        self._check_shapes()
        if self.heights not in ("uniform", "linear", "geometric"):
            raise InputError(f'heights must be uniform, linear or geometric, not "{self.heights}"')
        if not 0.0 < self.shortest <= self.tallest <= 1.0:
            raise InputError(
                "heights need 0 < shortest <= tallest <= 1, "
                f"not shortest {self.shortest} and tallest {self.tallest}"
            )
        if not (math.isfinite(self.noise) and self.noise >= 0.0):
            raise InputError(f"noise must be a standard deviation from 0 on, not {self.noise}")

    def _check_shapes(self) -> None:
        if not (math.isfinite(self.conditioning) and self.conditioning >= 1.0):
            raise InputError(f"conditioning must be a number from 1 on, not {self.conditioning}")
        if self.conditioning > 1.0 and self.dimension == 1:
            raise InputError("conditioning compares axes: with dimension 1 it must be 1")
        if self.covariance not in ("shared", "individual"):
            raise InputError(f'covariance must be shared or individual, not "{self.covariance}"')
        if not (math.isfinite(self.widths) and self.widths >= 1.0):
            raise InputError(f"widths must be a ratio from 1 on, not {self.widths}")
        if self.widths > 1.0 and self.covariance == "shared":
            raise InputError('widths compares peaks: give it covariance = "individual", or 1')
        if self.rotation and self.dimension == 1:
            raise InputError("rotation turns axes: with dimension 1 it must be false")

    @cached_property
    def universe(self) -> Space:
        """The box [-5, 5]^dimension."""
        return Space.box(*[Real(f"x{i}", LOW, HIGH) for i in range(1, self.dimension + 1)])

    @cached_property
    def _quadrics(self) -> Quadrics:
        """f = 1 − exp(−min_k s_k): the peaks as quadratic bowls."""
        rng = generator(self, self.dimension, self.peaks, self.instance)
        offsets = -np.log(np.append(1.0, self._heights(rng)))
        turns, shapes = self._turns(), self._shapes()
        variance = (2.5 / self.peaks ** (1 / self.dimension)) ** 2
        while True:
            curvature = 1.0 / (2.0 * self.dimension * (shapes * variance))
            centres = _placed(curvature, turns, offsets, rng)
            if centres is not None:
                return Quadrics(curvature, centres, offsets, turns)
            variance = variance * 0.81

    def _heights(self, rng: np.random.Generator) -> Floats:
        """The heights (peaks − 1,) of all peaks but the best."""
        count = self.peaks - 1
        if self.heights == "uniform":
            return self.shortest + (self.tallest - self.shortest) * rng.random(count)
        steps = np.linspace if self.heights == "linear" else np.geomspace
        return np.asarray(steps(self.tallest, self.shortest, count))

    def _shapes(self) -> Floats:
        """The variances (peaks, dimension) along the principal axes, in units of σ²."""
        share = np.linspace(-0.5, 0.5, self.dimension) if self.dimension > 1 else np.zeros(1)
        shapes = np.tile(self.conditioning**share, (self.peaks, 1))
        if self.covariance == "shared":
            return shapes
        rng = generator(self, self.dimension, self.peaks, self.instance, "shapes")
        widths = self.widths ** (rng.random(self.peaks) - 0.5)
        return np.asarray(rng.permuted(shapes, axis=1) * widths[:, None] ** 2)

    def _turns(self) -> Floats:
        """Rotations, uniform at random: none, one, or one a peak (0 | 1 | peaks, d, d)."""
        count = (self.peaks if self.covariance == "individual" else 1) if self.rotation else 0
        rng = generator(self, self.dimension, self.peaks, self.instance, "turns")
        return np.array(
            [_rotation(self.dimension, rng) for _ in range(count)], dtype=float
        ).reshape(count, self.dimension, self.dimension)

    @cached_property
    def _diagram(self) -> PowerDiagram | None:
        """The power diagram of the basins, where all peaks share one shape."""
        if self.covariance == "individual":
            return None
        bowls = self._quadrics
        turn = bowls.turns[0] if len(bowls.turns) else None
        return PowerDiagram(bowls.curvature[0], bowls.centres, bowls.offsets, turn)

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,); any real coordinates will do."""
        from landscapes._peaks_kernels import turned_over

        values, _ = self._quadrics.lowest(points.values)
        turned_over(values)
        return values

    def observe(self, points: Points, repetition: int = 0, replicate: Ints | None = None) -> Floats:
        """Return f plus normal noise (n,), keyed by instance, repetition, point and replicate."""
        truth = self.evaluate(points)
        if not self.stochastic:
            return truth
        again = np.zeros(len(points), dtype=np.int64) if replicate is None else replicate
        return truth + self.noise * keyed_normal(points, self.instance, repetition, again)

    @property
    def stochastic(self) -> bool:
        """Whether there is noise."""
        return self.noise > 0.0

    @cached_property
    def _separable(self) -> MinOfSeparables:
        """The bowls as sums over axes, where they are not rotated."""
        bowls, flat = self._quadrics, np.zeros(self.peaks)
        terms = tuple(
            Valleys(a, centre, flat, centre)
            for a, centre in zip(bowls.curvature.T, bowls.centres.T, strict=True)
        )
        return MinOfSeparables(self.universe, (Separable(terms, _Over(bowls.offsets), self.peaks),))

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside any region: each peak's nearest point to it.

        Where rotated peaks meet a grid on which branch and bound comes to no end, certified bounds.
        """
        found = self._lowest_turned(region) if self.rotation else self._separable.lowest(region)
        if isinstance(found, Bounds):
            return found
        return Optimum(float(self.evaluate(found.point)[0]), found.point)

    def _lowest_turned(self, region: Region) -> Optimum | Bounds:
        found: list[Nearest] = []
        for box in region:
            sides = _sides(self.universe, box)
            if sides is not None:
                found.append(nearest(self._quadrics.bowls, sides))
        if not found:
            return NOWHERE
        best = min(found, key=lambda one: one.value)
        point, below = self.universe.points(best.place), min(one.below for one in found)
        if Nearest(best.place, best.value, below).exact:
            return Optimum(0.0, point)
        high = float(self.evaluate(point)[0])
        return Bounds(-math.expm1(-below), high, f"branch and bound, stopped after {NODES:,} nodes")

    def minima(self) -> Minima:
        """Return all minima, best first, with their basins; see the class for what is exact.

        ``lowest`` of a region is exact with a shared Σ. With individual ones it is exact in
        regions of finitely many points or lines; in boxes it is exact wherever a certificate is
        found, and nan elsewhere: for 1 to 10 basins in a hundred up to five dimensions, for up to a
        third in ten.
        """
        return _minima(self)

    def near_optimal(self, epsilon: float) -> Share:
        """Return the share of the universe in which f is at most epsilon above the optimum.

        Exact in one dimension, with a shared Σ in two, and wherever the ellipsoids
        {f_k ≤ epsilon} lie inside the box and do not meet; otherwise an estimate with its standard
        error, the same every time. Raises InputError where epsilon is no number from 0 on.

        >>> share = Peaks(dimension=10, peaks=5).near_optimal(1e-6)
        >>> share.exact, share.how
        (True, 'exact: ellipsoids inside the box that do not meet')
        """
        from landscapes._level_set import share_below

        if not epsilon >= 0.0:
            raise InputError(f"epsilon must be a number from 0 on, not {epsilon}")
        level = -math.log1p(-epsilon) if epsilon < 1.0 else math.inf
        rng = generator(self, "near_optimal")
        return share_below(self._quadrics, self._diagram, level, LOW, HIGH, rng)

    def estimated_masses(self, points: int = 2**18) -> tuple[Floats, Floats]:
        """Return estimates (m,) of the basins' shares of the universe, and standard errors (m,).

        For any dimension and covariance, in the order of ``minima``; the same every time. From
        random shifts of a lattice of so many points altogether: Cranley & Patterson 1976, with the
        generators of Roberts 2018 (powers of the root of x^(d+1) = x + 1).
        """
        if points < SHIFTS:
            raise InputError(f"points must be at least {SHIFTS}, not {points}")
        labels = self.minima().labels
        rng, each = generator(self, "estimated_masses"), points // SHIFTS
        lattice = np.arange(each)[:, None] * _steps(self.dimension) % 1.0
        shares = np.empty((SHIFTS, self.peaks))
        for row in shares:
            places = LOW + (HIGH - LOW) * ((lattice + rng.random(self.dimension)) % 1.0)
            row[:] = np.bincount(labels(self.universe.points(places)), minlength=self.peaks) / each
        errors = shares.std(axis=0, ddof=1) / math.sqrt(SHIFTS)
        return shares.mean(axis=0), np.maximum(errors, 1.0 / (SHIFTS * each + 2.0))


@dataclass(frozen=True, eq=False)
class _Over:
    """g_k(s) = 1 − exp(−(s + o_k))."""

    offsets: Floats

    def __call__(self, sums: Floats) -> Floats:
        return -np.expm1(-(sums + self.offsets))


def _rotation(d: int, rng: np.random.Generator) -> Floats:
    """An orthogonal matrix, uniform at random (Mezzadri 2007)."""
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return np.asarray(q * np.sign(np.diag(r)))


def _steps(d: int) -> Floats:
    """The generators (d,) of a lattice of low discrepancy."""
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (d + 1))
    return np.asarray(root ** -np.arange(1.0, d + 1.0) % 1.0)


def _sides(universe: Space, box: Box) -> list[Group] | None:
    """The values that the coordinates may have in a box, None where it is empty."""
    sides = groups(universe, box)
    if any(not isinstance(common, Interval) and not len(common) for _, common in sides):
        return None
    return [Group.of(tuple(columns), common) for columns, common in sides]


def _placed(
    curvature: Floats, turns: Floats, offsets: Floats, rng: np.random.Generator
) -> Floats | None:
    """Centres (K, d), uniform given that no peak lies under another; None where they do not fit."""
    centres = np.empty(curvature.shape)
    shapes = factors(curvature, turns) if len(turns) else None

    def distances(away: Floats, rows: slice) -> Floats:
        """Of gaps (n, k, d) in the metric of each of the peaks in the rows."""
        if shapes is None:
            return np.asarray((away**2 * curvature[rows]).sum(axis=2))
        return np.asarray((np.einsum("kij,nkj->nki", shapes[rows], away) ** 2).sum(axis=2))

    for k in range(len(offsets)):
        proposals = LOW + (HIGH - LOW) * rng.random((PROPOSALS, curvature.shape[1]))
        higher = offsets[k] - offsets[:k]
        for some in np.split(proposals, range(AT_ONCE, PROPOSALS, AT_ONCE)):
            away = some[:, None, :] - centres[:k]
            free = (distances(away, slice(0, k)) > higher).all(axis=1)
            free &= (distances(away, slice(k, k + 1)) > -higher).all(axis=1)
            if free.any():
                centres[k] = some[np.argmax(free)]
                break
        else:
            return None
    return centres


@lru_cache(maxsize=16)
def _minima(landscape: Peaks) -> Minima:
    bowls, universe = landscape._quadrics, landscape.universe
    order = np.argsort(bowls.offsets, kind="stable")
    points = universe.points(bowls.centres[order])
    rank = np.argsort(order)

    def labels(given: Points) -> Ints:
        return rank[bowls.lowest(given.values)[1]]

    def lowest(region: Region) -> Floats:
        found = _in_cells(landscape, region)[order]
        return np.where(np.isfinite(found), -np.expm1(-found), found)

    masses = _masses(landscape)
    values = landscape.evaluate(points)
    return Minima(points, values, labels, lowest, None if masses is None else masses[order])


def _masses(landscape: Peaks) -> Floats | None:
    """The basins' shares (K,), where they are known exactly."""
    if landscape._diagram is not None:
        return cell_shares(landscape._diagram, LOW, HIGH)
    if landscape.dimension > 1:
        return None
    line = landscape._quadrics.pieces(np.zeros(1), np.ones(1), LOW, HIGH)
    return line.shares(landscape.peaks)


def _in_cells(landscape: Peaks, region: Region) -> Floats:
    """The lowest s (K,) in each cell and the region: inf where they do not meet, nan if unknown."""
    diagram, universe = landscape._diagram, landscape.universe
    if diagram is not None:
        cells = Cells(diagram, tuple(range(landscape.dimension)))
        return cell_minima(universe, region, (cells,))
    lowest = np.full(landscape.peaks, np.inf)
    for box in region:
        sides = _sides(universe, box)
        if sides is None:
            continue
        found = landscape._quadrics.cells_among(sides)
        lowest = np.minimum(lowest, _own(landscape, box, sides) if found is None else found)
    return lowest


def _own(landscape: Peaks, box: Box, sides: list[Group]) -> Floats:
    """The lowest s (K,) of each bowl in its cell and the box, inf for nothing, nan for unknown.

    It is the bowl's lowest in the box, where no other one is lower; else there is a constraint.
    """
    from landscapes._quadric_cells import Forms

    bowls = landscape._quadrics
    if landscape.rotation:
        found = [nearest([bowl], sides, OWN_NODES) for bowl in bowls.bowls]
        places, exact = np.array([one.place for one in found]), [one.exact for one in found]
    else:
        inside = landscape._separable.in_box(box)
        places, exact = (bowls.centres, []) if inside is None else (inside.points, [True])
    lowest, labels = bowls.lowest(places)
    lowest = np.where(exact & (labels == np.arange(landscape.peaks)), lowest, np.nan)
    if all(side.values is None or side.low == side.high for side in sides):
        forms = Forms.of(bowls, sides)
        for k in np.flatnonzero(np.isnan(lowest)):
            lowest[k] = forms.lowest_in_cell(int(k))
    return lowest

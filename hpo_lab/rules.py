"""Rules: blind spots that nobody declared, learned from some runs and confirmed on the others.

A rule is a region in native units, as "family = attention and heads ≥ 8", that a strategy never
visited or visited at a quarter of the fair density or less. Half of the runs propose a few boxes
(``statistics.Scan``); the other half, which had no say in them, confirm each by the exact visit
test against uniform search with the same budget. So a rule is no luck: what is empty by chance in
one half is visited in the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.region import (
    Among,
    AxisSet,
    Box,
    Interval,
    Region,
    axis_measure,
    contains,
    intersect,
    measure,
    whole_axis,
)
from hpo_lab.space import Axis, Bools, Choice, Floats, Integer, Ints, Points, Space, levels
from hpo_lab.statistics import (
    BY_CONSTRUCTION,
    NEGLECTED,
    NEVER_SEEN,
    Verdicts,
    verdicts,
    visit_chance,
)
from hpo_lab.statistics.scans import Between, Continuum, Levels, Scan, Side, Some, SparseBox

SPARSE = 0.25  # of the fair density: a rule may have at most so much
SOUGHT = 0.1  # of the fair density: what the scan is told to look for
LISTED = 512  # levels of an axis that are told apart; more are a continuum
LEARNED = 20_000  # visits that are learned from at most
SIMULATED = 19  # uniform searches that a single run is compared with: 1 in 20 is 5 %
LEAST = 5.0  # expected visits of a region that can be confirmed at all: exp(-5) < 0.01
ALIKE = 0.5  # two rules with a Jaccard index above this say the same thing


@dataclass(frozen=True, slots=True)
class Rule:
    """A region that a strategy never visited or neglected, and how sure that is.

    ``verdict`` is "never seen", "neglected", or "never, by construction" for a deterministic
    strategy. ``measure`` is the region's share of the space, ``density`` the visits of all runs
    relative to those of uniform search, ``runs_visited`` of ``runs`` came at all, and a run of
    uniform search comes with probability ``expected``. ``p`` is of the exact test on the
    ``confirming`` runs alone, ``adjusted`` corrected over all proposals, ``bound`` the 95 % upper
    bound on the probability that a run comes.
    """

    region: Region
    words: str
    verdict: str
    measure: float
    density: float
    runs_visited: int
    runs: int
    expected: float
    confirming: int
    p: float
    adjusted: float
    bound: float


def blind_rules(
    space: Space,
    points: Points,
    run: Ints,
    budget: int,
    *,
    runs: int | None = None,
    deterministic: bool = False,
    most: int = 5,
    alpha: float = 0.05,
    seed: int = 0,
) -> list[Rule]:
    """Return the regions of a space that a strategy never visited or neglected, largest first.

    ``points`` (n,) are all evaluations of all runs in the space, ``run`` (n,) says in which run
    each was, from 0; there were ``runs`` runs (default: as many as are named) of ``budget``
    evaluations. Where there is a single run, or the strategy is ``deterministic`` (as it is taken
    to be where all runs visit the same points), there is nothing to confirm with: then a rule is
    larger than what the same search for rules finds in each of 19 simulated uniform searches. At
    most ``most`` rules, none of which says what another one says. Raises InputError for counts
    and arrays that do not fit together.

    >>> from hpo_lab.space import Choice, Real
    >>> space = Space.box(Choice("op", ("gat", "gcn", "skip")), Real("lr", 1e-5, 1e-1, log=True))
    >>> seen = space.sample(2000, np.random.default_rng(0))
    >>> seen = seen[(seen.values[:, 0] != 0) | (seen.values[:, 1] < 1e-3)]
    >>> rules = blind_rules(space, seen, np.arange(len(seen)) % 20, 100)
    >>> [(rule.words, rule.verdict) for rule in rules]
    [('op = gat and lr ≥ 0.0011', 'never seen')]
    """
    total = int(run.max(initial=-1)) + 1 if runs is None else runs
    _check(space, points, run, budget, total, most)
    deterministic |= total > 1 and _all_the_same(points, run, total)
    if deterministic or total == 1:
        return _of_one_run(space, points[run == 0], budget, deterministic, most, seed)
    proposed = [one.region for one in _proposals(space, points[run % 2 == 0], most, seed)]
    counts = _counts(space, proposed, points, run, total)
    return _few(space, _confirmed(space, proposed, counts, budget, alpha), most)


def overlap(space: Space, a: Region, b: Region) -> float:
    """Return the Jaccard index of two regions: the measure of what both have over what any has.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", 0, 1))
    >>> half, most = ((Box("", (("x", Interval(0, high)),)),) for high in (0.5, 0.8))
    >>> overlap(space, half, most)
    0.625
    """
    common = measure(space, intersect(a, b))
    either = measure(space, a) + measure(space, b) - common
    return common / either if either > 0 else 0.0


def _check(space: Space, points: Points, run: Ints, budget: int, runs: int, most: int) -> None:
    if len(run) != len(points):
        raise InputError(f"run needs one entry for each of {len(points)} points, not {len(run)}")
    if min(budget, most, runs) < 1:
        raise InputError("budget, most and runs must be at least 1; give some evaluations")
    if len(run) and (run.min() < 0 or run.max() >= runs):
        raise InputError(f"run must number the runs from 0 to {runs - 1}")
    if not space.contains(points).all():
        raise InputError("some points lie outside the space; leave them out or widen it")


def _all_the_same(points: Points, run: Ints, runs: int) -> bool:
    """Whether every run visits the points of the first one, in the same order."""
    lengths = np.bincount(run, minlength=runs)
    if (lengths != lengths[0]).any() or not len(points):
        return False
    keys = points.keys()[np.argsort(run, kind="stable")].reshape(runs, -1)
    return bool((keys == keys[0]).all())


def _counts(space: Space, regions: Sequence[Region], points: Points, run: Ints, runs: int) -> Ints:
    """How often each run came to each region, (runs, regions)."""
    inside = [run[contains(space, region, points)] for region in regions]
    counts = [np.bincount(rows, minlength=runs) for rows in inside]
    return np.array(counts, dtype=np.int64).reshape(len(regions), runs).T


# --- confirming ---------------------------------------------------------------------------------


def _confirmed(
    space: Space, regions: Sequence[Region], counts: Ints, budget: int, alpha: float
) -> list[Rule]:
    """The proposals that hold on the runs that had no say in them: every second one."""
    if not regions:
        return []
    mass = np.minimum([measure(space, region) for region in regions], 1.0)
    held = counts[1::2]
    told = verdicts(
        mass,
        budget,
        (held > 0).sum(axis=0),
        len(held),
        counts=held,
        partition=False,  # proposals may overlap
        alpha=alpha,
    )
    sparse = held.mean(axis=0) <= SPARSE * budget * mass
    sure = np.flatnonzero((told.adjusted <= alpha) & sparse)
    return [_rule(space, regions[i], counts[:, i], budget, told, i) for i in sure.tolist()]


def _rule(
    space: Space, region: Region, counts: Ints, budget: int, told: Verdicts, place: int
) -> Rule:
    mass = measure(space, region)
    return Rule(
        region=region,
        words=in_words(space, region),
        verdict=NEGLECTED if counts.any() else NEVER_SEEN,
        measure=mass,
        density=float(counts.mean()) / (budget * mass),
        runs_visited=int((counts > 0).sum()),
        runs=len(counts),
        expected=float(told.expected[place]),
        confirming=len(counts) // 2,
        p=float(told.p[place]),
        adjusted=float(told.adjusted[place]),
        bound=float(told.upper[place]),
    )


def _of_one_run(
    space: Space, points: Points, budget: int, deterministic: bool, most: int, seed: int
) -> list[Rule]:
    """Rules from a single run: larger than any that the search for rules finds in random search."""
    luck, found = _luck(space, budget, seed), []
    for one in _proposals(space, points, most, seed):
        if one.score <= luck:
            break  # what comes later was not looked for where there is luck alone
        visits = int(contains(space, one.region, points).sum())
        mass = measure(space, one.region)
        if visits > (0 if deterministic else SPARSE * budget * mass):
            continue
        p = math.nan if deterministic else 1 / (SIMULATED + 1)
        found.append(
            Rule(
                region=one.region,
                words=in_words(space, one.region),
                verdict=BY_CONSTRUCTION if deterministic else NEGLECTED if visits else NEVER_SEEN,
                measure=mass,
                density=visits / (budget * mass),
                runs_visited=int(visits > 0),
                runs=1,
                expected=float(visit_chance(min(mass, 1.0), budget)),
                confirming=0,
                p=p,
                adjusted=p,
                bound=math.nan,
            )
        )
    return _few(space, found, most)


@lru_cache(maxsize=256)
def _luck(space: Space, budget: int, seed: int) -> float:
    """The highest score of a proposal in simulated uniform searches of one run."""
    rng = np.random.default_rng(seed)
    proposed = [_proposals(space, space.sample(budget, rng), 1, seed) for _ in range(SIMULATED)]
    return max((one.score for found in proposed for one in found), default=0.0)


def _few(space: Space, rules: Sequence[Rule], most: int) -> list[Rule]:
    """The largest rules, and of those that are alike the one that says most in the fewest words.

    What counts is the share of visits that is missing; "never" is worth a quarter more, and every
    condition costs a twentieth.
    """

    def worth(rule: Rule) -> float:
        never = 1.0 if rule.verdict == NEGLECTED else 1.25
        return rule.measure * (1 - rule.density) * never * 0.95 ** len(rule.region[0].sets)

    kept: list[Rule] = []
    for rule in sorted(rules, key=worth, reverse=True):
        if all(overlap(space, rule.region, other.region) <= ALIKE for other in kept):
            kept.append(rule)
    return sorted(kept, key=lambda rule: -rule.measure)[:most]


# --- proposing ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Proposal:
    region: Region
    score: float


def _proposals(space: Space, points: Points, most: int, seed: int) -> list[_Proposal]:
    """The sparsest boxes one after the other: each is filled with visits before the next."""
    rng = np.random.default_rng(seed)
    if len(points) > LEARNED:
        points = points[np.sort(rng.permutation(len(points))[:LEARNED])]
    n, found = len(points), list[_Proposal]()
    frames = [frame for frame in _frames(space) if frame.share * n >= LEAST]
    best: dict[_Frame, SparseBox] = {}
    for _ in range(most):
        for frame in frames:
            if frame not in best:
                best[frame] = frame.scan(points, n).sparsest(SOUGHT, seed=seed)
        if not best:
            break
        frame = max(best, key=lambda one: best[one].score)
        box, scan = best[frame], frame.scan(points, n)
        if box.score <= 0 or scan.fair * box.mass < LEAST:
            break
        found += [
            _Proposal(frame.region(one, scan.fair), box.score) for one in _versions(scan, box)
        ]
        fill = space.sample(n, rng)
        filled = frame.region(box, scan.fair)
        points = Points.concatenate([points, fill[contains(space, filled, fill)]])
        best = {one: best[one] for one in best if not set(one.families) & set(frame.families)}
    return found


def _versions(scan: Scan, box: SparseBox) -> Iterator[SparseBox]:
    """A box as it is, and the empty one in it where its own density does not explain that."""
    if box.visits:
        yield box
    empty = scan.emptied(box)
    share = empty.mass / box.mass
    surprising = share >= 1 or (1 - share) ** box.visits <= 0.001
    if scan.fair * empty.mass >= LEAST and (surprising or share > 0.8):
        yield empty


@dataclass(frozen=True)
class _Frame:
    """Some families with the axes that they all have; the family is an axis, too."""

    space: Space
    families: tuple[int, ...]

    @property
    def share(self) -> float:
        """The mass of the families."""
        return float(self.space.weights[list(self.families)].sum())

    @property
    def axes(self) -> list[Axis]:
        """The axes of more than one value that all the families have."""
        first, *others = (self.space.families[i].axes for i in self.families)
        return [axis for axis in first if axis.size > 1 and all(axis in one for one in others)]

    def scan(self, points: Points, total: int) -> Scan:
        """The points of these families on these axes; uniform search makes ``total`` visits."""
        rows = np.flatnonzero(np.isin(points.family, self.families))
        lines: list[Continuum | Levels] = []
        if len(self.families) > 1:
            weights = self.space.weights[list(self.families)]
            code = np.searchsorted(self.families, points.family[rows])
            lines.append(Levels(code, weights / weights.sum()))
        for axis in self.axes:
            values = points.values[rows, self.space.columns.index(axis.name)]
            lines.append(_line(axis, values))
        return Scan(tuple(lines), len(rows), total * self.share)

    def region(self, box: SparseBox, fair: float) -> Region:
        """A box in native units: numbers as round as what is known about the edges allows."""
        sides, families = list(box.sides), list(self.families)
        if len(self.families) > 1:
            families = [f for f, kept in zip(families, _mask(sides.pop(0)), strict=True) if kept]
        slack = 1 / (fair * box.mass)
        sets = tuple(
            (axis.name, _native(axis, side, slack))
            for axis, side in zip(self.axes, sides, strict=True)
            if side.edges
        )
        return tuple(Box(self.space.families[f].name, sets) for f in families)


def _frames(space: Space) -> list[_Frame]:
    """Every family alone, all together, and those that share an axis."""
    homes = [
        tuple(i for i, family in enumerate(space.families) if axis in family.axes)
        for axis in dict.fromkeys(axis for family in space.families for axis in family.axes)
    ]
    every = tuple(range(len(space.families)))
    return [_Frame(space, one) for one in dict.fromkeys([every, *homes, *((i,) for i in every)])]


@lru_cache(maxsize=1024)
def _level_masses(axis: Axis) -> Floats:
    """The measure (k,) of each value of a finite axis."""
    return np.array([axis_measure(axis, Among((value,))) for value in levels(axis).tolist()])


def _line(axis: Axis, values: Floats) -> Continuum | Levels:
    if axis.size > LISTED:
        return Continuum(axis.to_unit(values))
    code = np.searchsorted(levels(axis), values)
    return Levels(code, _level_masses(axis), not isinstance(axis, Choice) or axis.ordered)


def _mask(side: Side) -> Bools:
    """Which levels a side of a finite axis has."""
    if isinstance(side, Between):
        raise TypeError("a continuum has no levels")
    return side.mask


def _native(axis: Axis, side: Side, slack: float) -> AxisSet:
    """A side as a set of native values; ``slack`` is how much of it one expected visit takes."""
    if isinstance(side, Some):
        values = levels(axis)[side.mask]
        if isinstance(axis, Choice):
            return Among(tuple(values.tolist()))
        return Interval(float(values[0]), float(values[-1]))
    low, high = float(axis.low), float(axis.high)  # type: ignore[union-attr]
    if side.low > -math.inf:
        low = _edge(axis, side.low, 1, side.mass, slack)
    if side.high < math.inf:
        high = _edge(axis, side.high, -1, side.mass, slack)
    return Interval(low, high)


def _edge(axis: Axis, visit: float, inward: int, width: float, slack: float) -> float:
    """The edge of a box that ends at a visit: a round number somewhat inside of it.

    That visit lies beyond the true edge by an exponential length of mean ``slack`` · ``width``,
    so the edge moves by two of those, by less where that would cost much of a small box.
    """
    step = width * min(2 * slack, max(0.7 * slack, 0.03))
    ends = axis.from_unit(np.array([visit, visit + inward * step, visit + inward * 2.5 * step]))
    if isinstance(axis, Integer):
        return float(ends[0] + inward)
    return roundest(*sorted(ends[1:].tolist()))


def roundest(low: float, high: float) -> float:
    """Return a number between two others that has as few digits as possible.

    >>> roundest(0.2912, 0.3077), roundest(-1234.0, -1180.0), roundest(2.1e-5, 2.9e-5)
    (0.3, -1200.0, 2.5e-05)
    """
    if not high > low:
        return low
    power = math.floor(math.log10(high - low)) + 1
    for decimals, unit in (
        (power, 1),
        (power - 1, 5),
        (power - 1, 2),
        (power - 1, 1),
        (power - 2, 1),
    ):
        whole = math.ceil(low / (unit * 10.0**decimals)) * unit
        value = whole / 10.0**-decimals if decimals < 0 else whole * 10.0**decimals
        if low <= value <= high:
            return float(value)
    return (low + high) / 2


# --- saying -------------------------------------------------------------------------------------


def in_words(space: Space, region: Region) -> str:
    """Return a region whose boxes differ in their families only, as one sentence of conditions.

    >>> space = Space.box(Choice("op", ("gat", "gcn", "gin")), Integer("heads", 1, 16))
    >>> in_words(space, (Box("", (("op", Among((0.0, 2.0))), ("heads", Interval(8, 16)))),))
    'op ≠ gcn and heads ≥ 8'
    """
    homes = [box.family for box in region]
    every = [family.name for family in space.families]
    parts = [_one_of("family", homes, every)] if len(homes) < len(every) else []
    family = space.family(homes[0])
    parts += [_condition(family.axis(name), within) for name, within in region[0].sets]
    return " and ".join(parts) or "everything"


def _condition(axis: Axis, within: AxisSet) -> str:
    if isinstance(within, Among):
        every = [str(axis.native(value)) for value in levels(axis).tolist()]
        return _one_of(axis.name, [str(axis.native(value)) for value in within.values], every)
    if within.low == within.high:
        return f"{axis.name} = {within.low:g}"
    whole = whole_axis(axis)
    if isinstance(whole, Interval) and within.low <= whole.low:
        return f"{axis.name} ≤ {within.high:g}"
    if isinstance(whole, Interval) and within.high >= whole.high:
        return f"{axis.name} ≥ {within.low:g}"
    return f"{within.low:g} ≤ {axis.name} ≤ {within.high:g}"


def _one_of(name: str, kept: Sequence[str], every: Sequence[str]) -> str:
    """What is kept, or what is left out, whichever is shorter."""
    if len(kept) == 1:
        return f"{name} = {kept[0]}"
    left = [option for option in every if option not in kept]
    if len(left) == 1:
        return f"{name} ≠ {left[0]}"
    few, word = (kept, "in") if len(kept) <= len(left) else (left, "not in")
    return f"{name} {word} {{{', '.join(few)}}}"

"""Several assumptions of one declared space, taken alone and in every combination.

Each assumption is anchored to the universe: C_a is the image of a alone, and the space of a set of
assumptions is the intersection of theirs, in whatever order they were written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from hpo_lab.assumption import assume
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Optimum, enumeration
from hpo_lab.measure import LISTED
from hpo_lab.region import (
    AxisSet,
    Box,
    Interval,
    Region,
    axis_values,
    contains,
    intersect,
    intersect_sets,
    whole,
)
from hpo_lab.space import Family, Floats, Ints, Space
from hpo_lab.statistics import members, monotone_bounds, subset_minima
from hpo_lab.study import Part, SpaceSpec, Study

MOST = 12  # assumptions: 4,096 sets of them


@dataclass(frozen=True, eq=False)
class Sets:
    """The optimum of the space of every set of assumptions; bit i of a set is ``players[i]``.

    ``low`` and ``high`` (2^n,) bound it, means over instances; they are equal where it is exact.
    ``players`` leave something out of the universe; ``free`` do not, and have no price.
    """

    players: tuple[Part, ...]
    free: tuple[Part, ...]
    low: Floats
    high: Floats

    @property
    def exact(self) -> bool:
        """Whether every optimum is known, and there is one."""
        return bool((self.low == self.high).all() and np.isfinite(self.low).all())


@lru_cache(maxsize=64)
def _sets(landscapes: tuple[Landscape, ...], chain: tuple[Part, ...]) -> Sets:
    universe = landscapes[0].universe
    images = anchored(universe, chain)
    everything = _canonical(universe, whole(universe))
    free = [_canonical(universe, image) == everything for image in images]
    players = [part for part, no in zip(chain, free, strict=True) if not no]
    if len(players) > MOST:
        raise InputError(
            f"{len(players)} assumptions have too many sets; at most {MOST} are shared"
        )
    regions = [image for image, no in zip(images, free, strict=True) if not no]
    ends = np.array([_optima(landscape, regions) for landscape in landscapes])
    low, high = (np.mean(end, axis=0) for end in (ends[:, 0], ends[:, 1]))
    rest = tuple(part for part, no in zip(chain, free, strict=True) if no)
    return Sets(tuple(players), rest, low, high)


def sets_of(study: Study, landscape: Part, space: SpaceSpec) -> Sets:
    """Return the optima of all sets of a declared space's assumptions on a landscape.

    InputError, one sentence, where the assumptions depend on their order or are too many.
    """
    problems = [study.problem(landscape, space, i) for i in study.instances_of(landscape)]
    return _sets(tuple(one.landscape for one in problems), space.assumptions)


def anchored(universe: Space, chain: Sequence[Part]) -> list[Region]:
    """Return the image of each assumption alone in the universe.

    InputError where that is impossible, or where the images do not intersect in what the whole
    chain declares: then an assumption means something else after another one.
    """
    images = []
    for part in chain:
        try:
            images.append(tightened(universe, part.make()(universe).image))
        except InputError as error:
            raise InputError(
                f'"{in_words(part)}" rests on the assumptions before it ({error}), so that no '
                "share of the price is its own; state it on the universe"
            ) from None
    common = whole(universe)
    for image in images:
        common = intersect(common, image)
    declared = assume(universe, [part.make() for part in chain]).image
    if _canonical(universe, common) != _canonical(universe, declared):
        raise InputError(
            "the assumptions mean something else in another order, so that the price cannot be "
            f"shared among them: {_culprit(universe, chain)}"
        )
    return images


def _culprit(universe: Space, chain: Sequence[Part]) -> str:
    """The first assumption whose effect is not that of its image alone, and what to do."""
    for last in range(1, len(chain)):
        view = assume(universe, [part.make() for part in chain[:last]])
        alone = chain[last].make()(universe).image
        after = view.then(chain[last].make()(view.declared)).image
        both = intersect(tightened(universe, view.image), tightened(universe, alone))
        if _canonical(universe, both) != _canonical(universe, after):
            return (
                f'"{in_words(chain[last])}" depends on what was declared before it; state its '
                "values as they lie in the universe"
            )
    return "state each of them as it lies in the universe"


def tightened(space: Space, region: Region) -> Region:
    """Return the same region with every tied axis confined to what all of its tie allow."""
    boxes = (_tightened(space.family(box.family), box) for box in region)
    return tuple(box for box in boxes if box is not None)


def _tightened(family: Family, box: Box) -> Box | None:
    sets = box.full(family)
    ties = _joined_ties(box.ties)
    for tie in ties:
        common: AxisSet | None = sets[tie[0]]
        for name in tie[1:]:
            common = intersect_sets(common, sets[name]) if common is not None else None
        if common is None:
            return None
        sets.update(dict.fromkeys(tie, common))
    return Box(box.family, tuple(sorted(sets.items())), ties)


def _joined_ties(ties: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Ties that share an axis are one tie."""
    groups: list[set[str]] = []
    for tie in ties:
        touching = [group for group in groups if group & set(tie)]
        groups = [group for group in groups if group not in touching]
        groups.append(set(tie).union(*touching))
    return tuple(sorted(tuple(sorted(group)) for group in groups))


def _canonical(space: Space, region: Region) -> dict[str, Any]:
    """What two regions of one box a family have in common if and only if they are equal."""
    found = {}
    for box in tightened(space, region):
        family = space.family(box.family)
        sets = {axis.name: _values(family, axis.name, box) for axis in family.axes}
        if all(sets.values()):
            found[box.family] = sets, box.ties
    return found


def _values(family: Family, name: str, box: Box) -> tuple[Any, ...]:
    within = box.full(family)[name]
    values = axis_values(family.axis(name), within)
    if values is not None:
        return ("values", *values.tolist()) if len(values) else ()
    return ("from", within.low, within.high) if isinstance(within, Interval) else ()


def _optima(landscape: Landscape, regions: Sequence[Region]) -> tuple[Floats, Floats]:
    """Bounds (2^n,) on the optimum inside the intersection of each set of regions."""
    asked = type(landscape).lowest is not Landscape.lowest and landscape.universe.size > LISTED
    table = None if asked else enumeration(landscape)
    if table is None:
        return monotone_bounds(*_asked(landscape, regions))
    outside = [~contains(landscape.universe, region, table.points) for region in regions]
    best = subset_minima(table.truth, np.array(outside).reshape(len(regions), -1).T)
    return best, best


def _asked(landscape: Landscape, regions: Sequence[Region]) -> tuple[Floats, Floats]:
    """The landscape is asked once for each optimum; one more assumption that spares it is free."""
    universe, n = landscape.universe, len(regions)
    low, high = np.full((2, 1 << n), np.nan)
    spared: Ints = np.zeros(1 << n, dtype=np.int64)  # the regions that hold the optimum of a set
    common: list[Region] = [whole(universe)]
    for subset in range(1 << n):
        inside = members(subset)
        if subset:
            top = inside[-1]
            joined = intersect(common[subset ^ 1 << top], regions[top])
            common.append(tightened(universe, joined))
        known = [subset ^ 1 << i for i in inside if spared[subset ^ 1 << i] >> i & 1]
        if known:
            low[subset], high[subset], spared[subset] = (a[known[0]] for a in (low, high, spared))
            continue
        found = landscape.lowest(common[subset]) if subset else landscape.optimum()
        low[subset], high[subset] = _ends(found)
        if isinstance(found, Optimum):
            held = [bool(contains(universe, region, found.point)[0]) for region in regions]
            spared[subset] = sum(1 << i for i, there in enumerate(held) if there)
    return low, high


def _ends(found: Optimum | Bounds) -> tuple[float, float]:
    return (found.value, found.value) if isinstance(found, Optimum) else (found.low, found.high)


def in_words(part: Part, reason: bool = False) -> str:
    """Return an assumption in words: without gat in op1, op2 (with its reason: the team knew …).

    >>> in_words(Part("assumptions", "without", (("axis", ("op1", "op2")), ("option", "gat"))))
    'without gat in op1, op2'
    """
    arguments = dict(part.arguments)
    why = arguments.pop("reason", "")
    axis = arguments.pop("axis", ())
    said = [f"{_shown(v)}" if k in _PLAIN else f"{k} {_shown(v)}" for k, v in arguments.items()]
    where = [f"in {_shown(axis)}" if arguments else _shown(axis)] if axis else []
    return " ".join([part.use, *said, *where]) + (f": {why}" if reason and why else "")


_PLAIN = ("option", "value", "scale", "family")  # arguments that speak for themselves


def _shown(value: object) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, tuple) else str(value)

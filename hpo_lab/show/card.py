"""A landscape's card: what it is, where it comes from, what is known of it, what it is like.

Every number says how it was found: exact, bounded, from how many points, or not at all.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from hpo_lab import descriptors, lattice
from hpo_lab.landscape import Bounds, Enumeration, Landscape, Minima, Optimum, enumeration, identity
from hpo_lab.region import Box
from hpo_lab.sensitivity import Sensitivity, sensitivity_of_family, sensitivity_of_table
from hpo_lab.space import Axis, Choice, Floats, Points, Real, Record, Space

SAMPLE = 1000  # points of the reference measure that a card is made from
STEPS = 50  # of each random walk; there is a walk for every five points of the sample
PATIENCE = 20.0  # seconds that all evaluations of a card may take, as far as can be foreseen
LISTED = 2**21  # points up to which steps, indices and networks are exact
NETWORK = 4000  # minima up to which a local-optima network is made
ESTIMATES = 50_000  # points that the indices of one family are estimated from, at most
GAPS = 0.05  # share of points without a value beyond which a table has no indices
SOURCE = "Source:"  # how a landscape's file begins the sentence on where it comes from
MANY = 100  # evaluations that walks, indices and pictures take for each point of the sample
TRIAL = 1.0  # seconds after which no more points are tried to see how slow a landscape is
CLOSE = 1e-9  # optima whose values differ by no more are equally good


@dataclass(frozen=True)
class Evidence:
    """A landscape with what its card and its picture are both made from, each found once.

    ``sample`` points of the reference measure are drawn with ``seed``; fewer where the landscape
    is so slow that ``PATIENCE`` would not do.
    """

    landscape: Landscape
    sample: int = SAMPLE
    seed: int = 0

    @cached_property
    def rate(self) -> float:
        """Seconds that one point takes, on points not asked for before, once all is loaded."""
        points = self.landscape.universe.sample(64, np.random.default_rng([self.seed, 3]))
        self.values(points[:1])
        asked, begun = 1, time.perf_counter()
        while asked < len(points) and time.perf_counter() - begun < TRIAL:
            self.values(points[asked : 2 * asked])
            asked *= 2
        return (time.perf_counter() - begun) / (asked - 1)

    @cached_property
    def slow(self) -> bool:
        """Whether there is time for a smaller sample only, and for nothing else."""
        return MANY * self.sample * self.rate > PATIENCE

    @cached_property
    def size(self) -> int:
        """How many points the sample has."""
        if not self.slow:
            return self.sample
        return min(max(int(PATIENCE / 2 / self.rate), 8), self.sample)

    def values(self, points: Points) -> Floats:
        """Return the truth (n,); nan where there is none, or it is infinite."""
        found = self.landscape.evaluate(points)
        return np.where(np.isfinite(found), found, np.nan)

    @cached_property
    def points(self) -> Points:
        """The sample."""
        return self.landscape.universe.sample(self.size, np.random.default_rng(self.seed))

    @cached_property
    def truth(self) -> Floats:
        """The sample's values."""
        return self.values(self.points)

    @cached_property
    def table(self) -> Enumeration | None:
        """Every point of a finite universe, where it is small and fast enough."""
        size = self.landscape.universe.size
        if size > LISTED or size * self.rate > PATIENCE:
            return None
        return enumeration(self.landscape)

    @cached_property
    def optimum(self) -> Optimum | Bounds:
        """The optimum of the universe."""
        return self.landscape.optimum()

    @cached_property
    def minima(self) -> Minima | None:
        """All minima: the landscape's own, else those of its table."""
        own = self.landscape.minima()
        return own if own is not None or self.table is None else lattice.minima_of(self.landscape)

    @cached_property
    def basins(self) -> tuple[Floats, str] | None:
        """The basins' shares (m,) of the universe and how they were found: exactly, or counted."""
        if self.minima is None or not len(self.minima.values):
            return None
        if self.minima.masses is not None:
            return self.minima.masses, "exact"
        label = self.minima.labels(self.points)
        shares = np.bincount(label[label >= 0], minlength=len(self.minima.values)) / len(label)
        return shares, f"estimated from {len(label):,} points"

    @cached_property
    def best(self) -> Points | None:
        """The best points: all optimal minima, the optimum, or the best of the sample."""
        if self.minima is not None and len(self.minima.values):
            return self.minima.points[self.minima.values <= self.minima.values[0] + CLOSE]
        if isinstance(self.optimum, Optimum):
            return self.optimum.point
        known = ~np.isnan(self.truth)
        return self.points[int(np.nanargmin(self.truth))] if known.any() else None

    @cached_property
    def network(self) -> lattice.Network | None:
        """The local-optima network of a finite universe with several minima, not too many."""
        table, universe = self.table, self.landscape.universe
        if table is None or universe.size < 2:
            return None
        plain = np.array_equal(table.same, np.arange(len(table.same)))
        found = lattice.descend(universe, table.truth, None if plain else table.same)
        if not 1 < len(found.minima) <= NETWORK:
            return None
        return lattice.network(universe, table.truth, found)


def card(evidence: Evidence) -> Record:
    """Return the card of a landscape as plain values: definition, universe, truth, descriptors.

    >>> from hpo_lab.space import Real, Space
    >>> f = Landscape.of(lambda point: point["x"] ** 2, Space.box(Real("x", -1.0, 1.0)))
    >>> card(Evidence(f, sample=50))["optimum"]["status"]
    'unknown'
    """
    f = evidence.landscape
    return {
        "landscape": f"{f.name}@{f.version}",
        **_arguments(f),
        **_definition(f),
        "unit": f.unit,
        "observed": _observed(evidence),
        "universe": _universe(f),
        "optimum": _optimum(evidence),
        "minima": _minima(evidence),
        "families": _families(evidence),
        "descriptors": [asdict(one) for one in describe(evidence)],
        "sample": {
            "points": evidence.size,
            "walks": 0 if evidence.slow else _walks(evidence.size),
            "steps": STEPS,
            "reach": descriptors.REACH,
            "seed": evidence.seed,
            "reduced": evidence.slow,
            "without_value": int(np.isnan(evidence.truth).sum()),
        },
    }


# ---- definition


def _definition(landscape: Landscape) -> Record:
    """Title, formula and source from the docstring of the landscape's file, and its own summary."""
    module = sys.modules.get(type(landscape).__module__)
    blocks = [
        b for b in (getattr(module, "__doc__", None) or "").strip().split("\n\n") if b.strip()
    ]
    formula = [block for block in blocks if block.startswith("    ")]
    source = [" ".join(b[b.index(SOURCE) :].split()) for b in blocks if SOURCE in b]
    about = (type(landscape).__doc__ or "").strip().split("\n\n")[0]
    if landscape.name == "function":
        return {"title": "A function of one's own.", "formula": [], "source": "", "about": ""}
    return {
        "title": " ".join(blocks[0].split()) if blocks else "",
        "formula": [line[4:].rstrip() for block in formula for line in block.split("\n")],
        "source": " ".join(source).removeprefix(SOURCE).strip(),
        "about": " ".join(about.split()),
    }


def _arguments(landscape: Landscape) -> Record:
    """All arguments, those not at their defaults, and what files that they name hold (a hash)."""
    if landscape.name == "function":
        return {"arguments": {}, "given": {}, "contents": {}}
    found: Record = {"arguments": {}, "given": {}, "contents": {}}
    for key, kept in identity(landscape)["arguments"].items():
        argument = {f.metadata.get("argument", f.name): f for f in fields(landscape)}[key]  # type: ignore[arg-type]
        own = getattr(landscape, argument.name)
        value = own.to_dict() if isinstance(own, Space) else own
        found["arguments"][key] = value
        if own != argument.default:
            found["given"][key] = value
        if "identity" in argument.metadata:
            found["contents"][key] = kept
    return found


def _universe(landscape: Landscape) -> Record:
    space = landscape.universe
    return {
        "points": int(space.size) if math.isfinite(space.size) else None,
        "families": [
            {"name": f.name, "share": float(w), "axes": [_axis(axis) for axis in f.axes]}
            for f, w in zip(space.families, space.weights, strict=True)
        ],
    }


def _axis(axis: Any) -> Record:
    if isinstance(axis, Choice):
        return {"name": axis.name, "options": list(axis.options), "ordered": axis.ordered}
    kind = "real" if isinstance(axis, Real) else "integer"
    return {"name": axis.name, kind: [axis.low, axis.high], "log": axis.log}


# ---- truth


def _observed(evidence: Evidence) -> Record:
    """What a strategy is told: the truth, the truth with noise, or another quantity."""
    f, told = evidence.landscape, math.nan
    observed = f.observe(evidence.points)
    both = np.isfinite(observed) & ~np.isnan(evidence.truth)
    same = bool((observed[both] == evidence.truth[both]).all())
    if both.sum() > 1 and observed[both].std() > 0.0 and evidence.truth[both].std() > 0.0:
        told = float(np.corrcoef(observed[both], evidence.truth[both])[0, 1])
    kind = "noisy" if f.stochastic else "truth" if same else "another quantity"
    return {"kind": kind, "correlation": told}


def _optimum(evidence: Evidence) -> Record:
    found = evidence.optimum
    if isinstance(found, Optimum):
        return {"status": "exact", "value": found.value, "point": found.point.records()[0]}
    known = math.isfinite(found.low) or math.isfinite(found.high)
    truth = evidence.truth[~np.isnan(evidence.truth)]
    return {
        "status": "bounds" if known else "unknown",
        "low": found.low,
        "high": found.high,
        "how": found.how,
        "sampled": float(truth.min()) if len(truth) else math.nan,
    }


def _minima(evidence: Evidence) -> Record:
    """How many minima there are, and how large the basins of the best and of the largest one."""
    found, basins = evidence.minima, evidence.basins
    if found is None or basins is None:
        return {"status": "unknown"}
    masses, how = basins
    best = found.values <= found.values[0] + CLOSE
    families = len(evidence.landscape.universe.families)
    return {
        "status": "exact",
        "count": len(found.values),
        "best": int(best.sum()),
        "by_family": np.bincount(found.points.family, minlength=families).tolist(),
        "values": found.values[:10].tolist(),
        "masses": {
            "how": how,
            "best": float(masses[best].sum()),
            "largest": float(masses.max()),
            "median": float(np.median(masses)),
        },
    }


def _families(evidence: Evidence) -> list[Record]:
    """What is known of each family: its optimum and how many axes matter."""
    return [
        {"family": name, **_lowest(evidence, name), **_indices(found)}
        for name, found in _sensitivities(evidence).items()
    ]


def _lowest(evidence: Evidence, family: str) -> Record:
    landscape = evidence.landscape
    alone = len(landscape.universe.families) == 1
    found = evidence.optimum if alone else landscape.lowest((Box(family),))
    exact = isinstance(found, Optimum)
    return {"optimum": found.value if isinstance(found, Optimum) else None, "exact": exact}


def _indices(found: Sensitivity | None) -> Record:
    if found is None:
        return {"indices": None}
    return {
        "indices": {
            "how": found.how,
            "mean_dimension": found.mean_dimension,
            "effective_dimension": found.effective_dimension(),
            "axes": dict(zip(found.axes, zip(found.first, found.total, strict=True), strict=True)),
        }
    }


def _sensitivities(evidence: Evidence) -> dict[str, Sensitivity | None]:
    space = evidence.landscape.universe
    table, start = evidence.table, 0
    found: dict[str, Sensitivity | None] = {}
    if evidence.slow:
        return dict.fromkeys(family.name for family in space.families)
    for index, family in enumerate(space.families):
        if table is not None:
            stop = start + int(family.size)
            values = table.truth[start:stop].reshape([int(axis.size) for axis in family.axes])
            start = stop
            found[family.name] = _of_table(family.axes, values)
        else:
            rng = np.random.default_rng([evidence.seed, 2])
            sample = _power_of_two(evidence, 2 + len(family.axes))
            found[family.name] = sensitivity_of_family(evidence.values, space, index, sample, rng)
    return found


def _of_table(axes: Sequence[Axis], table: Floats) -> Sensitivity | None:
    """Exact indices; the few points without a value are put at the mean, and it is said."""
    missing = np.isnan(table)
    if not missing.any() or missing.mean() > GAPS:
        return sensitivity_of_table(axes, table)
    found = sensitivity_of_table(axes, np.where(missing, np.nanmean(table), table))
    told = f", {int(missing.sum()):,} of them without a value and put at the mean"
    return found and replace(found, how=found.how + told)


def _power_of_two(evidence: Evidence, blocks: int) -> int:
    """The largest power of two whose so many blocks do not go beyond what may be evaluated."""
    most = min(ESTIMATES, MANY * evidence.size) / blocks
    return int(2 ** max(min(math.floor(math.log2(max(most, 1.0))), 12), 3))


# ---- descriptors


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A number, nan where there is none, and what it was found from."""

    name: str
    value: float
    how: str


def describe(evidence: Evidence) -> list[Descriptor]:
    """Return the descriptors of a landscape: see ``hpo_lab.descriptors`` for what each is.

    Without those along walks where the landscape is slow.
    """
    return [
        *([] if evidence.slow else _along_walks(evidence)),
        *_of_the_sample(evidence),
        *_of_the_network(evidence),
    ]


def _walks(size: int) -> int:
    return max(size // 5, 2)


def _along_walks(evidence: Evidence) -> list[Descriptor]:
    space, walks = evidence.landscape.universe, _walks(evidence.size)
    rng = np.random.default_rng([evidence.seed, 1])
    points = descriptors.random_walks(space, walks, STEPS, rng)
    values = evidence.values(points).reshape(walks, STEPS + 1)
    family = points.family.reshape(walks, STEPS + 1)[:, 0]
    still = np.array([f.size == 1 for f in space.families])[family]
    values = values[~still]
    how = f"{len(values):,} random walks of {STEPS} steps"
    rho, flat, exact = math.nan, math.nan, how
    if evidence.table is not None:
        steps = descriptors.lattice_steps(space, evidence.table.truth)
        rho, flat = steps.correlation, steps.neutrality
        exact = f"exact, all {int(space.size):,} points"
    elif len(values):
        rho = descriptors.autocorrelation(values, 1, family[~still])
        flat = descriptors.neutrality(values)
    lengths = descriptors.step_lengths(points, STEPS)[~still]
    content = descriptors.information_content(np.diff(values, axis=1) / lengths)
    return [
        Descriptor("autocorrelation", rho, exact),
        Descriptor("correlation length", descriptors.correlation_length(rho), exact),
        Descriptor("neutrality", flat, exact),
        Descriptor("information content", content.highest, how),
        Descriptor("partial information", content.partial, how),
    ]


def _of_the_sample(evidence: Evidence) -> list[Descriptor]:
    alone = len(evidence.landscape.universe.families) == 1
    points, truth, best = evidence.points, evidence.truth, evidence.best
    how, table = f"{len(points):,} random points", evidence.table
    if table is not None and len(table.points) <= len(points) and alone:
        points, truth, how = table.points, table.truth, f"all {len(table.points):,} points"
    apart = descriptors.distances(points, points)
    nearest = math.nan
    if best is not None:
        to_best = descriptors.distances(points, best[:1000]).min(axis=1)
        nearest = descriptors.fitness_distance_correlation(to_best, truth)
    known = evidence.minima is not None or isinstance(evidence.optimum, Optimum)
    target = "the optimum" if known else "the best of them"
    found = [
        Descriptor("fitness–distance correlation", nearest, f"{how}, distance from {target}"),
        Descriptor("dispersion", descriptors.dispersion(apart, truth), f"{how}, the best tenth"),
    ]
    if not alone:
        found.append(Descriptor("variance between families", _between(points, truth), how))
    return found


def _between(points: Points, values: Floats) -> float:
    """The share of the variance that the family alone explains: the family's first-order index."""
    known = ~np.isnan(values)
    family, f = points.family[known], values[known]
    counts = np.bincount(family)
    if not len(f) or f.var() == 0.0:
        return math.nan
    means = np.bincount(family, weights=f) / np.maximum(counts, 1)
    return float(counts @ (means - f.mean()) ** 2 / len(f) / f.var())


def _of_the_network(evidence: Evidence) -> list[Descriptor]:
    network = evidence.network
    if network is None:
        return []
    found = descriptors.network_measures(network.edges)
    how = f"local-optima network of {found.minima:,} minima, exact"
    return [
        Descriptor("funnels", float(found.funnels), how),
        Descriptor("minima in the best funnel", found.funnel, how),
        Descriptor("strength of the optimum", found.strength, how),
        Descriptor("path to the optimum", found.path, how),
        Descriptor("leaving a basin", found.leaving, how),
    ]

"""Controls run beside the arms and never among them; causes are found where they were planted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hpo_lab
from hpo_lab import Results, Study, discovery, tabulate
from hpo_lab.controls import Moved, controlled
from hpo_lab.landscape import Landscape
from hpo_lab.measures.causes import (
    BY_DESIGN,
    BY_ENCODING,
    BY_LANDSCAPE,
    BY_SPACE,
    BY_STRUCTURE,
    TOO_SMALL,
    UNDECIDED,
    UNKNOWN,
)
from hpo_lab.store import Store
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from tests.small_studies import Inline, write

PLUGIN = '''
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from hpo_lab import Choice, Landscape, Real, Space
from hpo_lab.optimizer import Strategy

@dataclass(frozen=True)
class Bowl(Landscape):
    "A bowl beside a choice of six, one of which is good."
    name: ClassVar[str] = "bowl"

    @property
    def universe(self):
        return Space.box(Real("x", 0, 1), Real("y", 0, 1), Choice("op", tuple("abcdef")))

    def evaluate(self, points):
        x, y, op = points.values.T
        cost = np.array([0.5, 0, 0.1, 0.2, 0.3, 0.4])
        return (x - 0.2) ** 2 + (y - 0.2) ** 2 + cost[op.astype(int)]

class Uniform:
    """Uniform draws, each drawn again while it is refused; then what comes next."""
    def __init__(self, space, rng, refused=None, first=None, near=None):
        self.space, self.rng, self.refused, self.first, self.near = space, rng, refused, first, near
        self.best, self.lowest, self.asked = None, np.inf, 0

    def ask(self):
        if self.first is not None and not self.asked:
            points = self.first
        elif self.near is not None and self.asked >= self.near:
            unit = self.space.to_unit(self.best)
            unit[:, :2] = np.clip(unit[:, :2] + self.rng.normal(0, 0.05, (1, 2)), 0, 1)
            points = self.space.from_unit(self.best.family, unit)
        else:
            points = self.space.sample(1, self.rng)
            while self.refused and self.refused(points.values[0]):
                points = self.space.sample(1, self.rng)
        self.asked += len(points)
        return points

    def tell(self, points, values):
        i = int(np.argmin(values))
        if values[i] < self.lowest:
            self.lowest, self.best = values[i], points[i]

@dataclass(frozen=True)
class Shy(Strategy):
    "Uniform, but never with x between a half and three quarters."
    name: ClassVar[str] = "shy"
    def start(self, space, budget, rng):
        return Uniform(space, rng, lambda p: 0.5 <= p[0] <= 0.75)

@dataclass(frozen=True)
class Greedy(Strategy):
    "Twelve uniform draws, then steps around the best point."
    name: ClassVar[str] = "greedy"
    def start(self, space, budget, rng):
        return Uniform(space, rng, near=12)

@dataclass(frozen=True)
class Prefixed(Strategy):
    "A fixed first design of 48 points that leaves the last quarter of x out, then uniform."
    name: ClassVar[str] = "prefixed"
    def start(self, space, budget, rng):
        unit = np.random.default_rng(0).random((48, 3)) * [0.74, 1, 1]
        return Uniform(space, rng, first=space.from_unit(np.zeros(48, dtype=np.int64), unit))

@dataclass(frozen=True)
class Lister(Strategy):
    "Uniform, but it counts options from one to one less than there are."
    name: ClassVar[str] = "lister"
    def start(self, space, budget, rng):
        return Uniform(space, rng, lambda p: p[2] == 5)
'''

STUDY = """
schema = 1
name = "controls"
[[landscapes]]
use = "bowl"
[spaces.universe]
[spaces.left]
assume = [{ use = "narrowed", axis = "x", high = 0.5 }]
[[strategies]]
use = "shy"
[[strategies]]
use = "greedy"
[[strategies]]
use = "prefixed"
[[strategies]]
use = "lister"
[[strategies]]
use = "random"
[[strategies]]
use = "grid"
[runs]
budget = 60
repetitions = 30
entropy = 1
[regions]
systems = ["options", "bins", "planes"]
bins = 4
[controls]
use = ["flat", "relabelled", "shifted"]
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    folder = tmp_path_factory.mktemp("controls")
    known = {kind: dict(found) for kind, found in discovery._PLUGINS.items()}
    discovery.load_plugin(write(folder / "plugin.py", PLUGIN))
    text = STUDY.replace("[spaces.left]\nassume", "[spaces.left]\nlandscapes = ['bowl']\nassume")
    study = Study.read(write(folder / "study.toml", text))
    small = replace(study, spaces=study.spaces[:1])
    from hpo_lab.harness import campaign

    campaign(small, folder / "out", executor=Inline())
    yield Results.load(small, folder / "out")
    for kind, found in known.items():
        discovery._PLUGINS[kind].clear()
        discovery._PLUGINS[kind].update(found)


@pytest.fixture(scope="module")
def causes(results: Results) -> pd.DataFrame:
    return tabulate(results, ["causes"])["causes"]


def cause_of(causes: pd.DataFrame, strategy: str, region: str) -> str:
    rows = causes[(causes["strategy"] == strategy) & (causes["region"] == region)]
    assert len(rows) == 1, rows
    return str(rows["cause"].iloc[0])


def test_a_region_that_is_never_entered_by_itself_is_structural(causes: pd.DataFrame) -> None:
    assert cause_of(causes, "shy", "0.5 ≤ x ≤ 0.75") == BY_STRUCTURE


def test_an_option_that_a_list_hides_is_an_artefact(causes: pd.DataFrame) -> None:
    assert cause_of(causes, "lister", "op = f") == BY_ENCODING


def test_a_design_that_leaves_a_region_out(causes: pd.DataFrame) -> None:
    assert cause_of(causes, "prefixed", "0.75 ≤ x ≤ 1") == BY_DESIGN
    assert (causes.loc[causes["strategy"] == "prefixed", "design"] == 48).all()


def test_a_landscape_that_leads_away(causes: pd.DataFrame) -> None:
    assert cause_of(causes, "greedy", "0.75 ≤ x ≤ 1") == BY_LANDSCAPE
    mine = causes[(causes["strategy"] == "greedy") & (causes["system"] == "bins")]
    assert set(mine["cause"]) <= {BY_LANDSCAPE, UNDECIDED}  # on noise it gathers anywhere


def test_random_search_has_no_blind_spots_to_explain(causes: pd.DataFrame) -> None:
    mine = causes[causes["strategy"] == "random"]
    assert set(mine["cause"]) <= {TOO_SMALL}


def test_a_grid_is_to_blame_for_what_it_leaves_out(causes: pd.DataFrame) -> None:
    mine = causes[causes["strategy"] == "grid"]
    assert set(mine["cause"]) <= {BY_STRUCTURE, TOO_SMALL, BY_ENCODING}
    assert (mine["verdict"] == "never, by construction").any()


# --- runs ------------------------------------------------------------------------------------


def test_controls_never_mix_with_the_arms(results: Results) -> None:
    assert not results.missing
    plain = replace(results.study, controls=())
    assert set(plain.runs) < set(results.study.runs)
    without = Results.load(plain, _folder(results))
    for ours, theirs in zip(results.arms, without.arms, strict=True):
        assert len(ours.controls) == 3
        assert not theirs.controls
        assert np.array_equal(ours.cells[0].truth, theirs.cells[0].truth)
    told = tabulate(without, ["regions"])["regions"]
    pd.testing.assert_frame_equal(told, tabulate(results, ["regions"])["regions"])


def _folder(results: Results) -> Path:
    return results.study.path.parent / "out"


def test_without_controls_a_cause_is_unknown(results: Results) -> None:
    plain = Results.load(replace(results.study, controls=()), _folder(results))
    found = tabulate(plain, ["causes"])["causes"]
    assert cause_of(found, "shy", "0.5 ≤ x ≤ 0.75") == UNKNOWN
    assert cause_of(found, "greedy", "0.75 ≤ x ≤ 1") == UNKNOWN
    assert cause_of(found, "prefixed", "0.75 ≤ x ≤ 1") == BY_DESIGN
    assert found["flat_runs"].dropna().eq(0).all()


def test_flat_alone_tells_structure_from_landscape(results: Results) -> None:
    flat = Results.load(replace(results.study, controls=("flat",)), _folder(results))
    assert not flat.missing
    found = tabulate(flat, ["causes"])["causes"]
    assert cause_of(found, "lister", "op = f") == BY_STRUCTURE
    assert cause_of(found, "greedy", "0.75 ≤ x ≤ 1") == BY_LANDSCAPE


def test_a_control_is_a_run_like_any_other(results: Results) -> None:
    study, store = results.study, Store(_folder(results))
    arm = study.arms[0]
    control = study.controls_of(arm)[1]
    run = control.run(1, 3)
    assert run.title.endswith("repetition 3")
    assert "control relabelled" in run.title
    assert run.identity != arm.run(1, 3).identity != control.run(1, 4).identity
    assert store.read(run.identity).trials.values.shape == (60, 3)
    landscape = run.problem.landscape
    assert isinstance(landscape, Moved)
    assert landscape.seed == (1, 3)


def test_excluded_by_the_space(tmp_path: Path) -> None:
    known = {kind: dict(found) for kind, found in discovery._PLUGINS.items()}
    discovery.load_plugin(write(tmp_path / "plugin.py", PLUGIN))
    try:
        text = STUDY.replace("repetitions = 30", "repetitions = 2").replace(
            "[spaces.universe]\n", ""
        )
        text = text.replace('"relabelled", "shifted"', "").replace('"flat", ', '"flat"')
        study = Study.read(write(tmp_path / "study.toml", text))
        hpo_lab.run(study, tmp_path / "out", workers=1, plugins=[str(tmp_path / "plugin.py")])
        found = tabulate(Results.load(study, tmp_path / "out"), ["causes"])["causes"]
        assert cause_of(found, "random", "0.75 ≤ x ≤ 1") == BY_SPACE
    finally:
        for kind, plugins in known.items():
            discovery._PLUGINS[kind].clear()
            discovery._PLUGINS[kind].update(plugins)


# --- moved landscapes --------------------------------------------------------------------------


def own(space: hpo_lab.Space) -> Landscape:
    """Every point has its own value, so that a movement can be told from the values."""
    field: Landscape = discovery.make("landscapes", "flat", {"space": space, "fresh": False})
    return field


@pytest.mark.parametrize("how", ["relabelled", "shifted"])
@pytest.mark.parametrize("kind", KINDS_OF_SPACE)
def test_a_movement_is_a_bijection_that_keeps_the_measure(kind: str, how: str) -> None:
    space = KINDS_OF_SPACE[kind]
    moved = Moved(own(space), how, (1, 2))
    points = space.sample(3000, np.random.default_rng(0))
    there = moved.move(points)
    assert space.contains(there).all()
    assert np.array_equal(there.family, points.family)
    assert len(np.unique(there.keys())) == len(np.unique(points.keys()))
    assert np.array_equal(moved.evaluate(points), moved.landscape.evaluate(there))
    for before, after in zip(space.to_unit(points).T, space.to_unit(there).T, strict=True):
        active = ~np.isnan(before)
        drift = abs(before[active].mean() - after[active].mean())
        assert drift < 5 * 0.41 / np.sqrt(active.sum())  # two uniform means of so many points
    if space.size <= 10_000:
        every = space.enumerate()
        assert set(moved.move(every).keys().tolist()) == set(every.keys().tolist())


def test_repetitions_average_over_all_places() -> None:
    space = KINDS_OF_SPACE["categorical"]
    points = space.enumerate()[:1]
    landscape = own(space)
    seen = [Moved(landscape, "relabelled", (1, r)).move(points).values[0, 0] for r in range(200)]
    assert len(set(seen)) == space.families[0].axes[0].size
    assert controlled(landscape, "relabelled", 1, 7) == Moved(landscape, "relabelled", (1, 7))

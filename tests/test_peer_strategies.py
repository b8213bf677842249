"""Strategies that stand on other libraries: smac, and the plug-ins botorch and nevergrad."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpo_lab import discovery
from hpo_lab.errors import InputError
from hpo_lab.optimizer import Strategy
from hpo_lab.optimizers._libraries import Guest, library
from hpo_lab.optimizers.smac import SMAC
from hpo_lab.space import Choice, Family, Floats, Points, Real, Space
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from hpo_lab.testing.strategy import check_settings, check_strategy, rugged, trace

PLUGINS = Path(__file__).parent.parent / "experiments" / "strategies" / "peers"
FILES = {"botorch": "botorch_ei.py", "nevergrad": "nevergrad_ngopt.py"}
PEERS = ("botorch", "nevergrad", "smac")

# A step of botorch or smac costs seconds: budgets that reach the model, and the kinds that differ.
FAMILIES = Space(
    (Family("good", (Real("x", 0, 1),)), Family("bad", (Choice("c", ("a", "b")),)), Family("none"))
)
SPACES = {**KINDS_OF_SPACE, "three families": FAMILIES}
FEW = ("continuous", "three families", "one point", "two points", "one family without axes")
SETTINGS: dict[str, dict[str, Any]] = {"botorch": {"initial": 3, "restarts": 2, "raw_samples": 8}}
BUDGETS = {"botorch": 5, "smac": 3, "nevergrad": 12}


@pytest.fixture(autouse=True, scope="module")
def _plugins() -> None:
    for file in FILES.values():
        discovery.load_plugin(PLUGINS / file)


def peer(name: str, **settings: Any) -> Strategy:
    """The strategy; skips where its package is missing."""
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed: pip install {name}")
    made: Strategy = discovery.make("strategies", name, settings)
    return made


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("kind", FEW)
def test_contract(name: str, kind: str) -> None:
    strategy = peer(name, **SETTINGS.get(name, {}))
    if name == "nevergrad" and kind == "continuous":
        pytest.skip("with real axes alone the seed changes nothing: the next test but one")
    check_strategy(strategy, {kind: SPACES[kind]}, BUDGETS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS_OF_SPACE if kind not in FEW])
def test_contract_long(name: str, kind: str) -> None:
    strategy = peer(name, **SETTINGS.get(name, {}))
    if name == "nevergrad" and kind in ("log", "wide"):
        pytest.skip("with real axes alone the seed changes nothing: the next test")
    check_strategy(strategy, {kind: KINDS_OF_SPACE[kind]}, BUDGETS[name])


@pytest.mark.parametrize("kind", ["continuous", "log"])
def test_ngopt_is_deterministic_on_few_evaluations_of_real_axes(kind: str) -> None:
    space = KINDS_OF_SPACE[kind]
    first, other = (trace(peer("nevergrad"), space, 15, seed, rugged) for seed in (1, 2))
    assert np.array_equal(first.keys(), other.keys())
    np.testing.assert_allclose(space.to_unit(first)[0], 0.5)  # COBYLA starts in the middle


def bowl(points: Points) -> Floats:
    return np.asarray(((points.values - 1.0) ** 2).sum(axis=1))


def levelled(points: Points) -> Floats:
    return np.asarray(points.family + np.nan_to_num(points.values[:, 0]), dtype=float)


@pytest.mark.parametrize("name", ["botorch", "nevergrad"])  # 30 points teach smac little
def test_each_finds_the_bottom_of_a_bowl(name: str) -> None:
    space = Space.box(Real("x", -5, 5), Real("y", -5, 5))
    found = bowl(trace(peer(name), space, 20, 0, bowl)).min()
    assert found < 0.05  # of 20 uniform points one comes as close in 1 of 32 runs


@pytest.mark.parametrize("name", ["botorch", "smac"])
def test_families_are_compared(name: str) -> None:
    asked = trace(peer(name), FAMILIES, 18, 0, levelled)
    assert set(asked.family) == {0, 1, 2}
    assert np.mean(asked.family[-6:] == 0) > 0.5


def test_nevergrad_prefers_the_good_family_a_little() -> None:
    runs = [trace(peer("nevergrad"), FAMILIES, 100, seed, levelled) for seed in range(8)]
    late = np.concatenate([asked.family[-50:] for asked in runs])
    assert np.mean(late == 0) > 0.4  # of 400 uniform families 1/3, with a deviation of 0.024


SCRIPT = """
import sys
from hpo_lab import discovery
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from hpo_lab.testing.strategy import rugged, trace
name, file, budget = sys.argv[1:4]
if file:
    discovery.load_plugin(file)
strategy = discovery.make("strategies", name, {})
for kind in ("ordered", "two points" if name == "botorch" else "conditional"):
    print(trace(strategy, KINDS_OF_SPACE[kind], int(budget), 3, rugged).keys().tobytes().hex())
"""


@pytest.mark.parametrize("name", PEERS)
def test_same_requests_with_other_hashes_and_threads(name: str) -> None:
    peer(name)
    file = str(PLUGINS / FILES[name]) if name in FILES else ""
    said = set()
    for threads, hash_seed in (("1", "0"), ("2", "7")):
        count = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT, name, file, {"nevergrad": "30"}.get(name, "11")],
            env={**os.environ, **count, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        said.add(ran.stdout)
    assert len(said) == 1


@pytest.mark.parametrize("name", PEERS)
def test_a_missing_package_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # its import fails
    strategy = discovery.make("strategies", name, {})
    with pytest.raises(InputError, match=f'"{name}" needs {name}: pip install {name}$'):
        strategy.start(KINDS_OF_SPACE["mixed"], 5, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("botorch", {"initial": 0}, "initial must be at least 1"),
        ("botorch", {"restarts": 0}, "restarts must be at least 1"),
        ("botorch", {"raw_samples": 5}, "raw_samples must be at least restarts"),
        ("smac", {"model": "trees"}, "model"),
    ],
)
def test_bad_settings_are_refused(name: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        discovery.make("strategies", name, settings)


def test_a_model_that_smac_does_not_have_is_refused() -> None:
    with pytest.raises(InputError, match="model must be one of forest, gp, not 'trees'"):
        SMAC(model="trees")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PEERS)
def test_settings_are_plain_values(name: str) -> None:
    check_settings(discovery.make("strategies", name, {}))


def test_an_unknown_optimizer_of_nevergrad_is_refused() -> None:
    space = KINDS_OF_SPACE["mixed"]
    with pytest.raises(InputError, match=r"nevergrad has no optimizer .*NGOpt"):
        peer("nevergrad", optimizer="NGOptt").start(space, 5, np.random.default_rng(0))


def test_what_seeds_itself_by_the_clock_is_refused() -> None:
    space = Space.box(*[Real(f"x{i}", 0, 1) for i in range(3)])
    with pytest.raises(InputError, match="does not repeat itself for a seed"):
        peer("nevergrad").start(space, 400, np.random.default_rng(0))


def test_smac_grows_a_forest_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = peer("smac")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    level = logging.getLogger("smac").level
    search: Any = strategy.start(KINDS_OF_SPACE["mixed"], 5, np.random.default_rng(0))
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            asked = search.ask()
            search.tell(asked, rugged(asked))
    assert len(search.facade._model._rf.estimators_) == 10  # fitted, by scikit-learn
    assert not list(tmp_path.iterdir())
    assert not [record for record in caplog.records if record.name.startswith("smac")]
    assert logging.getLogger("smac").level == level


def test_smac_conditions_the_axes_of_its_families() -> None:
    search: Any = peer("smac").start(KINDS_OF_SPACE["conditional"], 5, np.random.default_rng(0))
    space = search.facade.scenario.configspace
    lr, kernel = (space.conditions[i] for i in (0, 1))
    assert sorted(lr.values) == [0, 1, 2]  # all but "linear" have it
    assert kernel.value == 0
    assert len(space) == 1 + 4  # the family; lr, kernel, heads and drop


@pytest.mark.slow
def test_smac_with_a_gaussian_process() -> None:
    few = {kind: KINDS_OF_SPACE[kind] for kind in ("mixed", "conditional")}
    check_strategy(peer("smac", model="gp"), few, 4)


def test_smac_survives_equal_minima_of_any_size() -> None:
    """Its logarithmic scale, taken as it is, is minus infinity there."""
    asked = trace(peer("smac"), KINDS_OF_SPACE["continuous"], 6, 0, lambda p: np.full(len(p), 1e9))
    assert len(asked) == 6


def test_botorch_takes_nothing_twice_from_a_finite_space() -> None:
    space = KINDS_OF_SPACE["categorical"]  # 81 points
    asked = trace(peer("botorch", initial=30), space, 36, 0, rugged)
    later = asked[30:]
    seen = {bytes(key) for key in asked[:30].keys()}  # noqa: SIM118 (not a mapping)
    assert len(seen | {bytes(key) for key in later.keys()}) == len(seen) + 6  # noqa: SIM118


def test_botorch_leaves_torch_as_it_was() -> None:
    strategy = peer("botorch", initial=3)
    torch = library("botorch", "torch", "torch")
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    trace(strategy, KINDS_OF_SPACE["continuous"], 4, 0, rugged)
    assert torch.equal(state, torch.get_rng_state())
    assert threads == torch.get_num_threads()


def test_a_guest_draws_from_states_of_its_own() -> None:
    import random

    def drawn(seed: int, between: int) -> list[float]:
        guest, numbers = Guest(np.random.default_rng(seed)), []
        for _ in range(2):
            random.seed(between)
            np.random.seed(between)  # noqa: NPY002
            with guest.at_work():
                numbers += [random.random(), np.random.random()]  # noqa: NPY002, S311
            assert random.random() == random.Random(between).random()  # noqa: S311
        return numbers

    assert drawn(1, 5) == drawn(1, 6) != drawn(2, 5)

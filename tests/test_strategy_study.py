"""The side-by-side study of strategies: its tables by hand, and what is kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.markdown import filled
from experiments.strategies import __main__ as command
from experiments.strategies import page, tables
from hpo_lab import discovery, optimizers, verbs
from hpo_lab.space import Real, Space
from hpo_lab.study import Study
from tests.test_determinism import usable

SUMMARY = Path(page.__file__).parent / "summary"
STUDY = """
schema = 1
name = "small"

[[landscapes]]
use = "bbob"
function = [3, 10]
dimension = 5

[[landscapes]]
use = "nas_graph"
dataset = ["cora", "citeseer"]

[spaces.universe]

[[strategies]]
use = "random"

[[strategies]]
use = "grid"

[runs]
budget = 20
instances = 2
repetitions = 3
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("small")
    file = folder / "study.toml"
    file.write_text(STUDY)
    verbs.run(file, folder / "results", workers=1)
    return tables.Kept(Study.read(file), folder / "results").runs()


def simulated(**shift: float) -> pd.DataFrame:
    """Runs of several strategies whose regrets are noise, each moved by so much."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = [
        {"problem": f"p{p}", "data": "", "instance": i, "repetition": 1, "strategy": name}
        | {"regret": float(np.exp(rng.normal() + moved)), "ms": 1.0}
        for p in range(8)
        for i in range(10)
        for name, moved in shift.items()
    ]
    return pd.DataFrame(rows)


def test_a_row_a_run_with_the_regret_of_the_best_told(runs: pd.DataFrame) -> None:
    assert len(runs) == 2 * (2 * 2 * 3 + 2 * 1 * 3)  # tables have one instance
    assert set(runs["problem"]) == {"f3, 5-D", "f10, 5-D", "nas_graph"}
    cora = discovery.make("landscapes", "nas_graph", {"dataset": "cora"})
    everything = cora.universe.enumerate()
    truth = cora.evaluate(everything)
    own = runs[(runs["data"] == "cora") & (runs["strategy"] == "random")]
    possible = np.round(truth[np.isfinite(truth)] - np.nanmin(truth), 9)
    assert np.isin(np.round(own["regret"], 9), possible).all()
    assert (runs["ms"] > 0).all()


def test_medians_are_numpys(runs: pd.DataFrame) -> None:
    found = tables.regret(runs).set_index(["problem", "strategy"])
    own = runs[(runs["problem"] == "f3, 5-D") & (runs["strategy"] == "random")]["regret"]
    assert found.loc[("f3, 5-D", "random"), "median"] == np.median(own)
    assert found.loc[("f3, 5-D", "random"), "runs"] == 6


def test_ranks_by_hand() -> None:
    given = simulated(a=0.0, b=0.0).assign(regret=[1.0, 2.0] * 79 + [1.0, 1.0])
    ranked = tables.mean_ranks(given, ["a", "b"]).set_index("strategy")
    assert ranked.loc["a", "rank"] == pytest.approx((79 * 1 + 1.5) / 80)
    assert ranked.loc["b", "p7"] == pytest.approx((9 * 2 + 1.5) / 10)
    assert ranked.loc["a", "cells"] == 80


def test_only_cells_that_all_have_are_ranked() -> None:
    given = simulated(a=0.0, b=0.0)
    fewer = given.drop(given[(given["strategy"] == "b") & (given["instance"] == 0)].index)
    assert len(tables.cells(fewer, ["a", "b"])) == 72


@pytest.mark.parametrize(
    ("moved", "holds"), [(-0.5, True), (0.0, True), (2.0, False)], ids=["better", "same", "worse"]
)
def test_non_inferiority_finds_what_is_planted(moved: float, holds: bool) -> None:
    found = tables.non_inferiority(simulated(gp_fast=moved, smac=0.0), (("gp_fast", "smac"),)).iloc[
        0
    ]
    assert found["cells"] == 80
    assert found["problems"] == 8
    assert found["holds"] == holds
    assert found["difference"] < found["upper_cells"]
    worse = found["cells"] - found["better"] - found["equal"]
    assert found["difference"] == pytest.approx((worse - found["better"]) / found["cells"])


def test_the_bound_errs_in_five_studies_of_a_hundred() -> None:
    """Rivals whose true difference is exactly the margin pass in at most 5 % (Clopper-Pearson)."""
    from scipy.stats import binomtest

    rng = np.random.default_rng(1)
    passed = 0
    for _ in range(400):
        better = rng.random(60) < 0.25  # loses 3 of 4: the difference of mean ranks is 0.5
        values = np.where(better, 0.0, 2.0)
        rows = simulated(gp_fast=0.0, smac=0.0).iloc[:120].copy()
        rows["regret"] = np.column_stack([values, np.ones(60)]).ravel()
        passed += bool(tables.non_inferiority(rows, (("gp_fast", "smac"),)).iloc[0]["holds"])
    assert binomtest(passed, 400).proportion_ci(0.99).low <= 0.05


# --- what is kept --------------------------------------------------------------------------------


def test_the_readme_shows_the_kept_tables() -> None:
    text = page.README.read_text()
    assert filled(text, page.blocks(SUMMARY)) == text


def test_the_kept_study_is_as_large_as_it_says() -> None:
    regret = page.read(SUMMARY, "regret")
    counts = regret.groupby("strategy")["runs"].agg(["size", "min"])
    ours, peers = counts[counts["size"] == 12], counts[counts["size"] == 6]
    assert len(ours) + len(peers) == len(counts)
    assert ours["min"].min() == 25
    assert peers["min"].min() == 5
    files = Path(optimizers.__file__).parent.glob("[!_]*.py")
    assert {file.stem for file in files} - {"smac"} == set(ours.index)
    assert {"smac", "botorch", "nevergrad", "skopt"} == set(peers.index)


def test_the_promise_of_gp_fast_is_what_the_kept_tables_say() -> None:
    tests = page.read(SUMMARY, "non_inferiority")
    assert (tests["cells"] >= 30).all()
    assert tests["holds"].all()
    assert (tests["upper_cells"] < tables.MARGIN).all()


def test_the_kept_times_reach_what_was_to_be_reached() -> None:
    """What was measured and kept; nothing is timed here."""
    for name in ("speed", "generations"):
        kept = page.read(SUMMARY, name)
        held = kept[kept["target"] > 0]
        assert len(held) >= 8
        assert (held["own_ms"] <= held["target"] * held["peer_ms"]).all()
    growth = page.read(SUMMARY, "growth").iloc[0]
    assert growth["observations"] == 1000
    assert growth["slowest_s"] < 1.0
    assert growth["memory_mb"] < 300


@pytest.mark.parametrize("name", ["regret", "ranks", "peers", "non_inferiority"])
def test_the_kept_tables_are_those_of_the_kept_runs(name: str) -> None:
    found = command.made(pd.read_parquet(SUMMARY / "runs.parquet"))[name]
    written = found.to_csv(index=False, float_format="%.6g")
    assert written == (SUMMARY / f"{name}.csv").read_text()


def again(names: list[str], folder: Path) -> pd.DataFrame:
    """The first repetition of the first instance of every problem, run anew."""
    text = (Path(page.__file__).parent / "study.toml").read_text()
    head, rest = text[: text.index("[[strategies]]")], text[text.index("[runs]") :]
    rest = rest.replace("instances = 5", "instances = 1").replace(
        "repetitions = 5", "repetitions = 1"
    )
    parts = "".join(f'[[strategies]]\nuse = "{name}"\n' for name in names)
    file = folder / "study.toml"
    file.write_text(head + parts + rest)
    verbs.run(file, folder / "results", workers=2)
    return tables.Kept(Study.read(file), folder / "results").runs()


def check_again(names: list[str], folder: Path) -> None:
    ran, key = again(names, folder), [*tables.SEED, "strategy"]
    both = ran.merge(pd.read_parquet(SUMMARY / "runs.parquet"), on=key, suffixes=("", "_kept"))
    assert len(both) == len(ran) == 20 * len(names)  # ten of them data sets of two problems
    assert both["regret"].to_numpy() == pytest.approx(both["regret_kept"].to_numpy(), rel=1e-9)


def test_runs_that_are_kept_can_be_made_again(tmp_path: Path) -> None:
    check_again(["coordinate", "evolution", "gp_fast"], tmp_path)


@pytest.mark.slow
def test_runs_of_every_strategy_that_are_kept_can_be_made_again(tmp_path: Path) -> None:
    """Those that this machine has; with ``make peers`` also optuna_gp, smac apart."""
    files = sorted(Path(optimizers.__file__).parent.glob("[!_]*.py"))
    space = Space.box(Real("x", 0.0, 1.0))
    check_again([f.stem for f in files if f.stem != "smac" and usable(f.stem, space)], tmp_path)

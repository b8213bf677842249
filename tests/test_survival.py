"""When regions were abandoned: against loops, closed forms and simulated uniform search."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import stats

import hpo_lab
from hpo_lab import discovery
from hpo_lab import statistics as s
from hpo_lab.figure import encoded
from hpo_lab.measure import Results
from hpo_lab.measures.richness import final_basins
from hpo_lab.study import Study
from hpo_lab.testing.measure import check_measure

Floats = npt.NDArray[np.float64]


def uniform_visits(
    mu: float, budget: int, runs: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """First and last visit of each run of uniform search, nan where it never came."""
    first, last = np.full(runs, np.nan), np.full(runs, np.nan)
    for run, hits in enumerate(rng.random((runs, budget)) < mu):
        when = np.flatnonzero(hits) + 1.0
        if len(when):
            first[run], last[run] = when[0], when[-1]
    return first, last


@pytest.mark.parametrize(("mu", "budget"), [(0.3, 20), (0.05, 50)])
def test_uniform_search_survives_as_its_closed_form_says(mu: float, budget: int) -> None:
    first, last = uniform_visits(mu, budget, 4000, np.random.default_rng(0))
    at = np.arange(budget + 1)
    still, came = s.still_visiting(last, mu, budget, at), s.already_visited(first, mu, budget, at)
    for curve in (still, came):
        error = 4 * np.sqrt(curve.uniform * (1 - curve.uniform) / 4000) + 1e-3
        assert (np.abs(curve.share - curve.uniform) <= error).all()
        assert ((curve.low <= curve.share) & (curve.share <= curve.high)).all()
    assert still.share[-1] == came.share[0] == 0


def test_curves_against_a_loop_and_bands_against_scipy() -> None:
    last = np.array([3.0, 9.0, np.nan, 10.0, 3.0])
    found = s.still_visiting(last, 0.2, 10, range(11))
    for t in range(11):
        alive = sum(one > t for one in last)
        exact = stats.binomtest(alive, 5).proportion_ci(0.95, "exact")
        assert found.share[t] == alive / 5
        assert (found.low[t], found.high[t]) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_one_run_has_no_band() -> None:
    assert np.isnan(s.still_visiting([4.0], 0.5, 10, [0, 5]).low).all()


@pytest.mark.parametrize("mu", [0.03, 0.1, 0.5])
def test_uniform_search_is_hardly_ever_found_to_have_left(mu: float) -> None:
    """At most 5 % of its runs, and the test keeps its level over 2,000 studies."""
    rng = np.random.default_rng(1)
    _, last = uniform_visits(mu, 120, 20 * 2000, rng)
    studies = [s.abandonment(runs, mu, 120) for runs in last.reshape(2000, 20)]
    chance = studies[0].chance
    assert chance <= 0.05 < chance / (1 - mu)
    assert np.mean([one.left for one in studies]) == pytest.approx(chance, abs=0.005)
    rejected = int(sum(one.p <= 0.05 for one in studies))
    assert 1 - s.visit_upper_bound(2000 - rejected, 2000, 0.99) <= 0.05


def test_who_leaves_is_found() -> None:
    found = s.abandonment(np.full(30, 20.0), 0.25, 60)
    assert (found.left, found.stretch) == (1.0, 11.0)
    assert found.p == pytest.approx(0.75 ** (11 * 30))


@pytest.mark.parametrize("mu", [0.0, 0.01, 1.0])
def test_what_the_budget_cannot_show_is_not_shown(mu: float) -> None:
    assert math.isnan(s.abandonment([3.0], mu, 50).left)


@pytest.mark.parametrize("last", [[0.0], [11.0], [], [[1.0]]])
def test_bad_visits(last: object) -> None:
    with pytest.raises(ValueError, match="one entry a run"):
        s.still_visiting(last, 0.5, 10, [1])  # type: ignore[arg-type]


# --- from results -------------------------------------------------------------------------------

STUDY = """
schema = 1
name = "small"
[[landscapes]]
use = "families"
visibility = 0.2
[[landscapes]]
use = "peaks"
peaks = 6
noise = 0.05
[spaces.universe]
[spaces.few]
landscapes = ["families"]
assume = [{ use = "without", family = "mlp" }]
[[strategies]]
use = "random"
[[strategies]]
use = "grid"
[runs]
budget = 40
instances = 2
repetitions = 8
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.toml").write_text(STUDY)
    study = Study.read(folder / "study.toml")
    hpo_lab.run(study, folder / "out", workers=1)
    return Results.load(study, folder / "out")


def table(name: str, results: Results) -> pd.DataFrame:
    found: pd.DataFrame = discovery.make("measures", name, {})(results)
    return found


@pytest.mark.parametrize("name", ["abandonment", "survival", "richness", "rules"])
def test_contract(name: str, results: Results) -> None:
    check_measure(discovery.make("measures", name, {}), results)


def test_abandonment_against_a_loop(results: Results) -> None:
    rows = table("abandonment", results)
    rows = rows[(rows["system"] == "families") & (rows["strategy"] == "random")]
    for arm in results.arms:
        if "families" not in arm.arm.landscape.label or arm.arm.strategy.label != "random":
            continue
        for cell in arm.cells:
            for index, family in enumerate(cell.problem.view.universe.families):
                mine = rows[
                    (rows["region"] == f"family = {family.name}")
                    & (rows["space"] == arm.arm.space.label)
                    & (rows["instance"] == cell.instance)
                ]
                hit = cell.lifted.family == index
                if not hit.any():
                    assert mine.empty  # not in the declared space
                    continue
                last = [cell.evaluation[hit & (cell.run == r)] + 1 for r in range(8)]
                stretch = int(mine["stretch"].iloc[0])
                left = np.mean([(when.max() if len(when) else 0) <= 40 - stretch for when in last])
                assert mine["left"].iloc[0] == left
                assert mine["last_visit"].iloc[0] == np.median([w.max() for w in last if len(w)])


def test_curves_of_results_agree_with_the_table(results: Results) -> None:
    curves, rows = table("survival", results), table("abandonment", results)
    assert set(curves.loc[curves["landscape"] == "families", "system"]) == {"families"}
    ends = curves[curves["evaluation"] == curves["budget"]]
    assert (ends["still"] == 0).all()
    keys = ["landscape", "space", "strategy", "region"]
    came = rows.groupby(keys)[["runs_visited", "runs"]].sum()
    for _, row in ends.iterrows():
        seen = came.loc[tuple(row[keys])]
        assert row["came"] == pytest.approx(seen["runs_visited"] / seen["runs"])
    hidden = curves[(curves["best"] == 1) & (curves["landscape"] == "families")]
    assert set(hidden["region"]) == {"family = attention"}


def test_deterministic_runs_are_one(results: Results) -> None:
    for name in ("abandonment", "richness"):
        rows = table(name, results)
        grid = rows[(rows["strategy"] == "grid") & (rows["landscape"] == "families")]
        assert (grid["runs"] == 1).all()
    assert grid["estimate"].isna().all()
    curves = table("survival", results)
    grid = curves[(curves["strategy"] == "grid") & (curves["landscape"] == "families")]
    assert grid["still_low"].isna().all()


def test_final_basins_are_those_of_the_incumbents(results: Results) -> None:
    arm = next(a for a in results.arms if "peaks" in a.arm.landscape.label)
    cell = arm.cells[0]
    from hpo_lab.basins import Basins

    basins = Basins(cell.problem.landscape)
    by_hand = []
    for run in range(8):
        row = np.flatnonzero((cell.run == run) & (cell.evaluation == cell.incumbents[run, -1]))
        by_hand.append(int(basins.labels(cell.lifted[row])[0, 0]))
    assert final_basins(cell, basins).tolist() == [one for one in by_hand if one >= 0]
    rows = table("richness", results)
    ends = rows[(rows["system"] == "final basins") & (rows["landscape"] == "peaks")].iloc[0]
    assert (ends["runs"], ends["observed"]) == (8, len(set(by_hand)))


# --- the figure ---------------------------------------------------------------------------------


def test_the_figure_draws_what_there_is(results: Results) -> None:
    figure = discovery.make("figures", "survival", {})
    tables = {"survival": table("survival", results)}
    drawing = figure(tables)
    assert len(drawing.axes) == 4  # two spaces by two strategies; peaks has no families
    assert len(encoded(drawing, "png", dpi=60)) > 1000
    legend = [text.get_text() for text in drawing.legends[0].get_texts()]
    assert legend[-1] == "uniform search"
    assert {"family = conv", "family = attention"} <= set(legend)
    assert "Broad" in figure.caption(tables)
    assert figure({"survival": tables["survival"].iloc[:0]}) is None


def test_many_regions_and_hostile_names_are_legible(results: Results) -> None:
    some = table("survival", results)
    some = some[(some["landscape"] == "families") & (some["region"] == "family = conv")]
    many = pd.concat([some.assign(region=f"$x_{i}$ <b>") for i in range(12)])
    figure = discovery.make("figures", "survival", {})
    drawing = figure({"survival": many})
    assert len(drawing.legends[0].get_texts()) == 8
    assert "Regions left out" in figure.caption({"survival": many})
    assert all(r"\$" in text.get_text() for text in drawing.legends[0].get_texts()[:-1])

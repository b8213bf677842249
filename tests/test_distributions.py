"""Error distributions and the winner's curse against loops, known laws and simulation."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hpo_lab
from hpo_lab import discovery
from hpo_lab.figures import _style as style
from hpo_lab.figures.distributions import Distributions as Picture
from hpo_lab.measure import Results, tabulate
from hpo_lab.measures.distributions import DRAWS
from hpo_lab.region import masses
from hpo_lab.study import Study
from tests.small_studies import Inline, own_landscape, write
from tests.test_figures import drawn, texts
from tests.tidy_tables import HOSTILE

STUDY = """
schema = 1
name = "edf"
[[landscapes]]
use = "table"
name = "holes"
path = "sweep.csv"
value = "error"
ignore = ["seed"]
log = ["a"]
{table}
[[landscapes]]
use = "peaks"
peaks = 6
[spaces.universe]
[spaces.declared]
landscapes = ["holes"]
assume = [{{ use = "narrowed", axis = "a", low = 2 }}]
[spaces.corner]
landscapes = ["peaks"]
assume = [{{ use = "narrowed", axis = ["x1", "x2"], high = 0.5 }}]
[[strategies]]
use = "{strategy}"
[runs]
budget = 20
instances = 2
repetitions = 10
entropy = 3
"""


def sweep(folder: Path, seeds: int = 1, noise: float = 0.0, scale: float = 1.0) -> None:
    """Two axes of five and eight values, with a validation column; some points have no value."""
    rng = np.random.default_rng(21)
    rows = ["a,b,seed,error,valid"]
    for a, b in itertools.product(range(1, 6), range(8)):
        value = round(scale * (abs(a - 1) + rng.exponential()), 2) if rng.random() > 0.1 else None
        for seed in range(seeds):
            told = "" if value is None else value + noise * rng.normal()
            valid = "" if value is None else value + rng.normal()
            rows.append(f"{a},{b},{seed},{told},{valid}")
    write(folder / "sweep.csv", "\n".join(rows))


def study(
    folder: Path, strategy: str = "random", table: str = 'ignore = ["seed", "valid"]'
) -> Study:
    text = STUDY.format(strategy=strategy, table="").replace('ignore = ["seed"]', table)
    return Study.read(write(folder / "study.toml", text))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("edf")
    sweep(folder)
    read = study(folder)
    hpo_lab.run(read, folder / "out", executor=Inline())
    return Results.load(read, folder / "out")


@pytest.fixture(scope="module")
def tables(results: Results) -> dict[str, pd.DataFrame]:
    return tabulate(results, ["price", "distributions"])


@pytest.mark.parametrize("space", [0, 1])
def test_an_enumerable_space_by_its_masses(
    results: Results, tables: dict[str, pd.DataFrame], space: int
) -> None:
    """The share at or below each value is the mass of the points there; holes stay in the count."""
    landscape, spec = results.study.landscapes[0], results.study.spaces[space]
    problem = results.study.problem(landscape, spec, 1)
    points = problem.view.declared.enumerate()
    truth = problem.landscape.evaluate(problem.view.lift(points))
    best = np.nanmin(problem.landscape.evaluate(problem.view.universe.enumerate()))
    mass = masses(points)
    rows = tables["distributions"]
    rows = rows[(rows["landscape"] == "holes") & (rows["space"] == spec.label)]
    assert (rows["how"] == "exact").all()
    assert rows["low"].isna().all()
    for row in rows.to_dict("records"):
        below = truth - best <= row["value"] + 1e-12
        assert row["share"] == pytest.approx(mass[below].sum(), abs=1e-12)
    known = mass[~np.isnan(truth)].sum()
    assert rows["share"].max() == pytest.approx(known)
    assert known < 1


def test_the_gap_between_the_left_ends_is_the_price(tables: dict[str, pd.DataFrame]) -> None:
    rows = tables["distributions"]
    ends = rows[rows["landscape"] == "holes"].groupby("space")["value"].min()
    price = tables["price"].set_index(["landscape", "space"])["price"].sort_index()
    assert ends["universe"] == 0
    assert ends["declared"] == pytest.approx(price.loc[("holes", "declared")])
    assert ends["declared"] > 0


def test_a_continuum_by_the_trials_of_random_search(
    results: Results, tables: dict[str, pd.DataFrame]
) -> None:
    from scipy.stats import binomtest

    rows = tables["distributions"]
    rows = rows[(rows["landscape"] == "peaks") & (rows["space"] == "corner")]
    assert (rows["how"] == "trials of random search").all()
    arm = next(a for a in results.arms if a.arm.space.label == "corner")
    regrets = np.concatenate(
        [cell.truth.ravel() - cell.problem.optimum_universe.value for cell in arm.cells]  # type: ignore[union-attr]
    )
    assert len(regrets) == 2 * 10 * 20
    for row in rows.iloc[::7].to_dict("records"):
        below = int((regrets <= row["value"]).sum())
        assert row["share"] == pytest.approx(below / len(regrets))
        limits = binomtest(below, len(regrets)).proportion_ci(0.95)  # Clopper and Pearson
        assert row["low"] == pytest.approx(limits.low, abs=1e-9)
        assert row["high"] == pytest.approx(limits.high, abs=1e-9)
    assert rows["value"].min() == regrets.min()


def test_without_random_search_a_formula_is_drawn_from(tmp_path: Path) -> None:
    sweep(tmp_path)
    table = tabulate(Results.empty(study(tmp_path, "grid")), ["distributions"])["distributions"]
    rows = table[table["landscape"] == "peaks"]
    assert (rows["how"] == "drawn for this").all()
    assert (rows["draws"] == 2 * DRAWS).all()
    assert (rows["share"].between(rows["low"], rows["high"])).all()


def test_somebodys_own_function_is_never_evaluated_for_it(tmp_path: Path) -> None:
    text = """
schema = 1
name = "own"
[[landscapes]]
use = "own"
[[strategies]]
use = "grid"
"""
    with own_landscape(tmp_path):
        read = Study.read(write(tmp_path / "study.toml", text))
        assert tabulate(Results.empty(read), ["distributions"])["distributions"].empty


def test_the_picture_shows_two_spaces_and_their_prices(tables: dict[str, pd.DataFrame]) -> None:
    drawing = Picture()(tables)
    assert drawing is not None
    shown = " ".join(text.get_text() for text in texts(drawing))
    for word in ("universe", "declared", "corner", "holes", "peaks"):
        assert word in shown
    caption = Picture().caption(tables)
    assert "price" in caption
    assert "Exact, by enumeration where there is no band" in caption
    alone = tables["distributions"]
    alone = alone[alone["space"] == "universe"]
    assert Picture()({**tables, "distributions": alone}) is None
    assert Picture()({**tables, "distributions": alone.iloc[:0]}) is None


# --- selection ----------------------------------------------------------------------------------


def chosen(read: Study, space: str) -> dict[str, dict[str, Any]]:
    table = tabulate(Results.empty(read), ["selection"])["selection"]
    rows = table[(table["landscape"] == "holes") & (table["space"] == space)]
    return {
        str(row["chosen_by"]): {str(k): v for k, v in row.items()}
        for row in rows.to_dict("records")
    }


@pytest.mark.parametrize("space", ["universe", "declared"])
def test_the_best_by_each_column_against_pandas(tmp_path: Path, space: str) -> None:
    sweep(tmp_path)
    read = study(tmp_path, table='observe = "valid"\nignore = ["seed"]')
    found = chosen(read, space)
    frame = pd.read_csv(tmp_path / "sweep.csv").dropna()
    frame["both"] = (frame["error"] + frame["valid"]) / 2
    whole = frame
    if space == "declared":
        frame = frame[frame["a"] >= 2]
    for name, column in {"observed": "valid", "truth": "error", "both": "both"}.items():
        best = frame[frame[column] == frame[column].min()]
        assert found[name]["ties"] == len(best)
        assert found[name]["score"] == pytest.approx(best[column].mean())
        assert found[name]["observed"] == pytest.approx(best["valid"].mean())
        assert found[name]["truth"] == pytest.approx(best["error"].mean())
        assert found[name]["price"] == pytest.approx(frame[column].min() - whole[column].min())
        assert np.isnan(found[name]["curse"])


def test_choices_by_seeds_against_a_loop(tmp_path: Path) -> None:
    sweep(tmp_path, seeds=4, noise=0.5)
    found = chosen(study(tmp_path), "declared")
    frame = pd.read_csv(tmp_path / "sweep.csv").dropna()
    told = frame[frame["a"] >= 2].pivot_table(index=["a", "b"], columns="seed", values="error")
    values = told.to_numpy()
    one, rest = [], []
    for seed in range(4):
        others = np.delete(values, seed, axis=1).mean(axis=1)
        first, second = values[:, seed].argmin(), others.argmin()
        one.append((values[first, seed], others[first], values[first].mean()))
        rest.append((others[second], values[second, seed], values[second].mean()))
    for name, expected in {"one seed": one, "all seeds but one": rest}.items():
        score, held_out, truth = np.mean(expected, axis=0)
        assert found[name]["score"] == pytest.approx(score)
        assert found[name]["held_out"] == pytest.approx(held_out)
        assert found[name]["truth"] == pytest.approx(truth)
        assert found[name]["curse"] == pytest.approx(held_out - score)
    assert found["truth"]["score"] == pytest.approx(values.mean(axis=1).min())
    assert np.isnan(found["truth"]["held_out"])


def test_the_curse_of_pure_noise_is_the_expected_minimum(tmp_path: Path) -> None:
    """All points alike: the best of n normals is E min below, and held out it is back at the mean.

    The mean over 4 seeds of one table; E min of n = 36 normals is -2.12, its standard error 0.24
    (standard deviation of the minimum, 0.47, over the root of 4 seeds), and 0.5 for the held out.
    """
    sweep(tmp_path, seeds=4, noise=1.0, scale=0.0)
    found = chosen(study(tmp_path), "universe")["one seed"]
    draws = np.random.default_rng(0).normal(size=(20_000, 36)).min(axis=1)
    assert found["score"] == pytest.approx(draws.mean(), abs=4 * 0.24)
    assert found["held_out"] == pytest.approx(0.0, abs=4 * 0.5)
    assert found["curse"] > 1


def test_formulas_have_no_winners_curse(tmp_path: Path) -> None:
    sweep(tmp_path)
    table = tabulate(Results.empty(study(tmp_path)), ["selection"])["selection"]
    assert table.empty
    entry = hpo_lab.price(study(tmp_path, table='observe = "valid"\nignore = ["seed"]'))
    scores = entry["landscapes"][0]["spaces"][0]["selection"]
    assert [one["chosen_by"] for one in scores] == ["observed", "both", "truth"]
    assert scores[0]["held_out"] is None


# --- all three pictures -------------------------------------------------------------------------


def many(names: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """Tables of several landscapes and strategies, of these names; the same every time."""
    rng = np.random.default_rng(0)
    net, even, shares, edf = [], [], [], []
    for i, landscape in enumerate(names):
        begin = {"landscape": landscape, "space": names[-1], "unit": "points"}
        for strategy in ("random", names[0], "random, exact"):
            curve = 0.3 - 0.1 * rng.random() * np.log(np.arange(1, 301))
            more = {"strategy": strategy, "budget": 300}
            columns = {"low": curve - 0.1, "high": curve + 0.1, "statistic": "mean"}
            steps = {"evaluation": np.arange(1, 301), "net": curve}
            net.append(pd.DataFrame({**begin, **more, **columns, **steps}))
            even.append({**begin, **more, "break_even": 40.0 + i, "low": 10.0, "high": np.inf})
        for j, name in enumerate(names[:4]):
            row = {**begin, "game": "price", "status": "exact", "total": 0.6, "words": "w"}
            ends = {f"{s}_{e}": 0.1 * j for s in ("first_in", "last_out") for e in ("low", "high")}
            ends |= {"shapley_low": 0.1 * j, "shapley_high": 0.1 * j, "last_out": 0.1 * (j % 2)}
            shares.append({**row, **ends, "assumption": name, "first_in": 0.1, "shapley": 0.1 * j})
        for space in ("universe", names[-1]):
            value = np.sort(rng.exponential(size=60))
            own = {**begin, "space": space, "share": np.arange(1, 61) / 60, "value": value}
            edf.append(pd.DataFrame({**own, "low": np.nan, "high": np.nan, "regret": True}))
    return {
        "net": pd.concat(net, ignore_index=True),
        "break_even": pd.DataFrame(even),
        "attribution": pd.DataFrame(shares),
        "distributions": pd.concat(edf, ignore_index=True).assign(how="exact"),
    }


@pytest.mark.parametrize("name", ["net_price", "attribution", "distributions"])
@pytest.mark.parametrize("names", [HOSTILE, tuple("abcdefghijkl"), ("one",)], ids=len)
def test_pictures_are_legible_whatever_the_names(
    name: str, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = many(names)
    figure = discovery.make("figures", name, {})
    drawing = figure(case)
    assert drawing is not None
    width, height = drawing.get_size_inches() * 25.4
    assert width == pytest.approx(style.SINGLE) or width == pytest.approx(style.DOUBLE)
    assert height <= 235
    boxes = [(text.get_text(), text.get_window_extent()) for text in drawn(drawing, monkeypatch)]
    for text, box in boxes:
        assert not re.search(r"(?<!\\)\$", text) or "mathdefault" in text
        assert box.x0 >= drawing.bbox.x0 - 1, text
        assert box.x1 <= drawing.bbox.x1 + 1, text
        assert box.y0 >= drawing.bbox.y0 - 1, text
        assert box.y1 <= drawing.bbox.y1 + 1, text
    for (one, here), (other, there) in itertools.combinations(boxes, 2):
        wide = min(here.x1, there.x1) - max(here.x0, there.x0)
        high = min(here.y1, there.y1) - max(here.y0, there.y0)
        assert wide < 1.5 or high < 2.5, f"{one} overlaps {other}"
    if len(names) > figure.panels:
        assert "not shown at all" in figure.caption(case)

"""The teaching page and the table of strategies: every strategy is there, in its own true words."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.bias.cards import BUDGETS
from experiments.paths import __main__ as command
from experiments.paths import page, picture, table, walks, words
from experiments.paths.walks import SCENES
from hpo_lab import discovery
from hpo_lab.errors import InputError
from hpo_lab.report.page import Picture
from hpo_lab.space import Floats, Points, Real, Space
from hpo_lab.testing.strategy import rugged, trace
from tests.test_report_page import Page

STRATEGIES = discovery.names("strategies")
HERE = [  # those that run on this machine; the slow ones only in the long version
    pytest.param(name, marks=pytest.mark.slow if name in BUDGETS else ())
    for name in STRATEGIES
    if not walks.lacking(name)
]
CHEAP = ("random", "grid", "coordinate", "local_search", "annealing", "cma")
BOX = Space.box(*[Real(f"x{i}", -1.0, 1.0) for i in range(4)])
KEPT = pd.read_csv(command.KEPT)


def one_line(text: str) -> str:
    return " ".join(text.split())


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_says_all_four_parts(name: str) -> None:
    said = words.teaching(name)
    assert [head for head, _ in said.passages] == list(words.PARTS)
    for text in (said.about, said.source, *(text for _, text in said.passages)):
        assert len(text) > 20
        assert text == one_line(text)
        assert text.count("``") % 2 == 0
    assert re.search(r"\d{4}", words.citation(name)), "a source says when it was written"


def test_what_a_docstring_leaves_out_gets_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        """A strategy.

        *What it assumes.* Everything.
        """

    monkeypatch.setattr(discovery, "find", lambda kind, name: Silent)
    with pytest.raises(InputError, match=r'"silent" needs one passage "\*Where it looks'):
        words.teaching("silent")
    monkeypatch.setattr("tests.test_paths.__doc__", "No reference.")
    monkeypatch.setattr(Silent, "__module__", "tests.test_paths")
    with pytest.raises(InputError, match="names no source"):
        words.source("silent")


# --- what the words claim ------------------------------------------------------------------------


def changed(points: Points, since: int) -> list[int]:
    """For each point after the first ``since``: the fewest axes in which an earlier one differs."""
    table = points.values
    return [
        int((table[:i] != table[i]).sum(axis=1).min()) for i in range(max(since, 1), len(table))
    ]


@pytest.mark.parametrize(
    ("name", "first"), [("annealing", 10), ("coordinate", 1), ("regularized_evolution", 20)]
)
def test_those_that_change_one_axis_never_look_further(name: str, first: int) -> None:
    asked = trace(discovery.make("strategies", name, {}), BOX, 80, 3, rugged)
    assert max(changed(asked, first)) == 1
    other = trace(discovery.make("strategies", "random", {}), BOX, 80, 3, rugged)
    assert min(changed(other, first)) == 4  # so that the test could fail


def test_local_search_changes_two_axes_only_when_it_starts_anew() -> None:
    found: list[Floats] = []
    search = discovery.make("strategies", "local_search", {}).start(
        BOX, 400, np.random.default_rng(2)
    )
    restarts = 0
    while len(asked := search.ask()):
        alone = not found or min((one != asked.values[0]).sum() for one in found) > 1
        restarts += alone
        assert not alone or len(asked) == 1
        found += list(asked.values)
        search.tell(asked, rugged(asked))
    assert 1 < restarts < 20


def test_a_grid_sees_its_levels_and_no_other_value() -> None:
    asked = trace(discovery.make("strategies", "grid", {}), BOX, 81, 1, rugged)
    for column in asked.values.T:
        assert np.unique(column).tolist() == [-1.0, 0.0, 1.0]


def test_points_of_halton_in_a_row_lie_in_different_strata() -> None:
    asked = trace(discovery.make("strategies", "halton", {}), BOX, 100, 1, rugged)
    unit = BOX.to_unit(asked)
    for column, size in enumerate((16, 27, 25, 7)):  # powers of 2, 3, 5, 7
        strata = np.floor(unit[40 : 40 + size, column] * size)
        assert len(set(strata.tolist())) == size


def _agreed(search: Any) -> Floats:
    """What is asked for next in the axis in which all of a population agree."""
    asked = search.ask()
    search.tell(asked, rugged(asked))
    for name in ("parents", "places", "best", "speeds"):
        if hasattr(search, name):
            whole = getattr(search, name).copy()
            whole[:, 1] = 0.0 if name == "speeds" else 0.3
            setattr(search, name, whole)
    return BOX.to_unit(search.ask())[:, 1]


@pytest.mark.parametrize("name", ["differential_evolution", "particle_swarm"])
def test_where_all_members_agree_nothing_changes_again(name: str) -> None:
    search = discovery.make("strategies", name, {}).start(BOX, 60, np.random.default_rng(1))
    assert _agreed(search) == pytest.approx(0.3, abs=1e-15)


@pytest.mark.parametrize("name", HERE)
def test_who_learns_nothing_asks_for_the_same_whatever_it_is_told(name: str) -> None:
    recipe = discovery.make("strategies", name, {})
    one = trace(recipe, BOX, 45, 1, rugged)
    other = trace(recipe, BOX, 45, 1, lambda points: -rugged(points))
    assert bool((one.keys() == other.keys()).all()) == walks.blind(name)


# --- numbers -------------------------------------------------------------------------------------


def test_cells_and_the_largest_empty_circle() -> None:
    seen = walks.visited(np.array([[0.0, 0.0], [1.0, 0.05], [0.55, 0.95], [0.59, 0.99]]))
    assert np.argwhere(seen).tolist() == [[0, 0], [0, 9], [9, 5]]
    assert walks._largest_empty(np.array([[0.5, 0.5]]))[2] == pytest.approx(0.5**0.5)


def test_how_many_random_searches_end_worse() -> None:
    scene = SCENES[0]
    others = walks.random_regrets(scene, 7)
    assert len(others) == walks.RANDOM
    assert others.min() > 0
    middle = np.array([np.median(others), 1e9])
    assert walks._beaten(scene, np.resize(middle, 7)) == 0.5
    assert walks._beaten(scene, np.full(7, np.sort(others)[-1])) == 0.5 / walks.RANDOM  # a tie
    # random search against itself is no more than chance away from a half
    mean, error, runs = walks.beats("random", scene)
    assert runs == walks.RUNS
    assert error == pytest.approx((1 / 12 / runs) ** 0.5, rel=0.25)
    assert abs(mean - 0.5) < 3 * error


def test_what_random_search_leaves_unvisited() -> None:
    rng = np.random.default_rng(0)
    shares = [1 - walks.visited(rng.random((walks.BUDGET, 2))).mean() for _ in range(400)]
    assert np.mean(shares) == pytest.approx(walks.expected_unseen(), abs=0.01)


@pytest.mark.parametrize("name", CHEAP)
def test_the_kept_numbers_are_those_of_the_code(name: str) -> None:
    taken = {scene.name: walks.walk(name, scene) for scene in SCENES}
    made = pd.DataFrame([page.row(name, taken)]).to_csv(index=False, float_format="%.6g")
    again = pd.read_csv(io.StringIO(made))
    kept = KEPT[KEPT["strategy"] == name].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, kept, rtol=1e-4)  # other processors round otherwise


def test_the_readme_shows_the_kept_numbers() -> None:
    readme = command.README.read_text()
    assert command.shown(readme, KEPT) == readme
    missing = {name for name in STRATEGIES if not walks.lacking(name)} - set(KEPT["strategy"])
    assert not missing, "run python -m experiments.paths --keep"
    assert set(KEPT["strategy"]) <= set(STRATEGIES)


# --- the page ------------------------------------------------------------------------------------


def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages with their captions but without their pictures, which take long."""
    monkeypatch.setattr(picture, "drawn", lambda *given, **more: SimpleNamespace())
    monkeypatch.setattr(
        page, "drawn", lambda drawing, name, said, *_: Picture(name, "data:,", said, False, True)
    )


def test_every_strategy_is_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their words and numbers; the runs and pictures of one stand for all."""
    walk = {scene.name: walks.walk("random", scene) for scene in SCENES}
    undrawn(monkeypatch)
    monkeypatch.setattr(walks, "blind", lambda name: name < "h")
    rows = [
        {**page.row("random", walk), "strategy": name, "blind": name < "h"} for name in STRATEGIES
    ]
    path = page.write(tmp_path, dict.fromkeys(STRATEGIES, walk), pd.DataFrame(rows), ["one is not"])
    html = path.read_text(encoding="utf-8")
    text = one_line(Page(html).text)
    for name in STRATEGIES:
        said = words.teaching(name)
        for part in (said.about, said.source, *(text for _, text in said.passages)):
            assert one_line(part.replace("``", "")) in text
        for scene in SCENES:
            assert f"figure-{name}_{scene.name}" in html
    assert "one is not" in text


def test_the_command_writes_a_page_that_needs_nothing_from_outside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["coordinate", "random", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("1 of 2: random, ")
    assert printed[-1] == f"page: {tmp_path / 'index.html'}"
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    found = Page(html)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(found.tags)
    sources = [value for key, value in found.attributes if key in ("src", "href", "srcset")]
    assert len(sources) == 2 * 2 + 1
    for source in sources:
        kind, _, content = source.partition(";base64,")
        assert kind == "data:image/svg+xml"
        assert b"<svg" in base64.b64decode(content, validate=True)
    assert len(html) < 400_000
    assert any("default-src 'none'" in value for _, value in found.attributes)
    walk = walks.walk("coordinate", SCENES[1])
    assert one_line(page.caption(SCENES[1], walk)) in one_line(found.text)
    assert len(list((tmp_path / "figures").glob("*.pdf"))) == 5


def test_what_is_missing_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    undrawn(monkeypatch)
    monkeypatch.setattr(walks, "lacking", lambda name: "cma needs cmaes" if name == "cma" else None)
    assert command.main(["cma", "random", "--out", str(tmp_path)]) == 0
    assert "cma is left out: cma needs cmaes" in capsys.readouterr().out
    assert "cma needs cmaes" in Page((tmp_path / "index.html").read_text()).text


def test_a_wrong_name_gets_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["evolutoin"]) == 2
    assert (
        capsys.readouterr().err == 'there is no strategy "evolutoin" (did you mean "evolution"?)\n'
    )


# --- the table of strategies ---------------------------------------------------------------------

README = table.README.read_text()


def test_the_example_above_the_table_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.S)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "population=20" in done.stdout


def test_every_strategy_has_its_row_in_order() -> None:
    assert list(table.kept(README)) == STRATEGIES


@pytest.mark.parametrize("name", HERE)
def test_a_row_is_what_the_strategy_is(name: str) -> None:
    assert table.kept(README)[name] == table.row(name), "run python -m experiments.paths.table"


def test_batches_and_settings_of_known_strategies() -> None:
    assert table.row("grid")[3].startswith('`placement = "inclusive"`, `spread = "even"`')
    assert table.row("random")[4:6] == ["all", "anytime"]
    assert table.row("grid")[5] == "deterministic, plans ahead"
    assert table.row("evolution")[4] == "10, then 9"
    assert table.row("cma")[4] == "8"  # 4 + ⌊3 ln 5⌋

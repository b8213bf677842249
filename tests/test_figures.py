"""Figures draw every study legibly: one arm or sixty, hostile names, nothing left out unsaid."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as Drawing
from matplotlib.text import Text

from hpo_lab import discovery
from hpo_lab.figure import Figure, encoded, mark_partial, save
from hpo_lab.figures import _style as style
from hpo_lab.figures.price_chance import declared
from tests.tidy_tables import DATA_SETS, HOSTILE, tables

NAMES = ("price_chance", "regret_curves", "regret_split", "visit_map")
CASES: Mapping[str, Mapping[str, Any]] = {
    "eight data sets": {},
    "one arm": {
        "landscapes": ["cora"],
        "spaces": ["universe"],
        "strategies": ["random"],
        "axes": 1,
        "options": ("gat", "gcn"),
    },
    "two spaces of one landscape": {"landscapes": ["cora"], "strategies": ["grid", "random"]},
    "ten strategies": {"landscapes": DATA_SETS[:3], "strategies": [f"s{i}" for i in range(10)]},
    "twelve landscapes, five spaces, two budgets": {
        "landscapes": [f"set {i}" for i in range(12)],
        "spaces": ["universe", "a", "b", "c", "d"],
        "strategies": ["grid", "random"],
        "budgets": (50, 600),
        "axes": 2,
    },
    "hostile names": {
        "landscapes": HOSTILE[:5],
        "spaces": ["universe", HOSTILE[1]],
        "strategies": HOSTILE[3:6],
        "axes": 2,
        "options": HOSTILE,
    },
}


@cache
def given(case: str) -> dict[str, pd.DataFrame]:
    return tables(**CASES[case])


def figure(name: str) -> Figure:
    made: Figure = discovery.make("figures", name, {})
    return made


def texts(drawing: Drawing) -> list[Text]:
    found = drawing.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible())
    return [text for text in found if isinstance(text, Text) and text.get_text().strip()]


def test_every_figure_is_found() -> None:
    assert set(NAMES) <= set(discovery.names("figures"))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_it_is_legible_at_print_size(name: str, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = figure(name)(given(case))
    if name == "price_chance" and case == "one arm":
        assert drawing is None  # only the universe was searched: nothing has a price
        return
    assert drawing is not None
    width, height = drawing.get_size_inches() * 25.4
    assert width == pytest.approx(style.SINGLE) or width == pytest.approx(style.DOUBLE)
    assert height <= 235
    boxes = [(text, text.get_window_extent()) for text in drawn(drawing, monkeypatch)]
    assert boxes
    page = drawing.bbox
    for text, box in boxes:
        assert float(text.get_fontsize()) >= 5.5
        assert box.x0 >= page.x0 - 1, text.get_text()
        assert box.x1 <= page.x1 + 1, text.get_text()
        assert box.y0 >= page.y0 - 1, text.get_text()
        assert box.y1 <= page.y1 + 1, text.get_text()
    for (one, here), (other, there) in combinations(boxes, 2):
        wide = min(here.x1, there.x1) - max(here.x0, there.x0)
        high = min(here.y1, there.y1) - max(here.y0, there.y0)
        assert wide < 1.5 or high < 2.5, f"{one.get_text()} overlaps {other.get_text()}"


def drawn(drawing: Drawing, monkeypatch: pytest.MonkeyPatch) -> list[Text]:
    """The texts that really appear: ticks beyond the limits exist, but are not drawn."""
    seen: list[Text] = []
    draw = Text.draw

    def spy(self: Text, *arguments: Any, **settings: Any) -> None:
        if self.get_visible() and self.get_text().strip():
            seen.append(self)
        draw(self, *arguments, **settings)

    monkeypatch.setattr(Text, "draw", spy)
    drawing.canvas.draw()
    return seen


@pytest.mark.parametrize("name", NAMES)
def test_the_caption_says_what_was_left_out(name: str) -> None:
    case = given("twelve landscapes, five spaces, two budgets")
    caption = figure(name).caption(case)
    if name == "price_chance":
        assert "every landscape is shown" in caption
        return
    assert "Shown are " in caption
    assert "of the highest price" in caption


@pytest.mark.parametrize("name", NAMES)
def test_names_are_shown_literally(name: str) -> None:
    case = given("hostile names")
    drawing = figure(name)(case)
    assert drawing is not None
    shown = [text.get_text() for text in texts(drawing)]
    dollars = [text for text in shown if "$" in text]
    assert dollars
    assert not any(re.search(r"(?<!\\)\$", text) for text in dollars)  # none opens a formula
    assert not any(re.search("[\x00-\x08\x0b-\x1f\u202e]", text) for text in shown)


def test_a_dollar_is_drawn_as_a_dollar() -> None:
    with style.styled():
        drawing = style.blank(50, 20)
        literal = drawing.text(0, 0, style.label("$x_1$"))
        width = literal.get_window_extent().width
        assert width / drawing.dpi * 25.4 == pytest.approx(style.text_width("$x_1$", 7), rel=0.1)


def test_what_no_font_has_is_named_by_its_code_point() -> None:
    assert style.label("a\U000e0101b") != ""
    shown = style.label("x\U00013000y")  # an Egyptian hieroglyph: no font of ours has it
    assert shown == "x[U+13000]y"


def test_labels_fit_and_stay_different() -> None:
    names = [f"a_very_long_name_that_differs_{i}_only_in_its_middle_part_here" for i in range(3)]
    shown = style.labels(names, 25)
    assert len(set(shown.values())) == 3
    assert all(style.text_width(text, 7) <= 26 for text in shown.values())


def test_the_highest_price_comes_first_and_unknown_prices_last() -> None:
    price = given("eight data sets")["price"].copy()
    price.loc[price["landscape"] == "cs", "price"] = np.nan
    order = style.by_price({"price": price}, DATA_SETS)
    assert order[:2] == ["cora", "citeseer"]
    assert order[-1] == "cs"


def test_a_space_that_leaves_nothing_out_has_no_price() -> None:
    price = given("eight data sets")["price"]
    assert set(declared(price)["space"]) == {"declared"}
    renamed = price.assign(space=price["space"].replace("universe", "everything"))
    assert set(declared(renamed)["space"]) == {"declared"}


def test_only_files_of_the_same_bytes_are_written_again(tmp_path: Path) -> None:
    for turn in ("a", "b"):
        (tmp_path / turn).mkdir()
        drawing = figure("price_chance")(given("eight data sets"))
        assert drawing is not None
        save(drawing, tmp_path / turn, "price_chance")
    for suffix in ("pdf", "svg"):
        one, other = (tmp_path / turn / f"price_chance.{suffix}" for turn in ("a", "b"))
        assert one.read_bytes() == other.read_bytes()
    assert b"/Type3" not in (tmp_path / "a" / "price_chance.pdf").read_bytes()
    assert b"/FontFile2" in (tmp_path / "a" / "price_chance.pdf").read_bytes()
    assert b"<script" not in (tmp_path / "a" / "price_chance.svg").read_bytes()


def test_a_partial_figure_says_so_on_itself() -> None:
    for name in NAMES:
        drawing = figure(name)(given("two spaces of one landscape"))
        assert drawing is not None
        mark_partial(drawing)
        assert any(text.get_text().startswith("partial") for text in texts(drawing))


def odd_arms() -> dict[str, pd.DataFrame]:
    """Unknown splits, medians and infinities, prices unknown or bounded, several units."""
    case = {name: table.copy() for name, table in given("eight data sets").items()}
    arms, price, curves = case["arms"], case["price"], case["curves"]
    rest = ["from_space", "from_search", "from_selection", "floor", "shortfall"]
    arms.loc[arms["landscape"] == "cs", "split"] = False
    arms.loc[arms["landscape"] == "cs", rest] = np.nan
    arms.loc[arms["landscape"] == "photo", "statistic"] = "median"
    arms.loc[arms["landscape"] == "photo", ["total", "total_high"]] = np.inf
    bounds = {"cora": (0.1, 0.3), "citeseer": (0.2, np.inf), "pubmed": (-np.inf, np.inf)}
    for landscape, (low, high) in bounds.items():
        row = (price["space"] == "declared") & (price["landscape"] == landscape)
        price.loc[row, ["price", "low", "high"]] = [np.nan, low, high]
        price.loc[row, "exact"] = False
    price.loc[price["landscape"] == "arxiv", "unit"] = "log loss"
    curves.loc[curves["evaluation"] < 5, "centre"] = np.inf
    curves.loc[curves["evaluation"] > 45, ["centre", "low"]] = 0.0
    curves.loc[curves["evaluation"] > 45, "statistic"] = "median"
    return case


@pytest.mark.parametrize("name", NAMES)
def test_unknown_infinite_and_zero_values_are_drawn(name: str) -> None:
    case = odd_arms()
    drawing = figure(name)(case)
    assert drawing is not None
    assert len(encoded(drawing, "png", dpi=60)) > 1000
    shown = " ".join(text.get_text() for text in texts(drawing))
    if name == "price_chance":
        assert "unknown" in shown
        assert "at least" in shown
    if name == "regret_split":
        assert "no success" in shown


def test_runs_too_few_for_an_interval_are_shown_one_by_one() -> None:
    case = dict(given("two spaces of one landscape"))
    arms = case["arms"].assign(total_low=np.nan, total_high=np.nan)
    keys = ["landscape", "space", "strategy", "budget", "total"]
    runs = pd.concat([arms[keys].assign(total=arms["total"] * f) for f in (0.5, 1.0, 1.5)])
    split = figure("regret_split")
    assert "single runs" not in split.caption({"arms": arms})
    assert "single runs" in split.caption({"arms": arms, "regret": runs})
    drawing = split({"arms": arms, "regret": runs})
    assert drawing is not None
    offsets = [len(np.asarray(c.get_offsets())) for axes in drawing.axes for c in axes.collections]
    assert offsets.count(3) == 2  # random in both spaces; the grid has n = 1 and no dots


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_show_is_none(name: str) -> None:
    empty = {key: table.iloc[:0] for key, table in given("eight data sets").items()}
    assert figure(name)(empty) is None


def test_several_instances_are_one_map() -> None:
    case = dict(given("two spaces of one landscape"))
    case["regions"] = pd.concat([case["regions"].assign(instance=i) for i in range(3)])
    visit_map = figure("visit_map")
    assert visit_map(case) is not None
    assert "means over instances" in visit_map.caption(case)


def test_figures_are_plain_frozen_dataclasses() -> None:
    for name in NAMES:
        made = figure(name)
        assert dataclasses.is_dataclass(made)
        assert type(made).name == name
        assert type(made).tables

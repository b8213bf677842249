"""The cards of structural bias: kept numbers, shown numbers, and pictures are the same."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pandas as pd
import pytest

from experiments.bias import __main__ as command
from experiments.bias import cards, page, picture
from experiments.bias.cards import Card
from hpo_lab import discovery

BIAS, DENSITY = page.read()
USABLE = [card for card in cards.cards() if cards.missing(card) is None]


def rows(title: str) -> pd.DataFrame:
    return BIAS[BIAS["card"] == title].set_index("dimension")


def test_the_readme_and_the_pictures_show_the_kept_tables() -> None:
    readme = page.README.read_text()
    assert page.shown(readme) == readme
    there = {path.name: path.read_bytes() for path in page.PICTURES.iterdir()}
    assert there == page.pictures(DENSITY)


@pytest.mark.parametrize("card", USABLE, ids=lambda card: card.title)
def test_every_strategy_that_runs_here_has_its_card(card: Card) -> None:
    kept = rows(card.title)
    assert kept.index.tolist() == list(cards.DIMENSIONS), "run python -m experiments.bias"
    assert set(kept["budget"]) == {card.budget}
    assert set(kept["version"]) == {discovery.find("strategies", card.strategy).version}
    assert len(DENSITY[DENSITY["card"] == card.title]) == 10 * len(cards.DIMENSIONS)


def test_known_biases_are_on_the_cards_and_random_search_is_not_accused() -> None:
    blend, saturated = (Card(name, tuple(given.items())).title for name, given in cards.EXAMPLES)
    assert rows(blend).loc[[5, 10], "towards"].tolist() == ["the centre"] * 2
    assert rows(blend)["distance"].max() < 0.5
    assert rows(saturated)["towards"].tolist() == ["the bounds"] * 3
    assert rows(saturated)["atoms"].min() > 0.1
    assert (rows("random")["biased"] == 0).all()
    assert (rows("random")["tests"] == [13, 31, 61]).all()  # 2 samples, 3 tests an axis; and one
    assert (rows("grid")["tests"] == 0).all()  # one sample


def test_what_the_page_says_against_the_predictions_is_so() -> None:
    fair = ("random", "halton", "sobol", "lhs", "evolution", "regularized_evolution", "annealing")
    for name in (*fair, "differential_evolution"):
        assert (rows(name)["biased"] == 0).all(), name
    everywhere = {"gp_fast": "the bounds", "cma": "the centre"}
    everywhere |= dict.fromkeys(("coordinate", "local_search"), "the bounds")
    for name, towards in everywhere.items():
        assert (rows(name)["towards"] == towards).all(), name
    assert min(rows(name)["atoms"].min() for name in ("coordinate", "local_search")) > 0.01
    first = DENSITY[(DENSITY["card"] == "gp_fast") & (DENSITY["from"] == 0)]
    assert first["density"].min() > 8  # times uniform in the outermost tenth: 80 % of all
    assert set(rows("particle_swarm")["towards"]) == {"the centre", ""}


def test_a_card_is_made_again_to_the_last_digit(tmp_path: Path) -> None:
    bias, density = cards.measured(Card("random"), tmp_path, dimensions=(2,))
    for made, kept in ((bias, BIAS), (density, DENSITY)):
        own = kept[(kept["card"] == "random") & (kept["dimension"] == 2)]
        assert command.written(made) == command.written(own)


def test_only_the_rows_of_the_strategies_named_change(tmp_path: Path) -> None:
    for name in ("bias", "density"):
        shutil.copy(page.SUMMARY / f"{name}.csv", tmp_path)
    own = rows("halton").reset_index().assign(biased=9)
    command.keep(Card("halton"), own[BIAS.columns], DENSITY[DENSITY["card"] == "halton"], tmp_path)
    bias, density = page.read(tmp_path)
    pd.testing.assert_frame_equal(density, DENSITY)
    changed = (bias != BIAS) & ~(bias.isna() & BIAS.isna())
    assert set(bias.loc[changed.any(axis=1), "card"]) == {"halton"}
    assert set(changed.columns[changed.any()]) == {"biased"}


def test_the_cards_of_a_name_are_its_own_and_its_examples() -> None:
    found = [card.title for card in command.chosen(["evolution"])]
    assert found == ["evolution", "evolution operator=blend alpha=0.0"]
    assert {card.strategy for card in command.chosen([])} == set(discovery.names("strategies"))


def test_a_wrong_name_gets_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["evolutoin"]) == 2
    assert (
        capsys.readouterr().err == 'there is no strategy "evolutoin" (did you mean "evolution"?)\n'
    )


def test_a_picture_is_small_and_shows_what_its_numbers_are() -> None:
    own = DENSITY[DENSITY["card"] == "cma"]
    drawn = picture.drawn(own)
    assert len(drawn) < 8000
    root = ElementTree.fromstring(drawn)  # noqa: S314 (our own)
    bars = [one for one in root.iter() if one.get("fill") in (picture.ORANGE, picture.BLUE)]
    assert len(bars) == len(own)
    for bar, one in zip(bars, own.to_dict("records"), strict=True):
        unlike = not one["low"] <= 1.0 <= one["high"]
        assert bar.get("fill") == (picture.ORANGE if unlike else picture.BLUE)
        # a bar reaches from the line of uniform search to its density, a third of the panel each 1
        height = abs(min(one["density"], picture.MOST) - 1.0) * picture.HIGH / picture.MOST
        assert float(bar.get("height", 0)) == pytest.approx(max(height, 0.6), abs=0.051)

"""A landscape's card says what is known and how; its picture is legible and says what it shows."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from matplotlib.text import Text

import landscapes
from hpo_lab import cli
from hpo_lab.errors import InputError
from hpo_lab.landscape import UNKNOWN, Bounds, Landscape, Minima, Optimum
from hpo_lab.region import Region
from hpo_lab.show import card as cards
from hpo_lab.show.card import Evidence, card
from hpo_lab.show.pictures import draw
from hpo_lab.show.sights import sights
from hpo_lab.show.words import lines, title
from hpo_lab.space import Choice, Family, Floats, Integer, Points, Real, Space
from hpo_lab.verbs import show
from tests.test_landscapes import NEEDED

SHOWN: list[tuple[str, dict[str, Any]]] = [
    ("peaks", {"dimension": 1, "peaks": 7}),
    ("peaks", {"peaks": 12}),
    ("peaks", {"dimension": 14}),
    ("families", {}),
    ("families", {"ruggedness": 0.1}),
    ("nas_graph", {"dataset": "proteins"}),
    ("nk", {"n": 10, "k": 3}),
]


class _Given(Landscape):
    """A bowl whose universe and truth are given: unknown, bounded, slow or without values."""

    name: ClassVar[str] = "function"

    def __init__(self, space: Space, found: Optimum | Bounds = UNKNOWN, hole: float = -1.0) -> None:
        self.space, self.found, self.hole = space, found, hole

    @property
    def universe(self) -> Space:
        return self.space

    def evaluate(self, points: Points) -> Floats:
        x = np.nan_to_num(points.values[:, 0])
        return np.where(x < self.hole, np.nan, (x - 0.25) ** 2)

    def lowest(self, region: Region) -> Optimum | Bounds:
        return self.found

    def minima(self) -> Minima | None:
        return None


UNIT = Space.box(Real("x", 0.0, 1.0), Real("y", 0.0, 1.0))


@pytest.fixture(params=SHOWN, ids=lambda pair: "-".join([pair[0], *map(str, pair[1].values())]))
def evidence(request: pytest.FixtureRequest) -> Evidence:
    name, arguments = request.param
    return Evidence(landscapes.make(name, **arguments), sample=200)


# ---- the card


def test_a_card_is_plain_and_reads_as_lines(evidence: Evidence) -> None:
    found = card(evidence)
    json.dumps(found)
    said = lines(found)
    assert all(len(line) <= 100 for line in said)
    assert said[0] == found["landscape"]
    assert any(line.startswith("  optimum") for line in said)
    assert said[-1].endswith("seed 0.") or "seed 0;" in "".join(said[-2:])
    again = card(Evidence(evidence.landscape, sample=200))
    assert json.dumps(again) == json.dumps(found), "the same seed makes the same card"


def test_the_optimum_is_exact_only_where_it_is() -> None:
    exact = card(Evidence(landscapes.make("peaks", peaks=3), sample=20))["optimum"]
    assert (exact["status"], exact["value"]) == ("exact", 0.0)
    unknown = card(Evidence(_Given(UNIT), sample=20))["optimum"]
    assert unknown["status"] == "unknown"
    assert unknown["sampled"] >= 0.0
    bounded = card(Evidence(_Given(UNIT, Bounds(-1.0, 0.5, "guessed twice")), sample=20))
    assert bounded["optimum"]["status"] == "bounds"
    text = " ".join(lines(bounded))
    assert "between −1 and 0.5 (guessed twice)" in text
    assert "minima       unknown" in text


def test_shares_of_basins_say_whether_they_are_exact() -> None:
    flat = card(Evidence(landscapes.make("peaks", dimension=2, peaks=5), sample=50))["minima"]
    assert flat["masses"]["how"] == "exact"
    assert flat["count"] == 5
    deep = card(Evidence(landscapes.make("peaks", dimension=6, peaks=5), sample=50))["minima"]
    assert deep["masses"]["how"] == "estimated from 50 points"


def test_a_finite_landscape_is_described_exactly() -> None:
    found = card(Evidence(landscapes.make("nk", n=8, k=2), sample=50))
    by_name = {one["name"]: one for one in found["descriptors"]}
    assert by_name["autocorrelation"]["how"] == "exact, all 256 points"
    assert by_name["information content"]["how"] == "10 random walks of 50 steps"
    assert found["families"][0]["indices"]["how"] == "exact, all 256 points"
    minima = landscapes.make("nk", n=8, k=2).minima()
    assert minima is not None
    assert found["minima"]["count"] == len(minima.values)
    assert by_name["funnels"]["how"].startswith(f"local-optima network of {len(minima.values)}")


def test_what_differs_between_families_is_no_ruggedness() -> None:
    """Two smooth families far apart: smooth along walks, and all variance between them."""
    space = Space((Family("a", (Real("x", 0.0, 1.0),)), Family("b", (Real("x", 0.0, 0.1),))))

    class Apart(_Given):
        def evaluate(self, points: Points) -> Floats:
            return points.values[:, 0] + 100.0 * points.family

    found = card(Evidence(Apart(space), sample=400))
    by_name = {one["name"]: one["value"] for one in found["descriptors"]}
    assert by_name["variance between families"] > 0.99
    assert by_name["autocorrelation"] > 0.9


def test_points_without_a_value_are_counted_and_left_out() -> None:
    found = card(Evidence(_Given(UNIT, hole=0.5), sample=400))
    assert 150 < found["sample"]["without_value"] < 250
    by_name = {one["name"]: one["value"] for one in found["descriptors"]}
    assert by_name["autocorrelation"] > 0.8
    assert found["families"][0]["indices"] is None
    assert "of the points have no value" in " ".join(lines(found))


def test_a_slow_landscape_is_shown_by_a_smaller_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Slow(_Given):
        def evaluate(self, points: Points) -> Floats:
            asked.append(len(points))
            return super().evaluate(points)

    monkeypatch.setattr(Evidence, "rate", 0.5)
    evidence = Evidence(Slow(UNIT))
    found = card(evidence)
    assert found["sample"]["reduced"]
    assert found["sample"]["points"] == int(cards.PATIENCE / 2 / 0.5)
    assert "too slow" in " ".join(lines(found))
    assert draw(sights(evidence, "slow", found)) is not None
    assert sum(asked) < 3 * found["sample"]["points"]


def test_a_finite_landscape_that_is_slow_is_not_enumerated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Evidence, "rate", 1.0)
    evidence = Evidence(_Given(Space.box(Integer("k", 0, 10_000))))
    assert evidence.table is None
    assert card(evidence)["minima"]["status"] == "unknown"


def test_the_title_is_what_one_types() -> None:
    f = landscapes.make("peaks", dimension=10, rotation=True)
    assert title(card(Evidence(f, sample=20))) == "peaks dimension=10 rotation=true"


# ---- the picture


def legible(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that every text of a picture is on the page, and none lies on another."""
    found = card(evidence)
    drawing = draw(sights(evidence, title(found), found))
    assert drawing is not None
    shown: list[Text] = []
    original = Text.draw

    def spy(self: Text, *arguments: Any, **settings: Any) -> None:
        if self.get_visible() and self.get_text().strip():
            shown.append(self)
        original(self, *arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(Text, "draw", spy)
        drawing.canvas.draw()
    boxes = [(text.get_text(), text.get_window_extent()) for text in dict.fromkeys(shown)]
    page = drawing.bbox
    for text, box in boxes:
        assert box.x0 >= page.x0 - 1, text
        assert box.x1 <= page.x1 + 1, text
        assert box.y0 >= page.y0 - 1, text
        assert box.y1 <= page.y1 + 1, text
    for (text, box), (other, beside) in combinations(boxes, 2):
        wide = min(box.x1, beside.x1) - max(box.x0, beside.x0)
        high = min(box.y1, beside.y1) - max(box.y0, beside.y0)
        assert wide < 1.5 or high < 1.5, f"{text!r} lies on {other!r}"


def test_pictures_are_legible(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    legible(evidence, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in landscapes.names() if name not in NEEDED])
def test_every_landscape_found_has_a_card_and_a_legible_picture(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = Evidence(landscapes.make(name))
    assert lines(card(evidence))
    legible(evidence, monkeypatch)


def test_a_surface_goes_through_the_optimum_and_shows_all_minima() -> None:
    evidence = Evidence(landscapes.make("peaks", peaks=12), sample=50)
    seen = sights(evidence, "", card(evidence))
    surface, f = seen.surface, evidence.landscape
    assert surface is not None
    assert surface.whole
    best = f.optimum()
    assert isinstance(best, Optimum)
    assert surface.best.tolist() == best.point.values[0].tolist()
    assert surface.values.min() == best.value
    assert len(surface.minima) == 12
    row, column = 17, 99
    x, y = surface.columns[column], surface.rows[row]
    assert surface.values[row, column] == f([x, y])
    minima = f.minima()
    assert minima is not None
    assert surface.basins is not None
    assert surface.basins[row, column] == minima.labels(f.universe.points([x, y]))[0]


def test_profiles_go_through_the_best_of_each_family() -> None:
    evidence = Evidence(landscapes.make("families"), sample=50)
    seen = sights(evidence, "", card(evidence))
    assert [section.family for section in seen.sections] == [
        family.name for family in evidence.landscape.universe.families
    ]
    assert all(section.through == "its optimum" for section in seen.sections)
    conv = seen.sections[0].panels
    assert min(conv[0].values) == pytest.approx(0.1)
    assert seen.families is not None
    assert seen.families.lowest.min() == 0.0


def test_a_flat_landscape_and_one_of_a_single_point_are_drawn() -> None:
    class Flat(_Given):
        def evaluate(self, points: Points) -> Floats:
            return np.full(len(points), 0.5)

    for space in (UNIT, Space.box(Integer("k", 3, 3)), Space.box(Choice("op", ("only",)))):
        evidence = Evidence(Flat(space), sample=20)
        found = card(evidence)
        assert lines(found)
        assert draw(sights(evidence, "flat", found)) is not None


def test_a_landscape_without_any_value_has_a_card() -> None:
    evidence = Evidence(_Given(UNIT, hole=math.inf), sample=20)
    found = card(evidence)
    assert "20 of the points have no value" in " ".join(lines(found))
    draw(sights(evidence, "nothing", found))


# ---- the verb


def says(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = cli.main(["show", *map(str, arguments)])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_show_prints_cards_and_writes_pictures(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ["peaks", "dimension=2", "peaks=5", "nas_graph", "dataset=proteins", "--sample", 50]
    status, out, err = says(capsys, *given, "--out", tmp_path / "new")
    assert status == 0, err
    assert out.startswith("peaks@1\n")
    assert "\nnas_graph@1\n" in out
    names = ["nas_graph-dataset=proteins", "peaks-peaks=5"]
    written = sorted((tmp_path / "new").iterdir())
    assert [path.name for path in written] == [f"{n}.{s}" for n in names for s in ("pdf", "png")]
    assert all(str(path) in out for path in written)
    assert "peaks dimension=2 peaks=5: looking at it" in err
    status, out, _ = says(capsys, *given, "--out", tmp_path / "new", "--json")
    found = json.loads(out)["landscapes"]
    assert [one["landscape"] for one in found] == ["peaks@1", "nas_graph@1"]
    assert found[1]["arguments"]["dataset"] == "proteins"
    assert found[0]["minima"]["count"] == 5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["peak"], 'did you mean "peaks"'),
        (["peaks=3"], "the name of its landscape comes first"),
        (["peaks", "dimensions=3"], 'did you mean "dimension"'),
        (["peaks", "dimension=two"], "dimension: "),
        (["peaks", "dimension=0"], "at least 1"),
        (["peaks", "peaks=2", "peaks=3"], "twice"),
        (["peaks", "peaks=2\nseed=3"], "peaks: "),
        (["peaks", "--sample", "1"], "at least 2"),
        (["peaks", "peaks=2", "--out", "pyproject.toml/x"], "cannot write pictures"),
    ],
)
def test_a_mistake_is_one_line(
    capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    status, out, err = says(capsys, *given)
    assert (status, out) == (2, "")
    line = err.splitlines()[-1]
    assert line.startswith("hpo-lab: ")
    assert said in line
    assert sum(one.startswith("hpo-lab: ") for one in err.splitlines()) == 1


def test_values_are_toml_or_plain_words() -> None:
    read = [cli._toml(text) for text in ("2", "0.5", "true", "[1, 2]", "cora", "", '"3"', "x=y")]
    assert read == [2, 0.5, True, [1, 2], "cora", "", "3", "x=y"]
    given = ["peaks", "peaks=3", "rotation=true", "heights=7"]
    assert cli._named("landscapes", given) == (
        "peaks",
        {"peaks": 3, "rotation": True, "heights": 7},
    )
    f = ["nas_graph", "dataset=2026", 'truth="test"']
    assert cli._named("landscapes", f) == ("nas_graph", {"dataset": "2026", "truth": "test"})


def test_the_function_refuses_too_small_a_sample() -> None:
    with pytest.raises(InputError, match="at least 2 points"):
        show(landscapes.make("peaks"), sample=1)

"""The report: true words, complete tables, and nothing from a file that could run."""

from __future__ import annotations

import base64
import csv
import io
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpo_lab.errors import InputError
from hpo_lab.report import export
from hpo_lab.report.console import console_table
from hpo_lab.report.page import write_report
from hpo_lab.report.summary import lead
from hpo_lab.report.views import views
from tests.tidy_tables import DATA_SETS, HOSTILE, facts, tables

SMALL = {"landscapes": DATA_SETS[:2], "strategies": ("grid", "random"), "axes": 2}


class Page(HTMLParser):
    """What a parser finds on a page: tags, attributes, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(key, value or "") for key, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which every name, question and fact is hostile."""
    folder = tmp_path_factory.mktemp("report")
    shown = tables(
        landscapes=HOSTILE[:3],
        spaces=["universe", HOSTILE[0]],
        strategies=HOSTILE[3:7],
        axes=1,
        options=HOSTILE,
    )
    every = {name: [name] for name in HOSTILE}
    said = facts(
        name=HOSTILE[0],
        question=HOSTILE[5] + HOSTILE[0],
        spaces={"universe": [], **every},
        strategies={name: name for name in HOSTILE},
        missing=list(HOSTILE),
        mixed=list(HOSTILE),
        damaged=list(HOSTILE),
        provenance={name: name for name in HOSTILE},
        hash=HOSTILE[0],
    )
    return write_report(folder, shown, said)


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    return write_report(folder, tables(**SMALL), facts())  # type: ignore[arg-type]


def browser() -> str:
    """A headless Chromium; where there is none the test is skipped, or fails if it is required."""
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        if path := shutil.which(name):
            return path
    reason = "no Chromium on this machine to open the page with"
    if os.environ.get("HPO_LAB_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def dump(page: Path, profile: Path) -> str:
    """The document as a real browser holds it after loading."""
    command = [
        browser(),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={profile}",
        "--virtual-time-budget=10000",
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode("utf-8", "replace")


def test_no_script_runs_in_a_real_browser(hostile: Path, tmp_path: Path) -> None:
    page = Page(dump(hostile, tmp_path / "profile"))
    assert "script" not in page.tags
    assert not any(key.startswith("on") for key, _ in page.attributes)
    assert "<script>document.title='pwned'</script>" in page.text
    assert "{{7*7}}" in page.text  # not 49: names are no templates


def test_no_name_runs_even_without_the_policy_and_all_pictures_show(
    hostile: Path, tmp_path: Path
) -> None:
    html = hostile.read_text(encoding="utf-8")
    probe = (
        "<script>addEventListener('load', () => { const p = document.createElement('p');"
        "p.id = 'probe'; p.textContent = document.title + '|' +"
        "[...document.images].map(i => Math.min(i.naturalWidth, i.naturalHeight)).join(',');"
        "document.body.append(p); })</script>"
    )
    opened = re.sub(r"<meta http-equiv=[^>]*>", "", html, count=1).replace(
        "</body>", probe + "</body>"
    )
    harness = tmp_path / "harness.html"
    harness.write_text(opened, encoding="utf-8")
    found = re.search(r'<p id="probe">(.*)\|([\d,]+)</p>', dump(harness, tmp_path / "profile"))
    assert found is not None
    assert found[1].startswith('"&gt;&lt;img')  # the title is still the question
    sizes = [int(size) for size in found[2].split(",")]
    assert len(sizes) == 4
    assert min(sizes) > 50


def test_the_page_needs_nothing_from_outside(hostile: Path) -> None:
    html = hostile.read_text(encoding="utf-8")
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    sources = [value for key, value in page.attributes if key in ("src", "href", "srcset")]
    assert len(sources) == 4
    for source in sources:
        kind, _, content = source.partition(";base64,")
        assert kind in ("data:image/svg+xml", "data:image/png")
        picture = base64.b64decode(content, validate=True)
        assert len(picture) > 1000
        assert b"<script" not in picture
    policy = next(value for key, value in page.attributes if "default-src" in value)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not any(key.startswith("on") or key == "style" for key, _ in page.attributes)


def test_every_hostile_word_is_there_as_text(hostile: Path) -> None:
    text = Page(hostile.read_text(encoding="utf-8")).text
    for name in HOSTILE:
        assert name.replace("\x1b", r"\x1b").replace("\u202e", r"\u202e") in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_page_has_everything_in_order(ordinary: Path) -> None:
    text = Page(ordinary.read_text(encoding="utf-8")).text
    order = [
        "What does a search space without attention cost?",
        'The space "declared"',
        "What each space costs",
        "Price of each declared space",
        "Total regret and its parts",
        "Costly, and excluded by the space",
        "Blind spots",
        "Verdicts, counted",
        "Coverage, against uniform search",
        "Fates of the basins",
        "How to read",
        "Provenance",
        "0123456789abcdef",
    ]
    places: list[int] = []
    for words in order:  # each after the one before
        places.append(text.find(words, places[-1] if places else 0))
    assert -1 not in places
    assert "partial" not in text[places[1] :].lower()


def test_missing_runs_are_named_and_touched_figures_marked(tmp_path: Path) -> None:
    missing = [f"cora declared gp repetition {i}" for i in (3, 7, 21)]
    page = write_report(tmp_path, tables(**SMALL), facts(missing=missing))  # type: ignore[arg-type]
    html = page.read_text(encoding="utf-8")
    assert "3 runs are missing" in html
    assert all(text in html for text in missing)
    captions = re.findall(r'<figure id="figure-(\w+)".*?<figcaption>(.*?)</figcaption>', html, re.S)
    marked = {name: "Partial: runs are missing." in caption for name, caption in captions}
    assert marked == {
        "price_chance": False,  # prices come from the landscape, not from runs
        "regret_curves": True,
        "regret_split": True,
        "visit_map": True,
    }


def test_mixed_provenance_and_damage_are_bannered(tmp_path: Path) -> None:
    said = facts(mixed=["numpy 2.0 and 2.4"], damaged=["runs/ab.parquet"])
    html = write_report(tmp_path, tables(**SMALL), said).read_text()  # type: ignore[arg-type]
    assert "numpy 2.0 and 2.4" in html
    assert "1 file is damaged" in html
    assert "runs/ab.parquet" in html


def test_files_of_figures_and_tables_are_there(ordinary: Path) -> None:
    folder = ordinary.parent
    for name in ("price_chance", "regret_curves", "regret_split", "visit_map"):
        assert (folder / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert b"<svg" in (folder / "figures" / f"{name}.svg").read_bytes()[:2000]
    for name in ("price", "arms", "curves", "regions", "coverage", "fates", "benefit"):
        table = pd.read_csv(folder / "tables" / f"{name}.csv")
        assert len(table) == len(tables(**SMALL)[name])  # type: ignore[arg-type]
    for name in ("price", "arms", "blind_spots", "coverage"):
        assert "\\toprule" in (folder / "tables" / f"{name}.tex").read_text()
    assert not list(folder.rglob("*.draft"))


def test_csv_keeps_numbers_and_disarms_text(hostile: Path) -> None:
    path = hostile.parent / "tables" / "price.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    cells = [cell for row in rows for key, cell in row.items() if key in ("landscape", "space")]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    assert '\'=HYPERLINK("http://example.org","x")' in cells
    assert [float(row["price"]) for row in rows] == list(
        tables(landscapes=HOSTILE[:3], spaces=["universe", HOSTILE[0]])["price"]["price"]
    )


def test_latex_runs_no_name(hostile: Path) -> None:
    tex = (hostile.parent / "tables" / "price.tex").read_text(encoding="utf-8")
    assert "\\input" not in tex
    assert "\\textbackslash{}input\\{/etc/passwd\\}" in tex
    assert "\\$x\\_1\\$ \\& 50\\% \\#1" in tex
    assert export.tex_text("^~<>|\"'`[*") == (
        r"\textasciicircum{}\textasciitilde{}\textless{}\textgreater{}\textbar{}"
        r"\textquotedbl{}\textquotesingle{}\textasciigrave{}{[}{*}"
    )
    body = [line for line in tex.splitlines() if line.endswith(r"\\")]
    columns = {len(re.findall(r"(?<!\\)&", line)) for line in body}
    assert len(columns) == 1


def test_a_link_in_the_folder_is_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    kept = outside / "kept.html"
    kept.write_text("mine")
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "report.html").symlink_to(kept)
    write_report(folder, tables(**SMALL), facts())  # type: ignore[arg-type]
    assert kept.read_text() == "mine"
    shutil.rmtree(folder / "figures")
    (folder / "figures").symlink_to(outside)
    with pytest.raises(InputError, match="is a link"):
        write_report(folder, tables(**SMALL), facts())  # type: ignore[arg-type]
    assert sorted(outside.iterdir()) == [kept]


def test_long_tables_say_what_was_left_out() -> None:
    shown = views(tables(strategies=[f"s{i}" for i in range(10)]))
    arms = shown["arms"]
    assert len(arms.cells) == 80
    assert arms.cut == "80 more rows are not shown; all are in tables/arms.csv."
    assert "tables/regions.csv" in shown["blind_spots"].cut


def test_costly_blind_spots_come_first_and_no_arm_fills_the_table() -> None:
    view = views(tables())["blind_spots"]
    better = [row[view.head.index("Better by")] for row in view.cells]
    costly = [text != "–" for text in better]
    assert costly == sorted(costly, reverse=True)
    verdicts = [row[view.head.index("Verdict")] for row in view.cells]
    tested = [v != "never, by construction" for v, c in zip(verdicts, costly, strict=True) if c]
    assert tested == sorted(tested, reverse=True)
    arms = [row[:3] for row in view.cells]
    assert max(map(arms.count, arms)) <= 3
    regions = tables()["regions"]["verdict"]
    flagged = int(regions.isin(["never seen", "neglected"]).sum())
    assert len(view.cells) + view.hidden >= flagged


def test_a_pair_that_follows_from_a_listed_option_is_not_repeated() -> None:
    shown = tables(landscapes=["x"], spaces=["universe"], strategies=["grid", "gp"], axes=2)
    regions = shown["regions"]
    gat = regions["region"].str.contains("op1 = gat") & (regions["strategy"] == "gp")
    regions["verdict"] = "no evidence"
    regions["costly"] = False
    regions.loc[gat, "verdict"] = "never seen"
    assert gat.sum() > 1
    assert [row[3] for row in views(shown)["blind_spots"].cells] == ["op1 = gat"]


def test_the_excluded_table_blames_the_space_alone() -> None:
    view = views(tables())["excluded"]
    assert "Strategy" not in view.head
    assert {row[0] for row in view.cells} == {
        "cora",
        "citeseer",
        "pubmed",
        "computers",
        "arxiv",
    }  # the landscapes where leaving gat out has a price


def test_the_first_sentence_speaks_of_every_landscape() -> None:
    said = lead(tables(), facts()["spaces"])
    assert said[0].startswith('The space "declared" (without "gat" in op1')
    assert "between 0 and 0.954 pp of test error on 8 landscapes (median 0.038)" in said[0]
    assert "nothing on cs, physics and photo" in said[0]
    assert "On 1 of 8 landscapes (cora)" in said[1]
    assert "up to 0.4" in said[1]
    assert "24 comparisons" in said[2]


def test_an_unknown_price_is_called_unknown() -> None:
    shown = tables(landscapes=["a", "b"])
    price = shown["price"]
    price.loc[price["space"] == "declared", ["price", "exact"]] = [np.nan, False]
    price.loc[price["space"] == "declared", "low"] = [0.5, -np.inf]
    price.loc[price["space"] == "declared", "high"] = [0.75, np.inf]
    first = lead(shown)[0]
    assert "between 0.500 and 0.750 pp of test error on a" in first
    assert "unknown on b" in first
    assert "unknown" in console_table(shown)
    cells = [row[2] for row in views(shown)["price"].cells]
    assert cells == ["[0.500, 0.750]", "unknown"]


def test_a_study_of_the_universe_alone_claims_no_price() -> None:
    assert lead(tables(spaces=["universe"]))[0].startswith("The whole universe was searched")
    assert lead({})[0].startswith("Nothing is known")


def test_a_free_space_is_called_free() -> None:
    first = lead(tables(landscapes=["x", "y"]) | {"price": _free()})[0]
    assert "costs nothing on 2 landscapes" in first


def _free() -> pd.DataFrame:
    price = tables(landscapes=["x", "y"])["price"]
    return price.assign(price=0.0, low=0.0, high=0.0)


def test_the_terminal_shows_all_arms_within_a_hundred_columns() -> None:
    text = console_table(tables())
    assert max(map(len, text.splitlines())) <= 100
    lines = text.splitlines()
    head = next(line for line in lines if line.startswith("landscape"))
    assert head.split() == ["landscape", "space", "price", "grid", "random", "gp", "evolution"]
    assert len(lines) - lines.index(head) - 1 == 16
    assert "pp of test error" in text
    many = console_table(tables(strategies=[f"strategy {i}" for i in range(10)]))
    assert max(map(len, many.splitlines())) <= 100
    assert all(f"strategy {i}" in many for i in range(10))


def test_the_terminal_is_never_driven_by_a_name() -> None:
    text = console_table(tables(landscapes=HOSTILE, strategies=HOSTILE))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)


def test_medians_are_marked() -> None:
    shown = tables(landscapes=["x"])
    arms = shown["arms"]
    arms.loc[0, "statistic"] = "median"
    arms.loc[0, "total"] = np.inf
    assert "~∞" in console_table(shown)
    assert "∞ (median)" in views(shown)["arms"].cells[0]

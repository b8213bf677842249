"""The sections of a report and its methods paragraph: true of the study, and of nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hpo_lab.answers import facts, plain, summary
from hpo_lab.measure import Results, tabulate
from hpo_lab.measures.price import in_words
from hpo_lab.report import sentences
from hpo_lab.report.methods import methods, tex, text
from hpo_lab.report.page import write_report
from hpo_lab.report.sections import sections
from hpo_lab.report.views import views
from hpo_lab.study import Study
from hpo_lab.verbs import run
from tests.small_studies import Inline, write
from tests.test_report_page import Page
from tests.tidy_tables import HOSTILE

STUDY = """
schema = 1
name = "sections"
[[landscapes]]
use = "families"
[spaces.universe]
[spaces.known]
assume = [
  { use = "without", family = "attention", reason = "too dear" },
  { use = "narrowed", axis = "lr", low = 1e-4, high = 1e-2, reason = "habit" },
]
[[strategies]]
use = "grid"
[[strategies]]
use = "random"
[[strategies]]
use = "local_search"
[runs]
budget = 20
repetitions = 30
[regions]
systems = ["families", "options", "bins", "basins"]
[controls]
use = ["flat"]
[[hypotheses]]
name = "local search is ahead"
compare = ["local_search", "random"]
space = "universe"
landscape = "families"
direction = "less"
"""
TEXTS = (
    *("landscape", "space", "strategy", "region", "rule", "statement", "assumption", "words"),
    *("cause", "hypothesis", "expectation", "against", "axes", "bound", "axis", "chosen_by"),
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, dict[str, Any], Any]:
    """Results, tables and facts of a real study: families, controls, a hypothesis."""
    folder = tmp_path_factory.mktemp("sections")
    study = Study.read(write(folder / "study.toml", STUDY))
    run(study, folder / "out", executor=Inline())
    results = Results.load(study, folder / "out")
    return results, tabulate(results), facts(results)


def shown(tables: dict[str, Any]) -> dict[str, Any]:
    """The tables as the report gets them: lists of budgets in words."""
    columns = ("wins", "oracle_wins")
    price = tables["price"].assign(**{c: tables["price"][c].map(in_words) for c in columns})
    return {**tables, "price": price}


def test_the_page_goes_from_what_it_cost_to_what_was_never_seen(told: Any, tmp_path: Path) -> None:
    _, tables, said = told
    page = write_report(tmp_path, shown(tables), said)
    html = page.read_text(encoding="utf-8")
    titles = re.findall(r"<h2>([^<]*)", html)
    assert titles == [
        "What the space cost",
        "What it gained",
        "Regret",
        "What the search never saw",
        "Coverage and basins",
        "Families over time",
        "Comparisons",
        "Methods",
        "What was compared",
        "How to read",
        "Provenance",
    ]
    figures = re.findall(r'<figure id="figure-(\w+)"', html)
    wanted = ["price_chance", "attribution", "distributions", "net_price", "regret_curves"]
    wanted += ["regret_split", "visit_map", "coverage_excess", "survival"]
    assert [name for name in figures if name in wanted] == wanted
    page_text = Page(html).text
    assert "hypothesis declared before looking" in page_text
    assert (tmp_path / "methods.txt").read_text().startswith("Design. 3 strategies searched 2")
    assert "\\paragraph{Design.}" in (tmp_path / "methods.tex").read_text()


def test_tables_without_rows_make_no_section(told: Any) -> None:
    _, tables, _ = told
    bare = {name: table.iloc[:0] for name, table in tables.items() if name != "arms"}
    bare["arms"] = tables["arms"]
    assert [one.title for one in sections(bare, views(bare), [])] == ["Regret"]


def test_a_blind_spot_has_its_cause_and_how_it_was_counted(told: Any) -> None:
    _, tables, _ = told
    view = views(shown(tables))["blind_spots"]
    rows = [dict(zip(view.head, cells, strict=True)) for cells in view.cells]
    assert rows
    found = tables["regions"].merge(
        tables["causes"][["space", "strategy", "system", "region", "cause"]],
        on=["space", "strategy", "system", "region"],
    )
    for row in rows:
        mine = found[(found["space"] == row["Space"]) & (found["strategy"] == row["Strategy"])]
        (one,) = mine[mine["region"] == row["Region"]].to_dict("records")
        assert row["Cause"] == one["cause"]
        assert row["Came in"].startswith(f"{one['runs_reached']} of {one['runs']}")
        assert (f"≥ {one['at_least']} times" in row["Came in"]) == (one["at_least"] > 1)
        assert ("±" in row["Share of the space"]) == (one["measure_error"] > 0)


def test_the_space_is_blamed_where_only_the_universe_misses_a_region(told: Any) -> None:
    _, tables, _ = told
    regions = tables["regions"].assign(verdict="no evidence", universe_verdict="no evidence")
    assert sentences.blame({"regions": regions.assign(costly=False)}) == []
    thin = regions["space"] == "known"
    regions.loc[thin & (regions["region"] == "family = conv"), "universe_verdict"] = "neglected"
    (said,) = sentences.blame({"regions": regions.assign(costly=False)})
    assert said.startswith("The space “known” is to blame for 3 more verdicts (family = conv)")


def test_rules_are_sentences_the_costly_first_and_few_of_an_arm(told: Any) -> None:
    _, tables, _ = told
    rules = tables["rules"]
    assert len(rules)
    many = pd.concat([rules.assign(strategy=f"s{i}", costly=i > 20) for i in range(30)])
    points, cut = sentences.rules({"rules": many})
    assert len(points) == sentences.RULES
    assert cut == f"{len(many) - len(points)} more rules not shown; all are in tables/rules.csv."
    strategies = [where.split(" · ")[-1] for where, _ in points]
    assert {int(name[1:]) > 20 for name in strategies[:9]} == {True}
    assert all(any(said.startswith(one) for one in rules["statement"]) for _, said in points)
    plainly = rules.head(1).assign(costly=True, beyond=0.0, missed=0.25, confirming=15)
    ((_, said),) = sentences.rules({"rules": plainly})[0]
    end = "; the best there is 0.25 better than the mean result (proposed by the other runs, "
    assert said.endswith(f"{end}confirmed on 15).")
    per_arm = [where for where, _ in points]
    assert max(map(per_arm.count, per_arm)) <= sentences.PER_ARM


def test_coverage_never_leads_with_raw_occupancy(told: Any) -> None:
    _, tables, _ = told
    wide = tables["coverage"].assign(headline=False, axes=12, axes_seen=3)
    said = sentences.covered({**tables, "coverage": wide})
    assert "says nothing about a search" in said[0]
    assert "12 axes" in said[0]
    assert all("random search" in one for one in said)
    near = sentences.covered({**tables, "coverage": wide.assign(headline=True)})
    assert not any("says nothing" in one for one in near)


def test_what_is_masked_is_said(told: Any) -> None:
    _, tables, _ = told
    words = "giving up a or b alone gains nothing, giving up both gains 2"
    masked = tables["attribution"].assign(words=words)
    (said,) = sentences.masking({"attribution": masked})
    assert said == f"Masked: on families, in the space “known”, {words}."
    assert sentences.masking({"attribution": masked.assign(words="")}) == []


def test_how_long_a_space_was_ahead_is_counted(told: Any) -> None:
    _, tables, _ = told
    rows = tables["break_even"]
    rows = rows[rows["strategy"] != "random, exact"].head(3)
    rows = rows.assign(
        status=["never", "finite", "beyond the budget"], break_even=[np.nan, 7.0, np.nan]
    )
    (said,) = sentences.ahead({"break_even": rows})
    assert "never in 1; for a while in 1 (the last time after 7 evaluations); still" in said
    assert "in 1 of 3 comparisons" in said


# --- the methods paragraph -----------------------------------------------------------------------


def paragraph(tables: Any, said: Any, **design: Any) -> str:
    return text(methods(tables, {**said, "design": {**said["design"], **design}}))


def test_the_methods_say_what_was_done(told: Any) -> None:
    _, tables, said = told
    found = paragraph(tables, said)
    for words in (
        "3 strategies searched 2 spaces (“universe” and “known”), each 30 times on families",
        "too dear",
        "smallest 0.001",  # a setting of local search that the study file does not give
        "f(x̂) − f*(U)",
        "each family has the weight that the landscape declares",
        "parts of each number’s range",
        "Benjamini and Hochberg",
        "Benjamini and Yekutieli",
        "Tarone 1990",
        "uniform noise in the landscape’s place",
        "grid is deterministic",
        "1 hypothesis was declared in the study file",
        "studentised bootstrap intervals",
        f"numpy {np.__version__}",
    ):
        assert words in found
    assert "told values other than the truth" not in found  # they were told the truth


def test_the_methods_say_nothing_that_was_not_done(told: Any) -> None:
    _, tables, said = told
    assert "control" not in paragraph(tables, said, controls=[])
    assert "options permuted" not in paragraph(tables, said)
    assert "options of its choices permuted" in paragraph(tables, said, controls=["relabelled"])
    flat = [{**one, "overlap": False} for one in said["design"]["systems"]]
    assert "Yekutieli" not in paragraph(tables, said, systems=flat)
    over = [{**one, "overlap": True} for one in said["design"]["systems"]]
    assert "Hochberg" not in paragraph(tables, said, systems=over)
    loose = [{**one, "deterministic": False} for one in said["design"]["strategies"]]
    assert "n = 1" not in paragraph(tables, said, strategies=loose)
    price = tables["price"].assign(exact=False)
    assert "known exactly." not in paragraph({**tables, "price": price}, said)
    assert "bounds" in paragraph({**tables, "price": price}, said)
    arms = tables["arms"].assign(total_low=np.nan, total_high=np.nan)
    few = paragraph({**tables, "arms": arms}, said, repetitions=10)
    assert "bootstrap" not in few
    assert "fewer than 30 repetitions" in few
    bare = {name: table for name, table in tables.items() if name != "hypotheses"}
    assert "confirmatory" not in paragraph(bare, said)
    assert "No hypothesis was declared" in paragraph(bare, said)
    assert "Trials failed" not in paragraph(tables, said)
    failed = tables["arms"].assign(failures=0.5, success=0.9)
    assert "infinite" in paragraph({**tables, "arms": failed}, said)
    assert methods(tables, {**said, "design": None}) == []


# --- as values, and with hostile names -----------------------------------------------------------


def test_json_carries_what_the_tables_say(told: Any) -> None:
    results, tables, _ = told
    found = plain(summary(results, tables))
    net = tables["net"]
    for curve in found["net"]:
        mine = net[(net["space"] == curve["space"]) & (net["strategy"] == curve["strategy"])]
        assert curve["evaluations"] == mine["evaluation"].tolist()
        assert curve["net"] == plain(mine["net"].tolist())
        if curve["strategy"] != "random, exact":
            assert curve["break_even"]["status"] in ("never", "finite", "beyond the budget")
    (shared,) = found["attribution"]
    game = next(one for one in shared["games"] if one["game"] == "price")
    total = sum(one["shapley"] for one in game["assumptions"])
    assert total == pytest.approx(game["total"], abs=1e-12)
    causes = [row["cause"] for arm in found["arms"] for row in arm["regions"]]
    assert sum(cause is not None for cause in causes) == len(tables["causes"])
    assert sum(len(arm["rules"]) for arm in found["arms"]) == len(tables["rules"])
    assert [one["hypothesis"] for one in found["hypotheses"]] == ["local search is ahead"]
    assert len(found["comparisons"]) == len(tables["comparisons"])
    marginals = found["arms"][0]["coverage"]["marginals"]
    assert {one["system"] for one in marginals} >= {"families", "options"}


def test_no_name_of_the_new_tables_runs(told: Any, tmp_path: Path) -> None:
    _, tables, said = told
    hostile = {name: _hostile(table) for name, table in shown(tables).items()}
    design = said["design"]
    bad = [
        {**one, "label": HOSTILE[i] + one["label"], "settings": HOSTILE[1]}
        for i, one in enumerate(design["strategies"])
    ]
    spaces = {HOSTILE[0]: [HOSTILE[1]], HOSTILE[3]: list(HOSTILE)}
    said = {**said, "spaces": spaces, "design": {**design, "strategies": bad}}
    html = write_report(tmp_path, hostile, said).read_text(encoding="utf-8")
    page = Page(html)
    assert not {"script", "iframe", "object", "form", "link"} & set(page.tags)
    assert not any(key.startswith("on") or key == "style" for key, _ in page.attributes)
    assert {tag for tag in page.tags if tag == "img"} == {"img"}
    assert page.tags.count("img") == len(re.findall(r'<figure id="', html))
    assert "<script>document.title='pwned'</script>" in page.text
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text
    latex = (tmp_path / "methods.tex").read_text(encoding="utf-8")
    assert "\\input{" not in latex
    assert "\\textbackslash{}input" in latex
    assert "\x1b" not in (tmp_path / "methods.txt").read_text(encoding="utf-8")
    assert tex([(HOSTILE[1], HOSTILE[1])]).count("\\paragraph") == 1


def _hostile(table: pd.DataFrame) -> pd.DataFrame:
    """Hostile words in front of every text that comes from a file."""
    columns = [name for name in TEXTS if name in table and not table.empty]
    return table.assign(
        **{
            name: [
                HOSTILE[len(str(v)) % 8] + v if isinstance(v, str) and v else v for v in table[name]
            ]
            for name in columns
        }
    )

"""The order of the page: what the space cost first, then what was gained, what was never seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hpo_lab.report import sentences
from hpo_lab.report.view import Tables, View

if TYPE_CHECKING:
    from hpo_lab.report.page import Picture


@dataclass(frozen=True)
class Section:
    """A section of the page: sentences, points of a list, and figures and tables in their order."""

    title: str
    said: Sequence[str]
    shown: Sequence[View | Picture]
    points: Sequence[tuple[str, str]] = ()
    points_title: str = ""
    cut: str = ""
    runs: bool = True  # whether it is about runs, so that a missing one touches it


@dataclass(frozen=True)
class _Plan:
    title: str
    shown: tuple[str, ...]  # figures and tables by name, in their order
    said: tuple[Callable[[Tables], list[str]], ...] = field(default=())
    rules: bool = False  # whether what nobody declared is listed here
    runs: bool = True


PLAN = (
    _Plan(
        "What the space cost",
        (
            "price",
            "figure price_chance",
            "figure attribution",
            "attribution",
            "figure distributions",
        ),
        (sentences.masking,),
        runs=False,
    ),
    _Plan("What it gained", ("figure net_price", "break_even", "benefit"), (sentences.ahead,)),
    _Plan("Regret", ("figure regret_curves", "figure regret_split", "arms")),
    _Plan(
        "What the search never saw",
        ("figure visit_map", "excluded", "blind_spots", "causes", "verdicts", "richness"),
        (sentences.blame, sentences.costly_causes),
        rules=True,
    ),
    _Plan(
        "Coverage and basins",
        ("figure coverage_excess", "marginals", "emptiest", "coverage", "edges", "basins", "fates"),
        (sentences.covered,),
    ),
    _Plan("Families over time", ("figure survival", "abandonment"), (sentences.abandoned,)),
    _Plan(
        "Comparisons",
        ("hypotheses", "comparisons", "ranks", "figure rank_diagram"),
        (sentences.compared,),
    ),
    _Plan("Selection", ("selection",), (sentences.chosen,), runs=False),
    _Plan("With nothing to learn", ("figure bias",)),
)


def sections(
    tables: Tables, views: Mapping[str, View], pictures: Sequence[Picture]
) -> list[Section]:
    """Return the sections that have something to show; figures without a place come last."""
    figures = {f"figure {picture.name}": picture for picture in pictures}
    things: dict[str, View | Picture] = {**figures, **views}
    made = [_section(plan, tables, things) for plan in PLAN]
    placed = {name for plan in PLAN for name in plan.shown}
    rest = [picture for name, picture in figures.items() if name not in placed]
    made.append(Section("More figures", (), rest))
    return [one for one in made if one.shown or one.points]


def _section(plan: _Plan, tables: Tables, things: Mapping[str, View | Picture]) -> Section:
    said = [sentence for say in plan.said for sentence in say(tables)]
    shown = [things[name] for name in plan.shown if name in things]
    points, cut = sentences.rules(tables) if plan.rules else ([], "")
    title = "Rules: blind spots that nobody declared" if points else ""
    return Section(plan.title, said, shown, points, title, cut, plan.runs)

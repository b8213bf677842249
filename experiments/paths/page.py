"""The teaching page: every strategy's pictures beside its own words, and the table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from experiments.paths import picture, walks
from experiments.paths.walks import BUDGET, RANDOM, RUNS, SCENES, SIDE, Scene, Walk
from experiments.paths.words import teaching
from hpo_lab.figure import publish
from hpo_lab.figures._words import listed, number
from hpo_lab.report.page import Picture, drawn, own_folder, rendered
from hpo_lab.report.view import View

HERE = Path(__file__).parent
TITLE = "What each strategy sees, and what it never looks at"
FEWEST = 5  # runs below which nothing is said of a strategy in words
CLEAR = 0.9  # share of random searches that a strategy has to beat to be called better
NOTE = (
    "Of the run that is drawn: the best value above the optimum, how far that point is from the "
    f"optimum (the square’s side is 1), the share of {SIDE**2} cells never visited. Of several "
    "runs: the mean share of random searches with as many evaluations that end worse (± standard "
    "error), 50 % for random search itself."
)
GROUPS = (
    (
        True,
        "They learn nothing",
        "Everything is asked for before anything is told: the two pictures of a card show the same "
        "points. What they find is a matter of how evenly they look, and of luck.",
    ),
    (
        False,
        "They go where it was good",
        "What was told decides where they look next, so the two pictures of a card differ. Each "
        "gains where its assumption holds, and pays for it with what it leaves unseen.",
    ),
)


@dataclass(frozen=True)
class Card:
    """A strategy on the page; texts are split so that every second part is code."""

    name: str
    about: Sequence[str]
    passages: Sequence[tuple[str, Sequence[str]]]
    source: Sequence[str]
    pictures: Sequence[Picture]


def card(name: str, taken: Mapping[str, Walk], folder: Path) -> Card:
    """Return a strategy's card; its pictures (PDF, SVG) are written into the folder."""
    said = teaching(name)
    return Card(
        name,
        _parts(said.about),
        [(head, _parts(text)) for head, text in said.passages],
        _parts(said.source),
        [
            drawn(
                picture.drawn(scene, taken[scene.name], path=not walks.blind(name)),
                f"{name}_{scene.name}",
                caption(scene, taken[scene.name]),
                folder,
            )
            for scene in SCENES
        ],
    )


def _parts(text: str) -> list[str]:
    return re.split(r"``(.+?)``", text)


def caption(scene: Scene, taken: Walk) -> str:
    """Return what a picture shows, in numbers."""
    cells = round(taken.unseen * SIDE**2)
    said = (
        f"{scene.title}: {number(float(taken.regret[taken.best]))} above the optimum, found by "
        f"evaluation {taken.best + 1} of {len(taken.regret)}; {100 * taken.beats:.0f} % of random "
        f"searches end worse. {cells} of {SIDE**2} cells were never visited."
    )
    return said.replace(" %", "\N{NO-BREAK SPACE}%")


def row(name: str, taken: Mapping[str, Walk]) -> dict[str, object]:
    """Return a strategy's numbers: of the run that is drawn, and of several."""
    found: dict[str, object] = {"strategy": name, "blind": walks.blind(name)}
    for scene in SCENES:
        own = taken[scene.name]
        found[f"{scene.name}_regret"] = float(own.regret[own.best])
        found[f"{scene.name}_distance"] = own.distance
        found[f"{scene.name}_unseen"] = own.unseen
        found[f"{scene.name}_empty"] = own.empty[2]
        mean, error, found["runs"] = walks.beats(name, scene)
        found |= {f"{scene.name}_beats": mean, f"{scene.name}_error": error}
    return found


def columns(table: pd.DataFrame, scene: Scene) -> dict[str, list[str]]:
    """Return one scene's numbers as they are read: texts by heading."""
    names = [f"{scene.name}_beats", f"{scene.name}_error", "runs"]
    beaten = table[names].itertuples(index=False, name=None)
    return {
        "strategy": [str(name) for name in table["strategy"]],
        "best, above the optimum": [number(float(v)) for v in table[f"{scene.name}_regret"]],
        "its distance": [f"{v:.2f}" for v in table[f"{scene.name}_distance"]],
        "never visited": [f"{100 * v:.0f} %" for v in table[f"{scene.name}_unseen"]],
        "random searches that end worse": [
            f"{100 * mean:.0f} ± {100 * error:.0f} %" if n > 1 else f"{100 * mean:.0f} %"
            for mean, error, n in beaten
        ],
        "runs": [str(n) for n in table["runs"]],
    }


def lead(table: pd.DataFrame) -> list[str]:
    """Return the first sentences; all of their numbers are computed."""
    opening = (
        f"The same two landscapes, searched by {len(table)} strategies with {BUDGET} evaluations "
        "each. A strategy that learns bets on what the landscape is like: where the bet is good it "
        "needs few evaluations, and where it is bad it looks in the wrong place all the more "
        "thoroughly. Either way most of the space is never visited."
    )
    return [opening, *[compared(table, scene) for scene in SCENES], _reading()]


def compared(table: pd.DataFrame, scene: Scene) -> str:
    """Return who does better than nearly all random searches on a scene, and who does worse."""
    rows = table.set_index("strategy")
    mean, error = rows[f"{scene.name}_beats"], rows[f"{scene.name}_error"]
    learning = ~rows["blind"].astype(bool)
    enough = (rows["runs"] >= FEWEST) | ~learning
    good = list(rows.index[enough & (mean >= CLEAR)])
    bad = list(rows.index[enough & learning & (mean + 2 * error < 0.5)])  # beyond chance
    ahead = f"ahead of {100 * CLEAR:.0f} % of random searches"
    return (
        f"{scene.title}: on average {_who(good, 'nobody')} {ahead}; of the {learning.sum()} that "
        f"learn, {_who(bad, 'none')} behind most of them."
    )


def _who(names: Sequence[str], nobody: str) -> str:
    return f"{listed(names, 99) if names else nobody} end{'' if len(names) > 1 else 's'}"


def _reading() -> str:
    unseen = walks.expected_unseen()
    return (
        f"Look at the blue: of {SIDE**2} equal cells random search leaves {100 * unseen:.0f} % "
        f"unvisited on average. A picture is one run, of the same seed for all; how often random "
        f"search ends worse is the mean of up to {RUNS} runs against {RANDOM:,} random searches, "
        f"with its standard error. It says nothing of other landscapes, dimensions or budgets."
    )


def view(table: pd.DataFrame, scene: Scene) -> View:
    """Return one scene's table as the page shows it."""
    shown = columns(table, scene)
    return View(
        name=f"numbers-{scene.name}",
        title=f"{scene.title} in numbers",
        head=tuple(shown),
        cells=tuple(zip(*shown.values(), strict=True)),
        numeric=(False, *[True] * (len(shown) - 1)),
        note=NOTE if scene is SCENES[-1] else "",
    )


def write(
    folder: Path, taken: Mapping[str, Mapping[str, Walk]], table: pd.DataFrame, left_out: list[str]
) -> Path:
    """Write index.html and figures/ into a folder and return the page's path."""
    figures = folder / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    own_folder(figures)
    blind = dict(zip(table["strategy"], table["blind"].astype(bool), strict=True))
    cards = {name: card(name, own, figures) for name, own in taken.items()}
    page = rendered(
        "page.html",
        HERE,
        title=TITLE,
        lead=lead(table),
        legend=drawn(picture.legend(), "legend", "What the marks of the pictures mean", figures),
        scenes=SCENES,
        numbers=[view(table, scene) for scene in SCENES],
        left_out=left_out,
        groups=[
            (title, about, [own for name, own in cards.items() if blind[name] == kind])
            for kind, title, about in GROUPS
        ],
        footer="Made by python -m experiments.paths; the words are the strategies’ own docstrings.",
    )
    path = folder / "index.html"
    publish(path, page.encode("utf-8"))
    return path

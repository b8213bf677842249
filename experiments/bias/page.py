"""What the README shows of the kept tables, and the pictures: nothing in them is typed."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pandas as pd

from experiments import markdown
from experiments.bias import picture
from experiments.bias.cards import BUDGET
from hpo_lab import discovery
from hpo_lab.figure import publish
from hpo_lab.figures._words import listed

FOLDER = Path(__file__).parent
README, SUMMARY, PICTURES = FOLDER / "README.md", FOLDER / "summary", FOLDER / "pictures"
LEVEL, LEAST = 0.05, 1e-15  # of the corrected tests; below it a p-value is only called small


def table(path: Path) -> pd.DataFrame:
    """Return a kept table."""
    return pd.read_csv(path, keep_default_na=False, na_values=["nan"])


def read(folder: Path = SUMMARY) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the kept tables: a row a card and dimension, and the densities."""
    return table(folder / "bias.csv"), table(folder / "density.csv")


def _records(own: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in own.to_dict("records")]


def file_name(card: str) -> str:
    """The name of a card's picture."""
    return re.sub(r"[^a-z0-9_.-]+", "-", card.lower()) + ".svg"


def _p(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"< {LEAST:.0e}" if value < LEAST else f"{value:.2g}"


def _overview(bias: pd.DataFrame, density: pd.DataFrame) -> str:
    dimensions = sorted(bias["dimension"].unique())
    rows = []
    for card, own in bias.groupby("card", sort=False):
        by = {one["dimension"]: one for one in _records(own)}
        rows.append([f"[`{card}`](#{_anchor(str(card))})", *(_word(by[d]) for d in dimensions)])
    tested = bias[bias["tests"] > 0]
    said = (
        f"{(tested['biased'] > 0).sum()} of {len(tested)} tested rows are biased (p ≤ {LEVEL:g} "
        f"after correction within a row); without any bias {LEVEL * len(tested):.1f} would be "
        "expected to be called so."
    )
    head = ["strategy", *(f"d = {d}" for d in dimensions)]
    return f"{said}\n\n{markdown.table(head, rows, len(head))}"


def _anchor(card: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^a-z0-9_ -]", "", card.lower()).replace(" ", "-")


def _word(row: dict[str, Any]) -> str:
    if not row["tests"]:
        return "one sample"
    return f"**{row['towards']}** (p {_sign(row['p'])})" if row["biased"] else "none found"


def _sign(p: float) -> str:
    text = _p(p)
    return text if text.startswith("<") else f"= {text}"


def _cards(bias: pd.DataFrame, density: pd.DataFrame) -> str:
    blocks = []
    for card, own in bias.groupby("card", sort=False):
        rows = _records(own)
        name = str(card).split()[0]
        about = discovery.about("strategies", name)
        head = f"### `{card}`\n\n{about} {_sentence(rows)}"
        if rows[0]["budget"] != BUDGET:
            head += f" Only {rows[0]['budget']} evaluations a run, for their cost."
        image = f"![density of visits of {card}](pictures/{file_name(str(card))})"
        blocks.append(f"{head}\n\n{image}\n\n{_numbers(rows)}")
    return "\n\n".join(blocks)


def _sentence(rows: list[dict[str, Any]]) -> str:
    """The verdict: where it is biased to, in which dimensions, how strongly, how sure."""
    if not rows[0]["tests"]:
        return "**One sample:** a deterministic strategy is not tested; the picture is its design."
    biased = [row for row in rows if row["biased"]]
    if not biased:
        least = min(row["p"] for row in rows)
        return f"**No structural bias found** (least p {_sign(least)} after correction)."
    parts = []
    for towards in dict.fromkeys(row["towards"] for row in biased):
        same = [row for row in biased if row["towards"] == towards]
        dimensions = listed(row["dimension"] for row in same)
        least = min(row["p"] for row in same)
        parts.append(f"towards {towards} in {dimensions} dimensions (p {_sign(least)})")
    strongest = min(biased, key=lambda row: row["p"])
    atoms = max(row["atoms"] for row in rows)
    said = f"**Biased** {'; '.join(parts)}."
    if strongest["distance"] == strongest["distance"]:
        said += (
            f" Mean distance from the centre in {strongest['dimension']} dimensions: "
            f"{strongest['distance']:.3f}, uniform 0.5."
        )
    return said + (
        f" Up to {100 * atoms:.2g} % of all coordinates lie on a bound." if atoms else ""
    )


def _numbers(rows: list[dict[str, Any]]) -> str:
    table = [
        [
            str(row["dimension"]),
            f"{row['biased']} of {row['tests']}" if row["tests"] else "–",
            f"{row['sample']}, {row['axis']}, {row['test']}" if row["tests"] else "–",
            _p(row["p"]),
            "–" if math.isnan(row["distance"]) else f"{row['distance']:.3f}",
            f"{100 * row['atoms']:.2g} %" if row["atoms"] else "0",
        ]
        for row in rows
    ]
    head = ["d", "tests that find it", "strongest test (sample, axis, of what)", "p, corrected"]
    head += ["distance from the centre (0.5)", "coordinates on a bound"]
    return markdown.table(head, table)


BLOCKS = {"overview": _overview, "cards": _cards}


def shown(text: str, folder: Path = SUMMARY) -> str:
    """Return the README with every block between its marks made anew from the tables."""
    tables = read(folder)
    return markdown.filled(text, {name: block(*tables) for name, block in BLOCKS.items()})


def pictures(density: pd.DataFrame) -> dict[str, bytes]:
    """Return every card's picture by file name."""
    return {
        file_name(str(card)): picture.drawn(own).encode()
        for card, own in density.groupby("card", sort=False)
    }


def renew() -> None:
    """Rewrite the README's cards and the pictures; pictures of cards that are gone go too."""
    README.write_text(shown(README.read_text()))
    PICTURES.mkdir(exist_ok=True)
    made = pictures(read()[1])
    for path in PICTURES.glob("*.svg"):
        if path.name not in made:
            path.unlink()
    for name, content in made.items():
        publish(PICTURES / name, content)

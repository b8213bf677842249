"""Keep a study's compact tables in the project and show them in the README.

    python -m experiments.keep results/no_attention experiments/no_attention

copies price.csv, arms.csv and benefit.csv into the experiment's ``summary`` folder and rewrites
the README between its two summary marks.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pandas as pd

from experiments.markdown import filled, table

KEPT = ("price", "arms", "benefit")
ROOT = Path(__file__).parent.parent


def summary(folder: Path) -> str:
    """Return the README's table of a kept study: a row a landscape, in Markdown."""
    price = pd.read_csv(folder / "price.csv").set_index(["landscape", "space"])
    arms = pd.read_csv(folder / "arms.csv").set_index(["landscape", "space", "strategy"])
    landscapes = dict.fromkeys(key[0] for key in arms.index)
    strategies = list(dict.fromkeys(key[2] for key in arms.index))
    rows = []
    for landscape in landscapes:
        priced = price.loc[(landscape, "declared")]
        pairs = [
            " / ".join(f"{arms.loc[(landscape, space, s), 'total']:.2f}" for space in SPACES)
            for s in strategies
        ]
        numbers = [f"{priced['price']:.3f}", f"{priced['chance_mean']:.3f}"]
        rows.append([landscape, *numbers, f"{priced['chance_p']:.2g}", *pairs])
    head = ["data set", "price", "by chance", "p", *strategies]
    runs = int(arms["runs"].min())
    budget = int(arms["budget"].iloc[0])
    lead = (
        f"Price of leaving `gat` out, and mean total regret after {budget} evaluations in the "
        f"universe / without `gat` ({runs} runs each), percentage points of test error:"
    )
    return f"{lead}\n\n{table(head, rows)}"


SPACES = ("universe", "declared")


def shown(readme: str, block: str) -> str:
    """Return the README with the block between its summary marks."""
    return filled(readme, {"summary": block})


def main(results: Path, experiment: Path) -> None:
    """Copy the tables and rewrite the README."""
    kept = experiment / "summary"
    kept.mkdir(exist_ok=True)
    for name in KEPT:
        shutil.copy(results / "tables" / f"{name}.csv", kept / f"{name}.csv")
    readme = ROOT / "README.md"
    readme.write_text(shown(readme.read_text(), summary(kept)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

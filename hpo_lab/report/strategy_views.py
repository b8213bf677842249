"""What each strategy was, as a table: a line of settings, and the libraries under its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_lab.figures._words import MISSING, counted, listed, plain
from hpo_lab.report.view import Tables, View, table_of, view_of

if TYPE_CHECKING:
    import pandas as pd


def strategies(tables: Tables) -> View | None:
    """Every resolved setting of each strategy, and the versions that its runs were made with."""
    rows = table_of(tables, "strategies")
    if rows is None:
        return None
    columns: dict[str, list[str]] = {"Strategy": [], "Recipe": [], "Settings": [], "Made with": []}
    for label, own in rows.groupby("strategy", sort=False):
        settings, libraries = (own[own["kind"] == kind] for kind in ("setting", "library"))
        pairs = zip(settings["name"], settings["value"], strict=True)
        said = ", ".join(f"{plain(name)} {plain(value)}" for name, value in pairs)
        columns["Strategy"].append(plain(label))
        columns["Recipe"].append(plain(own["recipe"].iloc[0]))
        columns["Settings"].append(said or "none")
        columns["Made with"].append(_libraries(libraries) or MISSING)
    note = (
        "A recipe is a name and a version, which goes up when the same settings come to ask for "
        "other points; with every setting it identifies the runs. Made with: the libraries that "
        "the strategy stands on, in the versions that each run recorded when it was made."
    )
    return view_of("strategies", "The strategies", columns, note)


def _libraries(rows: pd.DataFrame) -> str:
    """Each library with its version; with the runs of each where there were several."""
    said = []
    for name, own in rows.groupby("name", sort=False):
        versions = [plain(one) if one else "of no known version" for one in own["value"]]
        if len(versions) > 1:
            counts = (counted(int(runs), "run") for runs in own["runs"])
            versions = [f"{v} ({count})" for v, count in zip(versions, counts, strict=True)]
        said.append(f"{plain(name)} {listed(versions)}")
    return ", ".join(said)

"""What the README shows of the kept tables, and the figure: nothing in them is typed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from experiments.markdown import filled, table
from experiments.strategies.tables import MARGIN
from hpo_lab.figure import encoded, publish
from hpo_lab.figures._style import COLOURS, blank, finished, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

README = Path(__file__).parent / "README.md"


def read(folder: Path, name: str) -> pd.DataFrame:
    """Return a kept table."""
    return pd.read_csv(folder / f"{name}.csv", keep_default_na=False, na_values=["nan", ""])


def renew(folder: Path) -> None:
    """Rewrite the README's tables and draw the figure."""
    README.write_text(filled(README.read_text(), blocks(folder)))
    publish(folder / "ranks.svg", encoded(draw(read(folder, "ranks")), "svg"))


def blocks(folder: Path) -> Mapping[str, str]:
    """Return what stands between the README's marks, by the marks' name."""
    found = {
        "ranks": _ranks(read(folder, "ranks")),
        "peers": _ranks(read(folder, "peers")),
        "non-inferiority": _non_inferiority(read(folder, "non_inferiority")),
        "regret": _regret(read(folder, "regret"), list(read(folder, "ranks")["strategy"])),
    }
    generations = read(folder, "generations")
    return {
        **found,
        "speed": _speed(read(folder, "speed")),
        "generations": _speed(generations[generations["peer_ms"].notna()]),
        "batches": _batches(generations),
        "growth": _growth(read(folder, "growth")),
        "published": _published(read(folder, "published")),
    }


def problems(ranks: pd.DataFrame) -> list[str]:
    """Return the problems of a table of ranks: what follows its first columns."""
    return [
        str(name) for name in ranks.columns if name not in ("strategy", *_SHOWN, "cells", "over")
    ]


_SHOWN = ("rank", "low", "high")


def _ranks(ranks: pd.DataFrame) -> str:
    names = problems(ranks)
    rows = [
        [
            f"`{row['strategy']}`",
            f"{row['rank']:.2f}",
            f"{row['low']:.2f} – {row['high']:.2f}",
            *(f"{row[name]:.1f}" for name in names),
        ]
        for row in ranks.to_dict("records")
    ]
    cells = int(ranks["cells"].iloc[0])
    over = ranks["over"].iloc[0]
    lead = (
        f"Mean ranks of {len(ranks)} strategies in {cells} cells of {len(names)} problems, with "
        f"95 % intervals (over {over}), and the mean rank on each problem:"
    )
    return f"{lead}\n\n{table(['strategy', 'rank', 'interval', *names], rows)}"


def _non_inferiority(tests: pd.DataFrame) -> str:
    rows = [
        [
            f"`{row['strategy']}`",
            f"`{row['rival']}`",
            str(row["cells"]),
            f"{row['better']} / {row['equal']} / {row['cells'] - row['better'] - row['equal']}",
            f"{row['difference']:+.2f}",
            f"{row['upper_cells']:+.2f}",
            f"{row['upper_problems']:+.2f}",
            "yes" if row["holds"] else "no",
        ]
        for row in tests.to_dict("records")
    ]
    head = ["strategy", "against", "cells", "better / equal / worse", "difference"]
    return table([*head, "upper bound", "over problems", f"below {MARGIN}"], rows, 2)


def _regret(regret: pd.DataFrame, order: list[str]) -> str:
    names = list(dict.fromkeys(regret["problem"]))
    by = {(row["strategy"], row["problem"]): row for row in regret.to_dict("records")}
    rest = [name for name in dict.fromkeys(regret["strategy"]) if name not in order]
    rows = []
    for strategy in [*order, *rest]:
        own = [by.get((strategy, name)) for name in names]
        medians = [f"{one['median']:.3g}" if one else "" for one in own]
        times = pd.Series([one["ms"] for one in own if one]).median()
        rows.append([f"`{strategy}`", *medians, f"{times:.2g}"])
    return table(["strategy", *names, "ms"], rows)


def _speed(speed: pd.DataFrame) -> str:
    rows = [
        [
            f"`{row['strategy']}`",
            str(row["peer"]),
            f"{row['d']}, {row['n']}",
            f"{row['own_ms']:.3g}",
            f"{row['peer_ms']:.3g}",
            _ratio(row["own_ms"] / row["peer_ms"]),
            _ratio(row["target"]) if row["target"] > 0 else "",
        ]
        for row in speed.to_dict("records")
    ]
    head = ["strategy", "peer", "d, n", "ms", "peer's ms", "ratio", "at most"]
    return table(head, rows, 2)


def _batches(speed: pd.DataFrame) -> str:
    own = speed[speed["peer_ms"].isna()]
    found = own.pivot_table(index="strategy", columns="d", values="own_ms", sort=False)
    rows = [
        [f"`{name}`", *(f"{1e3 * value:.3f}" for value in values)]
        for name, values in zip(found.index, found.to_numpy(), strict=True)
    ]
    return table(["μs a point", *(f"d = {d}" for d in found.columns)], rows)


def _growth(growth: pd.DataFrame) -> str:
    row = growth.to_dict("records")[0]
    return (
        f"`gp_fast` to {row['observations']:,} observations in {row['d']} dimensions: the slowest "
        f"step takes {row['slowest_s']:.2f} s, the median {row['median_ms']:.0f} ms, all of them "
        f"{row['total_s']:.0f} s; the process needs {row['memory_mb']:.0f} MB at most (1 s and "
        "300 MB were the limits)."
    )


def _published(published: pd.DataFrame) -> str:
    functions = list(dict.fromkeys(published["function"]))
    by = {(row["strategy"], row["function"]): row for row in published.to_dict("records")}
    rows = []
    for strategy in dict.fromkeys(published["strategy"]):
        own = [by[strategy, function] for function in functions]
        ours = [f"{one['mean']:.3f} ± {one['deviation']:.3f}" for one in own]
        theirs = [
            f"{one['published_mean']:.3f} ± {one['published_deviation']:.3f}"
            if pd.notna(one["published_mean"])
            else ""
            for one in own
        ]
        cells = [cell for pair in zip(ours, theirs, strict=True) for cell in pair]
        rows.append([f"`{strategy}`", *cells])
    return table(["strategy", *(c for f in functions for c in (f, "published"))], rows)


def _ratio(value: float) -> str:
    return f"1/{1 / value:.3g}" if value < 1 else f"{value:.3g}"


# --- the figure ----------------------------------------------------------------------------------


def draw(ranks: pd.DataFrame) -> Drawing:
    """Return mean ranks with their intervals, and beside them the mean rank on each problem."""
    names = problems(ranks)
    with styled():
        drawing = blank(180, 12 + 5.2 * len(ranks) + 22)
        left, right = drawing.subplots(1, 2, width_ratios=(1, 1.6), sharey=True)
        _intervals(left, ranks)
        _heat(right, ranks, names, drawing)
        return finished(drawing)


def _intervals(axes: Axes, ranks: pd.DataFrame) -> None:
    rows = range(len(ranks))
    axes.hlines(rows, ranks["low"], ranks["high"], color=COLOURS[0], linewidth=1.1)
    axes.plot(ranks["rank"], rows, "o", color=COLOURS[0], markersize=3)
    axes.axvline((len(ranks) + 1) / 2, color="#999999", linewidth=0.5, zorder=0)
    axes.set_yticks(rows, list(ranks["strategy"]))
    axes.invert_yaxis()
    axes.set_xlabel("mean rank (1 is the best)")
    axes.set_title("all problems, 95 % intervals", loc="left")
    axes.grid(axis="x")


def _heat(axes: Axes, ranks: pd.DataFrame, names: list[str], drawing: Drawing) -> None:
    values: Any = ranks[names].to_numpy(dtype=float)
    image = axes.imshow(values, aspect="auto", cmap="cividis_r", vmin=1, vmax=len(ranks))
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            dark = value > 0.6 * len(ranks)
            colour = "white" if dark else "black"
            axes.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=5.5, color=colour)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_title("mean rank on each problem", loc="left")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    drawing.colorbar(image, ax=axes, label="mean rank", shrink=0.6)


if __name__ == "__main__":
    renew(README.parent / "summary")

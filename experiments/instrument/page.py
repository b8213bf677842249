"""What the README shows of the kept tables, and the figure: nothing in them is typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from experiments import markdown
from experiments.instrument.false_alarms import MOST, NOMINAL, holds
from experiments.instrument.intervals import METHODS
from hpo_lab.figure import encoded, publish
from hpo_lab.figures._style import COLOURS, blank, finished, legend_above, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing
    from matplotlib.lines import Line2D

README = Path(__file__).parent / "README.md"
KEYS: Mapping[str, list[str]] = {  # what the rows of each table are sorted by
    "false_alarms": ["place", "system", "budget", "repetitions"],
    "again": ["place", "system"],
    "surface": ["ratio", "measure", "budget", "repetitions"],
    "planted": ["place", "system", "ratio"],
    "hidden": ["strategy", "visibility", "gradient"],
    "rules": ["place", "planted", "ratio", "budget"],
    "rules_alarms": ["place", "budget"],
    "coverage": ["landscape", "part", "budget", "repetitions", "method"],
    "crossings": ["crossing", "repetitions", "method"],
}
ENOUGH = 0.92  # coverage from which an interval is not called approximate


def read(folder: Path, name: str) -> pd.DataFrame:
    """Return a kept table."""
    return pd.read_csv(folder / f"{name}.csv")


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def share(value: float, digits: int = 1) -> str:
    """Return a share as a percentage."""
    return f"{100 * value:.{digits}f} %"


# --- blocks --------------------------------------------------------------------------------------


def _false_alarms(folder: Path) -> str:
    frame = read(folder, "false_alarms")
    rows = []
    for (place, system), own in frame.groupby(["place", "system"], sort=True):
        worst = records(own.nlargest(1, "rate"))[0]
        known = not own["uniform"].isna().all()
        rows.append(
            [
                str(place),
                str(system),
                str(len(own)),
                share(own["rate"].mean()),
                share(worst["rate"]),
                f"{share(worst['lower'])} – {share(worst['upper'])}",
                share(own["said"].max()),
                f"{own['uniform'].min():.2g}" if known else "none exact",
            ]
        )
    head = ["space", "regions", "settings", "mean rate", "highest", "its 99 % bounds"]
    table = markdown.table([*head, "named, highest", "least p of uniformity"], rows, 2)
    tests, least = frame["uniform"].notna().sum(), frame["uniform"].min()
    return (
        f"{holds(frame).sum()} of {len(frame)} settings keep the promise (lower bound at most "
        f"{share(NOMINAL, 0)}, upper at most {share(MOST, 0)}), with {frame['studies'].min():,} "
        f"studies each; the highest rate of all is {share(frame['rate'].max())}, the mean "
        f"{share(frame['rate'].mean())}. The least of {tests} p-values of uniformity is "
        f"{least:.2g}, {min(1, least * tests):.2g} when corrected for their number (Bonferroni)."
        f"\n\n{table}"
    )


def _again(folder: Path) -> str:
    seen = read(folder, "false_alarms").set_index(KEYS["false_alarms"])
    rows = []
    for one in records(read(folder, "again")):
        first = seen.loc[tuple(one[key] for key in KEYS["false_alarms"])]
        rows.append(
            [
                f"{one['place']}, {one['system']}: {one['regions']} of equal measure",
                str(one["budget"]),
                str(one["repetitions"]),
                f"{share(first['rate'], 2)} (at most {share(first['upper'], 2)})",
                f"{share(one['rate'], 2)} ({share(one['lower'], 2)} – {share(one['upper'], 2)})",
            ]
        )
    studies = read(folder, "again")["studies"].min()
    head = ["regions", "budget", "repetitions", "rate above", f"in {studies:,} studies"]
    return markdown.table(head, rows)


def _surface(folder: Path) -> str:
    frame = read(folder, "surface")
    own = frame[(frame["budget"] == 100) & (frame["repetitions"] == 30)]
    ratios = sorted(own["ratio"].unique())
    rows = []
    for measure, same in own.groupby("measure"):
        cells = [_powers(row) for row in records(same.sort_values("ratio"))]
        rows.append([share(float(str(measure))), *cells])
    table = markdown.table(["measure", *(f"ratio {ratio:g}" for ratio in ratios)], rows)
    return (
        "Budget 100, 30 repetitions: power of the corrected test / share named never seen or "
        "neglected / share named by any visit alone / share whose equivalent density is surely "
        f"below a half, {own['studies'].min()} studies each.\n\n"
        f"{table}"
    )


_POWERS = ("significant", "named", "by_visits", "by_density")


def _powers(row: Mapping[str, Any]) -> str:
    if not row["testable"]:
        return "untestable"
    return " / ".join(f"{row[key]:.2f}" for key in _POWERS)


def _promised(folder: Path) -> str:
    frame = read(folder, "surface")
    at = frame[(frame["budget"] == 100) & (frame["repetitions"] == 30)]
    small = records(at[(at["ratio"] == 0.1) & (at["measure"].round(4) == 0.01)])[0]
    large = records(at[(at["ratio"] == 0.25) & (at["measure"].round(4) == 0.2)])[0]
    rows = [
        [
            label,
            f"{row['significant']:.3f}",
            f"{row['exact_significant']:.3f}",
            f"{row['named']:.3f}",
            f"{row['exact_named']:.3f}",
            f"{row['by_visits']:.3f}",
        ]
        for label, row in (("ratio 0.1, measure 1 %", small), ("ratio 0.25, measure 20 %", large))
    ]
    head = ["budget 100, 30 repetitions", "significant", "exactly", "named", "exactly"]
    return markdown.table([*head, "named by any visit"], rows)


def _planted(folder: Path) -> str:
    frame = read(folder, "planted")
    ratios = sorted(frame["ratio"].unique())
    rows = []
    for (place, system, region), own in frame.groupby(["place", "system", "region"], sort=False):
        cells = [
            f"{one['significant']:.2f} / {one['named']:.2f}"
            for one in records(own.sort_values("ratio"))
        ]
        false = share(own["false_discoveries"].max())
        words = str(region).replace("|", "\\|")
        measure = share(own["measure"].iloc[0])
        rows.append([str(place), str(system), words, measure, *cells, false])
    head = ["space", "regions", "avoided", "measure", *(f"ratio {r:g}" for r in ratios)]
    return markdown.table([*head, "false discoveries, highest"], rows, 3)


def _hidden(folder: Path) -> str:
    rows = [
        [
            one["strategy"],
            share(one["visibility"], 0),
            f"{one['gradient']:g}",
            f"{one['density_ratio']:.2f}",
            share(one["valley_found"], 0),
            f"{one['significant']:.2f}",
            f"{one['named']:.2f}",
        ]
        for one in records(read(folder, "hidden"))
    ]
    head = ["strategy", "valley", "gradient", "visits / fair", "runs that found it"]
    return markdown.table([*head, "significant", "named"], rows)


def _rules(folder: Path) -> str:
    frame = read(folder, "rules")
    rows = []
    order = frame.sort_values(["budget", "ratio"], ascending=[False, True])
    for (place, planted, measure), own in order.groupby(["place", "planted", "measure"]):
        cells = [f"{one['found']:.2f} / {one['jaccard']:.2f}" for one in records(own)]
        rows.append([str(place), str(planted), share(float(str(measure))), *cells])
    named = [
        f"{one['ratio']:g}, T = {one['budget']}, R = {one['repetitions']}"
        for one in records(order.drop_duplicates(["budget", "ratio"]))
    ]
    table = markdown.table(["space", "planted", "measure", *named], rows, 2)
    clean = read(folder, "rules_alarms")
    alarms, studies = int(clean["alarms"].sum()), int(clean["studies"].sum())
    by_ratio = frame.groupby("ratio")["jaccard"].median()
    medians = ", ".join(f"{value:.2f} at ratio {ratio:g}" for ratio, value in by_ratio.items())
    return (
        f"Found (Jaccard index above 0.5) / median Jaccard index, {frame['studies'].min()} studies "
        f"each. Median over all settings: {medians}. Rules confirmed on random search: {alarms} of "
        f"{studies:,} studies ({share(alarms / studies)}), at most "
        f"{share(clean['rate'].max())} in any space.\n\n{table}"
    )


def _coverage(folder: Path) -> str:
    frame = read(folder, "coverage")
    rows = []
    for mostly, word in ((False, "fewer than half zeros"), (True, "half zeros or more")):
        some = frame[(frame["zeros"] >= 0.5) == mostly]
        for n, own in some.groupby("repetitions"):
            cells = []
            for method in METHODS:
                rates = own.loc[own["method"] == method, "coverage"]
                cells.append(f"{rates.min():.3f} … {rates.median():.3f} … {rates.max():.3f}")
            count = str(len(own) // 3)
            rows.append([word, str(n), count, *cells])
    used = frame[(frame["method"] == "studentised") & (frame["repetitions"] >= 30)]
    used = used[used["zeros"] < 0.5]
    short = used[used["coverage"] < ENOUGH]
    said = (
        f"The one that is used (studentised) covers {used['coverage'].min():.3f} to "
        f"{used['coverage'].max():.3f} in the {len(used)} cases of at least 30 repetitions and "
        f"fewer than half zeros; {len(short)} of them lie below {ENOUGH}"
    )
    named = "; ".join(
        f"{one['landscape']}, {one['part']}, budget {one['budget']}, {one['repetitions']} "
        f"repetitions: {one['coverage']:.3f}"
        for one in records(short)
    )
    head = ["regrets", "repetitions", "cases", "percentile", "BCa", "studentised (used)"]
    lines = said + (f" ({named})." if named else ".")
    studies = f"{frame['studies'].min():,} studies a case; least … median … highest coverage."
    return f"{lines}\n\n{studies}\n\n{markdown.table(head, rows)}"


def _crossings(folder: Path) -> str:
    frame = read(folder, "crossings")
    rows = []
    for (name, n), own in frame.groupby(["crossing", "repetitions"], sort=False):
        by = {one["method"]: one for one in records(own)}
        truth, most = (int(own[key].iloc[0]) for key in ("truth", "most"))
        cells = [f"{by[method]['coverage']:.3f}" for method in METHODS]
        widths = [
            f"{by[method]['median_low']:.0f}–{by[method]['median_high']:.0f}"
            for method in (METHODS[0], METHODS[-1])
        ]
        shown = "never" if truth == 0 else f"> {most}" if truth > most else str(truth)
        rows.append([str(name), shown, str(n), *cells, *widths])
    head = ["net curve", "break-even", "repetitions", "percentile", "BCa", "inverted"]
    return markdown.table([*head, "percentile, median ends", "inverted, median ends"], rows)


BLOCKS: Mapping[str, Callable[[Path], str]] = {
    "false alarms": _false_alarms,
    "again": _again,
    "promised": _promised,
    "surface": _surface,
    "planted": _planted,
    "hidden": _hidden,
    "rules": _rules,
    "coverage": _coverage,
    "crossings": _crossings,
}


def shown(text: str, folder: Path) -> str:
    """Return the README with every block between its marks made anew from the tables."""
    return markdown.filled(text, {name: block(folder) for name, block in BLOCKS.items()})


def renew(folder: Path) -> None:
    """Rewrite the README's tables and draw the figure."""
    README.write_text(shown(README.read_text(), folder))
    publish(folder / "power.svg", encoded(draw(read(folder, "surface")), "svg"))


# --- the figure ----------------------------------------------------------------------------------


_DASHED: Any = (0, (3, 1.5))


def draw(surface: pd.DataFrame) -> Drawing:
    """Return power over the measure of the region: a row a ratio, a column a number of runs."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import NullFormatter

    ratios = [r for r in sorted(surface["ratio"].unique()) if r > 0]
    runs, budgets = (sorted(surface[key].unique()) for key in ("repetitions", "budget"))
    with styled():
        drawing = blank(180, 150)
        panels = drawing.subplots(len(ratios), len(runs), sharex=True, sharey=True)
        entries: dict[str, Line2D] = {}
        for row, ratio in zip(panels, ratios, strict=True):
            for axes, n in zip(row, runs, strict=True):
                own = surface[(surface["ratio"] == ratio) & (surface["repetitions"] == n)]
                for colour, budget in zip(COLOURS, budgets, strict=False):
                    line = own[own["budget"] == budget].sort_values("measure")
                    x = 100 * line["measure"]
                    (entries[f"budget {budget}"],) = axes.plot(x, line["significant"], color=colour)
                    axes.plot(x, line["named"], color=colour, linestyle=_DASHED)
                axes.set_title(f"ratio {ratio:g}, {n} repetitions", loc="left")
                axes.set_xscale("log")
                axes.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
                axes.xaxis.set_minor_formatter(NullFormatter())
                axes.set_ylim(-0.03, 1.03)
                axes.axhline(0.95, color="#999999", linewidth=0.5, zorder=0)
        entries["significant"] = Line2D([], [], color="black")
        entries["named never seen or neglected"] = Line2D([], [], color="black", linestyle=_DASHED)
        drawing.supxlabel("measure of the avoided region (%)", fontsize=7)
        drawing.supylabel("share of studies that find it", fontsize=7)
        legend_above(drawing, list(entries.items()))
        return finished(drawing)

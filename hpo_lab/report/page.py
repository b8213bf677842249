"""The report: one HTML page that opens offline, and its figures and tables as files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hpo_lab import discovery
from hpo_lab.errors import InputError
from hpo_lab.figure import encoded, mark_partial, publish, save
from hpo_lab.figures._words import counted, plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Drawing

    from hpo_lab.figure import Figure
    from hpo_lab.report.view import View

LARGE = 1_000_000  # a picture with more bytes of SVG than these is shown as PNG
RUNLESS = {"price", "attribution"}  # figures of these need no run: a missing one is no matter
BANNERED = 50  # texts in a banner; the rest are counted

TERMS = (
    (
        "Total regret",
        "how far the truth of the result lies above the universe’s optimum. It is the sum of "
        "three parts, none below zero: total = space + search + selection.",
    ),
    (
        "Space regret (price)",
        "how far the declared space’s optimum lies above the universe’s. No strategy and no "
        "budget can get rid of it.",
    ),
    ("Search regret", "how far the best evaluated point lies above the declared space’s optimum."),
    (
        "Selection regret",
        "what is lost by choosing the result by what was observed instead of by the truth.",
    ),
    (
        "Floor and shortfall",
        "the same total split otherwise: floor is the truth of the point with the best observed "
        "value in the whole space, above the space’s optimum; shortfall, which may be negative, "
        "is how far the result lies above that point.",
    ),
    ("Excluded", "the region is not in the declared space."),
    (
        "Never seen",
        "no run visited it, and uniform search with the same budget would have; the bound says "
        "how often a run might still visit it.",
    ),
    (
        "Neglected",
        "visited in fewer runs than uniform search would, and in less than half as many even at "
        "the upper bound.",
    ),
    ("No evidence", "neither of these could be shown. It does not mean visited."),
    ("Untestable", "too small a region for this budget and this number of runs."),
    ("Never, by construction", "a deterministic strategy does not go there; there is no p-value."),
    (
        "Costly",
        "something better than the strategy’s mean result lay in the region. These come first: "
        "emptiness where nothing was to be found is no loss.",
    ),
    (
        "Found, entered, missed, excluded",
        "a basin’s fate: its minimum was reached within the tolerance; it was visited, but only "
        "above that; it was never visited; its minimum is not in the declared space.",
    ),
)


@dataclass(frozen=True)
class Picture:
    """A figure on the page: its picture as a data URI, and what is said under it."""

    name: str
    uri: str
    caption: str
    partial: bool
    narrow: bool
    kind: ClassVar[str] = "picture"


def write_report(
    folder: str | Path, tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]
) -> Path:
    """Write report.html, figures/ (PDF, SVG) and tables/ (CSV, LaTeX) into a folder.

    ``tables`` are tidy tables by name; ``facts`` holds name, question, spaces, strategies, budget,
    repetitions, instances, missing, mixed, damaged, provenance and hash, and may hold the
    ``design`` from which the methods paragraph is generated (see ``hpo_lab.report.methods``),
    which goes into methods.txt and methods.tex, too. Returns the page's path.
    Everything that comes from files is shown as text and never run. Raises InputError where one
    of the two folders is a link to somewhere else.
    """
    from hpo_lab.report import methods
    from hpo_lab.report.sections import sections
    from hpo_lab.report.summary import lead
    from hpo_lab.report.views import views

    folder = Path(folder)
    for name in ("figures", "tables"):
        own_folder(folder / name)
    shown = views(tables)
    write_tables(folder / "tables", tables, shown)
    pictures = [
        picture
        for figure in _figures()
        if (picture := _picture(figure, tables, folder / "figures", bool(facts["missing"])))
    ]
    paragraphs = methods.methods(tables, readable(facts))
    for suffix, write in (("txt", methods.text), ("tex", methods.tex)):
        if paragraphs:
            publish(folder / f"methods.{suffix}", write(paragraphs).encode("utf-8"))
    page = rendered(
        "template.html",
        facts=readable(facts),
        title=plain(facts.get("question") or facts["name"]),
        lead=lead(tables, facts["spaces"]),
        banners=_banners(facts),
        sections=sections(tables, shown, pictures),
        methods=paragraphs,
        strategies=shown.get("strategies"),
        terms=TERMS,
        setting=_setting(facts),
        partial=bool(facts["missing"]),
    )
    path = folder / "report.html"
    publish(path, page.encode("utf-8"))
    return path


def own_folder(path: Path) -> None:
    """A real folder: a link in somebody's results must not lead our writing elsewhere."""
    if path.is_symlink():
        raise InputError(f"{path} is a link; remove it, and the report will make its own folder")
    path.mkdir(parents=True, exist_ok=True)


def write_tables(
    folder: Path, tables: Mapping[str, pd.DataFrame], shown: Mapping[str, View]
) -> None:
    """Write every table as CSV, and as LaTeX those that are shown, into the folder ``tables``."""
    from hpo_lab.report.export import csv, tex

    for name, table in tables.items():
        publish(folder / f"{_file_name(name)}.csv", csv(table).encode("utf-8"))
    for name, view in shown.items():
        publish(folder / f"{_file_name(name)}.tex", tex(view).encode("utf-8"))


def _file_name(name: str) -> str:
    """A table's or figure's name as a file name that stays in its folder."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name)[:80]


def _figures() -> Iterable[Figure]:
    """Every figure that can be found; where each one stands on the page its section says."""
    for name in discovery.names("figures"):
        figure: Figure = discovery.make("figures", name, {})
        yield figure


def _picture(
    figure: Figure, tables: Mapping[str, pd.DataFrame], folder: Path, missing: bool
) -> Picture | None:
    """Draw a figure, write its files, and embed it; None where it has nothing to show."""
    if any(name not in tables or tables[name].empty for name in figure.tables):
        return None
    drawing = figure(tables)
    if drawing is None:
        return None
    partial = missing and not set(figure.tables) <= RUNLESS
    if partial:
        mark_partial(drawing)
    return drawn(drawing, figure.name, figure.caption(tables), folder, partial=partial)


def drawn(
    drawing: Drawing, name: str, caption: str, folder: Path, *, partial: bool = False
) -> Picture:
    """Write a drawing's files into a folder, and return it as it is embedded in the page."""
    stem = _file_name(name)
    save(drawing, folder, stem)
    vector = (folder / f"{stem}.svg").read_bytes()
    kind, content = "svg+xml", vector
    if len(vector) > LARGE:
        kind, content = "png", encoded(drawing, "png")
    uri = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    narrow = drawing.get_size_inches()[0] < 4
    return Picture(stem, uri, plain(caption), partial, bool(narrow))


def _banners(facts: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """What a reader has to know before the numbers: (sentence, particulars)."""
    known = (
        ("missing", "{} missing: this report is partial, and so is every figure marked so."),
        ("damaged", "{} damaged and set aside; nothing in them was used."),
        ("mixed", "The runs were not made alike: {} where their provenance differs."),
    )
    nouns = {"missing": "run", "damaged": "file", "mixed": "point"}
    found = []
    for key, sentence in known:
        texts = [plain(text) for text in facts.get(key, ())]
        if texts:
            verb = "" if key == "mixed" else " is" if len(texts) == 1 else " are"
            rest = len(texts) - BANNERED
            shown = texts[:BANNERED] + ([f"and {rest} more"] if rest > 0 else [])
            found.append((sentence.format(counted(len(texts), nouns[key]) + verb), shown))
    return found


def _setting(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the study was run, in a few words each."""
    budget = facts["budget"]
    budgets = ", ".join(map(str, budget)) if isinstance(budget, list | tuple) else budget
    runs = counted(int(facts["repetitions"]), "repetition")
    return [
        ("Budget", f"{plain(budgets)} evaluations a run"),
        ("Runs", f"{runs} on {counted(int(facts['instances']), 'instance')} of each landscape"),
    ]


def readable(value: Any) -> Any:
    """Facts with every text on one line in which nothing is invisible; numbers stay numbers."""
    if isinstance(value, Mapping):
        return {plain(key): readable(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [readable(item) for item in value]
    return value if isinstance(value, bool | int | float) else plain(value)


def rendered(name: str, beside: Path | None = None, **content: Any) -> str:
    """Return one of our templates, filled: all is escaped, no script or foreign style may run.

    A folder ``beside`` ours adds templates, and its style.css to our style.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folders = [Path(__file__).parent, *([beside] if beside else [])]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.lstrip_blocks = True
    environment.loader = FileSystemLoader(folders, encoding="utf-8")
    template = environment.get_template(name)
    css = "".join((folder / "style.css").read_text(encoding="utf-8") for folder in folders)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
    from markupsafe import Markup

    return template.render(
        css=Markup(css),  # noqa: S704 # our own file, and its hash is in the policy
        policy=policy + "form-action 'none'",
        **content,
    )

"""Figures: pictures drawn from tidy tables alone, and how they are saved for print.

A figure never sees a run, a landscape or a strategy: it draws what the measures have written
into tables, so any figure can be drawn again from the CSV files of a report.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Drawing


FORMATS = ("pdf", "svg")


class Figure(Protocol):
    """A frozen dataclass whose fields are its parameters; ``name`` is also its module's name.

    ``tables`` are the names of the tables that it cannot do without; others are used where they
    are there. A figure limits itself to what can be read at print size, and its caption says
    what was left out.
    """

    name: ClassVar[str]
    tables: ClassVar[tuple[str, ...]]

    def caption(self, tables: Mapping[str, pd.DataFrame]) -> str:
        """Return what the picture shows, in plain text, with everything that was left out."""
        ...

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> Drawing | None:
        """Return the picture at print size (a matplotlib Figure), None with nothing to show."""
        ...


def mark_partial(drawing: Drawing) -> None:
    """Say on the picture itself that runs are missing, wherever the file may travel."""
    titled = [axes for axes in drawing.axes if axes.get_title() or axes.get_title("left")]
    for axes in titled or drawing.axes[:1]:
        place: Literal["left", "center"] = "left" if axes.get_title("left") else "center"
        artist = axes._left_title if place == "left" else axes.title  # type: ignore[attr-defined]
        artist.set_text(f"partial: {axes.get_title(place)}".removesuffix(": "))


def save(drawing: Drawing, folder: str | Path, name: str) -> list[Path]:
    """Write a drawing as vector PDF and SVG into a folder; return the paths.

    Fonts are embedded as TrueType in the PDF (journals refuse Type 3) and drawn as outlines in
    the SVG, so that it looks the same everywhere. No dates are written: the same picture is the
    same file.
    """
    paths = [Path(folder) / f"{name}.{suffix}" for suffix in FORMATS]
    for path in paths:
        publish(path, encoded(drawing, path.suffix[1:]))
    return paths


def encoded(drawing: Drawing, suffix: str, dpi: int = 200) -> bytes:
    """Return a drawing as the bytes of a "pdf", "svg" or "png" file."""
    import io

    from matplotlib import rc_context

    dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
    settings = {"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "hpo_lab"}
    buffer = io.BytesIO()
    with rc_context(settings):  # type: ignore[arg-type] # the stubs list each key by name
        drawing.savefig(buffer, format=suffix, dpi=dpi, metadata=dates.get(suffix))
    return buffer.getvalue()


def publish(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and never through a link that somebody left there."""
    import os

    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    draft.unlink(missing_ok=True)
    with draft.open("xb") as file:
        file.write(content)
    draft.replace(path)

"""What a strategy's own docstring says of it: the page has no other words about a strategy."""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import dataclass

from hpo_lab import discovery
from hpo_lab.errors import InputError

PARTS = ("What it assumes", "Where it looks", "Where it never looks")


@dataclass(frozen=True)
class Teaching:
    """The four parts, each on one line: three paragraphs of the class, ``Source:`` of its file."""

    about: str
    passages: tuple[tuple[str, str], ...]  # head and text, in the order of PARTS
    source: str


def teaching(name: str) -> Teaching:
    """Return what the strategy of that name says; InputError that names the part it leaves out.

    A passage goes from its mark, ``*Where it looks.*`` say, to the next one or the paragraph's end.

    >>> teaching("random").passages[2][1][:22]
    'Nowhere is excluded. B'
    """
    kind = discovery.find("strategies", name)
    paragraphs = [_line(one) for one in re.split(r"\n\s*\n", inspect.getdoc(kind) or "")]
    marks = "|".join(re.escape(part) for part in PARTS)
    found: dict[str, list[str]] = {part: [] for part in PARTS}
    for paragraph in paragraphs:
        _, *pieces = re.split(rf"\*({marks})\.\* ?", paragraph)
        for part, text in zip(pieces[::2], pieces[1::2], strict=True):
            found[part] += [text.strip()] if text.strip() else []
    for part, texts in found.items():
        if len(texts) != 1:
            raise InputError(f'the docstring of "{name}" needs one passage "*{part}.* …"')
    passages = tuple((part, texts[0]) for part, texts in found.items())
    return Teaching(paragraphs[0], passages, source(name))


def source(name: str) -> str:
    """Return the text after ``Source:`` (or ``Source of …:``) on top of a strategy's file."""
    module = sys.modules[discovery.find("strategies", name).__module__]
    found = re.search(r"^Sources?\b[^:\n]*:(.*?)(\n\s*\n|\Z)", module.__doc__ or "", re.M | re.S)
    if found is None:
        raise InputError(
            f'the file of "{name}" names no source: add a paragraph "Source: …" on top'
        )
    return _line(found[1])


def citation(name: str) -> str:
    """Return a source in short: who and when; the whole of it where it has no years.

    >>> citation("random"), citation("lhs")
    ('Bergstra & Bengio 2012', 'McKay, Beckman & Conover 1979; Tang 1993')
    """
    whole = source(name)
    named = re.findall(r"(?:^|[;:]|\bof) ?((?:[A-Z]\.[ -]?)[^;:()“”\"]+) \((\d{4})\)", whole)
    return "; ".join(f"{_surnames(who)} {year}" for who, year in named) or whole


def _surnames(who: str) -> str:
    names = re.sub(r"(?:[A-Z]\.-?)+ ?", "", who)
    several = re.split(r", | and ", names)
    return f"{several[0]} et al." if len(several) > 3 else names.replace(" and ", " & ")


def _line(text: str) -> str:
    return " ".join(text.split())

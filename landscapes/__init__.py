"""The specimens: landscapes that know their own truth, one (or one family of them) a file."""

from __future__ import annotations

from typing import Any

from hpo_lab import discovery
from hpo_lab.landscape import Landscape
from landscapes._compiled import threads

__all__ = ["make", "names", "threads"]


def make(name: str, **arguments: Any) -> Landscape:
    """Return the landscape of that name; InputError names the nearest for an unknown one.

    >>> make("peaks", dimension=2, peaks=30, instance=1).universe.columns
    ('x1', 'x2')
    """
    landscape: Landscape = discovery.make("landscapes", name, arguments)
    return landscape


def names() -> list[str]:
    """Return the names of all landscapes that can be made."""
    return discovery.names("landscapes")

"""The one exception that a user's mistake raises, and the hint that goes with it."""

from __future__ import annotations

from collections.abc import Iterable


class InputError(ValueError):
    """What was given cannot be used; the message is one sentence with the remedy."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``name`` in quotes with the closest known name, for the end of a sentence.

    >>> nearest("bugdet", ["budget", "entropy"])
    '"bugdet" (did you mean "budget"?)'
    >>> nearest("zzz", ["budget", "entropy"])
    '"zzz" (known: budget, entropy)'
    """
    import difflib

    known = sorted(known)
    shown = name if len(name) <= 100 else name[:99] + "…"
    alike = {_loosely(one): one for one in reversed(known)}
    close = difflib.get_close_matches(_loosely(name)[:100], alike, n=1, cutoff=0.5)
    if close:
        return f'"{shown}" (did you mean "{alike[close[0]]}"?)'
    others = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f'"{shown}" (known: {others or "none"})'


def _loosely(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")

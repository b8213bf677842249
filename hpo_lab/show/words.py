"""A card in lines, as a terminal shows it: every number with how it was found."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from hpo_lab.figures._words import counted, listed, percent, plain, shortened

WIDTH = 100
LEFT = 13  # the width of the names of entries
OPTIONS = 12  # of an axis, that are named
SLOW = "; the landscape is too slow for more, for walks and for the importance of axes."
AXES = 12  # of a family, that are named


def title(card: Mapping[str, Any]) -> str:
    """Return the name with the arguments that are not at their defaults; of paths, the last part.

    >>> title({"landscape": "peaks@1", "given": {"dimension": 10, "rotation": True}})
    'peaks dimension=10 rotation=true'
    """
    name = str(card["landscape"]).split("@")[0]
    given = {k: _typed(v) for k, v in card["given"].items()}
    short = {k: v.replace("\\", "/").rstrip("/").split("/")[-1] for k, v in given.items()}
    return plain(" ".join([name, *[f"{key}={value}" for key, value in short.items()]]))


def _typed(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ",".join(_typed(one) for one in value) + "]"
    return "…" if isinstance(value, Mapping) else str(value)


def lines(card: Mapping[str, Any]) -> list[str]:
    """Return the card of ``hpo_lab.show.card`` as lines of at most 100 columns."""
    arguments = {k: v for k, v in card["arguments"].items() if v is not None and v != []}
    given = ", ".join(f"{k} = {_typed(v)}" for k, v in arguments.items() if v != ())
    entries = [
        ("arguments", given),
        ("source", card["source"]),
        ("universe", _universe(card["universe"])),
        ("optimum", _optimum(card["optimum"], card["unit"])),
        ("minima", _minima(card["minima"], card["universe"]["families"])),
        ("observed", _observed(card["observed"])),
    ]
    shown = [plain(card["landscape"]), *_filled(card["title"], 2)]
    shown += [shortened("    " + plain(line), WIDTH) for line in card["formula"]]
    for name, text in entries:
        if text:
            shown += _entry(name, text)
    shown += [line for family in card["families"] for line in _family(family)]
    shown += _descriptors(card["descriptors"])
    return [*shown, *_filled(_sample(card["sample"]), 2)]


def _filled(text: str, indent: int) -> list[str]:
    pad = " " * indent
    return textwrap.wrap(plain(text), WIDTH, initial_indent=pad, subsequent_indent=pad)


def _entry(name: str, text: str) -> list[str]:
    pad = " " * (LEFT + 2)
    first = f"  {name:<{LEFT}}"
    return textwrap.wrap(plain(text), WIDTH, initial_indent=first, subsequent_indent=pad)


def value(x: float | None) -> str:
    """Return a number with four significant digits.

    >>> [value(x) for x in (0.123456, 12.0, 1234567.0, 0.0, math.nan)]
    ['0.1235', '12', '1.235e+06', '0', 'unknown']
    """
    if x is None or math.isnan(x):
        return "unknown"
    return f"{x:.4g}".replace("-", "−").replace("inf", "∞")


def _universe(universe: Mapping[str, Any]) -> str:
    families = universe["families"]
    size = "infinitely many points" if universe["points"] is None else _points(universe["points"])
    if len(families) == 1:
        return f"{size}; {_axes(families[0]['axes'])}"
    parts = [f"{f['name']} ({percent(f['share'])}): {_axes(f['axes'])}" for f in families[:AXES]]
    more = [f"{len(families) - AXES} more families"] if len(families) > AXES else []
    return "; ".join([f"{size} in {counted(len(families), 'family')}", *parts, *more]).replace(
        "familys", "families"
    )


def _points(count: int) -> str:
    return counted(count, "point") if count < 10**9 else f"{count:.3g} points"


def _axes(axes: Sequence[Mapping[str, Any]]) -> str:
    """The axes in words; runs of axes that differ only in name are put together."""
    runs: list[list[Mapping[str, Any]]] = []
    for axis in axes:
        if runs and _span(runs[-1][0]) == _span(axis):
            runs[-1].append(axis)
        else:
            runs.append([axis])
    said = [
        f"{', '.join(a['name'] for a in run)} {_span(run[0])}"
        if len(run) < 4
        else f"{run[0]['name']} … {run[-1]['name']} {_span(run[0])}"
        for run in runs[:AXES]
    ]
    return listed([*said, *([f"{len(runs) - AXES} more"] if len(runs) > AXES else [])], AXES + 1)


def _span(axis: Mapping[str, Any]) -> str:
    if "options" in axis:
        options = listed(axis["options"], OPTIONS).replace(" and ", ", ")
        return f"{'ordered ' if axis['ordered'] else ''}in {{{options}}}"
    low, high = axis.get("real") or axis["integer"]
    kind = "" if "real" in axis else "whole, "
    return f"in [{value(low)}, {value(high)}]" + (
        f" ({kind}logarithmic)" if axis["log"] else " (whole)" if kind else ""
    )


def _optimum(optimum: Mapping[str, Any], unit: str) -> str:
    in_unit = f" {unit}" if unit else ""
    if optimum["status"] == "exact":
        at = [f"{k} = {_native(v)}" for k, v in optimum["point"].items()]
        return f"{value(optimum['value'])}{in_unit}, exact, at {listed(at, AXES)}"
    sampled = f"best of the sample: {value(optimum['sampled'])}{in_unit}"
    if optimum["status"] == "unknown":
        return f"unknown; {sampled}"
    low, high = value(optimum["low"]), value(optimum["high"])
    return f"between {low} and {high}{in_unit} ({optimum['how']}); {sampled}"


def _native(x: object) -> str:
    return value(float(x)) if isinstance(x, float) else str(x)


def _minima(minima: Mapping[str, Any], families: Sequence[Mapping[str, Any]]) -> str:
    if minima["status"] == "unknown":
        return "unknown"
    masses, count = minima["masses"], minima["count"]
    best = "the best" if minima["best"] == 1 else f"the {minima['best']:,} best"
    text = f"{count:,}" if count > 1 else "one"
    if len(families) > 1:
        pairs = zip(families, minima["by_family"], strict=True)
        by_family = [f"{family['name']} {n:,}" for family, n in pairs]
        text += f" ({listed(by_family, AXES)})"
    return (
        f"{text}; basins, as shares of the universe: of {best} {percent(masses['best'])}, "
        f"largest {percent(masses['largest'])}, median {percent(masses['median'])} "
        f"({masses['how']})"
    )


def _observed(observed: Mapping[str, Any]) -> str:
    if observed["kind"] == "truth":
        return "the truth, without noise"
    what = "the truth with noise" if observed["kind"] == "noisy" else "another quantity"
    return f"{what}; correlation with the truth over the sample {value(observed['correlation'])}"


def _family(family: Mapping[str, Any]) -> list[str]:
    """How many axes of a family matter, and how much."""
    name = f"{family['family']}: " if family["family"] else ""
    best = f"optimum {value(family['optimum'])}; " if name and family["exact"] else ""
    indices = family["indices"]
    if indices is None:
        return _entry("axes", f"{name}{best}importance unknown")
    ranked = sorted(indices["axes"].items(), key=lambda pair: -pair[1][1])
    said = [f"{axis} {_share(total)}" for axis, (_, total) in ranked]
    return _entry(
        "axes",
        f"{name}{best}{indices['effective_dimension']} of {len(ranked)} for 95 % of the variance, "
        f"mean dimension {indices['mean_dimension']:.2f}; total indices: {listed(said, AXES)} "
        f"({indices['how']})",
    )


def _share(index: float) -> str:
    return f"{max(index, 0.0):.2f}"


def _descriptors(found: Sequence[Mapping[str, Any]]) -> list[str]:
    names = [str(one["name"]) for one in found]
    numbers = [value(one["value"]) for one in found]
    left, right = max(map(len, names)), max(map(len, numbers))
    rows = zip(names, numbers, found, strict=True)
    return ["  descriptors"] + [
        shortened(f"    {name:<{left}}  {number:>{right}}  {one['how']}", WIDTH)
        for name, number, one in rows
    ]


def _sample(sample: Mapping[str, Any]) -> str:
    text = f"Sample: {counted(sample['points'], 'point')} of the reference measure"
    if sample["walks"]:
        text += (
            f" and {sample['walks']:,} walks of {sample['steps']} one-axis steps (up to "
            f"{sample['reach']:g} of a real axis)"
        )
    text += f", seed {sample['seed']}"
    if sample["without_value"]:
        text += f"; {sample['without_value']:,} of the points have no value"
    return text + (SLOW if sample["reduced"] else ".")

"""The command line: hpo-lab run | status | report | price | audit | show | list."""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from hpo_lab.errors import InputError

BAD_INPUT, NO_ROOM, INTERRUPTED, INCOMPLETE = 2, 74, 130, 1  # exit statuses


Answer = tuple[int, dict[str, Any], list[str]]  # exit status, what --json prints, and lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; a user's mistake is one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may not know every letter
            stream.reconfigure(errors="backslashreplace")
    given = _parser().parse_args(arguments)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # whatever a plug-in prints
            for plugin in given.plugin:
                _load(plugin)
            answer: Answer = given.verb(given)
        status, found, lines = answer
        print(json.dumps(found, allow_nan=False) if given.json else "\n".join(lines), flush=True)
        return status
    except InputError as error:
        print(f"hpo-lab: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("hpo-lab: stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # as in: hpo-lab list | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INCOMPLETE
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"hpo-lab: {error.strerror}; free some and run it again", file=sys.stderr)
        return NO_ROOM


def _load(plugin: str) -> None:
    from hpo_lab.discovery import load_plugin

    load_plugin(plugin)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hpo-lab",
        description="Measures what a hyperparameter space costs and what a search never saw.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _verb(verbs, "run", _run, "run what is missing of a study", workers=True)
    _verb(verbs, "status", _status, "how far a study is")
    _verb(verbs, "report", _report, "write the report of a study")
    _verb(verbs, "price", _price, "what each declared space costs; nothing is run")
    shown = _verb(verbs, "show", _show, "a landscape's card and its picture", study=False)
    shown.add_argument(
        "landscapes",
        nargs="+",
        metavar="LANDSCAPE",
        help="a name, then its arguments as key=value; several, one after another",
    )
    shown.add_argument(
        "--sample", type=_positive, default=1000, metavar="N", help="points to estimate from"
    )
    noise = _verb(
        verbs, "bias", _bias, "where a strategy goes when there is nothing to learn", study=False
    )
    noise.add_argument(
        "strategy", nargs="+", metavar="STRATEGY", help="a name, then its settings as key=value"
    )
    noise.add_argument("--runs", type=_positive, default=100, metavar="N", help="at least 100")
    noise.add_argument(
        "--budget", type=_positive, default=100, metavar="N", help="evaluations a run"
    )
    noise.add_argument("--dimensions", type=_positive, nargs="+", default=[2, 5, 10], metavar="D")
    audited = _verb(verbs, "audit", _audit, "what a tuning run never looked at", study=False)
    audited.add_argument("log", metavar="LOG", help="its trials: CSV, or Optuna's SQLite file")
    audited.add_argument(
        "--space", metavar="FILE", help="what could be tried: TOML, or ConfigSpace's JSON"
    )
    audited.add_argument("--universe", metavar="FILE", help="a wider space to compare that with")
    audited.add_argument("--study", metavar="NAME", help="which study of an Optuna file")
    audited.add_argument("--maximize", action="store_true", help="in a CSV file higher is better")
    audited.add_argument("--complete", action="store_true", help="every trial is in the log")
    _verb(verbs, "list", _list, "what there is to build a study from", study=False)
    return parser


def _verb(
    verbs: Any, name: str, verb: Any, about: str, *, study: bool = True, workers: bool = False
) -> argparse.ArgumentParser:
    described = about[0].upper() + about[1:] + "."
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=about, description=described)
    parser.set_defaults(verb=verb)
    if study:
        parser.add_argument("study", metavar="STUDY", help="a study file, or a folder with one")
    parser.add_argument("--out", metavar="DIR", help="results folder (default: results/<name>)")
    parser.add_argument(
        "--workers", type=_positive, metavar="N", help="processes (default: one a core)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument(
        "--plugin", action="append", default=[], metavar="FILE", help="a plug-in file of your own"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, not {text}")
    return int(text)


def _run(given: argparse.Namespace) -> Answer:
    from dataclasses import asdict

    from hpo_lab.harness import in_words, progress_bar
    from hpo_lab.study import Study
    from hpo_lab.verbs import cores, folder_of, run

    study = Study.read(given.study)
    workers = given.workers or cores()
    folder = folder_of(study, given.out)
    _say(f"{study.name}: {len(study.runs)} runs on {workers} workers; results in {folder}")
    with progress_bar() as progress:
        outcome = run(
            study, folder, workers=workers, progress=progress, plugins=tuple(given.plugin)
        )
    for path in outcome.damaged:
        _say(f"damaged, set aside and run again: {path}")
    for title in outcome.lost:
        _say(f"lost, its process died every time: {title}")
    if outcome.foreign:
        _say(f"{len(outcome.foreign)} runs in {folder} are not of this study and were left alone:")
        _say("  " + ", ".join(outcome.foreign[:5]) + (" …" if len(outcome.foreign) > 5 else ""))
    found = {**asdict(outcome), "damaged": [str(path) for path in outcome.damaged]}
    line = (
        f"{outcome.done} runs were there, {outcome.ran} ran in {in_words(outcome.seconds)} "
        f"({outcome.failures} failed trials); results in {folder}"
    )
    return (INCOMPLETE if outcome.lost else 0), found, [line]


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _status(given: argparse.Namespace) -> Answer:
    from hpo_lab.verbs import status

    found = status(given.study, given.out)
    lines = [
        f"{found['study']}: {found['done']} of {found['runs']} runs are done ({found['folder']})"
    ]
    for word in ("missing", "damaged", "foreign"):
        if found[word]:
            lines += [f"{word}: {len(found[word])}", *(f"  {one}" for one in found[word][:10])]
            if len(found[word]) > 10:
                lines.append(f"  … and {len(found[word]) - 10} more (all with --json)")
    return 0, found, lines


def _report(given: argparse.Namespace) -> Answer:
    from hpo_lab.verbs import finished_report, report

    finished = None if given.json or given.plugin else finished_report(given.study, given.out)
    if finished is not None:
        return 0, {}, [*finished, "(unchanged)"]
    found = report(given.study, given.out)
    lines = [found.pop("console"), *(f"missing: {title}" for title in found["missing"][:5])]
    if len(found["missing"]) > 5:
        lines.append(f"missing: {len(found['missing']) - 5} more; run the study to complete it")
    return 0, found, [*lines, f"report: {found['path']}"]


def _price(given: argparse.Namespace) -> Answer:
    from hpo_lab.verbs import price

    found = price(given.study)
    header = ("landscape", "space", "optimum", "price", "by chance", "p", "carriers", "wins at")
    rows = [
        _price_row(landscape, space)
        for landscape in found["landscapes"]
        for space in landscape["spaces"]
    ]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
    for landscape in found["landscapes"]:
        lines += [line for space in landscape["spaces"] for line in _shares(landscape, space)]
    return 0, found, lines


def _shares(landscape: dict[str, Any], space: dict[str, Any]) -> list[str]:
    """How a price is shared among several assumptions, and which of them are masked."""
    said = []
    name = f"{landscape['landscape']}, {space['space']}"
    for game in space["attribution"]:
        if game["game"] != "price":
            continue
        if game["status"] != "exact":
            said.append(f"{name}: price not shared exactly: {game['status']}")
            continue
        shares = [f"{one['shapley']:.4g} {one['assumption']}" for one in game["assumptions"]]
        said.append(f"{name}: {game['total']:.4g} = " + " + ".join(shares))
        said += [f"  {game['masking']}"] if game["masking"] else []
    return said


def _price_row(landscape: dict[str, Any], space: dict[str, Any]) -> tuple[str, ...]:
    from hpo_lab.measures.price import in_words

    chance = space["chance"] or {"mean": None, "p": None}
    wins = in_words(space["wins"]) if space["wins"] is not None else "unknown"
    return (
        landscape["landscape"],
        space["space"],
        _number(space["optimum"]),
        _number(space["price"]),
        _number(chance["mean"]),
        _number(chance["p"]),
        "unknown" if space["carriers"] is None else str(space["carriers"]),
        wins or "never",
    )


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _audit(given: argparse.Namespace) -> Answer:
    from hpo_lab.verbs import audit_file

    found = audit_file(
        given.log,
        given.space,
        universe=given.universe,
        study=given.study,
        maximize=given.maximize,
        complete=given.complete,
        out=given.out,
    )
    return 0, found, [found.pop("console"), f"report: {found['path']}"]


def _show(given: argparse.Namespace) -> Answer:
    from hpo_lab.discovery import make
    from hpo_lab.verbs import show

    out = given.out or "results/landscapes"
    asked = [(" ".join(words), *_named("landscapes", words)) for words in _words(given.landscapes)]
    made = [(text, make("landscapes", name, arguments)) for text, name, arguments in asked]
    found, lines = [], []
    for text, landscape in made:
        _say(f"{text}: looking at it")
        one = show(landscape, out, sample=given.sample)
        said = one.pop("lines")
        found.append(one)
        lines += [*said, *(f"  picture: {path}" for path in one["pictures"]), ""]
    return 0, {"landscapes": found}, lines[:-1]


def _bias(given: argparse.Namespace) -> Answer:
    from hpo_lab.harness import progress_bar
    from hpo_lab.verbs import bias

    groups = _words(given.strategy)
    if len(groups) > 1:
        raise InputError(f'one strategy at a time, not "{groups[0][0]}" and "{groups[1][0]}"')
    name, settings = _named("strategies", groups[0])
    with progress_bar() as progress:
        found = bias(
            name,
            settings,
            given.out,
            dimensions=given.dimensions,
            budget=given.budget,
            runs=given.runs,
            workers=given.workers,
            progress=progress,
            plugins=tuple(given.plugin),
        )
    lines = found.pop("lines")
    return 0, found, [*lines, *(f"picture: {path}" for path in found["pictures"][-1:])]


def _words(given: Sequence[str]) -> list[list[str]]:
    """The words of each landscape: its name, and what has an equals sign after it."""
    groups: list[list[str]] = []
    for word in given:
        if "=" not in word:
            groups.append([word])
        elif groups:
            groups[-1].append(word)
        else:
            raise InputError(f'"{word}" is an argument: the name of its landscape comes first')
    return groups


def _named(kind: str, words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """A name and its arguments: TOML values, or plain words where that is what is wanted."""
    from hpo_lab.discovery import arguments, find

    kinds = arguments(find(kind, words[0]))
    given: dict[str, Any] = {}
    for word in words[1:]:
        key, text = word.split("=", 1)
        if key in given:
            raise InputError(f'"{words[0]}" is given the argument "{key}" twice')
        value = _toml(text)
        text_wanted = kinds.get(key) in (str, str | None) and not isinstance(value, str)
        given[key] = text if text_wanted else value  # as in task=40981
    return words[0], given


def _toml(text: str) -> Any:
    """The value that the text is in TOML, else the text itself, as in dataset=cora."""
    import tomllib

    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return read["value"] if set(read) == {"value"} else text


def _list(given: argparse.Namespace) -> Answer:
    from hpo_lab.verbs import catalogue

    found = catalogue()
    lines = []
    for kind, entries in found.items():
        lines += [kind, *(f"  {entry['name']:<14} {entry['about']}" for entry in entries)]
    return 0, found, lines


if __name__ == "__main__":
    raise SystemExit(main())

"""The command line: hpo-lab run | status | report | price | list."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from hpo_lab.errors import InputError

BAD_INPUT, NO_ROOM, INTERRUPTED, INCOMPLETE = 2, 74, 130, 1  # exit statuses


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; a user's mistake is one line."""
    given = _parser().parse_args(arguments)
    try:
        for plugin in given.plugin:
            _load(plugin)
        status: int = given.verb(given)
        return status
    except InputError as error:
        print(f"hpo-lab: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("\nhpo-lab: stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        if type(error).__name__ != "DiskFull":
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
    _verb(verbs, "list", _list, "what there is to build a study from", study=False)
    return parser


def _verb(
    verbs: Any, name: str, verb: Any, about: str, *, study: bool = True, workers: bool = False
) -> None:
    parser = verbs.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
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


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, allow_nan=False)
    print()


def _run(given: argparse.Namespace) -> int:
    from dataclasses import asdict

    from hpo_lab.harness import in_words, progress_bar
    from hpo_lab.study import Study
    from hpo_lab.verbs import cores, folder_of, run

    study = Study.read(given.study)
    workers = given.workers or cores()
    folder = folder_of(study, given.out)
    _say(f"{study.name}: {len(study.runs)} runs on {workers} workers; results in {folder}")
    outcome = run(
        study, folder, workers=workers, progress=progress_bar(), plugins=tuple(given.plugin)
    )
    for path in outcome.damaged:
        _say(f"damaged, set aside and run again: {path}")
    for title in outcome.lost:
        _say(f"lost, its process died every time: {title}")
    if outcome.foreign:
        _say(f"{len(outcome.foreign)} runs in {folder} are not of this study and were left alone:")
        _say("  " + ", ".join(outcome.foreign[:5]) + (" …" if len(outcome.foreign) > 5 else ""))
    if given.json:
        _print_json({**asdict(outcome), "damaged": [str(path) for path in outcome.damaged]})
    else:
        print(
            f"{outcome.done} runs were there, {outcome.ran} ran in {in_words(outcome.seconds)} "
            f"({outcome.failures} failed trials); results in {folder}"
        )
    return INCOMPLETE if outcome.lost else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _status(given: argparse.Namespace) -> int:
    from hpo_lab.verbs import status

    found = status(given.study, given.out)
    if given.json:
        _print_json(found)
        return 0
    print(f"{found['study']}: {found['done']} of {found['runs']} runs are done ({found['folder']})")
    for word in ("missing", "damaged", "foreign"):
        if found[word]:
            print(f"{word}: {len(found[word])}")
            print("\n".join(f"  {one}" for one in found[word][:10]))
            if len(found[word]) > 10:
                print(f"  … and {len(found[word]) - 10} more (all with --json)")
    return 0


def _report(given: argparse.Namespace) -> int:
    from hpo_lab.study import Study
    from hpo_lab.verbs import finished_report, folder_of, report

    finished = None if given.json or given.plugin else finished_report(given.study, given.out)
    if finished is not None:
        print(finished)
        print(
            f"report: {folder_of(Study.read(given.study), given.out) / 'report.html'} (unchanged)"
        )
        return 0
    found = report(given.study, given.out)
    if given.json:
        _print_json({key: value for key, value in found.items() if key != "console"})
        return 0
    print(found["console"])
    for title in found["missing"][:5]:
        print(f"missing: {title}")
    if len(found["missing"]) > 5:
        print(f"missing: {len(found['missing']) - 5} more; run the study to complete it")
    print(f"report: {found['path']}")
    return 0


def _price(given: argparse.Namespace) -> int:
    from hpo_lab.verbs import price

    found = price(given.study)
    if given.json:
        _print_json(found)
        return 0
    header = ("landscape", "space", "optimum", "price", "by chance", "p", "carriers", "wins at")
    rows = [
        _price_row(landscape, space)
        for landscape in found["landscapes"]
        for space in landscape["spaces"]
    ]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
    return 0


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


def _list(given: argparse.Namespace) -> int:
    from hpo_lab.verbs import catalogue

    found = catalogue()
    if given.json:
        _print_json(found)
        return 0
    for kind, entries in found.items():
        print(kind)
        for entry in entries:
            print(f"  {entry['name']:<14} {entry['about']}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

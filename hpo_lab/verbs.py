"""What can be done with a study, as functions: the command line says the same words."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_lab import discovery
from hpo_lab.answers import facts, games, interval, own, plain, summary
from hpo_lab.errors import InputError
from hpo_lab.landscape import Landscape, Problem
from hpo_lab.space import Record
from hpo_lab.study import Study

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd

    from hpo_lab.auditing import Audit
    from hpo_lab.harness import Outcome, Progress

PRICED = ("price", "attribution", "selection")  # what needs no runs


def search(
    landscape: Landscape, strategy: str, budget: int = 50, seed: int = 0, **settings: Any
) -> pd.DataFrame:
    """Run one search of a landscape's whole universe and return its trials, one row each.

    Columns: the family (where there are several) and the axes in native units, ``observed``,
    ``truth`` and ``state``. Raises InputError for an unknown strategy or setting.

    >>> import landscapes
    >>> f = landscapes.make("peaks", dimension=2, peaks=5, instance=1)
    >>> list(search(f, "random", budget=3, seed=1))
    ['x1', 'x2', 'observed', 'truth', 'state']
    """
    import pandas as pd

    from hpo_lab.assumption import View
    from hpo_lab.harness import execute
    from hpo_lab.landscape import STATES
    from hpo_lab.space import Points

    recipe = discovery.make("strategies", strategy, settings)
    problem = Problem(landscape, View.identity(landscape.universe))
    trials = execute(problem, recipe, budget, np.random.default_rng(seed))
    points = Points(landscape.universe, trials.family, trials.values)
    frame = pd.DataFrame(points.records())
    frame["observed"], frame["truth"] = trials.observed, trials.truth
    frame["state"] = [STATES[i] for i in trials.state]
    return frame


def folder_of(study: Study, out: str | Path | None) -> Path:
    """Return the results folder: the one given, or results/<name>."""
    return Path(out) if out is not None else Path("results") / study.name


def run(
    study: Study | str | Path,
    out: str | Path | None = None,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    plugins: Sequence[str] = (),
) -> Outcome:
    """Run what is missing of a study; what is there already is kept. See ``harness.campaign``."""
    from hpo_lab.harness import campaign

    if not isinstance(study, Study):
        for plugin in plugins:
            discovery.load_plugin(plugin)
    study = _study(study)
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, not {workers}")
    return campaign(
        study,
        folder_of(study, out),
        workers=workers or cores(),
        progress=progress,
        executor=executor,
        plugins=plugins,
    )


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _study(study: Study | str | Path) -> Study:
    return study if isinstance(study, Study) else Study.read(study)


def status(study: Study | str | Path, out: str | Path | None = None) -> Record:
    """Return how far a study is: runs done, missing and damaged, and runs of other studies."""
    from hpo_lab.measure import Results
    from hpo_lab.store import Store

    study = _study(study)
    folder = folder_of(study, out)
    results = Results.load(study, folder)
    there = Store(folder).identities()
    return {
        "study": study.name,
        "folder": str(folder),
        "runs": len(study.runs),
        "done": len(study.runs) - len(results.missing),
        "missing": [one.title for one in results.missing],
        "damaged": [str(path) for path in results.damaged],
        "foreign": [identity for identity in there if identity not in study.runs],
        "hash": results.hash,
    }


def price(study: Study | str | Path) -> Record:
    """Return what every declared space costs on every landscape; no strategy evaluates anything.

    The optimum and price in the landscape's unit (null where unknown, with bounds), what chance
    would have charged, random search's expected regret at the study's budgets, the budgets at
    which random search expects better in the declared space than in the universe, and break-even;
    the interval of the price over training seeds, its shares among several assumptions with what
    is masked, and what the best by each score scores on the others.
    """
    study = _study(study)
    tables = price_tables(study)
    landscapes: dict[str, Record] = {}
    for row in tables["price"].to_dict("records"):
        entries = landscapes.setdefault(
            str(row["landscape"]),
            {"landscape": row["landscape"], "unit": row["unit"], "spaces": []},
        )
        entry = _price_entry({str(k): v for k, v in row.items()})
        keys = str(row["landscape"]), str(row["space"])
        entry["attribution"] = games(own(tables["attribution"], *keys))
        columns = ["chosen_by", "ties", "score", "observed", "truth", "held_out", "curse", "price"]
        entry["selection"] = own(tables["selection"], *keys)[columns].to_dict("records")
        entries["spaces"].append(entry)
    found: Record = plain({"study": study.name, "landscapes": list(landscapes.values())})
    return found


def price_table(study: Study) -> pd.DataFrame:
    """Return the table of the measure ``price``."""
    return price_tables(study)["price"]


def price_tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables that need no runs: prices, their shares, what selection costs."""
    from hpo_lab.measure import Results, tabulate

    return tabulate(Results.empty(study), PRICED)


def _price_entry(row: Mapping[str, Any]) -> Record:
    known = math.isfinite(row["carriers"])
    return {
        "space": row["space"],
        "optimum": row["optimum"],
        "price": row["price"],
        "exact": row["exact"],
        "bounds": [row["low"], row["high"]],
        "instances": row["instances"],
        "points": int(row["points"]) if math.isfinite(row["points"]) else None,
        "carriers": int(row["carriers"]) if known else None,
        "chance": {"mean": row["chance_mean"], "p": row["chance_p"]} if known else None,
        "seeds": {
            "count": int(row["seeds"]) if math.isfinite(row["seeds"]) else None,
            "interval": interval(row["seeds_low"], row["seeds_high"]),
            "conditional": row["conditional"],
        },
        "random": {"budgets": row["budgets"], "regret": row["random_regret"]},
        "wins": row["wins"],
        "break_even": _even(row["break_even"], row["break_even_status"]),
        "oracle": {
            "wins": row["oracle_wins"],
            "break_even": _even(row["oracle_break_even"], row["oracle_break_even_status"]),
        },
    }


def _even(value: Any, status: str) -> Record:
    finite = status == "finite"
    return {"value": int(value) if finite else None, "status": status}


def report(study: Study | str | Path, out: str | Path | None = None) -> Record:
    """Write the report of a study into its results folder and return it as plain values.

    ``path`` is the HTML page; beside it stand ``figures/`` (PDF and SVG), ``tables/`` (CSV and
    LaTeX) and the methods paragraph (``methods.txt``, ``methods.tex``). Runs that are missing are
    named, here and on the page. What is not known is None. Keys:

    * ``study``, ``hash``, ``missing``, ``damaged``, ``mixed``, ``methods`` (head and text each)
    * ``arms``: each with its ``regret`` and its splits, ``intervals``, ``coverage`` with
      ``marginals`` (excess emptiness beside random search), ``fates``, ``regions`` (verdict against
      the space and against the universe, and ``cause``), ``rules``, ``richness``, ``abandonment``
    * ``attribution``: each landscape and space with its ``games`` (as in ``price``)
    * ``net``: each arm, and random search in closed form, with its curve over ``evaluations`` and
      its ``break_even``
    * ``hypotheses`` (confirmatory) and ``comparisons`` (their ``status`` says exploratory)
    * ``selection``, ``edges``, ``aggregates``, and ``strategies`` (settings and libraries)

    The columns of the last three lines, of rules, richness and abandonment are those of the
    measures of that name: see ``hpo_lab.measures``.
    """
    from hpo_lab.measure import Results, tabulate
    from hpo_lab.measures.price import in_words
    from hpo_lab.report import console, page
    from hpo_lab.report.methods import methods

    study = _study(study)
    folder = folder_of(study, out)
    results = Results.load(study, folder)
    tables = tabulate(results)
    shown = dict(tables)
    for column in ("wins", "oracle_wins"):
        shown["price"] = shown["price"].assign(**{column: shown["price"][column].map(in_words)})
    said = facts(results)
    path = page.write_report(folder, shown, said)
    table = console.console_table(shown, said["spaces"])
    (folder / "report.txt").write_text(f"{table}\n{MADE_FROM}{_made_from(results)}\n")
    return {
        **plain(summary(results, tables)),
        "methods": [{"head": head, "text": text} for head, text in methods(tables, said)],
        "path": str(path),
        "console": table,
    }


MADE_FROM = "made from "  # how the last line of report.txt begins


def finished_report(study: Study | str | Path, out: str | Path | None = None) -> list[str] | None:
    """Return what a report said that is there and would come out the same, None otherwise.

    It would where neither the results, nor what the study says of them, nor this code changed.
    """
    from hpo_lab.measure import Results

    study = _study(study)
    folder = folder_of(study, out)
    told = folder / "report.txt"
    if not (told.is_file() and (folder / "report.html").is_file()):
        return None
    table, _, made_from = told.read_text().rstrip("\n").rpartition("\n")
    current = MADE_FROM + _made_from(Results.load(study, folder))
    return [table, f"report: {folder / 'report.html'}"] if made_from == current else None


def _made_from(results: Any) -> str:
    """A hash of everything that a report is made from."""
    digest = hashlib.sha256(json.dumps(facts(results), default=str).encode())
    digest.update(repr((results.study.systems, results.study.weight)).encode())
    for package in ("hpo_lab", "landscapes"):
        found = importlib.util.find_spec(package)
        for folder in found.submodule_search_locations or [] if found else []:
            for path in sorted(Path(folder).rglob("*.*")):
                if path.suffix in (".py", ".html", ".css"):
                    digest.update(path.read_bytes())
    return digest.hexdigest()


def audit_file(
    log: str | Path,
    space: str | Path | None = None,
    *,
    universe: str | Path | None = None,
    study: str | None = None,
    maximize: bool = False,
    complete: bool = False,
    out: str | Path | None = None,
) -> Record:
    """Audit a log, a CSV or an Optuna SQLite file, write the report, and return plain values.

    The spaces are files: see ``hpo_lab.logs.space_file``; Optuna's may be left to the log itself.
    The report goes into ``out``, by default results/audit/<name of the log>. Raises InputError,
    one sentence, for files that cannot be used. See ``hpo_lab.audit`` for what is looked at.
    """
    from hpo_lab.auditing import audit_log
    from hpo_lab.figures._words import plain as literal
    from hpo_lab.logs import space_file

    log = Path(log)
    try:
        read = _log(log, space, study=study, maximize=maximize)
        wide = None if universe is None else space_file(universe).space
        found = audit_log(read, universe=wide, complete=complete)
    except InputError as error:  # which may hold a stranger's words
        raise InputError(literal(error)) from None
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", log.stem)[:100].strip("-.") or "log"
    folder = Path("results") / "audit" / stem if out is None else Path(out)
    said = str(space) if space is not None else "the distributions in the log"
    return _audit_report(found, folder, log, said)


def _log(log: Path, space: str | Path | None, *, study: str | None, maximize: bool) -> Any:
    from hpo_lab.logs import is_sqlite, read_csv, space_file
    from hpo_lab.optuna_log import read_optuna

    flat = None if space is None else space_file(space)
    if is_sqlite(log):
        if maximize:
            raise InputError(f"{log}: an Optuna study says itself whether it maximises")
        return read_optuna(log, study=study, flat=flat)
    if study is not None:
        raise InputError(f"{log} is no Optuna storage, so it has no studies to name")
    if flat is None:
        raise InputError(f"{log} does not say what could have been tried; give it with --space")
    return read_csv(log, flat, maximize=maximize)


def _audit_report(found: Audit, folder: Path, log: Path, space: str) -> Record:
    import pandas as pd

    from hpo_lab.auditing import Constant, Edge, Excluded, Judged
    from hpo_lab.report.audit import audit_console, write_audit

    kinds = {"regions": Judged, "edges": Edge, "constant": Constant, "excluded": Excluded}
    rows = found.tables()
    tables = {
        name: pd.DataFrame(rows[name], columns=[one.name for one in fields(kind)])
        for name, kind in kinds.items()
    }
    facts = {one.name: getattr(found, one.name) for one in fields(found) if one.name not in kinds}
    digest = hashlib.sha256(log.read_bytes()).hexdigest()
    facts |= {"log": str(log), "space": space, "provenance": [("sha256 of the log", digest)]}
    try:
        path = write_audit(folder, tables, facts)
    except OSError as error:
        raise InputError(f"cannot write the report into {folder}: {error.strerror}") from None
    return {
        **plain({name: value for name, value in facts.items() if name != "provenance"}),
        **plain(rows),
        "path": str(path),
        "console": audit_console(tables, facts),
    }


def show(
    landscape: Landscape, out: str | Path | None = None, *, sample: int = 1000, seed: int = 0
) -> Record:
    """Return a landscape's card as plain values, and draw it into a folder where one is given.

    Definition, universe, optimum, minima, importance of axes and descriptors, each with how it
    was found; ``lines`` says the same as text, ``pictures`` are the files (PNG and PDF). Estimates
    are made from ``sample`` random points, drawn with ``seed``. Raises InputError below 2 points.

    >>> import landscapes
    >>> show(landscapes.make("peaks", dimension=2, peaks=5), sample=50)["minima"]["count"]
    5
    """
    from hpo_lab.show import card as cards
    from hpo_lab.show import words

    if sample < 2:
        raise InputError(f"sample must be at least 2 points, not {sample}")
    evidence = cards.Evidence(landscape, sample, seed)
    card = cards.card(evidence)
    pictures = [] if out is None else _pictures(evidence, card, Path(out))
    return {**plain(card), "lines": words.lines(card), "pictures": [str(path) for path in pictures]}


def _pictures(evidence: Any, card: Record, folder: Path) -> list[Path]:
    from hpo_lab.figure import encoded, publish
    from hpo_lab.show.pictures import draw
    from hpo_lab.show.sights import sights
    from hpo_lab.show.words import title

    name = title(card)
    drawing = draw(sights(evidence, name, card))
    if drawing is None:
        return []
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write pictures into {folder}: {error.strerror}") from None
    stem = re.sub(r"[^A-Za-z0-9.=_-]+", "-", name)[:120].strip("-.")
    paths = [folder / f"{stem}.{suffix}" for suffix in ("png", "pdf")]
    for path in paths:
        publish(path, encoded(drawing, path.suffix[1:], dpi=300))
    return paths


def bias(
    strategy: str,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    *,
    dimensions: Sequence[int] = (2, 5, 10),
    budget: int = 100,
    runs: int = 100,
    workers: int | None = None,
    progress: Progress | None = None,
    plugins: Sequence[str] = (),
) -> Record:
    """Run a strategy on f0, pure noise, and tell where it goes when there is nothing to learn.

    A study like any other is written to results/bias/<strategy> (or ``out``) and run there: run
    again is resume. Returns the tests of structural bias (``measures.bias``), the density of
    visits from the bounds to the centre, the picture's paths, and the lines that the command line
    prints. Raises InputError for an unknown strategy or setting, or fewer than 100 runs.
    """
    from hpo_lab.figure import encoded, publish, save
    from hpo_lab.measure import Results, tabulate
    from hpo_lab.measures.bias import FEWEST

    settings = dict(settings or {})
    discovery.make("strategies", strategy, settings)
    if runs < FEWEST:
        raise InputError(f"bias needs at least {FEWEST} runs, not {runs}")
    label = "_".join([strategy, *(f"{key}-{value}" for key, value in settings.items())])
    folder = Path(out) if out is not None else Path("results") / "bias" / _file_name(label)
    folder.mkdir(parents=True, exist_ok=True)
    written = _bias_study(strategy, settings, tuple(dimensions), budget, runs)
    publish(folder / "study.toml", written.encode())
    study = Study.read(folder / "study.toml")
    run(study, folder, workers=workers, progress=progress, plugins=plugins)
    tables = tabulate(Results.load(study, folder), ("bias", "bias_density"))
    drawing = discovery.find("figures", "bias")()(tables)
    pictures = [] if drawing is None else save(drawing, folder, "bias")
    if drawing is not None:
        publish(folder / "bias.png", encoded(drawing, "png"))
        pictures.append(folder / "bias.png")
    return {
        "strategy": strategy,
        "settings": settings,
        "tests": tables["bias"].to_dict("records"),
        "density": tables["bias_density"].to_dict("records"),
        "pictures": [str(path) for path in pictures],
        "lines": _bias_lines(study, tables),
    }


def _file_name(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", label)[:100]


def _bias_study(
    strategy: str, settings: Mapping[str, Any], dimensions: Sequence[int], budget: int, runs: int
) -> str:
    """The text of a study of one strategy on f0; JSON's strings, numbers and lists are TOML's."""
    given = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    return (
        'schema = 1\nname = "bias"\n'
        f'question = "Where does {strategy} go when there is nothing to learn?"\n\n'
        f'[[landscapes]]\nuse = "flat"\ndimension = {list(dimensions)}\n\n'
        f'[[strategies]]\nuse = "{strategy}"\n{given}\n'
        f"[spaces.universe]\n\n[runs]\nbudget = {budget}\ninstances = 1\nrepetitions = {runs}\n"
    )


def _bias_lines(study: Study, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """One line a landscape: biased or not, how, and how sure."""
    tests, density = tables["bias"], tables["bias_density"]
    lines = []
    for landscape in density["landscape"].drop_duplicates():
        own = tests[(tests["landscape"] == landscape)]
        atoms = float(density[density["landscape"] == landscape]["atoms"].iloc[0])
        said = f"{landscape}: "
        found = own[own["biased"].astype(bool)] if len(own) else own
        if own.empty:
            said += "not tested, a deterministic strategy is one sample"
        elif found.empty:
            said += (
                f"no structural bias found ({len(own)} tests, p ≥ {own['p_adjusted'].min():.2g})"
            )
        else:
            least = found.loc[found["p_adjusted"].idxmin()]
            towards = ", ".join(dict.fromkeys(map(str, found["towards"])))
            said += (
                f"biased towards {towards} ({len(found)} of {len(own)} tests; "
                f"{least['sample']} of {least['axis']}, {least['test']}: "
                f"p = {least['p_adjusted']:.2g})"
            )
        lines.append(
            said + (f"; {100 * atoms:.3g} % of coordinates on the bounds" if atoms else "")
        )
    return lines


def catalogue() -> dict[str, list[dict[str, str]]]:
    """Return every landscape, strategy, assumption, measure and figure, with one line each."""
    return {
        kind: [
            {"name": name, "about": discovery.about(kind, name)} for name in discovery.names(kind)
        ]
        for kind in discovery.KINDS
    }

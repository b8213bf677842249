"""What a study found, as plain values: the facts beside the tables, and what --json prints."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_lab.landscape import Problem
from hpo_lab.measure import systems_of
from hpo_lab.space import Record
from hpo_lab.store import OF_ONE_RUN
from hpo_lab.study import Hypothesis, Part, Study

if TYPE_CHECKING:
    import pandas as pd


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: nan and infinities become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def facts(results: Any) -> Record:
    """Return what a report says about a study besides its tables."""
    from hpo_lab.measures._subsets import in_words

    study: Study = results.study
    provenance = {k: v for k, v in results.provenance.items() if k not in OF_ONE_RUN}
    packages = provenance.pop("packages", [])
    return {
        "name": study.name,
        "question": study.question or study.name,
        "spaces": {
            space.label: [in_words(part, reason=True) for part in space.assumptions]
            for space in study.spaces
        },
        "strategies": {part.label: repr(part.make()) for part in study.strategies},
        "hypotheses": [_hypothesis(one) for one in study.hypotheses],
        "design": _design(study, results),
        "budget": ", ".join(str(b) for b in study.budgets),
        "repetitions": study.repetitions,
        "instances": study.instances,
        "missing": [run.title for run in results.missing],
        "mixed": list(results.mixed),
        "damaged": [str(path) for path in results.damaged],
        "provenance": {
            **{key: str(value) for key, value in provenance.items()},
            "packages": ", ".join(packages),
        },
        "hash": results.hash,
    }


def _design(study: Study, results: Any) -> Record:
    """What was done, for the methods paragraph: see ``hpo_lab.report.methods``."""
    problems = [
        problem for landscape in study.landscapes for problem in _problems(study, landscape)
    ]
    known = {one.name: one for problem in problems for one in systems_of(study, problem)}
    cells = [cell for arm in results.arms for cell in arm.cells]
    return {
        "landscapes": [_landscape(study, part) for part in study.landscapes],
        "strategies": [_strategy(part) for part in study.strategies],
        "budgets": list(study.budgets),
        "instances": study.instances,
        "repetitions": study.repetitions,
        "entropy": study.entropy,
        "weight": study.weight,
        "families": any(len(problem.view.universe.families) > 1 for problem in problems),
        "systems": [{"name": n, "overlap": not one.partition} for n, one in known.items()],
        "bins": study.resolution.bins,
        "cells": study.resolution.cells,
        "epsilon": study.resolution.epsilon,
        "controls": list(study.controls),
        "told_truth": all(np.array_equal(cell.observed, cell.truth) for cell in cells),
    }


def _problems(study: Study, landscape: Part) -> Iterator[Problem]:
    for space in study.spaces:
        if landscape.label in space.landscapes:
            yield study.problem(landscape, space, 1)


def _landscape(study: Study, part: Part) -> Record:
    made = part.make()
    return {
        "label": part.label,
        "version": f"{made.name}@{made.version}",
        "instances": len(study.instances_of(part)),
        "stochastic": made.stochastic,
    }


def _strategy(part: Part) -> Record:
    made = part.make()
    settings = {one.name: getattr(made, one.name) for one in fields(made)}
    return {
        "label": part.label,
        "name": f"{made.name}@{made.version}",
        "settings": ", ".join(f"{key} {value}" for key, value in settings.items()),
        "deterministic": made.deterministic,
        "anytime": made.anytime,
        "libraries": list(made.libraries),
    }


def _hypothesis(one: Hypothesis) -> str:
    """A declared hypothesis in words: gp helps: gp against random, less total, in universe …"""
    against = f"{one.first} against {one.second}"
    way = f"{one.measure}, {one.direction}"
    where = f"in {one.space}" if one.space else f"by {one.strategy}"
    place = f"on {one.landscape}" if one.landscape else "over all landscapes"
    said = f"{one.name}: {against}, {way}, {where}, {place}, at {one.budget} evaluations"
    return f"{said}; expected: {one.expectation}" if one.expectation else said


def summary(results: Any, tables: Mapping[str, pd.DataFrame]) -> Record:
    """Return the report as plain values; ``hpo_lab.report`` says which keys there are."""
    rows = {name: _by_arm(tables[name]) for name in OF_ARMS} | {
        "regions": _by_arm(_with_causes(tables)),
        "marginals": _by_arm(_marginals(tables["occupancy"])),
    }
    return {
        "study": results.study.name,
        "hash": results.hash,
        "missing": [run.title for run in results.missing],
        "damaged": [str(path) for path in results.damaged],
        "mixed": list(results.mixed),
        "arms": [_arm(row, rows) for row in tables["arms"].to_dict("records")],
        "attribution": _shares(tables["attribution"]),
        "net": _net(tables["net"], _by_arm(tables["break_even"])),
        **{name: tables[name].to_dict("records") for name in AS_THEY_ARE},
    }


ARM = ["landscape", "space", "strategy", "budget"]
OF_ARMS = ("coverage", "fates", "benefit", "rules", "richness", "abandonment")
AS_THEY_ARE = ("hypotheses", "comparisons", "selection", "edges", "aggregates", "strategies")


def _by_arm(table: pd.DataFrame) -> dict[Any, pd.DataFrame]:
    return dict(list(table.groupby(ARM, sort=False))) if len(table) else {}


def _with_causes(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The regions, each with its ``cause`` where it is a blind spot."""
    regions, causes = tables["regions"], tables["causes"]
    if regions.empty or causes.empty:
        return regions.assign(cause=None)
    keys = [*ARM, "instance", "system", "region"]
    joined = regions.merge(causes[[*keys, "cause"]].drop_duplicates(keys), on=keys, how="left")
    return joined.assign(cause=joined["cause"].astype(object).where(joined["cause"].notna(), None))


def _marginals(occupancy: pd.DataFrame) -> pd.DataFrame:
    """Excess emptiness of one- and two-dimensional marginals of single runs at the end."""
    if occupancy.empty:
        return occupancy
    rows = occupancy[(occupancy["scope"] == "one run") & (occupancy["axes"].fillna("") == "")]
    rows = rows[(rows["system"] != "cells") & rows["headline"].astype(bool)]
    return rows[rows["evaluation"] == rows.groupby(ARM)["evaluation"].transform("max")]


def _shares(table: pd.DataFrame) -> list[Record]:
    """The price and the regret at a budget shared among the assumptions of each space."""
    if table.empty:
        return []
    return [
        {"landscape": landscape, "space": space, "games": games(rows)}
        for (landscape, space), rows in table.groupby(["landscape", "space"], sort=False)
    ]


def _net(table: pd.DataFrame, ends: Mapping[Any, pd.DataFrame]) -> list[Record]:
    """Net benefit over evaluations of each arm, with its break-even."""
    curves = []
    for key, rows in _by_arm(table).items():
        entry = dict(zip(ARM, key, strict=True))
        entry["unit"] = rows["unit"].iloc[0]
        entry["evaluations"] = rows["evaluation"].tolist()
        entry |= {name: rows[name].tolist() for name in ("net", "low", "high")}
        end = ends[key].iloc[0] if key in ends else None
        entry["break_even"] = None if end is None else {name: end[name] for name in _EVEN}
        curves.append(entry)
    return curves


_EVEN = ("wins", "sure_wins", "break_even", "status", "shown", "low", "high", "interval")


def own(table: pd.DataFrame, landscape: str, space: str) -> pd.DataFrame:
    """Return the rows of one landscape and space."""
    return table[(table["landscape"] == landscape) & (table["space"] == space)]


_SHARES = ("first_in", "last_out", "shapley")


def games(rows: pd.DataFrame) -> list[Record]:
    """The shares of each assumption in each game: of the price, of the regret at each budget."""
    games: dict[tuple[str, Any], Record] = {}
    for row in rows.to_dict("records"):
        budget = int(row["budget"]) if math.isfinite(row["budget"]) else None
        game = games.setdefault(
            (str(row["game"]), budget),
            {
                "game": row["game"],
                "budget": budget,
                "status": row["status"],
                "total": row["total"],
                "masking": row["words"],
                "assumptions": [],
            },
        )
        shares = {s: row[s] for s in _SHARES}
        bounds = {s: [row[f"{s}_low"], row[f"{s}_high"]] for s in _SHARES}
        game["assumptions"].append({"assumption": row["assumption"], **shares, "bounds": bounds})
    return list(games.values())


_REGION = [
    "instance",
    "system",
    "region",
    "measure",
    "runs_visited",
    "runs",
    "expected",
    "at_least",
    "runs_reached",
    "chance",
    "p",
    "p_adjusted",
    "bound",
    "verdict",
    "costly",
    "best",
    "missed",
    "universe_expected",
    "universe_p_adjusted",
    "universe_verdict",
    "cause",
]
_MARGINAL = ["instance", "system", "excess", "random_low", "random_high", "verdict"]


def _arm(row: Mapping[Any, Any], rows: Mapping[str, Mapping[Any, pd.DataFrame]]) -> Record:
    keys = {key: row[key] for key in ("landscape", "space", "strategy", "budget")}
    key = tuple(keys.values())
    regions, coverage = rows["regions"][key], rows["coverage"][key]
    fates, benefit = rows["fates"].get(key), rows["benefit"].get(key)
    net = {} if benefit is None else benefit.iloc[0].to_dict()
    visits = regions[regions["system"].isin(("families", "options"))]
    counts = ["cells", "occupied", "expected_in_space", "expected_in_universe", "excess_emptiness"]
    return {
        **keys,
        "runs": row["runs"],
        "samples": row["samples"],
        "statistic": row["statistic"],
        "success": row["success"],
        "failures": row["failures"],
        "incumbent": row["incumbent"],
        "regret": {
            "total": row["total"],
            "space": row["from_space"],
            "search": row["from_search"],
            "selection": row["from_selection"],
        },
        "signal": {
            "space": row["from_space"],
            "floor": row["floor"],
            "shortfall": row["shortfall"],
        },
        "observed": {
            "total": row["observed_total"],
            "space": row["observed_from_space"],
            "search": row["observed_from_search"],
            "selection": 0.0 if math.isfinite(row["observed_total"]) else math.nan,
        },
        "benefit": net.get("net", math.nan),
        "intervals": {
            "total": interval(row["total_low"], row["total_high"]),
            "benefit": interval(net.get("low", math.nan), net.get("high", math.nan)),
        },
        "coverage": {
            **coverage[[*counts, "distinct", "repeats"]].mean().to_dict(),
            "marginals": _records(rows["marginals"].get(key), _MARGINAL),
            "visits": visits[
                ["instance", "system", "region", "share", "first_visit", "last_visit"]
            ].to_dict("records"),
        },
        "fates": fates[["basins", "found", "entered", "missed", "excluded"]].mean().to_dict()
        if fates is not None
        else {},
        "regions": regions[_REGION].to_dict("records"),
        **{name: _records(rows[name].get(key)) for name in ("rules", "richness", "abandonment")},
    }


def _records(rows: pd.DataFrame | None, columns: list[str] | None = None) -> list[Any]:
    """The rows of one arm, without the columns that name it."""
    if rows is None:
        return []
    kept = rows[columns] if columns else rows.drop(columns=ARM)
    return kept.to_dict("records")


def interval(low: float, high: float) -> list[float] | None:
    """Return the ends of an interval as JSON has them; None where there is none."""
    return [low, high] if math.isfinite(low) else None

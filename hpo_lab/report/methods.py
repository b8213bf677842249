"""The methods paragraph for a paper, generated: what was done in this study, and nothing else.

Every sentence follows from the study's design and from its tables, so that it is true of this
study: no word of control runs where there were none, no interval where none was printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hpo_lab.figures._words import counted, listed, plain
from hpo_lab.report.view import Tables, table_of

Design = Mapping[str, Any]

FEW = 30  # repetitions below which no interval is printed
SYSTEMS = {
    "families": "families",
    "options": "the options of each choice",
    "pairs": "pairs of options",
    "bins": "{bins} parts of each number’s range",
    "planes": "pairs of such parts",
    "cells": "mixed-radix cells of nearly equal measure (about {cells})",
    "basins": "the basins of the known local minima",
    "near_optimal": "the near-optimal set (ε = {epsilon:g} of the landscape’s spread)",
}
CONTROLS = {
    "flat": "uniform noise in the landscape’s place",
    "relabelled": "the landscape with the options of its choices permuted",
    "shifted": "the landscape moved round the torus of its axes",
}
PACKAGES = ("hpo-lab", "numpy", "scipy")


def methods(tables: Tables, facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the paragraphs, each with what it is about; empty where the design is not known.

    ``facts["design"]`` holds landscapes, strategies, budgets, instances, repetitions, weight,
    families, systems (name and whether they overlap), bins, cells, epsilon, controls, entropy
    and whether strategies are told the truth; the rest is read from the tables.
    """
    design = facts.get("design")
    if not design:
        return []
    known = (
        ("Design", _design(design, facts)),
        ("Strategies", _strategies(design)),
        ("Estimand", _estimand(tables, design)),
        ("Optima", _optima(tables)),
        ("Ties and failures", _ties(tables)),
        ("Reference measure", _reference(design)),
        ("Regions and verdicts", _regions(tables, design)),
        ("Causes", _causes(design)),
        ("Rules", _rules(tables)),
        ("Unit of independence and intervals", _intervals(tables, design)),
        ("Comparisons", _comparisons(tables)),
        ("Software", _software(facts, design)),
    )
    return [(head, " ".join(parts)) for head, parts in known if parts]


def text(paragraphs: Sequence[tuple[str, str]]) -> str:
    """Return the paragraphs as plain text, to be pasted."""
    return "".join(f"{head}. {said}\n\n" for head, said in paragraphs).rstrip("\n") + "\n"


def tex(paragraphs: Sequence[tuple[str, str]]) -> str:
    """Return the paragraphs as LaTeX; every name is set as it is and runs nothing."""
    from hpo_lab.report.export import tex_text

    lines = (rf"\paragraph{{{tex_text(head)}.}} {tex_text(said)}" for head, said in paragraphs)
    return "\n\n".join(lines) + "\n"


def _design(design: Design, facts: Mapping[str, Any]) -> list[str]:
    strategies = design["strategies"]
    spaces = [f"“{plain(name)}”" for name in facts["spaces"]]
    budgets = listed(f"{budget:,}" for budget in design["budgets"])
    each = counted(design["repetitions"], "time")
    seeded = [one for one in design["landscapes"] if one["instances"] > 1]
    on = f" on each of {seeded[0]['instances']} instances of {_labels(seeded)}" if seeded else ""
    alone = [one for one in design["landscapes"] if one["instances"] == 1]
    on += f" and on {_labels(alone)}" if seeded and alone else f" on {_labels(alone)}" * bool(alone)
    said = [
        f"{_several(len(strategies), 'strategy', 'strategies')} searched "
        f"{counted(len(spaces), 'space')} ({listed(spaces)}), each {each}{on}, with "
        f"{budgets} evaluations a run."
    ]
    for name, assumptions in facts["spaces"].items():
        if assumptions:
            chain = "; ".join(plain(one).rstrip(".") for one in assumptions)
            said.append(f"The space “{plain(name)}” makes these assumptions: {chain}.")
    return said


def _several(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _labels(landscapes: Sequence[Mapping[str, Any]]) -> str:
    return listed((f"{plain(one['label'])} ({plain(one['version'])})" for one in landscapes), 40)


def _strategies(design: Design) -> list[str]:
    said = [
        f"{plain(one['label'])} ({plain(one['name'])}"
        + (f": {plain(one['settings'])}" if one["settings"] else "")
        + ")"
        for one in design["strategies"]
    ]
    late = [one["label"] for one in design["strategies"] if not one["anytime"]]
    blind = "A strategy saw the declared space and the values that it was told, and nothing else."
    longer = (
        f"{listed(late)} {'was' if len(late) == 1 else 'were'} run anew for each budget, the "
        "others’ results at smaller budgets are prefixes of their longest runs."
        if late and len(design["budgets"]) > 1
        else ""
    )
    return [f"The strategies were {listed(said, 40)}.", blind, *([longer] if longer else [])]


def _estimand(tables: Tables, design: Design) -> list[str]:
    told = "observed" if not design["told_truth"] else "told"
    said = [
        "The estimand is the expected total regret f(x̂) − f*(U) after the budget is spent, where "
        f"f is the truth, U the universe and x̂ the evaluated point of the lowest {told} value.",
        "It is the sum of three parts, none below zero: space regret f*(S) − f*(U), with S the "
        "declared space; search regret, the best evaluated truth less f*(S); and selection regret, "
        "f(x̂) less the best evaluated truth.",
    ]
    if not design["told_truth"]:
        said.append(
            "Strategies were told values other than the truth, so the total is also split into "
            "space regret, a floor (the truth of the point of best observed value in S, less "
            "f*(S)) and a shortfall, which may be negative."
        )
    if table_of(tables, "benefit") is not None:
        said.append(
            "The net benefit of S at a budget is total regret in U minus total regret in S, paired "
            "by instance and repetition; break-even is the last budget at which its mean is above "
            "zero."
        )
    return said


def _optima(tables: Tables) -> list[str]:
    rows = table_of(tables, "price")
    if rows is None:
        return []
    exact = rows["exact"].astype(bool)
    if exact.all():
        said = ["All optima of the universes and of the declared spaces are known exactly."]
    else:
        names = listed(dict.fromkeys(rows.loc[~exact, "landscape"]), 8)
        said = [
            f"On {names} optima are not all known exactly: prices there are certified bounds, or "
            "unknown, and regret is not split where the space’s optimum is not exact."
        ]
    if rows["chance_p"].notna().any():
        said.append(
            "The price of a space is set beside that of leaving out as many points at random "
            "(exact hypergeometric p-value, not corrected over landscapes)."
        )
    if rows.get("seeds_low") is not None and rows["seeds_low"].notna().any():
        said.append("Prices have percentile bootstrap intervals over training seeds.")
    if "conditional" in rows and (rows["conditional"] == "conditional on this table").any():
        said.append("Prices that are read from a table of one seed are conditional on that table.")
    shared = table_of(tables, "attribution")
    if shared is not None and (shared["status"] == "exact").any():
        said.append(
            "Prices of several assumptions are shared among them from the exact optima of all "
            "their subsets (first-in, last-out, Shapley value)."
        )
    return said


def _ties(tables: Tables) -> list[str]:
    said = [
        "Observed values are compared after rounding to nine decimals, and of equals the first "
        "that was evaluated is the incumbent.",
        "An evaluation without a value is a failed trial: it spends budget and counts as a visit, "
        "and is never the incumbent.",
    ]
    arms = table_of(tables, "arms")
    if arms is None:
        return said
    if (arms["failures"] > 0).any():
        said.append("Trials failed in this study; the tables give their number.")
    if (arms["success"] < 1).any():
        said.append(
            "Where a run had no success at all its regret is infinite: medians and the share of "
            "successful runs are reported there, and no run is dropped."
        )
    return said


def _reference(design: Design) -> list[str]:
    if not design["families"]:
        return [
            "The reference measure is uniform over the axes of the space, each in its declared "
            "scale."
        ]
    weight = {
        "family": "each family has the weight that the landscape declares (equal unless it says "
        "otherwise)",
        "parameters": "each family is weighted by its number of parameters",
    }[design["weight"]]
    return [
        f"Under the reference measure {weight}, and points are uniform within a family over its "
        "active axes, each in its declared scale."
    ]


def _regions(tables: Tables, design: Design) -> list[str]:
    rows = table_of(tables, "regions")
    if rows is None:
        return []
    there = [one for one in design["systems"] if one["name"] in set(rows["system"])]
    names = listed((SYSTEMS[one["name"]].format(**design) for one in there), 12)
    said = [f"The study file names the region systems: {names}."]
    tested = set(rows.loc[rows["p_adjusted"].notna(), "system"])
    if not tested:
        return said
    several = "at_least" in rows and (rows["at_least"] > 1).any()
    said.append(
        "For each region the number of runs that visit it is tested against uniform search of the "
        "declared space with the same budget (exact binomial test, one-sided)"
        + (
            "; where hardly any run of uniform search would miss the region, only runs count that "
            "visit it at least half as often as is fair"
            if several
            else ""
        )
        + "."
    )
    if (rows["verdict"] == "untestable").any():
        said.append(
            "Regions too small ever to be significant were set aside first (Tarone 1990), as were "
            "those that the declared space excludes."
        )
    flat = [one["name"] for one in there if one["name"] in tested and not one["overlap"]]
    over = [one["name"] for one in there if one["name"] in tested and one["overlap"]]
    corrected = [
        f"{method} ({_names(names)})"
        for method, names in (
            ("Benjamini and Hochberg", flat),
            ("Benjamini and Yekutieli, for overlapping regions", over),
        )
        if names
    ]
    said.append(
        f"P-values were corrected within each region system by {' and by '.join(corrected)}."
    )
    said.append(
        "A significant region is called never seen if no run came, and neglected if the 95 % upper "
        "bound on the probability that a run comes is below half of what uniform search has."
    )
    if "universe_verdict" in rows:
        said.append("The same visits are compared with uniform search of the universe, too.")
    if "measure_error" in rows and (rows["measure_error"] > 0).any():
        said.append(
            "Where a region’s measure had to be estimated it was taken three standard errors "
            "smaller in the tests."
        )
    return said


def _names(systems: Sequence[str]) -> str:
    return listed(name.replace("_", "-") for name in systems)


def _causes(design: Design) -> list[str]:
    ran = [CONTROLS[name] for name in design["controls"]]
    if not ran:
        return []
    return [
        f"To tell why a region was not visited the same strategies, with as many runs, were also "
        f"run on {listed(ran)}. A cause that only such control runs can show is named only where "
        "they do (p ≤ 0.05, corrected), and is a statement about what was run, not about why."
    ]


def _rules(tables: Tables) -> list[str]:
    rows = table_of(tables, "rules")
    if rows is None or not (rows["confirming"] > 0).any():
        return []
    return [
        "Rules for blind spots that nobody declared were proposed from one half of the runs and "
        "confirmed on the other half by the exact visit test, corrected over all proposals."
    ]


def _intervals(tables: Tables, design: Design) -> list[str]:
    arms = table_of(tables, "arms")
    if arms is None:
        return []
    several = any(one["instances"] > 1 for one in design["landscapes"])
    unit = (
        "Runs are independent within an instance, and inference over instances is clustered on "
        "them; runs are paired across strategies and spaces by instance and repetition."
        if several
        else "The unit of independence is the run, not the evaluation; runs are paired across "
        "strategies and spaces by repetition."
    )
    said = [unit]
    alone = list(dict.fromkeys(arms.loc[arms["samples"] <= 1, "strategy"]))
    fixed = [one["label"] for one in design["strategies"] if one["deterministic"]]
    single = [name for name in fixed if name in alone]
    if single:
        verb = "is" if len(single) == 1 else "are"
        said.append(
            f"{listed(single)} {verb} deterministic: where neither the landscape nor its noise "
            "varies, all repetitions are one sample, with n = 1, no interval and no p-value."
        )
    if arms["total_low"].notna().any():
        said.append(
            "Intervals of mean regret are 95 % studentised bootstrap intervals of 2,000 resamples "
            + ("(instances, then repetitions)" if several else "(of the repetitions)")
            + ", with BCa limits where too few resamples vary."
        )
    elif design["repetitions"] < FEW:
        said.append(f"With fewer than {FEW} repetitions no intervals of mean regret are given.")
    return said


def _comparisons(tables: Tables) -> list[str]:
    declared, others = table_of(tables, "hypotheses"), table_of(tables, "comparisons")
    said = []
    if declared is not None:
        number = _several(len(declared), "hypothesis", "hypotheses")
        was = "was" if len(declared) == 1 else "were"
        said.append(
            f"{number} {was} declared in the study file and {was} tested by "
            "Wilcoxon’s signed-rank test in the declared direction, corrected by Holm over all "
            "that were declared; these tests are confirmatory."
        )
    if others is not None and (others["status"] == "exploratory").any():
        what = "All other comparisons" if said else "No hypothesis was declared; all comparisons"
        said.append(f"{what} are exploratory.")
    return said


def _software(facts: Mapping[str, Any], design: Design) -> list[str]:
    provenance = facts.get("provenance", {})
    versions = dict(
        one.split("==", 1) for one in str(provenance.get("packages", "")).split(", ") if "==" in one
    )
    wrapped = [name for one in design["strategies"] for name in one.get("libraries", ())]
    names = dict.fromkeys([*PACKAGES, *wrapped])
    used = [f"{name} {versions[name]}" for name in names if name in versions]
    python = f"Python {provenance['python']}" if "python" in provenance else ""
    said = []
    if used or python:
        made = listed(plain(one) for one in [*used, python] if one)
        said.append(f"The runs were made with {made}.")
    if facts.get("mixed"):
        said.append("They were not all made alike; the differences are listed with the results.")
    if facts.get("missing"):
        count = counted(len(facts["missing"]), "run")
        said.append(f"{count} of the study {'is' if count.startswith('1 ') else 'are'} missing.")
    said.append(
        "Searches are seeded by their whole identity and the study’s entropy, "
        f"{design['entropy']}; the content hash of all results is {plain(facts['hash'])[:16]}."
    )
    return said

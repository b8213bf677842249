"""Builds the one-page paper from the kept tables of the study: `make paper`.

No result is typed: the text names numbers, as in ``#n("price.cora")``, and they are computed here
from ``price.csv``, ``arms.csv`` and ``benefit.csv``. The build fails, with the name or the line,
where a number is missing or not a number, and where a digit stands in the text itself.

Writes paper.pdf, and for LaTeX figure.pdf, table.tex (booktabs) and numbers.tex (a command each).
"""

from __future__ import annotations

import argparse
import json
import math
import numbers
import re
import runpy
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import typst

from hpo_lab.errors import InputError
from hpo_lab.figure import encoded, publish
from hpo_lab.figures import _words as words
from hpo_lab.report.export import tex_text
from hpo_lab.statistics import holm

HERE = Path(__file__).resolve().parent
TABLES = HERE.parent / "experiments" / "no_attention" / "summary"
UNIVERSE, DECLARED = "universe", "declared"
SPACES = (UNIVERSE, DECLARED)
LEVEL = 0.05  # of the tests against chance, all data sets together
FREE = 1e-9  # prices are differences of values that are compared after rounding to this
CONSTANTS = {  # what is stated and not measured
    "architectures": "26,206",  # Qin et al. 2022; the tests count them in the table itself
    "confidence": "95 %",  # of the intervals that the measures write
    "level": str(LEVEL),
}
TITLES = {
    "cora": "Cora",
    "citeseer": "CiteSeer",
    "pubmed": "PubMed",
    "cs": "CS",
    "physics": "Physics",
    "photo": "Photo",
    "computers": "Computers",
    "arxiv": "arXiv",
}
NEEDED = {
    "price": (
        *("landscape", "unit", "space", "price", "exact", "points", "carriers"),
        *("chance_mean", "chance_p", "budgets", "random_regret", "low", "high"),
    ),
    "arms": (
        *("landscape", "space", "strategy", "budget", "runs", "samples", "statistic"),
        *("total", "total_low", "total_high", "observed_from_space"),
    ),
    "benefit": ("landscape", "space", "strategy", "budget", "net", "low", "high"),
}

TEXT = {"landscape", "space", "strategy", "unit", "statistic", "budgets", "random_regret", "exact"}
COUNTS = {"budget", "runs"}  # what a row cannot do without

Tables = Mapping[str, pd.DataFrame]


# --- from tables to named numbers ----------------------------------------------------------------


@dataclass
class Facts:
    """What the text may name: numbers as text, counts, and lists of names.

    ``missing`` are the numbers that the tables do not have; naming one fails the build.
    """

    numbers: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def number(self, key: str, value: float, shown: Callable[[float], str]) -> None:
        """Name a number; one that is not finite counts as missing."""
        if math.isfinite(value):
            self.numbers[key] = shown(value)
        else:
            self.missing.add(key)

    def group(self, key: str, members: Iterable[str]) -> None:
        """Name a group of things: how many they are, and which."""
        shown = [title(member) for member in members]
        self.counts[key] = len(shown)
        self.names[key] = words.listed(shown, 4)


@dataclass(frozen=True)
class Best:
    """The strategy of lowest mean total regret in a space; nan without runs."""

    strategy: str
    total: float
    low: float
    high: float
    single: bool  # one sample: nothing varies between its runs


@dataclass(frozen=True)
class Line:
    """What the tables say about one landscape, in its unit."""

    landscape: str
    price: float
    seen: float  # the price in the error that strategies are told
    chance: float
    p: float
    carriers: float
    random: Mapping[str, float]  # by space
    best: Mapping[str, Best]


def load(folder: Path) -> Tables:
    """Return the kept tables by name. Raises InputError where one or a column of it is missing."""
    return {name: _read(folder / f"{name}.csv", columns) for name, columns in NEEDED.items()}


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Those columns of a table: text as text, everything else as numbers, nan where it is none."""
    if not path.is_file():
        raise InputError(f"{path} is missing: keep the tables of the study's report there")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise InputError(f"{path} is not a CSV table: {error}") from None
    for column in columns:
        if column not in table:
            raise InputError(f"{path} has no column {column}")
        if column in TEXT:
            continue
        table[column] = pd.to_numeric(table[column], errors="coerce")
        if column in COUNTS and table[column].isna().any():
            raise InputError(f"{path}: a row has no {column}")
    if "exact" in columns:
        table["exact"] = table["exact"] == "True"
    return table[list(columns)]


def title(name: str) -> str:
    """Return a landscape's or strategy's name as the page shows it."""
    return words.shortened(words.plain(TITLES.get(name, name)), 14)


def lines(tables: Tables, budget: int) -> list[Line]:
    """Return one line a landscape, the highest price first."""
    price = tables["price"]
    found = [_line(tables, str(name), budget) for name in price["landscape"].unique()]
    return sorted(found, key=lambda line: -line.price if math.isfinite(line.price) else math.inf)


def _line(tables: Tables, name: str, budget: int) -> Line:
    price = {space: _one(tables["price"], landscape=name, space=space) for space in SPACES}
    here = price[DECLARED]
    arms = tables["arms"]
    own = arms[(arms["landscape"] == name) & (arms["budget"] == budget)]
    seen = own.loc[own["space"] == DECLARED, "observed_from_space"].dropna()
    return Line(
        landscape=name,
        price=_float(here, "price"),
        seen=float(seen.iloc[0]) if len(seen) else math.nan,
        chance=_float(here, "chance_mean"),
        p=_float(here, "chance_p"),
        carriers=_float(here, "carriers"),
        random={space: _at_budget(price[space], budget) for space in SPACES},
        best={space: _best(own[own["space"] == space]) for space in SPACES},
    )


def _one(table: pd.DataFrame, **keys: str) -> Mapping[str, object]:
    """The one row with those keys; empty where there is none."""
    for column, value in keys.items():
        table = table[table[column] == value]
    if len(table) > 1:
        raise InputError(f"the tables hold {' / '.join(keys.values())} more than once")
    return {str(k): v for k, v in table.iloc[0].items()} if len(table) else {}


def _float(row: Mapping[str, object], column: str) -> float:
    value = row.get(column, math.nan)
    return float(value) if isinstance(value, numbers.Real) else math.nan


def _at_budget(row: Mapping[str, object], budget: int) -> float:
    """Random search's expected regret at a budget, out of two lists such as "[50]"."""
    budgets, regrets = (_listed(row.get(c)) for c in ("budgets", "random_regret"))
    return dict(zip(budgets, regrets, strict=False)).get(budget, math.nan)


def _listed(text: object) -> list[float]:
    try:
        return [float(part) for part in str(text).strip("[]").split(",")]
    except ValueError:
        return []


def _best(arms: pd.DataFrame) -> Best:
    known = arms[(arms["statistic"] == "mean") & arms["total"].notna()]
    if known.empty:
        return Best("", math.nan, math.nan, math.nan, False)
    row = known.sort_values("total", kind="stable").iloc[0]
    total, low, high = (float(row[c]) for c in ("total", "total_low", "total_high"))
    return Best(str(row["strategy"]), total, low, high, bool(row["samples"] == 1))


def check_whole(arms: pd.DataFrame, landscapes: Sequence[str]) -> None:
    """Raise InputError where an arm is not there or has fewer runs than others: partial results."""
    runs = arms.groupby(["landscape", "space", "strategy"])["runs"].max().to_dict()
    most = max(runs.values(), default=0)
    for landscape in landscapes:
        for space in SPACES:
            for strategy in arms["strategy"].unique():
                there = runs.get((landscape, space, strategy), 0)
                if there < most:
                    arm = words.plain(f"{landscape} / {space} / {strategy}")
                    raise InputError(f"arms.csv: {arm} has {there} of {most} runs; run the rest")


def facts(tables: Tables) -> tuple[Facts, list[Line]]:
    """Return everything that the text may name, and the lines of the table."""
    arms = tables["arms"]
    if arms.empty or tables["price"].empty:
        raise InputError("the kept tables are empty: run the study and keep its tables")
    budget = int(arms["budget"].max())
    arms = arms[arms["budget"] == budget]
    check_whole(arms, [str(name) for name in tables["price"]["landscape"].unique()])
    table = lines(tables, budget)
    found = Facts(numbers=dict(CONSTANTS))
    found.numbers["budget"] = f"{budget:,}"
    found.group("landscapes", [line.landscape for line in table])
    found.group("strategies", [str(name) for name in arms["strategy"].unique()])
    found.names["unit"] = words.listed(tables["price"]["unit"].unique())
    repetitions = int(arms["runs"].max())
    found.numbers["repetitions"], found.counts["repetitions"] = str(repetitions), repetitions
    _name_lines(found, table)
    _compare(found, table)
    _name_benefit(found, tables["benefit"], budget)
    return found, table


def _name_lines(found: Facts, table: Sequence[Line]) -> None:
    price, regret = places(table)
    for line in table:
        name = line.landscape
        found.number(f"price.{name}", line.price, price)
        found.number(f"seen.{name}", line.seen, price)
        found.number(f"chance.{name}", line.chance, price)
        found.number(f"p.{name}", line.p, words.p_value)
        found.number(f"carriers.{name}", line.carriers, "{:,.0f}".format)
        for space in SPACES:
            found.number(f"random.{space}.{name}", line.random[space], regret)
            best = line.best[space]
            found.number(f"best.{space}.{name}", best.total, regret)
            found.names[f"best.{space}.{name}"] = title(best.strategy)
            if math.isfinite(best.low):
                found.number(f"best.{space}.{name}.low", best.low, regret)
                found.number(f"best.{space}.{name}.high", best.high, regret)


def places(table: Sequence[Line]) -> tuple[Callable[[float], str], Callable[[float], str]]:
    """Return how prices and how regrets are shown: each with the decimals of its largest."""
    prices = words.decimals(value for line in table for value in (line.price, line.chance))
    regrets = words.decimals(line.best[space].total for line in table for space in SPACES)
    return (lambda v: words.number(v, prices)), (lambda v: words.number(v, regrets))


def _compare(found: Facts, table: Sequence[Line]) -> None:
    """Name what is more and what is less over the landscapes; nan is never either."""
    price, _ = places(table)
    costly = [line for line in table if line.price > FREE]
    adjusted = holm([1.0 if math.isnan(line.p) else line.p for line in table])
    beyond = [line for line, p in zip(table, adjusted, strict=True) if p <= LEVEL]
    groups = {
        "costly": costly,
        "free": [line for line in table if line.price <= FREE],
        "beyond": beyond,
        "within": [line for line in table if line not in beyond],
        "dearest": costly[:1],
        "random.better": [x for x in table if x.random[DECLARED] < x.random[UNIVERSE]],
        "best.better": [x for x in table if x.best[DECLARED].total < x.best[UNIVERSE].total],
        "bought": [x for x in costly if x.best[DECLARED].total < x.random[UNIVERSE]],
        "sure": [x for x in costly if x.best[DECLARED].high < x.random[UNIVERSE]],
        "single": [x for x in table if x.best[DECLARED].single],
    }
    for key, members in groups.items():
        found.group(key, [line.landscape for line in members])
    shares = [x.price / x.best[DECLARED].total for x in costly if x.best[DECLARED].total > 0]
    found.number("price.most", table[0].price, price)
    found.number("seen.dearest", table[0].seen, price)
    found.number("carriers.dearest", table[0].carriers, "{:,.0f}".format)
    found.number("p.least", _worst(min, [line.p for line in table]), words.p_value)
    found.number("chance.least", _worst(min, [line.chance for line in table]), price)
    found.number("chance.most", _worst(max, [line.chance for line in table]), price)
    found.number("share.most", _worst(max, shares) if costly else 0.0, words.percent)


def _worst(choice: Callable[[Sequence[float]], float], values: Sequence[float]) -> float:
    """The least or largest; nan where any is nan, or where there is none."""
    return choice(values) if values and not any(map(math.isnan, values)) else math.nan


def _name_benefit(found: Facts, benefit: pd.DataFrame, budget: int) -> None:
    own = benefit[(benefit["budget"] == budget) & (benefit["space"] == DECLARED)]
    known = own[own["low"].notna() & own["high"].notna()]
    counts = {
        "all": len(known),
        "better": int((known["low"] > 0).sum()),
        "worse": int((known["high"] < 0).sum()),
        "open": int(((known["low"] <= 0) & (known["high"] >= 0)).sum()),
        "without": len(own) - len(known),
    }
    for key, count in counts.items():
        found.counts[f"net.{key}"] = count
        found.numbers[f"net.{key}"] = str(count)


# --- the text, checked ---------------------------------------------------------------------------

CALL = re.compile(r'\b(n|w|t|choose|among)\(\s*"([^"\n]*)"(?:,\s*of:\s*"([^"\n]*)")?')
CITED = re.compile(r"@[A-Za-z][\w-]*|<[A-Za-z][\w-]*>")


def check(path: Path, found: Facts) -> None:
    """Raise InputError with every number that is missing, and every line that is wrong.

    A line is wrong where it names what nobody computes or types a digit itself.
    """
    text = path.read_text(encoding="utf-8")
    known: dict[str, Iterable[str]] = {"n": found.numbers, "t": found.names}
    problems = []
    if found.missing:
        names = ", ".join(sorted(map(words.plain, found.missing)))
        problems.append(f"missing or not a number in the tables: {names}")
    for call in CALL.finditer(text):
        line = text.count("\n", 0, call.start()) + 1
        for key in filter(None, call.groups()[1:]):
            if key not in known.get(call[1], found.counts) and key not in found.missing:
                problems.append(f'{path.name}:{line}: there is no number "{key}"')
    prose = CALL.sub(lambda call: "\n" * call[0].count("\n"), text)
    shown = text.split("\n")
    for line, words_left in enumerate(CITED.sub("", prose).split("\n")):
        if any(character.isnumeric() for character in words_left):
            typed = shown[line].strip()
            problems.append(f"{path.name}:{line + 1}: a number is typed by hand: {typed}")
    if problems:
        raise InputError("\n".join(problems))


# --- the page and what LaTeX takes ---------------------------------------------------------------

HEAD = (("", 1), ("Price", 2), ("By chance", 2), ("", 1), ("Random", 2), ("Best strategy", 6))
SUBHEAD = (
    *(("Data set", 1), ("test", 1), ("valid.", 1), ("mean", 1), ("p", 1), ("Carriers", 1)),
    *(("in U", 1), ("in S", 1), ("in U", 3), ("in S", 3)),
)
LINES = ((1, 3), (3, 5), (6, 8), (8, 14))  # the columns under each heading, end excluded
LEFT = tuple(column in (0, 8, 11) for column in range(14))  # text; the rest is numbers
_SMALL = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def in_words(count: int) -> str:
    """Return a count as a sentence has it.

    >>> in_words(0), in_words(8), in_words(30)
    ('none', 'eight', '30')
    """
    if count == 0:
        return "none"
    return _SMALL[count] if count < len(_SMALL) else f"{count:,}"


def cells(found: Facts, name: str) -> list[str]:
    """Return a landscape's row of the table as text."""
    keys = ("price", "seen", "chance", "p", "carriers", "random.universe", "random.declared")
    row = [title(name), *(found.numbers[f"{key}.{name}"] for key in keys)]
    for space in SPACES:
        key = f"best.{space}.{name}"
        low, high = (found.numbers.get(f"{key}.{end}") for end in ("low", "high"))
        interval = f"[{low}, {high}]" if low and high else ""
        row += [found.names[key], found.numbers[key], interval]
    return row


def page(source: Path, found: Facts, rows: Sequence[Sequence[str]], figure: bytes) -> bytes:
    """Return the paper as PDF. Raises InputError where it is longer than one page."""
    data = {
        "numbers": found.numbers,
        "counts": found.counts,
        "words": {key: in_words(count) for key, count in found.counts.items()},
        "names": found.names,
        "head": _headings(HEAD),
        "subhead": _headings(SUBHEAD),
        "lines": LINES,
        "left": LEFT,
        "rows": rows,
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for path in (*source.glob("*.typ"), *source.glob("*.bib")):
            shutil.copy(path, folder)
        (folder / "data.json").write_text(json.dumps(data), encoding="utf-8")
        (folder / "figure.pdf").write_bytes(figure)
        fonts = typst.Fonts(include_system_fonts=False)  # those of the wheel: the same anywhere
        compiler = typst.Compiler(folder / "paper.typ", root=folder, font_paths=fonts)
        try:
            pages = compiler.compile(format="svg")
            pdf = compiler.compile(format="pdf")
        except typst.TypstError as error:
            raise InputError(f"paper.typ: {error.diagnostic or error}") from None
    if isinstance(pages, list) and len(pages) > 1:
        raise InputError(f"paper.typ: the paper has one page and this takes {len(pages)}")
    if not isinstance(pdf, bytes):
        raise TypeError("typst returned no PDF")
    return pdf


def _headings(row: Iterable[tuple[str, int]]) -> list[dict[str, object]]:
    return [{"text": text, "span": span, "left": text == SUBHEAD[0][0]} for text, span in row]


def table_tex(rows: Sequence[Sequence[str]]) -> str:
    """Return the table as LaTeX (booktabs), all text escaped."""
    return "\n".join(
        [
            r"% needs \usepackage{booktabs} and \usepackage[T1]{fontenc}",
            rf"\begin{{tabular}}{{{''.join('l' if left else 'r' for left in LEFT)}}}",
            r"\toprule",
            _tex_headings(HEAD),
            "".join(rf"\cmidrule(lr){{{first + 1}-{end}}}" for first, end in LINES),
            _tex_headings(SUBHEAD),
            r"\midrule",
            *(" & ".join(map(tex_text, row)) + r" \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _tex_headings(row: Iterable[tuple[str, int]]) -> str:
    shown = (
        rf"\multicolumn{{{span}}}{{c}}{{{tex_text(text)}}}" if span > 1 else tex_text(text)
        for text, span in row
    )
    return " & ".join(shown) + r" \\"


def numbers_tex(numbers: Mapping[str, str]) -> str:
    r"""Return a LaTeX command for each number, named with letters alone.

    >>> print(numbers_tex({"price.cora": "0.867"}), end="")
    \newcommand{\hpoPriceCora}{0.867} % price.cora
    """
    return "".join(
        rf"\newcommand{{\{command}}}{{{tex_text(numbers[key])}}} % {words.plain(key)}" + "\n"
        for key, command in _commands(numbers)
    )


def _commands(keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each key with its command's name; a second that looks the same gets an X at its end."""
    taken: set[str] = set()
    for key in keys:
        spelled = re.sub(r"[0-9]", lambda digit: f" {_SMALL[int(digit[0])]} ", key)
        command = "hpo" + "".join(w.capitalize() for w in re.findall("[A-Za-z]+", spelled))
        while command in taken:
            command += "X"
        taken.add(command)
        yield key, command


def draw(source: Path, tables: Tables) -> bytes:
    """Return the figure as PDF, drawn by its own script from the price table."""
    price = tables["price"]
    shown = price.assign(landscape=[title(str(name)) for name in price["landscape"]])
    drawing = runpy.run_path(str(source / "figures" / "price.py"))["draw"]({"price": shown})
    if drawing is None:
        raise InputError("price.csv has no declared space to draw")
    return encoded(drawing, "pdf")


def build(tables: Path = TABLES, out: Path = HERE / "build", source: Path = HERE) -> list[Path]:
    """Write the paper and its parts; return the paths. Nothing is written where one fails."""
    kept = load(tables)
    found, table = facts(kept)
    check(source / "paper.typ", found)
    rows = [cells(found, line.landscape) for line in table]
    figure = draw(source, kept)
    parts = {
        "paper.pdf": page(source, found, rows, figure),
        "figure.pdf": figure,
        "table.tex": table_tex(rows).encode(),
        "numbers.tex": numbers_tex(found.numbers).encode(),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, content in parts.items():
        publish(out / name, content)
    return [out / name for name in parts]


def main() -> int:
    """Build from the command line; a mistake in text or tables is one line each and status 1."""
    parser = argparse.ArgumentParser(description="Build the paper from the kept tables.")
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder of price.csv, …")
    parser.add_argument("--out", type=Path, default=HERE / "build")
    arguments = parser.parse_args()
    try:
        written = build(arguments.tables, arguments.out)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(map(str, written)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

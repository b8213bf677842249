"""The paper: built from tables alone, refused where a number is missing or typed."""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typst

import landscapes
from hpo_lab.errors import InputError
from hpo_lab.landscape import enumeration

PAPER = Path(__file__).parent.parent / "paper"
DATA_SETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv")
PRICES = (0.8667, 0.2, 0.0, 0.2028, 0.0, 0.1458, 0.1242, 0.0)
HOSTILE = (
    '#panic("run")',
    ']#panic("run")[',
    "\\input{/etc/passwd} & 50% #1",
    "$x_1$ ~^ {a}",
    "*bold* _it_ `raw` <label> @qin // comment",
    "\x1b[31m\u202eabc\nsecond line",
    "{{7*7}} \\end{tabular}",
    "NA",
)


def load() -> Any:
    spec = importlib.util.spec_from_file_location("paper_build", PAPER / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


paper = load()


def tables(
    names: Sequence[str] = DATA_SETS,
    prices: Sequence[float] = PRICES,
    strategies: Sequence[str] = ("grid", "random", "evolution"),
) -> dict[str, pd.DataFrame]:
    """Small tables of the kind that the measures write; the first strategy is deterministic."""
    price, arms, benefit = [], [], []
    for place, (name, paid) in enumerate(zip(names, prices, strict=True)):
        for space in ("universe", "declared"):
            own = paid if space == "declared" else 0.0
            price.append(
                {
                    "landscape": name,
                    "unit": "percentage points",
                    "space": space,
                    "price": own,
                    "exact": True,
                    "low": own,
                    "high": own,
                    "points": 59040 if space == "universe" else 36855,
                    "carriers": 8 if own else 0,
                    "chance_mean": 0.19 / (1 + place) if space == "declared" else 0.0,
                    "chance_p": 0.0006 if own > 0.5 else 0.4,
                    "budgets": "[20, 50]",
                    "random_regret": f"[5.5, {3.3 + 2 * own - place / 10}]",
                }
            )
            for rank, strategy in enumerate(strategies):
                total, fixed = own + 2.9 - place / 10 - rank / 20, strategy == strategies[0]
                arm = {"landscape": name, "space": space, "strategy": strategy, "budget": 50}
                arms.append(
                    {
                        **arm,
                        "runs": 30,
                        "samples": 1 if fixed else 30,
                        "statistic": "mean",
                        "total": total,
                        "total_low": np.nan if fixed else total - 0.3,
                        "total_high": np.nan if fixed else total + 0.3,
                        "observed_from_space": own / 3,
                    }
                )
                if space == "declared":
                    low, high = (np.nan, np.nan) if fixed else (-own - 0.1, 0.1 - own)
                    benefit.append({**arm, "net": -own, "low": low, "high": high})
    return {
        "price": pd.DataFrame(price),
        "arms": pd.DataFrame(arms),
        "benefit": pd.DataFrame(benefit),
    }


def kept(folder: Path, **changed: pd.DataFrame) -> Path:
    """Write tables as they are kept beside a study."""
    folder.mkdir(exist_ok=True)
    for name, table in {**tables(), **changed}.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


def page_exists(pdf: Path, number: int) -> bool:
    """Whether a PDF has that page, as its reader says and not its writer."""
    source = pdf.with_suffix(".typ")
    source.write_text(f'#image("{pdf.name}", page: {number})')
    try:
        typst.compile(source, format="svg")
    except typst.TypstError as error:
        if "does not exist" not in f"{error}":
            raise
        return False
    return True


def text_with(folder: Path, line: str) -> tuple[Path, int]:
    """A copy of the paper whose text has one more line; its folder and the line's number."""
    source = shutil.copytree(PAPER, folder, ignore=shutil.ignore_patterns("build"))
    text = (source / "paper.typ").read_text().replace("#sources()", f"{line}\n\n#sources()")
    (source / "paper.typ").write_text(text)
    return source, text.split("\n").index(line) + 1


def commands(path: Path) -> dict[str, str]:
    """Every command of numbers.tex with its text; each line must hold one and nothing else."""
    line = re.compile(r"\\newcommand\{\\(hpo[A-Za-z]+)\}\{(.*)\} % .*")
    found = [line.fullmatch(text) for text in path.read_text().splitlines()]
    pairs = {match[1]: match[2] for match in found if match}
    assert len(found) == len(pairs)
    return pairs


def test_the_paper_is_one_page_and_the_same_every_time(tmp_path: Path) -> None:
    folder = kept(tmp_path / "kept")
    first = paper.build(folder, tmp_path / "first")
    second = paper.build(folder, tmp_path / "second")
    assert [p.name for p in first] == ["paper.pdf", "figure.pdf", "table.tex", "numbers.tex"]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert page_exists(first[0], 1)
    assert not page_exists(first[0], 2)


def test_latex_gets_the_same_numbers_as_the_tables(tmp_path: Path) -> None:
    paper.build(kept(tmp_path / "kept"), tmp_path / "out")
    numbers = commands(tmp_path / "out" / "numbers.tex")
    assert numbers["hpoPriceCora"] == "0.867"
    assert numbers["hpoPricePubmed"] == "0"
    assert numbers["hpoSeenCora"] == "0.289"
    assert numbers["hpoPCora"] == "0.0006"
    assert numbers["hpoCarriersCora"] == "8"
    assert numbers["hpoRandomUniverseCora"] == "3.30"
    assert numbers["hpoBestDeclaredCora"] == "3.67"
    assert numbers["hpoBestDeclaredCoraLow"] == "3.37"
    assert numbers["hpoBudget"] == "50"
    rows = (tmp_path / "out" / "table.tex").read_text().splitlines()
    cora = next(row for row in rows if row.startswith("Cora"))
    assert cora.startswith(r"Cora & 0.867 & 0.289 & 0.190 & 0.0006 & 8 & 3.30 & 5.03 & evolution &")
    assert {row.count("&") for row in rows if row.endswith(r"\\")} == {5, 9, 13}
    assert [row.split(" ")[0] for row in rows[7:9]] == ["Cora", "CS"]  # dearest first


@pytest.mark.parametrize(
    ("prices", "costly", "beyond"),
    [((0.0, 0.0), 0, 0), ((0.0, 0.3), 1, 0), ((0.9, 0.3), 2, 1), ((0.9, 0.8), 2, 2)],
)
def test_words_follow_the_numbers(
    tmp_path: Path, prices: tuple[float, ...], costly: int, beyond: int
) -> None:
    folder = kept(tmp_path / "kept", **tables(("cora", "cs"), prices))
    found, _ = paper.facts(paper.load(folder))
    assert (found.counts["costly"], found.counts["beyond"]) == (costly, beyond)
    paper.build(folder, tmp_path / "out")


def test_few_repetitions_have_no_intervals_and_still_make_a_page(tmp_path: Path) -> None:
    few = tables()
    few["arms"][["total_low", "total_high"]] = np.nan
    few["benefit"][["low", "high"]] = np.nan
    paper.build(kept(tmp_path / "kept", **few), tmp_path / "out")
    assert page_exists(tmp_path / "out" / "paper.pdf", 1)


def test_one_data_set_and_one_strategy_still_make_a_page(tmp_path: Path) -> None:
    paper.build(kept(tmp_path / "k", **tables(("cora",), (0.9,), ("grid",))), tmp_path / "out")
    assert page_exists(tmp_path / "out" / "paper.pdf", 1)


@pytest.mark.parametrize(
    ("table", "column", "name"),
    [
        ("price", "price", "price.cora"),
        ("price", "chance_mean", "chance.cora"),
        ("price", "random_regret", "random.declared.cora"),
        ("arms", "observed_from_space", "seen.cora"),
        ("arms", "total", "best.declared.cora"),
    ],
)
def test_a_missing_number_is_named(tmp_path: Path, table: str, column: str, name: str) -> None:
    changed = tables()[table]
    gone = (changed["landscape"] == "cora") & (changed["space"] == "declared")
    changed[column] = changed[column].mask(gone)
    with pytest.raises(InputError, match=rf"\b{re.escape(name)}\b"):
        paper.build(kept(tmp_path / "kept", **{table: changed}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_runs_tables_and_columns_are_named(tmp_path: Path) -> None:
    arms, benefit = tables()["arms"], tables()["benefit"]
    folder = kept(tmp_path / "kept", arms=arms.drop(index=1))
    with pytest.raises(InputError, match="cora / universe / random has 0 of 30 runs"):
        paper.build(folder, tmp_path / "out")
    kept(folder, benefit=benefit.drop(columns="low"))
    with pytest.raises(InputError, match=r"benefit\.csv has no column low"):
        paper.build(folder, tmp_path / "out")
    (folder / "arms.csv").write_text("")
    with pytest.raises(InputError, match=r"arms\.csv is not a CSV table"):
        paper.build(folder, tmp_path / "out")
    (folder / "price.csv").unlink()
    with pytest.raises(InputError, match=r"price\.csv is missing"):
        paper.build(folder, tmp_path / "out")


@pytest.mark.parametrize("name", ["price.coral", "best.universe.cora.lower"])
def test_a_number_that_nobody_computes_fails_the_build(tmp_path: Path, name: str) -> None:
    source, line = text_with(tmp_path / "text", f'On Cora #n("{name}") points.')
    with pytest.raises(InputError, match=rf'paper\.typ:{line}: there is no number "{name}"'):
        paper.build(kept(tmp_path / "kept"), tmp_path / "out", source)


@pytest.mark.parametrize(
    "typed",
    [
        "On Cora it costs 0.867 points.",
        "On Cora it costs #text(red)[8] points.",
        'On Cora #("0.867") points.',
        "In $2^T$ cases.",
        "½ a point.",
        'On #n("price.cora") points, 3 runs.',
    ],
)
def test_a_typed_number_fails_the_build_with_its_line(tmp_path: Path, typed: str) -> None:
    source, line = text_with(tmp_path / "text", typed)
    with pytest.raises(InputError) as caught:
        paper.build(kept(tmp_path / "kept"), tmp_path / "out", source)
    assert str(caught.value) == f"paper.typ:{line}: a number is typed by hand: {typed}"


def test_a_text_of_two_pages_fails_the_build(tmp_path: Path) -> None:
    source, _ = text_with(tmp_path / "text", "Many words. " * 400)
    with pytest.raises(InputError, match="the paper has one page and this takes 2"):
        paper.build(kept(tmp_path / "kept"), tmp_path / "out", source)


def test_hostile_names_stay_inert(tmp_path: Path) -> None:
    hostile = tables(HOSTILE, PRICES, HOSTILE[:3])
    hostile["price"]["unit"] = HOSTILE[0]
    out = tmp_path / "out"
    paper.build(kept(tmp_path / "kept", **hostile), out)
    assert page_exists(out / "paper.pdf", 1)
    assert not page_exists(out / "paper.pdf", 2)
    commands(out / "numbers.tex")
    table = (out / "table.tex").read_text()
    assert table.count("\n") == 9 + len(HOSTILE)  # no name breaks a line
    assert table.count(r"\end{tabular}") == 1
    assert r"\input{" not in table
    assert not re.search(r"(?<!\\)[$#%]", table.split("\n", 1)[1])


def test_a_mistake_is_one_line_and_status_one(tmp_path: Path) -> None:
    command = [sys.executable, str(PAPER / "build.py"), "--tables", str(tmp_path), "--out"]
    done = subprocess.run([*command, str(tmp_path / "out")], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{tmp_path / 'price.csv'} is missing: keep the tables of the study's report there"
    ]


def test_the_stated_number_of_architectures_is_the_table_s() -> None:
    table = enumeration(landscapes.make("nas_graph", dataset="cora"))
    assert table is not None
    distinct = len(np.unique(table.same[~np.isnan(table.truth)]))
    assert paper.CONSTANTS["architectures"] == f"{distinct:,}"

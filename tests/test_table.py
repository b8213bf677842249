"""Anybody's own table: read against pandas's group-by, and whatever can be wrong with a file."""

from __future__ import annotations

import itertools
import json
import math
import pickle  # noqa: S403  landscapes travel to workers so
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import landscapes
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Optimum, enumeration, identity
from hpo_lab.region import Among, Box, Interval
from hpo_lab.space import Choice, Integer
from hpo_lab.study import Study
from hpo_lab.testing.landscape import check_landscape
from landscapes.table import Table

LEARNERS = """learner,lr,depth,booster,seed,valid,test
net,0.001,,,1,0.30,0.33
net,0.001,,,2,0.32,0.31
net,0.01,,,1,0.25,0.29
net,0.1,,,1,,
net,0.1,,,2,inf,nan
trees,,1,gbtree,1,0.4,0.41
trees,,2,gbtree,1,0.2,0.28
trees,,2,gbtree,2,0.22,0.24
trees,,3,dart,1,0.21,0.27
trees,0.5,,,,,
"""


def write(folder: Path, text: str, name: str = "table.csv") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


@pytest.fixture
def learners(tmp_path: Path) -> str:
    return write(tmp_path, LEARNERS.replace("trees,0.5,,,,,\n", ""))


def sweep(folder: Path, seed: int = 0, holes: float = 0.2, name: str = "sweep.csv") -> pd.DataFrame:
    """A shuffled sweep of four parameters with one to four replicates, written as CSV."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    grid = itertools.product((1e-4, 1e-3, 1e-2), (1, 2, 3, 4), ("adam", "sgd"), (True, False))
    for lr, depth, optimizer, nesterov in grid:
        if rng.random() < holes:
            continue
        for replicate in range(int(rng.integers(1, 5))):
            point = {"lr": lr, "depth": depth, "optimizer": optimizer, "nesterov": nesterov}
            loss = math.log10(lr) + depth % 3 + rng.normal(0, 0.3)
            rows.append({**point, "seed": replicate, "valid": loss, "test": loss + rng.normal()})
    table = pd.DataFrame(rows).sample(frac=1.0, random_state=seed)
    table.to_csv(folder / name, index=False)
    return table


POINT = ["lr", "depth", "optimizer", "nesterov"]


# ---- what is read


def test_a_sweep_is_its_group_by(tmp_path: Path) -> None:
    table = sweep(tmp_path)
    f = landscapes.make(
        "table", path=str(tmp_path / "sweep.csv"), value="test", observe="valid", parameters=POINT
    )
    assert f.universe.families[0].axes == (
        Choice("lr", (1e-4, 1e-3, 1e-2), ordered=True),
        Integer("depth", 1, 4),
        Choice("optimizer", ("adam", "sgd")),
        Choice("nesterov", (False, True)),
    )
    means = table.groupby(POINT)["test"].mean()
    told = table.groupby(POINT)["valid"].apply(list)
    points = f.universe.enumerate()
    truth, seen = f.evaluate(points), [f.observe(points, r) for r in range(60)]
    for i, record in enumerate(points.records()):
        key = tuple(record[name] for name in POINT)
        if key not in means.index:
            assert math.isnan(truth[i]) and all(math.isnan(s[i]) for s in seen)  # noqa: PT018
            continue
        # a mean by another order of summation
        assert truth[i] == pytest.approx(means[key], rel=1e-14)
        # each of at most 4 replicates is missed by 60 draws with chance (3/4)^60 = 3e-8
        assert {s[i] for s in seen} == set(told[key])
    best = f.optimum()
    assert isinstance(best, Optimum)
    assert best.value == pytest.approx(means.min(), rel=1e-14)
    assert tuple(best.point.records()[0][name] for name in POINT) == means.idxmin()


def test_the_optimum_of_a_region_is_that_of_the_selected_rows(tmp_path: Path) -> None:
    table = sweep(tmp_path)
    f = Table(str(tmp_path / "sweep.csv"), "test", ignore=("seed", "valid"))
    sets = (("depth", Interval(2, 3)), ("lr", Among((0.0, 2.0))), ("optimizer", Among((1.0,))))
    best = f.lowest((Box("", sets),))
    kept = table[
        table.depth.between(2, 3) & table.lr.isin([1e-4, 1e-2]) & (table.optimizer == "sgd")
    ]
    assert isinstance(best, Optimum)
    assert best.value == pytest.approx(kept.groupby(POINT)["test"].mean().min(), rel=1e-14)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "semicolon", "tab"])
def test_the_same_table_in_another_format_is_the_same_landscape(
    tmp_path: Path, suffix: str
) -> None:
    table = sweep(tmp_path)
    if suffix == "parquet":  # with pandas's index, which is no parameter, and words as categories
        table.astype({"optimizer": "category"}).to_parquet(tmp_path / "other")
    elif suffix == "csv":  # with an index too
        table.to_csv(tmp_path / "other")
    else:
        table.to_csv(tmp_path / "other", sep={"semicolon": ";", "tab": "\t"}[suffix], index=False)
    given: dict[str, Any] = {"value": "test", "observe": "valid", "ignore": ["seed"]}
    f = landscapes.make("table", path=str(tmp_path / "sweep.csv"), **given)
    g = landscapes.make("table", path=str(tmp_path / "other"), **given)
    points = f.universe.enumerate()
    assert f.universe == g.universe
    assert np.array_equal(f.evaluate(points), g.evaluate(points), equal_nan=True)
    assert np.array_equal(f.observe(points, 3), g.observe(points, 3), equal_nan=True)


def test_families_have_the_parameters_that_are_filled_in(learners: str) -> None:
    f = Table(learners, "test", observed_column="valid", family="learner", ignore=("seed",))
    net, trees = f.universe.families
    assert (net.name, trees.name) == ("net", "trees")
    assert net.axes == (Choice("lr", (0.001, 0.01, 0.1), ordered=True),)
    assert trees.axes == (Integer("depth", 1, 3), Choice("booster", ("dart", "gbtree")))
    assert f({"family": "net", "lr": 0.001}) == pytest.approx(0.32)
    assert f({"family": "trees", "depth": 2, "booster": "gbtree"}) == pytest.approx(0.26)
    assert math.isnan(f({"family": "net", "lr": 0.1}))  # empty, nan and infinite: failed trials
    assert math.isnan(f({"family": "trees", "depth": 2, "booster": "dart"}))  # a hole
    best = f.lowest((Box("net"),))
    assert isinstance(best, Optimum)
    assert best.value == pytest.approx(0.29)
    empty = f.lowest((Box("net", (("lr", Among((2.0,))),)),))
    assert empty == Bounds(math.inf, math.inf, "no point of the region has a value")


def test_maximised_values_are_negated(learners: str) -> None:
    given: dict[str, Any] = {"family": "learner", "ignore": ("seed", "valid")}
    f, g = Table(learners, "test", **given), Table(learners, "test", maximize=True, **given)
    points = f.universe.enumerate()
    assert np.array_equal(f.evaluate(points), -g.evaluate(points), equal_nan=True)
    assert isinstance(g.optimum(), Optimum)
    assert g.optimum().value == -0.41  # type: ignore[union-attr]


def test_without_noise_the_mean_is_told(tmp_path: Path) -> None:
    sweep(tmp_path)
    given: dict[str, Any] = {"value": "test", "observed_column": "valid", "ignore": ("seed",)}
    noisy = Table(str(tmp_path / "sweep.csv"), **given)
    f = Table(str(tmp_path / "sweep.csv"), noise=False, **given)
    assert noisy.stochastic and not f.stochastic  # noqa: PT018
    table = enumeration(f)
    assert table is not None
    alive = ~np.isnan(table.truth)
    mean = np.nanmean(noisy.table.told[alive], axis=1)
    assert np.allclose(table.observed[alive], mean, rtol=1e-14)
    assert np.isnan(table.observed[~alive]).all()


def test_a_table_without_replicates_has_no_noise(tmp_path: Path) -> None:
    f = Table(write(tmp_path, "a,b,y\n1,x,1\n2,x,2\n1,z,3\n1,z,3\n"), "y")
    assert not f.stochastic
    check_landscape(f)


def test_what_a_person_says_about_columns_holds(tmp_path: Path) -> None:
    text = "size,code,k,w,y\n" + "\n".join(
        f"{size},{code},{k},{w},{i}"
        for i, (size, code, k, w) in enumerate(
            itertools.product(("small", "large", "medium"), (7, 9), (1, 2, 3, 4), ("3", "None"))
        )
    )
    path = write(tmp_path, text)
    plain = Table(path, "y").universe.families[0]
    assert plain.axes == (
        Choice("size", ("large", "medium", "small")),
        Choice("code", (7, 9), ordered=True),
        Integer("k", 1, 4),
        Choice("w", ("3", "None")),
    )
    f = landscapes.make(
        "table",
        path=path,
        value="y",
        categorical=["code", "k"],
        order={"size": ["small", "medium", "large"], "w": ["None", 3]},
    )
    assert f.universe.families[0].axes == (
        Choice("size", ("small", "medium", "large"), ordered=True),
        Choice("code", (7, 9)),
        Choice("k", (1, 2, 3, 4)),
        Choice("w", ("None", "3"), ordered=True),
    )
    point = {"size": "medium", "code": 9, "k": 3, "w": "None"}
    assert f(point) == Table(path, "y")(point) == 16 * 2 + 8 + 4 + 1
    logged = Table(path, "y", log=("k",))
    assert logged.universe.families[0].axes[2] == Integer("k", 1, 4, log=True)
    check_landscape(f)
    check_landscape(logged)


@pytest.mark.parametrize("seed", range(3))
def test_the_contract(tmp_path: Path, learners: str, seed: int) -> None:
    sweep(tmp_path, seed)
    path = str(tmp_path / "sweep.csv")
    check_landscape(Table(path, "test", ignore=("seed", "valid")), seed=seed)
    check_landscape(
        Table(path, "test", tuple(POINT), observed_column="valid", maximize=True),
        seed=seed,
    )
    given: dict[str, Any] = {"family": "learner", "ignore": ("seed",)}
    check_landscape(Table(learners, "test", observed_column="valid", **given), seed=seed)


# ---- identity


def test_moving_a_file_keeps_the_landscape_and_changing_it_does_not(
    tmp_path: Path, learners: str
) -> None:
    given: dict[str, Any] = {"value": "test", "family": "learner", "ignore": ("seed", "valid")}
    here = Table(learners, **given)
    moved = Table(write(tmp_path, Path(learners).read_text(), "moved.csv"), **given)
    assert identity(here) == identity(moved)
    assert here == moved
    assert hash(here) == hash(moved)
    assert str(tmp_path) not in json.dumps(identity(here))
    text = Path(learners).read_text().replace("0.29", "0.23")
    write(tmp_path, text)  # the same path, another content
    changed = Table(learners, **given)
    assert identity(changed) != identity(here)
    assert changed != here
    assert (changed.optimum().value, here.optimum().value) == (0.23, 0.26)  # type: ignore[union-attr]


def test_a_file_that_changes_behind_a_landscape_is_noticed(tmp_path: Path, learners: str) -> None:
    sent = pickle.dumps(Table(learners, "test", family="learner", ignore=("seed", "valid")))
    text = Path(learners).read_text()
    write(tmp_path, text + "net,1.0,,,1,0.1,0.1\n")
    from landscapes.table import _read

    _read.cache_clear()  # as in another process
    with pytest.raises(InputError, match="has changed since"):
        pickle.loads(sent).optimum()  # noqa: S301
    write(tmp_path, text)
    assert pickle.loads(sent).optimum().value == 0.26  # noqa: S301


STUDY = """schema = 1
[[landscapes]]
use = "table"
path = "{path}"
value = "test"
family = "learner"
ignore = ["seed", "valid"]
[[strategies]]
use = "random"
"""


def test_a_path_is_relative_to_the_study_file(
    tmp_path: Path, learners: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    study = tmp_path / "studies" / "study.toml"
    study.write_text(STUDY.format(path="../table.csv"))
    first = Study.read(study)
    study.write_text(STUDY.format(path=Path(learners).as_posix()))
    again = Study.read("../studies/study.toml")
    assert first.runs.keys() == again.runs.keys()
    write(tmp_path, Path(learners).read_text().replace("0.29", "0.23"))
    assert not first.runs.keys() & Study.read(study).runs.keys()
    study.write_text(STUDY.format(path="table.csv"))
    with pytest.raises(InputError, match=r"cannot read .*studies.table\.csv"):
        Study.read(study)


def test_a_list_of_paths_makes_a_landscape_each(tmp_path: Path, learners: str) -> None:
    write(tmp_path, Path(learners).read_text().replace("0.29", "0.23"), "b.csv")
    study = tmp_path / "study.toml"
    study.write_text(STUDY.replace('"{path}"', '["table.csv", "b.csv"]'))
    assert [part.label for part in Study.read(study).landscapes] == ["table.csv", "b.csv"]


# ---- files and arguments that do not fit


CSV = "a,b,y\n1,x,0.5\n2,x,0.4\n"


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("", {}, "is no CSV or Parquet table"),
        ("a,b,y\n", {}, "has no rows"),
        ("a,b,y\n1,x\n", {}, "is no CSV or Parquet table"),
        ("a,a,y\n1,x,2\n", {}, 'has two columns "a"'),
        ("y\n1\n", {}, "no column left"),
        (CSV, {"value": "yy"}, 'has no column "yy" .*did you mean "y"'),
        (CSV, {"observe": "yyy"}, 'no column "yyy"'),
        (CSV, {"family": "c"}, 'no column "c"'),
        (CSV, {"parameters": ["a", "bb"]}, 'did you mean "b"'),
        (CSV, {"ignore": ["q"]}, 'no column "q"'),
        (CSV, {"ignore": ["a", "b"]}, "no column left"),
        (CSV, {"parameters": ["a", "y"]}, '"y" is named twice'),
        (CSV, {"parameters": ["a", "a"]}, '"a" is named twice'),
        (CSV, {"family": "b", "parameters": ["a", "b"]}, '"b" is named twice'),
        (CSV, {"value": "b"}, 'does not hold numbers, such as "x"'),
        (CSV, {"observe": "b", "parameters": ["a"]}, "observe: the column"),
        (CSV, {"log": ["a"]}, "table's own spacing"),
        (CSV, {"log": ["c"]}, 'log: there is no parameter "c"'),
        (CSV, {"categorical": ["c"]}, 'categorical: there is no parameter "c"'),
        (CSV, {"order": {"c": ["x"]}}, 'order: there is no parameter "c"'),
        (CSV, {"order": {"a": [1, 2]}}, "holds numbers"),
        (CSV, {"order": {"b": ["x", "z"]}}, 'order: "b" has no value "z"'),
        (CSV, {"order": {"b": []}}, 'give the value "x" of "b" once'),
        (CSV, {"order": {"b": ["x", "x"]}}, 'give the value "x" of "b" once'),
        (CSV, {"valu": "y"}, 'no argument "valu" .*did you mean "value"'),
        (CSV, {"maximize": "yes"}, "maximize: "),
        ("a,b,y\n0,x,1\n1,x,2\n2,x,2\n", {"log": ["a"]}, "not positive"),
        ("a,b,y\n1,x,0.5\n,x,0.4\n", {}, 'the parameter "a" is empty in row 2; fill it in'),
        ("a,b,y\n1,x,0.5\n,x,0.4\n", {"family": "b"}, 'row 2 of the family "x", but not in all'),
        ("a,b,y\n1,,0.5\n2,x,0.4\n", {"family": "b"}, 'the family "b" is empty in row 1'),
        ("a,b,y\ninf,x,0.5\n2,x,0.4\n", {}, '"a" is infinite'),
        ("a,b,y\n1,x,failed\n2,x,0.4\n", {}, "does not hold numbers, such as"),
        ("a,b,y\n1,x,\n2,x,nan\n", {}, "no row has a value"),
        ("a,b,y\n1,x,inf\n2,x,-inf\n", {}, "no row has a value"),
        ("family,b,y\n1,x,1\n2,x,2\n", {}, "cannot be the name of an axis"),
        ("a,b,y\n9007199254740995,x,1\n2,x,2\n", {}, "whole numbers beyond"),
        ("a,b,y\n1,x\xff,1\n", {}, "is no CSV or Parquet table"),
        ("a,b,y\n1,\x1b[2J,1\n", {}, 'a value of the column "b" has control characters'),
        ("a,\x07,y\n1,x,1\n", {}, "the name of a column has control characters"),
        (f"a,b,y\n1,{'x' * 201},1\n", {}, 'a value of the column "b" has more than 200'),
        (f"a,{'b' * 201},y\n1,x,1\n", {}, "the name of a column has more than 200"),
        ("PAR1 but no more", {}, "is no CSV or Parquet table"),
        ("\x00\x01\x02", {}, "table"),
    ],
)
def test_what_does_not_fit_gets_one_sentence(
    tmp_path: Path, text: str, arguments: dict[str, Any], said: str
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make("table", **{"path": str(path), "value": "y", **arguments})
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600


def test_a_product_of_holes_names_the_column_to_leave_out(tmp_path: Path) -> None:
    rows = [f"{i},{i * i + 0.5},{i % 7},{i}" for i in range(3000)]
    path = write(tmp_path, "\n".join(["a,seconds,c,y", *rows]))
    with pytest.raises(InputError, match=r'more than 5,000,000; .*"a" has 3,000 values') as raised:
        Table(path, "y")
    assert "add it to ignore" in str(raised.value)
    assert Table(path, "y", ("a", "c")).universe.size == 21_000


def test_too_many_replicates_are_refused_before_memory_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from landscapes import _sweep

    monkeypatch.setattr(_sweep, "MOST_CELLS", 100)
    path = write(tmp_path, "a,y\n" + "1,2\n" * 80 + "2,2\n")
    with pytest.raises(InputError, match="2 points with up to 80 replicates"):
        Table(path, "y")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError, match="cannot read"):
            Table(str(path), "y")


def test_columns_that_hold_neither_numbers_nor_words(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [[1], [2]], "b": [b"x", b"y"], "y": [1.0, 2.0]})
    table.to_parquet(tmp_path / "t.parquet")
    for name in ("a", "b"):
        with pytest.raises(InputError, match=f'"{name}" holds neither numbers nor words'):
            Table(str(tmp_path / "t.parquet"), "y", (name,))
    dates = pd.DataFrame({"day": pd.to_datetime(["2026-01-02", "2026-01-01"]), "y": [1.0, 2.0]})
    dates.to_parquet(tmp_path / "d.parquet")
    f = Table(str(tmp_path / "d.parquet"), "y")
    assert f.universe.families[0].axes[0].size == 2


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_short_floats_are_what_was_meant(
    tmp_path: Path, kind: Literal["float32", "float16"]
) -> None:
    table = pd.DataFrame({"lr": [0.001, 0.1, np.nan], "y": [0.3, 0.25, 1.0]}).astype(kind)
    table[:2].to_parquet(tmp_path / "t.parquet")
    f = Table(str(tmp_path / "t.parquet"), "y")
    (axis,) = f.universe.families[0].axes
    assert isinstance(axis, Choice)
    assert axis.options == pytest.approx((0.001, 0.1), rel=1e-3 if kind == "float16" else 0)


def test_a_parquet_file_that_claims_too_much_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from landscapes import _columns

    monkeypatch.setattr(_columns, "MOST_ROWS", 10)
    pd.DataFrame({"a": np.arange(11), "y": 0.0}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match="11 rows, more than 10"):
        Table(str(tmp_path / "t.parquet"), "y")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_files_get_one_sentence_or_are_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Cut and flipped bytes: an InputError of one line, or a landscape; nothing else."""
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    if not (folder / "sweep.csv").exists():
        sweep(folder).to_parquet(folder / "sweep.parquet", index=False)
    name = data.draw(st.sampled_from(["sweep.csv", "sweep.parquet"]))
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(content)) | st.just(len(content)))
    path = folder / "damaged"
    path.write_bytes(content[:cut])
    try:
        f = Table(str(path), "test", ignore=("seed", "valid"))
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert f.universe.size <= 5_000_000

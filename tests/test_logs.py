"""Logs and spaces from files: what others wrote is read right, and damage is one sentence."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpo_lab import Choice, Family, InputError, Integer, Real, Space
from hpo_lab.configspace import stepped
from hpo_lab.logs import from_columns, from_frame, is_sqlite, read_csv, space_file
from hpo_lab.optuna_log import distribution, read_optuna

FIXTURES = Path(__file__).parent / "fixtures"
OPTUNA = sorted(FIXTURES.glob("optuna-*.db"))
ONE = FIXTURES / "optuna-4.5.0.db"
LR = Real("lr", 1e-5, 1e-1, log=True)
MIXED = Space.box(LR, Integer("k", 1, 9), Choice("op", ("gat", "gcn")))


def rows_of(path: Path, study: str) -> pd.DataFrame:
    """A study's finished trials by another way: one join, turned to a table by pandas."""
    query = (
        "SELECT t.number, t.state, p.param_name AS name, p.param_value AS value "
        "FROM trials t JOIN studies s ON s.study_id = t.study_id AND s.study_name = ? "
        "LEFT JOIN trial_params p ON p.trial_id = t.trial_id WHERE t.state != 'WAITING'"
    )
    with sqlite3.connect(path) as file:
        found = pd.read_sql(query, file, params=(study,))
    file.close()
    return found.pivot(index=["number", "state"], columns="name", values="value").reset_index()


# --- Optuna ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", OPTUNA, ids=lambda path: path.stem)
def test_every_version_of_optuna_says_the_same(path: Path) -> None:
    log = read_optuna(path, study="first")
    families = {f.name: [a.name for a in f.axes] for f in log.space.families}
    assert families == {
        "svm": ["lr", "q", "C"],
        "forest": ["lr", "q", "trees"],
        "net/sgd": ["lr", "q", "layers", "momentum"],
        "net/adam": ["lr", "q", "layers"],
        "net/None": ["lr", "q", "layers"],
    }
    assert log.space.weights == pytest.approx([1 / 3, 1 / 3, 1 / 9, 1 / 9, 1 / 9])
    steps = (0.0, 0.25, 0.5, 0.75, 1.0)
    assert log.space.families[0].axes == (
        LR,
        Choice("q", steps, ordered=True),
        Real("C", 1e-3, 1e3, log=True),
    )
    assert log.complete
    assert not log.maximize
    assert log.notes == ("trials that run or wait, not counted: 1",)


@pytest.mark.parametrize("path", OPTUNA, ids=lambda path: path.stem)
def test_points_are_what_the_file_holds(path: Path) -> None:
    log = read_optuna(path, study="first")
    table = rows_of(path, "first")
    assert len(log.points) == len(table) == 40
    model = np.array(["svm", "forest", "net"])[table["model"].to_numpy(dtype=int)]
    family = [log.space.families[i].name.partition("/")[0] for i in log.points.family]
    assert family == model.tolist()
    columns = log.space.columns
    lr = log.points.values[:, columns.index("lr")]
    assert np.array_equal(lr, table["lr"].to_numpy())
    q = log.points.values[:, columns.index("q")]
    assert np.allclose(q * 0.25, table["q"].to_numpy())
    for name in ("C", "trees", "layers", "momentum"):
        mine = log.points.values[:, columns.index(name)]
        assert np.array_equal(mine, table[name].to_numpy(), equal_nan=True)


@pytest.mark.parametrize("path", OPTUNA, ids=lambda path: path.stem)
def test_failed_and_pruned_trials_are_visits_without_a_value(path: Path) -> None:
    log = read_optuna(path, study="first")
    states = Counter(rows_of(path, "first")["state"])
    assert np.isnan(log.values).sum() == states["FAIL"] + states["PRUNED"] == 7
    assert np.isfinite(log.values).sum() == states["COMPLETE"]
    lr, svm = log.points.values[:, 0], log.points.family == 0
    value = (lr - 1e-2) ** 2 + svm  # what make_optuna.py minimises
    done = np.isfinite(log.values)
    assert log.values[done] == pytest.approx(value[done], rel=1e-12)


def test_direction_and_several_objectives() -> None:
    maximised = read_optuna(ONE, study="second")
    assert maximised.maximize
    assert maximised.values.max() == pytest.approx(np.prod(maximised.points.values, axis=1).max())
    two = read_optuna(ONE, study="two")
    assert np.isnan(two.values).all()
    assert "2 objectives" in two.notes[0]


def test_several_studies_are_named() -> None:
    with pytest.raises(InputError, match=r"there are 3 studies in it; .*: first, second, two"):
        read_optuna(ONE)
    with pytest.raises(InputError, match=r'"secnd" .did you mean "second"'):
        read_optuna(ONE, study="secnd")


def test_a_space_from_elsewhere_takes_the_place_of_the_distributions() -> None:
    flat = space_file(FIXTURES / "configspace-1.2.0.json")
    narrow = flat._replace(space=Space.box(LR), settings=())
    log = read_optuna(ONE, study="first", flat=narrow)
    assert len(log.points) == 40
    assert any("columns that were not used" in note for note in log.notes)


KINDS = [
    ('{"name": "UniformDistribution", "attributes": {"low": 0, "high": 2}}', Real("a", 0, 2)),
    (
        '{"name": "LogUniformDistribution", "attributes": {"low": 1, "high": 2}}',
        Real("a", 1, 2, log=True),
    ),
    (
        '{"name": "DiscreteUniformDistribution", "attributes": {"low": 0, "high": 1, "q": 0.5}}',
        Choice("a", (0.0, 0.5, 1.0), ordered=True),
    ),
    (
        '{"name": "IntUniformDistribution", "attributes": {"low": 1, "high": 9, "step": 4}}',
        Choice("a", (1, 5, 9), ordered=True),
    ),
    (
        '{"name": "IntLogUniformDistribution", "attributes": {"low": 1, "high": 9, "step": 1}}',
        Integer("a", 1, 9, log=True),
    ),
    (
        '{"name": "CategoricalDistribution", "attributes": {"choices": ["x", null, true, 1, [2]]}}',
        Choice("a", ("x", "None", True, 1, "[2]")),
    ),
]


@pytest.mark.parametrize(("text", "axis"), KINDS, ids=lambda given: str(given)[10:35])
def test_distributions(text: str, axis: Real | Integer | Choice) -> None:
    assert distribution("a", text) == axis


def test_a_long_range_of_steps_stays_a_range() -> None:
    assert stepped(Integer("trees", 10, 500), 10) == Integer("trees", 10, 500)
    with pytest.raises(InputError, match="must be above 0"):
        stepped(Real("x", 0, 1), -0.5)


def made(path: Path, trials: list[dict[str, tuple[float, str]]], number: int = 0) -> Path:
    """An Optuna file with one study of these trials: value and distribution of each parameter."""
    with sqlite3.connect(path) as file:
        for table in ("studies", "study_directions", "trials", "trial_params", "trial_values"):
            with sqlite3.connect(ONE) as other:
                (sql,) = other.execute(
                    "SELECT sql FROM sqlite_master WHERE name = ?", (table,)
                ).fetchone()
            other.close()
            file.execute(sql)
        file.execute("INSERT INTO studies VALUES (1, 's')")
        file.execute("INSERT INTO study_directions VALUES (1, 'MINIMIZE', 1, 0)")
        for row, trial in enumerate(trials, 1):
            state = (row, number + row - 1, 1, "COMPLETE", None, None)
            file.execute("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?)", state)
            file.execute("INSERT INTO trial_values VALUES (?, ?, 0, ?, 'FINITE')", (row, row, row))
            for name, (value, text) in trial.items():
                file.execute(
                    "INSERT INTO trial_params VALUES (NULL, ?, ?, ?, ?)", (row, name, value, text)
                )
    file.close()
    return path


def uniform(low: float, high: float) -> str:
    attributes = {"low": low, "high": high, "log": False, "step": None}
    return json.dumps({"name": "FloatDistribution", "attributes": attributes})


def test_a_range_that_changed_is_the_union(tmp_path: Path) -> None:
    trials = [{"x": (0.5, uniform(0, 1))}, {"x": (1.5, uniform(1, 2))}]
    log = read_optuna(made(tmp_path / "a.db", trials))
    assert log.space == Space.box(Real("x", 0, 2))
    assert log.points.values.tolist() == [[0.5], [1.5]]


def test_parameters_may_be_called_family_and_value(tmp_path: Path) -> None:
    kinds = json.dumps({"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}})
    trials = [
        {"family": (0, kinds), "value": (0.5, uniform(0, 1))},
        {"family": (1, kinds), "y": (0.2, uniform(0, 1)), "value": (0.1, uniform(0, 1))},
    ]
    path = made(tmp_path / "a.db", trials)
    log = read_optuna(path)
    assert log.points.records() == [
        {"family": "a", "value_": 0.5},
        {"family": "b", "y": 0.2, "value_": 0.1},
    ]
    assert log.values.tolist() == [1.0, 2.0]
    given = Space((Family("a"), Family("b", (Real("y", 0, 1),))))
    flat = space_file_of(tmp_path, given)
    assert read_optuna(path, flat=flat).points.records() == [
        {"family": "a"},
        {"family": "b", "y": 0.2},
    ]
    with pytest.raises(InputError, match="rename it"):
        from_frame(pd.DataFrame({"value": [0.5]}), Space.box(Real("value", 0, 1)))


def test_a_condition_on_a_number_asks_for_the_space(tmp_path: Path) -> None:
    trials = [{"x": (0.5, uniform(0, 1)), "y": (0.5, uniform(0, 1))}, {"x": (0.2, uniform(0, 1))}]
    with pytest.raises(InputError, match=r"'y' is there in some trials .* --space"):
        read_optuna(made(tmp_path / "a.db", trials))


def test_trials_that_are_missing_in_the_numbers_make_it_incomplete(tmp_path: Path) -> None:
    path = made(tmp_path / "a.db", [{"x": (0.5, uniform(0, 1))}], number=3)
    assert not read_optuna(path).complete


# --- files that are not what they should be ----------------------------------------------------


def is_inert(path: Path, read: Callable[[], object]) -> str:
    """Read a file that may be damaged: it stays as it is, and what is wrong is one sentence."""
    before = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns
    beside = sorted(path.parent.iterdir())
    said = ""
    try:
        read()
    except InputError as error:
        said = str(error)
        assert "\n" not in said
        assert len(said) < 600
    assert (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) == before
    assert sorted(path.parent.iterdir()) == beside
    return said


def test_a_sound_file_is_not_touched(tmp_path: Path) -> None:
    path = Path(shutil.copy(ONE, tmp_path))
    assert is_inert(path, lambda: read_optuna(path, study="first")) == ""


def test_a_truncated_file_is_one_sentence(tmp_path: Path) -> None:
    path, whole = tmp_path / "a.db", ONE.read_bytes()
    for size in [0, 1, 16, 99, 100, 1023, *range(1024, len(whole), 4096), len(whole) - 1]:
        path.write_bytes(whole[:size])
        assert is_inert(path, lambda: read_optuna(path, study="first")), size


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bits_are_one_sentence_or_a_log(tmp_path: Path, seed: int) -> None:
    """SQLite has no checksums: a flipped bit in a value is a value. It is never a traceback."""
    rng = np.random.default_rng(seed)
    path, whole = tmp_path / "a.db", ONE.read_bytes()
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), size=rng.integers(1, 20)):
            damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        is_inert(path, lambda: read_optuna(path, study="first"))


def test_flipped_bits_in_texts_are_one_sentence_or_a_log(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    path, whole = tmp_path / "a.db", ONE.read_bytes()
    texts = [i for i in range(len(whole)) if whole.startswith(b"Distribution", i)]
    for _ in range(120):
        damaged = bytearray(whole)
        place = int(rng.choice(texts)) + int(rng.integers(-20, 90))
        damaged[min(place, len(whole) - 1)] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        is_inert(path, lambda: read_optuna(path, study="first"))


def foreign(path: Path, *statements: str) -> Path:
    with sqlite3.connect(path) as file:
        for statement in statements:
            file.execute(statement)
    file.close()
    return path


ENDLESS = (
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) "
    "SELECT i AS study_id, i AS study_name FROM c"
)
FOREIGN = {
    "empty": ("CREATE TABLE other (a)",),
    "a view for a table": (
        f"CREATE VIEW studies AS {ENDLESS}",
        "CREATE TABLE study_directions (a)",
        "CREATE TABLE trials (a)",
        "CREATE TABLE trial_params (a)",
        "CREATE TABLE trial_values (a)",
    ),
    "other columns": tuple(
        f"CREATE TABLE {name} (a)"
        for name in ("studies", "study_directions", "trials", "trial_params", "trial_values")
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_sqlite_file_is_one_sentence(tmp_path: Path, name: str) -> None:
    path = foreign(tmp_path / "a.db", *FOREIGN[name])
    start = time.monotonic()
    assert "Optuna" in is_inert(path, lambda: read_optuna(path))
    assert time.monotonic() - start < 10


def test_what_the_schema_computes_is_not_run(tmp_path: Path) -> None:
    """A generated column may hold any expression; functions are not allowed to run in it."""
    path = Path(shutil.copy(ONE, tmp_path / "a.db"))
    with sqlite3.connect(path) as file:
        file.execute("DROP TABLE studies")
        file.execute(
            "CREATE TABLE studies (study_id INTEGER, study_name AS (hex(zeroblob(100000000))))"
        )
        file.execute("INSERT INTO studies (study_id) VALUES (1)")
    file.close()
    assert is_inert(path, lambda: read_optuna(path))


DAMAGED = {
    "no JSON": "not JSON",
    "deep JSON": "[" * 100_000,
    "a huge number": '{"name": "FloatDistribution", "attributes": {"low": 0, "high": 1e999}}',
    "thousands of digits": '{"name": "IntDistribution", "attributes": {"low": 0, "high": 1'
    + "0" * 6000
    + "}}",
    "another kind": '{"name": "__import__", "attributes": {}}',
    "no attributes": '{"name": "FloatDistribution"}',
    "a list": "[1, 2]",
    "no options": '{"name": "CategoricalDistribution", "attributes": {"choices": []}}',
    "huge": '{"name": "CategoricalDistribution", "attributes": {"choices": ["'
    + "x" * 3_000_000
    + '"]}}',
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_distribution_is_one_sentence(tmp_path: Path, name: str) -> None:
    path = made(tmp_path / "a.db", [{"x": (0.5, DAMAGED[name])}])
    assert is_inert(path, lambda: read_optuna(path))


def test_a_file_with_changes_beside_it_is_refused(tmp_path: Path) -> None:
    path = Path(shutil.copy(ONE, tmp_path / "a.db"))
    (tmp_path / "a.db-wal").write_bytes(b"x")
    assert "a.db-wal" in is_inert(path, lambda: read_optuna(path, study="first"))


def test_no_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such log"):
        is_sqlite(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        space_file(tmp_path / "none.toml")


# --- CSV ---------------------------------------------------------------------------------------


def csv(folder: Path, text: str | bytes) -> Path:
    path = folder / "log.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_csv_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    text = "lr,k,op,value\n0.001,3,gat,1.5\n1e-5,9.0, gcn ,\n0.1,1,gat,inf\n"
    log = read_csv(csv(tmp_path, text), space_file_of(tmp_path, MIXED))
    assert log.points.values.tolist() == [[0.001, 3, 0], [1e-5, 9, 1], [0.1, 1, 0]]
    assert log.values.tolist()[0] == 1.5
    assert np.isnan(log.values[1:]).all()
    assert not log.complete


def space_file_of(folder: Path, space: Space):  # type: ignore[no-untyped-def]
    path = folder / "space.json"
    path.write_text(json.dumps(space.to_dict()))
    return space_file(path)


def test_a_number_that_was_rounded_lies_on_its_bound() -> None:
    """1e-5 is written as 9.9999999999e-06 by some; 1 % outside is outside."""
    frame = pd.DataFrame({"lr": [1e-5 * (1 - 1e-11), 0.99e-5, 0.1 * (1 + 1e-11)], "value": 0.0})
    log = from_frame(frame, Space.box(LR))
    assert log.points.values.ravel().tolist() == [1e-5, 0.1]
    assert list(log.outside.values()) == [1]


def test_options_are_found_by_value_or_by_text() -> None:
    space = Space.box(Choice("c", (True, 1, 0.5, "1e3", "x")))
    column = np.array([True, 1, 0.5, "1e3", "x", "true", "0.50", "none", None], dtype=object)
    log = from_columns({"c": column, "value": np.zeros(9)}, space)
    assert log.points.values.ravel().tolist() == [0, 1, 2, 3, 4, 0, 2]
    assert sum(log.outside.values()) == 2


def test_what_cannot_vary_and_what_was_never_tried_need_no_column() -> None:
    space = Space((Family("a", (LR, Choice("c", ("only",)))), Family("b", (Integer("k", 1, 9),))))
    frame = pd.DataFrame({"family": ["a"], "lr": [1e-3], "value": 1})
    assert from_frame(frame, space).points.records() == [{"family": "a", "lr": 1e-3, "c": "only"}]
    with pytest.raises(InputError, match='no column "lr"'):
        from_frame(frame.drop(columns="lr"), space)


def test_trials_outside_are_counted_with_a_reason() -> None:
    frame = pd.DataFrame(
        {"lr": [1e-3, 5.0, np.nan], "k": 1, "op": ["gat", "gat", "mlp"], "value": 1}
    )
    log = from_frame(frame, MIXED)
    assert len(log.points) == 1
    assert dict(log.outside) == {"lr = '5.0', as in trial 2": 2}
    with pytest.raises(InputError, match="none of the 2 trials lies in the space: lr"):
        from_frame(frame[1:], MIXED)


def test_families_come_from_a_column_or_from_what_they_depend_on() -> None:
    space = Space((Family("svm", (LR,)), Family("net", (LR, Integer("k", 1, 9)))))
    columns = {"lr": np.full(3, 1e-3), "k": np.array([np.nan, 2, 3]), "value": np.zeros(3)}
    names = np.array(["svm", "net", "tree"], dtype=object)
    by_name = from_columns({**columns, "family": names}, space)
    by_setting = from_columns(
        {**columns, "model": names}, space, settings=({"model": "svm"}, {"model": "net"})
    )
    for log in (by_name, by_setting):
        assert log.points.records() == [
            {"family": "svm", "lr": 1e-3},
            {"family": "net", "lr": 1e-3, "k": 2},
        ]
        assert list(log.outside) == ["a family that the space does not have, as in trial 3"]
    with pytest.raises(InputError, match='no column "family", and the space has 2 families'):
        from_columns(columns, space)


BAD_CSV = {
    "empty": b"",
    "only names": b"lr,k,op,value\n",
    "binary": bytes(range(256)) * 20,
    "not UTF-8": "lr,k,op,value\n1,1,gät,1\n".encode("latin-1"),
    "ragged": b"lr,k,op,value\n0.1,1,gat,1\n0.1,1,gat,1,2,3\n",
    "twice": b"lr,lr,k,op,value\n0.1,0.1,1,gat,1\n",
    "no value": b"lr,k,op\n0.1,1,gat\n",
    "no axis": b"lr,op,value\n0.1,gat,1\n",
    "an open quote": b'lr,k,op,value\n0.1,1,"gat,1\n' + b"x" * 200_000,
    "zeros": b"\0" * 5000,
    "a pickle": b"\x80\x04cos\nsystem\n(S'touch run'\ntR.",
    "text": b"<script>alert(1)</script>",
}


@pytest.mark.parametrize("name", BAD_CSV)
def test_a_bad_csv_file_is_one_sentence(tmp_path: Path, name: str) -> None:
    flat = space_file_of(tmp_path, MIXED)
    path = csv(tmp_path, BAD_CSV[name])
    assert "log.csv" in is_inert(path, lambda: read_csv(path, flat))


def test_random_bytes_are_one_sentence_or_a_log(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    flat = space_file_of(tmp_path, MIXED)
    path = tmp_path / "log.csv"
    sound = b"lr,k,op,value\n" + b"0.001,3,gat,1.5\n" * 20
    for _ in range(150):
        damaged = bytearray(sound)
        for place in rng.integers(0, len(sound), size=rng.integers(1, 9)):
            damaged[place] = rng.integers(256)
        csv(tmp_path, bytes(damaged[: rng.integers(1, len(sound))]))
        is_inert(path, lambda: read_csv(path, flat))


# --- spaces ------------------------------------------------------------------------------------


def test_a_space_is_a_study_a_table_or_a_dictionary(tmp_path: Path) -> None:
    table = '[families.""]\nlr = { real = [1e-5, 0.1], log = true }\n'
    (tmp_path / "table.toml").write_text(table)
    study = tmp_path / "study.toml"
    study.write_text('schema = 1\nname = "s"\n' + table.replace("families", "universe.families"))
    space = Space.box(LR)
    assert space_file(tmp_path / "table.toml").space == space
    assert space_file(tmp_path).space == space  # a folder with a study
    assert space_file_of(tmp_path, space).space == space


def test_configspace_as_it_is_written_today() -> None:
    flat = space_file(FIXTURES / "configspace-1.2.0.json")
    families = {f.name: [a.name for a in f.axes] for f in flat.space.families}
    shared = ["k", "lr", "size"]
    assert families == {
        "svm": [*shared, "C"],
        "forest": [*shared, "layers"],
        "net/sgd": [*shared, "layers", "momentum"],
        "net/adam": [*shared, "layers"],
    }
    assert flat.settings[2] == {"model": "net", "opt": "sgd"}
    assert flat.space.weights == pytest.approx([1 / 3, 1 / 3, 1 / 6, 1 / 6])
    assert flat.space.families[0].axis("size") == Choice("size", ("s", "m", "l"), ordered=True)


BAD_SPACES = {
    "a.toml": "this is not = = TOML",
    "b.toml": 'schema = 1\nname = "no universe"\n',
    "c.toml": "universe = 3\n",
    "d.toml": "families = 3\n",
    "e.toml": "[families]\na = 3\n",
    "f.toml": '[families.""]\nx = { real = [1, 0] }\n',
    "g.toml": "shared = [1, 2]\n",
    "h.json": "[" * 50_000,
    "i.json": "{",
    "j.json": '{"hyperparameters": 3}',
    "k.json": '{"hyperparameters": [{"type": "normal_float", "name": "x"}], "conditions": []}',
    "l.json": '{"hyperparameters": [], "conditions": [], "forbiddens": [{"type": "EQUALS"}]}',
    "m.json": '{"families": {"a": {"axes": [{"name": 1}]}}}',
    "n.toml": '[families."<script>"]\n',
    "o.json": '{"shared": {"x": {"real": [0, 1' + "0" * 400 + "]}}}",
}


@pytest.mark.parametrize("name", BAD_SPACES)
def test_a_bad_space_is_one_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(BAD_SPACES[name])
    if name == "n.toml":
        assert space_file(path).space.families[0].name == "<script>"
    else:
        assert str(path) in is_inert(path, lambda: space_file(path))

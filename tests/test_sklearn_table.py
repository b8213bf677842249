"""The table of six learners and its live twin: against scikit-learn, pandas and plain loops."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import landscapes
from hpo_lab.assumption import assume
from hpo_lab.assumptions.only import Only
from hpo_lab.errors import InputError
from hpo_lab.landscape import UNKNOWN, Optimum
from hpo_lab.space import FAMILY, Choice, Integer, Real, Record
from hpo_lab.testing.landscape import check_landscape
from landscapes import _learners, sklearn_live
from landscapes import _make_sklearn_table as script
from landscapes._learners import DATASETS, cross_validate, lattice, ranges
from landscapes.sklearn_live import SklearnLive
from landscapes.sklearn_table import TABLE, SklearnTable, provenance

CHEAP: dict[str, Record] = {  # one configuration of each learner, milliseconds on wine
    "knn": {"n_neighbors": 4, "weights": "distance", "metric": "manhattan", "scale": "minmax"},
    "svm": {"C": 10.0, "gamma": 0.1, "scale": "standard"},
    "logistic": {"C": 0.1, "l1_ratio": 0.25, "scale": "standard"},
    "forest": {
        "n_estimators": 8,
        "max_features": 0.25,
        "min_samples_leaf": 2,
        "bootstrap": True,
    },
    "boosting": {"learning_rate": 0.3, "max_iter": 8, "max_leaf_nodes": 4},
    "mlp": {
        "learning_rate_init": 0.01,
        "width": 16,
        "depth": 2,
        "activation": "tanh",
        "solver": "adam",
    },
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.read_parquet(TABLE)


def _rows(frame: pd.DataFrame, dataset: str, record: Record) -> pd.DataFrame:
    kept = frame[frame["dataset"] == dataset]
    for name, value in record.items():
        kept = kept[kept[name] == value]
    return kept


# ---- the file


def test_the_table_is_the_whole_lattice_in_order(frame: pd.DataFrame) -> None:
    repeats, records = provenance()["repeats"], lattice().enumerate().records()
    assert repeats >= 5
    assert len(frame) == len(DATASETS) * len(records) * repeats
    assert frame["repeat"].tolist() == list(range(repeats)) * (len(DATASETS) * len(records))
    for k, record in enumerate(records):
        for j in range(len(DATASETS)):
            row = frame.iloc[(j * len(records) + k) * repeats]
            assert row["dataset"] == DATASETS[j]
            assert all(row[name] == value for name, value in record.items())
            assert row[list(set(lattice().columns) - set(record))].isna().all()


def test_the_table_is_small_and_says_where_it_comes_from() -> None:
    assert TABLE.stat().st_size < 1_000_000
    about = provenance()
    assert set(about["versions"]) == {"python", "numpy", "scipy", "scikit-learn"}
    assert {"made", "cpu", "machine", "seconds", "learners_sha256", "repeats"} <= set(about)


def test_each_family_is_a_full_product_of_about_a_hundred() -> None:
    sizes = {family.name: family.size for family in lattice().families}
    assert sizes == {
        "knn": 108,
        "svm": 105,
        "logistic": 105,
        "forest": 96,
        "boosting": 100,
        "mlp": 96,
    }
    for dense, coarse in zip(ranges().families, lattice().families, strict=True):
        for axis, rungs in zip(dense.axes, coarse.axes, strict=True):
            assert isinstance(rungs, Choice)
            if isinstance(axis, Real | Integer):
                assert rungs.ordered
                assert (axis.low, axis.high) == (rungs.options[0], rungs.options[-1])
            else:
                assert axis == rungs


# ---- values


@pytest.mark.parametrize("dataset", DATASETS)
def test_no_fold_touches_the_test_part(dataset: str) -> None:
    data = _learners._data(dataset)
    assert len(data.test) == pytest.approx(len(data.classes) / 3, abs=1)
    for repeat in range(5):
        folds = _learners._folds(dataset, repeat)
        for train, valid in folds:
            parts = np.sort(np.concatenate([train, valid, data.test]))
            assert np.array_equal(parts, np.arange(len(data.classes)))
        assert np.array_equal(np.sort(folds[0][0]), np.sort(folds[1][1]))


def test_values_are_those_of_scikit_learn_s_own_cross_validation(frame: pd.DataFrame) -> None:
    """cross_val_score on the same splits, for two learners that draw no random numbers."""
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler
    from sklearn.svm import SVC

    knn = KNeighborsClassifier(4, weights="distance", p=1)
    models = {
        "knn": make_pipeline(MinMaxScaler(), knn),
        "svm": make_pipeline(StandardScaler(), SVC(C=10.0, gamma=0.1)),
    }
    for (family, model), dataset in itertools.product(models.items(), ("breast_cancer", "wine")):
        data = _learners._data(dataset)
        x, y = data.features[data.development], data.classes[data.development]
        rows = _rows(frame, dataset, {FAMILY: family, **CHEAP[family]})
        for repeat in range(3):
            key = _learners.seed(dataset, "repeat", repeat)
            folds = StratifiedKFold(2, shuffle=True, random_state=key)
            expected = 100 * (1 - cross_val_score(model, x, y, cv=folds).mean())
            assert rows["valid"].iloc[repeat] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize(("observe", "truth"), [("valid", "test"), ("test", "valid")])
def test_truth_is_the_mean_and_a_strategy_is_told_one_repeat(
    frame: pd.DataFrame, dataset: str, observe: str, truth: str
) -> None:
    f = landscapes.make("sklearn_table", dataset=dataset, observe=observe, truth=truth)
    own, repeats = frame[frame["dataset"] == dataset], provenance()["repeats"]
    points = f.universe.enumerate()
    expected = own[truth].to_numpy().reshape(-1, repeats).mean(axis=1)
    assert np.allclose(f.evaluate(points), expected, rtol=0, atol=1e-9)
    each = own[observe].to_numpy().reshape(-1, repeats)
    for repetition in range(3):
        told = f.observe(points, repetition)
        assert (told[:, None] == each).any(axis=1).all()
    quiet = landscapes.make(
        "sklearn_table", dataset=dataset, observe=observe, truth=truth, noise=False
    )
    assert np.allclose(quiet.observe(points), each.mean(axis=1), rtol=0, atol=1e-9)
    assert f.stochastic
    assert not quiet.stochastic


def test_every_repeat_is_told_equally_often() -> None:
    """Binomial counts: 4.5 standard deviations hold for 10 cells in 99.99 of 100 cases."""
    f = SklearnTable("digits")
    point = f.universe.points([{FAMILY: "mlp", **CHEAP["mlp"], "width": 64}])
    draws = 20_000
    many = point[np.zeros(draws, dtype=int)]
    told = f.observe(many, 0, np.arange(draws))
    row = f.table.told[int(np.flatnonzero(f.universe.enumerate().keys() == point.keys())[0])]
    for value in np.unique(row):
        share = (row == value).mean()
        sd = np.sqrt(draws * share * (1 - share))
        assert abs(np.count_nonzero(told == value) - draws * share) < 4.5 * sd


def test_the_file_is_a_table_that_anybody_could_have_brought(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "wine.parquet"
    frame[frame["dataset"] == "wine"].to_parquet(path)
    rest = ("dataset", "repeat", "unconverged", "seconds")
    theirs = landscapes.make(
        "table", path=str(path), value="test", observe="valid", family=FAMILY, ignore=rest
    )
    ours, records = SklearnTable("wine"), lattice().enumerate().records()
    assert theirs.universe.size == ours.universe.size
    assert np.allclose(theirs(records), ours(records), rtol=0, atol=1e-9)
    best, same = theirs.optimum(), ours.optimum()
    assert isinstance(best, Optimum)
    assert isinstance(same, Optimum)
    assert best.value == pytest.approx(same.value, abs=1e-9)


# ---- truth


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_best_of_each_learner(frame: pd.DataFrame, dataset: str) -> None:
    f = SklearnTable(dataset)
    own = frame[frame["dataset"] == dataset]
    columns = [FAMILY, *lattice().columns]
    means = own.groupby(columns, dropna=False)["test"].mean().reset_index()
    lowest = means.groupby(FAMILY)["test"].min()
    for family in lowest.index:
        found = f.optimum(assume(f.universe, [Only(family=family)]))
        assert isinstance(found, Optimum)
        assert found.value == pytest.approx(lowest[family], abs=1e-9)
    whole = f.optimum()
    assert isinstance(whole, Optimum)
    assert whole.value == pytest.approx(lowest.min(), abs=1e-9)


def test_basins_of_boosting_by_descending_from_every_configuration() -> None:
    """The stated neighbourhood and tie rule, in plain loops over one family."""
    f = SklearnTable("breast_cancer")
    points = f.universe.enumerate()
    index = f.universe.index("boosting")
    own = np.flatnonzero(points.family == index)
    columns = [column for column, _ in f.universe.places(index)]
    place = {tuple(points.values[i, columns]): i for i in own.tolist()}
    key = {i: (round(float(f.evaluate(points[i])[0]), 9), i) for i in own.tolist()}

    def end(i: int) -> int:
        at = points.values[i, columns]
        steps = (at + by * np.eye(len(columns))[k] for k in range(3) for by in (-1, 1))
        best = min([i, *(place[tuple(s)] for s in steps if tuple(s) in place)], key=key.__getitem__)
        return i if best == i else end(best)

    minima = f.minima()
    label = minima.labels(points)
    ends = [end(i) for i in own.tolist()]
    assert np.array_equal(minima.points.values[label[own]], points.values[ends], equal_nan=True)
    assert len(set(ends)) > 1
    assert minima.masses is not None
    assert minima.masses.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("truth", ["valid", "test"])
def test_the_contract_with_other_arguments(dataset: str, truth: str) -> None:
    check_landscape(landscapes.make("sklearn_table", dataset=dataset, truth=truth))


# ---- live


@pytest.mark.parametrize("family", sorted(CHEAP))
def test_a_live_value_is_the_table_s(frame: pd.DataFrame, family: str) -> None:
    """Exact where it was made the same way; on other processors a prediction or two may turn."""
    versions, now = provenance()["versions"], script.provenance()
    if now["versions"] != versions:
        pytest.skip(f"the table was made with {versions}")
    slack = 1e-9 if now["cpu"] == provenance()["cpu"] else 100 * 2 / 60
    record = {FAMILY: family, **CHEAP[family]}
    rows = _rows(frame, "wine", record)
    told = SklearnLive("wine", repeats=1)
    live = told.universe.points([record])
    assert told.observe(live)[0] == pytest.approx(rows["valid"].iloc[0], abs=slack)
    assert told(record) == pytest.approx(rows["test"].iloc[0], abs=slack)
    assert SklearnLive("wine", repeats=3, observed_column="test").evaluate(live)[
        0
    ] == pytest.approx(rows["test"].iloc[:3].mean(), abs=slack)


@pytest.mark.parametrize("arguments", [{}, {"repeats": 3, "observe": "test", "truth": "valid"}])
def test_the_live_landscape_keeps_the_contract(arguments: dict[str, Any]) -> None:
    f = landscapes.make("sklearn_live", dataset="wine", **arguments)
    check_landscape(f, samples=6, views=1)
    assert f.optimum() == UNKNOWN
    assert f.minima() is None
    assert f.stochastic == (arguments != {})


def test_a_fit_that_fails_has_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    class Diverges:
        def fit(self, *_: Any) -> None:
            raise ValueError("non-finite weights")

    monkeypatch.setitem(_learners._MAKERS, "svm", lambda given, seed: Diverges())
    sklearn_live._fitted.cache_clear()
    f = SklearnLive("wine", repeats=2)
    points = f.universe.points([{FAMILY: "svm", **CHEAP["svm"]}])
    assert np.isnan(f.evaluate(points)).all()
    assert np.isnan(f.observe(points)).all()
    sklearn_live._fitted.cache_clear()


def test_a_fit_that_stops_at_its_limit_is_counted() -> None:
    record = {FAMILY: "logistic", "C": 1000.0, "l1_ratio": 0.0, "scale": "none"}
    assert cross_validate("breast_cancer", record, 0).unconverged == 2
    assert cross_validate("wine", {FAMILY: "knn", **CHEAP["knn"]}, 0).unconverged == 0


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("sklearn_table", {"dataset": "digit"}, 'did you mean "digits"'),
        ("sklearn_table", {"observe": "vaild"}, 'observe: .*did you mean "valid"'),
        ("sklearn_table", {"truth": "tset"}, 'truth: .*did you mean "test"'),
        ("sklearn_live", {"dataset": "breast"}, 'did you mean "breast_cancer"'),
        ("sklearn_live", {"repeats": 0}, "repeats must be at least 1"),
        ("sklearn_live", {"truth": "train"}, "truth: the table has no column"),
    ],
)
def test_a_bad_argument_gets_one_sentence(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make(name, **arguments)
    assert "\n" not in str(raised.value)


# ---- the script


def _cut_short(path: Path, tasks: list[script.Task], **changed: Any) -> None:
    """What the script leaves when it is killed: complete lines and the start of another."""
    lines: list[Any] = [{**script.provenance(), **changed}]
    lines += [[*task, 10.0 + task[0], task[2] / 10, 0, 0.25] for task in tasks]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '[0, "wi')


def test_run_again_is_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "DATASETS", ("wine",))
    monkeypatch.setattr(script, "REPEATS", 3)
    every = list(script.tasks())
    assert len(every) == 3 * lattice().size
    missing = (1, "wine", 5)
    _cut_short(tmp_path / "fits.jsonl", [t for t in every if t != missing and t[0] < 2])
    monkeypatch.setattr(script, "REPEATS", 2)
    asked = []

    def fitted(dataset: str, record: Record, repeat: int) -> Any:
        asked.append((repeat, dataset, record))
        return cross_validate(dataset, record, repeat)

    monkeypatch.setattr(script, "cross_validate", fitted)
    script.fit(tmp_path / "fits.jsonl")
    assert asked == [(1, "wine", lattice().enumerate().records()[5])]
    script.fit(tmp_path / "fits.jsonl")
    assert len(asked) == 1


def test_only_complete_repeats_are_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "DATASETS", ("wine",))
    monkeypatch.setattr(script, "REPEATS", 4)
    fits, table = tmp_path / "fits.jsonl", tmp_path / "table.parquet"
    _cut_short(fits, [t for t in script.tasks() if t[0] < 2 or t[2] < 100])
    script.pack(fits, table)
    made = pd.read_parquet(table)
    assert made["repeat"].tolist() == [0, 1] * 610
    assert made["valid"].tolist() == [10.0, 11.0] * 610
    assert made["test"].tolist() == [place / 10 for place in range(610) for _ in range(2)]
    _cut_short(fits, [t for t in script.tasks() if t[2] < 100])
    with pytest.raises(InputError, match="no complete repeat"):
        script.pack(fits, table)


def test_results_of_other_learners_are_not_mixed_in(tmp_path: Path) -> None:
    _cut_short(tmp_path / "fits.jsonl", [], learners_sha256="another")
    with pytest.raises(SystemExit, match="other learners") as raised:
        script.main([str(tmp_path)])
    assert "\n" not in str(raised.value)

"""Six learners on three data sets: the universe that is tuned, and one repeat of cross-validation.

    error(x, r) = 100 · wrong / predictions, in percentage points,

over the two folds of repeat r of R × 2 cross-validation (Dietterich 1998, "Approximate statistical
tests for comparing supervised classification learning algorithms", Neural Computation 10). A third
of each data set is set aside before and is touched by no fold: a fold's model is scored on the
other fold (validation error) and on this part (test error). So both errors are of a model that
was fitted to a third of the data. All configurations of a data set meet the same splits.

Data: scikit-learn's copies of digits (Alpaydin & Kaynak 1998), breast_cancer (Street, Wolberg &
Mangasarian 1993) and wine (Forina et al. 1991).
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpo_lab.space import FAMILY, Axis, Choice, Family, Floats, Integer, Real, Record, Space

DATASETS = ("digits", "breast_cancer", "wine")
REPEATS = 10
FOLDS = 2
HELD_OUT = 1 / 3


@dataclass(frozen=True, slots=True)
class _Ladder:
    """A number's levels on the lattice; the range between the outer ones is its live axis."""

    name: str
    levels: tuple[float, ...]  # integers where all are
    log: bool = True

    def rungs(self) -> Axis:
        return Choice(self.name, self.levels, ordered=True)

    def range(self) -> Axis:
        low, high = self.levels[0], self.levels[-1]
        if isinstance(low, int) and isinstance(high, int):
            return Integer(self.name, low, high, self.log)
        return Real(self.name, float(low), float(high), self.log)


_SCALE = Choice("scale", ("none", "standard", "minmax"))
_C = _Ladder("C", (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0))

# names and meanings are scikit-learn's, except scale (what is done to each feature before),
# width and depth (of the hidden layers)
_LEARNERS: dict[str, tuple[_Ladder | Choice, ...]] = {
    "knn": (
        _Ladder("n_neighbors", (1, 2, 4, 8, 16, 32)),
        Choice("weights", ("uniform", "distance")),
        Choice("metric", ("manhattan", "euclidean", "chebyshev")),
        _SCALE,
    ),
    "svm": (_C, _Ladder("gamma", (0.0001, 0.001, 0.01, 0.1, 1.0)), _SCALE),
    "logistic": (_C, _Ladder("l1_ratio", (0.0, 0.25, 0.5, 0.75, 1.0), log=False), _SCALE),
    "forest": (
        _Ladder("n_estimators", (8, 32, 128)),
        _Ladder("max_features", (0.125, 0.25, 0.5, 1.0)),
        _Ladder("min_samples_leaf", (1, 2, 4, 8)),
        Choice("bootstrap", (False, True)),
    ),
    "boosting": (
        _Ladder("learning_rate", (0.01, 0.03, 0.1, 0.3, 1.0)),
        _Ladder("max_iter", (8, 16, 32, 64)),
        _Ladder("max_leaf_nodes", (2, 4, 8, 16, 32)),
    ),
    "mlp": (
        _Ladder("learning_rate_init", (0.0001, 0.001, 0.01, 0.1)),
        _Ladder("width", (16, 64, 256)),
        _Ladder("depth", (1, 2), log=False),
        Choice("activation", ("relu", "tanh")),
        Choice("solver", ("adam", "sgd")),
    ),
}


@cache
def lattice() -> Space:
    """Return the 610 configurations of the table: one family a learner, each a full product."""
    return _space({name: tuple(map(_rungs, axes)) for name, axes in _LEARNERS.items()})


@cache
def ranges() -> Space:
    """Return the learners with every number on the whole range between its outer levels."""
    return _space({name: tuple(map(_range, axes)) for name, axes in _LEARNERS.items()})


def _rungs(axis: _Ladder | Choice) -> Axis:
    return axis if isinstance(axis, Choice) else axis.rungs()


def _range(axis: _Ladder | Choice) -> Axis:
    return axis if isinstance(axis, Choice) else axis.range()


def _space(learners: dict[str, tuple[Axis, ...]]) -> Space:
    return Space(tuple(Family(name, axes) for name, axes in learners.items()))


class Outcome(NamedTuple):
    """One repeat of cross-validation: errors in percentage points, nan where a fit failed."""

    valid: float
    test: float
    unconverged: int  # fits, of the two, that stopped at their limit of iterations
    seconds: float


def cross_validate(dataset: str, record: Record, repeat: int) -> Outcome:
    """Return what one configuration comes to in one repeat; the same for ever on one machine.

    ``record`` names the family and its values. A fit that raises ValueError has no error: that is
    what scikit-learn's learners do where numbers stop being finite.
    """
    from threadpoolctl import threadpool_limits

    start = time.perf_counter()
    with threadpool_limits(1):
        fits = [_fit(dataset, record, repeat, fold) for fold in range(FOLDS)]
    wrong = np.array([fit[:2] for fit in fits])
    valid, test = 100.0 * wrong.mean(axis=0)
    return Outcome(
        float(valid), float(test), sum(fit[2] for fit in fits), time.perf_counter() - start
    )


def _fit(dataset: str, record: Record, repeat: int, fold: int) -> tuple[float, float, bool]:
    """The shares that are wrong on the other fold and the test part; whether the fit stopped."""
    from sklearn.exceptions import ConvergenceWarning

    data = _data(dataset)
    train, valid = _folds(dataset, repeat)[fold]
    model = _pipeline(record, seed(dataset, record, repeat, fold))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            model.fit(data.features[train], data.classes[train])
            guess_valid, guess_test = (
                model.predict(data.features[rows]) for rows in (valid, data.test)
            )
        except ValueError:
            return np.nan, np.nan, False
    stopped = any(issubclass(warning.category, ConvergenceWarning) for warning in said)
    return (
        float(np.mean(guess_valid != data.classes[valid])),
        float(np.mean(guess_test != data.classes[data.test])),
        stopped,
    )


def seed(*key: Any) -> int:
    """Return a seed in [0, 2^32) that depends on what is fitted to what, never on order."""
    text = json.dumps(key, sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


class _Data(NamedTuple):
    features: Floats
    classes: NDArray[np.int64]
    development: NDArray[np.int64]
    test: NDArray[np.int64]


@cache
def _data(dataset: str) -> _Data:
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    features, classes = getattr(datasets, f"load_{dataset}")(return_X_y=True)
    development, test = train_test_split(
        np.arange(len(classes)),
        test_size=HELD_OUT,
        stratify=classes,
        random_state=seed(dataset, "held out"),
    )
    return _Data(features, classes, np.sort(development), np.sort(test))


@cache
def _folds(dataset: str, repeat: int) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]:
    """The rows of the data set to fit and to validate on, for each fold."""
    from sklearn.model_selection import StratifiedKFold

    rows = _data(dataset).development
    split = StratifiedKFold(FOLDS, shuffle=True, random_state=seed(dataset, "repeat", repeat))
    classes = _data(dataset).classes[rows]
    return tuple((rows[train], rows[valid]) for train, valid in split.split(rows, classes))


def _pipeline(record: Record, random_state: int) -> Any:
    """The model that a record describes: scaling and a learner with bounded iterations."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    given = {key: value for key, value in record.items() if key != FAMILY}
    scalers = {"none": None, "standard": StandardScaler(), "minmax": MinMaxScaler()}
    default = "standard" if record[FAMILY] == "mlp" else "none"
    scaler = scalers[given.pop("scale", default)]
    learner = _MAKERS[record[FAMILY]](given, random_state)
    return learner if scaler is None else make_pipeline(scaler, learner)


def _knn(given: Record, random_state: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(algorithm="brute", n_jobs=1, **given)


def _svm(given: Record, random_state: int) -> Any:
    from sklearn.svm import SVC

    return SVC(kernel="rbf", max_iter=10_000, random_state=random_state, **given)


def _logistic(given: Record, random_state: int) -> Any:
    import sklearn
    from sklearn.linear_model import LogisticRegression

    old = tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8)
    penalty = {"penalty": "elasticnet"} if old else {}  # since 1.8 the ratio says it all
    return LogisticRegression(
        solver="saga", max_iter=100, tol=1e-3, random_state=random_state, **penalty, **given
    )


def _forest(given: Record, random_state: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_jobs=1, random_state=random_state, **given)


def _boosting(given: Record, random_state: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        min_samples_leaf=5, early_stopping=False, random_state=random_state, **given
    )


def _mlp(given: Record, random_state: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    layers = (given["width"],) * given["depth"]
    rest = {key: value for key, value in given.items() if key not in ("width", "depth")}
    return MLPClassifier(layers, batch_size=32, max_iter=50, random_state=random_state, **rest)


_MAKERS = {
    "knn": _knn,
    "svm": _svm,
    "logistic": _logistic,
    "forest": _forest,
    "boosting": _boosting,
    "mlp": _mlp,
}

"""Tunes three learners on scikit-learn's digits and writes trials.csv, a log as anybody has one.

Run it from the root of the project: ``python experiments/audit/tune.py``. One evolutionary run of
100 trials; a trial's value is the error of 2-fold cross-validation on 600 digits, in percent. With
``--look`` it prints the best of 400 uniform points in the families that the run neglected.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

from hpo_lab import Landscape, Space, search
from hpo_lab.logs import space_file

HERE = Path(__file__).parent
SCALES = {"none": "passthrough", "standard": StandardScaler(), "minmax": MinMaxScaler()}


def learner(point: dict[str, Any]) -> Any:
    """Return the learner that a point describes."""
    if point["family"] == "svm":
        return SVC(C=point["C"], gamma=point["gamma"])
    if point["family"] == "forest":
        return RandomForestClassifier(
            point["trees"],
            max_features=point["features"],
            bootstrap=point["bootstrap"],
            random_state=0,
        )
    return KNeighborsClassifier(point["k"], metric=point["metric"])


def error(point: dict[str, Any]) -> float:
    """Return the error of a point's learner, in percent."""
    data = load_digits()
    model = make_pipeline(SCALES[point["scale"]], learner(point))
    scores = cross_val_score(model, data.data[:600], data.target[:600], cv=2)
    return float(100 * (1 - np.mean(scores)))


def look() -> None:
    """Print the best of what the run neglected."""
    space = space_file(HERE / "space.toml").space
    neglected = Space(tuple(f for f in space.families if f.name in ("svm", "forest")))
    points = neglected.sample(400, np.random.default_rng(0)).records()
    errors = [error(point) for point in points]
    print(min(errors), points[int(np.argmin(errors))])


def main() -> None:
    """Run the tuning and write its log."""
    tuned = Landscape.of(error, space_file(HERE / "space.toml").space)
    trials = search(tuned, "evolution", budget=100, seed=1, population=10)
    trials = trials.drop(columns=["truth", "state"]).rename(columns={"observed": "value"})
    trials.to_csv(HERE / "trials.csv", index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    look() if "--look" in sys.argv else main()

"""The models behind ``forest``: imported only when a search starts, as it imports scikit-optimize.

Source: F. Hutter, L. Xu, H. H. Hoos and K. Leyton-Brown (2014), "Algorithm runtime prediction:
methods and evaluation", Artificial Intelligence 206, section 4.3.2 (mean and variance of a forest);
P. Geurts, D. Ernst and L. Wehenkel (2006), "Extremely randomized trees", Machine Learning 63.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from skopt.learning import ExtraTreesRegressor, RandomForestRegressor

from hpo_lab.optimizers._encoding import Encoding
from hpo_lab.optimizers._gp_model import missing
from hpo_lab.space import Bools, Floats

KINDS = {"extra_trees": ExtraTreesRegressor, "random_forest": RandomForestRegressor}
LACKS = -1.0  # what a family lacks lies below everything that another one has


class TableForest(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A forest over rows of an encoding: names one-hot, what a family lacks at -1."""

    def __init__(self, forest: Any, encoding: Encoding) -> None:
        self.forest, self.encoding = forest, encoding

    def __sklearn_clone__(self) -> TableForest:
        """A forest like this one, not fitted; the encoding is a value and stays."""
        return TableForest(clone(self.forest), self.encoding)

    def fit(self, X: Floats, y: Floats) -> TableForest:
        """Grow a new forest."""
        self.trees_ = [tree.tree_ for tree in clone(self.forest).fit(self.features(X), y)]
        return self

    def predict(self, X: Floats, return_std: bool = False) -> Any:
        """The mean (n,) of the trees; with ``return_std`` the deviation within and between them."""
        features = self.features(X)
        mean, square = np.zeros(len(X)), np.zeros(len(X))
        for tree in self.trees_:
            leaf = tree.apply(features)
            value = tree.value[leaf, 0, 0]
            mean += value
            square += tree.impurity[leaf] + value**2
        mean /= len(self.trees_)
        variance = np.maximum(square / len(self.trees_) - mean**2, 0.0)
        return (mean, np.sqrt(variance)) if return_std else mean

    def features(self, X: Floats) -> Any:
        """The table (n, columns) that the trees see, in the precision that they see it in."""
        X = np.asarray(X)
        family = X[:, 0].astype(np.int64)
        parts = [family[:, None] == np.arange(len(self.encoding.space.families))]
        for j, (_, axis) in enumerate(self.encoding.places):
            column = X[:, [1 + j]]
            if self.encoding.nominal[1 + j]:  # an option that is lacking is none of them
                parts.append(column == np.arange(axis.size))
            else:
                parts.append(np.where(self.encoding.active[family, j, None], column, LACKS))
        return np.hstack(parts).astype(np.float32)


class MaskedForest(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # likewise
    """scikit-optimize's forest, blind to the columns that a row's family lacks."""

    def __init__(self, forest: Any, lacks: Bools, centre: Floats) -> None:
        self.forest, self.lacks, self.centre = forest, lacks, centre

    def fit(self, X: Floats, y: Floats) -> MaskedForest:
        """Fit to the rows with their inactive columns at the centre."""
        self.forest_ = clone(self.forest).fit(self._masked(X), y)
        return self

    def predict(self, X: Floats, return_std: bool = False) -> Any:
        """Predict likewise."""
        return self.forest_.predict(self._masked(X), return_std=return_std)

    def _masked(self, X: Floats) -> Floats:
        return np.where(missing(X, self.lacks), self.centre, X)

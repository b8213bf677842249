"""The contract of a measure: one tidy table from stored results, whatever the results are."""

from __future__ import annotations

import dataclasses

import pandas as pd

from hpo_lab.measure import Measure, Results


def check_measure(measure: Measure, results: Results) -> None:
    """Raise AssertionError unless the measure gives a tidy table, twice the same, even of nothing.

    ``results`` are of any study that has been run. The table's first column is ``landscape``; no
    column holds objects that CSV cannot.
    """
    assert dataclasses.is_dataclass(measure), f"{measure!r} is not a dataclass"
    assert isinstance(hash(measure), int), "a measure must be frozen and hashable"
    table = measure(results)
    assert isinstance(table, pd.DataFrame), "a measure returns a DataFrame"
    assert len(table) == 0 or table.columns[0] == "landscape", "the first column is landscape"
    assert table.columns.is_unique, "two columns have the same name"
    pd.testing.assert_frame_equal(table, measure(results))
    assert isinstance(measure(Results.empty(results.study)), pd.DataFrame), "no runs: still a table"

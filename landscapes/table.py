"""table: anybody's own exhaustive sweep, a CSV or Parquet file with a row a trial.

    truth(x) = mean of the column ``value`` over the rows of x  (minus that, if it is maximised)

The universe is the product of the values that occur in the parameter columns. How a file is read:
landscapes/_columns.py; how it becomes a lattice: landscapes/_sweep.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from hpo_lab.errors import InputError
from hpo_lab.space import Space
from landscapes import _columns, _sweep
from landscapes._tabulated import Replicates, Tabulated


@dataclass(frozen=True)
class Table(Tabulated):
    """Your own table: a CSV or Parquet file, parameters in columns, one trial a row.

    **value** is the column of the result, lower is better unless ``maximize`` (then all values
    are negated). **parameters** are the columns that were varied; by default all that are not
    named otherwise, so name them, or put the rest (a seed, a duration) into **ignore**. Several
    rows with the same parameters are replicates: truth is their mean, and a strategy is told one
    of them, drawn by (repetition, point, replicate), or their mean without ``noise``. **observe**
    is a column that strategies are told instead, such as a validation error where ``value`` is
    the test error. An empty, nan or infinite result is a failed trial and counts in no mean; a
    combination of values that has no result has no value.

    **family** is a column such as ``learner`` that says which parameters exist: each family has
    those that are never empty in it. Without it no parameter may be empty.

    Kinds are inferred. Words and true/false are unordered options; **order** gives words an order
    (``order = { size = ["small", "large"] }`` in a study file). Numbers are an ordered list of
    exactly the values that occur, one step and one share of the measure each, so that a
    logarithmic grid is logarithmic without saying so; whole numbers without a gap (three or more)
    are an integer axis, logarithmic if named in **log**. **categorical** names numbers that are
    only names.

    The optimum of every region is exact, and so are all minima: neighbours differ in one
    parameter, by one step where it is ordered. It is the truth of this table: of its grid, and of
    its replicates.

    A path is relative to the study file, in Python to the working directory. The landscape is
    identified by the file's content, not by where it lies. Raises InputError, one sentence, for
    whatever the file does not hold, and where the product has more than 5,000,000 points.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "sweep.csv"
    >>> rows = ["lr,optimizer,seed,error", "0.01,adam,1,0.30", "0.01,adam,2,0.26"]
    >>> rows += ["0.1,adam,1,0.25", "0.01,sgd,1,0.40", "0.1,sgd,1,0.35"]
    >>> _ = file.write_text("\\n".join(rows))
    >>> f = Table(str(file), value="error", ignore=("seed",))
    >>> f({"lr": 0.01, "optimizer": "adam"}), f.optimum().point.records()
    (0.28, [{'lr': 0.1, 'optimizer': 'adam'}])
    """

    path: str = field(compare=False, metadata={"identity": "content"})
    value: str
    parameters: tuple[str, ...] = ()
    observed_column: str | None = field(default=None, metadata={"argument": "observe"})
    family: str | None = None
    ignore: tuple[str, ...] = ()
    maximize: bool = False
    categorical: tuple[str, ...] = ()
    order: _sweep.Order = ()
    log: tuple[str, ...] = ()
    noise: bool = True
    content: str = field(init=False, repr=False)
    name: ClassVar[str] = "table"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", _columns.digest(Path(self.path)))
        _read(self)

    @property
    def universe(self) -> Space:
        """The product of the values that occur, one family for each value of ``family``."""
        return _read(self)[0]

    @property
    def table(self) -> Replicates:
        """The truth and the replicates of every point."""
        return _read(self)[1]


@lru_cache(maxsize=16)
def _read(table: Table) -> tuple[Space, Replicates]:
    """The universe and the values; kept by content and arguments, so never those of an old file."""
    path, told = Path(table.path), table.observed_column
    special = [name for name in (table.value, told, table.family) if name is not None]
    if told == table.value:
        special.remove(told)
    _check_roles([*special, *table.parameters, *table.ignore])
    columns = _columns.read(path, table.content, special, table.parameters, table.ignore)
    parameters = [column for name, column in columns.items() if name not in special]
    if not parameters:
        raise InputError(f"{path} has no column left to be a parameter")
    space, places = _sweep.lattice_of(
        parameters,
        None if table.family is None else columns[table.family],
        _sweep.Kinds(table.categorical, table.order, table.log),
    )
    sign = -1.0 if table.maximize else 1.0
    truth = sign * _sweep.numbers(columns[table.value], "value")
    seen = truth if told is None else sign * _sweep.numbers(columns[told], "observe")
    return space, _sweep.replicates(places, int(space.size), truth, seen)


def _check_roles(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f'the column "{name}" is named twice; give each column one role')

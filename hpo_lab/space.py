"""Spaces: a sum of families, each a product of axes, and batches of points in them.

A plain box is a space with one family, named ``""``. Axes that several families share by name
share a column. Inactive values do not exist: they are nan in every batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpo_lab.errors import InputError, nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Option = str | bool | int | float
Record = dict[str, Any]

FAMILY = "family"  # the key of the family in a record; no axis may have this name
ENUMERABLE = 5_000_000  # points up to which a finite space is listed in full
WHOLE = 2**53  # up to here every whole number is a floating-point number


@dataclass(frozen=True, slots=True)
class Real:
    """A real axis on [low, high]; with ``log`` its scale (and measure) is logarithmic."""

    name: str
    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self)

    @property
    def size(self) -> float:
        return 1.0 if self.low == self.high else math.inf

    def to_unit(self, values: Floats) -> Floats:
        if self.low == self.high:
            return np.full_like(values, 0.5)
        if self.log:
            span = math.log(self.high / self.low)
            return np.clip(np.log(values / self.low) / span, 0.0, 1.0)
        return (values - self.low) / (self.high - self.low)

    def from_unit(self, unit: Floats) -> Floats:
        if self.log:
            values = self.low * np.exp(unit * math.log(self.high / self.low))
        else:
            values = self.low + unit * (self.high - self.low)
        return np.clip(values, self.low, self.high)

    def contains(self, values: Floats) -> Bools:
        return np.asarray((values >= self.low) & (values <= self.high))

    def native(self, value: float) -> float:
        return float(value)

    def column(self, value: Any) -> float:
        return _number(self, value)


@dataclass(frozen=True, slots=True)
class Integer:
    """The integers low..high; with ``log`` k weighs log((k + 1/2) / (k - 1/2))."""

    name: str
    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self)

    @property
    def size(self) -> float:
        return float(self.high - self.low + 1)

    def to_unit(self, values: Floats) -> Floats:
        if self.log:
            span = math.log((self.high + 0.5) / (self.low - 0.5))
            return np.log(values / (self.low - 0.5)) / span
        return (values - self.low + 0.5) / (self.high - self.low + 1)

    def from_unit(self, unit: Floats) -> Floats:
        if self.log:
            ratio = (self.high + 0.5) / (self.low - 0.5)
            values = np.floor((self.low - 0.5) * ratio**unit + 0.5)
        else:
            values = self.low + np.floor(unit * (self.high - self.low + 1))
        return np.clip(values, self.low, self.high)

    def contains(self, values: Floats) -> Bools:
        inside = (values >= self.low) & (values <= self.high)
        return np.asarray(inside & (values == np.floor(values)))

    def native(self, value: float) -> int:
        return int(value)

    def column(self, value: Any) -> float:
        return _number(self, value)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the options; ``ordered`` says that neighbours in the list are alike."""

    name: str
    options: tuple[Option, ...]
    ordered: bool = False

    def __post_init__(self) -> None:
        if not self.name or self.name == FAMILY:
            raise InputError(f'"{self.name}" cannot be the name of an axis; choose another')
        if not self.options:
            raise InputError(f'axis "{self.name}" has no options; give it at least one')
        if len({(type(o), o) for o in self.options}) < len(self.options):
            raise InputError(f'axis "{self.name}" names an option twice; remove the repetition')

    @property
    def size(self) -> float:
        return float(len(self.options))

    def to_unit(self, values: Floats) -> Floats:
        return (values + 0.5) / len(self.options)

    def from_unit(self, unit: Floats) -> Floats:
        return np.clip(np.floor(unit * len(self.options)), 0, len(self.options) - 1)

    def contains(self, values: Floats) -> Bools:
        inside = (values >= 0) & (values < len(self.options))
        return np.asarray(inside & (values == np.floor(values)))

    def native(self, value: float) -> Option:
        return self.options[int(value)]

    def column(self, value: Any) -> float:
        for index, option in enumerate(self.options):
            if option == value and isinstance(option, bool) == isinstance(value, bool):
                return float(index)
        hint = nearest(str(value), [str(option) for option in self.options])
        raise InputError(f'axis "{self.name}" has no option {hint}')


Axis = Real | Integer | Choice


def _check_range(axis: Real | Integer) -> None:
    if not axis.name or axis.name == FAMILY:
        raise InputError(f'"{axis.name}" cannot be the name of an axis; choose another')
    if not (math.isfinite(axis.low) and math.isfinite(axis.high)):
        raise InputError(f'axis "{axis.name}": the bounds must be finite numbers')
    if axis.low > axis.high:
        raise InputError(f'axis "{axis.name}": low {axis.low} is above high {axis.high}')
    if axis.log and axis.low <= 0:
        raise InputError(f'axis "{axis.name}": a logarithmic axis needs low > 0, not {axis.low}')
    if not math.isfinite(axis.high / axis.low if axis.log else axis.high - axis.low):
        raise InputError(f'axis "{axis.name}": the range is too wide to be computed with')
    if isinstance(axis, Integer) and max(abs(axis.low), abs(axis.high)) > WHOLE:
        raise InputError(f'axis "{axis.name}": whole numbers beyond ±{WHOLE:,} are not exact')


def _number(axis: Real | Integer, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise InputError(f'axis "{axis.name}" needs a number, not {value!r}')
    if not axis.contains(np.array([float(value)]))[0]:
        kind = "an integer" if isinstance(axis, Integer) else "a number"
        raise InputError(
            f'axis "{axis.name}" needs {kind} in [{axis.low}, {axis.high}], not {value}'
        )
    return float(value)


def with_range(axis: Real | Integer, low: float, high: float) -> Real | Integer:
    """Return the axis with other bounds; InputError where they are not a range of its kind."""
    if isinstance(axis, Real):
        return Real(axis.name, float(low), float(high), axis.log)
    if low != int(low) or high != int(high):
        raise InputError(f'axis "{axis.name}": an integer axis needs whole bounds')
    return Integer(axis.name, int(low), int(high), axis.log)


def levels(axis: Axis) -> Floats:
    """Return the column values (k,) of a finite axis, in order; InputError for a real axis.

    >>> levels(Integer("width", 3, 5))
    array([3., 4., 5.])
    """
    if axis.size == math.inf:
        raise InputError(f'axis "{axis.name}" is continuous and cannot be listed')
    if axis.size > ENUMERABLE:
        raise InputError(f'axis "{axis.name}" has {axis.size:.3g} values: too many to list')
    if isinstance(axis, Choice):
        return np.arange(len(axis.options), dtype=float)
    if isinstance(axis, Real):
        return np.array([axis.low])
    return np.arange(axis.low, axis.high + 1, dtype=float)


@dataclass(frozen=True, slots=True)
class Family:
    """A product of axes, with its weight under the reference measure."""

    name: str
    axes: tuple[Axis, ...] = ()
    weight: float = 1.0

    def __post_init__(self) -> None:
        if len({axis.name for axis in self.axes}) < len(self.axes):
            raise InputError(f'family "{self.name}" names an axis twice; rename one of them')
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise InputError(f'family "{self.name}": the weight must be positive')

    def axis(self, name: str) -> Axis:
        """Return the axis of that name; InputError with the nearest name if there is none."""
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise InputError(
            f'family "{self.name}" has no axis {nearest(name, [a.name for a in self.axes])}'
        )

    @property
    def size(self) -> float:
        """The number of points: a whole number, or infinity."""
        return math.prod(axis.size for axis in self.axes)


@dataclass(frozen=True)
class Space:
    """A sum of families under the reference measure Σ weight · Uniform(axes in their scales).

    >>> space = Space.box(Real("lr", 1e-5, 1e-1, log=True), Choice("op", ("gat", "gcn")))
    >>> space.columns, space.size
    (('lr', 'op'), inf)
    >>> space.sample(2, np.random.default_rng(0)).values.shape
    (2, 2)
    """

    families: tuple[Family, ...]

    def __post_init__(self) -> None:
        if not self.families:
            raise InputError("the space has no families left; keep at least one")
        if len({f.name for f in self.families}) < len(self.families):
            raise InputError("two families have the same name; rename one of them")

    @staticmethod
    def box(*axes: Axis) -> Space:
        """Return the plain product of the axes: one family, named ``""``."""
        return Space((Family("", tuple(axes)),))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns: every axis once, in order of appearance."""
        return tuple(dict.fromkeys(axis.name for f in self.families for axis in f.axes))

    @property
    def width(self) -> int:
        """How many columns a batch has."""
        return len(self.columns)

    @cached_property
    def size(self) -> float:
        """The number of points of the product: a whole number, or infinity."""
        return float(sum(family.size for family in self.families))

    @cached_property
    def weights(self) -> Floats:
        """The mass of each family (F,); they sum to one."""
        weights = np.array([family.weight for family in self.families])
        return np.asarray(weights / weights.sum())

    @cached_property
    def active(self) -> Bools:
        """Which columns each family has, (F, width)."""
        names = [{axis.name for axis in family.axes} for family in self.families]
        return np.array([[c in own for c in self.columns] for own in names], dtype=bool).reshape(
            len(self.families), self.width
        )

    @cached_property
    def _places(self) -> tuple[tuple[tuple[int, Axis], ...], ...]:
        """For each family its axes with their columns."""
        index = {name: i for i, name in enumerate(self.columns)}
        return tuple(tuple((index[a.name], a) for a in f.axes) for f in self.families)

    def places(self, family: int) -> tuple[tuple[int, Axis], ...]:
        """Return the (column, axis) pairs of one family, by its index."""
        return self._places[family]

    def family(self, name: str) -> Family:
        """Return the family of that name; InputError with the nearest name if there is none."""
        return self.families[self.index(name)]

    def index(self, name: str) -> int:
        """Return the index of the family of that name; InputError if there is none."""
        names = [family.name for family in self.families]
        if name not in names:
            raise InputError(f"the space has no family {nearest(name, names)}")
        return names.index(name)

    def sample(self, n: int, rng: np.random.Generator) -> Points:
        """Return n points drawn independently from the reference measure.

        Fewer points from an equal generator are a prefix of more.
        """
        if len(self.families) == 1:
            return self.from_unit(np.zeros(n, dtype=np.int64), rng.random((n, self.width)))
        draws = rng.random((n, 1 + self.width))  # one row a point, so that a prefix is a prefix
        family = np.searchsorted(np.cumsum(self.weights)[:-1], draws[:, 0], side="right")
        return self.from_unit(family.astype(np.int64), draws[:, 1:])

    def from_unit(self, family: Ints, unit: Floats) -> Points:
        """Return the points at unit coordinates (n, width) in the families (n,).

        Coordinates of inactive columns are ignored.
        """
        if self._linear is not None:
            low, high, span = self._linear
            scaled = np.minimum(np.maximum(low + unit * span, low), high)
            return Points(self, np.asarray(family, dtype=np.int64), scaled)
        values = np.full((len(family), self.width), np.nan)
        for index in range(len(self.families)):
            rows = _rows(family, index, len(self.families))
            for column, axis in self._places[index]:
                values[rows, column] = axis.from_unit(unit[rows, column])
        return Points(self, np.asarray(family, dtype=np.int64), values)

    def to_unit(self, points: Points) -> Floats:
        """Return coordinates (n, width) in [0, 1]; inactive columns are nan."""
        if self._linear is not None:
            low, _, span = self._linear
            return np.asarray((points.values - low) / span)
        unit = np.full(points.values.shape, np.nan)
        for index in range(len(self.families)):
            rows = _rows(points.family, index, len(self.families))
            for column, axis in self._places[index]:
                unit[rows, column] = axis.to_unit(points.values[rows, column])
        return unit

    @cached_property
    def _box(self) -> tuple[Floats, Floats] | None:
        """The bounds (width,) of a plain box of real axes: those need no loop over the axes."""
        axes = [axis for axis in self.families[0].axes if isinstance(axis, Real)]
        if len(self.families) > 1 or len(axes) < self.width:
            return None
        return np.array([axis.low for axis in axes]), np.array([axis.high for axis in axes])

    @cached_property
    def _linear(self) -> tuple[Floats, Floats, Floats] | None:
        """Bounds and lengths (width,) of a plain box of real axes that are linear and can vary."""
        axes = [axis for axis in self.families[0].axes if isinstance(axis, Real)]
        if self._box is None or any(axis.log or axis.low == axis.high for axis in axes):
            return None
        low, high = self._box
        return low, high, high - low

    def contains(self, points: Points) -> Bools:
        """Return which points (n,) have a family of this space and values on its axes."""
        same = points.space.columns == self.columns
        inside = np.full(len(points), same and points.space.families != ())
        if not same:
            return inside
        inside &= (points.family >= 0) & (points.family < len(self.families))
        if self._box is not None:
            low, high = self._box
            return np.asarray(
                inside & ((points.values >= low) & (points.values <= high)).all(axis=1)
            )
        for index in range(len(self.families)):
            rows = np.flatnonzero(points.family == index)
            for column, axis in self._places[index]:
                inside[rows] &= axis.contains(points.values[rows, column])
            inside[rows] &= np.isnan(points.values[rows][:, ~self.active[index]]).all(axis=1)
        return inside

    def enumerate(self) -> Points:
        """Return every point of a finite space, family by family, the last axis fastest."""
        if self.size > ENUMERABLE:
            raise InputError(f"the space has {self.size:.3g} points: too many to list")
        blocks, families = [], []
        for index, family in enumerate(self.families):
            grid = np.full((int(family.size), self.width), np.nan)
            axes = np.meshgrid(*[levels(axis) for axis in family.axes], indexing="ij")
            for (column, _), values in zip(self._places[index], axes, strict=True):
                grid[:, column] = values.ravel()
            blocks.append(grid)
            families.append(np.full(len(grid), index, dtype=np.int64))
        return Points(self, np.concatenate(families), np.concatenate(blocks))

    def points(self, given: ArrayLike | Record | Sequence[Record] | Points) -> Points:
        """Return a batch from an (n, d) array, one point (d,), a record, or a list of records.

        Arrays hold native numbers in the order of ``columns`` and need a space with one family;
        records name the axes (and the family, where there are several).
        """
        if isinstance(given, Points):
            return given
        if isinstance(given, Mapping):
            return self.points([dict(given)])
        if isinstance(given, Sequence) and len(given) and isinstance(given[0], Mapping):
            return self._from_records(given)  # type: ignore[arg-type]
        values = np.array(given, dtype=float, ndmin=2)
        if len(self.families) > 1:
            raise InputError("the space has several families: give records that name the family")
        if values.ndim != 2 or values.shape[1] != self.width:
            raise InputError(f"expected {self.width} columns, got an array of {values.shape}")
        return Points(self, np.zeros(len(values), dtype=np.int64), values)

    def _from_records(self, records: Sequence[Record]) -> Points:
        family = np.zeros(len(records), dtype=np.int64)
        values = np.full((len(records), self.width), np.nan)
        for row, record in enumerate(records):
            default = self.families[0].name if len(self.families) == 1 else ""
            family[row] = self.index(str(record.get(FAMILY, default)))
            places = self._places[family[row]]
            unknown = set(record) - {axis.name for _, axis in places} - {FAMILY}
            if unknown:
                self.families[family[row]].axis(sorted(unknown)[0])
            for column, axis in places:
                if axis.name not in record:
                    raise InputError(f'a point lacks a value for axis "{axis.name}"')
                values[row, column] = axis.column(record[axis.name])
        return Points(self, family, values)

    def to_dict(self) -> Record:
        """Return a plain dictionary, as in a study file's ``[universe]`` (all axes in full)."""
        return {
            "families": {
                f.name: {"weight": f.weight, "axes": [axis_to_dict(a) for a in f.axes]}
                for f in self.families
            }
        }

    @staticmethod
    def from_dict(table: Mapping[str, Any]) -> Space:
        """Return the space of ``to_dict``, or of a study file's ``[universe]`` table.

        >>> shared = {"lr": {"real": [1e-5, 0.1], "log": True}}
        >>> families = {"conv": {"kernel": {"integer": [1, 7]}}, "mlp": {}}
        >>> Space.from_dict({"shared": shared, "families": families}).columns
        ('lr', 'kernel')
        """
        _only_keys("universe", table, ("shared", "families"))
        shared = tuple(axis_from_dict(n, t) for n, t in dict(table.get("shared", {})).items())
        families = dict(table.get("families", {"": {}}))
        return Space(tuple(_family_from_dict(n, dict(t), shared) for n, t in families.items()))


def _rows(family: Ints, index: int, families: int) -> slice | Ints:
    """Select the rows of one family; everything, without a copy, where there is only one."""
    return slice(None) if families == 1 else np.flatnonzero(family == index)


def axis_to_dict(axis: Axis) -> Record:
    """Return the plain dictionary of an axis."""
    if isinstance(axis, Choice):
        return {"name": axis.name, "choice": list(axis.options), "ordered": axis.ordered}
    kind = "real" if isinstance(axis, Real) else "integer"
    return {"name": axis.name, kind: [axis.low, axis.high], "log": axis.log}


def axis_from_dict(name: str, table: Mapping[str, Any]) -> Axis:
    """Return the axis that a study file or ``to_dict`` describes; InputError if it does not."""
    if not isinstance(table, Mapping):
        raise InputError(f'axis "{name}" must be a table such as {{ real = [0, 1] }}')
    _only_keys(f'axis "{name}"', table, ("name", "real", "integer", "choice", "log", "ordered"))
    kinds = [kind for kind in ("real", "integer", "choice") if kind in table]
    if len(kinds) != 1:
        raise InputError(f'axis "{name}" needs exactly one of real, integer and choice')
    given = table[kinds[0]]
    if not isinstance(given, list | tuple):
        raise InputError(f'axis "{name}": {kinds[0]} must be a list')
    if kinds[0] == "choice":
        if not all(isinstance(o, str | bool | int | float) for o in given):
            raise InputError(f'axis "{name}": options must be strings, numbers or booleans')
        return Choice(name, tuple(given), ordered=_flag(name, table, "ordered"))
    numbers = [v for v in given if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(given) != 2 or len(numbers) != 2:
        raise InputError(f'axis "{name}": {kinds[0]} must be two numbers, [low, high]')
    if kinds[0] == "real":
        return Real(name, float(given[0]), float(given[1]), log=_flag(name, table, "log"))
    if not all(isinstance(v, int) for v in given):
        raise InputError(f'axis "{name}": an integer axis needs whole bounds')
    return Integer(name, given[0], given[1], log=_flag(name, table, "log"))


def _flag(name: str, table: Mapping[str, Any], key: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise InputError(f'axis "{name}": {key} must be true or false')
    return value


def _family_from_dict(name: str, table: Record, shared: tuple[Axis, ...]) -> Family:
    if isinstance(table.get("axes"), list):  # the form of to_dict
        if not all(
            isinstance(t, Mapping) and isinstance(t.get("name"), str) for t in table["axes"]
        ):
            raise InputError(f'family "{name}": axes must be a list of tables, each with a name')
        weight = table.get("weight", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise InputError(f'family "{name}": the weight must be a number')
        axes = tuple(axis_from_dict(t["name"], t) for t in table["axes"])
        return Family(name, shared + axes, float(weight))
    return Family(name, shared + tuple(axis_from_dict(n, t) for n, t in table.items()))


def _only_keys(where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in table:
        if key not in known:
            raise InputError(f"{where}: unknown key {nearest(key, known)}")


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """A batch of points: the unit of work everywhere.

    ``family`` (n,) indexes the space's families; ``values`` (n, width) are native numbers, a
    Choice column holds the option's index, and inactive columns are nan.
    """

    space: Space
    family: Ints
    values: Floats

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.family), self.space.width):
            raise InputError(
                f"expected values of shape ({len(self.family)}, {self.space.width}), "
                f"got {self.values.shape}"
            )

    def __len__(self) -> int:
        return len(self.family)

    def __getitem__(self, rows: Any) -> Points:
        """Return the selected rows as a batch (one index gives a batch of one)."""
        if isinstance(rows, int | np.integer):
            rows = [rows]
        return Points(self.space, self.family[rows], self.values[rows])

    def records(self) -> list[Record]:
        """Return one dictionary a point, native values, active axes only."""
        several = len(self.space.families) > 1
        rows = []
        for family, values in zip(self.family.tolist(), self.values.tolist(), strict=True):
            record: Record = {FAMILY: self.space.families[family].name} if several else {}
            record.update((a.name, a.native(values[c])) for c, a in self.space.places(family))
            rows.append(record)
        return rows

    def keys(self) -> NDArray[np.void]:
        """Return one opaque value a point (n,); equal keys are equal points."""
        table = np.empty((len(self), self.space.width + 1))
        table[:, 0] = self.family
        table[:, 1:] = self.values + 0.0  # minus zero is zero
        table[np.isnan(table)] = np.nan  # one bit pattern for all nans
        return np.ascontiguousarray(table).view(np.dtype((np.void, table.shape[1] * 8))).ravel()

    @staticmethod
    def concatenate(batches: Sequence[Points]) -> Points:
        """Return the batches, all of one space, as one."""
        first = batches[0]
        return Points(
            first.space,
            np.concatenate([batch.family for batch in batches]),
            np.concatenate([batch.values for batch in batches]),
        )

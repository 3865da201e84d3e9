"""Columns as they cross the wire: what each may hold, and how one is read, checked once as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

Array = Any

LONGEST_NAME = 128
"""Characters of an id."""

UNKNOWN = -1
"""In a column of yes and no: the sender does not know."""


class RequestError(ValueError):
    """A message that cannot be read; says where and why, and never repeats what was sent."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where} {why}")
        self.where, self.why = where, why


class Column(NamedTuple):
    """What a column of numbers may hold; a null or a number outside is the row's fault, not the message's.

    Args:
        unit: of the numbers.
        low, high: the least and the greatest that can be true.
        default: in rows and messages that say nothing; None: it must be said.
        meaning: one line, for people and for the API's description.
    """

    unit: str
    low: float
    high: float
    default: float | None
    meaning: str


def section(document: Mapping[str, Any], name: str, known: Sequence[str], required: bool = False) -> Mapping[str, Any]:
    """The table `name` of a message, with none but known keys.

    Raises:
        RequestError: it is missing, is no table, or has an unknown key.
    """
    value = document.get(name)
    if value is None:
        if required:
            raise RequestError(name, "is missing; it has no default")
        return {}
    if not isinstance(value, Mapping):
        raise RequestError(name, "should be a table")
    refuse_unknown(value, known, f"{name}.")
    return value


def refuse_unknown(table: Mapping[str, Any], known: Sequence[str], where: str = "") -> None:
    """Refuse keys that mean nothing, with the valid ones.

    Raises:
        RequestError: there is one.
    """
    if extra := len(set(table) - set(known)):
        raise RequestError(
            where.rstrip(".") or "the message", f"has {extra} unknown key(s); valid are {', '.join(sorted(known))}"
        )


def numbers(value: Any, where: str, length: int | None = None) -> Array:
    """A column of numbers as float64, null as NaN.

    Raises:
        RequestError: it is no list, has another length, or holds anything but numbers and null.
    """
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "fiu" or value.ndim != 1:
            raise RequestError(where, "should hold numbers or null")
        column = value.astype(np.float64)
    else:
        column = _from_list(value, where)
    _check_length(column, where, length)
    return np.where(np.isinf(column), np.nan, column)


def _from_list(value: Any, where: str) -> Array:
    if not isinstance(value, list):
        raise RequestError(where, "should be a list")
    # By type, not by conversion: text and booleans would pass as numbers.
    if not set(map(type, value)) <= {float, int, type(None)}:
        raise RequestError(where, "should hold numbers or null")
    try:
        return np.array(value, dtype=np.float64)
    except OverflowError:
        raise RequestError(where, "holds a number that is too large") from None


def flags(value: Any, where: str, length: int) -> Array:
    """A column of true, false and null as int8: 1, 0 and `UNKNOWN`.

    Raises:
        RequestError: it is no list, has another length, or holds anything else.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in "bi" and value.ndim == 1:
        column = value.astype(np.int8)
        if not np.isin(column, (0, 1, UNKNOWN)).all():
            raise RequestError(where, "should hold true, false or null")
    elif isinstance(value, list) and (kinds := set(map(type, value))) <= {bool, type(None)}:
        known = value if kinds <= {bool} else [UNKNOWN if item is None else item for item in value]
        column = np.array(known, dtype=np.int8)
    else:
        raise RequestError(where, "should be a list of true, false or null")
    _check_length(column, where, length)
    return column


def texts(value: Any, where: str, length: int | None = None) -> Array:
    """A column of short printable text.

    Raises:
        RequestError: it is no list, has another length, or holds anything but text of 1 to 128 printable characters.
    """
    value = _printable(value, where, length)
    return np.array(value, dtype=np.str_) if value else np.zeros(0, "<U1")


def _printable(value: Any, where: str, length: int | None) -> list[str]:
    """A column of text as a list; see `texts`."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.ndim == 1:
        value = value.tolist()
    if not isinstance(value, list) or not set(map(type, value)) <= {str}:
        raise RequestError(where, "should be a list of text")
    if value and (max(map(len, value)) > LONGEST_NAME or not min(map(len, value)) or not "".join(value).isprintable()):
        raise RequestError(where, f"should hold text of 1 to {LONGEST_NAME} printable characters")
    _check_length(value, where, length)
    return value


def words(value: Any, where: str, length: int, vocabulary: Sequence[str]) -> Array:
    """A column of words of a vocabulary as their numbers, int8; null is the first.

    Raises:
        RequestError: it is no list, has another length, or holds another word.
    """
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    number: dict[Any, int] = {word: at for at, word in enumerate(vocabulary)} | {None: 0}
    try:
        column = np.array([number[item] for item in value], dtype=np.int8)
    except (KeyError, TypeError):
        raise RequestError(where, f"should be a list of {', '.join(vocabulary)} or null") from None
    _check_length(column, where, length)
    return column


def ids(value: Any, where: str) -> Array:
    """A column of names, each once.

    Raises:
        RequestError: as `texts`, or a name stands twice.
    """
    column = _printable(value, where, None)
    if len(set(column)) < len(column):
        raise RequestError(where, "holds the same id twice")
    return np.array(column, dtype=np.str_) if column else np.zeros(0, "<U1")


def references(value: Any, where: str, names: Array, length: int) -> Array:
    """The rows of `names` that a column of names points to, int64.

    Raises:
        RequestError: as `texts`, or a name is not among `names`.
    """
    row = {name: at for at, name in enumerate(names.tolist())}
    named = _printable(value, where, length)
    try:
        return np.array([row[name] for name in named], dtype=np.int64)
    except KeyError:
        raise RequestError(where, "names something that is not in the message") from None


def series(value: Any, where: str, groups: int, steps: int, hold: bool = True) -> Array:
    """A series per group, (G, 1 to H), null as NaN.

    Args:
        hold: whether a shorter series goes on with its last number, so that one number does for all steps; else the
            steps that it does not say are unknown.

    Raises:
        RequestError: it is no list of lists of numbers, a series is empty or longer than `steps`.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.ndim == 2:
        if len(value) != groups or not 1 <= value.shape[1] <= steps:
            raise RequestError(where, f"should hold {groups} series of 1 to {steps} numbers")
        return np.where(np.isinf(value), np.nan, value).astype(np.float64)
    if not isinstance(value, list) or len(value) != groups:
        raise RequestError(where, f"should be a list of {groups} series, one a row")
    values = [row if isinstance(row, list | np.ndarray) else [row] for row in value]
    lengths = set(map(len, values))
    if lengths and (min(lengths) < 1 or max(lengths) > steps):
        raise RequestError(where, f"should hold series of 1 to {steps} numbers")
    if len(lengths) == 1 and all(isinstance(row, list) for row in values):
        return numbers(list(chain.from_iterable(values)), where).reshape(groups, -1)
    rows = [numbers(row, where) for row in values]
    out = np.empty((groups, max(lengths, default=1)))
    for at, row in enumerate(rows):
        out[at, : len(row)], out[at, len(row) :] = row, row[-1] if hold else np.nan
    return out


def number(value: Any, where: str, low: float, high: float) -> float:
    """A single number within bounds.

    Raises:
        RequestError: it is none, or lies outside.
    """
    if type(value) not in (int, float) or not low <= value <= high:
        raise RequestError(where, f"should be a number from {low:g} to {high:g}")
    return float(value)


def _check_length(column: Array | list[str], where: str, length: int | None) -> None:
    if length is not None and len(column) != length:
        raise RequestError(where, f"has {len(column)} rows; ids make it {length}")

"""From the rows of files to a `Timeline`: merging, sorting, duplicates, equal intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .errors import DataFileError
from .tables import CsvTable
from .timeline import FloatArray, IntArray, Timeline, show_utc


@dataclass(frozen=True)
class Column:
    """Rows of one file on their way to a timeline; `start_utc_s` and `line` `(K,)`, `values` `(K, M)`."""

    path: str
    line: IntArray
    start_utc_s: FloatArray
    values: FloatArray


def merge(columns: Sequence[Column], what: str, interval_s: int) -> tuple[Timeline, FloatArray, tuple[str, ...]]:
    """One timeline with its values `(K, M)` from one or several files, and notes on what was dropped.

    Repeated rows with the same values are dropped and counted.

    Raises:
        DataFileError: two rows of one time differ, or a time lies off the grid of the intervals.
    """
    start = np.concatenate([c.start_utc_s for c in columns]).astype(np.int64)
    line = np.concatenate([c.line for c in columns])
    file = np.concatenate([np.full(len(c.line), i) for i, c in enumerate(columns)])
    order = np.argsort(start, kind="stable")
    values = np.concatenate([c.values for c in columns])[order]
    paths = tuple(c.path for c in columns)
    every = Timeline(paths, what, start[order], interval_s, line[order], file[order])
    once = _once(every, values)
    timeline = replace(every, start_utc_s=start[order][once], line=line[order][once], file=file[order][once])
    _refuse_off_grid(timeline)
    return timeline, values[once], _notes(timeline, len(start) - len(once))


def _once(timeline: Timeline, values: FloatArray) -> IntArray:
    """Rows without those that repeat the one before; a repetition that contradicts it is refused."""
    start = timeline.start_utc_s
    again = np.flatnonzero(np.diff(start) == 0) + 1
    for row in again.tolist():
        if not np.array_equal(values[row], values[row - 1], equal_nan=True):
            path, line = timeline.origin(row - 1)
            reason = f"a second {timeline.what} for {show_utc(int(start[row]))} UTC differs from {path}:{line}"
            raise DataFileError(*timeline.origin(row), reason, "remove the row that is not meant")
    return np.setdiff1d(np.arange(len(start)), again)


def _refuse_off_grid(timeline: Timeline) -> None:
    start, minutes = timeline.start_utc_s, timeline.interval_s // 60
    off = np.flatnonzero(np.diff(start) % timeline.interval_s)
    if len(off):
        row = int(off[0]) + 1
        reason = f"{show_utc(int(start[row]))} UTC lies off the grid of {minutes} minutes"
        raise DataFileError(*timeline.origin(row), reason, "give a file of equal intervals")


def _notes(timeline: Timeline, repeated: int) -> tuple[str, ...]:
    notes = []
    if repeated:
        notes.append(f"{repeated} repeated rows dropped")
    if timeline.gaps:
        shown = ", ".join(f"{show_utc(a)} to {show_utc(b)}" for a, b in timeline.gaps[:3])
        more = f" and {len(timeline.gaps) - 3} more" if len(timeline.gaps) > 3 else ""
        notes.append(f"gaps (UTC): {shown}{more}")
    return tuple(notes)


def usual_interval_s(table: CsvTable, start_utc_s: FloatArray) -> int:
    """The commonest distance between successive rows, in whole seconds.

    Raises:
        DataFileError: fewer than two times, which tell no interval.
    """
    distances = np.diff(np.unique(start_utc_s))
    if not len(distances):
        raise table.refuse(0, "one row alone tells no interval", "give at least two rows")
    lengths, counts = np.unique(distances, return_counts=True)
    return int(lengths[np.argmax(counts)])


def path_list(path: str | Path | Sequence[str | Path]) -> list[str | Path]:
    """One path or several, as a list; none at all is refused."""
    paths = [path] if isinstance(path, str | Path) else list(path)
    if not paths:
        raise ValueError("no data file is given; give at least one path")
    return paths


def describe(timeline: Timeline, subject: str, notes: Sequence[str]) -> str:
    """File names, subject, span, interval and notes of a table, for a report."""
    span = f"{show_utc(int(timeline.start_utc_s[0]))} to {show_utc(timeline.end_utc_s)} UTC"
    return "; ".join((f"{timeline.names}: {subject}, {span}, every {timeline.interval_s // 60} minutes", *notes))

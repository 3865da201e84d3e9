"""Reading a CSV strictly: its columns, numbers and times, with the line of whatever is wrong."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from .errors import DataFileError, nearest
from .timeline import FloatArray, IntArray, zone_of

if TYPE_CHECKING:
    import pandas as pd

HEADER_LINES = 1
NAIVE_TIME = r"\s*\d{4}-?\d\d-?\d\d(?:[T ]\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?)?\s*"
TYPO_LIKENESS = 0.8  # an unknown column this like a missing optional one is taken for a misspelling of it


@dataclass(frozen=True)
class Format:
    """The columns by which a published format is known."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


@dataclass(frozen=True)
class CsvTable:
    """A file read as text, with the line of every row."""

    path: str
    format: Format
    frame: pd.DataFrame
    line: IntArray

    def __len__(self) -> int:
        return len(self.frame)

    def has(self, column: str) -> bool:
        """Whether an optional column is there."""
        return column in self.frame.columns

    def texts(self, column: str) -> list[str]:
        """Labels; an empty one is refused."""
        values = self.frame[column]
        self._refuse_where(values.isna().to_numpy(), f"column '{column}' is empty", "fill it or remove the row")
        return [str(v).strip() for v in values]

    def numbers(self, column: str, *, low: float = -np.inf, high: float = np.inf, empty: bool = False) -> FloatArray:
        """Finite numbers within `[low, high]`; NaN where `empty` allows it or there is no such column."""
        import pandas as pd

        if not self.has(column):
            return np.full(len(self), np.nan)
        text = self.frame[column]
        values = pd.to_numeric(text, errors="coerce").to_numpy(np.float64)
        bad = ~np.isfinite(values) & ~(text.isna().to_numpy() & empty)
        self._refuse_where(bad, f"column '{column}' holds {{value!r}}, not a number", "correct or remove it", column)
        outside = (values < low) | (values > high)
        self._refuse_where(outside, f"{column} is {{value}}, outside {low:g} to {high:g}", "check its unit", column)
        return values

    def times(self, column: str, timezone: str | None, *, empty: bool = False) -> FloatArray:
        """UTC seconds of ISO 8601 times, NaN for empty ones where allowed.

        A time without offset is local in `timezone`; with `timezone` None it is refused.
        """
        import pandas as pd

        text = self.frame[column]
        parsed = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
        bad = parsed.isna().to_numpy() & ~(text.isna().to_numpy() & empty)
        fix = "write times as 2025-08-31 17:00:00-07:00"
        self._refuse_where(bad, f"column '{column}' holds {{value!r}}, not a time", fix, column)
        seconds = _seconds(parsed)
        naive = text.str.fullmatch(NAIVE_TIME, na=False).to_numpy(bool)  # which utc=True has taken for UTC
        if naive.any():
            self._refuse_where(naive & (timezone is None), f"{column} {{value!r}} has no UTC offset", fix, column)
            seconds[naive] = local_seconds(seconds[naive], zone_of(str(timezone)))
        return seconds

    def refuse(self, row: int | None, reason: str, fix: str = "") -> DataFileError:
        """The error for one row, or for the whole file."""
        return DataFileError(self.path, None if row is None else int(self.line[row]), reason, fix)

    def _refuse_where(self, bad: np.ndarray, reason: str, fix: str, column: str | None = None) -> None:
        if not bad.any():
            return
        row = int(np.argmax(bad))
        value = None if column is None else self.frame[column].iloc[row]
        raise self.refuse(row, reason.format(value=value), fix)


def open_table(path: str | Path, formats: Sequence[Format]) -> CsvTable:
    """Read a plain or gzip CSV that has the columns of one of the formats.

    Raises:
        FileNotFoundError: there is no such file.
        DataFileError: it is no CSV text, is empty, or lacks a column.
    """
    import pandas as pd

    text = _read_text(Path(path))
    header = text.split("\n", 1)[0]
    separator = max(",;\t", key=header.count)
    try:
        # blank lines are kept so that a row's line can be counted
        frame = pd.read_csv(io.StringIO(text), sep=separator, dtype=str, skip_blank_lines=False, skipinitialspace=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        why = " ".join(str(error).split())
        raise DataFileError(path, None, f"is no CSV table: {why}", "give the publisher's CSV") from error
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes the cells too many for an index
        raise DataFileError(path, 2, "the rows have more cells than the header", "write decimals with a point")
    frame.columns = [str(c).strip() for c in frame.columns]
    chosen = _detect(path, [str(c) for c in frame.columns], formats)
    frame = frame.dropna(how="all")
    if frame.empty:
        raise DataFileError(path, None, "has a header but no rows", "give a file with data")
    line = frame.index.to_numpy(np.int64) + HEADER_LINES + 1
    return CsvTable(str(path), chosen, frame.reset_index(drop=True), line)


def _read_text(path: Path) -> str:
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"data file {path} {kind}; give the path of a .csv or .csv.gz file")
    raw = path.read_bytes()
    try:
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        text = raw.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise DataFileError(path, None, f"is a damaged gzip file ({error})", "download it again") from error
    except UnicodeDecodeError as error:
        raise DataFileError(path, None, "is not UTF-8 text", "give a .csv or .csv.gz file") from error
    if not text.strip():
        raise DataFileError(path, None, "is empty", "give a file with a header and rows")
    return text


def _detect(path: str | Path, columns: list[str], formats: Sequence[Format]) -> Format:
    """The format whose required columns are all there; else an error on the format that fits best."""
    best = max(formats, key=lambda f: sum(c in columns for c in f.required) / len(f.required))
    known = best.required + best.optional
    spare = [c for c in columns if c not in known]
    for wanted in best.required:
        if wanted not in columns:
            found = nearest(wanted, spare) or nearest(wanted, columns)
            raise DataFileError(
                path,
                HEADER_LINES,
                f"has no column '{wanted}', which the format '{best.name}' needs (nearest found: '{found}')",
                f"rename or add it; the format's columns are {', '.join(best.required)}",
            )
    for wanted in best.optional:
        found = None if wanted in columns else nearest(wanted, spare, TYPO_LIKENESS)
        if found:
            raise DataFileError(path, HEADER_LINES, f"has column '{found}', not '{wanted}'", f"name it '{wanted}'")
    return best


def local_seconds(wall_s: FloatArray, zone: ZoneInfo) -> FloatArray:
    """UTC seconds of local wall-clock times given as if they were UTC.

    A time that the spring change skips is taken as the moment of the change, one that the autumn change
    repeats as the first.
    """
    import pandas as pd

    wall = pd.to_datetime(pd.Series(wall_s), unit="s")
    local = wall.dt.tz_localize(zone, ambiguous=np.ones(len(wall), bool), nonexistent="shift_forward")
    return _seconds(local.dt.tz_convert("UTC"))


def wall_seconds(utc_s: FloatArray | IntArray, zone: ZoneInfo) -> FloatArray:
    """Local wall-clock times as if they were UTC; the inverse of `local_seconds`, NaN stays NaN."""
    import pandas as pd

    utc = pd.to_datetime(pd.Series(utc_s), unit="s", utc=True)
    return _seconds(utc.dt.tz_convert(zone).dt.tz_localize(None))


def _seconds(times: pd.Series[pd.Timestamp]) -> FloatArray:
    epoch = times.astype("datetime64[s, UTC]" if times.dt.tz is not None else "datetime64[s]").astype("int64")
    return np.where(times.isna(), np.nan, epoch.to_numpy(np.float64))

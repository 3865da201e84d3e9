"""ERCOT's way of naming hours: delivery date, hour ending and repeated hour flag, in prevailing time."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np

from .tables import CsvTable, local_seconds
from .timeline import FloatArray

HOUR_S = 3600


def ercot_starts(table: CsvTable, zone: ZoneInfo) -> FloatArray:
    """UTC starts of the hours: the hour ending 02:00 with flag Y is the second 01:00 of the autumn change."""
    midnight = _dates(table, "Delivery Date")
    ending = _hours_ending(table)
    repeated = np.array([text.upper() in ("Y", "TRUE") for text in table.texts("Repeated Hour Flag")])
    wall = midnight + (ending - 1) * HOUR_S
    start = local_seconds(wall, zone)
    later = local_seconds(wall + 1, zone) - start  # 0 where the spring change skips the hour
    if (later == 0).any():
        raise table.refuse(
            int(np.argmax(later == 0)), "this hour does not exist on the spring change", "remove the row"
        )
    ambiguous = local_seconds(wall + HOUR_S, zone) - start == 2 * HOUR_S
    if (repeated & ~ambiguous).any():
        row = int(np.argmax(repeated & ~ambiguous))
        raise table.refuse(row, f"Repeated Hour Flag is Y, but the hour is not repeated in {zone.key}", "make it N")
    shifted: FloatArray = start + np.where(repeated, float(HOUR_S), 0.0)
    return shifted


def _dates(table: CsvTable, column: str) -> FloatArray:
    """Local midnights as seconds, as if they were UTC, of dates like 11/07/2021 or 2021-11-07."""
    import pandas as pd

    text = table.frame[column]
    american = pd.to_datetime(text, format="%m/%d/%Y", errors="coerce")
    parsed = american.fillna(pd.to_datetime(text, format="%Y-%m-%d", errors="coerce"))
    if parsed.isna().any():
        row = int(np.argmax(parsed.isna().to_numpy()))
        raise table.refuse(row, f"{column} holds {text.iloc[row]!r}, not a date", "write it as 11/07/2021")
    midnight: FloatArray = parsed.astype("datetime64[s]").astype("int64").to_numpy().astype(np.float64)
    return midnight


def _hours_ending(table: CsvTable) -> FloatArray:
    """1 to 24, from `01:00` or `1`."""
    text = table.frame["Hour Ending"].astype(str).str.strip()
    hours = text.str.extract(r"^(\d{1,2})(?::00)?$")[0].astype(float).to_numpy()
    bad = ~((hours >= 1) & (hours <= 24))
    if bad.any():
        row = int(np.argmax(bad))
        raise table.refuse(row, f"Hour Ending is {text.iloc[row]!r}", "write 01:00 to 24:00 (ends the day)")
    return hours.astype(np.float64)

"""Loaders of real data: sessions, prices, emissions and base load, in the formats their publishers use.

Every reader takes a path (plain or gzip CSV), checks columns, units and times, and returns a frozen table
of NumPy arrays. What is wrong with a file is one `DataFileError` (a ValueError) that names file, line,
reason and fix; a file that is not there is a FileNotFoundError. Times are int64 UTC seconds; prices
$/kWh; energies kWh.

    sessions = read_sessions(path)                      # ACN or Norwegian homes, told apart by their columns
    prices = read_prices(path, location="LZ_HOUSTON")   # CAISO (gridstatus) or ERCOT settlement points
    emissions = read_emissions([path, path])            # marginal rate with the forecasts as issued
    load = read_load(path)                              # base load of sites

Prices, emissions and load share one way to be read on the simulator's steps:

    table.days(timezone, start_hour=0, hours=48)        # DayList: local dates complete / missing
    table.series(start_utc_s, interval_minutes, count)  # (count,), averaged or repeated to the step
    table.series_at(step_start_utc_s, interval_minutes) # for any steps, as `source_steps` gives them

The years of files need not match; `align` chooses a source day of the same kind (weekday or weekend),
maps local time of day to local time of day, and says in a sentence what it did:

    held = table.days(zone, 12, 48).complete
    source = choose_source_day(date, held, rng, what="emissions", source=table.timeline.names)
    steps = source_steps(target_start, interval_minutes, count, source.day, zone)
    day = sample_day(sessions, target_is_weekend, rng, n_ports, start_hour, hours)
    placed = day.place(target_date, timezone)           # UTC seconds in the target's own days
"""

from __future__ import annotations

from .align import SourceDay, choose_source_day, is_weekend, local_to_utc_s, source_steps
from .emissions import EmissionTable, read_emissions
from .errors import DataFileError
from .load import LoadTable, read_load
from .prices import PriceTable, read_prices
from .sampling import PlacedStays, SampledDay, sample_day
from .sessions import SessionTable, read_sessions
from .timeline import DayList, Timeline

__all__ = [
    "DataFileError",
    "DayList",
    "EmissionTable",
    "LoadTable",
    "PlacedStays",
    "PriceTable",
    "SampledDay",
    "SessionTable",
    "SourceDay",
    "Timeline",
    "choose_source_day",
    "is_weekend",
    "local_to_utc_s",
    "read_emissions",
    "read_load",
    "read_prices",
    "read_sessions",
    "sample_day",
    "source_steps",
]

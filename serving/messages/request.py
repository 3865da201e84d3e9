"""The request of one cycle: the table of contracts 7 in columns, its digest and its document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from .canonical import digest
from .fields import PORT_FIELDS
from .vocabulary import Override

Array = Any

SCHEMA = "ebbflow.request/1"

SECTIONS = ("ports", "sites", "feeders", "prices", "emissions", "events", "arrivals")


class Ports(NamedTuple):
    """Columns (N,), as sent; null is NaN, in `plugged` and `export_consent` -1; see `fields.PORT_FIELDS`."""

    id: Array
    car: Array  # the car's id, empty where none was said
    site: Array  # row of the site
    plugged: Array
    export_consent: Array
    override: Array  # an `Override`
    plugged_age_s: Array
    soc: Array
    soc_age_s: Array
    need_kwh: Array
    power_kw: Array
    power_age_s: Array
    capacity_kwh: Array
    taper_soc: Array
    battery_accept_kw: Array
    max_charge_kw: Array
    max_discharge_kw: Array
    min_charge_kw: Array
    min_discharge_kw: Array
    step_kw: Array
    charge_efficiency: Array
    discharge_efficiency: Array
    fixed_loss_kw: Array
    target_soc: Array
    departs_in_s: Array
    charge_limit_soc: Array
    reserve_soc: Array
    min_soc: Array
    override_for_s: Array
    last_setpoint_kw: Array
    last_setpoint_age_s: Array
    commands_today: Array


class Sites(NamedTuple):
    """Meters, (S,), series (S, 1 to H)."""

    id: Array
    feeder: Array  # row of the feeder
    tariff: Array  # row of the tariff
    net_load_kw: Array
    peak_kw: Array
    typical_peak_kw: Array
    demand_rate_usd_per_kw: Array
    net_load_forecast_kw: Array
    import_limit_kw: Array
    export_limit_kw: Array
    baseline_kw: Array


class Feeders(NamedTuple):
    """Lines above the meters, (F,), series (F, 1 to H)."""

    id: Array
    net_load_kw: Array
    net_load_forecast_kw: Array
    import_limit_kw: Array
    export_limit_kw: Array


class Prices(NamedTuple):
    """Prices per tariff, (P,), series (P, 1 to H); NaN is a price that nobody sent."""

    tariff: Array
    import_usd_per_kwh: Array
    export_usd_per_kwh: Array
    known_steps: int  # steps of the series that are published, not forecast
    published_age_s: float  # NaN: not said
    source: str


class Events(NamedTuple):
    """Programme events, (E,)."""

    type: Array
    pays_export: Array
    binding: Array  # 1: nothing elective is charged while it runs, whatever the policy would rather do
    start_in_s: Array
    end_in_s: Array
    rate_usd_per_kwh: Array
    hours_used: Array


class Arrivals(NamedTuple):
    """Energy that is expected beyond the present cars, one row per site, hour of arrival and hour of departure."""

    site: Array  # row of the site
    arrive_h: Array
    depart_h: Array
    kwh: Array


@dataclass(frozen=True)
class DispatchRequest:
    """One cycle's state of a fleet, as it was sent."""

    fleet: str
    cycle_start: datetime  # with its offset: the local wall clock
    interval_s: int
    ports: Ports
    sites: Sites
    feeders: Feeders
    prices: Prices
    events: Events
    arrivals: Arrivals
    emissions_kg_per_kwh: Array  # (0 to H,) marginal, the present one first
    wear_usd_per_kwh: float

    @property
    def n_ports(self) -> int:
        return len(self.ports.id)

    @property
    def start_s(self) -> float:
        """Unix seconds of the start of the interval."""
        return self.cycle_start.timestamp()

    @property
    def cycle_id(self) -> str:
        """The name of the cycle: fleet and start, UTC."""
        return f"{self.fleet}.{self.cycle_start.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    def steps(self, hours: float) -> int:
        """How many intervals `hours` are."""
        return round(hours * 3600 / self.interval_s)


def request_columns(request: DispatchRequest) -> dict[str, Any]:
    """The request as tables of plain columns, references as row numbers: what its digest is taken of."""
    tables = {name: getattr(request, name)._asdict() for name in SECTIONS if name != "emissions"}
    return {
        "schema": SCHEMA, "fleet": request.fleet, "cycle_start": request.cycle_start.isoformat(),
        "interval_s": request.interval_s, "wear_usd_per_kwh": request.wear_usd_per_kwh,
        "emissions": {"kg_per_kwh": request.emissions_kg_per_kwh}, **tables,
    }  # fmt: skip


def request_digest(request: DispatchRequest) -> str:
    """SHA-256 of what the request says, however it was sent."""
    return digest(request_columns(request))


def request_document(request: DispatchRequest) -> dict[str, Any]:
    """The request as a document for `canonical_json`; `parse_request` reads it back to one with the same digest."""
    made = request_columns(request)
    names = {"site": request.sites.id, "feeder": request.feeders.id, "tariff": request.prices.tariff}
    for name in SECTIONS:
        made[name] = {key: _plain(key, value, names) for key, value in made[name].items()}
    if not request.ports.car.astype(bool).any():
        del made["ports"]["car"]
    for name, field in PORT_FIELDS.items():
        if _says_nothing(getattr(request.ports, name), field.default):
            del made["ports"][name]
    if np.isnan(request.prices.published_age_s):
        del made["prices"]["published_age_s"]
    return made


def _says_nothing(column: Array, default: float | None) -> bool:
    """Whether a column holds its default alone, so that a message without it says the same."""
    if default is None:
        return False
    same = np.isnan(column) if np.isnan(default) else column == default
    return bool(same.all())


_OVERRIDES = np.array(Override.words(), object)
_FLAGS = np.array([False, True, None], object)
"""Of no, yes and unknown, which is -1; looked up a column at a time, since a million rows one by one take seconds."""


def _plain(key: str, value: Any, names: Mapping[str, Array]) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind == "U":
        return value.tolist()
    if key in names and value.dtype.kind == "i":
        return names[key].astype(object)[value].tolist()
    if key == "override":
        return _OVERRIDES[value].tolist()
    if value.dtype == np.int8:
        return _FLAGS[value].tolist()
    return np.ascontiguousarray(value)

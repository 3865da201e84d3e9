"""What a controller may know: one frozen, columnar record, made by the simulator and by telemetry alike.

Symbols: `B` worlds (a live fleet is `B = 1`), `N` ports, `S` sites, `F` feeders, `P` tariffs, `E` events, `H` steps of
outlook, the present one included. This is the table of contracts 7, field by field. Missing is NaN, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np

Array = Any
"""NumPy's, or torch's where the torch back end runs."""


class Outlook(NamedTuple):
    """A forecast series per world, as a view: world `b` sees `values[row[b], :, start[b] : start[b] + H]`.

    The simulator hands out its whole day and moves `start`; telemetry hands out exactly what it has.
    """

    values: Array  # (U, G, L) for G groups (sites, feeders or tariffs)
    row: Array  # (B,) int
    start: Array  # (B,) int

    def window(self, steps: int) -> Array:
        """The next `steps` values as an array (B, G, steps)."""
        if len(self.row) == 1:  # a live fleet: in one go, several times as fast
            first = int(self.start[0])
            return self.values[self.row, :, first : first + steps]
        index = self.start[:, None] + _count(self.start, steps)
        return self.values[self.row[:, None], :, index].swapaxes(1, 2)

    def now(self) -> Array:
        """The present step's values (B, G)."""
        if self.values.shape[1] == 1:  # the depot's case: twice as fast
            return self.values.take(self.row * self.values.shape[2] + self.start)[:, None]
        return self.values[self.row, :, self.start]

    def now_row(self) -> Array:
        """The group of the present step (B, L), for series whose groups are steps of issue."""
        return self.values[self.row, self.start]


def _count(like: Array, steps: int) -> Array:
    """0 .. steps - 1 where `like` lives: NumPy, or a torch device."""
    return like.new_tensor(range(steps)) if hasattr(like, "new_tensor") else np.arange(steps)


class PortColumns(NamedTuple):
    """One column per field of a port, each `(B, N)`; of an empty port only `plugged` and the powers mean anything."""

    plugged: Array
    soc: Array  # NaN where the car tells none
    soc_age_s: Array
    need_kwh: Array  # asked minus delivered, at the battery
    power_kw: Array  # drawn (+) or given (-) over the last step
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
    target_soc: Array  # NaN where the SoC is unknown
    steps_left: Array  # until the said departure, from now; may be 0 or negative after it
    charge_limit_soc: Array
    reserve_soc: Array
    min_soc: Array
    export_consent: Array
    override: Array  # 0 none, 1 the driver asked to charge now, 2 the driver opted out of control
    override_steps: Array  # steps for which the override still holds
    last_setpoint_kw: Array  # NaN where none was sent
    setpoint_age_s: Array
    commands_today: Array


class SiteColumns(NamedTuple):
    """What is known of each site (meter)."""

    feeder: Array  # (S,) index
    tariff: Array  # (S,) index
    net_load_kw: Array  # (B, S) now, base load minus PV, without the cars
    net_load_forecast_kw: Outlook  # (S, H)
    import_limit_kw: Outlook  # (S, H)
    export_limit_kw: Outlook  # (S, H)
    peak_kw: Array  # (B, S) highest average import in a window so far this month
    typical_peak_kw: Array  # (B, S) of other days; NaN unknown
    demand_rate_usd_per_kw: Array  # (B, S) what a kW more of this bill's peak costs
    expected_arrivals_kwh: Array  # (U, S, A, D) by hour of arrival and departure since `arrivals_start`
    arrivals_row: Array  # (B,)
    arrivals_hour: Array  # (B,) hours from that start until now


class FeederColumns(NamedTuple):
    """Limits of each feeder and the load on it without the cars: its sites and what no meter of ours sees."""

    net_load_kw: Array  # (B, F) now
    net_load_forecast_kw: Outlook  # (F, H)
    import_limit_kw: Outlook  # (F, H)
    export_limit_kw: Outlook  # (F, H)


class EventColumns(NamedTuple):
    """Programme events that are known now, each `(B, E)`; unknown ones have `known` False."""

    known: Array
    start_step: Array  # relative to now, may be negative
    end_step: Array  # relative to now
    rate_usd_per_kwh: Array
    pays_export: Array
    hours_used: Array


class Context(NamedTuple):
    """Prices, emissions and the clock."""

    seconds_of_day: Array  # (B,) local wall clock
    weekday: Array  # (B,) 0 = Monday
    import_price_now_usd_per_kwh: Array  # (B, P)
    export_price_now_usd_per_kwh: Array  # (B, P)
    import_price_usd_per_kwh: Outlook  # (P, H) issued; the first is replaced by the price now
    export_price_usd_per_kwh: Outlook  # (P, H)
    price_known_steps: Array  # (B,) how many steps of the outlook are published, not forecast
    emissions_now_kg_per_kwh: Array  # (B,) NaN without data
    emissions_kg_per_kwh: Outlook  # (1, H) a typical day
    emissions_issued_kg_per_kwh: Outlook  # (T, Q): the forecasts issued at each step for the next Q
    events: EventColumns
    baseline_kw: Outlook  # (S, H) programme baseline, cars only


@dataclass(frozen=True)
class Snapshot:
    """Everything a live site can know at the start of a step.

    Arrays of a simulated snapshot are views of the running simulator and change with its next step; keep
    `snapshot.copy()` instead.
    """

    step_h: float
    horizon: int  # H
    port_site: Array  # (N,)
    ports: PortColumns
    sites: SiteColumns
    feeders: FeederColumns
    context: Context
    wear_usd_per_kwh: float
    provenance: str = ""
    # One object for all snapshots whose arrays have the same types and layouts, None where nobody vouches for
    # that. It is no argument, so that a copy or a changed snapshot does not inherit it.
    layout: object = field(default=None, init=False, repr=False, compare=False)
    # What `safety.survey` and `safety.array_survey` found out about the cars, so that each finds it out once.
    surveys: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def n_worlds(self) -> int:
        return int(self.ports.plugged.shape[0])

    @property
    def n_ports(self) -> int:
        return int(self.ports.plugged.shape[1])

    def import_price_window(self, steps: int | None = None) -> Array:
        """Import price by port and step (B, N, H): the price now, then what is published or forecast."""
        return self.tariff_prices(True, steps)[:, self.sites.tariff[self.port_site], :]

    def export_price_window(self, steps: int | None = None) -> Array:
        """Export price by port and step (B, N, H)."""
        return self.tariff_prices(False, steps)[:, self.sites.tariff[self.port_site], :]

    def tariff_prices(self, importing: bool, steps: int | None = None) -> Array:
        """Import or export price by tariff and step (B, P, H): the price now, then what is published or forecast."""
        c = self.context
        outlook = c.import_price_usd_per_kwh if importing else c.export_price_usd_per_kwh
        window = outlook.window(steps or self.horizon)
        window[:, :, 0] = c.import_price_now_usd_per_kwh if importing else c.export_price_now_usd_per_kwh
        return window

    def emissions_window(self, steps: int | None = None) -> Array:
        """Marginal emissions (B, H) in kg/kWh: the present value, the issued forecast, then a typical day."""
        window = self.context.emissions_kg_per_kwh.window(steps or self.horizon)[:, 0]
        issued = self.context.emissions_issued_kg_per_kwh.now_row()
        reach = min(issued.shape[1], window.shape[1] - 1)
        window[:, 1 : 1 + reach] = issued[:, :reach]
        window[:, 0] = self.context.emissions_now_kg_per_kwh
        return window

    def copy(self) -> Snapshot:
        """A snapshot that no later step changes."""
        return Snapshot(*map(_copied, self._told()))

    def __reduce__(self) -> tuple[Any, ...]:
        return Snapshot, self._told()

    def _told(self) -> tuple[Any, ...]:
        """Its arguments: what was found out about it stays behind."""
        return tuple(getattr(self, f.name) for f in fields(self) if f.init)


def require_shape(name: str, values: Any, shape: tuple[int, ...]) -> None:
    """Refuse an array that compiled loops would read past its end.

    Raises:
        ValueError: `values` has another shape.
    """
    if tuple(values.shape) != tuple(shape):
        raise ValueError(f"{name} has shape {tuple(values.shape)}; it must be {tuple(shape)}, worlds and ports")


def _copied(value: Any) -> Any:
    if isinstance(value, Outlook):
        # The series are never written after they were packed; only the positions move.
        return Outlook(value.values, _copied(value.row), _copied(value.start))
    if isinstance(value, np.ndarray):
        return value.copy()
    if hasattr(value, "clone"):
        return value.clone()
    if isinstance(value, tuple):
        return type(value)(*(_copied(item) for item in value))
    return value

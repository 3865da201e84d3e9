"""Many scenario-days packed for a batch of worlds: a world plays a day by holding its index.

Series that are equal on many days (limits, baselines, the table of expected arrivals) are stored once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bank_checks import check_days
from .scenario import Scenario, Stays

Array = NDArray[Any]


class Series(NamedTuple):
    """`values[row[day]]` is the day's series."""

    values: Array
    row: Array  # (D,) int


class StayTable(NamedTuple):
    """The columns of `Stays` of all days in one table, rows sorted by (day, port, arrival); times in steps."""

    arrive_step: Array
    depart_step: Array
    said_depart_step: Array
    soc_arrive: Array
    target_soc: Array
    asked_kwh: Array
    stop_soc: Array
    charge_limit_soc: Array
    reserve_soc: Array
    min_soc: Array
    soc_known: Array
    export_consent: Array
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


class EventTable(NamedTuple):
    """Programme events `(D, E)`, padded with events that never start."""

    start_step: Array
    end_step: Array
    notice_step: Array
    rate_usd_per_kwh: Array
    pays_export: Array
    hours_used: Array


class DayTable(NamedTuple):
    """All that the step needs of the days, as arrays only, so that compiled code can take it."""

    stays: StayTable
    first_stay: Array  # (D, N + 1) row of each port's first stay of the day; ports are contiguous
    port_site: Array  # (N,)
    site_feeder: Array  # (S,)
    site_tariff: Array  # (S,)
    net_load_kw: Series  # (U, S, L)
    net_load_forecast_kw: Series
    site_import_limit_kw: Series
    site_export_limit_kw: Series
    feeder_import_limit_kw: Series  # (U, F, L)
    feeder_export_limit_kw: Series
    feeder_net_load_kw: Series  # the sites and the other load, without the cars
    feeder_net_load_forecast_kw: Series
    import_price: Series  # (U, P, L)
    export_price: Series
    import_price_forecast: Series  # (U, V, P, L)
    export_price_forecast: Series
    price_issue: Series  # (U, T)
    price_known_until: Series  # (U, V)
    emissions: Series  # (U, 1, L)
    emissions_forecast: Series
    emissions_issued: Series  # (U, T, Q) for the next Q steps
    baseline_kw: Series  # (U, S, L)
    expected_arrivals_kwh: Series  # (U, S, A, D)
    events: EventTable
    demand_rate: Array  # (D, S) $ per kW of this episode's peak
    fixed_usd_per_step: Array  # (D,)
    billing_peak_kw: Array  # (D, S)
    typical_peak_kw: Array  # (D, S)
    end_value_usd_per_kwh: Array  # (D, P) 25th percentile of the episode's import price, not below 0
    start_second: Array  # (D,) wall clock of step 0, seconds of the local day
    clock_shift_step: Array  # (D,) step at which the wall clock jumps; -1 never
    clock_shift_s: Array  # (D,) by how much
    weekday: Array  # (D,) of step 0


@dataclass(frozen=True)
class Bank:
    """Packed days that share one fleet, one time grid and one set of money terms."""

    scenarios: tuple[Scenario, ...]
    days: DayTable
    dtype: str

    @property
    def n_days(self) -> int:
        return len(self.scenarios)

    @property
    def first(self) -> Scenario:
        """The day that stands for what all days share."""
        return self.scenarios[0]


def pack(scenarios: Sequence[Scenario], dtype: str = "float64") -> Bank:
    """Pack days into a bank.

    Raises:
        ValueError: no day, or days that do not fit together; see `bank_checks.check_days`.
    """
    check_days(scenarios)
    first = scenarios[0]
    table, first_stay = _stack_stays(scenarios, dtype)
    length = first.import_price_usd_per_kwh.shape[1]

    def series(name: str, group: bool = False) -> Series:
        arrays = [np.asarray(getattr(s, name), dtype)[None] if group else getattr(s, name) for s in scenarios]
        return _stack_series(arrays, dtype)

    baseline = [_pad(s.baseline_kw, length) for s in scenarios]
    shifts = [_clock_shift(s) for s in scenarios]
    days = DayTable(
        stays=table,
        first_stay=first_stay,
        port_site=first.port_site.astype(np.int64),
        site_feeder=first.site_feeder.astype(np.int64),
        site_tariff=first.site_tariff.astype(np.int64),
        net_load_kw=series("site_net_load_kw"),
        net_load_forecast_kw=series("site_net_load_forecast_kw"),
        site_import_limit_kw=series("site_import_limit_kw"),
        site_export_limit_kw=series("site_export_limit_kw"),
        feeder_import_limit_kw=series("feeder_import_limit_kw"),
        feeder_export_limit_kw=series("feeder_export_limit_kw"),
        feeder_net_load_kw=_stack_series([_on_feeders(s, s.site_net_load_kw) for s in scenarios], dtype),
        feeder_net_load_forecast_kw=_stack_series(
            [_on_feeders(s, s.site_net_load_forecast_kw) for s in scenarios], dtype
        ),
        import_price=series("import_price_usd_per_kwh"),
        export_price=series("export_price_usd_per_kwh"),
        import_price_forecast=series("import_price_forecast_usd_per_kwh"),
        export_price_forecast=series("export_price_forecast_usd_per_kwh"),
        price_issue=_stack_series([s.price_issue_of_step for s in scenarios], "int64"),
        price_known_until=_stack_series([s.price_known_until_step for s in scenarios], "int64"),
        emissions=series("emissions_kg_per_kwh", group=True),
        emissions_forecast=series("emissions_forecast_kg_per_kwh", group=True),
        emissions_issued=series("emissions_issued_kg_per_kwh"),
        baseline_kw=_stack_series(baseline, dtype),
        expected_arrivals_kwh=series("expected_arrivals_kwh"),
        events=_stack_events(scenarios, dtype),
        demand_rate=np.array([_demand_rate(s) for s in scenarios], dtype),
        fixed_usd_per_step=np.array([s.fixed_usd_per_day.sum() * s.step_h / 24 for s in scenarios], dtype),
        billing_peak_kw=np.array([s.billing_peak_kw for s in scenarios], dtype),
        typical_peak_kw=np.array([s.typical_peak_kw for s in scenarios], dtype),
        end_value_usd_per_kwh=np.array([_end_value(s) for s in scenarios], dtype),
        start_second=np.array([s.start.hour * 3600 + s.start.minute * 60 for s in scenarios], np.int64),
        clock_shift_step=np.array([step for step, _ in shifts], np.int64),
        clock_shift_s=np.array([seconds for _, seconds in shifts], np.int64),
        weekday=np.array([s.start.weekday() for s in scenarios], np.int64),
    )
    return Bank(tuple(scenarios), days, dtype)


def _stack_stays(scenarios: Sequence[Scenario], dtype: str) -> tuple[StayTable, Array]:
    columns: dict[str, Array] = {}
    for name in StayTable._fields:
        column = np.concatenate([_column(s.stays, name) for s in scenarios])
        kept = {"i": np.int64, "b": np.bool_}.get(column.dtype.kind, np.dtype(dtype))
        columns[name] = column.astype(kept)
    first_stay = np.zeros((len(scenarios), scenarios[0].n_ports + 1), np.int64)
    base = 0
    for day, scenario in enumerate(scenarios):
        first_stay[day] = base + _port_offsets(scenario.stays, scenario.n_ports)
        base += len(scenario.stays)
    return StayTable(**columns), first_stay


def _column(stays: Stays, name: str) -> Array:
    """A column of the stays; a car that tells its SoC keeps its charge limit by itself, within the step.

    A set-point could not: 6 A over the step may be more than the room left below the limit.
    """
    if name != "stop_soc":
        return np.asarray(getattr(stays, name))
    return np.where(stays.soc_known, np.minimum(stays.stop_soc, stays.charge_limit_soc), stays.stop_soc)


def _port_offsets(stays: Stays, n_ports: int) -> Array:
    return np.searchsorted(stays.port, np.arange(n_ports + 1)).astype(np.int64)


def _stack_series(arrays: Sequence[Array], dtype: str) -> Series:
    known: dict[bytes, int] = {}
    unique: list[Array] = []
    row = np.zeros(len(arrays), np.int64)
    for day, array in enumerate(arrays):
        value = np.ascontiguousarray(array, dtype)
        key = value.tobytes()
        if key not in known:
            known[key] = len(unique)
            unique.append(value)
        row[day] = known[key]
    return Series(np.stack(unique), row)


def _stack_events(scenarios: Sequence[Scenario], dtype: str) -> EventTable:
    most = max(1, max(len(s.events.start_step) for s in scenarios))
    never = 1_000_000
    blank = {"start_step": never, "end_step": never, "notice_step": never}
    columns = {}
    for f in fields(type(scenarios[0].events)):
        kind = np.int64 if f.name.endswith("_step") else (np.bool_ if f.name == "pays_export" else np.dtype(dtype))
        table = np.full((len(scenarios), most), blank.get(f.name, 0), kind)
        for day, scenario in enumerate(scenarios):
            values = getattr(scenario.events, f.name)
            table[day, : len(values)] = values
        columns[f.name] = table
    return EventTable(**columns)


def _demand_rate(scenario: Scenario) -> Array:
    """$ per kW for this episode at each site: a share of the month where the bill's peak is still 0 (contracts 4)."""
    days = scenario.n_steps * scenario.step_h / 24
    share = np.where(scenario.billing_peak_kw > 0, 1.0, days / 30.4)
    return scenario.demand_rate_usd_per_kw[scenario.site_tariff] * share


def _on_feeders(scenario: Scenario, site_load_kw: Array) -> Array:
    load = scenario.feeder_other_load_kw.copy()
    np.add.at(load, scenario.site_feeder, site_load_kw)
    return load


def _end_value(scenario: Scenario) -> Array:
    prices = scenario.import_price_usd_per_kwh[:, : scenario.n_steps]
    return np.maximum(np.percentile(prices, 25, axis=1), 0.0)


def _clock_shift(scenario: Scenario) -> tuple[int, int]:
    """The step at which the wall clock jumps within day and outlook, and by how many seconds; (-1, 0) for none."""
    length = scenario.import_price_usd_per_kwh.shape[1]
    offsets = [scenario.time_of(step).utcoffset() for step in range(length + 1)]
    for step in range(1, length + 1):
        before, after = offsets[step - 1], offsets[step]
        if before is not None and after is not None and before != after:
            return step, int((after - before).total_seconds())
    return -1, 0


def _pad(array: Array, length: int) -> Array:
    return np.concatenate([array, np.zeros((array.shape[0], length - array.shape[1]))], axis=1)

"""From a request to the snapshot: what telemetry says becomes what a controller sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...envs.snapshot import Context, EventColumns, FeederColumns, Outlook, PortColumns, SiteColumns, Snapshot
from .request import Arrivals, DispatchRequest, Ports

Array = Any

HORIZON_H = 24.0
"""Of the snapshot's outlook: what the shipped scenarios and policies look ahead."""

GRID_ROUNDING_S = 1e-6
NO_FLOW_KW = 1e9
"""Stands for what a battery accepts where nobody says: the charger is the narrower one."""


def snapshot_of(request: DispatchRequest, horizon_h: float = HORIZON_H) -> Snapshot:
    """What a controller may know, from a request.

    Nothing is judged here: a port counts as plugged in where the request says so, a missing departure is beyond the
    outlook, a missing price is that of a day before, else the last known one, else 0, and a limit that nobody gives
    is none. What can be trusted is decided by `core.gates` before.
    """
    steps = request.steps(horizon_h)
    return Snapshot(
        step_h=request.interval_s / 3600,
        horizon=steps,
        port_site=request.ports.site,
        ports=_ports(request.ports, request.interval_s, steps),
        sites=_sites(request, steps),
        feeders=_feeders(request, steps),
        context=_context(request, steps),
        wear_usd_per_kwh=request.wear_usd_per_kwh,
        provenance=f"{request.fleet}: prices {request.prices.source}",
    )


def _ports(p: Ports, interval_s: int, steps: int) -> PortColumns:
    here = p.plugged == 1
    accept = np.where(np.isnan(p.battery_accept_kw), np.maximum(p.max_charge_kw, 1.0), p.battery_accept_kw)
    known = np.fmax(np.fmax(p.target_soc, p.soc), p.min_soc)
    columns = {name: getattr(p, name) for name in PortColumns._fields if hasattr(p, name)} | {
        "plugged": here,
        "battery_accept_kw": accept,
        "steps_left": whole_steps(p.departs_in_s, interval_s, steps),
        "charge_limit_soc": np.where(np.isnan(p.charge_limit_soc), known, p.charge_limit_soc),
        "export_consent": here & (p.export_consent == 1),
        "override": np.where(p.override_for_s > 0, p.override, 0).astype(np.int64),
        "override_steps": whole_steps(p.override_for_s, interval_s, steps),
        "setpoint_age_s": p.last_setpoint_age_s,
        "commands_today": np.where(np.isnan(p.commands_today), 0.0, p.commands_today).astype(np.int64),
    }
    # An empty port offers nothing, as in the simulator.
    for name in ("need_kwh", "power_kw", "max_charge_kw", "max_discharge_kw", "steps_left"):
        columns[name] = np.where(here, columns[name], 0).astype(columns[name].dtype)
    for name in ("soc", "target_soc", "last_setpoint_kw"):
        columns[name] = np.where(here, columns[name], np.nan)
    return PortColumns(**{name: column[None] for name, column in columns.items()})


def whole_steps(seconds: Array, interval_s: int, unknown: int) -> Array:
    """Whole steps in `seconds`, rounded down (contracts 1); `unknown` where NaN."""
    steps = np.floor((np.clip(seconds, -1e9, 1e9) + GRID_ROUNDING_S) / interval_s)
    return np.where(np.isnan(steps), unknown, steps).astype(np.int64)


def _sites(request: DispatchRequest, steps: int) -> SiteColumns:
    s = request.sites
    table = _arrivals_table(request.arrivals, len(s.id))
    return SiteColumns(
        feeder=s.feeder,
        tariff=s.tariff,
        net_load_kw=s.net_load_kw[None],
        net_load_forecast_kw=_load_ahead(s.net_load_forecast_kw, s.net_load_kw, steps),
        import_limit_kw=_limit(s.import_limit_kw, steps),
        export_limit_kw=_limit(s.export_limit_kw, steps),
        peak_kw=s.peak_kw[None],
        typical_peak_kw=s.typical_peak_kw[None],
        demand_rate_usd_per_kw=s.demand_rate_usd_per_kw[None],
        expected_arrivals_kwh=table,
        arrivals_row=np.zeros(1, np.int64),
        arrivals_hour=np.zeros(1, np.int64),
    )


def _feeders(request: DispatchRequest, steps: int) -> FeederColumns:
    f, s = request.feeders, request.sites
    of_sites = np.zeros(len(f.id))
    np.add.at(of_sites, s.feeder, s.net_load_kw)
    load = np.where(np.isnan(f.net_load_kw), of_sites, f.net_load_kw)
    return FeederColumns(
        net_load_kw=load[None],
        net_load_forecast_kw=_load_ahead(f.net_load_forecast_kw, load, steps),
        import_limit_kw=_limit(f.import_limit_kw, steps),
        export_limit_kw=_limit(f.export_limit_kw, steps),
    )


def _context(request: DispatchRequest, steps: int) -> Context:
    start, prices = request.cycle_start, request.prices
    buy, sell = (_price(series, request, steps) for series in (prices.import_usd_per_kwh, prices.export_usd_per_kwh))
    emissions = _stretched(request.emissions_kg_per_kwh[None], steps) if request.emissions_kg_per_kwh.size else None
    nothing = np.full((1, steps), np.nan)
    emissions = nothing if emissions is None else emissions
    return Context(
        seconds_of_day=np.array([start.hour * 3600 + start.minute * 60 + start.second]),
        weekday=np.array([start.weekday()]),
        import_price_now_usd_per_kwh=buy[:, 0][None],
        export_price_now_usd_per_kwh=sell[:, 0][None],
        import_price_usd_per_kwh=outlook(buy),
        export_price_usd_per_kwh=outlook(sell),
        price_known_steps=np.array([min(prices.known_steps, steps)]),
        emissions_now_kg_per_kwh=emissions[:, 0],
        emissions_kg_per_kwh=outlook(emissions),
        emissions_issued_kg_per_kwh=outlook(np.zeros((1, 0))),
        events=_events(request),
        baseline_kw=outlook(_stretched(request.sites.baseline_kw, steps)),
    )


def _events(request: DispatchRequest) -> EventColumns:
    e, nothing = request.events, np.zeros((1, 1))
    if not len(e.type):
        # One unknown event, as in a simulated day without any.
        never = np.full((1, 1), 1_000_000)
        return EventColumns(nothing.astype(bool), never, never, nothing, nothing.astype(bool), nothing)
    # An event that begins or ends within a step holds for the whole of it.
    start, end = np.floor(e.start_in_s / request.interval_s), np.ceil(e.end_in_s / request.interval_s)
    return EventColumns(
        known=np.ones((1, len(e.type)), bool),
        start_step=start.astype(np.int64)[None],
        end_step=end.astype(np.int64)[None],
        rate_usd_per_kwh=e.rate_usd_per_kwh[None],
        pays_export=(e.pays_export == 1)[None],
        hours_used=e.hours_used[None],
    )


def outlook(values: Array) -> Outlook:
    """An outlook of one world that holds exactly `values` (G, H)."""
    return Outlook(values[None], np.zeros(1, np.int64), np.zeros(1, np.int64))


def _stretched(values: Array, steps: int) -> Array:
    """(G, H) exactly: cut, or the last number held."""
    width = values.shape[1]
    return values[:, np.minimum(np.arange(steps), width - 1)]


def _limit(values: Array, steps: int) -> Outlook:
    return outlook(np.where(np.isnan(values), np.inf, values)[:, np.minimum(np.arange(steps), values.shape[1] - 1)])


def _load_ahead(forecast: Array, now: Array, steps: int) -> Outlook:
    ahead = _stretched(forecast, steps)
    return outlook(np.where(np.isnan(ahead), now[:, None], ahead))


def _price(values: Array, request: DispatchRequest, steps: int) -> Array:
    """Prices (P, H) without gaps."""
    whole = np.full((len(values), steps), np.nan)
    width = min(values.shape[1], steps)
    whole[:, :width] = values[:, :width]
    return filled_prices(whole, request.steps(24.0))


def filled_prices(values: Array, steps_per_day: int) -> Array:
    """Missing prices (P, H) replaced: by that of a day before, else the last known, else the first known, else 0.

    That is what contracts 1 does for hours that are not yet published.
    """
    missing_at = np.isnan(values)
    if not missing_at.any():
        return values
    made = values.copy()
    for step in np.flatnonzero(missing_at.any(axis=0)).tolist():
        missing = missing_at[:, step]
        if step:
            before = made[:, step - steps_per_day] if step >= steps_per_day else made[:, step - 1]
            made[:, step] = np.where(missing, before, made[:, step])
    first = np.argmax(~np.isnan(made), axis=1)
    start = made[np.arange(len(made)), first] if made.shape[1] else np.zeros(len(made))
    return np.nan_to_num(np.where(np.isnan(made), start[:, None], made))


def _arrivals_table(arrivals: Arrivals, sites: int) -> Array:
    if not len(arrivals.kwh):
        return np.zeros((1, sites, 0, 0))
    hours = int(max(arrivals.arrive_h.max(), arrivals.depart_h.max())) + 1
    table = np.zeros((1, sites, hours, hours))
    np.add.at(table[0], (arrivals.site, arrivals.arrive_h.astype(int), arrivals.depart_h.astype(int)), arrivals.kwh)
    return table

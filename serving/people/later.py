"""The request of a later cycle, as it would be sent if forecasts come true and nobody else arrives."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from ..messages.request import Arrivals, DispatchRequest, Events, Feeders, Ports, Prices, Sites
from ..messages.to_snapshot import HORIZON_H, filled_prices

Array = Any


class Cars(NamedTuple):
    """What the cars are at a later time, columns (N,)."""

    here: Array
    soc: Array  # as it will be told, with the age that it has; NaN where none can be trusted
    gained_kwh: Array  # into the battery since the first request
    power_kw: Array  # mean of the last step
    site_peak_kw: Array  # (S,)


def far_sighted(request: DispatchRequest) -> DispatchRequest:
    """The request with prices for a day more than the outlook, so that each later cycle has a whole one.

    Beyond what was sent they are those of the day before (contracts 1); gaps within what is published stay gaps.
    """
    prices, day = request.prices, request.steps(24.0)
    steps = day + request.steps(HORIZON_H)

    def longer(series: Array) -> Array:
        whole = np.full((len(series), max(steps, series.shape[1])), np.nan)
        whole[:, : series.shape[1]] = series
        nothing = np.isnan(whole).all(axis=1, keepdims=True)
        published = np.arange(whole.shape[1]) < max(prices.known_steps, 1)
        return np.where(nothing | published, whole, filled_prices(whole, day))

    both = {name: longer(getattr(prices, name)) for name in ("import_usd_per_kwh", "export_usd_per_kwh")}
    return replace(request, prices=prices._replace(**both))


def later_request(request: DispatchRequest, step: int, cars: Cars) -> DispatchRequest:
    """The request `step` intervals after the first, which was `far_sighted`."""
    passed_s = step * request.interval_s
    emissions = request.emissions_kg_per_kwh
    return replace(
        request,
        cycle_start=request.cycle_start + timedelta(seconds=passed_s),
        ports=_ports(request.ports, passed_s, cars),
        sites=_sites(request.sites, step, cars),
        feeders=_feeders(request.feeders, step),
        prices=_prices(request.prices, step),
        events=_events(request.events, passed_s),
        arrivals=_arrivals(request.arrivals, passed_s // 3600),
        emissions_kg_per_kwh=emissions[min(step, max(len(emissions) - 1, 0)) :],
    )


def _ports(p: Ports, passed_s: float, cars: Cars) -> Ports:
    return p._replace(
        plugged=np.where((p.plugged == 1) & ~cars.here, 0, p.plugged).astype(np.int8),
        soc=np.where(np.isnan(cars.soc), p.soc, cars.soc),
        need_kwh=p.need_kwh - cars.gained_kwh,
        power_kw=np.where(np.isnan(p.power_kw), np.nan, cars.power_kw),
        departs_in_s=p.departs_in_s - passed_s,
        override_for_s=p.override_for_s - passed_s,
        # From here on the plan's own memory tells what was sent.
        last_setpoint_age_s=np.full(len(p.id), np.nan),
        commands_today=np.full(len(p.id), np.nan),
    )


def _sites(s: Sites, step: int, cars: Cars) -> Sites:
    series = {name: _from(getattr(s, name), step) for name in ("net_load_forecast_kw", *_LIMITS, "baseline_kw")}
    return s._replace(
        net_load_kw=_load(s.net_load_kw, s.net_load_forecast_kw, step), peak_kw=cars.site_peak_kw, **series
    )


_LIMITS = ("import_limit_kw", "export_limit_kw")


def _feeders(f: Feeders, step: int) -> Feeders:
    series = {name: _from(getattr(f, name), step) for name in ("net_load_forecast_kw", *_LIMITS)}
    return f._replace(net_load_kw=_load(f.net_load_kw, f.net_load_forecast_kw, step), **series)


def _prices(p: Prices, step: int) -> Prices:
    both = {name: _from(getattr(p, name), step) for name in ("import_usd_per_kwh", "export_usd_per_kwh")}
    return p._replace(known_steps=max(p.known_steps - step, 1), **both)


def _events(e: Events, passed_s: float) -> Events:
    return e._replace(start_in_s=e.start_in_s - passed_s, end_in_s=e.end_in_s - passed_s)


def _arrivals(a: Arrivals, hours: int) -> Arrivals:
    """What is still to come; what was expected before now no longer counts."""
    left = a.arrive_h >= hours
    return Arrivals(a.site[left], a.arrive_h[left] - hours, a.depart_h[left] - hours, a.kwh[left])


def _from(series: Array, step: int) -> Array:
    """A series (G, W) from a later step on; its last number holds."""
    return series[:, min(step, series.shape[1] - 1) :]


def _load(now: Array, forecast: Array, step: int) -> Array:
    ahead = _from(forecast, step)[:, 0]
    return np.where(np.isnan(ahead), now, ahead)

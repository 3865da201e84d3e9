"""The series of a snapshot over the planning window, all worlds at once: what is known now, then what is forecast."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...envs.snapshot import Outlook, Snapshot

Array = NDArray[Any]


class Series(NamedTuple):
    """Symbols: `B` worlds, `P` tariffs, `S` sites, `F` feeders, `T` steps, the present one first; powers in kW."""

    import_price_usd_per_kwh: Array  # (B, P, T)
    export_price_usd_per_kwh: Array  # (B, P, T)
    site_load_kw: Array  # (B, S, T) base load minus PV, without the cars
    site_import_limit_kw: Array  # (B, S, T)
    site_export_limit_kw: Array  # (B, S, T)
    feeder_load_kw: Array  # (B, F, T) without the cars
    feeder_import_limit_kw: Array  # (B, F, T)
    feeder_export_limit_kw: Array  # (B, F, T)
    baseline_kw: Array  # (B, S, T) of the programme
    emissions_kg_per_kwh: Array  # (B, T)


def series_of(snapshot: Snapshot, steps: int, persistent_load: bool = False) -> Series:
    """Read the next `steps` steps of every series; a persistent load's forecast is moved by what it is off now."""

    def ahead(outlook: Outlook, now: Array | None = None) -> Array:
        window = np.array(outlook.window(steps), float)
        if now is not None:
            window[:, :, 0] = now
        return window

    def load(forecast: Outlook, now: Array) -> Array:
        window = ahead(forecast)
        return window + (now - window[:, :, 0])[..., None] if persistent_load else ahead(forecast, now)

    sites, feeders, context = snapshot.sites, snapshot.feeders, snapshot.context
    return Series(
        ahead(context.import_price_usd_per_kwh, context.import_price_now_usd_per_kwh),
        ahead(context.export_price_usd_per_kwh, context.export_price_now_usd_per_kwh),
        load(sites.net_load_forecast_kw, sites.net_load_kw),
        ahead(sites.import_limit_kw),
        ahead(sites.export_limit_kw),
        load(feeders.net_load_forecast_kw, feeders.net_load_kw),
        ahead(feeders.import_limit_kw),
        ahead(feeders.export_limit_kw),
        ahead(context.baseline_kw),
        np.asarray(snapshot.emissions_window(steps), float),
    )

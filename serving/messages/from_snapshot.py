"""From a snapshot to a request: what simulated ports would have sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from ...envs.snapshot import Outlook, Snapshot
from . import fields as f
from .request import Arrivals, DispatchRequest, Events, Feeders, Ports, Prices, Sites

Array = Any


def request_of(
    snapshot: Snapshot,
    cycle_start: datetime,
    *,
    fleet: str = "simulated",
    world: int = 0,
    port_ids: Sequence[str] | None = None,
) -> DispatchRequest:
    """The request that says what a world's snapshot says; `snapshot_of` gives an equal snapshot back.

    Args:
        snapshot: of the simulator.
        cycle_start: the start of the step, with its offset.
        fleet: its name.
        world: which world of the snapshot.
        port_ids: names of the ports; None: `p0`, `p1`, ...
    """
    n, interval_s = snapshot.n_ports, round(snapshot.step_h * 3600)
    known = min(int(snapshot.context.price_known_steps[world]), snapshot.horizon)
    buy, sell = snapshot.context.import_price_usd_per_kwh, snapshot.context.export_price_usd_per_kwh
    return DispatchRequest(
        fleet=fleet,
        cycle_start=cycle_start,
        interval_s=interval_s,
        ports=_ports(snapshot, world, np.array(port_ids or _names("p", n)), interval_s),
        sites=_sites(snapshot, world),
        feeders=_feeders(snapshot, world),
        prices=Prices(
            tariff=_names("t", snapshot.context.import_price_now_usd_per_kwh.shape[1]),
            import_usd_per_kwh=_priced(buy, snapshot.context.import_price_now_usd_per_kwh, snapshot.horizon, world),
            export_usd_per_kwh=_priced(sell, snapshot.context.export_price_now_usd_per_kwh, snapshot.horizon, world),
            known_steps=known,
            published_age_s=np.nan,
            source=snapshot.provenance or "simulated",
        ),
        events=_events(snapshot, world, interval_s),
        arrivals=_arrivals(snapshot, world),
        emissions_kg_per_kwh=snapshot.emissions_window()[world].astype(np.float64),
        wear_usd_per_kwh=snapshot.wear_usd_per_kwh,
    )


def _names(letter: str, count: int) -> Array:
    return np.array([f"{letter}{at}" for at in range(count)])


def _ports(snapshot: Snapshot, world: int, names: Array, interval_s: int) -> Ports:
    now = {name: column[world] for name, column in snapshot.ports._asdict().items()}
    said = {name: np.asarray(now[name], np.float64) for name in f.PORT_FIELDS if name in now} | {
        "plugged_age_s": np.zeros(len(names)),
        "departs_in_s": now["steps_left"] * float(interval_s),
        "override_for_s": now["override_steps"] * float(interval_s),
        "last_setpoint_age_s": np.asarray(now["setpoint_age_s"], np.float64),
    }
    return Ports(
        id=names,
        car=np.zeros(len(names), "<U1"),
        site=np.asarray(snapshot.port_site, np.int64),
        plugged=now["plugged"].astype(np.int8),
        export_consent=now["export_consent"].astype(np.int8),
        override=now["override"].astype(np.int8),
        **said,
    )


def _sites(snapshot: Snapshot, world: int) -> Sites:
    s, steps = snapshot.sites, snapshot.horizon
    return Sites(
        id=_names("s", len(s.feeder)),
        feeder=np.asarray(s.feeder, np.int64),
        tariff=np.asarray(s.tariff, np.int64),
        **{name: np.asarray(getattr(s, name)[world], np.float64) for name in f.SITE_FIELDS},
        net_load_forecast_kw=_ahead(s.net_load_forecast_kw, steps, world),
        import_limit_kw=_limit(s.import_limit_kw, steps, world),
        export_limit_kw=_limit(s.export_limit_kw, steps, world),
        baseline_kw=_ahead(snapshot.context.baseline_kw, steps, world),
    )


def _feeders(snapshot: Snapshot, world: int) -> Feeders:
    g, steps = snapshot.feeders, snapshot.horizon
    return Feeders(
        id=_names("f", g.net_load_kw.shape[1]),
        net_load_kw=np.asarray(g.net_load_kw[world], np.float64),
        net_load_forecast_kw=_ahead(g.net_load_forecast_kw, steps, world),
        import_limit_kw=_limit(g.import_limit_kw, steps, world),
        export_limit_kw=_limit(g.export_limit_kw, steps, world),
    )


def _ahead(outlook: Outlook, steps: int, world: int) -> Array:
    return outlook.window(steps)[world].astype(np.float64)


def _limit(outlook: Outlook, steps: int, world: int) -> Array:
    limit = _ahead(outlook, steps, world)
    return np.where(np.isinf(limit), np.nan, limit)


def _priced(outlook: Outlook, now: Array, steps: int, world: int) -> Array:
    """The outlook with the price that is paid now in its first step."""
    window = _ahead(outlook, steps, world)
    window[:, 0] = now[world]
    return window


def _events(snapshot: Snapshot, world: int, interval_s: int) -> Events:
    columns = {name: column[world] for name, column in snapshot.context.events._asdict().items()}
    told = columns["known"] & (columns["end_step"] > 0)
    told &= columns["start_step"] * float(interval_s) < f.NEVER_S
    columns = {name: column[told] for name, column in columns.items()}
    return Events(
        type=np.array(["programme"] * int(told.sum()), "<U9"),
        pays_export=columns["pays_export"].astype(np.int8),
        binding=np.zeros(int(told.sum()), np.int8),
        start_in_s=columns["start_step"] * float(interval_s),
        end_in_s=columns["end_step"] * float(interval_s),
        rate_usd_per_kwh=np.asarray(columns["rate_usd_per_kwh"], np.float64),
        hours_used=np.asarray(columns["hours_used"], np.float64),
    )


def _arrivals(snapshot: Snapshot, world: int) -> Arrivals:
    """What is expected after the present hour; what is expected before it no longer counts."""
    s = snapshot.sites
    hour = int(s.arrivals_hour[world])
    table = s.expected_arrivals_kwh[s.arrivals_row[world], :, hour:, hour:]
    site, arrive, depart = np.nonzero(table)
    return Arrivals(site, arrive.astype(float), depart.astype(float), np.asarray(table[site, arrive, depart], float))

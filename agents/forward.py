"""A fleet rolled forward from a snapshot: what the present cars draw and where that takes them, as forecasts have it.

Forecasts come true, cars leave when they said, and nobody else arrives.

Symbols: `B` snapshots, `N` ports.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.physics.backends import ROUNDING, port_model
from ..envs.physics.port import FULL_SOC
from ..envs.safety.car import car_model
from ..envs.safety.projection import Projector
from ..envs.snapshot import Outlook, PortColumns, Snapshot

Array = NDArray[Any]


def rolled_forward(snapshot: Snapshot, wish_kw: Array, projector: Projector, steps: int) -> Array:
    """What the present cars draw in each of the next steps (B, steps) when asked for `wish_kw` (B, N) throughout."""
    draws = []
    for _ in range(steps):
        applied = np.asarray(projector.project(snapshot, wish_kw).applied_kw)
        ports, power_kw = driven(snapshot.ports, applied, snapshot.step_h)
        draws.append(power_kw.sum(axis=1))
        if len(draws) < steps:
            snapshot = _one_later(snapshot, ports)
    return np.stack(draws, axis=1)


def filled(ports: PortColumns) -> PortColumns:
    """The columns with ones where an empty port has zeros that the formulas divide by."""
    names = ("capacity_kwh", "battery_accept_kw", "charge_efficiency", "discharge_efficiency")
    ones = {name: np.where(ports.plugged, getattr(ports, name), 1.0) for name in names}
    return ports._replace(taper_soc=np.where(ports.plugged, ports.taper_soc, 0.5), **ones)


def planned_soc(p: PortColumns) -> tuple[Array, Array]:
    """State of charge (B, N), also where a need stands in for it, and where charging stops."""
    known = ~np.isnan(p.soc)
    soc = car_model("numpy").plan_soc(p.soc, known, p.need_kwh, p.capacity_kwh)
    return np.where(p.plugged, soc, 0.0), np.where(known, np.minimum(p.charge_limit_soc, FULL_SOC), FULL_SOC)


def driven(ports: PortColumns, setpoint_kw: Array, step_h: float) -> tuple[PortColumns, Array]:
    """The ports after a step under set-points, and the mean power drawn in it (B, N)."""
    p, port = filled(ports), port_model("numpy")
    setpoint = port.offered_power(
        setpoint_kw, p.max_charge_kw, p.max_discharge_kw, p.min_charge_kw, p.min_discharge_kw, p.step_kw,
        ROUNDING[8],
    )  # fmt: skip
    soc, stop = planned_soc(p)
    curve = (p.capacity_kwh, p.taper_soc, p.battery_accept_kw, p.charge_efficiency, p.fixed_loss_kw, stop)
    up, drawn = port.charge(soc, np.maximum(setpoint, 0.0), step_h, *curve)
    give = np.maximum(-setpoint, 0.0)
    down, given = port.discharge(soc, give, step_h, p.capacity_kwh, p.discharge_efficiency, p.fixed_loss_kw, 0.0)
    after = np.where(setpoint > 0, up, np.where(setpoint < 0, down, soc))
    moved = ports._replace(
        soc=np.where(np.isnan(ports.soc), np.nan, after), need_kwh=ports.need_kwh - p.capacity_kwh * (after - soc)
    )
    energy = np.where(setpoint > 0, drawn, 0.0) - np.where(setpoint < 0, given, 0.0)
    return moved, np.where(ports.plugged, energy / step_h, 0.0)


def _one_later(snapshot: Snapshot, ports: PortColumns) -> Snapshot:
    """The snapshot a step later as far as it can be told now: forecasts come true, cars leave when they said."""
    sites, feeders, context = (_moved_on(part) for part in (snapshot.sites, snapshot.feeders, snapshot.context))
    override_steps = np.maximum(ports.override_steps - 1, 0)
    seconds, hours = context.seconds_of_day + round(snapshot.step_h * 3600), sites.arrivals_hour
    ports = ports._replace(
        steps_left=ports.steps_left - 1, plugged=ports.plugged & (ports.steps_left > 1),
        override_steps=override_steps, override=np.where(override_steps > 0, ports.override, 0),
    )  # fmt: skip
    return replace(
        snapshot, horizon=snapshot.horizon - 1, ports=ports,
        sites=sites._replace(
            net_load_kw=sites.net_load_forecast_kw.now(),
            arrivals_hour=hours + seconds // 3600 - context.seconds_of_day // 3600,
        ),
        feeders=feeders._replace(net_load_kw=feeders.net_load_forecast_kw.now()),
        context=context._replace(
            seconds_of_day=seconds,
            import_price_now_usd_per_kwh=context.import_price_usd_per_kwh.now(),
            export_price_now_usd_per_kwh=context.export_price_usd_per_kwh.now(),
        ),
    )  # fmt: skip


def _moved_on(columns: Any) -> Any:
    outlooks = {name: value for name, value in columns._asdict().items() if isinstance(value, Outlook)}
    return columns._replace(**{name: value._replace(start=value.start + 1) for name, value in outlooks.items()})

"""What a live service does without its policy: nobody is late, events and peaks are left alone, then cheapest first."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...envs.safety.view import CarView, car_view
from ...envs.snapshot import Snapshot
from .rule import Array, Rule, wanted_power

TIE_USD_PER_KWH = 1e-9
TINY_H = 1e-9
DAY_S = 86400


class Fallback(Rule):
    """Least laxity in four sentences, for one car as for a million.

    A car whose latest start has come charges. Else it pauses in programme events and peak windows. Else it charges if
    this is one of the cheapest steps that are left to it, the earliest first among equals. It exports only while an
    event pays for export, or where the export price pays for the energy to refill, for the losses and for the wear.

    Args:
        peak_local_hours: from and to, on the local clock; None: no peak window beside what prices say.
        export_margin_usd_per_kwh: by which an export has to pay more than it costs.
    """

    name = "fallback"

    def __init__(
        self, peak_local_hours: tuple[float, float] | None = None, export_margin_usd_per_kwh: float = 0.02
    ) -> None:
        self._peak, self._margin = peak_local_hours, export_margin_usd_per_kwh

    def act(self, snapshot: Snapshot) -> Array:
        """Full power, full export or 0, kW, `(B, N)`."""
        cars, tables = car_view(snapshot), _Tables(snapshot, self._avoided(snapshot))
        late = cars.laxity_h < snapshot.step_h - TINY_H
        needed = np.ceil(cars.hours_to_target / snapshot.step_h - TINY_H)
        at = np.clip(cars.steps_left, 1, snapshot.horizon) - 1
        cheapest = ~tables.avoided_now & (tables.cheaper(at) < needed)
        request = np.where(late | cheapest, wanted_power(cars), 0.0)
        return np.where(~late & self._pays(snapshot, cars, tables, at), -cars.can_discharge_kw, request)

    def _avoided(self, snapshot: Snapshot) -> Any:
        """Whether each step of the outlook lies in an event or a peak window, (B, H)."""
        steps, events = np.arange(snapshot.horizon), snapshot.context.events
        from_, to = events.start_step[..., None], events.end_step[..., None]
        avoided = (events.known[..., None] & (from_ <= steps) & (steps < to)).any(axis=1)
        if self._peak is None:
            return avoided
        hour = (snapshot.context.seconds_of_day[:, None] + steps * snapshot.step_h * 3600) % DAY_S / 3600
        first, last = self._peak
        return avoided | ((first <= hour) & (hour < last))

    def _pays(self, snapshot: Snapshot, cars: CarView, tables: _Tables, at: Any) -> Any:
        ports = snapshot.ports
        out = np.where(ports.plugged, ports.discharge_efficiency, 1.0)
        into = np.where(ports.plugged, ports.charge_efficiency, 1.0)
        refill = tables.cheapest_later(at) / (into * out) + snapshot.wear_usd_per_kwh / out
        return (cars.can_discharge_kw > 0) & (export_value(snapshot) > refill + self._margin)


def export_value(snapshot: Snapshot) -> Any:
    """What a kWh exported now is paid, $/kWh `(B, N)`: export price and running events that pay for export."""
    tariff = snapshot.sites.tariff[snapshot.port_site]
    return snapshot.context.export_price_now_usd_per_kwh[:, tariff] + export_rate(snapshot)[:, None]


def export_rate(snapshot: Snapshot) -> Any:
    """What the running events that pay for export pay at most, $/kWh `(B,)`; 0 without one."""
    e = snapshot.context.events
    running = e.known & (e.start_step <= 0) & (e.end_step > 0) & e.pays_export
    return np.where(running, e.rate_usd_per_kwh, 0.0).max(axis=1, initial=0.0)


class _Tables:
    """Sums over the outlook by tariff, looked up by each car's last step: a fleet of any size costs one table."""

    def __init__(self, snapshot: Snapshot, avoided: Any) -> None:
        context = snapshot.context
        price = context.import_price_usd_per_kwh.window(snapshot.horizon)
        price[:, :, 0] = context.import_price_now_usd_per_kwh
        below = (price < price[:, :, :1] - TIE_USD_PER_KWH) & ~avoided[:, None]
        self.avoided_now = avoided[:, :1]
        self._cheaper = below.cumsum(axis=2)
        later = price.copy()
        later[:, :, 0] = np.inf
        self._least = np.minimum.accumulate(later, axis=2)
        self._world = np.arange(snapshot.n_worlds)[:, None]
        self._tariff = snapshot.sites.tariff[snapshot.port_site]

    def cheaper(self, at: Any) -> Any:
        """How many steps up to `at` (B, N) are cheaper than this one and not to be avoided."""
        return self._cheaper[self._world, self._tariff, at]

    def cheapest_later(self, at: Any) -> Any:
        """The least import price of the steps after this one up to `at`; infinite where there is none."""
        return self._least[self._world, self._tariff, at]

"""The encoder in array form, for NumPy (the reference, and what serving runs) and torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..physics.backends import operations
from ..safety.library import Library
from ..safety.survey import CarNow
from ..snapshot import Snapshot
from .array_level import planned_level
from .features import features
from .fields import (
    DAY_H,
    DEMAND_SCALE,
    EMISSION_SCALE,
    HEADROOM_EVERY_H,
    HEADROOM_POINTS,
    OUTLOOK_HOURS,
    PRICE_SCALE,
    RATE_SCALE,
)
from .later import LaterArrivals


class ArrayCoder:
    """Encodes snapshots by array operations."""

    def __init__(self, backend: str) -> None:
        self._ops, self._features = operations(backend), features(backend)
        self._torch = backend == "torch"
        self._lib, self._later = Library(backend), LaterArrivals()

    def ports(self, snapshot: Snapshot, cars: CarNow) -> Any:
        """Port features (B, N, K)."""
        o, p, s = self._ops, snapshot.ports, snapshot.sites
        here, one = p.plugged, p.capacity_kwh * 0 + 1
        known, steps = p.soc == p.soc, p.steps_left
        capacity = o.where(here, p.capacity_kwh, one)
        at = o.minimum(o.maximum(steps, 1), snapshot.horizon) - 1
        site, tariff = snapshot.port_site, s.tariff[snapshot.port_site]
        slots, cheapest, cheapest_at, best = self._price_tables(snapshot, at)
        load = s.net_load_kw[:, site]
        full = self._on_sites(snapshot, p.max_charge_kw)[:, site]
        last = o.where(p.last_setpoint_kw == p.last_setpoint_kw, p.last_setpoint_kw, one * 0)
        c = snapshot.context
        price, export = c.import_price_now_usd_per_kwh[:, tariff], c.export_price_now_usd_per_kwh[:, tariff]
        of_site = self._features.of_site(
            price, export, s.import_limit_kw.now()[:, site] - load, s.peak_kw[:, site] - load, full,
            s.demand_rate_usd_per_kw[:, site], self._level(snapshot, cars)[:, site] - load,
        )  # fmt: skip
        values = self._features.of_port(
            cars.soc, known, cars.target_soc, cars.need_h, steps * one * snapshot.step_h, cars.take_kw, cars.give_kw,
            capacity, p.charge_limit_soc, p.reserve_soc, p.min_soc, p.max_charge_kw, p.min_charge_kw, slots,
            cars.need_h / snapshot.step_h, at + one, price, cheapest, cheapest_at * snapshot.step_h, export, best, last,
            load, p.override * one, of_site,
        )  # fmt: skip
        return self._where_here(here, self._stack([value * one for value in values]))

    def _level(self, snapshot: Snapshot, cars: CarNow) -> Any:
        """The level (B, S) that each site's import is to keep to; 0 everywhere where no peak is paid for."""
        due_kwh = self._later.where_paid_kwh(snapshot)
        if due_kwh is None:
            return snapshot.sites.net_load_kw * 0
        return planned_level(self._lib, snapshot, cars, due_kwh)

    def _stack(self, columns: list[Any]) -> Any:
        if self._torch:
            torch = self._lib.torch
            return torch.stack(columns, -1).to(torch.float32)
        stacked = np.empty((*columns[0].shape, len(columns)), np.float32)
        for at, column in enumerate(columns):
            stacked[..., at] = column
        return stacked

    def _where_here(self, here: Any, stacked: Any) -> Any:
        """Zeros for ports without a car."""
        if self._torch:
            return self._lib.torch.where(here[..., None], stacked, 0.0)
        stacked[~here] = 0.0
        return stacked

    def _on_sites(self, snapshot: Snapshot, values: Any) -> Any:
        """Sum of a port column by site (B, S)."""
        return self._lib.group(snapshot.port_site, len(snapshot.sites.feeder)).total(values)

    def _price_tables(self, snapshot: Snapshot, at: Any) -> tuple[Any, Any, Any, Any]:
        """Steps at or below the price now, cheapest price and its step, best export, over each stay (B, N).

        Computed once for each tariff, of which there are few.
        """
        buy, sell = snapshot.tariff_prices(True), snapshot.tariff_prices(False)
        one, torch = buy[..., :1] * 0 + 1, self._lib.torch
        below = ((buy <= buy[..., :1]) * one).cumsum(-1)
        low = torch.cummin(buy, -1).values if torch else np.minimum.accumulate(buy, -1)
        high = torch.cummax(sell, -1).values if torch else np.maximum.accumulate(sell, -1)
        # The first of equal minima: the last step at which the running minimum fell.
        steps = self._lib.count(1, snapshot.horizon, buy) * (low[..., 1:] < low[..., :-1]) * one
        last_fall = torch.cummax(steps, -1).values if torch else np.maximum.accumulate(steps, -1)
        join = torch.cat if torch else np.concatenate
        low_at = join([one * 0, last_fall], -1)
        world = self._lib.count(0, snapshot.n_worlds, buy)[:, None]
        tariff = snapshot.sites.tariff[snapshot.port_site]
        return below[world, tariff, at], low[world, tariff, at], low_at[world, tariff, at], high[world, tariff, at]

    def context(self, snapshot: Snapshot, cars: CarNow) -> Any:
        """Context features (B, M)."""
        o, c, s, f = self._ops, snapshot.context, snapshot.sites, snapshot.feeders
        p, horizon, per_hour = snapshot.ports, snapshot.horizon, round(1 / snapshot.step_h)
        one = s.net_load_kw[:, 0] * 0 + 1
        xp: Any = self._lib.torch or np
        angle = 2 * math.pi * c.seconds_of_day * one / 86400
        emissions = c.emissions_now_kg_per_kwh
        known = emissions == emissions
        left = o.where(p.plugged, o.maximum(p.steps_left, 1) * one[:, None] * snapshot.step_h, 0.0).sum(1)
        needed = cars.need_h.sum(1) / o.maximum(left, 1e-9)
        columns = [
            xp.sin(angle), xp.cos(angle), (c.weekday >= 5) * one, snapshot.step_h * one,
            p.plugged.sum(1) * one / snapshot.n_ports, _clip(o, needed, 0, 2),
            _clip(o, c.price_known_steps * one / horizon, 0, 1),
            _clip(o, s.demand_rate_usd_per_kw.mean(1) / DEMAND_SCALE, 0, 2),
            o.where(known, _clip(o, emissions / EMISSION_SCALE, 0, 2), one * 0), known * one,
        ]  # fmt: skip
        columns += self._event_columns(snapshot, one)
        full_kw = o.maximum(p.max_charge_kw.sum(1), 1.0)[:, None]
        at = [min(i * HEADROOM_EVERY_H * per_hour, horizon - 1) for i in range(HEADROOM_POINTS)]
        limit, load = f.import_limit_kw.window(horizon)[..., at], f.net_load_forecast_kw.window(horizon)[..., at]
        load[..., 0] = f.net_load_kw
        rooms = _clip(o, (limit - load).sum(1) / full_kw, -2, 2)
        blocks = [self._stack([column * one for column in columns]), rooms]
        hours = [min(i * per_hour, horizon - 1) for i in range(OUTLOOK_HOURS)]
        for outlook, now in (
            (c.import_price_usd_per_kwh, c.import_price_now_usd_per_kwh),
            (c.export_price_usd_per_kwh, c.export_price_now_usd_per_kwh),
        ):
            price = outlook.window(horizon).mean(1)[:, hours]
            price[:, 0] = now.mean(1)
            blocks.append(_squash(o, price, PRICE_SCALE))
        return self._beside(blocks)

    def _beside(self, blocks: list[Any]) -> Any:
        """Blocks of columns (B, ...) as one, in single precision."""
        if self._torch:
            torch = self._lib.torch
            return torch.cat([block.to(torch.float32) for block in blocks], -1)
        joined: Any = np.concatenate(blocks, -1, dtype=np.float32)
        return joined

    def _event_columns(self, snapshot: Snapshot, one: Any) -> list[Any]:
        o, e, step_h = self._ops, snapshot.context.events, snapshot.step_h
        wide = e.rate_usd_per_kwh * 0
        told = e.known & (e.end_step > 0)
        running, coming = told & (e.start_step <= 0), told & (e.start_step > 0)

        def most(values: Any) -> Any:
            return values.max(1).values if self._torch else values.max(1)

        rate = most(o.where(told, e.rate_usd_per_kwh, wide))
        ends = most(o.where(running, e.end_step * step_h + wide, wide))
        starts = -most(o.where(coming, -(e.start_step * step_h + wide), wide - DAY_H))
        return [
            most(running * 1.0) * one, _squash(o, o.maximum(rate, 0.0), RATE_SCALE), _clip(o, starts / DAY_H, 0, 1),
            _clip(o, ends / DAY_H, 0, 1), most((told & e.pays_export) * 1.0) * one,
        ]  # fmt: skip


def _clip(o: Any, x: Any, low: float, high: float) -> Any:
    return o.minimum(o.maximum(x, low), high)


def _squash(o: Any, x: Any, scale: float) -> Any:
    return x / (scale + o.maximum(x, -x))

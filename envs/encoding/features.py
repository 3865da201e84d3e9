"""A port's features from its readings: elementwise, once for every back end; see `fields.PORT_FIELDS`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from ..physics.backends import compile_scalar, operations
from ..physics.port import Operations
from .fields import DAY_H, ENERGY_SCALE, POWER_SCALE, PRICE_SCALE


def make_port_features(ops: Operations, compile_: Callable[..., Any] = lambda function: function) -> Any:
    """Build the function for one back end."""
    where, minimum, maximum = ops.where, ops.minimum, ops.maximum
    zero, one, two, three, five, tiny = (ops.number(x) for x in (0.0, 1.0, 2.0, 3.0, 5.0, 1e-9))
    price = ops.number(PRICE_SCALE)
    # A product takes a fraction of a quotient's time, and there are two dozen of them.
    per_day, per_energy, per_power = (ops.number(1.0 / x) for x in (DAY_H, ENERGY_SCALE, POWER_SCALE))

    @compile_
    def clip(x, low, high):
        return minimum(maximum(x, low), high)

    @compile_
    def squash(x, scale):
        return x / (scale + maximum(x, -x))

    @compile_
    def port_features(
        soc, known, target, need_h, left_h, top_kw, export_kw, capacity_kwh, charge_limit, reserve, min_soc,
        max_charge_kw, slots, slots_needed, slots_left, price_now, cheapest, cheapest_h, export_now, best_export,
        last_kw, site_room_kw, site_load_kw, peak_room_kw, site_cars_kw, demand_rate, override,
        typical_room_kw,
    ):  # fmt: skip
        """All features of a port, in the order of `PORT_FIELDS`; the caller writes zeros for empty ports."""
        need = clip(target - soc, zero, one)
        per_site_kw, per_kw = one / maximum(site_cars_kw, one), one / maximum(max_charge_kw, one)
        limit = where(known, charge_limit, target)
        floor = maximum(reserve, min_soc)
        per_slot = one / maximum(slots_left, one)
        return (
            clip(soc, zero, one),
            where(known, one, zero),
            need,
            clip(need * capacity_kwh * per_energy, zero, two),
            clip(need_h * per_day, zero, two),
            clip(left_h * per_day, zero, two),
            clip((left_h - need_h) * per_day, -two, two),
            clip(need_h / maximum(left_h, need_h + tiny), zero, one),
            clip(top_kw * per_power, zero, five),
            clip(export_kw * per_power, zero, five),
            clip(capacity_kwh * per_energy, zero, three),
            clip(limit - soc, zero, one),
            where(known, clip(soc - floor, zero, one), zero),
            clip(slots * per_slot, zero, one),
            clip((slots - slots_needed) * per_slot, -two, one),
            squash(price_now - cheapest, price),
            squash(best_export - price_now, price),
            squash(export_now - best_export, price),
            clip(cheapest_h * per_day, zero, one),
            squash(price_now, price),
            squash(export_now, price),
            clip(last_kw * per_kw, -one, one),
            clip(site_room_kw * per_site_kw, -two, two),
            clip(site_load_kw * per_kw, -two, two),
            where(demand_rate > zero, clip(peak_room_kw * per_site_kw, -two, two), one),
            where(override > zero, one, zero),
            clip(max_charge_kw * per_power, zero, five),
            where(typical_room_kw == typical_room_kw, clip(typical_room_kw * per_site_kw, -two, two), one),
        )

    return port_features


@cache
def port_features(backend: str) -> Any:
    """The features' function of `backend`; see `physics.backends.operations`."""
    ops = operations(backend)
    return make_port_features(ops, compile_scalar) if backend == "numba" else make_port_features(ops)

"""A port's features from its readings: elementwise, once for every back end; see `fields.PORT_FIELDS`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from ..physics.backends import compile_scalar, operations
from ..physics.port import Operations
from .fields import DAY_H, ENERGY_SCALE, POWER_SCALE, PRICE_SCALE


class Features(NamedTuple):
    """The functions of one back end; see their docstrings in `make_features`."""

    of_site: Callable[..., Any]
    of_port: Callable[..., Any]


def make_features(ops: Operations, compile_: Callable[..., Any] = lambda function: function) -> Features:
    """Build the functions for one back end."""
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
    def of_site(price_now, export_now, room_kw, peak_room_kw, site_cars_kw, demand_rate, planned_room_kw):
        """What all ports of a site share: the prices now, and its rooms over the full set-points of its cars."""
        per_kw = one / maximum(site_cars_kw, one)
        return (
            squash(price_now, price),
            squash(export_now, price),
            clip(room_kw * per_kw, -two, two),
            where(demand_rate > zero, clip(peak_room_kw * per_kw, -two, two), one),
            where(demand_rate > zero, clip(planned_room_kw * per_kw, -two, two), one),
        )

    @compile_
    def of_port(
        soc, known, target, need_h, left_h, top_kw, export_kw, capacity_kwh, charge_limit, reserve, min_soc,
        max_charge_kw, min_charge_kw, slots, slots_needed, slots_left, price_now, cheapest, cheapest_h, export_now,
        best_export, last_kw, site_load_kw, override, site,
    ):  # fmt: skip
        """All features of a port, in the order of `PORT_FIELDS`, with those of its `site`.

        The caller writes zeros for empty ports.
        """
        need = clip(target - soc, zero, one)
        per_kw = one / maximum(max_charge_kw, one)
        limit = where(known, charge_limit, target)
        floor = maximum(reserve, min_soc)
        per_slot = one / maximum(slots_left, one)
        price_level, export_level, room, peak_room, planned_room = site
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
            price_level,
            export_level,
            clip(last_kw * per_kw, -one, one),
            room,
            clip(site_load_kw * per_kw, -two, two),
            peak_room,
            where(override > zero, one, zero),
            clip(max_charge_kw * per_power, zero, five),
            planned_room,
            clip(min_charge_kw * per_kw, zero, one),
            where(known, where(soc < min_soc, one, zero), zero),
        )

    return Features(of_site, of_port)


@cache
def features(backend: str) -> Features:
    """The features' functions of `backend`; see `physics.backends.operations`."""
    ops = operations(backend)
    return make_features(ops, compile_scalar) if backend == "numba" else make_features(ops)

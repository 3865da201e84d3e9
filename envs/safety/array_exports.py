"""Wishes and exports in array form: the box, limits, and need afterwards; see `kernels.box` and `export_kernels`."""

from __future__ import annotations

from typing import Any

from .array_fleet import Fleet, Tools
from .array_rooms import Rooms
from .reasons import Reason


def box(t: Tools, fleet: Fleet, requested: Any) -> tuple[Any, Any]:
    """The wish of each car: finite, within what the port can take, and give without breaking a promise."""
    o, f = t.lib.ops, fleet
    finite = requested == requested
    wish = o.where(f.override, float("inf"), o.where(finite, requested, 0.0))
    why = (~finite) * int(Reason.NOT_FINITE) | f.override * int(Reason.OVERRIDE)
    want = o.minimum(o.maximum(wish, 0.0), f.top)
    why = why | ((wish >= 0) & (want < wish) & ~f.override) * int(Reason.BOX)
    small = want < f.min_charge
    lifted = small & (want >= 0.5 * f.min_charge)
    want = o.where(small, o.where(lifted, o.minimum(f.min_charge, f.top), 0.0), want)
    why = why | ((wish >= 0) & lifted) * int(Reason.MINIMUM)
    giving = (f.here & (wish < 0)).any(1)
    want, why = t.lib.in_worlds(giving, lambda *part: _exports(t, *part), (want, why), f, wish, want, why)
    return want, why


def _exports(t: Tools, fleet: Fleet, wish: Any, want: Any, why: Any) -> tuple[Any, Any]:
    o, f = t.lib.ops, fleet
    giving, allowed, asked = wish < 0, f.may_export, o.maximum(-wish, 0.0)
    most = t.car.can_export(
        allowed, f.soc, f.target, (f.left - 1) * t.step_h, t.step_h, f.reserve_soc, f.min_soc, f.max_discharge,
        f.min_discharge, f.step, f.eta_out, *f.battery, t.rounding,
    )  # fmt: skip
    exports = export_on_step(t, f, o.minimum(asked, most))
    why = why | (giving & ~allowed) * int(Reason.NO_EXPORT)
    why = why | (giving & allowed & (asked > f.max_discharge)) * int(Reason.BOX)
    why = why | (giving & allowed & (most < o.minimum(asked, f.max_discharge))) * int(Reason.RESERVE)
    return o.where(giving, -exports, want), why


def export_on_step(t: Tools, fleet: Fleet, power_kw: Any) -> Any:
    """Export rounded toward a pause: to the charger's step, and to none below its minimum."""
    power = t.port.floor_to_step(power_kw, fleet.step, t.rounding)
    return t.lib.ops.where(power * (1.0 + t.rounding) >= fleet.min_discharge, power, 0.0)


def limit_exports(t: Tools, fleet: Fleet, want: Any, why: Any, rooms: Rooms) -> tuple[Any, Any]:
    """Scale the exports of each site, then of each feeder, down to its export limit, all by the same share."""
    o = t.lib.ops
    for group, room_kw in ((t.sites, rooms.sites), (t.feeders, rooms.feeders)):
        exports = o.maximum(-want, 0.0)
        total, room = group.each(group.total(exports)), group.each(room_kw)
        over = (want < 0) & (total > room)
        cut = exports * o.where(over, room, 0.0) / o.where(over, total, 1.0)
        want = o.where(over, -export_on_step(t, fleet, cut), want)
        why = why | over * int(Reason.EXPORT_LIMIT)
    return want, why


def need_after_exports(t: Tools, fleet: Fleet, want: Any, scale: Any) -> Any:
    """Steps of full power that each car needs after `scale` (a number, or (B, 1)) of the wished exports."""
    o, f = t.lib.ops, fleet
    power = export_on_step(t, f, o.maximum(-want, 0.0) * scale)
    hours = t.car.hours_after_export(power, f.soc, f.target, t.step_h, f.eta_out, *f.battery)
    return o.where(want < 0, hours / t.step_h, f.need)

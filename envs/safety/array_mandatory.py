"""Mandatory power in array form: what the floors ask for, and the reserve's margins; see `kernels.must_charge`."""

from __future__ import annotations

from typing import Any

from .array_fleet import Fleet, Tools
from .array_plan import power_at
from .car import TINY_HOURS
from .ranking import order_by, unsorted
from .reasons import Reason
from .tolerances import TOLERANCE


def must_charge(t: Tools, fleet: Fleet, want: Any, floors: Any, why: Any) -> tuple[Any, Any]:
    """Turn the floors (steps of full power due now) into mandatory set-points."""
    o = t.lib.ops
    progress = o.where(want >= 0, o.minimum(floors, 1.0), 0.0)
    due = ((progress > 0) | fleet.below).any(1)
    must, why = t.lib.in_worlds(due, lambda *part: _mandatory(t, *part), (want * 0, why), fleet, progress, why)
    return must, why


def _mandatory(t: Tools, fleet: Fleet, progress: Any, why: Any) -> tuple[Any, Any]:
    f = fleet
    must = t.car.mandatory(
        progress * t.step_h, f.need * t.step_h, f.soc, f.known, f.target, t.step_h, f.min_soc, f.top, f.min_charge,
        f.step, *f.battery, t.rounding,
    )  # fmt: skip
    must = t.lib.ops.where((progress > 0) | f.below, must, 0.0)
    raised, own = must > 0, f.need - (f.left - 1) > TINY_HOURS
    why = why | (raised & f.below) * int(Reason.MIN_SOC)
    why = why | (raised & ~f.below & own) * int(Reason.DEPARTURE)
    return must, why | (raised & ~f.below & ~own) * int(Reason.LOOK_AHEAD)


def add_reserve(t: Tools, fleet: Fleet, must: Any, why: Any, wary_kw: Any) -> tuple[Any, Any]:
    """Raise the mandatory total to the `wary_kw` (B,) that the plan with margins says."""
    extra = wary_kw - must.sum(1)
    must, why = t.lib.in_worlds(extra > TOLERANCE, lambda *part: _raise(t, *part), (must, why), fleet, must, why, extra)
    return must, why


def _raise(t: Tools, fleet: Fleet, must: Any, why: Any, extra: Any) -> tuple[Any, Any]:
    """Give `extra` kW (B,) to the cars of least laxity, each up to what it can use in this step.

    What is left for a car is what those before it would leave if they got all they can use: where one of them gets
    less, there is nothing left after it.
    """
    o, lib, f = t.lib.ops, t.lib, fleet
    useful = o.minimum(power_at(lib, f, f.need) * o.minimum(f.need, 1.0), f.top)
    order = order_by(lib, f.left - f.need, f.here)
    now, top, step, least, able, more = (
        lib.take(column, order)
        for column in (must, f.top, f.step, f.min_charge, f.here & (f.need > 0) & (must < f.top), useful - must)
    )
    able = able & (more > 0)

    def raised(by: Any) -> Any:
        return o.minimum(o.maximum(t.port.ceil_to_step(now + by, step, t.rounding), least), top)

    gain = o.where(able, raised(more) - now, 0.0)
    left = extra[:, None] - (gain.cumsum(1) - gain)
    given = able & (left > TOLERANCE)
    power = o.where(given, raised(o.minimum(more, left)), now)
    return unsorted(lib, power, order), why | unsorted(lib, given, order) * int(Reason.LOOK_AHEAD)

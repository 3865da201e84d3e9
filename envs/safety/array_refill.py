"""Which exports can be refilled under the shared limits, in array form; see `export_kernels.refill_exports`."""

from __future__ import annotations

from typing import Any

from .array_exports import export_on_step, need_after_exports
from .array_fleet import Fleet, Tools
from .array_plan import floors_of, planned_now
from .array_rooms import Rooms
from .reasons import Reason
from .tolerances import REFILL_ROUNDING, REFILL_STEPS, STRAIN_ROUNDING_KW


def refill_exports(t: Tools, fleet: Fleet, want: Any, why: Any, rooms: Rooms, now_kw: Any) -> tuple[Any, Any, Any]:
    """Cut the exports to what can be refilled under the shared limits: none where the plan lacks room without them.

    The third of what it returns are the floors after what is left of the exports.
    """
    strain, floors = _try(t, fleet, want, _shares(want, 1.0), rooms, now_kw)
    return t.lib.in_worlds(
        strain > STRAIN_ROUNDING_KW, lambda *part: _cut(t, *part), (want, why, floors), fleet, want, why, rooms,
        now_kw, strain,
    )  # fmt: skip


def _try(
    t: Tools, fleet: Fleet, want: Any, share: Any, rooms: Rooms, now_kw: Any, finish: bool = False
) -> tuple[Any, Any]:
    """kW (B,) that the plan with margins lacks after `share` (B, 1) of the wished exports, and the floors (B, N).

    Where the plan lacks something in all worlds, it need not be finished.
    """
    need = need_after_exports(t, fleet, want, share)

    def lacking(floors: Any) -> bool:
        return bool((_strain(t, fleet, want, need, share, floors, now_kw) > STRAIN_ROUNDING_KW).all())

    floors = floors_of(t, fleet, need, rooms, None if finish else lacking)
    return _strain(t, fleet, want, need, share, floors, now_kw), floors


def _strain(t: Tools, fleet: Fleet, want: Any, need: Any, share: Any, floors: Any, now_kw: Any) -> Any:
    """kW (B,) that the plan lacks, infinite where a car that wants to export is due itself."""
    o = t.lib.ops
    lack = o.maximum(planned_now(t, fleet, need, floors) - now_kw, 0.0)
    strain = lack + (fleet.power * o.maximum(floors - 1.0, 0.0) * fleet.here).sum(1)
    due = (want < 0) & (floors > REFILL_ROUNDING)
    return o.where((due & (share > 0)).any(1), float("inf"), strain)


def _cut(t: Tools, fleet: Fleet, want: Any, why: Any, rooms: Rooms, now_kw: Any, strain: Any) -> tuple[Any, Any, Any]:
    """Those due even without exports give none; the rest give what they can together."""
    least, floors = _try(t, fleet, want, _shares(want, 0.0), rooms, now_kw, finish=True)
    none = (want < 0) & ((least > STRAIN_ROUNDING_KW)[:, None] | (floors > REFILL_ROUNDING))
    want, why = t.lib.ops.where(none, 0.0, want), why | none * int(Reason.REFILL)
    return t.lib.in_worlds(
        (want < 0).any(1), lambda *part: _bisect(t, *part), (want, why, floors), fleet, want, why, floors, rooms,
        now_kw, strain == float("inf"), none.any(1),
    )  # fmt: skip


def _bisect(
    t: Tools, fleet: Fleet, want: Any, why: Any, floors: Any, rooms: Rooms, now_kw: Any, were_due: Any, cut: Any
) -> tuple[Any, Any, Any]:
    """Scale all exports of a world to the greatest share that can be refilled."""
    o = t.lib.ops
    # Where cars were due, all that the others wish may do after all; where none of them was cut, it was just tried.
    share, tries = o.where(were_due[:, None], _shares(want, 1.0), 0.5), REFILL_STEPS
    if bool((were_due & ~cut).all()):
        share, tries = 0.5 * share, REFILL_STEPS - 1
    lo, hi = _shares(want, 0.0), 2.0 * share
    for _ in range(tries):
        lack, tried = _try(t, fleet, want, share, rooms, now_kw)
        fits = (lack <= STRAIN_ROUNDING_KW)[:, None]
        lo, hi, floors = o.where(fits, share, lo), o.where(fits, hi, share), o.where(fits, tried, floors)
        if bool((lo >= 1).all()):
            break
        share = o.minimum(0.5 * (lo + hi), 1.0)
    less = (want < 0) & (lo < 1)
    want = o.where(less, -export_on_step(t, fleet, o.maximum(-want, 0.0) * lo), want)
    return want, why | less * int(Reason.REFILL), floors


def _shares(want: Any, value: float) -> Any:
    """The same share of exports for all worlds, (B, 1)."""
    return want[:, :1] * 0.0 + value

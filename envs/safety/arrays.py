"""The projection in array form, for NumPy (the reference, and what serving runs) and torch.

Step by step what `kernels` does in loops; the two are held together by a parity test. Worlds where nothing binds
leave early, so that the look-ahead and the ranking run only on those that need them.
"""

from __future__ import annotations

from typing import Any

from ..physics.backends import port_model
from ..snapshot import Snapshot, require_shape
from .array_expected import SharedLoad
from .array_exports import box, limit_exports, need_after_exports
from .array_fleet import Fleet, Tools, gather, make_tools
from .array_imports import economic_laxity, imports_fit, raise_to_mandatory, share_imports
from .array_latest import crowd_of, own_floors
from .array_mandatory import add_reserve, must_charge
from .array_plan import floors_of, planned_now
from .array_refill import refill_exports
from .array_rooms import Rooms, export_room_now, import_room_now, planned, rooms_ahead
from .car import car_model
from .library import Library
from .projection import Projection, Reserve
from .reasons import Reason
from .tolerances import TOLERANCE


class ArrayProjector:
    """Projects by array operations; see `projection.Projector`."""

    def __init__(self, reserve: Reserve, backend: str) -> None:
        self._reserve, self._backend = reserve, backend
        self._lib, self._car, self._port = Library(backend), car_model(backend), port_model(backend)
        self._expected = SharedLoad()

    def __reduce__(self) -> tuple[Any, ...]:
        return ArrayProjector, (self._reserve, self._backend)

    def project(self, snapshot: Snapshot, requested_kw: Any) -> Projection:
        lib, soc = self._lib, snapshot.ports.soc
        o, t = lib.ops, make_tools(lib, self._car, self._port, snapshot)
        fleet = gather(t, snapshot)
        asked = lib.doubles(lib.array(requested_kw, soc))
        require_shape("requested_kw", asked, soc.shape)
        want, why = box(t, fleet, asked)
        want = o.where(fleet.here, want, 0.0)
        if bool((want < 0).any()):
            want, why = limit_exports(t, fleet, want, why, export_room_now(t, snapshot))
        rooms = import_room_now(t, snapshot)
        want, must, why = self._look_ahead(t, snapshot, fleet, want, why, rooms)
        want = o.where((want < 0) & (must > 0), 0.0, want)
        exports = o.maximum(-want, 0.0)
        rooms = Rooms(t.sites.total(exports, rooms.sites), t.feeders.total(exports, rooms.feeders))
        want = raise_to_mandatory(t, fleet, want, must)
        crowded = ~imports_fit(t, want, rooms)
        if bool(crowded.any()):
            economic = economic_laxity(t, fleet, snapshot)
            want, why = lib.in_worlds(
                crowded, lambda *part: share_imports(t, *part), (want, why), fleet, want, must, economic, why, rooms
            )
        # What no rule above has changed was only put on the charger's step, or below its minimum paused.
        gap = o.maximum(want - asked, asked - want) > t.rounding * (1.0 + o.maximum(asked, -asked))
        why = o.where((why == 0) & gap, int(Reason.MINIMUM), why)
        return Projection(lib.array(want, soc), o.where(fleet.here, why, 0))

    def _look_ahead(
        self, t: Tools, snapshot: Snapshot, fleet: Fleet, want: Any, why: Any, now: Rooms
    ) -> tuple[Any, Any, Any]:
        """Exports that can be refilled, mandatory set-points, and why."""
        reserve = self._reserve
        # Dear for many sites, and telemetry may bring a new table every time.
        expected = self._expected.of(snapshot) if reserve.expected_arrivals_factor > 0.0 else None
        ahead = rooms_ahead(t, snapshot)
        wary = planned(t, snapshot, ahead, reserve.headroom_factor, reserve.expected_arrivals_factor, expected)
        exporting = (want < 0).any(1)
        need = need_after_exports(t, fleet, want, 1.0) if bool(exporting.any()) else fleet.need
        # With the margins first: where everybody can wait in spite of them, nothing else is needed.
        tight, floors = crowd_of(t, fleet, need, wary).worlds, own_floors(t, fleet, need)
        if not bool(tight.any()):
            return want, *must_charge(t, fleet, want, floors, why)
        now_kw = t.lib.ops.minimum(now.sites.sum(1), now.feeders.sum(1))
        (floors,) = t.lib.in_worlds(
            tight & ~exporting, lambda *part: (floors_of(t, *part),), (floors,), fleet, need, wary
        )
        want, why, floors = t.lib.in_worlds(
            tight & exporting, lambda *part: refill_exports(t, *part), (want, why, floors), fleet, want, why, wary,
            now_kw,
        )  # fmt: skip
        need = need_after_exports(t, fleet, want, 1.0) if bool(exporting.any()) else fleet.need
        has_margins = reserve.headroom_factor < 1.0 or reserve.expected_arrivals_factor > 0.0
        if not has_margins:
            return want, *must_charge(t, fleet, want, floors, why)
        # What can wait under the margins can wait without them.
        wary_kw = planned_now(t, fleet, need, floors)
        due = tight & (wary_kw > TOLERANCE)
        if bool(due.any()):
            exact = planned(t, snapshot, ahead, 1.0, 0.0, expected)
            (floors,) = t.lib.in_worlds(due, lambda *part: (floors_of(t, *part),), (floors,), fleet, need, exact)
        must, why = must_charge(t, fleet, want, floors, why)
        must, why = t.lib.in_worlds(due, lambda *part: add_reserve(t, *part), (must, why), fleet, must, why, wary_kw)
        return want, must, why

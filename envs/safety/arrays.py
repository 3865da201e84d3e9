"""The projection in array form, for NumPy (the reference, and what serving runs) and torch.

Step by step what `kernels` does in loops; the two are held together by a parity test. Worlds where nothing binds
leave early, so that the look-ahead and the ranking run only on those that need them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..physics.backends import ROUNDING, operations, port_model
from ..snapshot import Snapshot
from .array_plan import ArrayPlan, Group, Library
from .car import TINY_HOURS, car_model
from .projection import ExpectedLoad, Projection, Reserve
from .ranking import order_by, pick, unsorted
from .reasons import Reason

REFILL_STEPS = 4
REFILL_ROUNDING = 1e-8
TOLERANCE = 1e-9


class Fleet(NamedTuple):
    """Plan-ready quantities of all ports, (B, N)."""

    here: Any
    known: Any
    soc: Any
    target: Any
    top: Any
    left: Any  # steps, at least 1
    need: Any  # steps of full power
    capacity: Any
    taper: Any
    accept: Any
    eta_in: Any
    eta_out: Any


class ArrayProjector:
    """Projects by array operations; see `projection.Projector`."""

    def __init__(self, reserve: Reserve, backend: str) -> None:
        self._reserve, self._backend = reserve, backend
        self._ops, self._car, self._port = operations(backend), car_model(backend), port_model(backend)
        self._lib = Library(backend == "torch")
        self._expected = ExpectedLoad()

    def project(self, snapshot: Snapshot, requested_kw: Any) -> Projection:
        p, s, f, o, lib = snapshot.ports, snapshot.sites, snapshot.feeders, self._ops, self._lib
        rounding = ROUNDING["float64" if p.soc.dtype.itemsize == 8 else "float32"]
        requested = lib.array(requested_kw, p.soc)
        fleet = self._fleet(snapshot)
        want, why = self._box(snapshot, fleet, requested, rounding)
        sites, feeders = lib.groups(snapshot, want)
        site_x = o.maximum(s.export_limit_kw.now() + s.net_load_kw, 0.0)
        feeder_x = o.maximum(f.export_limit_kw.now() + f.net_load_kw, 0.0)
        want, why = self._limit_exports(snapshot, sites, site_x, want, why, rounding)
        want, why = self._limit_exports(snapshot, feeders, feeder_x, want, why, rounding)
        site_kw = o.maximum(s.import_limit_kw.now() - s.net_load_kw, 0.0)
        feeder_kw = o.maximum(f.import_limit_kw.now() - f.net_load_kw, 0.0)
        want, why, floors, tight = self._look_ahead(snapshot, fleet, want, why, feeder_kw, rounding)
        must, why = self._must_charge(snapshot, fleet, want, floors, why, rounding)
        if lib.any(tight) and (self._reserve.headroom_factor < 1.0 or self._reserve.expected_arrivals_factor > 0.0):
            must, why = self._add_reserve(snapshot, fleet, must, why, tight, rounding)
        want = o.where((want < 0) & (must > 0), want * 0, want)
        given = o.minimum(want, 0.0)
        site_kw, feeder_kw = site_kw - sites.total(given), feeder_kw - feeders.total(given)
        raised = self._port.floor_to_step(o.maximum(want, must), p.step_kw, rounding)
        want = o.where(want >= 0, raised, want)
        drawn = o.maximum(want, 0.0)
        # A sum in another order may differ in its last digits.
        crowded = lib.any_of(sites.total(drawn) > site_kw * (1 + 1e-12))
        crowded = crowded | lib.any_of(feeders.total(drawn) > feeder_kw * (1 + 1e-12))
        if lib.any(crowded):
            want, why = self._share_imports(snapshot, fleet, want, must, why, site_kw, feeder_kw, crowded, rounding)
        return Projection(o.where(fleet.here, want, want * 0), o.where(fleet.here, why, why * 0))

    def _fleet(self, snapshot: Snapshot) -> Fleet:
        o, p, car = self._ops, snapshot.ports, self._car
        one, known = p.capacity_kwh * 0 + 1, p.soc == p.soc

        def filled(column: Any, value: float) -> Any:
            return o.where(p.plugged, column, one * value)

        capacity, taper = filled(p.capacity_kwh, 1.0), filled(p.taper_soc, 0.5)
        accept, eta_in = filled(p.battery_accept_kw, 1.0), filled(p.charge_efficiency, 1.0)
        soc = car.plan_soc(p.soc, known, p.need_kwh, capacity)
        target = car.plan_target(p.soc, known, p.target_soc, p.charge_limit_soc, p.min_soc)
        top = car.can_charge(p.soc, known, p.need_kwh, p.charge_limit_soc, p.max_charge_kw) * p.plugged
        hours = car.hours_to(target, soc, p.max_charge_kw, capacity, taper, accept, eta_in, p.fixed_loss_kw)
        need = o.where(p.plugged & (top > 0), hours / snapshot.step_h, one * 0)
        left = o.maximum(p.steps_left, 1)
        eta_out = filled(p.discharge_efficiency, 1.0)
        return Fleet(p.plugged, known, soc, target, top, left, need, capacity, taper, accept, eta_in, eta_out)

    def _box(self, snapshot: Snapshot, fleet: Fleet, requested: Any, rounding: float) -> tuple[Any, Any]:
        """The wish of each car: finite, within what the port can take, and give without breaking a promise."""
        o, p, step_h = self._ops, snapshot.ports, snapshot.step_h
        finite, overridden = requested == requested, p.override > 0
        zero = self._lib.zeros(requested)
        wish = o.where(finite, requested, zero)
        wish = o.where(overridden, zero + float("inf"), wish)
        why = (~finite) * int(Reason.NOT_FINITE) + overridden * int(Reason.OVERRIDE)
        up = o.minimum(o.maximum(wish, 0.0), fleet.top)
        why = why | ((wish > fleet.top) & (wish >= 0) & ~overridden) * int(Reason.BOX)
        small = (up > 0) & (up < p.min_charge_kw)
        lifted = small & (up >= 0.5 * p.min_charge_kw)
        up = o.where(lifted, o.minimum(p.min_charge_kw, fleet.top), o.where(small, zero, up))
        why = why | lifted * int(Reason.MINIMUM)
        exporting = wish < 0
        asked = o.maximum(-wish, 0.0)
        allowed = fleet.known & p.export_consent & (p.steps_left > 0) & (p.max_discharge_kw > 0) & fleet.here
        after_h = (fleet.left - 1) * step_h
        most = self._car.can_export(
            allowed, fleet.soc, fleet.target, after_h + zero, step_h, p.reserve_soc, p.min_soc, p.max_discharge_kw,
            p.min_discharge_kw, p.step_kw, fleet.eta_out, p.max_charge_kw, fleet.capacity, fleet.taper, fleet.accept,
            fleet.eta_in, p.fixed_loss_kw, rounding,
        )  # fmt: skip
        down = self._export_on_step(p, o.minimum(asked, most), rounding)
        why = why | (exporting & ~allowed) * int(Reason.NO_EXPORT)
        why = why | (exporting & allowed & (asked > p.max_discharge_kw)) * int(Reason.BOX)
        cut = exporting & allowed & (most < o.minimum(asked, p.max_discharge_kw))
        return o.where(exporting, -down, up), why | cut * int(Reason.RESERVE)

    def _export_on_step(self, p: Any, power_kw: Any, rounding: float) -> Any:
        """Export rounded toward a pause: to the charger's step, and to none below its minimum."""
        power = self._port.floor_to_step(power_kw, p.step_kw, rounding)
        return self._ops.where(power * (1 + rounding) >= p.min_discharge_kw, power, power * 0)

    def _limit_exports(
        self, snapshot: Snapshot, group: Group, rooms_kw: Any, want: Any, why: Any, rounding: float
    ) -> tuple[Any, Any]:
        """Scale the exports of each group down to its export limit, all by the same share."""
        o = self._ops
        exports = o.maximum(-want, 0.0)
        total, room = group.each(group.total(exports)), group.each(rooms_kw)
        over = (want < 0) & (total > room)
        cut = self._export_on_step(snapshot.ports, exports * room / o.maximum(total, 1e-12), rounding)
        return o.where(over, -cut, want), why | over * int(Reason.EXPORT_LIMIT)

    def _need_after(self, snapshot: Snapshot, fleet: Fleet, want: Any, scale: Any, rounding: float) -> Any:
        """Steps of full power that each car needs after `scale` (B, 1) of the wished exports."""
        o, p = self._ops, snapshot.ports
        power = self._export_on_step(p, o.maximum(-want, 0.0) * scale, rounding)
        hours = self._car.hours_after_export(
            power, fleet.soc, fleet.target, snapshot.step_h, fleet.eta_out, p.max_charge_kw, fleet.capacity,
            fleet.taper, fleet.accept, fleet.eta_in, p.fixed_loss_kw,
        )  # fmt: skip
        return o.where(want < 0, hours / snapshot.step_h, fleet.need)

    def _look_ahead(
        self, snapshot: Snapshot, fleet: Fleet, want: Any, why: Any, feeder_kw: Any, rounding: float
    ) -> tuple[Any, Any, Any, Any]:
        """Floors of this step (steps of full power), exports that can be refilled, and where margins bind (B,)."""
        o, lib, reserve = self._ops, self._lib, self._reserve
        one = lib.zeros(want)[:, :1] + 1
        plan = ArrayPlan(snapshot, fleet.left, self._backend, *self._expected.of(snapshot))
        exporting = lib.any_of(want < 0)
        need = self._need_after(snapshot, fleet, want, one, rounding)
        relaxed = plan.latest_starts_fit(need, reserve.headroom_factor, reserve.expected_arrivals_factor)
        floors = o.maximum(need - (fleet.left - 1), 0.0)
        if lib.all(relaxed):
            return want, why, floors, ~relaxed
        tight = ~relaxed[:, None]
        floors, fits = self._floors(plan, snapshot, fleet, want, need, feeder_kw, floors, tight)
        bad = tight & exporting[:, None] & ~fits
        if lib.any(bad):
            lo, hi = one * 0, one
            _, fits_none = self._scaled(plan, snapshot, fleet, want, lo, feeder_kw, bad, rounding)
            for _ in range(REFILL_STEPS):
                middle = 0.5 * (lo + hi)
                _, fits = self._scaled(plan, snapshot, fleet, want, middle, feeder_kw, bad, rounding)
                better = fits & fits_none
                lo, hi = o.where(better, middle, lo), o.where(better, hi, middle)
            scaled, _ = self._scaled(plan, snapshot, fleet, want, lo, feeder_kw, bad, rounding)
            floors = o.where(bad, scaled, floors)
            exports = -self._export_on_step(snapshot.ports, o.maximum(-want, 0.0) * lo, rounding)
            cut = bad & (want < 0)
            want, why = o.where(cut, exports, want), why | cut * int(Reason.REFILL)
        return want, why, floors, ~relaxed

    def _scaled(
        self, plan: ArrayPlan, snapshot: Snapshot, fleet: Fleet, want: Any, scale: Any, feeder_kw: Any, worlds: Any,
        rounding: float,
    ) -> tuple[Any, Any]:  # fmt: skip
        need = self._need_after(snapshot, fleet, want, scale, rounding)
        own = self._ops.maximum(need - (fleet.left - 1), 0.0)
        return self._floors(plan, snapshot, fleet, want, need, feeder_kw, own, worlds)

    def _floors(
        self, plan: ArrayPlan, snapshot: Snapshot, fleet: Fleet, want: Any, need: Any, feeder_kw: Any, own: Any,
        worlds: Any,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Floors in `worlds` (B, 1), and whether everybody is served after the exports (B, 1)."""
        o, lib = self._ops, self._lib
        waits = plan.latest_starts_fit(need, 1.0, 0.0)[:, None]
        fill = worlds & ~waits
        floors = o.where(fill, plan.fill(need, 1.0, 0.0, fill), own) if lib.any(fill) else own
        due = floors > REFILL_ROUNDING
        bad = fleet.here & ((due & (want < 0)) | (floors > 1 + REFILL_ROUNDING))
        total = (snapshot.ports.max_charge_kw * o.minimum(floors, 1.0) * fleet.here).sum(1)
        return floors, (~lib.any_of(bad) & (total <= feeder_kw.sum(1) + 1e-6))[:, None]

    def _must_charge(
        self, snapshot: Snapshot, fleet: Fleet, want: Any, floors: Any, why: Any, rounding: float
    ) -> tuple[Any, Any]:
        """Turn the floors (steps of full power due now) into mandatory set-points."""
        o, p, step_h = self._ops, snapshot.ports, snapshot.step_h
        progress = o.where(want >= 0, o.minimum(floors, 1.0), floors * 0)
        must = self._car.mandatory(
            progress * step_h, fleet.need * step_h, fleet.soc, fleet.known, fleet.target, step_h, p.min_soc,
            fleet.top, p.min_charge_kw, p.step_kw, p.max_charge_kw, fleet.capacity, fleet.taper, fleet.accept,
            fleet.eta_in, p.fixed_loss_kw, rounding,
        )  # fmt: skip
        below = fleet.known & (p.soc < p.min_soc)
        must = o.where(fleet.here & ((progress > 0) | below), must, must * 0)
        raised = must > 0
        own = fleet.need - (fleet.left - 1) > TINY_HOURS
        why = why | (raised & below) * int(Reason.MIN_SOC) | (raised & ~below & own) * int(Reason.DEPARTURE)
        return must, why | (raised & ~below & ~own) * int(Reason.LOOK_AHEAD)

    def _add_reserve(
        self, snapshot: Snapshot, fleet: Fleet, must: Any, why: Any, tight: Any, rounding: float
    ) -> tuple[Any, Any]:
        """Raise the mandatory total to what the plan with margins says, least laxity first."""
        o, lib, p, reserve = self._ops, self._lib, snapshot.ports, self._reserve
        plan = ArrayPlan(snapshot, fleet.left, self._backend, *self._expected.of(snapshot))
        margins = (reserve.headroom_factor, reserve.expected_arrivals_factor)
        floors = plan.fill(fleet.need, *margins, tight[:, None])
        total = (p.max_charge_kw * o.minimum(floors, 1.0) * fleet.here).sum(1)
        extra = o.where(tight, total - must.sum(1), total * 0)
        order = order_by(lib, fleet.left - fleet.need, fleet.here)
        raised = []
        for at in range(snapshot.n_ports):
            index = order[:, at : at + 1]
            now, top, need = pick(lib, must, index), pick(lib, fleet.top, index), pick(lib, fleet.need, index)
            step, least = pick(lib, p.step_kw, index), pick(lib, p.min_charge_kw, index)
            full = pick(lib, p.max_charge_kw, index)
            more = o.minimum(o.minimum(full * o.minimum(need, 1.0), top) - now, extra)
            due = (extra > TOLERANCE) & (need > 0) & (now < top) & (more > 0)
            power = o.minimum(o.maximum(self._port.ceil_to_step(now + more, step, rounding), least), top)
            power = o.where(due, power, now)
            extra = extra - (power - now)
            raised.append(power)
        after = unsorted(lib, raised, order)
        return after, why | (after > must) * int(Reason.LOOK_AHEAD)

    def _share_imports(
        self, snapshot: Snapshot, fleet: Fleet, want: Any, must: Any, why: Any, site_kw: Any, feeder_kw: Any,
        crowded: Any, rounding: float,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Give the import limits to the mandatory power by least laxity, then to the elective by economic laxity."""
        o, lib, p = self._ops, self._lib, snapshot.ports
        limit = o.maximum(want, 0.0)
        share = limit * 0
        sites, feeders = lib.groups(snapshot, want)
        for phase in range(2):
            key = fleet.left - fleet.need if phase == 0 else self._economic_laxity(snapshot, fleet)
            order, given = order_by(lib, key, fleet.here), []
            for at in range(snapshot.n_ports):
                index = order[:, at : at + 1]
                has, step, least = (
                    pick(lib, share, index),
                    pick(lib, p.step_kw, index),
                    pick(lib, p.min_charge_kw, index),
                )
                aim = pick(lib, limit, index)
                aim = o.minimum(pick(lib, must, index), aim) if phase == 0 else aim
                at_site, at_feeder = sites.of[index[:, 0]], feeders.of[index[:, 0]]
                room = o.minimum((lib.finite(site_kw) * at_site).sum(1), (lib.finite(feeder_kw) * at_feeder).sum(1))
                give = self._port.floor_to_step(o.minimum(aim, has + o.maximum(room, 0.0)), step, rounding)
                keep = (aim <= has) | (give <= has) | (give * (1 + rounding) < least)
                give = o.where(keep, has, give)
                site_kw = site_kw - (give - has)[:, None] * at_site
                feeder_kw = feeder_kw - (give - has)[:, None] * at_feeder
                given.append(give)
            share = unsorted(lib, given, order)
        cut = crowded[:, None] & (want >= 0) & (share < want)
        shared = o.where(crowded[:, None] & (want >= 0), share, want)
        return shared, why | cut * int(Reason.IMPORT_LIMIT)

    def _economic_laxity(self, snapshot: Snapshot, fleet: Fleet) -> Any:
        """Slots left in the stay at or below the present price, minus slots needed (contracts 5)."""
        prices = snapshot.import_price_window()
        steps = self._lib.arange(snapshot.horizon, fleet.left)
        cheap = (prices <= prices[..., :1]) & (steps < fleet.left[..., None])
        return cheap.sum(-1) - fleet.need

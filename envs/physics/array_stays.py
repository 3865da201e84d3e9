"""A stay's begin and end in array form; see `stay_kernels`."""

from __future__ import annotations

from typing import Any

from ..ledger import Account, Tally
from .array_tools import Tools
from .state import NEVER, NO_STAY, WorldState

TAKEN = (
    "capacity_kwh", "taper_soc", "battery_accept_kw", "max_charge_kw", "max_discharge_kw", "min_charge_kw",
    "min_discharge_kw", "step_kw", "charge_efficiency", "discharge_efficiency", "fixed_loss_kw", "charge_limit_soc",
    "reserve_soc", "min_soc", "export_consent",
)  # fmt: skip
"""Port columns that a car brings along as they are."""


def unplugged(t: Tools, state: WorldState, gone: Any) -> WorldState:
    """Empty the ports where `gone` (B, N)."""
    o, p, nan = t.ops, state.ports, float("nan")
    zero = {
        name: o.where(gone, getattr(p, name) * 0, getattr(p, name))
        for name in ("need_kwh", "power_kw", "max_charge_kw", "max_discharge_kw", "steps_left")
    }
    missing = {
        name: o.where(gone, getattr(p, name) * 0 + nan, getattr(p, name))
        for name in ("soc", "target_soc", "last_setpoint_kw")
    }
    ports = p._replace(plugged=p.plugged & ~gone, export_consent=p.export_consent & ~gone, **zero, **missing)
    return state._replace(stay=o.where(gone, state.stay * 0 + NO_STAY, state.stay), ports=ports)


def arrivals(t: Tools, state: WorldState) -> WorldState:
    """Plug in the cars whose stay begins at the world's present step."""
    o, table = t.ops, t.days.stays
    end = t.days.first_stay[state.day][:, 1:]
    row = state.next_stay * (state.next_stay < end)
    here = (state.next_arrive == state.step[:, None]) & (state.step < t.terms.n_steps)[:, None]

    def new(column: Any, old: Any) -> Any:
        return o.where(here, column[row], old)

    p, nan = state.ports, float("nan")
    soc, target, known = table.soc_arrive[row], table.target_soc[row], table.soc_known[row]
    ports = p._replace(
        plugged=p.plugged | here,
        soc=o.where(here, o.where(known, soc, soc * 0 + nan), p.soc),
        target_soc=o.where(here, o.where(known, target, target * 0 + nan), p.target_soc),
        need_kwh=new(table.asked_kwh, p.need_kwh),
        steps_left=o.where(here, table.said_depart_step[row] - state.step[:, None], p.steps_left),
        last_setpoint_kw=o.where(here, soc * 0 + nan, p.last_setpoint_kw),
        **{name: new(getattr(table, name), getattr(p, name)) for name in TAKEN},
    )
    return state._replace(
        stay=o.where(here, row, state.stay),
        next_stay=state.next_stay + here,
        next_arrive=next_arrival(t, state.day, state.next_stay + here),
        soc=new(table.soc_arrive, state.soc),
        soc_arrive=new(table.soc_arrive, state.soc_arrive),
        target_soc=new(table.target_soc, state.target_soc),
        asked_kwh=new(table.asked_kwh, state.asked_kwh),
        stop_soc=new(table.stop_soc, state.stop_soc),
        depart_step=new(table.depart_step, state.depart_step),
        said_depart_step=new(table.said_depart_step, state.said_depart_step),
        dearest_usd_per_kwh=o.where(here, soc * 0 - float("inf"), state.dearest_usd_per_kwh),
        ports=ports,
    )


def next_arrival(t: Tools, day: Any, next_stay: Any) -> Any:
    """When each port's next car comes (B, N); `NEVER` where none does."""
    coming = next_stay < t.days.first_stay[day][:, 1:]
    return t.ops.where(coming, t.days.stays.arrive_step[next_stay * coming], next_stay * 0 + NEVER)


def settle(t: Tools, state: WorldState, change: Any, tally: Any) -> WorldState:
    """Settle the stays that end with the step that was just driven, and unplug them."""
    o, p, days, terms, ledger = t.ops, state.ports, t.days, t.terms, t.ledger
    now = state.step[:, None]
    ends = p.plugged & ((state.depart_step == now) | (now == terms.n_steps))
    goes_on = state.depart_step > terms.n_steps
    one = p.capacity_kwh * 0 + 1
    # Ports that do not settle get harmless numbers: a formula may divide by them.
    safe = {
        name: o.where(ends, getattr(p, name), one * value)
        for name, value in (
            ("capacity_kwh", 1),
            ("taper_soc", 0),
            ("battery_accept_kw", 1),
            ("charge_efficiency", 1),
        )
    }
    capacity, eta = safe["capacity_kwh"], safe["charge_efficiency"]
    car = (p.max_charge_kw, capacity, safe["taper_soc"], safe["battery_accept_kw"], eta, p.fixed_loss_kw)
    late = state.said_depart_step
    # First `one`, then the hours: torch makes float32 of whole numbers times a plain one.
    after_h = (late - terms.n_steps) * (late > terms.n_steps) * one * terms.step_h
    early_h = (late - now) * (late > now) * ~goes_on * one * terms.step_h
    # Without a reading nobody could have known that the car was below its minimum.
    floor = p.min_soc * days.stays.soc_known[state.stay * ends]
    target = ledger.end_target(state.target_soc, floor, after_h, *car)
    limited = o.minimum(state.asked_kwh, capacity * (target - state.soc_arrive))
    asked = o.where(goes_on, limited, state.asked_kwh)
    stay_h = (now - days.stays.arrive_step[state.stay * ends]) * one * terms.step_h
    could = ledger.feasible(asked, state.stop_soc, state.soc_arrive, stay_h, *car)
    unserved, excused = ledger.shortfall(could, state.soc_arrive, state.soc, early_h, *car, state.stop_soc)
    zero = one * 0
    unserved, excused = o.where(ends, unserved, zero), o.where(ends, excused, zero)
    money = t.money
    price = ledger.early_price(money.early_leave_usd_per_kwh, state.dearest_usd_per_kwh, eta)
    price = o.where(excused > 0, price, zero)
    energy = ledger.end_energy(state.soc_arrive, state.soc, state.target_soc, capacity, eta)
    value = days.end_value_usd_per_kwh[state.day][:, days.site_tariff[days.port_site]]
    change[Account.END_VALUE_USD] = -(o.where(ends & goes_on, energy, zero) * value).sum(1)
    change[Account.UNSERVED_USD] = (money.unserved_usd_per_kwh * unserved).sum(1)
    change[Account.EARLY_LEAVE_USD] = (price * excused).sum(1)
    positive = ends & (could > 0)
    served = ends & ((could > 0) | (unserved + excused > 0))
    tally |= {
        Tally.STAYS: ends.sum(1), Tally.UNSERVED_KWH: unserved.sum(1), Tally.EARLY_SHORTFALL_KWH: excused.sum(1),
        Tally.WORST_SHORTFALL_KWH: t.highest(unserved),
        Tally.FEASIBLE_KWH: o.where(positive, could, zero).sum(1),
        Tally.FEASIBLE_UNSERVED_KWH: o.where(positive, unserved, zero).sum(1),
        Tally.SERVED_STAYS: served.sum(1), Tally.MET_STAYS: (served & ledger.met(could, unserved)).sum(1),
    }  # fmt: skip
    left = state._replace(ports=p._replace(steps_left=o.where(p.plugged, late - now, p.steps_left)))
    return unplugged(t, left, ends)

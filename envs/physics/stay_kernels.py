"""A stay's begin and end, compiled: what a car brings along, and how its departure is settled."""

from __future__ import annotations

import numpy as np

from ..ledger import Account, Tally
from .backends import ledger_model
from .compiling import kernel
from .state import NEVER, NO_STAY

_ledger = ledger_model("numba")
end_target, feasible, shortfall = _ledger.end_target, _ledger.feasible, _ledger.shortfall
early_price, end_energy, met = _ledger.early_price, _ledger.end_energy, _ledger.met


@kernel
def unplug(b, n, state):
    p = state.ports
    state.stay[b, n] = NO_STAY
    p.plugged[b, n] = False
    p.soc[b, n] = np.nan
    p.need_kwh[b, n] = 0.0
    p.power_kw[b, n] = 0.0
    p.max_charge_kw[b, n] = 0.0
    p.max_discharge_kw[b, n] = 0.0
    p.target_soc[b, n] = np.nan
    p.steps_left[b, n] = 0
    p.export_consent[b, n] = False
    p.last_setpoint_kw[b, n] = np.nan


@kernel
def plug_in(b, n, j, stays, state):
    p = state.ports
    state.stay[b, n] = j
    state.next_stay[b, n] = j + 1
    state.soc[b, n] = stays.soc_arrive[j]
    state.soc_arrive[b, n] = stays.soc_arrive[j]
    state.target_soc[b, n] = stays.target_soc[j]
    state.asked_kwh[b, n] = stays.asked_kwh[j]
    state.stop_soc[b, n] = stays.stop_soc[j]
    state.depart_step[b, n] = stays.depart_step[j]
    state.said_depart_step[b, n] = stays.said_depart_step[j]
    state.dearest_usd_per_kwh[b, n] = -np.inf
    p.plugged[b, n] = True
    known = stays.soc_known[j]
    p.soc[b, n] = stays.soc_arrive[j] if known else np.nan
    p.target_soc[b, n] = stays.target_soc[j] if known else np.nan
    p.need_kwh[b, n] = stays.asked_kwh[j]
    p.capacity_kwh[b, n] = stays.capacity_kwh[j]
    p.taper_soc[b, n] = stays.taper_soc[j]
    p.battery_accept_kw[b, n] = stays.battery_accept_kw[j]
    p.max_charge_kw[b, n] = stays.max_charge_kw[j]
    p.max_discharge_kw[b, n] = stays.max_discharge_kw[j]
    p.min_charge_kw[b, n] = stays.min_charge_kw[j]
    p.min_discharge_kw[b, n] = stays.min_discharge_kw[j]
    p.step_kw[b, n] = stays.step_kw[j]
    p.charge_efficiency[b, n] = stays.charge_efficiency[j]
    p.discharge_efficiency[b, n] = stays.discharge_efficiency[j]
    p.fixed_loss_kw[b, n] = stays.fixed_loss_kw[j]
    p.charge_limit_soc[b, n] = stays.charge_limit_soc[j]
    p.reserve_soc[b, n] = stays.reserve_soc[j]
    p.min_soc[b, n] = stays.min_soc[j]
    p.export_consent[b, n] = stays.export_consent[j]
    p.steps_left[b, n] = stays.said_depart_step[j] - state.step[b]
    p.last_setpoint_kw[b, n] = np.nan


@kernel
def arrival(b, n, days, state):
    """Plug in the car whose stay begins at the world's present step, if there is one."""
    if state.next_arrive[b, n] == state.step[b]:
        plug_in(b, n, state.next_stay[b, n], days.stays, state)
        look_out(b, n, days, state)


@kernel
def look_out(b, n, days, state):
    """Note when the port's next car comes: a look at the table of stays in every step would be a cache miss each."""
    j = state.next_stay[b, n]
    coming = j < days.first_stay[state.day[b], n + 1]
    state.next_arrive[b, n] = days.stays.arrive_step[j] if coming else NEVER


@kernel
def settle(b, n, s, days, state, money, terms, change):
    """Settle a stay at its departure, or at the end of the episode, and unplug it."""
    p, d, k = state.ports, state.day[b], state.step[b]
    j = state.stay[b, n]
    capacity, taper, accept = p.capacity_kwh[b, n], p.taper_soc[b, n], p.battery_accept_kw[b, n]
    power, eta, loss = p.max_charge_kw[b, n], p.charge_efficiency[b, n], p.fixed_loss_kw[b, n]
    arrived, soc, stop = state.soc_arrive[b, n], state.soc[b, n], state.stop_soc[b, n]
    goes_on = state.depart_step[b, n] > terms.n_steps
    stay_h = (k - days.stays.arrive_step[j]) * terms.step_h
    asked = state.asked_kwh[b, n]
    early_h = 0.0
    if goes_on:
        after_h = max(state.said_depart_step[b, n] - terms.n_steps, 0) * terms.step_h
        # Without a reading nobody could have known that the car was below its minimum.
        floor = p.min_soc[b, n] if days.stays.soc_known[j] else 0.0
        target = end_target(state.target_soc[b, n], floor, after_h, power, capacity, taper, accept, eta, loss)
        asked = min(asked, capacity * (target - arrived))
        energy = end_energy(arrived, soc, state.target_soc[b, n], capacity, eta)
        change[b, Account.END_VALUE_USD] -= days.end_value_usd_per_kwh[d, days.site_tariff[s]] * energy
    else:
        early_h = max(state.said_depart_step[b, n] - k, 0) * terms.step_h
    could = feasible(asked, stop, arrived, stay_h, power, capacity, taper, accept, eta, loss)
    unserved, excused = shortfall(could, arrived, soc, early_h, power, capacity, taper, accept, eta, loss, stop)
    price = early_price(money.early_leave_usd_per_kwh, state.dearest_usd_per_kwh[b, n], eta)
    change[b, Account.UNSERVED_USD] += money.unserved_usd_per_kwh * unserved
    change[b, Account.EARLY_LEAVE_USD] += price * excused
    t = state.tallies
    t[b, Tally.STAYS] += 1
    t[b, Tally.UNSERVED_KWH] += unserved
    t[b, Tally.EARLY_SHORTFALL_KWH] += excused
    t[b, Tally.WORST_SHORTFALL_KWH] = max(t[b, Tally.WORST_SHORTFALL_KWH], unserved)
    if could > 0.0:
        t[b, Tally.FEASIBLE_KWH] += could
        t[b, Tally.FEASIBLE_UNSERVED_KWH] += unserved
    if could > 0.0 or unserved + excused > 0.0:
        t[b, Tally.SERVED_STAYS] += 1
        if met(could, unserved):
            t[b, Tally.MET_STAYS] += 1
    unplug(b, n, state)

"""The compiled step: one loop over worlds, scalars inside, the port model and the ledger inlined from their one source.

`begin` and `advance` work on worlds `lo .. hi`, so that threads can share a batch.
"""

from __future__ import annotations

import math

import numpy as np

from ..ledger import Account, Tally
from .backends import ledger_model, port_model
from .compiling import kernel
from .state import NEVER, NO_STAY

_port, _ledger = port_model("numba"), ledger_model("numba")
offered_power, charge, discharge = _port.offered_power, _port.charge, _port.discharge
import_cost, export_revenue, overload = _ledger.import_cost, _ledger.export_revenue, _ledger.overload
calendar_wear, end_target, feasible = _ledger.calendar_wear, _ledger.end_target, _ledger.feasible
shortfall, early_price, end_energy, met = (
    _ledger.shortfall,
    _ledger.early_price,
    _ledger.end_energy,
    _ledger.met,
)


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
def begin(worlds, chosen, days, state):
    """Start the days `chosen` in `worlds`."""
    for i in range(worlds.shape[0]):
        b, d = worlds[i], chosen[i]
        state.day[b] = d
        state.step[b] = 0
        for n in range(state.stay.shape[1]):
            unplug(b, n, state)
            state.next_stay[b, n] = days.first_stay[d, n]
            look_out(b, n, days, state)
            state.ports.commands_today[b, n] = 0
            state.soc[b, n] = 0.0
        for s in range(state.peak_kw.shape[1]):
            state.window_kwh[b, s] = 0.0
            state.window_base_kwh[b, s] = 0.0
            state.peak_kw[b, s] = days.billing_peak_kw[d, s]
            state.peak_base_kw[b, s] = days.billing_peak_kw[d, s]
        state.event_kwh[b, :] = 0.0
        state.accounts[b, :] = 0.0
        state.tallies[b, :] = 0.0
        for n in range(state.stay.shape[1]):
            arrival(b, n, days, state)


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


@kernel
def advance(lo, hi, days, state, money, terms, setpoint_kw, change):
    """One step of worlds `lo .. hi` under `setpoint_kw` (B, N); writes the step's dollars into `change` (B, A)."""
    n_ports = state.stay.shape[1]
    h = terms.step_h
    p, t = state.ports, state.tallies
    for b in range(lo, hi):
        d, k = state.day[b], state.step[b]
        for a in range(change.shape[1]):
            change[b, a] = 0.0
        for s in range(state.site_cars_kw.shape[1]):
            state.site_cars_kw[b, s] = 0.0
        wear = calendar = energy = kwh_in = kwh_out = lost = commands = 0.0
        paid = 0.0
        for e in range(days.events.start_step.shape[1]):
            if days.events.start_step[d, e] <= k < days.events.end_step[d, e]:
                paid += days.events.rate_usd_per_kwh[d, e]
        imp, exp = days.import_price, days.export_price
        state.step[b] = k + 1
        for n in range(n_ports):
            if p.plugged[b, n]:
                s = days.port_site[n]
                tariff = days.site_tariff[s]
                setpoint = setpoint_kw[b, n]
                if setpoint != 0.0:
                    setpoint = offered_power(
                    setpoint_kw[b, n], p.max_charge_kw[b, n], p.max_discharge_kw[b, n], p.min_charge_kw[b, n],
                    p.min_discharge_kw[b, n], p.step_kw[b, n], terms.rounding,
                )  # fmt: skip
                before, capacity = state.soc[b, n], p.capacity_kwh[b, n]
                after, grid = before, 0.0
                if setpoint > 0.0:
                    after, grid = charge(
                        before, setpoint, h, capacity, p.taper_soc[b, n], p.battery_accept_kw[b, n],
                        p.charge_efficiency[b, n], p.fixed_loss_kw[b, n], state.stop_soc[b, n],
                    )  # fmt: skip
                    kwh_in += grid
                elif setpoint < 0.0:
                    after, given = discharge(
                        before, -setpoint, h, capacity, p.discharge_efficiency[b, n], p.fixed_loss_kw[b, n], 0.0
                    )
                    grid = -given
                    wear += capacity * (before - after)
                    kwh_out += given
                lost += grid - capacity * (after - before)
                calendar += calendar_wear(before, after, capacity, h)
                last = p.last_setpoint_kw[b, n]
                if abs(setpoint - (0.0 if math.isnan(last) else last)) > 1e-6:
                    p.commands_today[b, n] += 1
                    commands += 1.0
                state.soc[b, n] = after
                if not math.isnan(p.soc[b, n]):
                    p.soc[b, n] = after
                p.need_kwh[b, n] = state.asked_kwh[b, n] - capacity * (after - state.soc_arrive[b, n])
                p.power_kw[b, n] = grid / h
                p.last_setpoint_kw[b, n] = setpoint
                state.site_cars_kw[b, s] += grid / h
                energy += grid
                if state.said_depart_step[b, n] > state.depart_step[b, n]:
                    dear = max(imp.values[imp.row[d], tariff, k], exp.values[exp.row[d], tariff, k]) + paid
                    state.dearest_usd_per_kwh[b, n] = max(state.dearest_usd_per_kwh[b, n], dear)
                if state.depart_step[b, n] == k + 1 or k + 1 == terms.n_steps:
                    settle(b, n, days.port_site[n], days, state, money, terms, change)
                else:
                    p.steps_left[b, n] = state.said_depart_step[b, n] - (k + 1)
            if k + 1 < terms.n_steps:
                arrival(b, n, days, state)
        t[b, Tally.KWH_IN] += kwh_in
        t[b, Tally.KWH_OUT] += kwh_out
        t[b, Tally.KWH_LOST] += lost
        t[b, Tally.COMMANDS] += commands
        change[b, Account.WEAR_USD] = money.wear_usd_per_kwh * wear + money.calendar_wear_usd_per_kwh * calendar
        t[b, Tally.KWH_FROM_BATTERY] += wear
        t[b, Tally.CALENDAR_WEAR_KWH] += calendar
        emissions = days.emissions.values[days.emissions.row[d], 0, k] * energy
        t[b, Tally.CO2_KG] += emissions
        if money.carbon_usd_per_kg != 0.0:
            change[b, Account.CARBON_USD] = money.carbon_usd_per_kg * emissions
        second = days.start_second[d] + k * h * 3600.0
        if days.clock_shift_step[d] >= 0 and k >= days.clock_shift_step[d]:
            second += days.clock_shift_s[d]
        if terms.peaker_from_s <= second % 86400.0 < terms.peaker_to_s:
            t[b, Tally.PEAKER_WINDOW_KWH] += energy
        bill_sites(b, d, k, days, state, terms, money, change)
        pay_events(b, d, k, days, state, h, change)
        change[b, Account.FIXED_USD] = days.fixed_usd_per_step[d]
        for a in range(change.shape[1]):
            state.accounts[b, a] += change[b, a]


@kernel
def bill_sites(b, d, k, days, state, terms, money, change):
    """Energy, demand charge and overload of the sites and feeders over one step."""
    h, window = terms.step_h, terms.window_steps
    for f in range(state.feeder_cars_kw.shape[1]):
        state.feeder_cars_kw[b, f] = 0.0
    over = 0.0
    for s in range(state.site_cars_kw.shape[1]):
        net, cars, tariff = (
            days.net_load_kw.values[days.net_load_kw.row[d], s, k],
            state.site_cars_kw[b, s],
            days.site_tariff[s],
        )
        buy = days.import_price.values[days.import_price.row[d], tariff, k]
        sell = days.export_price.values[days.export_price.row[d], tariff, k]
        change[b, Account.ENERGY_IMPORT_USD] += import_cost(net, cars, buy, h)
        change[b, Account.EXPORT_REVENUE_USD] += export_revenue(net, cars, sell, h)
        over += overload(
            net, cars, days.site_import_limit_kw.values[days.site_import_limit_kw.row[d], s, k],
            days.site_export_limit_kw.values[days.site_export_limit_kw.row[d], s, k], h,
        )  # fmt: skip
        state.window_kwh[b, s] += max(net + cars, 0.0) * h
        state.window_base_kwh[b, s] += max(net, 0.0) * h
        if (k + 1) % window == 0:
            hours = window * h
            was = state.peak_kw[b, s] - state.peak_base_kw[b, s]
            state.peak_kw[b, s] = max(state.peak_kw[b, s], state.window_kwh[b, s] / hours)
            state.peak_base_kw[b, s] = max(state.peak_base_kw[b, s], state.window_base_kwh[b, s] / hours)
            state.window_kwh[b, s] = 0.0
            state.window_base_kwh[b, s] = 0.0
            now = state.peak_kw[b, s] - state.peak_base_kw[b, s]
            change[b, Account.DEMAND_CHARGE_USD] += days.demand_rate[d, s] * (now - was)
        f = days.site_feeder[s]
        state.feeder_cars_kw[b, f] += cars
    t = state.tallies
    for f in range(state.feeder_cars_kw.shape[1]):
        net = days.feeder_net_load_kw.values[days.feeder_net_load_kw.row[d], f, k]
        over += overload(
            net, state.feeder_cars_kw[b, f],
            days.feeder_import_limit_kw.values[days.feeder_import_limit_kw.row[d], f, k],
            days.feeder_export_limit_kw.values[days.feeder_export_limit_kw.row[d], f, k], h,
        )  # fmt: skip
        t[b, Tally.PEAK_KW] = max(t[b, Tally.PEAK_KW], net + state.feeder_cars_kw[b, f])
    t[b, Tally.OVERLOAD_KWH] += over
    change[b, Account.OVERLOAD_USD] += money.overload_usd_per_kwh * over


@kernel
def pay_events(b, d, k, days, state, h, change):
    """Programme payments, booked as the performance, floored at 0, rises and falls (contracts 4)."""
    ev = days.events
    base, net = days.baseline_kw, days.net_load_kw
    for e in range(ev.start_step.shape[1]):
        if not (ev.start_step[d, e] <= k < ev.end_step[d, e]):
            continue
        kwh = 0.0
        for s in range(state.site_cars_kw.shape[1]):
            load = net.values[net.row[d], s, k]
            moved = max(load + state.site_cars_kw[b, s], 0.0) - max(load, 0.0)
            if ev.pays_export[d, e]:
                moved += min(load + state.site_cars_kw[b, s], 0.0) - min(load, 0.0)
            kwh += (base.values[base.row[d], s, k] - moved) * h
        was = max(state.event_kwh[b, e], 0.0)
        state.event_kwh[b, e] += kwh
        now = max(state.event_kwh[b, e], 0.0)
        change[b, Account.PROGRAMME_USD] -= ev.rate_usd_per_kwh[d, e] * (now - was)

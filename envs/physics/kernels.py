"""The compiled step: one loop over worlds, scalars inside, the port model and the ledger inlined from their one source.

`begin` and `advance` work on worlds `lo .. hi`, so that threads can share a batch.
"""

from __future__ import annotations

import math

from ..ledger import Account, Tally
from .backends import ledger_model, port_model
from .compiling import kernel
from .fetch_kernels import fetch_ahead
from .state import COMMAND_KW
from .stay_kernels import arrival, look_out, settle, unplug

_port, _ledger = port_model("numba"), ledger_model("numba")
offered_one_way, charge, discharge = _port.offered_one_way, _port.charge, _port.discharge
import_cost, export_revenue, overload = _ledger.import_cost, _ledger.export_revenue, _ledger.overload
calendar_wear = _ledger.calendar_wear


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
def drive(b, n, h, rounding, state, setpoint_kw):
    """Physics of one car over a step; returns the kWh drawn from the grid, taken for export, lost and worn, and
    whether the set-point has changed."""
    p = state.ports
    setpoint = setpoint_kw[b, n]
    if setpoint > 0.0:
        setpoint = offered_one_way(setpoint, p.max_charge_kw[b, n], p.min_charge_kw[b, n], p.step_kw[b, n], rounding)
    elif setpoint != 0.0:  # NaN too, which becomes a pause; taken off 0, so that no pause is a negative zero
        setpoint = 0.0 - offered_one_way(
            -setpoint, p.max_discharge_kw[b, n], p.min_discharge_kw[b, n], p.step_kw[b, n], rounding
        )
    before, capacity = state.soc[b, n], p.capacity_kwh[b, n]
    after, grid, taken = before, 0.0, 0.0
    if setpoint > 0.0:
        after, grid = charge(
            before, setpoint, h, capacity, p.taper_soc[b, n], p.battery_accept_kw[b, n],
            p.charge_efficiency[b, n], p.fixed_loss_kw[b, n], state.stop_soc[b, n],
        )  # fmt: skip
    elif setpoint < 0.0:
        after, given = discharge(
            before, -setpoint, h, capacity, p.discharge_efficiency[b, n], p.fixed_loss_kw[b, n], 0.0
        )
        grid, taken = -given, capacity * (before - after)
    last = p.last_setpoint_kw[b, n]
    changed = abs(setpoint - (0.0 if math.isnan(last) else last)) > COMMAND_KW
    if changed:
        p.commands_today[b, n] += 1
    state.soc[b, n] = after
    if not math.isnan(p.soc[b, n]):
        p.soc[b, n] = after
    p.need_kwh[b, n] = state.asked_kwh[b, n] - capacity * (after - state.soc_arrive[b, n])
    p.power_kw[b, n] = grid / h
    p.last_setpoint_kw[b, n] = setpoint
    return grid, taken, grid - capacity * (after - before), calendar_wear(before, after, capacity, h), changed


@kernel
def note_price(b, n, d, k, paid, days, state):
    """Remember the dearest price in force during the stay of a driver who will leave early."""
    if state.said_depart_step[b, n] > state.depart_step[b, n]:
        tariff, imp, exp = days.site_tariff[days.port_site[n]], days.import_price, days.export_price
        dear = max(imp.values[imp.row[d], tariff, k], exp.values[exp.row[d], tariff, k]) + paid
        state.dearest_usd_per_kwh[b, n] = max(state.dearest_usd_per_kwh[b, n], dear)


@kernel
def event_rate(d, k, events):
    """What running programme events pay together, $/kWh."""
    paid = 0.0
    for e in range(events.start_step.shape[1]):
        if events.start_step[d, e] <= k < events.end_step[d, e]:
            paid += events.rate_usd_per_kwh[d, e]
    return paid


@kernel
def ports_where(b, column, value, ports):
    """List the ports with `value` in a column; without a branch, which would be guessed wrong at every gap."""
    count = 0
    for n in range(column.shape[1]):
        ports[count] = n
        count += 1 if column[b, n] == value else 0
    return count


@kernel
def drive_cars(b, d, k, days, state, money, terms, setpoint_kw, change, ports):
    """All ports of one world over a step: physics, departures, arrivals; returns the kWh that the cars draw."""
    p, t, h, paid = state.ports, state.tallies, terms.step_h, event_rate(d, k, days.events)
    wear = calendar = energy = kwh_in = kwh_out = lost = 0.0
    commands = 0
    state.step[b] = k + 1
    for i in range(ports_where(b, p.plugged, True, ports)):
        n = ports[i]
        grid, taken, wasted, worn, changed = drive(b, n, h, terms.rounding, state, setpoint_kw)
        state.site_cars_kw[b, days.port_site[n]] += grid / h
        energy += grid
        kwh_in += max(grid, 0.0)
        kwh_out += max(-grid, 0.0)
        wear += taken
        lost += wasted
        calendar += worn
        commands += changed
        note_price(b, n, d, k, paid, days, state)
        if state.depart_step[b, n] == k + 1 or k + 1 == terms.n_steps:
            settle(b, n, days.port_site[n], days, state, money, terms, change)
        else:
            p.steps_left[b, n] = state.said_depart_step[b, n] - (k + 1)
    if k + 1 < terms.n_steps:
        for i in range(ports_where(b, state.next_arrive, k + 1, ports)):
            arrival(b, ports[i], days, state)
    change[b, Account.WEAR_USD] = money.wear_usd_per_kwh * wear + money.calendar_wear_usd_per_kwh * calendar
    t[b, Tally.KWH_IN] += kwh_in
    t[b, Tally.KWH_OUT] += kwh_out
    t[b, Tally.KWH_LOST] += lost
    t[b, Tally.COMMANDS] += commands
    t[b, Tally.KWH_FROM_BATTERY] += wear
    t[b, Tally.CALENDAR_WEAR_KWH] += calendar
    return energy


@kernel
def advance(lo, hi, days, state, money, terms, setpoint_kw, change, ports):
    """One step of worlds `lo .. hi` under `setpoint_kw` (B, N); writes the step's dollars into `change` (B, A).

    `ports` (N,) is scratch.
    """
    h, t = terms.step_h, state.tallies
    for b in range(lo, hi):
        fetch_ahead(b, hi, days, state)
        d, k = state.day[b], state.step[b]
        for a in range(change.shape[1]):
            change[b, a] = 0.0
        for s in range(state.site_cars_kw.shape[1]):
            state.site_cars_kw[b, s] = 0.0
        energy = drive_cars(b, d, k, days, state, money, terms, setpoint_kw, change, ports)
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

"""The step in array form, for NumPy (the reference) and torch (differentiable, on a GPU unchanged).

Nothing is overwritten: every step makes a new state, so that gradients can flow through whole days.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ..ledger import Account, MoneyTerms, Tally
from ..world.bank import Bank, DayTable, Series
from .backends import ledger_model, operations, port_model
from .state import NEVER, NO_STAY, StepTerms, WorldState

TAKEN = (
    "capacity_kwh", "taper_soc", "battery_accept_kw", "max_charge_kw", "max_discharge_kw", "min_charge_kw",
    "min_discharge_kw", "step_kw", "charge_efficiency", "discharge_efficiency", "fixed_loss_kw", "charge_limit_soc",
    "reserve_soc", "min_soc", "export_consent",
)  # fmt: skip
"""Port columns that a car brings along as they are."""


class ArrayEngine:
    """Steps the worlds by array operations; see `engines.Engine`."""

    def __init__(self, bank: Bank, money: MoneyTerms, terms: StepTerms, backend: str, device: str) -> None:
        self._ops = operations(backend)
        self._port, self._ledger = port_model(backend), ledger_model(backend)
        self._money, self._terms = money, terms
        self._torch = backend == "torch"
        self._device = device
        self.days: DayTable = _mapped(bank.days, self._array)
        self._site_of = self._array(np.eye(bank.first.n_sites, dtype=bank.dtype)[bank.first.port_site])  # (N, S)
        self._feeder_of = self._array(np.eye(bank.first.n_feeders, dtype=bank.dtype)[bank.first.site_feeder])
        self._dtype = bank.dtype

    def _array(self, value: Any) -> Any:
        if not self._torch:
            return np.asarray(value)
        torch: Any = importlib.import_module("torch")
        return torch.as_tensor(np.ascontiguousarray(value), device=self._device)

    def prepare(self, state: WorldState) -> WorldState:
        return _mapped(state, self._array)  # type: ignore[no-any-return]

    def begin(self, state: WorldState, worlds: Any, days: Any) -> WorldState:
        o, table = self._ops, self.days
        mask, chosen = np.zeros(state.day.shape[0], bool), np.zeros(state.day.shape[0], np.int64)
        mask[worlds], chosen[worlds] = True, days
        fresh, wide = self._array(mask), self._array(mask[:, None])
        if mask.all():
            state = self._apart(state)
        day = o.where(fresh, self._array(chosen), state.day)
        empty = self._unplugged(state._replace(day=day), wide & (state.stay == state.stay))
        zeroed = {
            # No `* 0`: a world whose books are NaN (a day without emission data) has to come out clean.
            name: o.where(wide, self._array(np.zeros(getattr(state, name).shape, self._dtype)), getattr(state, name))
            for name in ("window_kwh", "window_base_kwh", "event_kwh", "accounts", "tallies", "soc")
        }
        peak = table.billing_peak_kw[day]
        empty = empty._replace(
            step=o.where(fresh, state.step * 0, state.step),
            next_stay=o.where(wide, table.first_stay[day][:, :-1], state.next_stay),
            peak_kw=o.where(wide, peak, state.peak_kw),
            peak_base_kw=o.where(wide, peak, state.peak_base_kw),
            ports=empty.ports._replace(
                commands_today=o.where(wide, state.ports.commands_today * 0, state.ports.commands_today)
            ),
            **zeroed,
        )
        return self._arrivals(empty._replace(next_arrive=self._next_arrival(empty.day, empty.next_stay)))

    def _apart(self, state: WorldState) -> WorldState:
        """The state without its past: no gradient flows from a fresh day into the one before."""
        return _mapped(state, lambda tensor: tensor.detach()) if self._torch else state

    def _unplugged(self, state: WorldState, gone: Any) -> WorldState:
        """Empty the ports where `gone` (B, N)."""
        o, p, nan = self._ops, state.ports, float("nan")
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

    def _arrivals(self, state: WorldState) -> WorldState:
        o, table = self._ops, self.days.stays
        end = self.days.first_stay[state.day][:, 1:]
        row = state.next_stay * (state.next_stay < end)
        here = (state.next_arrive == state.step[:, None]) & (state.step < self._terms.n_steps)[:, None]

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
            next_arrive=self._next_arrival(state.day, state.next_stay + here),
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

    def _next_arrival(self, day: Any, next_stay: Any) -> Any:
        coming = next_stay < self.days.first_stay[day][:, 1:]
        return self._ops.where(coming, self.days.stays.arrive_step[next_stay * coming], next_stay * 0 + NEVER)

    def advance(self, state: WorldState, setpoint_kw: Any) -> tuple[WorldState, Any]:
        h = self._terms.step_h
        change: dict[int, Any] = {}
        tally: dict[int, Any] = {}
        setpoint_kw = setpoint_kw if self._torch else np.asarray(setpoint_kw, self._dtype)
        state, power_kw = self._drive(state, setpoint_kw, change, tally)
        cars_kw = power_kw @ self._site_of
        state = self._bill(state, cars_kw, change, tally)
        state = self._pay_events(state, cars_kw, change)
        change[Account.FIXED_USD] = self.days.fixed_usd_per_step[state.day]
        tally[Tally.CO2_KG] = self._today(self.days.emissions, state)[:, 0] * power_kw.sum(1) * h
        if self._money.carbon_usd_per_kg != 0.0:
            change[Account.CARBON_USD] = self._money.carbon_usd_per_kg * tally[Tally.CO2_KG]
        tally[Tally.PEAKER_WINDOW_KWH] = self._in_peaker_window(state) * power_kw.sum(1) * h
        state = state._replace(step=state.step + 1)
        state = self._settle(state, change, tally)
        state = self._arrivals(state)
        dollars = self._columns(change, len(Account), power_kw)
        tallies = state.tallies + self._columns(tally, len(Tally), power_kw)
        for maximum in (Tally.PEAK_KW, Tally.WORST_SHORTFALL_KWH):
            tallies = self._with(tallies, maximum, self._ops.maximum(state.tallies[:, maximum], tally[maximum]))
        return state._replace(accounts=state.accounts + dollars, tallies=tallies), dollars

    def _today(self, series: Series, state: WorldState) -> Any:
        """The present step's values of a series, (B, G)."""
        return series.values[series.row[state.day], :, state.step]

    def _columns(self, parts: dict[int, Any], width: int, like: Any) -> Any:
        zero = like[:, 0] * 0.0
        columns = [parts.get(i, zero) + zero for i in range(width)]
        if self._torch:
            torch: Any = importlib.import_module("torch")
            return torch.stack(columns, 1)
        return np.stack(columns, 1)

    def _with(self, table: Any, column: int, values: Any) -> Any:
        copy = table.clone() if self._torch else table.copy()
        copy[:, column] = values
        return copy

    def _in_peaker_window(self, state: WorldState) -> Any:
        days, seconds = self.days, round(self._terms.step_h * 3600)
        shift = days.clock_shift_step[state.day]
        shifted = days.clock_shift_s[state.day] * ((shift >= 0) & (state.step >= shift))
        second = (days.start_second[state.day] + state.step * seconds + shifted) % 86400
        return (second >= self._terms.peaker_from_s) & (second < self._terms.peaker_to_s)

    def _drive(self, state: WorldState, setpoint_kw: Any, change: Any, tally: Any) -> tuple[WorldState, Any]:
        """Batteries and chargers over one step; returns the state and the grid power (B, N)."""
        o, p, h = self._ops, state.ports, self._terms.step_h
        capacity = o.where(p.plugged, p.capacity_kwh, p.capacity_kwh * 0 + 1)
        taper = o.where(p.plugged, p.taper_soc, p.taper_soc * 0)
        accept = o.where(p.plugged, p.battery_accept_kw, capacity)
        eta_c = o.where(p.plugged, p.charge_efficiency, capacity)
        eta_d = o.where(p.plugged, p.discharge_efficiency, capacity)
        setpoint = self._port.offered_power(
            setpoint_kw,
            p.max_charge_kw,
            p.max_discharge_kw,
            p.min_charge_kw,
            p.min_discharge_kw,
            p.step_kw,
            self._terms.rounding,
        )
        setpoint = o.where(p.plugged, setpoint, setpoint * 0)
        up, drawn = self._port.charge(
            state.soc,
            o.maximum(setpoint, 0.0),
            h,
            capacity,
            taper,
            accept,
            eta_c,
            p.fixed_loss_kw,
            state.stop_soc,
        )
        down, given = self._port.discharge(
            state.soc, o.maximum(-setpoint, 0.0), h, capacity, eta_d, p.fixed_loss_kw, 0.0
        )
        charging, exporting = setpoint > 0, setpoint < 0
        after = o.where(charging, up, o.where(exporting, down, state.soc))
        drawn, given = o.where(charging, drawn, drawn * 0), o.where(exporting, given, given * 0)
        from_battery = o.where(exporting, capacity * (state.soc - after), given * 0)
        calendar = self._ledger.calendar_wear(state.soc, after, capacity, h) * p.plugged
        was = o.where(p.last_setpoint_kw == p.last_setpoint_kw, p.last_setpoint_kw, setpoint * 0)
        changed = (o.maximum(setpoint - was, was - setpoint) > 1e-6) & p.plugged
        money = self._money
        wear = money.wear_usd_per_kwh * from_battery + money.calendar_wear_usd_per_kwh * calendar
        change[Account.WEAR_USD] = wear.sum(1)
        tally |= {
            Tally.KWH_IN: drawn.sum(1), Tally.KWH_OUT: given.sum(1),
            Tally.KWH_LOST: (drawn - given - capacity * (after - state.soc)).sum(1),
            Tally.KWH_FROM_BATTERY: from_battery.sum(1), Tally.CALENDAR_WEAR_KWH: calendar.sum(1),
            Tally.COMMANDS: changed.sum(1),
        }  # fmt: skip
        ports = p._replace(
            soc=o.where(p.soc == p.soc, after, p.soc),
            need_kwh=o.where(p.plugged, state.asked_kwh - capacity * (after - state.soc_arrive), p.need_kwh),
            power_kw=(drawn - given) / h,
            last_setpoint_kw=o.where(p.plugged, setpoint, p.last_setpoint_kw),
            commands_today=p.commands_today + changed,
        )
        state = state._replace(soc=after, dearest_usd_per_kwh=self._dearest(state), ports=ports)
        return state, (drawn - given) / h

    def _dearest(self, state: WorldState) -> Any:
        o, days, events = self._ops, self.days, self.days.events
        now = state.step[:, None]
        held = (events.start_step[state.day] <= now) & (now < events.end_step[state.day])
        rate = events.rate_usd_per_kwh[state.day]
        paid = o.where(held, rate, rate * 0).sum(1)
        tariff = days.site_tariff[days.port_site]
        buy = self._today(days.import_price, state)[:, tariff]
        sell = self._today(days.export_price, state)[:, tariff]
        # Who does not charge in an event saves the import price and earns the payment: it counts with both.
        return o.maximum(state.dearest_usd_per_kwh, o.maximum(buy, sell) + paid[:, None])

    def _bill(self, state: WorldState, cars_kw: Any, change: Any, tally: Any) -> WorldState:
        """Energy, demand charge and overload of sites and feeders."""
        o, days, h, ledger = self._ops, self.days, self._terms.step_h, self._ledger
        net = self._today(days.net_load_kw, state)
        buy = self._today(days.import_price, state)[:, days.site_tariff]
        sell = self._today(days.export_price, state)[:, days.site_tariff]
        change[Account.ENERGY_IMPORT_USD] = ledger.import_cost(net, cars_kw, buy, h).sum(1)
        change[Account.EXPORT_REVENUE_USD] = ledger.export_revenue(net, cars_kw, sell, h).sum(1)
        at_sites = ledger.overload(
            net,
            cars_kw,
            self._today(days.site_import_limit_kw, state),
            self._today(days.site_export_limit_kw, state),
            h,
        )
        feeder_net = self._today(days.feeder_net_load_kw, state)
        feeder_cars = cars_kw @ self._feeder_of
        at_feeders = ledger.overload(
            feeder_net, feeder_cars, self._today(days.feeder_import_limit_kw, state),
            self._today(days.feeder_export_limit_kw, state), h,
        )  # fmt: skip
        tally[Tally.OVERLOAD_KWH] = at_sites.sum(1) + at_feeders.sum(1)
        change[Account.OVERLOAD_USD] = self._money.overload_usd_per_kwh * tally[Tally.OVERLOAD_KWH]
        load = feeder_net + feeder_cars
        tally[Tally.PEAK_KW] = load.max(1).values if self._torch else load.max(1)
        window = state.window_kwh + o.maximum(net + cars_kw, 0.0) * h
        base = state.window_base_kwh + o.maximum(net, 0.0) * h
        steps = self._terms.window_steps
        closes = ((state.step + 1) % steps == 0)[:, None]
        peak = o.where(closes, o.maximum(state.peak_kw, window / (steps * h)), state.peak_kw)
        peak_base = o.where(closes, o.maximum(state.peak_base_kw, base / (steps * h)), state.peak_base_kw)
        rise = (peak - peak_base) - (state.peak_kw - state.peak_base_kw)
        change[Account.DEMAND_CHARGE_USD] = (days.demand_rate[state.day] * rise).sum(1)
        return state._replace(
            window_kwh=o.where(closes, window * 0, window), window_base_kwh=o.where(closes, base * 0, base),
            site_cars_kw=cars_kw, feeder_cars_kw=feeder_cars,
            peak_kw=peak, peak_base_kw=peak_base,
        )  # fmt: skip

    def _pay_events(self, state: WorldState, cars_kw: Any, change: Any) -> WorldState:
        o, days, now = self._ops, self.days, state.step[:, None]
        events, net = days.events, self._today(days.net_load_kw, state)
        held = (events.start_step[state.day] <= now) & (now < events.end_step[state.day])  # (B, E)
        baseline = self._today(days.baseline_kw, state)
        imports = o.maximum(net + cars_kw, 0.0) - o.maximum(net, 0.0)
        exports = o.minimum(net + cars_kw, 0.0) - o.minimum(net, 0.0)
        reduced = (baseline - imports).sum(1)[:, None]
        kwh = (reduced - exports.sum(1)[:, None] * events.pays_export[state.day]) * held * self._terms.step_h
        after = state.event_kwh + kwh
        paid = (o.maximum(after, 0.0) - o.maximum(state.event_kwh, 0.0)) * events.rate_usd_per_kwh[state.day]
        change[Account.PROGRAMME_USD] = -paid.sum(1)
        return state._replace(event_kwh=after)

    def _settle(self, state: WorldState, change: Any, tally: Any) -> WorldState:
        """Settle the stays that end with the step that was just driven, and unplug them."""
        o, p, days, terms, ledger = self._ops, state.ports, self.days, self._terms, self._ledger
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
        money = self._money
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
            Tally.WORST_SHORTFALL_KWH: unserved.max(1).values if self._torch else unserved.max(1),
            Tally.FEASIBLE_KWH: o.where(positive, could, zero).sum(1),
            Tally.FEASIBLE_UNSERVED_KWH: o.where(positive, unserved, zero).sum(1),
            Tally.SERVED_STAYS: served.sum(1), Tally.MET_STAYS: (served & ledger.met(could, unserved)).sum(1),
        }  # fmt: skip
        left = state._replace(ports=p._replace(steps_left=o.where(p.plugged, late - now, p.steps_left)))
        return self._unplugged(left, ends)


def _mapped(value: Any, array: Any) -> Any:
    if isinstance(value, tuple):
        return type(value)(*(_mapped(item, array) for item in value))
    return array(value)

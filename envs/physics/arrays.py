"""The step in array form, for NumPy (the reference) and torch (differentiable, on a GPU unchanged).

Nothing is overwritten: every step makes a new state, so that gradients can flow through whole days.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ..ledger import Account, MoneyTerms, Tally
from ..snapshot import require_shape
from ..world.bank import Bank, DayTable, StayTable
from .array_bill import bill, dearest, in_peaker_window, pay_events
from .array_stays import arrivals, next_arrival, settle, unplugged
from .array_tools import Tools
from .backends import ledger_model, operations, port_model
from .now import Now, Today, look_arrays
from .state import COMMAND_KW, StepTerms, WorldState


class ArrayEngine:
    """Steps the worlds by array operations; see `engines.Engine`."""

    def __init__(self, bank: Bank, money: MoneyTerms, terms: StepTerms, backend: str, device: str) -> None:
        self._torch, self._device, self._dtype = backend == "torch", device, bank.dtype
        self.layout = object()  # whose arrays look alike depends on the back end's operators, so on nobody else's
        self.days: DayTable = _mapped(_with_a_stay(bank.days), self._array)
        first = bank.first
        self._site_of = self._array(np.eye(first.n_sites, dtype=bank.dtype)[first.port_site])  # (N, S)
        feeder_of = self._array(np.eye(first.n_feeders, dtype=bank.dtype)[first.site_feeder])
        self._tools = Tools(
            operations(backend), port_model(backend), ledger_model(backend), money, terms, self.days, feeder_of,
            self._torch,
        )  # fmt: skip

    def _array(self, value: Any) -> Any:
        if not self._torch:
            return np.asarray(value)
        torch: Any = importlib.import_module("torch")
        return torch.as_tensor(np.ascontiguousarray(value), device=self._device)

    def prepare(self, state: WorldState) -> WorldState:
        return _mapped(state, self._array)  # type: ignore[no-any-return]

    def begin(self, state: WorldState, worlds: Any, days: Any) -> WorldState:
        o, table = self._tools.ops, self.days
        mask, chosen = np.zeros(state.day.shape[0], bool), np.zeros(state.day.shape[0], np.int64)
        mask[worlds], chosen[worlds] = True, days
        fresh, wide = self._array(mask), self._array(mask[:, None])
        if mask.all():
            state = self._apart(state)
        day = o.where(fresh, self._array(chosen), state.day)
        empty = unplugged(self._tools, state._replace(day=day), wide & (state.stay == state.stay))
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
        return arrivals(self._tools, empty._replace(next_arrive=next_arrival(self._tools, empty.day, empty.next_stay)))

    def look(self, state: WorldState, today: Today) -> Now:
        return look_arrays(self.days, today, state.step, self._tools.terms)

    def _apart(self, state: WorldState) -> WorldState:
        """The state without its past: no gradient flows from a fresh day into the one before."""
        return _mapped(state, lambda tensor: tensor.detach()) if self._torch else state

    def advance(self, state: WorldState, setpoint_kw: Any) -> tuple[WorldState, Any]:
        t, h = self._tools, self._tools.terms.step_h
        change: dict[int, Any] = {}
        tally: dict[int, Any] = {}
        setpoint_kw = setpoint_kw if self._torch else np.asarray(setpoint_kw, self._dtype)
        require_shape("setpoint_kw", setpoint_kw, state.ports.soc.shape)
        state, power_kw = self._drive(state, setpoint_kw, change, tally)
        cars_kw = power_kw @ self._site_of
        state = bill(t, state, cars_kw, change, tally)
        state = pay_events(t, state, cars_kw, change)
        change[Account.FIXED_USD] = self.days.fixed_usd_per_step[state.day]
        tally[Tally.CO2_KG] = t.today(self.days.emissions, state)[:, 0] * power_kw.sum(1) * h
        if t.money.carbon_usd_per_kg != 0.0:
            change[Account.CARBON_USD] = t.money.carbon_usd_per_kg * tally[Tally.CO2_KG]
        tally[Tally.PEAKER_WINDOW_KWH] = in_peaker_window(t, state) * power_kw.sum(1) * h
        state = state._replace(step=state.step + 1)
        state = settle(t, state, change, tally)
        state = arrivals(t, state)
        dollars = self._columns(change, len(Account), power_kw)
        tallies = state.tallies + self._columns(tally, len(Tally), power_kw)
        for maximum in (Tally.PEAK_KW, Tally.WORST_SHORTFALL_KWH):
            tallies = self._with(tallies, maximum, t.ops.maximum(state.tallies[:, maximum], tally[maximum]))
        return state._replace(accounts=state.accounts + dollars, tallies=tallies), dollars

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

    def _drive(self, state: WorldState, setpoint_kw: Any, change: Any, tally: Any) -> tuple[WorldState, Any]:
        """Batteries and chargers over one step; returns the state and the grid power (B, N)."""
        t, o, p = self._tools, self._tools.ops, state.ports
        h = t.terms.step_h
        capacity = o.where(p.plugged, p.capacity_kwh, p.capacity_kwh * 0 + 1)
        taper = o.where(p.plugged, p.taper_soc, p.taper_soc * 0)
        accept = o.where(p.plugged, p.battery_accept_kw, capacity)
        eta_c = o.where(p.plugged, p.charge_efficiency, capacity)
        eta_d = o.where(p.plugged, p.discharge_efficiency, capacity)
        setpoint = t.port.offered_power(
            setpoint_kw,
            p.max_charge_kw,
            p.max_discharge_kw,
            p.min_charge_kw,
            p.min_discharge_kw,
            p.step_kw,
            t.terms.rounding,
        )
        setpoint = o.where(p.plugged, setpoint, setpoint * 0)
        up, drawn = t.port.charge(
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
        down, given = t.port.discharge(state.soc, o.maximum(-setpoint, 0.0), h, capacity, eta_d, p.fixed_loss_kw, 0.0)
        charging, exporting = setpoint > 0, setpoint < 0
        after = o.where(charging, up, o.where(exporting, down, state.soc))
        drawn, given = o.where(charging, drawn, drawn * 0), o.where(exporting, given, given * 0)
        from_battery = o.where(exporting, capacity * (state.soc - after), given * 0)
        calendar = t.ledger.calendar_wear(state.soc, after, capacity, h) * p.plugged
        was = o.where(p.last_setpoint_kw == p.last_setpoint_kw, p.last_setpoint_kw, setpoint * 0)
        changed = (o.maximum(setpoint - was, was - setpoint) > COMMAND_KW) & p.plugged
        money = t.money
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
        state = state._replace(soc=after, dearest_usd_per_kwh=dearest(t, state), ports=ports)
        return state, (drawn - given) / h


def _with_a_stay(days: DayTable) -> DayTable:
    """The days with one row of stays at least: arrays look one up for every port, also where nobody ever comes."""
    if len(days.stays.arrive_step):
        return days
    return days._replace(stays=StayTable(*(np.ones(1, column.dtype) for column in days.stays)))


def _mapped(value: Any, array: Any) -> Any:
    if isinstance(value, tuple):
        return type(value)(*(_mapped(item, array) for item in value))
    return array(value)

"""What a step costs the sites in array form: energy, demand charge, overload, programmes, the dearest price."""

from __future__ import annotations

from typing import Any

from ..ledger import Account, Tally
from .array_tools import Tools
from .state import WorldState


def bill(t: Tools, state: WorldState, cars_kw: Any, change: Any, tally: Any) -> WorldState:
    """Energy, demand charge and overload of sites and feeders."""
    o, days, h, ledger = t.ops, t.days, t.terms.step_h, t.ledger
    net = t.today(days.net_load_kw, state)
    buy = t.today(days.import_price, state)[:, days.site_tariff]
    sell = t.today(days.export_price, state)[:, days.site_tariff]
    change[Account.ENERGY_IMPORT_USD] = ledger.import_cost(net, cars_kw, buy, h).sum(1)
    change[Account.EXPORT_REVENUE_USD] = ledger.export_revenue(net, cars_kw, sell, h).sum(1)
    at_sites = ledger.overload(
        net,
        cars_kw,
        t.today(days.site_import_limit_kw, state),
        t.today(days.site_export_limit_kw, state),
        h,
    )
    feeder_net = t.today(days.feeder_net_load_kw, state)
    feeder_cars = cars_kw @ t.feeder_of
    at_feeders = ledger.overload(
        feeder_net, feeder_cars, t.today(days.feeder_import_limit_kw, state),
        t.today(days.feeder_export_limit_kw, state), h,
    )  # fmt: skip
    tally[Tally.OVERLOAD_KWH] = at_sites.sum(1) + at_feeders.sum(1)
    change[Account.OVERLOAD_USD] = t.money.overload_usd_per_kwh * tally[Tally.OVERLOAD_KWH]
    load = feeder_net + feeder_cars
    tally[Tally.PEAK_KW] = t.highest(load)
    window = state.window_kwh + o.maximum(net + cars_kw, 0.0) * h
    base = state.window_base_kwh + o.maximum(net, 0.0) * h
    steps = t.terms.window_steps
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


def pay_events(t: Tools, state: WorldState, cars_kw: Any, change: Any) -> WorldState:
    """Programme payments, booked as the performance, floored at 0, rises and falls."""
    o, days, now = t.ops, t.days, state.step[:, None]
    events, net = days.events, t.today(days.net_load_kw, state)
    held = (events.start_step[state.day] <= now) & (now < events.end_step[state.day])  # (B, E)
    baseline = t.today(days.baseline_kw, state)
    imports = o.maximum(net + cars_kw, 0.0) - o.maximum(net, 0.0)
    exports = o.minimum(net + cars_kw, 0.0) - o.minimum(net, 0.0)
    reduced = (baseline - imports).sum(1)[:, None]
    kwh = (reduced - exports.sum(1)[:, None] * events.pays_export[state.day]) * held * t.terms.step_h
    after = state.event_kwh + kwh
    paid = (o.maximum(after, 0.0) - o.maximum(state.event_kwh, 0.0)) * events.rate_usd_per_kwh[state.day]
    change[Account.PROGRAMME_USD] = -paid.sum(1)
    return state._replace(event_kwh=after)


def dearest(t: Tools, state: WorldState) -> Any:
    """Highest price in force during each stay so far (B, N)."""
    o, days, events = t.ops, t.days, t.days.events
    now = state.step[:, None]
    held = (events.start_step[state.day] <= now) & (now < events.end_step[state.day])
    rate = events.rate_usd_per_kwh[state.day]
    paid = o.where(held, rate, rate * 0).sum(1)
    tariff = days.site_tariff[days.port_site]
    buy = t.today(days.import_price, state)[:, tariff]
    sell = t.today(days.export_price, state)[:, tariff]
    # Who does not charge in an event saves the import price and earns the payment: it counts with both.
    return o.maximum(state.dearest_usd_per_kwh, o.maximum(buy, sell) + paid[:, None])


def in_peaker_window(t: Tools, state: WorldState) -> Any:
    """Whether the step begins in the evening peak (B,)."""
    days, seconds = t.days, round(t.terms.step_h * 3600)
    shift = days.clock_shift_step[state.day]
    shifted = days.clock_shift_s[state.day] * ((shift >= 0) & (state.step >= shift))
    second = (days.start_second[state.day] + state.step * seconds + shifted) % 86400
    return (second >= t.terms.peaker_from_s) & (second < t.terms.peaker_to_s)

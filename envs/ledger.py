"""The ledger: names of its accounts, and the arithmetic of bill and settlement, once for every back end.

Dollars are signed, cost positive, and incremental: the bill of the sites with the cars minus the bill of the same
sites without them (contracts 3 and 4).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

from .physics.port import Operations, PortModel
from .world.scenario import Money


class Account(IntEnum):
    """Dollar accounts, by column of the ledger."""

    ENERGY_IMPORT_USD = 0
    EXPORT_REVENUE_USD = 1
    DEMAND_CHARGE_USD = 2
    FIXED_USD = 3
    PROGRAMME_USD = 4
    WEAR_USD = 5
    UNSERVED_USD = 6
    EARLY_LEAVE_USD = 7
    OVERLOAD_USD = 8
    CARBON_USD = 9
    END_VALUE_USD = 10


class Tally(IntEnum):
    """Physical accounts and counts of service, by column."""

    KWH_IN = 0  # drawn by the cars from the grid side
    KWH_OUT = 1  # given by the cars to the grid side
    KWH_LOST = 2
    CO2_KG = 3
    PEAK_KW = 4  # highest feeder import, a maximum
    OVERLOAD_KWH = 5
    KWH_FROM_BATTERY = 6  # taken out for export, what wear is paid on
    CALENDAR_WEAR_KWH = 7  # capacity lost to time at high SoC
    COMMANDS = 8  # changes of set-point
    STAYS = 9  # stays that were settled
    SERVED_STAYS = 10  # with feasible > 0, or that ended below feasible
    MET_STAYS = 11  # of those, unserved within the tolerance
    FEASIBLE_KWH = 12  # over stays with feasible > 0
    FEASIBLE_UNSERVED_KWH = 13  # unserved over the same stays
    UNSERVED_KWH = 14
    EARLY_SHORTFALL_KWH = 15
    WORST_SHORTFALL_KWH = 16  # a maximum
    PEAKER_WINDOW_KWH = 17  # net draw of the cars in the evening peak


MAXIMA = (Tally.PEAK_KW, Tally.WORST_SHORTFALL_KWH)
"""Tallies that are maxima over a day, not sums."""

MET_SHARE, MET_KWH = 0.01, 0.05
"""A departure is met when at most this share of the feasible energy, or this many kWh, is unserved (contracts 3)."""

EARLY_PRICE_FACTOR = 1.2
"""On the highest price in force, so that leaving cars short on purpose never pays (contracts 3)."""

CALENDAR_PER_HOUR = 1e6 * 2.7182818284590452 ** (-6976.0 / 298.15) * 365.0**0.75 / 8760.0
"""Schmalstieg et al. 2014, doi 10.1016/j.jpowsour.2014.02.012: fade = (7.543 V - 23.75) 1e6 exp(-6976/T) t^0.75 with
t in days; here its mean over the first year at 25 °C, per hour and per unit of the voltage term."""
CALENDAR_AT_EMPTY, CALENDAR_PER_SOC = 7.543 * 3.332 - 23.75, 7.543 * 0.826
"""The voltage term with V = 3.332 + 0.826 SoC: linear in SoC."""


class MoneyTerms(NamedTuple):
    """`Money` with its defaults resolved, as plain numbers for compiled code."""

    wear_usd_per_kwh: float
    calendar_wear_usd_per_kwh: float
    unserved_usd_per_kwh: float
    early_leave_usd_per_kwh: float
    overload_usd_per_kwh: float
    carbon_usd_per_kg: float


def money_terms(money: Money) -> MoneyTerms:
    """Resolve the defaults of `money`."""
    overload = money.unserved_usd_per_kwh if money.overload_usd_per_kwh is None else money.overload_usd_per_kwh
    return MoneyTerms(
        money.wear_usd_per_kwh, money.calendar_wear_usd_per_kwh, money.unserved_usd_per_kwh,
        money.early_leave_usd_per_kwh, overload, money.carbon_usd_per_kg,
    )  # fmt: skip


class LedgerModel(NamedTuple):
    """Elementwise arithmetic of one back end; see `make_ledger_model`."""

    import_cost: Callable[..., Any]
    export_revenue: Callable[..., Any]
    overload: Callable[..., Any]
    calendar_wear: Callable[..., Any]
    end_target: Callable[..., Any]
    feasible: Callable[..., Any]
    shortfall: Callable[..., Any]
    early_price: Callable[..., Any]
    end_energy: Callable[..., Any]
    met: Callable[..., Any]


def make_ledger_model(
    ops: Operations, port: PortModel, compile_: Callable[..., Any] = lambda function: function
) -> LedgerModel:
    """Build the arithmetic of bill and settlement for one back end."""
    where, minimum, maximum = ops.where, ops.minimum, ops.maximum
    zero, one, half, tiny = (ops.number(x) for x in (0.0, 1.0, 0.5, 1e-9))
    calendar_flat = ops.number(CALENDAR_PER_HOUR * CALENDAR_AT_EMPTY)
    calendar_soc = ops.number(CALENDAR_PER_HOUR * CALENDAR_PER_SOC)
    factor, share, least = (ops.number(x) for x in (EARLY_PRICE_FACTOR, MET_SHARE, MET_KWH))
    charge, taper_start, full_power, latest_start = (
        port.charge,
        port.taper_start,
        port.full_power,
        port.latest_start,
    )

    @compile_
    def import_cost(net_kw, cars_kw, price, hours):
        """What the cars add to the site's import bill: they first meet the site's own load or surplus."""
        return price * (maximum(net_kw + cars_kw, zero) - maximum(net_kw, zero)) * hours

    @compile_
    def export_revenue(net_kw, cars_kw, price, hours):
        """What the cars change in the site's export revenue, as a cost."""
        return price * (minimum(net_kw + cars_kw, zero) - minimum(net_kw, zero)) * hours

    @compile_
    def overload(net_kw, cars_kw, import_limit_kw, export_limit_kw, hours):
        """kWh that the cars cause above max(limit, load without them), import and export alike."""
        above = maximum(net_kw + cars_kw - maximum(import_limit_kw, net_kw), zero)
        below = maximum(-(net_kw + cars_kw) - maximum(export_limit_kw, -net_kw), zero)
        return (above + below) * hours

    @compile_
    def calendar_wear(soc_start, soc_end, capacity_kwh, hours):
        """Capacity lost to time at a state of charge, kWh (first-year mean at 25 °C)."""
        return capacity_kwh * hours * (calendar_flat + calendar_soc * half * (soc_start + soc_end))

    @compile_
    def end_target(
        target_soc,
        min_soc,
        hours_after,
        max_charge_kw,
        capacity_kwh,
        taper_soc,
        accept_kw,
        efficiency,
        fixed_loss_kw,
    ):
        """Target at the end of the episode of a stay that outlasts it by `hours_after`: its latest-start SoC."""
        battery_kw = full_power(max_charge_kw, accept_kw, efficiency, fixed_loss_kw)
        knee = taper_start(battery_kw, accept_kw, taper_soc)
        tau = capacity_kwh * (one - taper_soc) / accept_kw
        start = latest_start(target_soc, hours_after, battery_kw, knee, tau, capacity_kwh)
        return where(hours_after > zero, maximum(start, minimum(min_soc, target_soc)), target_soc)

    @compile_
    def feasible(
        asked_kwh,
        stop_soc,
        soc_arrive,
        hours,
        max_charge_kw,
        capacity_kwh,
        taper_soc,
        accept_kw,
        efficiency,
        loss_kw,
    ):
        """The least of asked, room, and what charging at once over the stay gives, kWh at the battery."""
        at_once, _ = charge(
            soc_arrive,
            max_charge_kw,
            hours,
            capacity_kwh,
            taper_soc,
            accept_kw,
            efficiency,
            loss_kw,
            stop_soc,
        )
        return minimum(asked_kwh, capacity_kwh * (at_once - soc_arrive))

    @compile_
    def shortfall(
        feasible_kwh, soc_arrive, soc_end, hours_early, max_charge_kw, capacity_kwh, taper_soc, accept_kw, efficiency,
        loss_kw, stop_soc,
    ):  # fmt: skip
        """Split what is missing into unserved and excused: what full power until the said departure could give."""
        missing = maximum(feasible_kwh - capacity_kwh * (soc_end - soc_arrive), zero)
        missing = where(missing < tiny, zero, missing)
        later, _ = charge(
            soc_end,
            max_charge_kw,
            hours_early,
            capacity_kwh,
            taper_soc,
            accept_kw,
            efficiency,
            loss_kw,
            stop_soc,
        )
        excused = where(hours_early > zero, minimum(missing, capacity_kwh * (later - soc_end)), zero)
        return missing - excused, excused

    @compile_
    def early_price(early_leave_price, dearest_price, efficiency):
        """$ per kWh of an excused shortfall."""
        return maximum(early_leave_price, factor * dearest_price / efficiency)

    @compile_
    def end_energy(soc_arrive, soc_end, target_soc, capacity_kwh, efficiency):
        """Grid kWh by which a stay that goes on is further than at its start; nothing above the target counts."""
        return capacity_kwh * (minimum(soc_end, target_soc) - minimum(soc_arrive, target_soc)) / efficiency

    @compile_
    def met(feasible_kwh, unserved_kwh):
        """Whether a departure counts as met."""
        return unserved_kwh <= maximum(share * feasible_kwh, least)

    return LedgerModel(
        import_cost, export_revenue, overload, calendar_wear, end_target, feasible, shortfall, early_price,
        end_energy, met,
    )  # fmt: skip

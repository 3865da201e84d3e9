"""The planning problem of a whole scenario-day with perfect foresight: stays, prices and loads as they happen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.ledger import EARLY_PRICE_FACTOR
from ...envs.physics.backends import ledger_model, port_model, rounding_of
from ...envs.physics.port import FULL_SOC
from ...envs.simulator import DEMAND_WINDOW_MINUTES
from ...envs.world.bank import DayTable, StayTable, pack
from ...envs.world.scenario import Scenario
from ..planning.problem import PlanEvents, PlanFeeders, PlanSites, PlanStays, Problem

Array = NDArray[Any]


def problem_of(scenario: Scenario) -> Problem:
    """The problem of the day's truth, with what a bank makes of the scenario: prices resolved, limits of the cars.

    Raises:
        ValueError: a scenario that the simulator refuses.
    """
    days, t, h = pack([scenario]).days, scenario.n_steps, scenario.step_h
    emissions = scenario.emissions_kg_per_kwh[:t]
    money = scenario.money
    return Problem(
        step_h=h,
        n_steps=t,
        n_ports=scenario.n_ports,
        stays=_stays(scenario, days),
        sites=_sites(scenario, days),
        feeders=PlanFeeders(
            net_load_kw=days.feeder_net_load_kw.values[0, :, :t],
            import_limit_kw=scenario.feeder_import_limit_kw[:, :t],
            export_limit_kw=scenario.feeder_export_limit_kw[:, :t],
        ),
        events=_events(scenario),
        window_steps=max(1, DEMAND_WINDOW_MINUTES // scenario.interval_minutes),
        window_done=0,
        wear_usd_per_kwh=money.wear_usd_per_kwh,
        calendar_usd_per_kwh=money.calendar_wear_usd_per_kwh,
        carbon_usd_per_kwh=money.carbon_usd_per_kg * emissions if money.carbon_usd_per_kg else np.zeros(t),
        fixed_usd=float(days.fixed_usd_per_step[0]) * t,
    )


def _sites(scenario: Scenario, days: DayTable) -> PlanSites:
    t, tariff = scenario.n_steps, scenario.site_tariff
    nothing = np.zeros(scenario.n_sites)
    return PlanSites(
        feeder=scenario.site_feeder,
        net_load_kw=scenario.site_net_load_kw[:, :t],
        import_price_usd_per_kwh=scenario.import_price_usd_per_kwh[tariff, :t],
        export_price_usd_per_kwh=scenario.export_price_usd_per_kwh[tariff, :t],
        import_limit_kw=scenario.site_import_limit_kw[:, :t],
        export_limit_kw=scenario.site_export_limit_kw[:, :t],
        baseline_kw=scenario.baseline_kw,
        demand_usd_per_kw=days.demand_rate[0],
        peak_kw=scenario.billing_peak_kw,
        peak_base_kw=scenario.billing_peak_kw,
        peak_floor_kw=scenario.billing_peak_kw,
        window_kwh=nothing,
        window_base_kwh=nothing,
    )


def _events(scenario: Scenario) -> PlanEvents:
    e = scenario.events
    begin, end = np.maximum(e.start_step, 0), np.minimum(e.end_step, scenario.n_steps)
    kept = end > begin
    return PlanEvents(begin[kept], end[kept], e.rate_usd_per_kwh[kept], e.pays_export[kept], np.zeros(int(kept.sum())))


def _stays(scenario: Scenario, days: DayTable) -> PlanStays:
    """The stays of the day as the simulator settles them (`envs.physics.kernels.settle`)."""
    s, t = days.stays, scenario.n_steps
    here = s.arrive_step < t
    s = StayTable(*(column[here] for column in s))
    port = scenario.stays.port[here]
    site = scenario.port_site[port]
    capacity, eta = s.capacity_kwh, s.charge_efficiency
    to_step, goes_on = np.minimum(s.depart_step, t), s.depart_step > t
    early_h = np.where(goes_on, 0, np.maximum(s.said_depart_step - to_step, 0)) * scenario.step_h
    return PlanStays(
        port=port,
        site=site,
        from_step=s.arrive_step,
        to_step=to_step,
        start_kwh=s.soc_arrive * capacity,
        top_kwh=np.maximum(s.stop_soc, s.soc_arrive) * capacity,
        export_floor_kwh=np.maximum(s.reserve_soc, s.min_soc) * capacity,
        capacity_kwh=capacity,
        taper_soc=s.taper_soc,
        battery_accept_kw=s.battery_accept_kw,
        max_charge_kw=s.max_charge_kw,
        max_discharge_kw=np.where(s.soc_known & s.export_consent, s.max_discharge_kw, 0.0),
        min_charge_kw=s.min_charge_kw,
        charge_efficiency=eta,
        discharge_efficiency=s.discharge_efficiency,
        fixed_loss_kw=s.fixed_loss_kw,
        needed_kwh=s.soc_arrive * capacity + _feasible_kwh(s, to_step, goes_on, t, scenario.step_h),
        unserved_usd_per_kwh=np.full(len(port), scenario.money.unserved_usd_per_kwh),
        early_h=early_h,
        early_usd_per_kwh=_early_price(scenario, s, site, to_step),
        end_usd_per_kwh=np.where(goes_on, days.end_value_usd_per_kwh[0][scenario.site_tariff[site]] / eta, 0.0),
        end_from_kwh=np.minimum(s.soc_arrive, s.target_soc) * capacity,
        end_to_kwh=s.target_soc * capacity,
        at_once_kwh=np.where(s.soc_known, np.minimum(s.min_soc, np.minimum(s.stop_soc, FULL_SOC)), 0.0) * capacity,
        at_once_kw=_full_offer_kw(s),
    )


def _full_offer_kw(s: StayTable) -> Array:
    """What the chargers make of their full set-point, which need not lie on one of their steps."""
    limits = (s.max_charge_kw, s.max_discharge_kw, s.min_charge_kw, s.min_discharge_kw, s.step_kw)
    return np.asarray(port_model("numpy").offered_power(s.max_charge_kw, *limits, rounding_of(s.max_charge_kw)))


def _feasible_kwh(s: StayTable, to_step: Array, goes_on: Array, n_steps: int, step_h: float) -> Array:
    """What the ledger holds the day to, kWh at the battery (contracts 3 and 4)."""
    ledger = ledger_model("numpy")
    curve = (s.max_charge_kw, s.capacity_kwh, s.taper_soc, s.battery_accept_kw, s.charge_efficiency, s.fixed_loss_kw)
    after_h = np.maximum(s.said_depart_step - n_steps, 0) * step_h
    floor = np.where(s.soc_known, s.min_soc, 0.0)
    target = ledger.end_target(s.target_soc, floor, after_h, *curve)
    asked = np.where(goes_on, np.minimum(s.asked_kwh, s.capacity_kwh * (target - s.soc_arrive)), s.asked_kwh)
    hours = (to_step - s.arrive_step) * step_h
    return np.asarray(ledger.feasible(asked, s.stop_soc, s.soc_arrive, hours, *curve))


def _early_price(scenario: Scenario, s: StayTable, site: Array, to_step: Array) -> Array:
    """The price of an excused kWh: on the dearest price, programme included, in force during the stay."""
    t, tariff = scenario.n_steps, scenario.site_tariff[site]
    dear = np.maximum(scenario.import_price_usd_per_kwh, scenario.export_price_usd_per_kwh)[:, :t]
    e, paid = scenario.events, np.zeros(t)
    for event in range(len(e.start_step)):
        paid[max(int(e.start_step[event]), 0) : max(int(e.end_step[event]), 0)] += e.rate_usd_per_kwh[event]
    dear = dear + paid
    spans = zip(tariff, s.arrive_step, to_step, strict=True)
    highest = np.array([dear[p, a:d].max() for p, a, d in spans])
    price = np.maximum(scenario.money.early_leave_usd_per_kwh, EARLY_PRICE_FACTOR * highest / s.charge_efficiency)
    return np.asarray(price)

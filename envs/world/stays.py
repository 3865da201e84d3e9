"""From placed stays, drawn or read, to the table of a scenario: cars, SoC, need, what drivers say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .behaviour import BehaviourProfile, StayDraws, departure_error_h, request_excess_kwh
from .fleet import COLUMNS, FleetTable
from .placing import Placed
from .scenario import FloatArray, IntArray, Stays
from .settings import ScenarioSettings

FULL_SOC = 0.995  # contracts 2
LEAST_ARRIVAL_SOC = 0.05  # assumed: nobody arrives emptier
REACH = 0.95  # assumed: a generated driver needs at most this share of what full power gives during the stay
MOST_OF_BATTERY = 0.9  # a car read from a file has a battery of which it charged no more than this share


@dataclass(frozen=True)
class PortFleet:
    """What stands at the ports of one day: the charger of each, and the car where it is the port's own."""

    charger: IntArray  # (N,)
    car: IntArray  # (N,)


@dataclass(frozen=True)
class Facts:
    """What is known of each placed stay, `(J,)`; NaN where the generator has to fill in."""

    energy_kwh: FloatArray  # truly needed, at the battery; at the grid side where `metered`
    metered: bool
    vehicle_rank: FloatArray  # uniform numbers that pick the car
    driver: FloatArray  # (J, 6) uniform numbers
    soc: FloatArray
    capacity_kwh: FloatArray
    soc_told: bool  # False: no controller ever sees an SoC
    claims: bool  # whether `said_depart` and `asked_kwh` hold what drivers said
    said_depart: FloatArray  # step
    asked_kwh: FloatArray  # at the grid side


def draw_port_fleet(rng: np.random.Generator, table: FleetTable, settings: ScenarioSettings) -> PortFleet:
    """Chargers and cars of a day's ports; the share of bidirectional ports is met as whole numbers allow."""
    charger = table.pick_chargers(rng, settings.ports, settings.fleet.v2g_share)
    return PortFleet(charger, table.pick_cars(rng.random(settings.ports), charger))


def generated_facts(draws: StayDraws, placed: Placed) -> Facts:
    """Facts of generated stays: the energy; all else is left to the generator."""
    taken = draws.take(placed.row)
    nothing = np.full(len(placed.row), np.nan)
    return Facts(
        energy_kwh=taken.energy_kwh,
        metered=False,
        vehicle_rank=taken.vehicle_rank,
        driver=taken.driver,
        soc=nothing,
        capacity_kwh=nothing,
        soc_told=True,
        claims=False,
        said_depart=nothing,
        asked_kwh=nothing,
    )


def make_stays(
    facts: Facts,
    placed: Placed,
    ports: PortFleet,
    table: FleetTable,
    profile: BehaviourProfile,
    settings: ScenarioSettings,
) -> Stays:
    """The scenario's stays: car, state of charge, need, and what the driver says."""
    charger = ports.charger[placed.port]
    own = settings.behaviour.kind == "home"
    car = ports.car[placed.port] if own else table.pick_cars(facts.vehicle_rank, charger)
    columns = {name: table.columns[name][charger, car] for name in COLUMNS}
    need = _need(facts, placed, columns, settings)
    columns["capacity_kwh"] = need.capacity_kwh
    arrive = np.maximum(placed.arrive, 0)
    said_depart, asked = _said(facts, profile, settings, need, arrive, placed.depart)
    fleet = settings.fleet
    soc_known = (facts.driver[:, 1] >= fleet.soc_unknown_share) & facts.soc_told
    willing = facts.driver[:, 2] < fleet.export_consent_share
    target = np.minimum(need.soc + asked / need.capacity_kwh, FULL_SOC)
    truly_full = need.soc + need.energy_kwh / need.capacity_kwh
    told_true = settings.behaviour.misreport == "off"
    return Stays(
        port=placed.port,
        arrive_step=arrive,
        depart_step=placed.depart,
        said_depart_step=said_depart,
        soc_arrive=need.soc,
        target_soc=target,
        asked_kwh=asked,
        stop_soc=np.full(len(target), FULL_SOC) if told_true else np.clip(truly_full, need.soc, FULL_SOC),
        charge_limit_soc=np.maximum(np.maximum(target, need.soc), fleet.min_soc),
        reserve_soc=np.full(len(target), fleet.reserve_soc),
        min_soc=np.full(len(target), fleet.min_soc),
        soc_known=soc_known,
        export_consent=(columns["max_discharge_kw"] > 0) & soc_known & willing,
        vehicle=car,
        **columns,
    )


@dataclass(frozen=True)
class _Need:
    soc: FloatArray  # when the stay, or the episode, begins
    energy_kwh: FloatArray  # truly needed from then on, at the battery
    capacity_kwh: FloatArray
    per_metered_kwh: FloatArray  # battery kWh of a grid kWh at full power


def _need(facts: Facts, placed: Placed, columns: dict[str, FloatArray], settings: ScenarioSettings) -> _Need:
    """State of charge and energy that agree with each other and with the battery."""
    step_h = settings.interval_minutes / 60
    charge_kw = battery_power_kw(columns)
    per_metered = charge_kw * columns["charge_efficiency"] / (charge_kw + columns["fixed_loss_kw"])
    wanted = _wanted_soc(facts.driver[:, 0], settings)
    capacity = np.where(np.isnan(facts.capacity_kwh), columns["capacity_kwh"], facts.capacity_kwh)
    if facts.metered:
        energy = facts.energy_kwh * per_metered
        capacity = np.maximum(capacity, energy / MOST_OF_BATTERY)
        soc = np.clip(np.where(np.isnan(facts.soc), wanted - energy / capacity, facts.soc), LEAST_ARRIVAL_SOC, None)
        soc = np.minimum(soc, FULL_SOC - energy / capacity)
    else:
        reach_kwh = REACH * charge_kw * (placed.depart - placed.arrive) * step_h
        energy = np.minimum(np.minimum(facts.energy_kwh, reach_kwh), (wanted - LEAST_ARRIVAL_SOC) * capacity)
        soc = wanted - energy / capacity
    # A car that came before the episode has charged at once since then.
    before_kwh = np.minimum(energy, charge_kw * np.maximum(-placed.arrive, 0) * step_h)
    return _Need(soc + before_kwh / capacity, energy - before_kwh, capacity, per_metered)


def battery_power_kw(columns: dict[str, FloatArray]) -> FloatArray:
    """Battery power at the full set-point below the taper (contracts 2)."""
    at_port = columns["charge_efficiency"] * columns["max_charge_kw"] - columns["fixed_loss_kw"]
    return np.minimum(at_port, columns["battery_accept_kw"])


def _wanted_soc(u: FloatArray, settings: ScenarioSettings) -> FloatArray:
    weights = np.cumsum(settings.fleet.target_shares)
    which = np.searchsorted(weights / weights[-1], u, side="right").clip(max=len(weights) - 1)
    wanted: FloatArray = np.array(settings.fleet.target_socs)[which]
    return wanted


def _said(
    facts: Facts,
    profile: BehaviourProfile,
    settings: ScenarioSettings,
    need: _Need,
    arrive: IntArray,
    depart: IntArray,
) -> tuple[IntArray, FloatArray]:
    """Departure step and energy that drivers say: the truth, or with errors; silence becomes the defaults."""
    behaviour = settings.behaviour
    step_h = settings.interval_minutes / 60
    silent = facts.driver[:, 5] >= behaviour.claimed_share
    said: FloatArray = depart.astype(np.float64)
    asked = need.energy_kwh
    if behaviour.misreport == "acn" and facts.claims:
        said, asked = facts.said_depart, facts.asked_kwh * need.per_metered_kwh
        silent = silent | np.isnan(said) | np.isnan(asked)
    elif behaviour.misreport == "acn":
        silent = silent | (facts.driver[:, 5] >= profile.claimed_share)
        said = said + np.floor(departure_error_h(profile, facts.driver[:, 3]) / step_h)
        asked = need.energy_kwh + request_excess_kwh(profile, facts.driver[:, 4])
    asked = np.where(silent, (behaviour.default_target_soc - need.soc) * need.capacity_kwh, np.maximum(asked, 0.0))
    default_depart = arrive + max(1, int(behaviour.default_stay_h / step_h))
    said_step = np.maximum(np.where(silent, default_depart, said).astype(np.int64), arrive + 1)
    return said_step, np.minimum(asked, (FULL_SOC - need.soc) * need.capacity_kwh)

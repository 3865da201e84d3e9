"""From drawn stays to the table of a scenario: the step grid, ports, cars, state of charge, what drivers say."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from .behaviour import BehaviourProfile, StayDraws, departure_error_h, request_excess_kwh
from .fleet import COLUMNS, FleetTable
from .scenario import BoolArray, FloatArray, IntArray, Stays
from .settings import ScenarioSettings

FULL_SOC = 0.995  # contracts 2
LEAST_ARRIVAL_SOC = 0.05  # assumed: nobody arrives emptier
REACH = 0.95  # assumed: nobody asks for more than this share of what full power gives during the stay
GRID_SLACK = 1e-9  # of a step, so that a time on the grid stays there


@dataclass(frozen=True)
class PortFleet:
    """What stands at the ports of one day: charger of each, car of each where the car is the port's own."""

    charger: IntArray  # (N,)
    car: IntArray  # (N,)


@dataclass(frozen=True)
class Placed:
    """Stays on the grid and on a port, sorted by (port, arrival); steps may lie before 0."""

    row: IntArray  # into the draws
    port: IntArray
    arrive: IntArray
    depart: IntArray
    too_short: int
    no_port: int  # turned away, or the same port's car had not left


def draw_port_fleet(rng: np.random.Generator, table: FleetTable, settings: ScenarioSettings) -> PortFleet:
    """Chargers and cars of a day's ports; the share of bidirectional ports is met as whole numbers allow."""
    charger = table.pick_chargers(rng, settings.ports, settings.fleet.v2g_share)
    return PortFleet(charger, table.pick_cars(rng.random(settings.ports), charger))


def place(draws: StayDraws, settings: ScenarioSettings) -> Placed:
    """Round to the grid, drop stays that cover no step, give every stay a port."""
    step_h = settings.interval_minutes / 60
    arrive = np.ceil(draws.arrive_h / step_h - GRID_SLACK).astype(np.int64)
    depart = np.floor(draws.depart_h / step_h + GRID_SLACK).astype(np.int64)
    within = (draws.depart_h > 0) & (draws.arrive_h < settings.n_steps * step_h)
    whole = (depart > arrive) & (depart > 0) & (arrive < settings.n_steps)
    row = np.nonzero(within & whole)[0]
    if settings.behaviour.kind == "home":
        port = draws.port[row]
        kept = _own_port_free(port, arrive[row], depart[row])
    else:
        port = _any_free_port(arrive[row], depart[row], settings.ports)
        kept = port >= 0
    row, port = row[kept], port[kept]
    order = np.lexsort((arrive[row], port))
    row, port = row[order], port[order]
    too_short = int((within & ~whole).sum())
    return Placed(row, port, arrive[row], depart[row], too_short, int((~kept).sum()))


def _own_port_free(port: IntArray, arrive: IntArray, depart: IntArray) -> BoolArray:
    """False for stays whose port's car has not left; rows are sorted by arrival."""
    kept = np.zeros(len(port), dtype=bool)
    free_from: dict[int, int] = {}
    for i, (p, a, d) in enumerate(zip(port.tolist(), arrive.tolist(), depart.tolist(), strict=True)):
        if a >= free_from.get(p, a):
            kept[i] = True
            free_from[p] = d
    return kept


def _any_free_port(arrive: IntArray, depart: IntArray, ports: int) -> IntArray:
    """First come, first served: the free port of the lowest number, -1 where all are taken."""
    free, busy = list(range(ports)), list[tuple[int, int]]()
    port = np.full(len(arrive), -1, dtype=np.int64)
    for i, (a, d) in enumerate(zip(arrive.tolist(), depart.tolist(), strict=True)):
        while busy and busy[0][0] <= a:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            port[i] = heapq.heappop(free)
            heapq.heappush(busy, (d, int(port[i])))
    return port


def make_stays(
    draws: StayDraws,
    placed: Placed,
    ports: PortFleet,
    table: FleetTable,
    profile: BehaviourProfile,
    settings: ScenarioSettings,
) -> Stays:
    """The scenario's stays: car, state of charge, need, and what the driver says."""
    draws = draws.take(placed.row)
    charger = ports.charger[placed.port]
    own = settings.behaviour.kind == "home"
    car = ports.car[placed.port] if own else table.pick_cars(draws.vehicle_rank, charger)
    columns = {name: table.columns[name][charger, car] for name in COLUMNS}
    step_h = settings.interval_minutes / 60
    charge_kw = battery_power_kw(columns)
    target = _wanted_soc(draws.driver[:, 0], settings)
    capacity = columns["capacity_kwh"]
    reach_kwh = REACH * charge_kw * (placed.depart - placed.arrive) * step_h
    energy = np.minimum(np.minimum(draws.energy_kwh, reach_kwh), (target - LEAST_ARRIVAL_SOC) * capacity)
    soc = target - energy / capacity
    # A car that came before the episode has charged at once since then.
    before_kwh = np.minimum(energy, charge_kw * np.maximum(-placed.arrive, 0) * step_h)
    soc, energy = soc + before_kwh / capacity, energy - before_kwh
    arrive = np.maximum(placed.arrive, 0)
    said = _said(draws, profile, settings, soc, energy, capacity, arrive, placed.depart)
    fleet = settings.fleet
    soc_known = draws.driver[:, 1] >= fleet.soc_unknown_share
    target = soc + said.asked_kwh / capacity
    full = np.full(len(soc), FULL_SOC)
    return Stays(
        port=placed.port,
        arrive_step=arrive,
        depart_step=placed.depart,
        said_depart_step=said.depart_step,
        soc_arrive=soc,
        target_soc=target,
        asked_kwh=said.asked_kwh,
        stop_soc=full
        if settings.behaviour.misreport == "off"
        else np.minimum(soc + energy / capacity, FULL_SOC),
        charge_limit_soc=np.maximum(np.maximum(target, soc), fleet.min_soc),
        reserve_soc=np.full(len(soc), fleet.reserve_soc),
        min_soc=np.full(len(soc), fleet.min_soc),
        soc_known=soc_known,
        export_consent=(columns["max_discharge_kw"] > 0)
        & soc_known
        & (draws.driver[:, 2] < fleet.export_consent_share),
        vehicle=car,
        **columns,
    )


def battery_power_kw(columns: dict[str, FloatArray]) -> FloatArray:
    """Battery power at the full set-point below the taper (contracts 2)."""
    at_port = columns["charge_efficiency"] * columns["max_charge_kw"] - columns["fixed_loss_kw"]
    return np.minimum(at_port, columns["battery_accept_kw"])


def _wanted_soc(u: FloatArray, settings: ScenarioSettings) -> FloatArray:
    weights = np.cumsum(settings.fleet.target_shares)
    which = np.searchsorted(weights / weights[-1], u, side="right").clip(max=len(weights) - 1)
    wanted: FloatArray = np.array(settings.fleet.target_socs)[which]
    return wanted


@dataclass(frozen=True)
class _Said:
    depart_step: IntArray
    asked_kwh: FloatArray


def _said(
    draws: StayDraws,
    profile: BehaviourProfile,
    settings: ScenarioSettings,
    soc: FloatArray,
    energy: FloatArray,
    capacity: FloatArray,
    arrive: IntArray,
    depart: IntArray,
) -> _Said:
    """What drivers say: the truth, or the truth with the errors of the profile; silence becomes the defaults."""
    behaviour = settings.behaviour
    step_h = settings.interval_minutes / 60
    room = (FULL_SOC - soc) * capacity
    said, asked = depart, energy
    if behaviour.misreport == "acn":
        error = np.floor(departure_error_h(profile, draws.driver[:, 3]) / step_h).astype(np.int64)
        said = np.maximum(depart + error, arrive + 1)
        asked = np.clip(energy + request_excess_kwh(profile, draws.driver[:, 4]), 0.0, room)
    silent = draws.driver[:, 5] < 1.0 - behaviour.claimed_share
    said = np.where(silent, arrive + max(1, int(behaviour.default_stay_h / step_h)), said)
    return _Said(said, np.where(silent, (behaviour.default_target_soc - soc) * capacity, asked))

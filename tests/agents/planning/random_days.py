"""Random days with all that makes an optimum hard, plans behind the projection, and what the cars then did."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ebbflow.agents.optimum.cars import Cars
from ebbflow.agents.planning.flows import Flows
from ebbflow.agents.planning.layout import Layout
from ebbflow.agents.planning.problem import Problem
from ebbflow.envs.safety.projection import Reserve, make_projector
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.scenario import Events, Scenario
from ebbflow.envs.world.stress import Stress, random_scenario

from ...envs.worlds import harsher  # noqa: TID252

Array = Any

PRICES = ("any", "import_dearer", "export_dearer", "negative")


def random_day(rng: np.random.Generator, **stress: Any) -> Scenario:
    """A day that stretches the ledger: prices below 0, exports dearer than imports, events, base load above limits."""
    kind = {
        "ports": int(rng.choice([1, 3, 6])), "sites": 1, "feeders": 1, "interval_minutes": int(rng.choice([5, 15, 60])),
        "hours": int(rng.choice([4, 8])), "tight": float(rng.choice([0.3, 1.0, 4.0])),
        "minimum": bool(rng.random() < 0.5), "unknown_soc": float(rng.choice([0.0, 0.3])), **stress,
    }  # fmt: skip
    if kind["ports"] > 1 and rng.random() < 0.4:
        kind["sites"] = 3
    day = random_scenario(rng, Stress(**kind))
    day = harsher(day, rng) if rng.random() < 0.6 else day
    return _off_steps(_priced(_loaded(day, rng), rng), rng)


def _loaded(day: Scenario, rng: np.random.Generator) -> Scenario:
    money = dataclasses.replace(
        day.money,
        calendar_wear_usd_per_kwh=float(rng.choice([0.0, 0.0, 120.0])),
        carbon_usd_per_kg=float(rng.choice([0.0, 0.05])),
        unserved_usd_per_kwh=float(rng.choice([2.0, 6.0, 20.0])),
        early_leave_usd_per_kwh=float(rng.choice([0.0, 0.6, 3.0])),
        wear_usd_per_kwh=float(rng.choice([0.0, 0.02, 0.1])),
    )
    return dataclasses.replace(
        day,
        money=money,
        site_net_load_kw=day.site_net_load_kw + float(rng.choice([0.0, 3.0, 12.0, -3.0])),
        baseline_kw=day.baseline_kw * float(rng.choice([0.0, 1.0, 4.0])),
        events=Events.none() if rng.random() < 0.3 else day.events,
    )


def _priced(day: Scenario, rng: np.random.Generator) -> Scenario:
    buy, sell = day.import_price_usd_per_kwh, day.export_price_usd_per_kwh
    kind = str(rng.choice(PRICES))
    if kind == "import_dearer":
        buy, sell = np.abs(buy), np.minimum(np.abs(sell), np.abs(buy))
    elif kind == "export_dearer":
        buy, sell = np.abs(buy), np.abs(buy) + rng.normal(0, 0.2, buy.shape)
    elif kind == "negative":
        buy, sell = buy - 0.3, sell - 0.3
    return dataclasses.replace(day, import_price_usd_per_kwh=buy, export_price_usd_per_kwh=sell)


def _off_steps(day: Scenario, rng: np.random.Generator) -> Scenario:
    """Some days have chargers whose full power lies between two of their steps, and cars that arrive nearly empty."""
    if rng.random() < 0.5:
        return day
    s, count = day.stays, len(day.stays.port)
    soc = np.where(rng.random(count) < 0.5, rng.uniform(0.0, 0.15, count), s.soc_arrive)
    stays = dataclasses.replace(
        s,
        soc_arrive=soc,
        asked_kwh=np.where(s.soc_known, s.capacity_kwh * (s.target_soc - soc), s.asked_kwh),
        max_charge_kw=rng.uniform(1.6, 12.0, count),
        step_kw=rng.choice([0.0, 0.24, 1.44, 2.5], count),
    )
    return dataclasses.replace(day, stays=stays)


def random_requests(rng: np.random.Generator, day: Scenario, count: int) -> Array:
    """Requests (T, B, N) from far too much to nothing, some held; the first three ask for all, nothing, export."""
    shape = (day.n_steps, count, day.n_ports)
    request = rng.uniform(-15, 20, shape) * rng.choice([0.0, 0.1, 1.0, 10.0], shape, p=[0.2, 0.1, 0.6, 0.1])
    held = rng.uniform(-15, 20, shape[1:])
    request = np.where(rng.random(shape[1:]) < 0.5, held, request)
    for world, value in enumerate((1e9, 0.0, -1e9)[:count]):
        request[:, world] = value
    return request


def played(day: Scenario, requests: Array) -> tuple[Array, Simulator]:
    """What the projection makes of requests (T, B, N), and the simulator at the end of the day."""
    worlds = requests.shape[1]
    simulator, projector = Simulator(day, worlds, backend="numba"), make_projector("numba", Reserve(1.0, 0.0))
    simulator.reset(np.zeros(worlds, np.int64))
    applied = np.zeros(requests.shape)
    for step, request in enumerate(requests):
        applied[step] = projector.project(simulator.snapshot(), request).applied_kw
        simulator.step(applied[step])
    return applied, simulator


def costs_usd(simulator: Simulator) -> Array:
    """Net cost of each world (B,)."""
    return np.asarray(simulator.state.accounts).sum(1)


def flows_of(day: Scenario, problem: Problem, layout: Layout, setpoint_kw: Array) -> Flows:
    """What the cars did under set-points (T, N), by the port model alone."""
    cars, stays = Cars(day), problem.stays
    row = np.flatnonzero(day.stays.arrive_step < day.n_steps)
    soc = stays.start_kwh / stays.capacity_kwh
    charge, discharge, energy = (np.zeros(len(layout.stay)) for _ in range(3))
    for step in range(day.n_steps):
        at = np.flatnonzero(layout.step == step)
        stay = layout.stay[at]
        offered = cars.offered(row[stay], setpoint_kw[step, stays.port[stay]])
        soc[stay], grid_kwh = cars.moved(row[stay], soc[stay], offered)
        charge[at], discharge[at] = np.maximum(grid_kwh, 0) / day.step_h, np.maximum(-grid_kwh, 0) / day.step_h
        energy[at] = soc[stay] * stays.capacity_kwh[stay]
    return Flows(charge, discharge, energy)

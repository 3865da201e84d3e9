"""Random worlds, set-points and adversaries that the tests of the core share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Snapshot
from ebbflow.envs.world.scenario import Events, Scenario
from ebbflow.envs.world.stress import Stress, random_scenario

Array = Any


def worlds(seed: int, count: int, **stress: Any) -> list[Scenario]:
    """`count` random worlds of one fleet shape."""
    rng = np.random.default_rng(seed)
    return [random_scenario(rng, Stress(**stress)) for _ in range(count)]


def harsher(scenario: Scenario, rng: np.random.Generator) -> Scenario:
    """The world with what `random_scenario` leaves alone.

    Cars that stop at full only, least exports, odd hours of start, two events at once, cars that follow at once.
    """
    stays, t = scenario.stays, scenario.n_steps
    j = len(stays)
    arrive = stays.arrive_step.copy()
    follows = np.flatnonzero(np.diff(stays.port) == 0) + 1
    follows = follows[rng.random(len(follows)) < 0.5]
    arrive[follows] = stays.depart_step[follows - 1]
    first, last = sorted(int(x) for x in rng.choice(t + 1, 2, replace=False))
    old = scenario.events
    events = Events(
        start_step=np.append(old.start_step, first),
        end_step=np.append(old.end_step, last),
        notice_step=np.append(old.notice_step, first),
        rate_usd_per_kwh=np.append(old.rate_usd_per_kwh, rng.uniform(0.1, 3.0)),
        pays_export=np.append(old.pays_export, rng.random() < 0.5),
        hours_used=np.append(old.hours_used, 0.0),
    )
    return dataclasses.replace(
        scenario,
        start=scenario.start.replace(hour=int(rng.integers(0, 24))),
        stays=dataclasses.replace(
            stays,
            arrive_step=arrive,
            stop_soc=np.where(rng.random(j) < 0.5, 0.995, stays.stop_soc),
            min_discharge_kw=np.where(rng.random(j) < 0.5, stays.min_charge_kw, 0.0),
        ),
        events=events,
    )


def with_stays(scenario: Scenario, **columns: Array) -> Scenario:
    """The world with other columns of stays."""
    return dataclasses.replace(scenario, stays=dataclasses.replace(scenario.stays, **columns))


def unlimited(scenario: Scenario) -> Scenario:
    """The world with limits that never bind."""
    names = (
        "site_import_limit_kw",
        "site_export_limit_kw",
        "feeder_import_limit_kw",
        "feeder_export_limit_kw",
    )
    return dataclasses.replace(scenario, **{name: np.full_like(getattr(scenario, name), 1e9) for name in names})


def random_setpoints(rng: np.random.Generator, scenario: Scenario, worlds: int) -> Array:
    """Set-points (T, B, N) far beyond what cars can do, many of them 0 or tiny, some held for hours."""
    shape = (scenario.n_steps, worlds, scenario.n_ports)
    power = rng.uniform(-15, 20, shape) * rng.choice([0.0, 0.1, 1.0, 10.0], shape, p=[0.2, 0.1, 0.6, 0.1])
    held = rng.uniform(-15, 20, shape[1:])
    return np.where(rng.random(shape[1:]) < 0.4, held, power)


def play(simulator: Simulator, setpoint_kw: Array, torch: bool = False) -> Array:
    """Run from a reset under stored set-points (T, B, N); returns each step's dollars (T, B, A)."""
    simulator.reset()
    rows = tensor(setpoint_kw) if torch else setpoint_kw
    return np.stack([plain(simulator.step(row)).copy() for row in rows])


def tensor(values: Array) -> Any:
    """A torch tensor of the array."""
    import torch

    return torch.as_tensor(values)


def plain(values: Any) -> Array:
    """A NumPy array of an array or tensor."""
    return values.detach().numpy() if hasattr(values, "detach") else np.asarray(values)


Adversary = Callable[[np.random.Generator, Snapshot, int], Array]


def _full(value: float) -> Adversary:
    return lambda _rng, s, _step: np.full((s.n_worlds, s.n_ports), value)


def _noise(rng: np.random.Generator, s: Snapshot, _step: int) -> Array:
    return rng.uniform(-30, 30, (s.n_worlds, s.n_ports))


def _mixed(rng: np.random.Generator, s: Snapshot, _step: int) -> Array:
    odd = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0, -0.0, 1e-9, 0.7, 0.73, 1.4399999, 7.0, -3.1])
    return rng.choice(odd, (s.n_worlds, s.n_ports))


def _flip_flop(_rng: np.random.Generator, s: Snapshot, step: int) -> Array:
    return np.full((s.n_worlds, s.n_ports), 1e30 if step % 2 else -1e30)


def _drain_the_needy(_rng: np.random.Generator, s: Snapshot, _step: int) -> Array:
    """Exports from the cars with the largest need, charges those that need nothing."""
    need = s.ports.need_kwh
    return np.where(need > np.median(need, axis=1, keepdims=True), -50.0, 50.0)


def _trickle(_rng: np.random.Generator, s: Snapshot, _step: int) -> Array:
    return np.where(s.ports.plugged, s.ports.min_charge_kw * 0.6, 0.5)


ADVERSARIES: dict[str, Adversary] = {
    "pause": _full(0.0),
    "nan": _full(np.nan),
    "export": _full(-np.inf),
    "charge": _full(np.inf),
    "noise": _noise,
    "mixed": _mixed,
    "flip_flop": _flip_flop,
    "drain_the_needy": _drain_the_needy,
    "trickle": _trickle,
}


def permuted(scenario: Scenario, order: Array) -> Scenario:
    """The same cars at other ports: port `n` of the new world is port `order[n]` of the old one."""
    place = np.argsort(order)
    columns = {name: np.asarray(values) for name, values in vars(scenario.stays).items()}
    columns["port"] = place[columns["port"]]
    rows = np.lexsort((columns["arrive_step"], columns["port"]))
    return dataclasses.replace(
        with_stays(scenario, **{name: values[rows] for name, values in columns.items()}),
        port_site=scenario.port_site[order],
    )

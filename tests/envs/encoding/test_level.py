"""The level that a site's import is planned to keep to: by hand, by brute force, and the same on every back end."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from ebbflow.envs.encoding import PORT_FIELDS, make_encoder
from ebbflow.envs.encoding.array_level import planned_level
from ebbflow.envs.encoding.later import EFFICIENCY, LaterArrivals
from ebbflow.envs.safety.array_survey import survey_arrays
from ebbflow.envs.safety.library import Library
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Snapshot
from ebbflow.envs.world.scenario import Scenario

from ..worlds import plain, random_setpoints, tensor, worlds  # noqa: TID252

ROOM = [field.name for field in PORT_FIELDS].index("planned_room")
HOURS = 24


def told(scenario: Scenario, rng: np.random.Generator, arrivals: bool = True) -> Scenario:
    """The world with a table of expected arrivals, or with other days' peak alone."""
    sites = scenario.n_sites
    table = rng.uniform(0, 3, (sites, HOURS, HOURS)) * np.triu(np.ones((HOURS, HOURS)), 1)
    return dataclasses.replace(
        scenario,
        expected_arrivals_kwh=table if arrivals else np.zeros((sites, 0, 0)),
        typical_peak_kw=np.where(np.arange(sites) % 2, np.nan, rng.uniform(5, 40, sites)),
    )


def levels_of(snapshot: Snapshot) -> Any:
    due_kwh = LaterArrivals().where_paid_kwh(snapshot)
    return planned_level(Library("numpy"), snapshot, survey_arrays(snapshot, "numpy"), due_kwh)


def one_car() -> Snapshot:
    """9 kWh at the battery, 90 % efficient without fixed loss, 10 kW, leaves in 4 h; 5 kW of load, forecast as 3."""
    scenario = worlds(1, 1, ports=1, sites=1, feeders=1, tariffs=1, interval_minutes=60, hours=12)[0]
    simulator = Simulator(dataclasses.replace(scenario, demand_rate_usd_per_kw=np.array([10.0])))
    simulator.reset()
    snapshot = simulator.snapshot()
    load, length = snapshot.sites.net_load_forecast_kw, snapshot.sites.net_load_forecast_kw.values.shape[2]
    ports = {
        "plugged": True, "soc": 0.5, "need_kwh": 9.0, "capacity_kwh": 90.0, "target_soc": 0.6, "taper_soc": 0.95,
        "battery_accept_kw": 50.0, "max_charge_kw": 10.0, "charge_efficiency": 0.9, "fixed_loss_kw": 0.0,
        "steps_left": 4, "charge_limit_soc": 1.0, "min_soc": 0.1,
    }  # fmt: skip
    sites = snapshot.sites._replace(
        net_load_kw=np.array([[5.0]]),
        net_load_forecast_kw=load._replace(values=np.full((1, 1, length), 3.0)),
        arrivals_row=np.zeros(1, np.int64),
        arrivals_hour=np.zeros(1, np.int64),
    )
    columns = {name: np.full((1, 1), value, getattr(snapshot.ports, name).dtype) for name, value in ports.items()}
    return dataclasses.replace(snapshot, ports=snapshot.ports._replace(**columns), sites=sites)


def test_a_car_is_spread_over_its_stay_on_top_of_the_load() -> None:
    # 10 kWh in 4 h, on the 5 kW that are there now and are taken to stay.
    assert levels_of(one_car()) == pytest.approx(np.array([[7.5]]))


def test_what_full_power_could_not_deliver_later_must_come_sooner() -> None:
    snapshot = one_car()
    late = snapshot.ports._replace(steps_left=np.array([[1]]))
    # An hour is left: all 10 kWh in it.
    assert levels_of(dataclasses.replace(snapshot, ports=late)) == pytest.approx(np.array([[15.0]]))


def test_expected_arrivals_are_served_by_their_departures() -> None:
    snapshot = one_car()
    table = np.zeros((1, 1, 3, 12))
    table[0, 0, 1, 7] = 22.0 * EFFICIENCY  # come within the next hour but one, are gone after 8 h
    sites = snapshot.sites._replace(expected_arrivals_kwh=table)
    # (10 + 22) kWh in 8 h are 4 kW, more than 10 in 4 h.
    assert levels_of(dataclasses.replace(snapshot, sites=sites)) == pytest.approx(np.array([[9.0]]))


def test_without_expected_arrivals_other_days_peak_stands_for_them() -> None:
    snapshot = one_car()
    for typical, level in ((20.0, 20.0), (6.0, 7.5), (np.nan, 7.5)):
        sites = snapshot.sites._replace(typical_peak_kw=np.array([[typical]]))
        assert levels_of(dataclasses.replace(snapshot, sites=sites)) == pytest.approx(np.array([[level]]))


def by_hand(snapshot: Snapshot, world: int, site: int) -> float:
    """The greatest mean, window by window and car by car."""
    cars, p, s, dt = survey_arrays(snapshot, "numpy"), snapshot.ports, snapshot.sites, snapshot.step_h
    forecast = np.asarray(s.net_load_forecast_kw.window(snapshot.horizon)[world, site], float)
    load = forecast + float(s.net_load_kw[world, site]) - forecast[0]
    table, hour = np.asarray(s.expected_arrivals_kwh[s.arrivals_row[world], site]), int(s.arrivals_hour[world])
    passed = int(snapshot.context.seconds_of_day[world]) % 3600 / 3600
    highest = 0.0
    for steps in range(1, snapshot.horizon + 1):
        kwh = 0.0
        for n in np.flatnonzero(p.plugged[world] & (snapshot.port_site == site) & (cars.need_h[world] > 0)):
            need_h, left = float(cars.need_h[world, n]), min(max(int(p.steps_left[world, n]), 1), snapshot.horizon)
            battery = float(cars.target_soc[world, n] - cars.soc[world, n]) * float(p.capacity_kwh[world, n])
            whole = (battery + p.fixed_loss_kw[world, n] * need_h) / p.charge_efficiency[world, n]
            kwh += whole * max(0.0, 1.0 - max(left - steps, 0) * dt / need_h)
        for step in range(steps if table.size else 0):
            leaves = hour + int(passed + (step + 0.5) * dt)
            if leaves < table.shape[1]:
                come = table[hour:, leaves] * np.where(np.arange(len(table) - hour) == 0, 1.0 - passed, 1.0)
                kwh += come.sum() / EFFICIENCY * dt
        if kwh > 0:
            highest = max(highest, (kwh + load[:steps].sum() * dt) / (steps * dt))
    typical = float(s.typical_peak_kw[world, site])
    return max(highest, typical) if not table.size and typical == typical else highest


@pytest.mark.parametrize("arrivals", [True, False])
@pytest.mark.parametrize("minutes", [15, 60])
def test_back_ends_agree_with_brute_force(minutes: int, arrivals: bool) -> None:
    rng, count = np.random.default_rng(minutes), 3
    made = [told(w, rng, arrivals) for w in worlds(minutes, count, interval_minutes=minutes, hours=12)]
    setpoints = random_setpoints(np.random.default_rng(1), made[0], count)
    names = ("numpy", "numba", "torch")
    simulators, encoders = [Simulator(made, count, backend=name) for name in names], [make_encoder(n) for n in names]
    for simulator in simulators:
        simulator.reset()
    for step in range(simulators[0].n_steps):
        if step % (11 * 60 // minutes // 4) == 1:
            seen = [plain(e.encode(s.snapshot()).ports)[..., ROOM] for e, s in zip(encoders, simulators, strict=True)]
            snapshot = simulators[0].snapshot()
            assert_rooms(snapshot, seen[0])
            for other in seen[1:]:
                np.testing.assert_allclose(other, seen[0], atol=1e-5)
        for simulator, name in zip(simulators, names, strict=True):
            simulator.step(tensor(setpoints[step]) if name == "torch" else setpoints[step])


def assert_rooms(snapshot: Snapshot, seen: Any) -> None:
    s, p, site = snapshot.sites, snapshot.ports, snapshot.port_site
    for b, n in zip(*np.nonzero(np.asarray(p.plugged)), strict=True):
        full = max(float(p.max_charge_kw[b, site == site[n]].sum()), 1.0)
        room = (by_hand(snapshot, b, site[n]) - float(s.net_load_kw[b, site[n]])) / full
        expected = np.clip(room, -2, 2) if s.demand_rate_usd_per_kw[b, site[n]] > 0 else 1.0
        assert seen[b, n] == pytest.approx(expected, abs=1e-5)

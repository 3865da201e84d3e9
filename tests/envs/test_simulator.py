"""Fleet-days: conservation, step lengths, the clock, resets."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.envs.action import requested_power
from ebbflow.envs.ledger import MAXIMA, Tally
from ebbflow.envs.safety.projection import make_projector
from ebbflow.envs.simulator import Simulator, sum_of_days
from ebbflow.envs.world.scenario import Scenario, Stays
from ebbflow.envs.world.stress import Stress, random_scenario

from .worlds import harsher, plain, play, random_setpoints, tensor, with_stays, worlds


def refined(scenario: Scenario, parts: int) -> Scenario:
    """The same day in steps of a `parts`-th of the length; every series is held."""

    def steps(stays: Stays) -> Stays:
        names = ("arrive_step", "depart_step", "said_depart_step")
        return dataclasses.replace(stays, **{name: getattr(stays, name) * parts for name in names})

    def held(values: Any, axis: int = -1) -> Any:
        return np.repeat(values, parts, axis=axis)

    series = (
        "site_net_load_kw", "site_net_load_forecast_kw", "site_import_limit_kw", "site_export_limit_kw",
        "feeder_import_limit_kw", "feeder_export_limit_kw", "feeder_other_load_kw", "import_price_usd_per_kwh",
        "export_price_usd_per_kwh", "import_price_forecast_usd_per_kwh", "export_price_forecast_usd_per_kwh",
        "price_issue_of_step", "baseline_kw", "emissions_kg_per_kwh", "emissions_forecast_kg_per_kwh",
    )  # fmt: skip
    events = scenario.events
    return dataclasses.replace(
        scenario,
        interval_minutes=scenario.interval_minutes // parts,
        n_steps=scenario.n_steps * parts,
        stays=steps(scenario.stays),
        price_known_until_step=scenario.price_known_until_step * parts,
        emissions_issued_kg_per_kwh=held(scenario.emissions_issued_kg_per_kwh, 0),
        events=dataclasses.replace(
            events, start_step=events.start_step * parts, end_step=events.end_step * parts,
            notice_step=events.notice_step * parts,
        ),
        **{name: held(getattr(scenario, name)) for name in series},
    )  # fmt: skip


def stored_change_kwh(simulator: Simulator, setpoints: Any) -> Any:
    """Change of stored energy over all stays, from the simulator's private SoC; stays here never follow at once."""
    simulator.reset()
    change = np.zeros(simulator.n_worlds)
    for row in setpoints:
        state = simulator.state
        plugged, soc = np.array(state.ports.plugged), np.array(state.soc, float)
        capacity = np.array(state.ports.capacity_kwh, float)
        simulator.step(row)
        change += np.where(plugged, (np.array(simulator.state.soc, float) - soc) * capacity, 0.0).sum(1)
    return change


@pytest.mark.parametrize(
    ("backend", "dtype", "room"),
    [("numpy", "float64", 1e-6), ("numba", "float64", 1e-6), ("numpy", "float32", 1e-3), ("numba", "float32", 1e-3)],
)
@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_energy_is_conserved(minutes: int, backend: str, dtype: str, room: float) -> None:
    scenarios = worlds(minutes, 40, interval_minutes=minutes, hours=12)
    setpoints = random_setpoints(np.random.default_rng(3), scenarios[0], len(scenarios))
    simulator = Simulator(scenarios, len(scenarios), backend=backend, dtype=dtype)
    change = stored_change_kwh(simulator, setpoints)
    tallies = np.asarray(simulator.state.tallies, float)
    moved = tallies[:, Tally.KWH_IN] - tallies[:, Tally.KWH_OUT] - tallies[:, Tally.KWH_LOST]
    np.testing.assert_allclose(moved, change, atol=room)
    assert (tallies[:, Tally.KWH_LOST] >= -room).all()
    assert tallies[:, Tally.KWH_OUT].sum() > 10 < tallies[:, Tally.KWH_IN].sum()


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), power=st.floats(-100, 100), minutes=st.sampled_from([5, 15, 60]))
def test_energy_is_conserved_in_any_world(seed: int, power: float, minutes: int) -> None:
    rng = np.random.default_rng(seed)
    scenario = random_scenario(rng, Stress(interval_minutes=minutes, hours=6, ports=4))
    setpoints = np.where(rng.random((scenario.n_steps, 1, 4)) < 0.5, power, rng.uniform(-20, 20))
    simulator = Simulator(scenario)
    change = stored_change_kwh(simulator, setpoints)
    t = simulator.ledger().tallies
    assert t["kwh_in"] - t["kwh_out"] - t["kwh_lost"] == pytest.approx(change[0], abs=1e-6)
    assert t["kwh_from_battery"] >= t["kwh_out"] - 1e-9
    assert (simulator.state.soc >= -1e-12).all()
    assert (simulator.state.soc <= 0.995 + 1e-12).all()


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(("minutes", "parts"), [(15, 3), (60, 4), (60, 12)])
def test_step_lengths_agree_under_held_setpoints(minutes: int, parts: int, backend: str) -> None:
    """Stored energy to 1e-9 kWh through the taper and the fixed loss, and the kWh and settlements that follow."""
    scenarios = worlds(60 + parts, 20, interval_minutes=minutes, hours=12)
    fine = [refined(world, parts) for world in scenarios]
    setpoints = random_setpoints(np.random.default_rng(4), scenarios[0], 20)
    coarse_sim, fine_sim = (Simulator(days, 20, backend=backend) for days in (scenarios, fine))
    coarse_sim.reset()
    fine_sim.reset()
    for row in setpoints:
        capacity, plugged = np.array(coarse_sim.state.ports.capacity_kwh), np.array(coarse_sim.state.ports.plugged)
        coarse_sim.step(row)
        for _ in range(parts):
            fine_sim.step(row)
        gap = np.abs(coarse_sim.state.soc - fine_sim.state.soc) * capacity
        assert gap[plugged].max() < 1e-9
    for world in range(20):
        coarse, split = coarse_sim.ledger(world), fine_sim.ledger(world)
        for name in ("kwh_in", "kwh_out", "kwh_lost", "unserved_kwh", "early_shortfall_kwh", "kwh_from_battery"):
            assert split.tallies[name] == pytest.approx(coarse.tallies[name], abs=1e-7), name
        for name in ("unserved_usd", "early_leave_usd", "carbon_usd", "fixed_usd"):
            assert split.usd[name] == pytest.approx(coarse.usd[name], abs=1e-6), name


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_the_day_begins_and_ends_clean(backend: str) -> None:
    scenarios = worlds(8, 3)
    simulator = Simulator(scenarios, 3, backend=backend)
    setpoints = random_setpoints(np.random.default_rng(5), scenarios[0], 3)
    first = play(simulator, setpoints, backend == "torch")
    assert simulator.done.all()
    assert not plain(simulator.state.ports.plugged).any()
    books = [simulator.ledger(b) for b in range(3)]
    np.testing.assert_array_equal(play(simulator, setpoints, backend == "torch"), first)
    assert [simulator.ledger(b) for b in range(3)] == books
    simulator.reset()
    assert all(value == 0 for value in simulator.ledger().usd.values())
    assert not simulator.done.any()


def test_a_port_takes_its_next_car_in_the_step_in_which_the_last_one_left() -> None:
    rng = np.random.default_rng(6)
    scenario = worlds(6, 1, ports=8, hours=24)[0]
    s = scenario.stays
    follows = np.flatnonzero(np.diff(s.port) == 0) + 1
    arrive = s.arrive_step.copy()
    arrive[follows] = s.depart_step[follows - 1]
    scenario = with_stays(scenario, arrive_step=arrive)
    assert len(follows) > 2
    simulator = Simulator(scenario)
    simulator.reset()
    for k in range(scenario.n_steps):
        for row in follows:
            if arrive[row] == k:
                port = s.port[row]
                assert simulator.state.stay[0, port] == row
                assert simulator.state.soc[0, port] == s.soc_arrive[row]
                assert np.isnan(simulator.snapshot().ports.last_setpoint_kw[0, port])
        simulator.step(rng.uniform(-10, 10, (1, 8)))
    assert simulator.ledger().tallies["stays"] == (s.arrive_step < scenario.n_steps).sum()


def clock(start: datetime, minutes: int = 60, hours: int = 24) -> tuple[Simulator, list[datetime]]:
    scenario = worlds(9, 1, interval_minutes=minutes, hours=hours)[0]
    scenario = dataclasses.replace(scenario, start=start)
    simulator = Simulator(scenario)
    simulator.reset()
    return simulator, [scenario.time_of(k) for k in range(scenario.n_steps)]


@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 3, 7, 12, tzinfo=ZoneInfo("America/Los_Angeles")),  # spring: the night of 23 hours
        datetime(2026, 3, 8, 0, tzinfo=ZoneInfo("America/Los_Angeles")),
        datetime(2026, 10, 31, 12, tzinfo=ZoneInfo("America/Chicago")),  # autumn: 25 hours
        datetime(2026, 11, 1, 0, tzinfo=ZoneInfo("America/Chicago")),
        datetime(2026, 11, 1, 23, tzinfo=ZoneInfo("America/Chicago")),
        datetime(2026, 7, 4, 12, tzinfo=ZoneInfo("UTC")),
    ],
)
@pytest.mark.parametrize("minutes", [15, 60])
def test_the_wall_clock_follows_the_time_zone(start: datetime, minutes: int) -> None:
    simulator, times = clock(start, minutes)
    for now in times:
        context = simulator.snapshot().context
        assert context.seconds_of_day[0] == now.hour * 3600 + now.minute * 60
        assert context.weekday[0] == now.weekday()
        simulator.step(np.zeros((1, simulator.n_ports)))


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_the_evening_peak_is_told_by_the_wall_clock_on_a_day_of_25_hours(backend: str) -> None:
    scenario = worlds(10, 1, hours=24)[0]
    scenario = dataclasses.replace(scenario, start=datetime(2026, 11, 1, 0, tzinfo=ZoneInfo("America/Chicago")))
    simulator = Simulator(scenario, backend=backend)
    setpoints: Any = random_setpoints(np.random.default_rng(7), scenario, 1)
    simulator.reset()
    expected = 0.0
    for k, row in enumerate(tensor(setpoints) if backend == "torch" else setpoints):
        before = simulator.ledger().tallies
        simulator.step(row)
        after = simulator.ledger().tallies
        if 17 <= scenario.time_of(k).hour < 21:
            expected += after["kwh_in"] - before["kwh_in"] - after["kwh_out"] + before["kwh_out"]
    assert simulator.ledger().tallies["peaker_window_kwh"] == pytest.approx(expected, abs=1e-9)
    assert expected != 0


def test_days_add_up() -> None:
    scenarios = worlds(11, 4)
    simulator = Simulator(scenarios, 4)
    play(simulator, random_setpoints(np.random.default_rng(8), scenarios[0], 4))
    days = [simulator.ledger(b) for b in range(4)]
    total = sum_of_days(days)
    assert total.net_cost_usd == pytest.approx(sum(day.net_cost_usd for day in days))
    for tally in Tally:
        values = [day.tallies[tally.name.lower()] for day in days]
        assert total.tallies[tally.name.lower()] == (max(values) if tally in MAXIMA else pytest.approx(sum(values)))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda s: Simulator(s, backend="jax"), "numpy, numba, torch"),
        (lambda s: Simulator(s).reset([1]), "1"),
        (lambda s: Simulator(s).reset([-1]), "0"),
        (lambda s: Simulator([]), "at least one"),
    ],
)
def test_bad_input_is_refused_in_words(call: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call(harsher(worlds(12, 1)[0], np.random.default_rng(0)))


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_a_day_without_emission_data_spoils_no_later_day(backend: str) -> None:
    known = worlds(13, 1)[0]
    known = dataclasses.replace(known, money=dataclasses.replace(known.money, carbon_usd_per_kg=0.0))
    silent = dataclasses.replace(known, emissions_kg_per_kwh=np.full_like(known.emissions_kg_per_kwh, np.nan))
    simulator = Simulator([silent, known], backend=backend)
    setpoints: Any = random_setpoints(np.random.default_rng(9), known, 1)
    setpoints = tensor(setpoints) if backend == "torch" else setpoints
    for day, missing in ((0, True), (1, False)):
        simulator.reset([day])
        for row in setpoints:
            simulator.step(row)
        assert np.isnan(simulator.ledger().tallies["co2_kg"]) == missing
        assert np.isfinite(simulator.ledger().net_cost_usd)


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_a_day_to_which_nobody_comes_costs_nothing_but_what_is_fixed(backend: str) -> None:
    day = random_scenario(np.random.default_rng(3), Stress())
    none = dataclasses.replace(day.stays, **{f.name: getattr(day.stays, f.name)[:0] for f in dataclasses.fields(Stays)})
    simulator = Simulator(dataclasses.replace(day, stays=none), backend=backend)
    simulator.reset()
    for _ in range(simulator.n_steps):
        setpoints = np.full((1, simulator.n_ports), 5.0)
        simulator.step(tensor(setpoints) if backend == "torch" else setpoints)
    ledger = simulator.ledger()
    assert ledger.tallies["kwh_in"] == 0.0
    assert ledger.tallies["stays"] == 0.0
    assert ledger.usd["energy_import_usd"] == 0.0
    assert ledger.usd["unserved_usd"] == 0.0


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_another_number_of_worlds_is_refused_and_not_read_past_its_end(backend: str) -> None:
    simulator = Simulator(worlds(0, 4), 4, backend=backend)
    simulator.reset()
    short = np.zeros((2, simulator.n_ports))
    snapshot = simulator.snapshot()
    with pytest.raises(ValueError, match=r"requested_kw has shape \(2, "):
        make_projector(backend).project(snapshot, short)
    with pytest.raises(ValueError, match=r"action has shape \(2, "):
        requested_power(snapshot, short, backend)
    with pytest.raises(ValueError, match=r"setpoint_kw has shape \(2, "):
        simulator.step(short)

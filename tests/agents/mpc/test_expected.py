"""Expected arrivals as stays: nothing is lost, nothing comes before now, and homes with a car wait for no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.agents.mpc import Arrivals
from ebbflow.agents.mpc.expected import EFFICIENCY, Blocks, expected_blocks, expected_stays, groups_of
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Snapshot
from ebbflow.envs.world.scenario import Scenario
from ebbflow.envs.world.stress import Stress, random_scenario

MakeWorld = Callable[..., Scenario]
Array = np.ndarray[Any, Any]


def blocks_at(scenario: Scenario, step: int, arrivals: Arrivals, steps: int) -> tuple[Snapshot, Blocks]:
    simulator = Simulator(scenario)
    simulator.reset()
    for _ in range(step):
        simulator.step(np.zeros((1, simulator.n_ports)))
    snapshot = simulator.snapshot().copy()
    return snapshot, expected_blocks(snapshot, 0, steps, groups_of(snapshot), arrivals)


def with_table(scenario: Scenario, table_kwh: Array) -> Scenario:
    return replace(scenario, expected_arrivals_kwh=table_kwh)


def test_an_arrival_stands_where_the_table_has_it(world: MakeWorld) -> None:
    table = np.zeros((1, 8, 16))
    table[0, 3, 6] = 10.0
    scenario = with_table(world([1.0, 1.0], [2, 2], port_site=[0, 0]), table)
    snapshot, blocks = blocks_at(scenario, 0, Arrivals(2.0, 1), 8)
    assert blocks.battery_kwh.tolist() == [20.0]
    assert (3, 6) <= (blocks.from_step[0], blocks.to_step[0]) <= (4, 7)
    stays = expected_stays(blocks, np.array([0]), snapshot.n_ports, 1.0, 4.0)
    assert stays.port[0] >= snapshot.n_ports
    grid_kwh = stays.max_charge_kw[0] * (stays.to_step[0] - stays.from_step[0])
    assert grid_kwh * EFFICIENCY >= 20.0
    assert stays.unserved_usd_per_kwh[0] < 4.0
    # The same block keeps its number in the next step.
    assert blocks_at(scenario, 1, Arrivals(2.0, 1), 8)[1].number.tolist() == blocks.number.tolist()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), interval=st.sampled_from([5, 15, 60]), block=st.integers(1, 5))
def test_what_is_still_to_come_is_planned_and_no_more(seed: int, interval: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    scenario = random_scenario(rng, Stress(ports=4, sites=1, feeders=1, interval_minutes=interval, hours=6))
    table = np.triu(rng.uniform(1.0, 5.0, (1, 6, 30)), 1)
    per_hour, step = 60 // interval, int(rng.integers(0, scenario.n_steps))
    steps = 24 * per_hour
    _, blocks = blocks_at(with_table(scenario, table), step, Arrivals(1.0, block), steps)
    hour, passed = divmod(step, per_hour)
    left = table[0, hour].sum() * (1 - passed / per_hour) + table[0, hour + 1 :].sum()
    assert blocks.battery_kwh.sum() <= left * (1 + 1e-9)
    # All but what leaves after the window, in the last hours of the table.
    inside = table[0, hour, : hour + 20].sum() * (1 - passed / per_hour) + table[0, hour + 1 :, : hour + 20].sum()
    assert blocks.battery_kwh.sum() >= inside * 0.9
    assert (blocks.from_step >= 1).all()
    assert (blocks.from_step < blocks.to_step).all()
    assert (blocks.to_step <= steps).all()
    assert len(np.unique(blocks.number)) == len(blocks.number)


def test_homes_are_pooled_and_one_whose_car_is_here_waits_for_no_other(world: MakeWorld) -> None:
    table = np.zeros((3, 8, 16))
    table[:, 5, 7] = 6.0
    scenario = with_table(world([1.0, 1.0, 1.0], [2, 2, 8], arrive=[0, 0, 6], port_site=[0, 1, 2]), table)
    snapshot, blocks = blocks_at(scenario, 0, Arrivals(1.0, 1), 8)
    groups = groups_of(snapshot)
    assert groups.pooled.tolist() == [True]
    assert blocks.battery_kwh.tolist() == [6.0]  # of the third home alone


def test_a_table_that_has_ended_or_a_factor_of_nothing_plans_without(world: MakeWorld) -> None:
    table = np.full((1, 2, 4), 3.0)
    scenario = with_table(world([1.0, 1.0], [2, 2], port_site=[0, 0]), table)
    assert len(blocks_at(scenario, 3, Arrivals(1.0, 1), 8)[1].battery_kwh) == 0
    assert len(blocks_at(scenario, 0, Arrivals(0.0, 1), 8)[1].battery_kwh) == 0


@pytest.mark.parametrize(("factor", "block_h"), [(-0.1, 1), (float("nan"), 1), (1.0, 0)])
def test_a_setting_without_sense_is_refused_by_name(factor: float, block_h: int) -> None:
    with pytest.raises(ValueError, match=r"arrivals (factor|block_h) is"):
        Arrivals(factor, block_h)

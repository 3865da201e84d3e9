"""Every rule on small worlds whose answer is computed by hand. Cars take 8 kW, steps last an hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ebbflow.agents.policy import Policy
from ebbflow.agents.rules import (
    AsLateAsPossible,
    CheapestHours,
    LeastLaxity,
    RoundRobin,
    TimeOfUse,
    Uncontrolled,
)
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.scenario import Scenario

MakeWorld = Callable[..., Scenario]


def requests(scenario: Scenario, policy: Policy, steps: int) -> np.ndarray[Any, Any]:
    """What the policy asks over the first steps when it gets what it asks, (steps, N)."""
    simulator = Simulator(scenario)
    simulator.reset()
    asked = []
    for _ in range(steps):
        asked.append(policy.act(simulator.snapshot())[0].copy())
        simulator.step(asked[-1][None])
    return np.array(asked)


def test_uncontrolled_charges_at_once_until_the_target(world: MakeWorld) -> None:
    asked = requests(world([2, 3], [6, 6], arrive=[0, 1]), Uncontrolled(), 5)
    np.testing.assert_allclose(asked, [[8, 0], [8, 8], [0, 8], [0, 8], [0, 0]])


def test_as_late_as_possible_asks_for_nothing(world: MakeWorld) -> None:
    assert not requests(world([2, 3], [6, 6]), AsLateAsPossible(), 5).any()


def test_cheapest_hours_takes_the_cheapest_steps_of_each_stay(world: MakeWorld) -> None:
    prices = [0.30, 0.10, 0.20, 0.10, 0.05, 0.05, 0.01, 0.01]
    asked = requests(world([2, 2, 1], [4, 6, 3], price=prices), CheapestHours(), 6)
    np.testing.assert_allclose(asked.T, [[0, 8, 0, 8, 0, 0], [0, 0, 0, 0, 8, 8], [0, 8, 0, 0, 0, 0]])


def test_cheapest_hours_prefers_the_earlier_of_equal_prices(world: MakeWorld) -> None:
    asked = requests(world([2], [6], price=[0.3, 0.2, 0.2, 0.2, 0.2, 0.2]), CheapestHours(), 6)
    np.testing.assert_allclose(asked[:, 0], [0, 8, 8, 0, 0, 0])


def test_cheapest_hours_starts_a_part_of_a_step_in_time(world: MakeWorld) -> None:
    asked = requests(world([1.5], [4], price=[0.1, 0.4, 0.2, 0.3]), CheapestHours(), 4)
    np.testing.assert_allclose(asked[:, 0], [8, 0, 8, 0])


def test_cheapest_hours_charges_whom_the_said_departure_has_passed(world: MakeWorld) -> None:
    scenario = world([2], [8], price=[0.5, 0.5, 0.5, 0.1, 0.1])
    scenario.stays.said_depart_step[:] = 1
    asked = requests(scenario, CheapestHours(), 3)
    np.testing.assert_allclose(asked[:, 0], [8, 8, 0])


@pytest.mark.parametrize(
    ("known", "expected"),
    [(None, [0, 0, 0, 8, 8, 8]), (2, [8, 8, 8, 8, 0, 0])],
)
def test_time_of_use_waits_for_the_cheaper_half_of_the_published_prices(
    world: MakeWorld, known: int | None, expected: list[float]
) -> None:
    # All published: the median is 0.2. With two steps known, 0.3 is the cheaper half of 0.3 and 0.5 at step
    # 0, and later the present price is all that there is.
    prices = [0.3, 0.5, 0.5, 0.2, 0.2, 0.2, 0.2, 0.2]
    scenario = world([4], [8], price=prices, known_until=known)
    asked = requests(scenario, TimeOfUse(), 6)
    np.testing.assert_allclose(asked[:, 0], expected)


def test_time_of_use_charges_at_once_on_a_flat_tariff(world: MakeWorld) -> None:
    np.testing.assert_allclose(requests(world([2], [6]), TimeOfUse(), 3)[:, 0], [8, 8, 0])


def test_least_laxity_serves_the_most_pressed_first(world: MakeWorld) -> None:
    # Laxities 5, 1 and 3 hours; 30 kW less 10 kW of base load leave room for two cars and a half.
    scenario = world([2, 2, 2], [7, 3, 5], site_limit_kw=30.0, base_kw=10.0)
    np.testing.assert_allclose(requests(scenario, LeastLaxity(), 1), [[4, 8, 8]])


def test_least_laxity_keeps_to_the_feeder_and_to_each_site(world: MakeWorld) -> None:
    scenario = world([2, 2, 2, 2], [3, 4, 5, 6], port_site=[0, 0, 1, 1], site_limit_kw=12.0, feeder_limit_kw=18.0)
    np.testing.assert_allclose(requests(scenario, LeastLaxity(), 1), [[8, 4, 6, 0]])


def test_round_robin_lets_the_cars_take_turns(world: MakeWorld) -> None:
    scenario = world([3, 3, 3, 3, 3], [8] * 5, site_limit_kw=16.0)
    served = requests(scenario, RoundRobin(), 5) > 0
    assert (served.sum(axis=1) == 2).all()
    assert (served.sum(axis=0) == 2).all()


def test_round_robin_on_a_feeder_serves_every_home(world: MakeWorld) -> None:
    scenario = world([4] * 4, [8] * 4, port_site=[0, 0, 1, 1], site_limit_kw=8.0, feeder_limit_kw=8.0)
    served = requests(scenario, RoundRobin(), 8) > 0
    assert (served.sum(axis=0) == 2).all()


def test_round_robin_serves_all_where_no_limit_binds(world: MakeWorld) -> None:
    np.testing.assert_allclose(requests(world([2, 1], [6, 6]), RoundRobin(), 3), [[8, 8], [8, 0], [0, 0]])

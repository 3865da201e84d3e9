"""Tiny worlds whose optimum is known by hand: from a start that misses it, 99 % are learned in seconds."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
import torch

from ebbflow.agents.optimum.solve import solve_optimum
from ebbflow.agents.rules import Uncontrolled
from ebbflow.agents.run import run_days
from ebbflow.envs.safety.projection import Reserve
from ebbflow.envs.world.bank import pack
from ebbflow.envs.world.scenario import Events, Scenario
from ebbflow.training.direct import DirectSettings, DirectTrainer
from ebbflow.training.policy import SetNetwork, TorchPolicy
from ebbflow.training.policy.network import fresh_network
from ebbflow.training.policy.rule import NUMBERS

from ..agents.conftest import make_world  # noqa: TID252
from ..machine import slowness  # noqa: TID252

USUAL, CHEAP = 0.30, 0.05
SETTINGS = DirectSettings(updates=25, candidates=8, days=8, spread=1.0)  # the start is far from the optimum
NOTHING_KEPT = Reserve(1.0, 0.0)  # the fuse is as told, and nobody else comes


def prices(*cheap: int) -> list[float]:
    return [CHEAP if hour in cheap else USUAL for hour in range(8)]


def one_event() -> Scenario:
    """A car that would charge for two hours just when 1 $ is paid for every kWh below the usual 8 kW."""
    world = make_world([2.0], [7], [2], price=0.2)
    event = Events(
        start_step=np.array([2]), end_step=np.array([4]), notice_step=np.array([0]),
        rate_usd_per_kwh=np.array([1.0]), pays_export=np.array([False]), hours_used=np.array([0.0]),
    )  # fmt: skip
    return dataclasses.replace(world, events=event, baseline_kw=np.full((1, 8), 8.0))


WORLDS: dict[str, tuple[list[Scenario], float]] = {
    "one car and one cheap hour": ([make_world([1.0], [7], price=prices(hour)) for hour in (2, 4, 6)], 8 * CHEAP),
    "two cars and one fuse": (
        [
            make_world([1.0, 1.0], [7, 7], price=prices(*hours), port_site=[0, 0], site_limit_kw=8.0)
            for hours in ((2, 4), (3, 6), (5, 6))
        ],
        16 * CHEAP,
    ),
    "flat price": ([make_world([2.0], [7], price=0.2)], 16 * 0.2),
    "one event": ([one_event()], 16 * 0.2 - 16 * 1.0),
}
"""Days, and the least that each of them costs."""


def misses_it() -> SetNetwork:
    """It charges long before it must, and sees no event."""
    network = fresh_network(0)
    with torch.no_grad():
        network.rule[NUMBERS.index("laxity")], network.rule[NUMBERS.index("event")] = 0.6, 0.0
    return network


def cost_usd(days: list[Scenario], network: SetNetwork) -> float:
    ran = run_days(days, TorchPolicy(network), reserve=NOTHING_KEPT)
    assert ran.failure == ""
    return sum(day.net_cost_usd for day in ran.ledgers)


@pytest.mark.parametrize("name", WORLDS)
def test_the_optimum_is_learned(name: str) -> None:
    days, least_usd = WORLDS[name]
    assert [solve_optimum(day).bound_usd for day in days] == pytest.approx([least_usd] * len(days), abs=1e-6)
    network, least = misses_it(), least_usd * len(days)
    at_once = sum(day.net_cost_usd for day in run_days(days, Uncontrolled()).ledgers)
    to_gain = at_once - least
    if name != "flat price":
        assert cost_usd(days, network) > least + 0.05 * to_gain, "there is nothing to learn"
    began = time.process_time()
    list(DirectTrainer([pack(days, "float32")], SETTINGS, network=network, reserve=NOTHING_KEPT).train())
    assert time.process_time() - began < 60.0 * slowness()
    # Where nothing can be gained, a hundredth of the cost stands in.
    assert cost_usd(days, network) <= least + 0.01 * max(to_gain, abs(least))

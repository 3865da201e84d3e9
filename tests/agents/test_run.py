"""Running days: a day has one ledger, alone and in a batch, and neglect ranks last on every preset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ebbflow.agents.days import DayRequest, draw_days
from ebbflow.agents.economy import Economy
from ebbflow.agents.policy import find_policy
from ebbflow.agents.rules import RULES, CheapestHours, Uncontrolled
from ebbflow.agents.rules.raw import DoNothing, Drain, raw_references
from ebbflow.agents.run import run_days
from ebbflow.configs.load import preset_names
from ebbflow.envs.ledger import Account
from ebbflow.envs.simulator import sum_of_days
from ebbflow.envs.snapshot import Snapshot
from ebbflow.envs.world.scenario import Scenario
from ebbflow.envs.world.stress import random_scenario

MakeWorld = Callable[..., Scenario]


def test_a_day_by_hand(world: MakeWorld) -> None:
    """One car, 2 h at 8 kW: at once it pays 0.30 and 0.10 $/kWh, in the cheapest hours 0.10 and 0.05."""
    scenario = world([2], [4], price=[0.30, 0.10, 0.20, 0.05, 0.05])
    dear = run_days(scenario, Uncontrolled(), backend="numba").ledgers[0]
    cheap = run_days(scenario, CheapestHours(), backend="numba").ledgers[0]
    assert dear.usd["energy_import_usd"] == pytest.approx(8 * 0.30 + 8 * 0.10)
    assert cheap.usd["energy_import_usd"] == pytest.approx(8 * 0.10 + 8 * 0.05)
    assert cheap.tallies["unserved_kwh"] == pytest.approx(0.0, abs=1e-9)


def test_raw_references_bypass_the_projection_and_nothing_else_does(world: MakeWorld) -> None:
    scenario = world([2], [4])
    raw = run_days(scenario, DoNothing(), backend="numba", record=True)
    assert raw.ledgers[0].tallies["unserved_kwh"] == pytest.approx(16.0)
    assert raw.history is not None
    assert not raw.history.applied_kw.any()
    behind = run_days(scenario, find_policy("as_late_as_possible"), backend="numba", record=True)
    assert behind.ledgers[0].tallies["unserved_kwh"] == pytest.approx(0.0, abs=1e-6)
    assert behind.history is not None
    assert not behind.history.requested_kw.any()
    np.testing.assert_allclose(behind.history.applied_kw[:4, 0], [0, 0, 8, 8], atol=1e-6)


def test_drain_really_empties_the_cars(world: MakeWorld) -> None:
    result = run_days(world([2], [8], v2g=True), Drain(), backend="numba", record=True)
    assert result.history is not None
    assert result.history.day.soc[7, 0] == pytest.approx(0.0)
    assert result.ledgers[0].tallies["kwh_out"] == pytest.approx(4.0)


@pytest.mark.parametrize("name", RULES)
def test_a_day_in_a_batch_is_the_day_alone(name: str) -> None:
    rng = np.random.default_rng(11)
    days = [random_scenario(rng) for _ in range(4)]
    together = run_days(days, find_policy(name), backend="numba")
    for day, ledger in zip(days, together.ledgers, strict=True):
        alone = run_days(day, find_policy(name), backend="numba").ledgers[0]
        assert alone.usd == ledger.usd
        np.testing.assert_array_equal(list(alone.tallies.values()), list(ledger.tallies.values()))


def test_history_adds_up_to_the_ledger() -> None:
    day = random_scenario(np.random.default_rng(4))
    result = run_days([day, day], Uncontrolled(), backend="numba", record=True)
    history = result.history
    assert history is not None
    for account in Account:
        total = history.change_usd[:, account].sum()
        assert total == pytest.approx(result.ledgers[0].usd[account.name.lower()], abs=1e-9)
    assert history.requested_kw.shape == (day.n_steps, day.n_ports)
    assert history.day.steps == day.n_steps
    assert result.ledgers[0].usd == result.ledgers[1].usd


def test_a_policy_that_breaks_is_replaced_and_named(world: MakeWorld) -> None:
    class Breaks:
        name = "breaks"

        def reset(self) -> None: ...

        def act(self, snapshot: Snapshot) -> Any:
            raise KeyError("weights")

    result = run_days(world([2, 1], [4, 2]), Breaks(), backend="numba")
    assert result.failure == "breaks: KeyError: 'weights'"
    assert result.replaced_requests == 4 + 2
    assert result.ledgers[0].tallies["unserved_kwh"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("preset", preset_names("scenarios"))
def test_neglect_ranks_last_on_every_preset(preset: str) -> None:
    drawn = draw_days(DayRequest(preset, days=40))
    references = raw_references(seed=0)

    def net_cost(name: str) -> float:
        result = run_days(drawn.scenarios, find_policy(name, references), backend="numba", reserve=drawn.reserve)
        return sum_of_days(result.ledgers).net_cost_usd

    served, neglected = [net_cost(name) for name in RULES], [net_cost(name) for name in references]
    assert max(served) < min(neglected)


def test_the_economy_of_commands_saves_commands_and_nobody_is_late(world: MakeWorld) -> None:
    swings = [0.1, 0.3] * 8
    day = world([3, 3], [8, 8], price=swings)

    class Nervous(CheapestHours):
        """Cheapest hours, with another power every second hour."""

        def act(self, snapshot: Any) -> Any:
            wish = super().act(snapshot)
            return np.where(wish > 0, wish - 0.2 * (int(snapshot.context.seconds_of_day[0]) // 3600 % 2), wish)

    free, saved = (run_days(day, Nervous(), economy=economy) for economy in (None, Economy(0.5, 5400.0, 48)))
    commands = [run.ledgers[0].tallies["commands"] for run in (free, saved)]
    assert commands[1] < commands[0]
    assert saved.ledgers[0].tallies["unserved_kwh"] == 0

"""The gradient tells what an action costs: changed actions, played to the end, cost what it foretold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ebbflow.envs.world.bank import pack
from ebbflow.envs.world.build import build_scenario, load_settings
from ebbflow.training.pathwise.rollout import Noise, Rollout
from ebbflow.training.policy import SetNetwork

WORLDS = 24


class Shifted(Rollout):
    """Adds `shift` (T, B, N) to the actions, and keeps what these were."""

    shift: Tensor
    seen: list[Tensor]

    def _act(self, network: SetNetwork, snapshot: Any) -> Tensor:
        action = super()._act(network, snapshot)
        self.seen.append(torch.where(torch.from_numpy(snapshot.ports.plugged), action.detach(), torch.nan))
        return torch.clamp(action + self.shift[len(self.seen) - 1], -1.0, 1.0)


@pytest.mark.parametrize("preset", ["home-texas", "home-california"])
def test_what_a_changed_action_costs_is_foretold(preset: str) -> None:
    settings = load_settings(preset)
    bank = pack([build_scenario(settings, seed=0, day=day, split="train") for day in range(WORLDS)], "float32")
    rollout, rng = Shifted(bank, WORLDS), torch.Generator()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SetNetwork()
    with torch.no_grad():
        network.head[-1].weight.zero_()  # the rule alone: who waits stands at 0, between charging and exporting
    shape = (bank.first.n_steps, WORLDS, bank.first.n_ports)

    def played(shift: Tensor) -> Any:
        rollout.shift, rollout.seen = shift, []
        return rollout.play(network, np.arange(WORLDS), Noise(), rng)

    shift = torch.zeros(shape, requires_grad=True)
    day = played(shift)
    day.lesson_usd.sum().backward()
    assert shift.grad is not None
    actions = torch.stack(rollout.seen)

    def compared(who: Tensor, by: float) -> tuple[Any, Any, int]:
        """Dollars by day, as foretold and as paid, where some of `who` act differently, and how many do."""
        chosen = who & torch.from_numpy(np.random.default_rng(0).random(shape) < 0.03)
        move = torch.where(chosen, by, 0.0)
        with torch.no_grad():
            after = played(move)
        assert shift.grad is not None
        paid = (after.cost_usd - day.cost_usd).detach().double().numpy()
        return (shift.grad * move).sum((0, 2)).double().numpy(), paid, int(chosen.sum())

    foretold, paid, _ = compared(actions.abs() < 0.05, 0.3)
    assert paid.sum() > 0.1  # waiting was right, so to charge costs
    assert 0.3 < foretold.sum() / paid.sum() < 2.0
    # Whom the limits leave no room is not told that less of it saves the overload's price, some $ 0.4 a step.
    foretold, paid, count = compared(actions > 0.3, -0.3)
    assert abs(foretold - paid).sum() < 0.05 * count

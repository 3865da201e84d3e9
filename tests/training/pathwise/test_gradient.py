"""The slopes tell what an action costs: changed actions, played to the end, cost what they foretold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ebbflow.envs.world.bank import pack
from ebbflow.envs.world.build import build_scenario, load_settings
from ebbflow.training.pathwise.lesson import dollars, lesson
from ebbflow.training.pathwise.lookback import Lookback
from ebbflow.training.pathwise.rollout import Noise, Rollout
from ebbflow.training.policy import SetNetwork

WORLDS = 24
LEAST_USD = 2e-4
"""A move that is worth less is not asked about."""


class Shifted(Rollout):
    """Adds `shift` (T, B, N) to the actions."""

    shift: NDArray[Any] | None = None
    step = 0

    def _act(self, network: SetNetwork, observation: Any) -> NDArray[Any]:
        action = super()._act(network, observation)
        if self.shift is None:
            return action
        self.step += 1
        return np.clip(action + self.shift[self.step - 1], -1.0, 1.0, dtype=np.float32)


@pytest.mark.parametrize(
    ("preset", "move", "within"),
    [
        ("home-texas", 0.4, 0.4), ("home-texas", -0.4, 0.4), ("home-texas", -1.0, 0.4),
        ("home-california", 0.4, 0.4), ("home-california", -1.0, 0.4), ("depot-workplace", -0.3, 0.5),
    ],
)  # fmt: skip
def test_what_changed_actions_cost_is_foretold(preset: str, move: float, within: float) -> None:
    settings = load_settings(preset)
    bank = pack([build_scenario(settings, seed=0, day=day, split="train") for day in range(WORLDS)], "float32")
    rollout, days = Shifted(bank, WORLDS), np.arange(WORLDS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SetNetwork()
    played = rollout.play(network, days, Noise(), torch.Generator())
    taught = lesson(Lookback(rollout.simulator).slopes(played), 1e3)
    action = torch.from_numpy(played.action.reshape(-1, bank.first.n_ports))
    moved = torch.clamp(action + move, -1.0, 1.0)
    foretold = dollars(moved, taught) - dollars(action, taught)
    some = torch.from_numpy(np.random.default_rng(0).random(action.shape) < 0.02)
    who = some & (foretold > LEAST_USD)
    rollout.shift = torch.where(who, moved - action, 0.0).numpy().reshape(played.action.shape)
    paid = float((rollout.play(network, days, Noise(), torch.Generator()).cost_usd - played.cost_usd).sum())
    assert who.sum() > 20
    assert paid > 0.1
    assert abs(float(foretold[who].sum()) / paid - 1.0) < within


def test_a_move_within_what_was_played_costs_nothing() -> None:
    bank = pack([build_scenario(load_settings("home-texas"), seed=0, day=0, split="train")], "float32")
    rollout = Rollout(bank, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SetNetwork()
    played = rollout.play(network, [0], Noise(), torch.Generator())
    slopes = Lookback(rollout.simulator).slopes(played)
    taught = lesson(slopes, 1e3)
    assert not bool(dollars(taught[0], taught).any())
    assert all(np.isfinite(column).all() for column in slopes)
    assert not any(column[played.stay < 0].any() for column in (slopes.more, slopes.less, slopes.give_more))

"""Direct search: what it plays is the evaluator's day, dollars fall, a pause changes nothing, bad input is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ebbflow.agents.run import run_days
from ebbflow.envs.world.bank import Bank, pack
from ebbflow.envs.world.build import build_scenario, load_settings
from ebbflow.training.direct import DirectSettings, DirectTrainer
from ebbflow.training.direct.play import RulePlayer
from ebbflow.training.policy import SetNetwork, TorchPolicy
from ebbflow.training.policy.rule import CAR_NUMBERS, NUMBERS, fresh_numbers, scales

DAYS = 4
SMALL = DirectSettings(updates=6, candidates=6, days=8)


def days(preset: str, dtype: str = "float32") -> Bank:
    settings = load_settings(preset, ["ports=5", "interval_minutes=60"])
    return pack([build_scenario(settings, seed=1, day=day, split="train") for day in range(DAYS)], dtype)


@pytest.fixture(scope="module")
def homes() -> Bank:
    return days("home-california")


def cost_usd(bank: Bank, network: SetNetwork) -> float:
    ran = run_days(bank, TorchPolicy(network))
    assert ran.failure == ""
    return sum(day.net_cost_usd for day in ran.ledgers)


def worse() -> SetNetwork:
    """It charges long before it must."""
    network = SetNetwork()
    with torch.no_grad():
        network.rule[NUMBERS.index("laxity")] = 0.2
    return network


@pytest.mark.parametrize("preset", ["home-california", "depot-workplace"])
def test_worlds_with_numbers_of_their_own_cost_what_the_evaluator_says(preset: str) -> None:
    exact, rng = days(preset, "float64"), np.random.default_rng(0)
    start, reach = fresh_numbers().numpy(), scales().numpy()
    numbers = np.stack([start + reach * rng.normal(size=len(start)) for _ in range(2)])
    player = RulePlayer(exact, 2 * DAYS)
    accounts = player.accounts_usd(np.tile(np.arange(DAYS), 2), np.repeat(numbers, DAYS, axis=0))
    ours = accounts.sum(axis=1).reshape(2, DAYS)
    for row, own in zip(ours, numbers, strict=True):
        network = SetNetwork()
        with torch.no_grad():
            network.rule.copy_(torch.from_numpy(own))
        theirs = [day.net_cost_usd for day in run_days(exact, TorchPolicy(network)).ledgers]
        np.testing.assert_allclose(row, theirs, atol=1e-3)


def test_dollars_fall_and_no_layer_moves(homes: Bank) -> None:
    trainer = DirectTrainer([homes], DirectSettings(updates=12, candidates=8, days=8, spread=4.0), network=worse())
    layers = {name: value.clone() for name, value in trainer.network.named_parameters() if name != "rule"}
    before = cost_usd(homes, trainer.network)
    made = list(trainer.train())
    assert [generation.number for generation in made] == list(range(1, 13))
    assert all(
        sum(generation.accounts_usd.values()) == pytest.approx(generation.usd_per_car_day) for generation in made
    )
    assert all(generation.best_usd_per_car_day <= generation.usd_per_car_day for generation in made)
    assert cost_usd(homes, trainer.network) < before - 0.05 * abs(before)
    assert all(torch.equal(value, trainer.network.get_parameter(name)) for name, value in layers.items())


def test_caps_are_searched_only_where_a_peak_is_paid_for(homes: Bank) -> None:
    fresh = fresh_numbers()
    for bank, moved in ((homes, False), (days("depot-workplace"), True)):
        trainer = DirectTrainer([bank], SMALL)
        trainer.generation()
        assert (not torch.equal(trainer.network.rule[CAR_NUMBERS:], fresh[CAR_NUMBERS:])) == moved


@pytest.mark.parametrize("behind", [0, 3])
def test_a_state_goes_on_to_the_same_bits(homes: Bank, behind: int) -> None:
    banks = [homes, days("depot-workplace")]
    unbroken = DirectTrainer(banks, SMALL)
    list(unbroken.train())
    broken = DirectTrainer(banks, SMALL)
    for _ in range(behind):
        broken.generation()
    again = DirectTrainer(banks, SMALL)
    again.load_state_dict(broken.state_dict())
    assert again.done == behind
    list(again.train())
    assert torch.equal(again.network.rule, unbroken.network.rule)


def test_a_state_of_other_settings_or_banks_is_refused(homes: Bank) -> None:
    state = DirectTrainer([homes], SMALL).state_dict()
    with pytest.raises(ValueError, match="taken with settings"):
        DirectTrainer([homes], DirectSettings(updates=7)).load_state_dict(state)
    with pytest.raises(ValueError, match="taken with days_of_banks"):
        DirectTrainer([homes, homes], SMALL).load_state_dict(state)


def test_dollars_that_are_no_number_leave_the_rule(homes: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = DirectTrainer([homes], SMALL)
    monkeypatch.setattr(RulePlayer, "accounts_usd", lambda player, days, numbers: np.full((len(days), 2), np.nan))
    with pytest.raises(FloatingPointError, match="the rule was kept"):
        trainer.generation()
    assert torch.equal(trainer.network.rule, fresh_numbers())
    assert trainer.done == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"updates": 0}, "updates is 0"), ({"candidates": 3}, "candidates is 3"), ({"days": 0}, "days is 0"),
     ({"spread": 0.0}, "spread is 0"), ({"most_usd": float("nan")}, "most_usd is nan")],
)  # fmt: skip
def test_settings_out_of_range_are_refused(changed: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DirectSettings(**changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "value"), [("head.2.bias", 0.8), ("level.2.weight", 0.1), ("shortcut", 0.5)])
def test_a_network_that_is_more_than_its_rule_is_refused(homes: Bank, name: str, value: float) -> None:
    """It would be searched for numbers that cost something else once its layers add their own."""
    network = SetNetwork()
    with torch.no_grad():
        network.get_parameter(name).fill_(value)
    with pytest.raises(ValueError, match=r"acts by its learned layers too.*train it on with -a pathwise"):
        DirectTrainer([homes], SMALL, network=network)


def test_no_bank_is_refused() -> None:
    with pytest.raises(ValueError, match="no bank of days"):
        DirectTrainer([])

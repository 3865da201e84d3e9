"""Roll-outs and updates: dollars are the evaluator's, gradients are numbers, seeds repeat, dollars fall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ebbflow.agents.run import run_days
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.bank import Bank, pack
from ebbflow.envs.world.build import build_scenario, load_settings
from ebbflow.training.pathwise import Noise, PathwiseSettings, PathwiseTrainer, Rollout
from ebbflow.training.policy import SetNetwork, TorchPolicy

DAYS = 4


def days(dtype: str, preset: str = "home-california", ports: int = 5) -> Bank:
    settings = load_settings(preset, [f"ports={ports}", "interval_minutes=60"])
    return pack([build_scenario(settings, seed=1, day=day, split="train") for day in range(DAYS)], dtype)


@pytest.fixture(scope="module")
def bank() -> Bank:
    return days("float32")


def fresh(seed: int = 0) -> SetNetwork:
    torch.manual_seed(seed)
    return SetNetwork()


@pytest.mark.parametrize("preset", ["home-california", "depot-workplace"])
def test_the_dollars_are_those_of_the_simulator_under_the_same_setpoints(preset: str) -> None:
    exact = days("float64", preset)
    played = Rollout(exact, DAYS).play(fresh(), np.arange(DAYS), Noise(0.3), torch.Generator().manual_seed(0))
    simulator = Simulator(exact, DAYS, backend="numpy")
    simulator.reset()
    for setpoint in played.setpoint_kw:
        simulator.step(setpoint)
    ours, theirs = played.accounts_usd, np.asarray(simulator.state.accounts)
    np.testing.assert_array_less(np.abs(ours - theirs), 1e-5 * np.maximum(1.0, np.abs(theirs)))


def test_a_roll_out_without_noise_is_what_the_evaluator_plays() -> None:
    exact, network = days("float64"), fresh(1)
    played = Rollout(exact, DAYS).play(network, np.arange(DAYS), Noise(), torch.Generator())
    run = run_days(exact, TorchPolicy(network))
    assert run.failure == ""
    np.testing.assert_allclose(played.cost_usd, [day.net_cost_usd for day in run.ledgers], atol=1e-5)


def test_every_weight_is_moved(bank: Bank) -> None:
    trainer = PathwiseTrainer([bank], PathwiseSettings(updates=3, worlds=DAYS, fleets=32))
    before = {name: weight.detach().clone() for name, weight in trainer.network.named_parameters()}
    list(trainer.train())
    for name, weight in trainer.network.named_parameters():
        assert bool(torch.isfinite(weight).all())
        assert "level" in name or name == "rule" or not torch.equal(weight, before[name]), name


def test_a_seed_repeats_to_the_last_bit(bank: Bank) -> None:
    settings = PathwiseSettings(updates=2, worlds=DAYS, seed=7)
    weights = []
    for _ in range(2):
        trainer = PathwiseTrainer([bank], settings)
        assert [update.number for update in trainer.train()] == [1, 2]
        weights.append(torch.nn.utils.parameters_to_vector(trainer.network.parameters()).detach())
    assert torch.equal(*weights)


def test_a_state_that_went_through_a_file_goes_on_to_the_same_bits(bank: Bank, tmp_path: Path) -> None:
    settings, file = PathwiseSettings(updates=4, worlds=DAYS, seed=3), tmp_path / "state.pt"
    whole = PathwiseTrainer([bank, bank], settings)
    reports = [update.usd_per_car_day for update in whole.train()]
    broken_off = PathwiseTrainer([bank, bank], settings)
    for _ in range(2):
        broken_off.update()
    torch.save(broken_off.state_dict(), file)
    resumed = PathwiseTrainer([bank, bank], settings, network=fresh(9))
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert [update.usd_per_car_day for update in resumed.train()] == reports[2:]
    last, again = whole.state_dict(), resumed.state_dict()
    assert (again["days"], again["done"]) == (last["days"], last["done"])
    for part in ("network", "optimiser", "draws"):
        torch.testing.assert_close(again[part], last[part], rtol=0, atol=0)


def test_a_kept_state_does_not_move_with_the_training(bank: Bank) -> None:
    trainer = PathwiseTrainer([bank], PathwiseSettings(updates=2, worlds=DAYS))
    kept = trainer.state_dict()
    before = {name: weight.clone() for name, weight in kept["network"].items()}
    trainer.update()
    assert all(torch.equal(kept["network"][name], weight) for name, weight in before.items())
    assert kept["done"] == 0


def test_a_state_of_other_settings_or_banks_is_refused(bank: Bank) -> None:
    state = PathwiseTrainer([bank], PathwiseSettings(updates=2, worlds=DAYS)).state_dict()
    with pytest.raises(ValueError, match="taken with settings"):
        PathwiseTrainer([bank], PathwiseSettings(updates=3, worlds=DAYS)).load_state_dict(state)
    with pytest.raises(ValueError, match="taken with days_of_banks"):
        PathwiseTrainer([bank, bank], PathwiseSettings(updates=2, worlds=DAYS)).load_state_dict(state)


def test_dollars_fall(bank: Bank) -> None:
    trainer = PathwiseTrainer([bank], PathwiseSettings(updates=20, worlds=DAYS, fleets=48))
    with torch.no_grad():
        trainer.network.shortcut.zero_()  # without the rule that it begins as, there is much to learn
    before = sum(day.net_cost_usd for day in run_days(bank, TorchPolicy(trainer.network)).ledgers)
    accounts = [sum(update.accounts_usd.values()) for update in trainer.train()]
    after = sum(day.net_cost_usd for day in run_days(bank, TorchPolicy(trainer.network)).ledgers)
    assert np.isfinite(accounts).all()
    assert after < before


def test_a_loss_that_is_no_number_leaves_the_weights(bank: Bank) -> None:
    trainer = PathwiseTrainer([bank], PathwiseSettings(worlds=DAYS))
    trainer.network.wake()
    with torch.no_grad():
        trainer.network.shortcut.fill_(float("nan"))
    before = [parameter.clone() for parameter in trainer.network.parameters()]
    with pytest.raises(FloatingPointError, match="that step was not taken"):
        trainer.update()
    after = list(trainer.network.parameters())
    assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(after, before, strict=True))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="updates is 0"):
        PathwiseSettings(updates=0)
    with pytest.raises(ValueError, match="learning_rate is -1"):
        PathwiseSettings(learning_rate=-1)
    with pytest.raises(ValueError, match="no bank"):
        PathwiseTrainer([])

"""DAgger: requests become actions, rounds repeat and go on exactly, and the network comes nearer to its teacher."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ebbflow.agents.mpc import Mpc
from ebbflow.agents.run import run_days
from ebbflow.envs.action import requested_power
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.bank import Bank, pack
from ebbflow.envs.world.build import build_scenario, load_settings
from ebbflow.training.imitation import ImitationSettings, ImitationTrainer
from ebbflow.training.imitation.labels import Question, answer
from ebbflow.training.imitation.loss import as_action, distance
from ebbflow.training.imitation.memory import Examples, Memory
from ebbflow.training.imitation.teachers import OptimumTeacher
from ebbflow.training.imitation.warm_start import WarmStartLearner, WarmStartSettings
from ebbflow.training.policy import TorchPolicy
from ebbflow.training.policy.pools import groups_of
from ebbflow.training.run.learners import Tick

SMALL = ImitationSettings(rounds=3, worlds=4, labels_per_day=4, fits_per_round=3, batch=16)


def days(preset: str = "home-texas", ports: int = 4, count: int = 6) -> Bank:
    settings = load_settings(preset, [f"ports={ports}", "interval_minutes=60"])
    return pack([build_scenario(settings, seed=1, day=day, split="train") for day in range(count)], "float32")


@pytest.fixture(scope="module")
def bank() -> Bank:
    return days()


def weights(trainer: ImitationTrainer) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(trainer.network.parameters()).detach().clone()


def test_a_request_becomes_the_action_that_asks_for_it(bank: Bank) -> None:
    simulator, rng = Simulator(bank, 6, backend="numba"), np.random.default_rng(0)
    simulator.reset()
    for _ in range(10):
        simulator.step(rng.uniform(-9, 9, (6, 4)))
    snapshot = simulator.snapshot()
    action = rng.choice([-1.0, -0.4, 0.3, 1.0], (6, 4)).astype(np.float32)
    request, one = requested_power(snapshot, action, "numba"), np.ones_like(action)
    share, weight = as_action(
        request, requested_power(snapshot, one, "numba"), -requested_power(snapshot, -one, "numba")
    )
    np.testing.assert_allclose(requested_power(snapshot, share.astype(np.float32), "numba"), request, atol=1e-4)
    assert 0 < weight.sum() < weight.size


def test_what_a_port_cannot_do_and_what_nobody_knows_has_no_weight() -> None:
    share, weight = as_action(
        np.array([5.0, np.nan, -3.0, 20.0, 1.0]), np.array([10.0, 10.0, 10.0, 10.0, 0.0]), np.zeros(5)
    )
    np.testing.assert_array_equal(share, [0.5, 0.0, 0.0, 1.0, 0.0])
    np.testing.assert_array_equal(weight, [1.0, 0.0, 1.0, 1.0, 0.0])


def test_which_of_two_like_cars_charges_is_no_matter_to_the_site() -> None:
    one, full = torch.ones(1, 2), torch.full((1, 2), 7.0)
    theirs = Examples(one[..., None], one, one, torch.tensor([[1.0, 0.0]]), one, full, full)
    site = groups_of(torch.tensor([0, 0]))
    swapped = distance(torch.tensor([[0.0, 1.0]]), theirs, site, site, 0.1)
    assert swapped.sites == swapped.feeders == 0.0
    assert swapped.cars == pytest.approx(0.95)
    assert swapped.share == 1.0
    assert distance(torch.tensor([[0.5, 0.0]]), theirs, site, site, 0.1).sites == pytest.approx(0.2)
    assert distance(theirs.share, theirs, site, site, 0.1).cars == 0.0


def test_the_memory_forgets_the_oldest() -> None:
    memory, rng = Memory(3), torch.Generator().manual_seed(0)
    for value in (0.0, 1.0):
        memory.add(0, Examples(*(torch.full((2, 1), value) for _ in Examples._fields)))
    _, drawn = memory.draw(100, rng)
    assert len(memory) == 3
    assert set(drawn.share.flatten().tolist()) <= {0.0, 1.0}


def test_the_optimum_charges_at_once_where_all_prices_are_equal(bank: Bank) -> None:
    scenario = bank.scenarios[0]
    flat = np.full_like(scenario.import_price_usd_per_kwh, 0.2)
    even = replace(scenario, import_price_usd_per_kwh=flat, export_price_usd_per_kwh=flat * 0.0)
    simulator = Simulator([even], 1)
    simulator.reset()
    teacher, asked = OptimumTeacher(even), []
    for _ in range(even.n_steps):
        snapshot = simulator.snapshot()
        request = teacher.request(simulator)
        short = snapshot.ports.plugged[0] & (snapshot.ports.soc[0] < snapshot.ports.target_soc[0] - 0.05)
        asked += (request[short] > 0).tolist()
        simulator.step(request[None])
    assert len(asked) > 5
    assert np.mean(asked) == 1.0


def test_a_label_is_what_mpc_requests_on_its_own_day(bank: Bank) -> None:
    scenario = bank.scenarios[1]
    ran = run_days([scenario], Mpc(warm=False), record=True)
    assert ran.history is not None
    steps = (3, 9, 17)
    said = answer(Question(scenario, ran.history.applied_kw, steps, "mpc"))
    np.testing.assert_allclose(said, ran.history.requested_kw[list(steps)], atol=1e-6)


def test_rounds_repeat_and_go_on_to_the_last_bit(bank: Bank) -> None:
    whole, again = ImitationTrainer([bank, days(ports=2)], SMALL), ImitationTrainer([bank, days(ports=2)], SMALL)
    made = list(whole.train())
    first = again.round()
    kept = again.state_dict()
    other = ImitationTrainer([bank, days(ports=2)], SMALL)
    other.load_state_dict(kept)
    rest = list(other.train())
    assert [one.number for one in (first, *rest)] == [1, 2, 3]
    assert first.loss == made[0].loss
    assert torch.equal(weights(whole), weights(other))


def test_a_pool_gives_the_same_labels(bank: Bank) -> None:
    settings = replace(SMALL, rounds=1)
    here = ImitationTrainer([bank], settings)
    here.round()
    with ImitationTrainer([bank], replace(settings, workers=1)) as pooled:
        pooled.round()
    assert torch.equal(weights(here), weights(pooled))


def test_imitation_comes_nearer_to_the_teacher_and_saves_dollars() -> None:
    bank = days("home-california", ports=5, count=8)
    trainer = ImitationTrainer([bank], ImitationSettings(rounds=5, worlds=8, fits_per_round=15, batch=32))
    with torch.no_grad():
        trainer.network.shortcut.zero_()  # without the rule that it begins as, there is much to learn
    before = sum(day.net_cost_usd for day in run_days(bank, TorchPolicy(trainer.network)).ledgers)
    made = list(trainer.train())
    after = sum(day.net_cost_usd for day in run_days(bank, TorchPolicy(trainer.network)).ledgers)
    assert made[-1].loss < 0.9 * made[0].loss
    assert after < before


def test_a_warm_start_goes_on_exactly_in_either_part(bank: Bank) -> None:
    settings = WarmStartSettings(updates=4, worlds=4, imitated_share=0.5)
    whole = WarmStartLearner(settings, [bank])
    states: list[dict[str, object]] = []
    ticks: list[Tick] = []

    def note(tick: Tick) -> None:
        ticks.append(tick)
        states.append(whole.state_dict())

    whole.run(note)
    assert [tick.number for tick in ticks] == [1, 2, 3, 4]
    assert ["imitation" in state for state in states] == [True, False, False, False]
    end = whole.network_values()["network"]
    for state in states[:3]:
        other = WarmStartLearner(settings, [bank])
        other.load_state_dict(state)
        other.run(lambda tick: None)
        for name, value in other.network_values()["network"].items():
            assert torch.equal(value, end[name]), name


def test_settings_out_of_range_are_refused(bank: Bank) -> None:
    with pytest.raises(ValueError, match="rounds is 0"):
        ImitationSettings(rounds=0)
    with pytest.raises(ValueError, match="workers is -1"):
        ImitationSettings(workers=-1)
    with pytest.raises(ValueError, match=r"unknown teacher .optimun.; did you mean .optimum."):
        ImitationTrainer([bank], ImitationSettings(teacher="optimun"))
    with pytest.raises(ValueError, match="no bank"):
        ImitationTrainer([])
    with pytest.raises(ValueError, match="imitated_share is 0"):
        WarmStartSettings(imitated_share=0.0)

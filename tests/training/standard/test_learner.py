"""Algorithms of stable-baselines3 as learners: what they go on to, what they leave alone, and what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ebbflow.agents.days import DrawnDays
from ebbflow.agents.run import run_days
from ebbflow.agents.zipped import ZipPolicy
from ebbflow.training.policy import SetNetwork, SetNetworkSizes
from ebbflow.training.run.learners import Tick
from ebbflow.training.run.settings import RunSettings
from ebbflow.training.standard.learner import StandardLearner
from ebbflow.training.standard.make import standard_learners
from ebbflow.training.standard.settings import ALGORITHMS, PpoSettings
from ebbflow.training.weights import ZIPPED

from .worlds import days


class Enough(Exception):
    """Ends a run, as Ctrl-C would."""


def learner(updates: int = 4, algorithm: str = "ppo", **settings: Any) -> StandardLearner:
    told = {"worlds": 3, "seed": 5} | (PPO if algorithm == "ppo" else REPLAY) | settings
    return StandardLearner(
        algorithm, ALGORITHMS[algorithm](updates=updates, **told), days("home-texas", dtype="float32")
    )


def weights(made: StandardLearner) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(made._model.policy.parameters()).detach()


PORTS = {"ports_as_environments": True, "shaped": True}
PPO = {"epochs": 2, "minibatches": 2}
REPLAY = {"hidden": 16, "warm_up": 500, "batch_size": 16, "gradient_steps": 1, "buffer_size": 600}
"""Random actions until the second day, and a buffer that is written over from the second day on."""


@pytest.mark.parametrize(
    "settings",
    [{}, PORTS, PORTS | {"policy": "mlp", "three_way": True}, *({"algorithm": name} for name in ("sac", "td3", "tqc"))],
)
def test_a_state_that_went_through_a_file_goes_on_to_the_same_bits(settings: dict[str, Any], tmp_path: Path) -> None:
    whole, stopped, resumed = (learner(**settings) for _ in range(3))
    numbers: list[int] = []
    whole.run(lambda update: numbers.append(update.number))

    def stop(update: Tick) -> None:
        if update.number == 2:
            torch.save(stopped.state_dict(), tmp_path / "state.pt")
            raise Enough

    with pytest.raises(Enough):
        stopped.run(stop)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    resumed.run(lambda update: numbers.append(update.number))
    assert numbers == [1, 2, 3, 4, 3, 4]
    assert torch.equal(weights(resumed), weights(whole))
    assert not torch.equal(weights(stopped), weights(whole))


def test_the_state_of_a_finished_run_is_finished() -> None:
    whole, other = learner(1), learner(1)
    whole.run(lambda update: None)
    other.load_state_dict(whole.state_dict())
    other.run(lambda update: pytest.fail("there is nothing left"))
    with pytest.raises(ValueError, match="of 1 updates of 3 worlds; this run has 2 of 3"):
        learner(2).load_state_dict(whole.state_dict())


def test_global_randomness_is_left_alone() -> None:
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - this is what must not move
    before = torch.get_rng_state(), np.random.get_state()[1:3]  # noqa: NPY002
    learner(1).run(lambda update: None)
    after = torch.get_rng_state(), np.random.get_state()[1:3]  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1][1] == after[1][1]
    assert np.array_equal(before[1][0], after[1][0])


def test_it_starts_from_a_given_network_and_plays_what_it_learned() -> None:
    torch.manual_seed(8)
    given, bank = SetNetwork(SetNetworkSizes(32, 48, 16)), days("home-texas", dtype="float32")
    made = StandardLearner("ppo", PpoSettings(updates=1, worlds=3, log_std=-3.0, target_kl=0.01), bank, network=given)
    assert all(torch.equal(ours, given.state_dict()[name]) for name, ours in made.network.state_dict().items())
    seen: list[Tick] = []
    made.run(seen.append)
    assert {"approx_kl", "explained_variance", "reward_per_car_day"} <= set(seen[0].metrics)
    assert seen[0].metrics["std"] == pytest.approx(np.exp(-3.0), rel=0.1)
    assert run_days(bank, made.policy()).failure == ""


@pytest.mark.parametrize(
    "settings",
    [{}, PORTS | {"policy": "mlp"}, PORTS | {"policy": "mlp", "three_way": True}, {"algorithm": "sac", "warm_up": 0},
     {"algorithm": "td3", "warm_up": 0}],
)  # fmt: skip
def test_weights_that_explode_end_in_a_sentence(settings: dict[str, Any]) -> None:
    made = learner(learning_rate=1e30, **settings)
    with pytest.raises(FloatingPointError, match=r"^update 1: weights or answers .* which is 1e\+30 at the start$"):
        made.run(lambda update: pytest.fail("update 1 has no good end"))


def test_an_error_of_another_kind_stays_what_it_is() -> None:
    def broken(update: Tick) -> None:
        raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="the disk is full"):
        learner().run(broken)


@pytest.mark.parametrize("algorithm", ["ppo", "tqc"])
def test_a_policy_that_is_no_set_network_is_kept_as_a_zip_that_plays_alike(algorithm: str, tmp_path: Path) -> None:
    made = learner(1, algorithm, **(PORTS | {"policy": "mlp"}))
    made.run(lambda update: None)
    (tmp_path / "best.zip").write_bytes(made.network_values()[ZIPPED].numpy().tobytes())
    bank, zipped = days("home-texas", dtype="float32"), ZipPolicy(tmp_path / "best.zip")
    ran = run_days(bank, zipped)
    assert ran.failure == ""
    ours = run_days(bank, made.policy())
    assert [day.net_cost_usd for day in ran.ledgers] == pytest.approx([day.net_cost_usd for day in ours.ledgers])


def test_wrong_beginnings_are_refused() -> None:
    drawn = DrawnDays(days("home-texas").scenarios, None, None)
    with pytest.raises(ValueError, match="--start is mine, a set network, but policy is 'mlp'"):
        standard_learners(RunSettings(scenario="home-texas", algorithm="sac", updates=1, start="mine"), drawn)
    with pytest.raises(ValueError, match="--fleets is 2, but ppo trains on one fleet"):
        standard_learners(RunSettings(scenario="home-texas", algorithm="ppo-mlp", updates=1, fleets=2), drawn)
    with pytest.raises(ValueError, match="which is no set network; use 'set'"):
        _ = learner(policy="mlp").network


def test_updates_that_fill_the_buffer_are_not_timed() -> None:
    assert learner().untypical == 1
    assert learner(algorithm="sac", warm_up=500).untypical == 2  # 3 worlds of 6 ports and 24 steps: 432 a day


def test_a_run_makes_it_from_a_preset_and_overrides() -> None:
    drawn = DrawnDays(days("home-texas").scenarios, None, None)
    asked = RunSettings(
        scenario="home-texas", algorithm="ppo-ports", updates=7, seed=2, training=("training.worlds=2",)
    )
    made = standard_learners(asked, drawn)(7)
    assert (made.total, made.settings.worlds, made.settings.seed) == (7, 2, 2)
    assert set(made.network_values()) == {"observation", "sizes", "network"}

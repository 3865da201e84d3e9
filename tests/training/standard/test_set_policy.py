"""The set network as an actor-critic policy: permutations, masks, sizes, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm
from stable_baselines3 import PPO

from ebbflow.envs.gym.sb3 import FleetVecEnv
from ebbflow.envs.gym.spaces import action_space, observation_space
from ebbflow.training.pathwise.algorithm import Pathwise
from ebbflow.training.policy import SetNetwork, TorchPolicy
from ebbflow.training.standard.play import StandardPolicy
from ebbflow.training.standard.ports import PortVecEnv
from ebbflow.training.standard.set_policy import SetPolicy, fleet_kwargs

from .worlds import days

WORLDS = 4


def policy(n: int, seed: int = 0, **arguments: Any) -> SetPolicy:
    torch.manual_seed(seed)
    rng = np.random.default_rng(n)
    site = rng.permutation(np.arange(n) % 3)
    indices = {"port_site": site.tolist(), "port_feeder": (site % 2).tolist()}
    made = SetPolicy(observation_space(n), action_space(n), lambda _: 1e-3, **(indices | arguments))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def seen(n: int, seed: int = 0) -> dict[str, torch.Tensor]:
    space, rng = observation_space(n), np.random.default_rng(seed)
    made = {
        key: torch.from_numpy(rng.uniform(box.low, box.high, (WORLDS, *box.shape)).astype(np.float32))
        for key, box in space.spaces.items()
    }
    made["mask"] = (made["mask"] > 0.4).float()
    return made | {"ports": made["ports"] * made["mask"][..., None]}


def permuted(observation: dict[str, torch.Tensor], order: torch.Tensor) -> dict[str, torch.Tensor]:
    return observation | {key: observation[key][:, order] for key in ("ports", "mask")}


@pytest.mark.parametrize("seed", range(4))
def test_permuted_cars_get_permuted_answers_and_the_same_value(seed: int) -> None:
    n = 9
    order = np.random.default_rng(seed).permutation(n)
    one = policy(n)
    index = {name: [one._indices[i][at] for at in order] for i, name in enumerate(("port_site", "port_feeder"))}
    other = policy(n, **index)
    other.load_state_dict(one.state_dict())
    observation, move = seen(n, seed), torch.from_numpy(order)
    with torch.no_grad():
        mean, value = one.get_distribution(observation).mode(), one.predict_values(observation)
        observation = permuted(observation, move)
        moved, same = other.get_distribution(observation).mode(), other.predict_values(observation)
    torch.testing.assert_close(moved, mean[:, move], rtol=0, atol=1e-5)
    torch.testing.assert_close(same, value, rtol=0, atol=1e-5)


def test_log_probability_and_entropy_are_those_of_the_connected_cars() -> None:
    made, observation = policy(5), seen(5)
    with torch.no_grad():
        actions, values, logs = made(observation)
        mean = made.actor(*(observation[key] for key in ("ports", "context", "mask")), *made.groups)
        std = made.log_std.exp()
        again, shown, entropy = made.evaluate_actions(observation, actions)
    here = observation["mask"].numpy() > 0
    each = norm.logpdf(actions.numpy(), mean.numpy(), float(std))
    np.testing.assert_allclose(logs.numpy(), np.where(here, each, 0.0).sum(1), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(entropy.numpy(), here.sum(1) * norm.entropy(0.0, float(std)), rtol=1e-5)
    assert values.shape == (WORLDS, 1)
    torch.testing.assert_close((again, shown), (values, logs), rtol=0, atol=1e-6)
    assert made.log_std.shape == ()


def test_an_empty_port_counts_for_nothing() -> None:
    made, observation = policy(5), seen(5)
    with torch.no_grad():
        actions, values, logs = made(observation)
        other = torch.where(observation["mask"] > 0, actions, torch.ones_like(actions))
        rubbish = observation | {"ports": torch.where(observation["mask"][..., None] > 0, observation["ports"], 0.5)}
        again = made.evaluate_actions(observation, other)
        changed = made.predict_values(rubbish)
    torch.testing.assert_close(again[1], logs, rtol=0, atol=0)
    torch.testing.assert_close(changed, values, rtol=0, atol=1e-6)


def test_the_weights_of_one_size_fit_another() -> None:
    small, large = policy(3), policy(40, seed=1)
    large.load_state_dict(small.state_dict())
    mean = large.get_distribution(seen(40)).mode()
    assert mean.shape == (WORLDS, 40)
    assert isinstance(large.actor, SetNetwork)


def test_what_is_played_is_the_network_that_is_exported(tmp_path: Path) -> None:
    bank = days("home-california")
    env = FleetVecEnv(2, scenario=bank)
    model = PPO(
        SetPolicy, env, n_steps=4, batch_size=4, n_epochs=1, policy_kwargs=fleet_kwargs(env), device="cpu"
    ).learn(8)
    model.save(tmp_path / "ppo.zip")
    loaded = PPO.load(tmp_path / "ppo.zip", device="cpu")
    snapshot = env.fleet.simulator.snapshot()
    requested = StandardPolicy(loaded).act(snapshot)
    np.testing.assert_allclose(requested, TorchPolicy(model.policy.actor).act(snapshot), atol=1e-6)


def test_a_policy_file_comes_back(tmp_path: Path) -> None:
    made, observation = policy(4), seen(4)
    made.save(str(tmp_path / "policy.pt"))
    loaded = SetPolicy.load(str(tmp_path / "policy.pt"), device="cpu")
    with torch.no_grad():
        assert torch.equal(*(one.get_distribution(observation).mode() for one in (made, loaded)))


def test_where_the_ports_belong_is_read_from_the_environment() -> None:
    bank = days("depot-workplace")
    assert fleet_kwargs(FleetVecEnv(1, scenario=bank)) == {"port_site": [0] * 6, "port_feeder": [0] * 6}
    assert fleet_kwargs(FleetVecEnv(1, scenario=days("home-texas")))["port_site"] == list(range(6))
    assert fleet_kwargs(PortVecEnv(1, scenario=bank)) == {"port_site": [0], "port_feeder": [0]}


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="one number from 0 for each of the 4 ports"):
        policy(4, port_site=[0, 1])
    with pytest.raises(ValueError, match="use_sde is True"):
        policy(4, use_sde=True)


def test_a_pathwise_policy_goes_on_under_ppo() -> None:
    env = FleetVecEnv(2, scenario=days("home-california", dtype="float32"))
    learned = Pathwise(env=env, seed=0).learn(1)
    tuned = PPO(SetPolicy, env, n_steps=4, batch_size=4, policy_kwargs=fleet_kwargs(env), device="cpu")
    tuned.set_parameters({"policy": learned.get_parameters()["policy"]}, exact_match=False)
    observation = env.reset()
    actions = [model.predict(observation, deterministic=True)[0] for model in (learned, tuned)]
    np.testing.assert_array_equal(*actions)
    tuned.learn(8)

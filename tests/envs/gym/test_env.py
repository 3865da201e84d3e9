"""The Gymnasium environment: checkers, money, replay, randomness."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from ebbflow.configs.load import preset_names
from ebbflow.envs.encoding import CONTEXT_FIELDS, PORT_FIELDS
from ebbflow.envs.gym.env import FleetEnv
from ebbflow.envs.gym.fleet import ACCOUNTS
from ebbflow.envs.registration import ENV_ID
from ebbflow.envs.world.bank import pack
from ebbflow.envs.world.build import build_scenario, load_settings
from ebbflow.envs.world.stress import random_scenario

PRESETS = preset_names("scenarios")
MAKE_ID = f"ebbflow.envs.registration:{ENV_ID}"
HEADINGS = (
    "Description", "Action Space", "Observation Space", "Rewards", "Starting State", "Episode End",
    "Arguments", "Version History",
)  # fmt: skip


@pytest.fixture(scope="module")
def env() -> FleetEnv:
    return FleetEnv("depot-workplace")


def play(env: Any, actions: list[Any], **reset: Any) -> list[tuple[Any, ...]]:
    """A day under `actions`, taken in turn; observations copied."""
    observation, info = env.reset(**reset)
    steps, over = [(observation, 0.0, False, False, info)], False
    while not over:
        steps.append(copy.deepcopy(env.step(actions[len(steps) % len(actions)])))
        over = steps[-1][2] or steps[-1][3]
    return steps


def random_actions(n_ports: int, seed: int = 0, count: int = 7) -> list[Any]:
    return list(np.random.default_rng(seed).uniform(-1, 1, (count, n_ports)).astype(np.float32))


@pytest.mark.parametrize("preset", PRESETS)
def test_gymnasium_checker_passes_without_a_warning(preset: str) -> None:
    made = gymnasium.make(MAKE_ID, scenario=preset, render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made.unwrapped)
    made.close()


@pytest.mark.parametrize("preset", PRESETS)
def test_sb3_checker_only_recommends_to_flatten_the_ports(preset: str) -> None:
    from stable_baselines3.common.env_checker import check_env as check_sb3

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_sb3(FleetEnv(preset))
    messages = [str(w.message) for w in caught]
    assert len(messages) == 1, messages
    assert "observation ports has an unconventional shape" in messages[0]


def test_rewards_are_minus_the_days_net_cost_and_accounts_add_up(env: FleetEnv) -> None:
    steps = play(env, random_actions(25), seed=1)
    info = steps[-1][4]
    assert -sum(step[1] for step in steps) == pytest.approx(info["ledger"]["net_cost_usd"], abs=1e-9)
    for account in ACCOUNTS:
        assert sum(step[4].get(account, 0.0) for step in steps) == pytest.approx(info["ledger"][account], abs=1e-9)
    for _, reward, _, _, each in steps[1:]:
        assert sum(each[account] for account in ACCOUNTS) == pytest.approx(-reward, abs=1e-12)
    assert info["ledger"]["kwh_in"] > 0
    assert [step[2] for step in steps[1:]] == [False] * 95 + [True]
    assert not any(step[3] for step in steps)


def test_info_says_how_hard_the_projection_acted(env: FleetEnv) -> None:
    for _, _, _, _, info in play(env, random_actions(25), seed=2)[1:]:
        acted = np.abs(info["applied_kw"] - info["requested_kw"]).sum()
        assert info["clipped_kw"] == pytest.approx(acted, abs=1e-9)


def test_observations_stay_inside_the_space(env: FleetEnv) -> None:
    for observation, *_ in play(env, random_actions(25), seed=3):
        assert env.observation_space.contains(observation)
        empty = observation["mask"] == 0
        assert not observation["ports"][empty].any()


def test_a_day_is_replayed_to_the_bit(env: FleetEnv) -> None:
    first = play(env, random_actions(25), seed=4)
    again = play(env, random_actions(25), options={"day": first[0][4]["day"]})
    for a, b in zip(first, again, strict=True):
        assert a[1] == b[1]
        assert all(np.array_equal(a[0][key], b[0][key]) for key in a[0])


def test_seeds_give_different_days(env: FleetEnv) -> None:
    assert env.reset(seed=1)[1]["day"] != env.reset(seed=2)[1]["day"]
    assert env.reset(seed=1)[1]["day"] == env.reset(seed=1)[1]["day"]


def test_the_global_generator_is_not_touched(env: FleetEnv) -> None:
    np.random.seed(7)  # noqa: NPY002 - the global state is what is tested
    before = np.random.get_state()  # noqa: NPY002
    play(env, random_actions(25), seed=5)
    after = np.random.get_state()  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_callers_action_is_left_alone(env: FleetEnv, dtype: Any) -> None:
    env.reset(seed=6)
    action = np.linspace(-3, 3, 25).astype(dtype)
    action[3] = np.nan
    kept = action.copy()
    _, reward, _, _, info = env.step(action)
    assert np.array_equal(action, kept, equal_nan=True)
    assert np.isfinite(reward)
    assert np.isfinite([info["clipped_kw"], *info["applied_kw"]]).all()


def test_backends_agree() -> None:
    scenario = build_scenario(load_settings("depot-workplace"), seed=0, day=3, split="train")
    compiled, reference = (FleetEnv(scenario, backend=name) for name in ("numba", "numpy"))
    for a, b in zip(play(compiled, random_actions(25)), play(reference, random_actions(25)), strict=True):
        assert a[1] == pytest.approx(b[1], abs=1e-5)
        assert np.allclose(a[0]["ports"], b[0]["ports"], atol=1e-5)
        assert np.allclose(a[0]["context"], b[0]["context"], atol=1e-5)


def test_days_may_be_given_whole() -> None:
    days = [random_scenario(np.random.default_rng(0))]
    for source in (days[0], days, pack(days)):
        made = FleetEnv(source)
        steps = play(made, random_actions(6))
        assert steps[0][4]["day"] == 0
        assert len(steps) == days[0].n_steps + 1


def test_a_saved_day_is_played(tmp_path: Any) -> None:
    day = random_scenario(np.random.default_rng(1))
    day.save(tmp_path / "day.npz")
    a, b = play(FleetEnv(day), random_actions(6)), play(FleetEnv(tmp_path / "day.npz"), random_actions(6))
    assert [step[1] for step in a] == [step[1] for step in b]


def test_a_bank_is_drawn_beforehand_and_equals_fresh_days(env: FleetEnv) -> None:
    banked = FleetEnv("depot-workplace", bank_days=2)
    assert {banked.reset(seed=seed)[1]["day"] for seed in range(12)} == {0, 1}
    a = play(banked, random_actions(25), options={"day": 1})
    b = play(env, random_actions(25), options={"day": 1})
    assert [step[1] for step in a] == [step[1] for step in b]


def test_overrides_reach_the_preset() -> None:
    assert FleetEnv("depot-workplace", overrides=["ports=7"]).action_space.shape == (7,)


def test_pickling_keeps_the_running_day() -> None:
    made = FleetEnv("depot-workplace")
    actions = random_actions(25)
    made.reset(seed=8)
    for action in actions:
        made.step(action)
    twin = pickle.loads(pickle.dumps(made))
    for action in actions:
        assert made.step(action)[1] == twin.step(action)[1]
    assert made.reset()[1] == twin.reset()[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scenario": "home-californa"}, "home-california"),
        ({"scenario": "depot-workplace", "overrides": ["prots=3"]}, "ports"),
        ({"scenario": "depot-workplace", "backend": "cuda"}, "numba"),
        ({"scenario": "depot-workplace", "render_mode": "human"}, "rgb_array"),
        ({"scenario": "depot-workplace", "bank_days": 0}, "at least 1"),
    ],
)
def test_bad_arguments_are_refused_with_a_hint(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FleetEnv(**arguments)


def test_bad_calls_are_refused() -> None:
    made = FleetEnv("depot-workplace")
    with pytest.raises(ResetNeeded, match="reset"):
        made.step(np.zeros(25, np.float32))
    with pytest.raises(ValueError, match="reset option 'daay'"):
        made.reset(options={"daay": 3})
    with pytest.raises(ValueError, match="day -1"):
        made.reset(options={"day": -1})
    made.reset(seed=0)
    with pytest.raises(ValueError, match=r"shape \(24,\).*\(25,\)"):
        made.step(np.zeros(24, np.float32))


def test_the_docstring_has_the_fixed_headings_and_true_shapes(env: FleetEnv) -> None:
    text = FleetEnv.__doc__ or ""
    assert [line.strip()[3:] for line in text.splitlines() if line.strip().startswith("## ")] == list(HEADINGS)
    shapes = {key: space.shape for key, space in env.observation_space.spaces.items()}  # type: ignore[attr-defined]
    ports, context = (sum(f.width for f in fields) for fields in (PORT_FIELDS, CONTEXT_FIELDS))
    assert shapes == {"ports": (25, ports), "context": (context,), "mask": (25,)}
    for row in ("`ports` | (N, K)", "`context` | (M,)", "`mask` | (N,)"):
        assert row in text


def test_spaces_have_the_bounds_of_the_field_table(env: FleetEnv) -> None:
    for key, fields in (("ports", PORT_FIELDS), ("context", CONTEXT_FIELDS)):
        space = env.observation_space[key]  # type: ignore[index]
        low = [field.low for field in fields for _ in range(field.width)]
        high = [field.high for field in fields for _ in range(field.width)]
        assert np.allclose(np.atleast_2d(space.low)[0], low)
        assert np.allclose(np.atleast_2d(space.high)[0], high)

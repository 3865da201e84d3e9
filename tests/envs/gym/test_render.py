"""The picture of the day so far shows what happened, and only that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ebbflow.envs.gym.env import FleetEnv
from ebbflow.envs.gym.render import MOST_BANDS, SIZE_PX, figure, room_for_cars_kw
from ebbflow.envs.gym.sb3 import FleetVecEnv
from ebbflow.envs.gym.vector import FleetVectorEnv
from ebbflow.envs.world.stress import Stress, random_scenario


def played(env: Any, steps: int) -> Any:
    env.reset(seed=0)
    for _ in range(steps):
        env.step(np.full(env.action_space.shape, 0.8, np.float32))
    return env


def test_frames_have_their_shape_and_change_as_the_day_goes_on() -> None:
    env = FleetEnv("depot-workplace", render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    later = played(env, 60).render()
    for frame in (first, later):
        assert frame is not None
        assert frame.shape == (SIZE_PX[1], SIZE_PX[0], 3)
        assert frame.dtype == np.uint8
    assert not np.array_equal(first, later)


def test_the_record_is_the_power_that_the_ledger_counted() -> None:
    env = FleetEnv(random_scenario(np.random.default_rng(3), Stress(outlast=1.0)), render_mode="rgb_array")
    played(env, 30)
    assert env._recorder is not None
    record = env._recorder.day(env._fleet.simulator)
    drawn = np.maximum(record.power_kw, 0).sum() * record.scenario.step_h
    assert record.steps == 30
    # A car that left took at most what it was offered.
    assert drawn >= env.ledger()["kwh_in"] - 1e-6
    assert drawn == pytest.approx(env.ledger()["kwh_in"], rel=0.2)
    assert np.nanmax(record.soc) <= 1.0


def test_axes_say_what_they_show_with_units() -> None:
    env = played(FleetEnv("depot-workplace", render_mode="rgb_array"), 40)
    assert env._recorder is not None
    axes = figure(env._recorder.day(env._fleet.simulator)).axes
    labels = [a.get_ylabel() for a in axes] + [axes[-1].get_xlabel()]
    assert labels == [
        "power by car (kW)", "price ($/kWh)", "state of charge (%)", "local time (America/Los_Angeles)",
    ]  # fmt: skip


def test_room_is_what_the_tighter_level_leaves() -> None:
    scenario = random_scenario(np.random.default_rng(4), Stress(sites=1, feeders=1, ports=3))
    room_in, room_out = room_for_cars_kw(scenario)
    net, t = scenario.site_net_load_kw[0], scenario.n_steps
    other = scenario.feeder_other_load_kw[0]
    tight = np.minimum(scenario.site_import_limit_kw[0] - net, scenario.feeder_import_limit_kw[0] - net - other)
    back = np.minimum(scenario.site_export_limit_kw[0] + net, scenario.feeder_export_limit_kw[0] + net + other)
    assert np.allclose(room_in, np.maximum(tight, 0)[:t])
    assert np.allclose(room_out, np.maximum(back, 0)[:t])


def test_many_cars_are_drawn_in_bands() -> None:
    stress = Stress(ports=70, sites=5, hours=3)
    env = played(FleetEnv(random_scenario(np.random.default_rng(5), stress), render_mode="rgb_array"), 10)
    assert env._recorder is not None
    record = env._recorder.day(env._fleet.simulator)
    assert len(figure(record).axes[0].collections) <= 2 * MOST_BANDS
    assert env.render() is not None


def test_without_a_render_mode_there_is_no_picture() -> None:
    env = FleetEnv(random_scenario(np.random.default_rng(0)))
    env.reset(seed=0)
    assert env.render() is None


def test_the_batches_draw_every_world() -> None:
    day = random_scenario(np.random.default_rng(0))
    batch = FleetVectorEnv(2, day, render_mode="rgb_array")
    batch.reset(seed=0)
    frames = batch.render()
    assert frames is not None
    assert len(frames) == 2
    stable = FleetVecEnv(2, scenario=day, render_mode="rgb_array")
    stable.reset()
    tiled = stable.render()
    assert tiled is not None
    assert tiled.ndim == 3

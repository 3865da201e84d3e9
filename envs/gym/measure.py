"""Speed figures of the simulator and its adapters: what `ebbflow bench simulate` prints (contracts 9)."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..simulator import Simulator
from ..world.bank import Bank, pack
from ..world.build import build_bank_days, load_settings
from ..world.scenario import Scenario

if TYPE_CHECKING:
    from rich.progress import Progress

Array = NDArray[Any]
Run = Callable[[], int]

ROOMY = 10.0
"""Times the preset's limits: they then rarely bind."""

EPISODES = {"gym_b1": 8, "batch": 2}
ACTION_SETS = 16
"""Random actions prepared beforehand, so that drawing them is not timed."""

PPO_STEPS, PPO_WORLDS = 100_000, 16


@dataclass(frozen=True)
class Plan:
    """How to measure."""

    days: int
    runs: int
    worlds: int
    threads: int
    dtype: str

    def __post_init__(self) -> None:
        if self.dtype not in ("float64", "float32"):
            raise ValueError(f"dtype is {self.dtype!r}; use float64 or float32")


def measure_preset(preset: str, plan: Plan, progress: Progress) -> dict[str, float]:
    """Draw the bank of a preset and measure every figure on it: env-steps per second, days per second."""
    started = time.perf_counter()
    drawing = build_bank_days(load_settings(preset), 0, range(plan.days), "train")
    drawn = list(progress.track(drawing, total=plan.days, description=f"{preset}: drawing days"))
    rate = plan.days / (time.perf_counter() - started)
    bank, roomy = pack(drawn, plan.dtype), pack([_roomy(day) for day in drawn], plan.dtype)
    measures: dict[str, Callable[[], Run]] = {
        "gym_b1": lambda: gym_b1(bank),
        f"batch_{plan.worlds}": lambda: batch(bank, plan),
        f"batch_{plan.worlds}_obs": lambda: batch_obs(roomy, plan),
        f"batch_{plan.worlds}_obs_congested": lambda: batch_obs(bank, plan),
    }
    task = progress.add_task(f"{preset}: measuring", total=len(measures) * plan.runs)
    ready = {name: prepare() for name, prepare in measures.items()}
    return _median_rates(ready, plan.runs, lambda: progress.advance(task)) | {"scenario_days_per_s": rate}


def gym_b1(bank: Bank) -> Run:
    """One world through `gymnasium.make`, resets included."""
    import gymnasium

    env = gymnasium.make("ebbflow.envs.registration:ebbflow/Fleet-v0", scenario=bank)
    actions = _random_shares((ACTION_SETS, bank.first.n_ports))
    env.reset(seed=0)

    def run() -> int:
        steps = 0
        for _ in range(EPISODES["gym_b1"]):
            env.reset()
            over = False
            while not over:
                _, _, terminated, truncated, _ = env.step(actions[steps % ACTION_SETS])
                over = terminated or truncated
                steps += 1
        return steps

    return run


def batch(bank: Bank, plan: Plan) -> Run:
    """The simulator alone under given set-points: physics, ledger, limits' accounts and resets."""
    simulator = Simulator(bank, plan.worlds, backend="numba", threads=plan.threads)
    rng = np.random.default_rng(0)
    shares = _random_shares((ACTION_SETS, plan.worlds, simulator.n_ports))
    setpoints = (shares * bank.days.stays.max_charge_kw.max()).astype(plan.dtype)

    def run() -> int:
        for _ in range(EPISODES["batch"]):
            simulator.reset(rng.integers(bank.n_days, size=plan.worlds))
            for step in range(simulator.n_steps):
                simulator.step(setpoints[step % ACTION_SETS])
        return EPISODES["batch"] * simulator.n_steps * plan.worlds

    return run


def batch_obs(bank: Bank, plan: Plan) -> Run:
    """The vector env under random actions: encode, project, physics, ledger, resets."""
    from .vector import FleetVectorEnv

    env = FleetVectorEnv(plan.worlds, bank, threads=plan.threads, copy=False)
    actions = _random_shares((ACTION_SETS, plan.worlds, bank.first.n_ports))
    env.reset(seed=0)

    def run() -> int:
        steps = EPISODES["batch"] * bank.first.n_steps
        for step in range(steps):
            env.step(actions[step % ACTION_SETS])
        return steps * plan.worlds

    return run


def measure_ppo_s(preset: str, progress: Progress) -> float:
    """Seconds of 100,000 PPO steps of stable-baselines3: `MultiInputPolicy`, its defaults, rollouts of 2,048.

    torch computes in one thread: for so small a network more of them only wait for each other.
    """
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback

    from .sb3 import FleetVecEnv

    task = progress.add_task(f"{preset}: PPO", total=PPO_STEPS)

    class Show(BaseCallback):
        def _on_step(self) -> bool:
            progress.update(task, completed=self.num_timesteps)
            return True

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    env = FleetVecEnv(PPO_WORLDS, scenario=preset)
    model = PPO("MultiInputPolicy", env, n_steps=2048 // PPO_WORLDS, device="cpu", seed=0)
    started = time.perf_counter()
    model.learn(PPO_STEPS, callback=Show())
    took = time.perf_counter() - started
    torch.set_num_threads(threads)
    return took


def measure_import_s(runs: int) -> float:
    """Seconds that `import ebbflow.envs` takes in a fresh interpreter."""
    code = "import time; t = time.perf_counter(); import ebbflow.envs; print(time.perf_counter() - t)"
    times = []
    for _ in range(runs):
        out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        times.append(float(out.stdout))
    return median(times)


def _median_rates(ready: dict[str, Run], runs: int, advance: Callable[[], None]) -> dict[str, float]:
    """Median of steps per second over `runs` rounds of all figures, after one that warms up and compiles.

    A figure's runs lie apart, so that what else the machine does for a moment meets few of them.
    """
    rates: dict[str, list[float]] = {name: [] for name in ready}
    for run in ready.values():
        run()
    for _ in range(runs):
        for name, run in ready.items():
            started = time.perf_counter()
            steps = run()
            rates[name].append(steps / (time.perf_counter() - started))
            advance()
    return {name: median(values) for name, values in rates.items()}


def _roomy(day: Scenario) -> Scenario:
    return replace(
        day,
        site_import_limit_kw=day.site_import_limit_kw * ROOMY,
        site_export_limit_kw=day.site_export_limit_kw * ROOMY,
        feeder_import_limit_kw=day.feeder_import_limit_kw * ROOMY,
        feeder_export_limit_kw=day.feeder_export_limit_kw * ROOMY,
    )


def _random_shares(shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-1.0, 1.0, shape).astype(np.float32)

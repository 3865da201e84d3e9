"""Gradients where the simulator's own vanish: steps of the charger and pauses. Values stay the simulator's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ebbflow.envs.physics.backends import port_model
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.bank import Bank, pack
from ebbflow.envs.world.build import build_scenario, load_settings
from ebbflow.training.pathwise.smooth import FULL_KW, PAUSE_KW, SmoothSimulator, smooth_port


@pytest.fixture(scope="module")
def bank() -> Bank:
    settings = load_settings("home-california", ["ports=4", "interval_minutes=60"])
    return pack([build_scenario(settings, seed=3, day=day, split="train") for day in range(3)])


def setpoints(bank: Bank, seed: int) -> torch.Tensor:
    """Anything, a third of it pauses (T, B, N)."""
    rng = np.random.default_rng(seed)
    shape = (bank.first.n_steps, bank.n_days, bank.first.n_ports)
    return torch.from_numpy(np.where(rng.random(shape) < 0.33, 0.0, rng.uniform(-8.0, 10.0, shape)))


def played(simulator: Simulator, powers: torch.Tensor) -> torch.Tensor:
    simulator.reset()
    return torch.stack([simulator.step(power) for power in powers]).sum((0, 2))


@pytest.mark.parametrize("seed", range(3))
def test_the_values_are_the_simulators_own(bank: Bank, seed: int) -> None:
    powers = setpoints(bank, seed)
    plain = played(Simulator(bank, bank.n_days, backend="torch"), powers)
    leaning = torch.where(powers == 0, PAUSE_KW, powers)
    smooth = played(SmoothSimulator(bank, bank.n_days), leaning)
    torch.testing.assert_close(smooth, plain, atol=1e-9, rtol=1e-9)


def test_the_slope_of_a_stepped_charger_is_that_of_a_continuous_one() -> None:
    port = smooth_port(port_model("torch"))
    asked = torch.tensor([3.9, 0.5, -3.9, 12.0], requires_grad=True)
    most, most_out, least, step = (torch.full((4,), value) for value in (9.6, 7.0, 1.44, 0.24))
    offered = port.offered_power(asked, most, most_out, least, least, step, 1e-5)
    torch.testing.assert_close(offered.detach(), torch.tensor([3.84, 0.0, -3.84, 9.6]))
    (slope,) = torch.autograd.grad(offered.sum(), asked)
    assert slope.tolist() == [1.0, 1.0, 1.0, 0.0]


def test_a_pause_leans_on_the_slope_of_charging_until_the_car_is_full() -> None:
    port = smooth_port(port_model("torch"))
    power = torch.full((2,), PAUSE_KW, requires_grad=True)
    fixed = [torch.full((2,), value) for value in (50.0, 0.8, 100.0, 0.9, 0.2, 0.9)]
    after, energy = port.charge(torch.tensor([0.5, 0.9]), power, 0.25, *fixed)
    assert after.tolist() == pytest.approx([0.5, 0.9])
    assert energy.tolist() == [0.0, 0.0]
    (soc_slope,) = torch.autograd.grad(after.sum(), power, retain_graph=True)
    (energy_slope,) = torch.autograd.grad(energy.sum(), power)
    torch.testing.assert_close(soc_slope, torch.tensor([(0.9 - 0.2 / FULL_KW) * 0.25 / 50.0, 0.0]))
    torch.testing.assert_close(energy_slope, torch.tensor([0.25, 0.0]))


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_pause_has_a_slope(bank: Bank, side: float) -> None:
    asked = torch.full((bank.first.n_steps, bank.n_days, bank.first.n_ports), side * PAUSE_KW, dtype=torch.float64)
    asked.requires_grad_()
    (slope,) = torch.autograd.grad(played(SmoothSimulator(bank, bank.n_days), asked).sum(), asked)
    assert bool(torch.isfinite(slope).all())
    # Who never charges is short at the end: every kW more would have saved dollars, every kW out costs some.
    assert bool((slope < 0).any())

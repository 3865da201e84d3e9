"""Whose dollars: the parts sum to the ledger, and a home's part is what the home alone moves."""

from __future__ import annotations

import numpy as np
import pytest

from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.bank import Bank
from ebbflow.training.standard.port_dollars import PortDollars

from .worlds import DAYS, days


def played(bank: Bank, setpoint_kw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Dollars of each port and of each world over the day, (B, N) and (B,), under set-points (T, B, N)."""
    simulator = Simulator(bank, DAYS, backend="numba")
    simulator.reset()
    split = PortDollars(simulator)
    ports, worlds = np.zeros(setpoint_kw.shape[1:]), np.zeros(DAYS)
    for now in setpoint_kw:
        before = split.before()
        cost = np.asarray(simulator.step(now)).sum(1)
        part = split.split(before, now, cost)
        np.testing.assert_allclose(part.sum(1), cost, atol=1e-9)
        ports, worlds = ports + part, worlds + cost
    return ports, worlds


def wild(bank: Bank, seed: int = 0) -> np.ndarray:
    shape = (bank.first.n_steps, DAYS, bank.first.n_ports)
    return np.random.default_rng(seed).uniform(-12.0, 12.0, shape)


@pytest.mark.parametrize("preset", ["home-california", "home-texas", "depot-workplace"])
def test_the_parts_sum_to_the_ledger(preset: str) -> None:
    bank = days(preset)
    ports, worlds = played(bank, wild(bank))
    np.testing.assert_allclose(ports.sum(1), worlds, atol=1e-6)
    assert np.abs(worlds).min() > 1.0


def test_what_a_home_does_is_its_own_affair() -> None:
    bank = days("home-texas", "feeder.import_limit_kw_per_port=1000", "feeder.export_limit_kw_per_port=1000",
                "site.panel_kw=1000", "site.export_limit_kw=1000")  # fmt: skip
    all_move = wild(bank)
    together, _ = played(bank, all_move)
    still, paused = played(bank, np.zeros_like(all_move))
    for port in range(bank.first.n_ports):
        one = np.zeros_like(all_move)
        one[:, :, port] = all_move[:, :, port]
        alone, total = played(bank, one)
        np.testing.assert_allclose(alone[:, port], together[:, port], atol=1e-6)
        np.testing.assert_allclose(total - paused, (alone - still)[:, port], atol=1e-6)


def test_an_overload_is_everybodys() -> None:
    bank = days("home-texas", "feeder.import_limit_kw_per_port=0.1")
    full = np.full_like(wild(bank), 9.0)
    ports, worlds = played(bank, full)
    free, _ = played(days("home-texas", "feeder.import_limit_kw_per_port=1000"), full)
    extra = ports - free
    assert worlds.min() > 10.0
    np.testing.assert_allclose(extra, np.broadcast_to(extra[:, :1], extra.shape), atol=1e-6)

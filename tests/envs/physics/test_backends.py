"""One day through NumPy, Numba and torch under identical stored set-points; gradients of a day's dollars."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from ebbflow.envs.ledger import MAXIMA, Account, Tally
from ebbflow.envs.physics.team import Team
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.bank import pack
from ebbflow.envs.world.scenario import Scenario

from ..worlds import harsher, plain, play, random_setpoints, tensor, with_stays, worlds  # noqa: TID252

MIXED = [(5, 6, 11), (15, 12, 12), (60, 12, 13)]
COUNT = 24


def prepared(minutes: int, hours: int, seed: int) -> tuple[list[Scenario], Any]:
    rng = np.random.default_rng(seed)
    scenarios = [harsher(w, rng) for w in worlds(seed, COUNT, interval_minutes=minutes, hours=hours)]
    return scenarios, random_setpoints(rng, scenarios[0], COUNT)


def played(scenarios: list[Scenario], setpoints: Any, backend: str, dtype: str = "float64") -> tuple[Any, Simulator]:
    simulator = Simulator(scenarios, COUNT, backend=backend, dtype=dtype)
    return play(simulator, setpoints.astype(dtype), backend == "torch"), simulator


def close(value: Any, reference: Any, room: float) -> None:
    value, reference = plain(value).astype(float), plain(reference).astype(float)
    np.testing.assert_array_equal(np.isnan(value), np.isnan(reference))
    gap = np.abs(value - reference) / np.maximum(1.0, np.abs(reference))
    assert np.nanmax(gap, initial=0.0) <= room


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize(("minutes", "hours", "seed"), MIXED)
def test_steps_and_days_agree_with_numpy(minutes: int, hours: int, seed: int, backend: str) -> None:
    """Contracts 9 ask for 1e-5 x max(1, |value|); in float64 it is far better."""
    scenarios, setpoints = prepared(minutes, hours, seed)
    want, reference = played(scenarios, setpoints, "numpy")
    steps, simulator = played(scenarios, setpoints, backend)
    close(steps, want, 1e-9)
    close(simulator.state.accounts, reference.state.accounts, 1e-9)
    close(simulator.state.tallies, reference.state.tallies, 1e-9)


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
@pytest.mark.parametrize(("minutes", "hours", "seed"), MIXED)
def test_float32_stays_within_its_reach(minutes: int, hours: int, seed: int, backend: str) -> None:
    scenarios, setpoints = prepared(minutes, hours, seed)
    # Half a current step off the grid, so that rounding cannot move a set-point to another step.
    setpoints = ((np.floor(setpoints / 0.24) + 0.5) * 0.24).astype(np.float32)
    want, reference = played(scenarios, setpoints, "numpy")
    steps, simulator = played(scenarios, setpoints, backend, "float32")
    close(steps, want, 2e-4)
    counts = [t for t in Tally if t not in MAXIMA and t.name not in ("MET_STAYS", "SERVED_STAYS")]
    close(simulator.state.accounts, reference.state.accounts, 1e-3)
    close(plain(simulator.state.tallies)[:, counts], reference.state.tallies[:, counts], 1e-3)


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_what_controllers_see_agrees_after_every_step(backend: str) -> None:
    scenarios, setpoints = prepared(15, 12, 21)
    reference = Simulator(scenarios, COUNT)
    simulator = Simulator(scenarios, COUNT, backend=backend)
    reference.reset()
    simulator.reset()
    for row in setpoints:
        for name, column in reference.snapshot().ports._asdict().items():
            other = plain(getattr(simulator.snapshot().ports, name))
            seen = np.asarray(reference.snapshot().ports.plugged)
            close(np.where(seen, other, 0), np.where(seen, column, 0), 1e-9)
        close(simulator.snapshot().sites.peak_kw, reference.snapshot().sites.peak_kw, 1e-9)
        close(simulator.snapshot().feeders.net_load_kw, reference.snapshot().feeders.net_load_kw, 1e-9)
        reference.step(row)
        simulator.step(row if backend == "numba" else tensor(row))


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_worlds_of_a_batch_do_not_touch_each_other(backend: str) -> None:
    """The same days one by one, in another order and by two threads, give the same bytes."""
    scenarios, setpoints = prepared(15, 12, 31)
    bank = pack(scenarios)
    together, _ = played(scenarios, setpoints, backend)
    order = np.random.default_rng(0).permutation(COUNT)
    shuffled = Simulator(bank, COUNT, backend=backend, threads=2)
    shuffled.reset(order)
    rows = setpoints[:, order] if backend != "torch" else tensor(setpoints[:, order])
    steps = np.stack([plain(shuffled.step(row)).copy() for row in rows])
    close(steps, together[:, order], 0.0 if backend == "numba" else 1e-12)
    alone = Simulator(bank, 1, backend=backend)
    for day in (0, COUNT - 1):
        alone.reset([day])
        rows = setpoints[:, day : day + 1] if backend != "torch" else tensor(setpoints[:, day : day + 1])
        steps = np.stack([plain(alone.step(row)).copy() for row in rows])
        close(steps[:, 0], together[:, day], 0.0 if backend == "numba" else 1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_some_worlds_reset_while_others_run_on(backend: str) -> None:
    scenarios, setpoints = prepared(15, 12, 41)
    rows = setpoints if backend != "torch" else tensor(setpoints)
    want, _ = played(scenarios, setpoints, backend)
    simulator = Simulator(scenarios, COUNT, backend=backend)
    simulator.reset()
    for row in rows[:7]:
        simulator.step(row)
    again = np.arange(0, COUNT, 3)
    simulator.reset(again, worlds=again)
    others = np.setdiff1d(np.arange(COUNT), again)
    for k in range(7, 20):
        mixed = np.array(setpoints[k])
        mixed[again] = setpoints[k - 7, again]
        step = plain(simulator.step(mixed if backend != "torch" else tensor(mixed)))
        close(step[others], want[k, others], 1e-12)
        close(step[again], want[k - 7, again], 1e-12)


def test_a_team_shares_every_item_once() -> None:
    for threads, count in ((1, 5), (2, 64), (3, 1000), (7, 225)):
        seen = np.zeros(count, int)
        team = Team(threads)

        def work(lo: int, hi: int, seen: Any = seen) -> None:
            seen[lo:hi] += 1

        team.share(work, count)
        assert (seen == 1).all()


def test_a_sweep_does_its_works_in_order_for_every_world() -> None:
    count = 700
    for threads in (1, 2, 3):
        done, team = np.zeros((4, count), int), Team(threads)
        with team.sweep(count):
            for number in range(4):

                def work(lo: int, hi: int, number: int = number, done: Any = done) -> None:
                    assert (done[:number, lo:hi] == 1).all()
                    done[number, lo:hi] += 1

                team.share(work, count)
            assert not done.any()
        assert (done == 1).all()


def test_what_fails_in_a_sweep_is_raised_and_the_team_goes_on() -> None:
    team, seen = Team(2), np.zeros(600, int)

    def fails(lo: int, hi: int) -> None:
        raise RuntimeError(f"worlds {lo} to {hi}")

    def works(lo: int, hi: int) -> None:
        seen[lo:hi] += 1

    with pytest.raises(RuntimeError, match="worlds"):
        team.share(fails, len(seen))
    with pytest.raises(KeyError), team.sweep(len(seen)):
        raise KeyError("the caller's own")
    team.share(works, len(seen))
    assert (seen == 1).all()


def smooth_world() -> Scenario:
    """No steps, no minimum, no outlasting or early stay: dollars are piecewise smooth in the set-points."""
    world = worlds(
        5, 1, minimum=False, misreport=False, outlast=0.0, hours=6, ports=4, sites=2, tight=0.3, bidirectional=1.0
    )[0]
    j = len(world.stays)
    return with_stays(
        dataclasses.replace(world, money=dataclasses.replace(world.money, calendar_wear_usd_per_kwh=500.0)),
        soc_arrive=np.full(j, 0.4), target_soc=np.full(j, 0.9), stop_soc=np.full(j, 0.995),
        asked_kwh=world.stays.capacity_kwh * 0.5,
    )  # fmt: skip


def test_gradients_of_a_days_dollars_equal_finite_differences() -> None:
    import torch

    world = smooth_world()
    rng = np.random.default_rng(2)
    start = rng.uniform(0.8, 3.5, (world.n_steps, 1, world.n_ports)) * rng.choice(
        [1.0, 1.0, -1.0], (world.n_steps, 1, world.n_ports)
    )
    simulator = Simulator(world, backend="torch")

    def cost(setpoints: Any) -> Any:
        simulator.reset()
        return sum(simulator.step(row).sum() for row in setpoints)

    leaf = torch.tensor(start, requires_grad=True)
    cost(leaf).backward()
    gradient = leaf.grad.numpy()
    assert np.isfinite(gradient).all()
    assert (gradient != 0).mean() > 0.3
    agree, tried = 0, 0
    base = cost(torch.tensor(start))
    for at in rng.permutation(start.size)[:20]:
        slopes = []
        for h in (1e-5, -1e-5):
            moved = start.copy().reshape(-1)
            moved[at] += h
            slopes.append(float(cost(torch.tensor(moved.reshape(start.shape))) - base) / h)
        if abs(slopes[0] - slopes[1]) > 1e-4:
            continue  # a kink: a limit, a peak or the meter's zero
        tried += 1
        agree += abs(gradient.reshape(-1)[at] - slopes[0]) <= 1e-4 * max(1.0, abs(slopes[0]))
    assert tried >= 14
    assert agree == tried


def test_gradients_are_finite_in_random_worlds() -> None:
    """Ports that are empty, full, asleep or settled may not send NaN back."""
    import torch

    scenarios, setpoints = prepared(15, 12, 51)
    scenarios = [with_stays(w, step_kw=np.where(w.stays.port % 2, 0.24, 0.0)) for w in scenarios]
    simulator = Simulator(scenarios, COUNT, backend="torch")
    leaf = torch.tensor(setpoints, requires_grad=True)
    simulator.reset()
    torch.stack([simulator.step(row).sum() for row in leaf]).sum().backward()
    assert torch.isfinite(leaf.grad).all()
    for account in (Account.UNSERVED_USD, Account.ENERGY_IMPORT_USD, Account.DEMAND_CHARGE_USD):
        simulator.reset()
        leaf = torch.tensor(setpoints, requires_grad=True)
        torch.stack([simulator.step(row)[:, account].sum() for row in leaf]).sum().backward()
        assert torch.isfinite(leaf.grad).all()
        assert (leaf.grad != 0).any()

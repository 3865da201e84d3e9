"""What every rule and reference keeps to, on random worlds of every kind."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.agents.policy import Policy, find_policy
from ebbflow.agents.rules import RULES
from ebbflow.agents.rules.raw import raw_references
from ebbflow.agents.rules.sharing import levels
from ebbflow.agents.run import run_days
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Snapshot
from ebbflow.envs.world.stress import Stress, random_scenario

EVERYBODY = (*RULES, *raw_references(0))
Array = np.ndarray[Any, Any]


def make(name: str) -> Policy:
    return find_policy(name, raw_references(seed=3))


def random_snapshot(seed: int, worlds: int = 3) -> Snapshot:
    """A moment somewhere within random days."""
    rng = np.random.default_rng(seed)
    stress = Stress(interval_minutes=int(rng.choice([5, 15, 60])), hours=6)
    simulator = Simulator([random_scenario(rng, stress) for _ in range(worlds)], worlds)
    simulator.reset()
    for _ in range(int(rng.integers(0, simulator.n_steps - 1))):
        simulator.step(rng.uniform(-12, 12, (worlds, simulator.n_ports)))
    return simulator.snapshot().copy()


@pytest.mark.parametrize("name", EVERYBODY)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_requests_are_finite_within_the_charger_and_only_for_cars_that_are_there(name: str, seed: int) -> None:
    snapshot = random_snapshot(seed)
    request = make(name).act(snapshot)
    ports = snapshot.ports
    assert request.shape == ports.plugged.shape
    assert np.isfinite(request).all()
    assert (request <= ports.max_charge_kw + 1e-9).all()
    assert (request >= -ports.max_discharge_kw - 1e-9).all()
    assert not request[~ports.plugged].any()
    if name in RULES:
        assert (request >= 0.0).all()


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_rules_have_no_memory_and_leave_the_snapshot_as_it_is(name: str, seed: int) -> None:
    snapshot = random_snapshot(seed)
    before = pickle.dumps(snapshot)
    rule = make(name)
    first = rule.act(snapshot)
    assert pickle.dumps(snapshot) == before
    rule.act(random_snapshot(seed + 1))
    np.testing.assert_array_equal(rule.act(snapshot), first)


@pytest.mark.parametrize("name", ["least_laxity", "round_robin"])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_sharing_rules_keep_to_every_limit_and_leave_no_room_unused(name: str, seed: int) -> None:
    snapshot = random_snapshot(seed)
    request, wanted = make(name).act(snapshot), make("uncontrolled").act(snapshot)
    spare = []
    for level in levels(snapshot):
        drawn = np.zeros_like(level.room_kw)
        for port, group in enumerate(level.group):
            drawn[:, group] += request[:, port]
        assert (drawn <= level.room_kw + 1e-9).all()
        spare.append((level.room_kw - drawn)[:, level.group])
    # A car that is short of its wish stands behind a limit that is used up.
    short = request < wanted - 1e-9
    assert (np.minimum(*spare)[short] < 1e-9).all()


@pytest.mark.parametrize("name", RULES)
def test_worlds_in_a_batch_do_not_touch_each_other(name: str) -> None:
    rng = np.random.default_rng(5)
    days = [random_scenario(rng) for _ in range(3)]
    together = Simulator(days, 3)
    together.reset()
    expected = make(name).act(together.snapshot())
    for world, day in enumerate(days):
        alone = Simulator(day)
        alone.reset()
        np.testing.assert_array_equal(make(name).act(alone.snapshot())[0], expected[world])


def test_random_holds_one_share_per_stay_and_repeats_from_its_seed() -> None:
    def shares(seed: int) -> list[Array]:
        simulator = Simulator(random_scenario(np.random.default_rng(1)))
        simulator.reset()
        policy = find_policy("random", raw_references(seed))
        policy.reset()
        held = []
        for _ in range(simulator.n_steps):
            ports = copy.deepcopy(simulator.snapshot().ports)
            request = policy.act(simulator.snapshot())
            power = np.where(request > 0, ports.max_charge_kw, ports.max_discharge_kw)
            share = np.where((power > 0) & ports.plugged, request / np.where(power > 0, power, 1.0), np.nan)
            held.append(np.where(np.isnan(ports.last_setpoint_kw), np.nan, share)[0])
            simulator.step(request)
        return held

    held = np.array(shares(7))
    steady = np.diff(held, axis=0)
    assert np.nanmax(np.abs(steady[np.isfinite(steady)])) < 1e-12
    assert np.unique(np.round(held[np.isfinite(held)], 9)).size > 3
    np.testing.assert_array_equal(held, shares(7))
    assert not np.array_equal(held, shares(8), equal_nan=True)


def test_random_depends_on_the_stay_and_not_on_what_runs_beside_its_day() -> None:
    rng = np.random.default_rng(9)
    days = [random_scenario(rng) for _ in range(4)]

    def net_costs(order: list[int]) -> dict[int, float]:
        ran = run_days([days[i] for i in order], make("random"), backend="numpy")
        return {i: ledger.net_cost_usd for i, ledger in zip(order, ran.ledgers, strict=True)}

    together = net_costs([0, 1, 2, 3])
    assert len(set(together.values())) == 4
    assert net_costs([3, 1, 0, 2]) == together
    assert net_costs([2]) == {2: together[2]}

"""What a decision costs: live, one fleet at a time without a compiler, and in lock-step against MPC (contracts 9)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...envs.gym.fleet import resolve_backend
from ...envs.safety.projection import Projector, make_projector
from ...envs.simulator import Simulator
from ...envs.world.bank import pack
from ..bundle.policy import BundlePolicy
from ..days import DayRequest, DrawnDays, draw_days
from ..decide import read_only
from ..policy import Policy

Array = NDArray[Any]
Tick = Callable[[], None]


class Live(NamedTuple):
    """Milliseconds of single decisions, observation to safe set-points."""

    ports: int
    decisions: int
    total_ms_p50: float
    total_ms_p99: float
    cpu_ms_p50: float
    policy_ms_p50: float  # encoder, network, decoder
    projection_ms_p50: float
    first_ms: float  # of the fleet's first decision, which fills what is kept between decisions


def live(scenario: str, ports: int, policy: Policy, seed: int, tick: Tick) -> Live:
    """Decide a day step by step with NumPy alone; steps at which nobody is connected do not count."""
    drawn = draw_days(DayRequest(scenario, (f"ports={ports}",), seed=seed))
    simulator, projector = _simulator(drawn), make_projector("numpy", drawn.reserve)
    spent: list[Spent] = []
    for _ in range(simulator.n_steps):
        connected = bool(simulator.snapshot().ports.plugged.any())
        applied, took = _decide(simulator, policy, projector)
        spent += [took] if connected else []
        simulator.step(applied)
        tick()
    rest = 1000.0 * np.array(spent[1:])
    total, cpu, projection = rest.T
    p50, p99 = np.percentile(total, [50, 99])
    return Live(
        ports=ports,
        decisions=len(rest),
        total_ms_p50=float(p50),
        total_ms_p99=float(p99),
        cpu_ms_p50=float(np.median(cpu)),
        policy_ms_p50=float(np.median(total - projection)),
        projection_ms_p50=float(np.median(projection)),
        first_ms=1000.0 * spent[0].total_s,
    )


class Spent(NamedTuple):
    """Seconds of one decision."""

    total_s: float
    cpu_s: float
    projection_s: float


def _decide(simulator: Simulator, policy: Policy, projector: Projector) -> tuple[Array, Spent]:
    """Set-points, and what they took."""
    snapshot = simulator.snapshot()
    seen = read_only(snapshot)
    wall, cpu = time.perf_counter(), time.process_time()
    requested = policy.act(seen)
    asked = time.perf_counter()
    applied = projector.project(snapshot, requested).applied_kw
    ended = time.perf_counter()
    return applied, Spent(ended - wall, time.process_time() - cpu, ended - asked)


def lock_step_us(drawn: DrawnDays, policy: Policy, tick: Tick) -> float:
    """CPU microseconds per decided fleet: all days in one batch, policy and projection, first step left out.

    A bundle is encoded and decoded by the fastest back end, as everybody's requests are projected.
    """
    if isinstance(policy, BundlePolicy):
        policy = BundlePolicy(policy.bundle, policy.name, _fastest())
    simulator, projector = _simulator(drawn), make_projector(_fastest(), drawn.reserve)
    policy.reset()
    spent = []
    for _ in range(simulator.n_steps):
        applied, took = _decide(simulator, policy, projector)
        spent.append(took.cpu_s)
        simulator.step(applied)
        tick()
    return 1e6 * sum(spent[1:]) / (len(spent) - 1) / len(drawn.scenarios)


def _simulator(drawn: DrawnDays) -> Simulator:
    bank = pack(drawn.scenarios)
    simulator = Simulator(bank, bank.n_days, backend=_fastest())
    simulator.reset()
    return simulator


def _fastest() -> str:
    return resolve_backend("auto")

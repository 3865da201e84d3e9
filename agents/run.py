"""Run a policy over scenario-days in the simulator, through the same `decide` that serves."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..envs.gym.fleet import resolve_backend
from ..envs.gym.record import DayRecord, Recorder
from ..envs.safety.projection import Projector, Reserve, make_projector
from ..envs.simulator import DayLedger, Simulator
from ..envs.snapshot import Snapshot
from ..envs.world.bank import Bank, pack
from ..envs.world.scenario import Scenario
from .decide import Source, decide
from .economy import Economy, Sent
from .policy import Policy, is_raw
from .rules import LeastLaxity
from .rules.rule import Rule

Array = NDArray[Any]

BACKENDS = ("numba", "numpy")
"""Those that give controllers a snapshot."""


@dataclass(frozen=True)
class History:
    """The first of the days as it went, step by step; an empty port requests and applies 0."""

    day: DayRecord  # power drawn (T, N) and state of charge (T + 1, N)
    requested_kw: Array  # (T, N) the policy's wish
    applied_kw: Array  # (T, N) the set-point
    reasons: Array  # (T, N) flags of `Reason`; 0 for a raw reference
    change_usd: Array  # (T, A) dollars by `Account`


@dataclass(frozen=True)
class RunResult:
    """What a policy made of some days."""

    policy: str
    ledgers: tuple[DayLedger, ...]  # one per day, in the order given
    n_ports: int
    history: History | None
    replaced_requests: int  # requests of connected cars for which the rules had to step in
    failure: str  # the first error of the policy, in words; empty where there was none
    wall_s: float
    decision_s: Array  # (T,) wall time of each step's decision, all days at once, the snapshot included
    decision_cpu_s: float  # CPU time of all decisions
    requests: int  # of connected cars, all told; 0 for a raw reference, which nobody checks


class _Choice(NamedTuple):
    requested_kw: Array
    applied_kw: Array
    reasons: Array


class _Chooser(Protocol):
    def choose(self, simulator: Simulator) -> _Choice: ...


def run_days(
    days: Bank | Scenario | Sequence[Scenario],
    policy: Policy,
    *,
    backend: str = "auto",
    reserve: Reserve | None = None,
    economy: Economy | None = None,
    record: bool = False,
) -> RunResult:
    """Play all days side by side, one world each, from reset to settlement.

    Args:
        days: days of one fleet.
        policy: a raw reference runs without projection, anything else through `decide`.
        backend: `auto`, `numba` or `numpy`.
        reserve: what the projection keeps back for the unknown; None: its default.
        economy: keeps commands few, as in live dispatch; None: a command costs nothing.
        record: keep the history of the first day.

    Raises:
        ValueError: unknown back end, or days that do not fit together.
    """
    bank = days if isinstance(days, Bank) else pack([days] if isinstance(days, Scenario) else days)
    backend = resolve_backend(backend)
    if backend not in BACKENDS:
        raise ValueError(f"back end is {backend!r}; choose one of auto, {', '.join(BACKENDS)}")
    simulator = Simulator(bank, bank.n_days, backend=backend)
    chooser = _Raw(policy) if is_raw(policy) else _Deciding(policy, make_projector(backend, reserve), bank, economy)
    began = time.perf_counter()
    policy.reset()
    simulator.reset()
    clock = _Clock(chooser)
    history = _play(simulator, clock, record)
    return RunResult(
        policy=policy.name,
        ledgers=tuple(simulator.ledger(world) for world in range(bank.n_days)),
        n_ports=simulator.n_ports,
        history=history,
        replaced_requests=chooser.replaced,
        failure=chooser.failure,
        wall_s=time.perf_counter() - began,
        decision_s=np.array(clock.decision_s),
        decision_cpu_s=clock.cpu_s,
        requests=chooser.requests,
    )


def _play(simulator: Simulator, chooser: _Chooser, record: bool) -> History | None:
    recorder = Recorder(simulator) if record else None
    rows: list[tuple[Array, ...]] = []
    for _ in range(simulator.n_steps):
        choice = chooser.choose(simulator)
        if recorder is None:
            simulator.step(choice.applied_kw)
            continue
        recorder.before(simulator)
        change = simulator.step(choice.applied_kw)
        recorder.after(simulator, choice.applied_kw)
        rows.append((*(np.array(x[0]) for x in choice), np.array(change[0])))
    if recorder is None:
        return None
    requested, applied, reasons, changes = (np.stack(column) for column in zip(*rows, strict=True))
    return History(recorder.day(simulator), requested, applied, reasons, changes)


class _Clock:
    """Another chooser, and what its choices took."""

    def __init__(self, chooser: _Chooser) -> None:
        self._chooser = chooser
        self.decision_s: list[float] = []
        self.cpu_s = 0.0

    def choose(self, simulator: Simulator) -> _Choice:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        choice = self._chooser.choose(simulator)
        self.decision_s.append(time.perf_counter() - wall_s)
        self.cpu_s += time.process_time() - cpu_s
        return choice


class _Raw:
    """Straight to the simulator, for the raw references."""

    def __init__(self, policy: Policy) -> None:
        self.policy, self.requests, self.replaced, self.failure = policy, 0, 0, ""

    def choose(self, simulator: Simulator) -> _Choice:
        request = self.policy.act(simulator.snapshot())
        return _Choice(request, request, np.zeros(request.shape, np.int64))


class _Deciding:
    """Through `decide`, counting how often the rules had to step in."""

    def __init__(self, policy: Policy, projector: Projector, bank: Bank, economy: Economy | None) -> None:
        self.policy, self.projector, self.economy = policy, projector, economy
        self.sent: Sent | None = None
        self.rules = policy if isinstance(policy, Rule) else LeastLaxity()
        self.starts_s = np.array([day.start.timestamp() for day in bank.scenarios])
        self.requests, self.replaced, self.failure = 0, 0, ""

    def choose(self, simulator: Simulator) -> _Choice:
        now_s = self.starts_s + np.asarray(simulator.state.step) * simulator.step_h * 3600.0
        snapshot = simulator.snapshot()
        if self.economy is not None:
            snapshot = self._with_ages(snapshot, now_s[:, None])
        made = decide(snapshot, self.policy, self.rules, self.projector, now_s, economy=self.economy)
        self.sent = self.sent and self.sent.after(made.applied_kw, now_s[:, None])
        self.requests += int(snapshot.ports.plugged.sum())
        self.replaced += int(((made.source == Source.RULES) & snapshot.ports.plugged).sum())
        self.failure = self.failure or made.failure
        return _Choice(made.requested_kw, made.applied_kw, made.reasons)

    def _with_ages(self, snapshot: Snapshot, now_s: Array) -> Snapshot:
        """The snapshot with the ages of the last set-points, which the simulator does not keep."""
        last = snapshot.ports.last_setpoint_kw
        self.sent = Sent(last.copy(), self.sent.changed_s if self.sent else np.zeros(last.shape))
        age_s = np.where(np.isnan(last), 0.0, self.sent.age_s(now_s))
        return replace(snapshot, ports=snapshot.ports._replace(setpoint_age_s=age_s.astype(last.dtype)))

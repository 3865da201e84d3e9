"""One cycle: request and memory in, answer and memory out. Pure but for the clock that the policy races.

In this order: the clock of the request; gates; rules, then the policy within what is left of the deadline, the economy
of commands, what operators, drivers and events order, and the projection (all in `agents.decide`); leases; memory.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from ...agents.decide import Decisions, Terms, decide
from ...agents.rules.fallback import Fallback
from ...envs.safety.projection import Projector, make_projector
from ..messages.answer import DispatchAnswer, ModelId
from ..messages.request import DispatchRequest, request_digest
from ..messages.vocabulary import DecisionReason, ServiceState
from .attempt import Attempt, Pace
from .breaker import after_cycle
from .controls import InForce, in_force, still_needed
from .decisions import port_decisions, remember, totals_of
from .gates import Gated, pass_gates
from .memory import Memory, PortMemory, blank_ports, carried_over, remembered, since_last_s
from .runners import Runner
from .settings import ServingSettings

Array = Any


class CycleRefused(ValueError):
    """A cycle that is not answered, because its time cannot be right."""


@dataclass(frozen=True)
class Kit:
    """What a service decides with.

    Args:
        settings: of the service.
        rules: where there is no policy.
        projector: the safety projection.
        runner: the policy; None: rules alone.
        pace: of the policy.
    """

    settings: ServingSettings
    rules: Fallback
    projector: Projector
    runner: Runner | None = None
    pace: Pace = field(default_factory=Pace, compare=False)


def make_kit(settings: ServingSettings, runner: Runner | None = None) -> Kit:
    """The kit of a service with these settings."""
    defaults = settings.defaults
    rules = Fallback(defaults.peak_local_hours, defaults.export_margin_usd_per_kwh)
    return Kit(settings, rules, make_projector("numpy", settings.kept_back()), runner)


@dataclass(frozen=True)
class Record:
    """What the ledger keeps beside request and answer, so that the answer can be made again to the byte.

    Args:
        policy_kw: the policy's answer as it was, (N,); None where it gave none.
        unusual: cars outside the trained ranges; None with `policy_kw`.
        failure: why the policy's answer was not used, in words.
        timed_out: whether it was ended for being late.
        note: what the policy told beside its answer.
        shadow: whether it was only asked in shadow, the breaker being open.
        requested_kw: what went into the projection, (N,).
        reasons: flags of `envs.safety.reasons.Reason`, (N,).
        rung: a `gates.Rung` of each port, (N,).
        policy_s, cycle_s: wall time of policy and cycle.
    """

    policy_kw: Array | None
    unusual: Array | None
    failure: str
    timed_out: bool
    note: str
    shadow: bool
    requested_kw: Array
    reasons: Array
    rung: Array
    policy_s: float
    cycle_s: float


@dataclass(frozen=True)
class Outcome:
    """What a cycle leads to."""

    answer: DispatchAnswer
    memory: Memory
    record: Record


def dispatch(request: DispatchRequest, memory: Memory, kit: Kit, now_s: float, *, ledger_up: bool = True) -> Outcome:
    """Decide one cycle.

    Args:
        request: the state of the fleet.
        memory: of its last cycle.
        kit: what to decide with.
        now_s: the service's clock, Unix seconds.
        ledger_up: False: rules, no export, and the answer says so.

    Raises:
        CycleRefused: the cycle's time cannot be right.
    """
    began = time.perf_counter()
    settings = kit.settings
    memory = _checked(request, memory, settings, now_s)
    orders = in_force(memory.orders, request.ports.id, now_s)
    elapsed_s = since_last_s(memory, request)
    gated = pass_gates(request, remembered(memory, request), elapsed_s, orders, settings, ledger_up)
    until = began + settings.deadline.answer_s * (1.0 - settings.deadline.finish_share)
    attempt = Attempt(kit.runner, gated.request, settings, until, kit.pace)
    use_policy = ledger_up and kit.runner is not None and not memory.breaker.is_open
    made = _decided(kit, gated, orders, attempt, use_policy)
    if kit.runner is not None and ledger_up and memory.breaker.is_open:
        attempt.in_shadow(gated.snapshot)
    by_rules = -1 if use_policy else int(DecisionReason.RULE)
    decisions = port_decisions(made, gated, orders, by_rules, attempt.unusual, request, settings.lease.cycles)
    answer = DispatchAnswer(
        fleet=request.fleet,
        cycle_id=request.cycle_id,
        cycle_start_s=request.start_s,
        decided_at_s=now_s,
        state=_state(orders, use_policy, ledger_up, attempt),
        model=kit.runner.model if kit.runner is not None else ModelId(),
        input_sha256=request_digest(request),
        decisions=decisions,
        totals=totals_of(decisions, made),
        problems=_problems(gated, attempt, memory, kit, ledger_up),
    )
    kept = _kept(memory, gated.memory, attempt, request, kit, now_s)
    kept = replace(kept, ports=carried_over(remember(kept.ports, decisions, request.start_s), memory, request))
    return Outcome(answer, kept, _record(attempt, made, gated, memory, began))


def _checked(request: DispatchRequest, memory: Memory, settings: ServingSettings, now_s: float) -> Memory:
    """The memory to go on with, where the cycle's time can be right."""
    gates, last = settings.gates, memory.last_start_s
    behind_s, most_s = now_s - request.start_s, request.interval_s + gates.clock_skew_s
    if gates.check_clock and not -gates.clock_skew_s <= behind_s <= most_s:
        raise CycleRefused(
            f"cycle_start lies {-behind_s:+.0f} s off the service's clock; at most {gates.clock_skew_s:g} s ahead and "
            f"{most_s:g} s behind are taken: set the clock, or serve simulated days with --settings simulated"
        )
    if last is None or request.start_s > last:
        return memory
    if gates.check_clock and last > now_s + gates.clock_skew_s:
        # The last cycle came by a clock that was ahead: its times mean nothing now, orders still do.
        return replace(memory, ports=blank_ports(request.ports.id, request.ports.car), last_start_s=None)
    raise CycleRefused(
        f"cycle_start is not after that of the last cycle, {last - request.start_s:.0f} s later; send cycles in order"
    )


def _decided(kit: Kit, gated: Gated, orders: InForce, attempt: Attempt, use_policy: bool) -> Decisions:
    terms = Terms(
        hold=orders.hold[None],
        no_charge=gated.no_charge[None],
        may_export=gated.may_export[None],
        policy_decides=(gated.rung == 0)[None],
    )
    return decide(
        gated.snapshot, attempt if use_policy else kit.rules, kit.rules, kit.projector, gated.request.start_s,
        economy=kit.settings.economy.economy(), terms=terms,
    )  # fmt: skip


def _state(orders: InForce, use_policy: bool, ledger_up: bool, attempt: Attempt) -> ServiceState:
    if not ledger_up:
        return ServiceState.LEDGER_DOWN
    if orders.any_order:
        return ServiceState.OPERATOR
    return ServiceState.AUTO if use_policy and not attempt.failure else ServiceState.DEGRADED


def _problems(gated: Gated, attempt: Attempt, memory: Memory, kit: Kit, ledger_up: bool) -> tuple[str, ...]:
    said = list(gated.problems)
    if kit.runner is None:
        said.append("there is no policy: the rules decide")
    elif memory.breaker.is_open:
        said.append(f"the policy's breaker is open: the rules decide, {memory.breaker.clean} clean cycles in shadow")
    if attempt.failure:
        said.append(f"policy {kit.runner.model.name if kit.runner else ''}: {attempt.failure}")
    if attempt.proposal is not None and attempt.proposal.note:
        said.append(attempt.proposal.note)
    if not ledger_up:
        said.append("there is no ledger, or it cannot be written: the rules decide, nothing is exported")
    return tuple(said)


def _kept(
    memory: Memory, ports: PortMemory, attempt: Attempt, request: DispatchRequest, kit: Kit, now_s: float
) -> Memory:
    asked = attempt.proposal is not None or bool(attempt.failure)
    breaker = after_cycle(memory.breaker, bool(attempt.failure), kit.settings.breaker) if asked else memory.breaker
    return Memory(ports, request.start_s, request.cycle_start.toordinal(), breaker, still_needed(memory.orders, now_s))


def _record(attempt: Attempt, made: Decisions, gated: Gated, memory: Memory, began: float) -> Record:
    proposal = attempt.proposal
    return Record(
        policy_kw=None if proposal is None else proposal.request_kw,
        unusual=None if proposal is None else proposal.unusual,
        failure=attempt.failure,
        timed_out=attempt.timed_out,
        note="" if proposal is None else proposal.note,
        shadow=memory.breaker.is_open,
        requested_kw=made.requested_kw[0],
        reasons=made.reasons[0],
        rung=gated.rung,
        policy_s=attempt.took_s,
        cycle_s=time.perf_counter() - began,
    )

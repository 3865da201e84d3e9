"""From what `decide` made to what is sent: mode, source, chief reason, lease."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...agents.decide import Decisions, Source
from ...agents.economy import Held, is_change
from ...envs.safety.reasons import Reason
from ..messages.answer import PortDecisions, Totals
from ..messages.request import DispatchRequest
from ..messages.vocabulary import DecisionReason, DecisionSource, Mode, OnExpiry
from .cases import first_case
from .controls import InForce
from .gates import Gated, Rung
from .memory import PortMemory

Array = Any

SAME_KW = 1e-6

RAISED = (
    (Reason.MIN_SOC, DecisionReason.MINIMUM_SOC),
    (Reason.DEPARTURE | Reason.LOOK_AHEAD, DecisionReason.DEPARTURE),
)
CUT = (
    (Reason.IMPORT_LIMIT | Reason.EXPORT_LIMIT, DecisionReason.LIMIT),
    (Reason.RESERVE | Reason.REFILL, DecisionReason.RESERVE),
    (Reason.NO_EXPORT, DecisionReason.EXPORT_REFUSED),
    (Reason.BOX | Reason.MINIMUM, DecisionReason.CHARGER),
)
"""What the projection did, the most telling first; a car that has to charge may still be cut, even to 0."""


def port_decisions(
    made: Decisions,
    gated: Gated,
    orders: InForce,
    by_rules: int,
    unusual: Array,
    request: DispatchRequest,
    cycles: int,
) -> PortDecisions:
    """The decisions of a cycle.

    Args:
        made: of `decide`.
        gated: rungs and their reasons.
        orders: of the operators.
        by_rules: the reason why the rules decide for the whole service, a `DecisionReason`; -1: they do not.
        unusual: cars that the policy was not trained for, (N,).
        request: as sent.
        cycles: of the lease.
    """
    applied = made.applied_kw[0] + 0.0
    setpoint = np.where(gated.rung == Rung.RELEASED, np.nan, np.where(gated.rung == Rung.EMPTY, 0.0, applied))
    exporting = setpoint < 0
    return PortDecisions(
        id=request.ports.id,
        mode=first_case(
            [(np.isnan(setpoint), Mode.RELEASE), (setpoint > 0, Mode.CHARGE), (exporting, Mode.EXPORT)], Mode.PAUSE
        ),
        setpoint_kw=setpoint,
        valid_until_s=_lease(request, exporting, cycles),
        on_expiry=first_case([(exporting, OnExpiry.STOP_EXPORT)], OnExpiry.RELEASE),
        source=_source(made, gated, orders, by_rules),
        reason=_reason(made, gated, orders, by_rules, unusual),
        command_due=is_change(gated.request.ports.last_setpoint_kw, setpoint) & (gated.rung != Rung.EMPTY),
    )


def _source(made: Decisions, gated: Gated, orders: InForce, by_rules: int) -> Array:
    rules = (made.source[0] == Source.RULES) | (by_rules >= 0) | (gated.rung == Rung.RULES)
    clipped = np.abs(made.applied_kw[0] - made.requested_kw[0]) > SAME_KW
    return first_case(
        [
            (gated.rung == Rung.EMPTY, DecisionSource.NOBODY),
            ((gated.rung == Rung.RELEASED) & orders.release, DecisionSource.OPERATOR),
            (gated.rung == Rung.RELEASED, DecisionSource.NOBODY),
            (gated.rung == Rung.OVERRIDDEN, DecisionSource.OVERRIDE),
            (orders.hold, DecisionSource.OPERATOR),
            ((made.held[0] == Held.LAST) & ~clipped, DecisionSource.HOLD),
            (rules, DecisionSource.RULES),
            (clipped, DecisionSource.POLICY_CLIPPED),
        ],
        DecisionSource.POLICY,
    )


def _reason(made: Decisions, gated: Gated, orders: InForce, by_rules: int, unusual: Array) -> Array:
    asked, applied, requested = made.asked_kw[0], made.applied_kw[0], made.requested_kw[0]
    refused = (asked < -SAME_KW) & (requested >= 0) & ~gated.may_export & (made.held[0] != Held.ZERO)
    stopped = gated.no_charge & (asked > SAME_KW) & (applied <= SAME_KW)
    failed = (made.source[0] == Source.RULES) & (by_rules < 0)
    return first_case(
        [
            # What a driver ordered is not requested of the projection, which knows it by itself.
            ((gated.rung == Rung.OVERRIDDEN) & _any(made, Reason.IMPORT_LIMIT), DecisionReason.LIMIT),
            (gated.rung >= Rung.RELEASED, gated.reason),
            *_by_projection(made),
            (orders.hold, DecisionReason.OPERATOR_HOLD),
            (refused, DecisionReason.EXPORT_REFUSED),
            (stopped, DecisionReason.EVENT),
            (made.held[0] == Held.LAST, DecisionReason.HELD),
            (made.held[0] == Held.ZERO, DecisionReason.ZERO_BETWEEN),
            (gated.rung == Rung.RULES, gated.reason),
            (np.full(len(asked), by_rules >= 0), by_rules),
            (failed & bool(made.failure), DecisionReason.POLICY_FAILED),
            (failed & unusual, DecisionReason.UNUSUAL),
            (failed, DecisionReason.NOT_FINITE),
        ],
        DecisionReason.AS_ASKED,
    )


def _by_projection(made: Decisions) -> Iterator[tuple[Array, DecisionReason]]:
    """Where the projection changed a request, and why: by which way it went."""
    applied, requested = made.applied_kw[0], made.requested_kw[0]
    changed = np.abs(applied - requested) > SAME_KW
    charges_more = changed & (applied > requested) & (applied > SAME_KW)
    yield from ((charges_more & _any(made, flags), reason) for flags, reason in RAISED)
    yield from ((changed & _any(made, flags), reason) for flags, reason in (*CUT, *RAISED))


def _any(made: Decisions, flags: Reason) -> Array:
    """Where the projection did one of these."""
    done: Array = (made.reasons[0] & int(flags)) != 0
    return done


def _lease(request: DispatchRequest, exporting: Array, cycles: int) -> Array:
    """End of each lease, Unix seconds; an export ends with the event that pays for it."""
    end = request.start_s + cycles * request.interval_s
    e = request.events
    paying = (e.pays_export == 1) & (e.start_in_s < request.interval_s) & (e.end_in_s > 0)
    event_end = request.start_s + max((e.end_in_s[paying]).max(initial=0.0), request.interval_s)
    return np.where(exporting & bool(paying.any()), min(end, event_end), np.full(request.n_ports, end))


def totals_of(decisions: PortDecisions, made: Decisions) -> Totals:
    """Sums of a cycle; what is clipped is counted for plugged-in cars that have a set-point."""
    power = np.where(np.isnan(decisions.setpoint_kw), 0.0, decisions.setpoint_kw)
    cars = decisions.reason != DecisionReason.EMPTY
    steered = cars & (decisions.mode != Mode.RELEASE)
    clipped = np.abs(made.applied_kw[0] - made.requested_kw[0])[steered]
    return Totals(
        import_kw=float(np.maximum(power, 0.0).sum()),
        export_kw=float(np.maximum(-power, 0.0).sum()),
        clipped_kw=float(clipped.sum()),
        by_source=_counts(decisions.source[cars], DecisionSource),
        by_reason=_counts(decisions.reason[cars], DecisionReason),
        commands_due=int(decisions.command_due.sum()),
    )


def _counts(column: Array, vocabulary: Any) -> dict[str, int]:
    numbers = np.bincount(column, minlength=len(vocabulary)).tolist()
    return {word: number for word, number in zip(vocabulary.words(), numbers, strict=True) if number}


def remember(memory: PortMemory, decisions: PortDecisions, now_s: float) -> PortMemory:
    """The memory after the decisions were sent."""
    due = decisions.command_due
    gone = decisions.reason == DecisionReason.EMPTY
    return memory._replace(
        setpoint_kw=np.where(gone, np.nan, np.where(due, decisions.setpoint_kw, memory.setpoint_kw)),
        changed_s=np.where(due, now_s, memory.changed_s),
        commands_today=memory.commands_today + due,
    )

"""One decision: rules, then the policy, then the projection. Pure, and the same in simulation and service."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.safety.projection import Projector
from ..envs.safety.reasons import Reason
from ..envs.snapshot import Snapshot
from .economy import Economy, economical
from .policy import Policy, is_raw

Array = NDArray[Any]


class Source(IntEnum):
    """Whose request a set-point goes back to."""

    POLICY = 0
    RULES = 1  # the policy failed for this car


@dataclass(frozen=True)
class Terms:
    """What a live cycle allows each car beyond the projection; flags (B, N), in falling order of rank.

    A simulated day has none of it: every car's policy decides and nothing is ordered.
    """

    hold: Array  # an operator's order: the last set-point stands, and a car that was sent none is paused
    no_charge: Array  # a binding programme event: nothing elective is charged
    may_export: Array
    policy_decides: Array  # elsewhere the rules


@dataclass(frozen=True)
class Decisions:
    """The set-points of one step and how they came about; arrays `(B, N)` unless said otherwise."""

    applied_kw: Array
    asked_kw: Array  # as policy, or rules where it failed, asked
    requested_kw: Array  # what went into the projection: asked, economical, and within the terms
    source: Array  # a `Source`
    reasons: Array  # flags of `envs.safety.reasons.Reason`
    valid_until_s: Array  # (B,) Unix seconds; the set-point holds over the step and no longer
    held: Array  # what the economy of commands did, an `economy.Held`
    failure: str = ""  # why the policy's answer was not used, in words; empty where it was


def decide(
    snapshot: Snapshot,
    policy: Policy,
    rules: Policy,
    projector: Projector,
    now_s: Array | float,
    *,
    economy: Economy | None = None,
    terms: Terms | None = None,
) -> Decisions:
    """Decide the next step of every world of `snapshot`.

    The rules' request stands ready before the policy is asked. It takes the policy's place for single cars
    whose request is not finite or whose terms say so, and for all where the policy raises or answers in another
    shape. What is applied has always passed the projection, which ranks above everything.

    Args:
        snapshot: what is known now.
        policy: who decides; it sees the snapshot read-only, or it could get round the projection by changing it.
        rules: who decides where the policy fails; may be the policy itself, which is then asked once.
        projector: the projection with its limits and reserve.
        now_s: Unix seconds of the start of the step, one for all worlds or `(B,)`.
        economy: keeps requests from changing more often than it is worth; None: off.
        terms: what a live cycle allows each car; None: everything.

    Raises:
        ValueError: a raw reference is given; those run in the evaluator alone.
    """
    for one in (policy, rules):
        if is_raw(one):
            raise ValueError(f"{one.name!r} is a raw reference, which only the evaluator runs; choose a policy or rule")
    fallback = _rules_request(snapshot, rules)
    asked, failure = (fallback, "") if policy is rules else _policy_request(snapshot, policy, fallback)
    usable = np.isfinite(asked)
    by_policy = usable if terms is None else usable & terms.policy_decides
    requested = chosen = np.where(by_policy, asked, fallback)
    held = np.zeros(requested.shape, np.int8)
    if economy is not None:
        requested, held = economical(snapshot, requested, economy)
    if terms is not None:
        requested = _under(terms, snapshot, requested)
    projected = projector.project(snapshot, requested)
    failed = ~by_policy | bool(failure)
    reasons = np.where(~usable, projected.reasons | Reason.NOT_FINITE, projected.reasons)
    return Decisions(
        applied_kw=projected.applied_kw,
        asked_kw=chosen,
        requested_kw=requested,
        source=np.where(failed, Source.RULES, Source.POLICY),
        reasons=reasons,
        valid_until_s=np.broadcast_to(now_s, snapshot.n_worlds) + snapshot.step_h * 3600.0,
        held=held,
        failure=failure,
    )


def _under(terms: Terms, snapshot: Snapshot, requested: Array) -> Array:
    """The request as far as the terms allow it."""
    last = snapshot.ports.last_setpoint_kw
    requested = np.where(terms.no_charge, np.minimum(requested, 0.0), requested)
    requested = np.where(terms.hold, np.where(np.isnan(last), 0.0, last), requested)
    return np.where(terms.may_export, requested, np.maximum(requested, 0.0))


def _rules_request(snapshot: Snapshot, rules: Policy) -> Array:
    request = np.asarray(rules.act(snapshot), dtype=float)
    _check_shape(request, snapshot, rules)
    return np.where(np.isfinite(request), request, 0.0)


def _policy_request(snapshot: Snapshot, policy: Policy, fallback: Array) -> tuple[Array, str]:
    """The policy's request, or the rules' with the reason why."""
    try:
        request = np.array(policy.act(read_only(snapshot)), dtype=float)
        _check_shape(request, snapshot, policy)
    except Exception as error:
        return fallback, f"{policy.name}: {type(error).__name__}: {error}"
    return request, ""


def _check_shape(request: Array, snapshot: Snapshot, policy: Policy) -> None:
    expected = (snapshot.n_worlds, snapshot.n_ports)
    if request.shape != expected:
        raise ValueError(f"policy {policy.name!r} answered in shape {request.shape}; it must be {expected}")


def read_only(snapshot: Snapshot) -> Snapshot:
    """The same snapshot in arrays that cannot be written to."""
    return Snapshot(**{part.name: _locked(getattr(snapshot, part.name)) for part in fields(snapshot) if part.init})


def _locked(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        view = value.view()
        view.flags.writeable = False
        return view
    return type(value)(*map(_locked, value)) if isinstance(value, tuple) else value

"""A second policy beside the first: on a share of the cars (canary), or beside the answer without a say (shadow)."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...envs.snapshot import Snapshot
from ..messages.answer import DispatchAnswer, ModelId
from ..messages.request import DispatchRequest
from .attempt import Pace
from .breaker import Breaker
from .cycle import Kit, dispatch
from .memory import Memory
from .runners import Proposal, Runner

Array = Any

LONGEST_NOTE = 200


def in_canary(request: DispatchRequest, share: float) -> Array:
    """Which cars a canary of this share takes, (N,): always the same ones, and with a greater share more of them.

    By the SHA-256 of the car's id, or of its port's where none is said; never drawn anew per cycle.
    """
    p = request.ports
    names = (car or port for car, port in zip(p.car.tolist(), p.id.tolist(), strict=True))
    places = [int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) for name in names]
    return np.array(places, np.uint64) < np.float64(share) * 2.0**64


class CanaryRunner:
    """Two policies, the second one for the cars of a canary; where it fails, the first decides for them too.

    Args:
        champion: for all other cars.
        challenger: for the canary's.
        share: of the cars, 0 to 1.
    """

    def __init__(self, champion: Runner, challenger: Runner, share: float) -> None:
        self._champion, self._challenger, self._share = champion, challenger, share
        one, other = champion.model, challenger.model
        version = f"{one.version} with {100 * share:g}% {other.name} {other.version} {other.sha256[:12]}"
        self.model = ModelId(one.name, version, one.sha256)

    @property
    def parts(self) -> tuple[Runner, Runner]:
        """Champion and challenger."""
        return self._champion, self._challenger

    def ask(self, request: DispatchRequest, snapshot: Snapshot, limit_s: float) -> Proposal:
        """See `runners.Runner`; the champion is asked first, the challenger gets what time is left."""
        until = time.perf_counter() + limit_s
        sure = self._champion.ask(request, snapshot, limit_s)
        chosen = in_canary(request, self._share)
        try:
            tried = self._challenger.ask(request, snapshot, max(until - time.perf_counter(), 0.0))
        except Exception as error:
            note = f"canary {self._challenger.model.name}: {type(error).__name__}: {error}"
            return sure._replace(note=note[:LONGEST_NOTE])
        usable = chosen & np.isfinite(tried.request_kw)
        asked, unusual = (np.where(usable, *both) for both in zip(tried[:2], sure[:2], strict=True))
        return Proposal(asked, unusual, sure.note)


@dataclass(frozen=True)
class Disagreement:
    """How far a challenger's answer lies from the one that was sent."""

    cars: int  # with another set-point
    kw: float  # sum of the differences
    usd: float  # what the challenger's set-points cost more over the interval, at the present prices
    failure: str  # why it gave no answer of its own; empty where it did


def in_shadow(
    request: DispatchRequest, memory: Memory, kit: Kit, challenger: Runner, answer: DispatchAnswer
) -> Disagreement:
    """What the challenger would have answered, beside what was; to be called after the answer was sent.

    Args:
        request: of the cycle.
        memory: before the cycle.
        kit: of the cycle; its runner is not asked.
        challenger: the policy in shadow.
        answer: that was sent.
    """
    own = replace(memory, breaker=Breaker())  # the champion's failures are not the challenger's
    theirs = dispatch(request, own, replace(kit, runner=challenger, pace=Pace()), answer.decided_at_s)
    sent, would = (np.nan_to_num(one.decisions.setpoint_kw) for one in (answer, theirs.answer))
    difference = np.abs(would - sent)
    usd = float((_usd_per_h(request, would) - _usd_per_h(request, sent)).sum()) * request.interval_s / 3600
    return Disagreement(int((difference > 1e-6).sum()), float(difference.sum()), usd, theirs.record.failure)


def _usd_per_h(request: DispatchRequest, setpoint_kw: Array) -> Array:
    """Cost of set-points at the present prices, (N,); an unknown price counts as 0."""
    tariff, p = request.sites.tariff[request.ports.site], request.ports
    buy, sell = (
        np.nan_to_num(series[tariff, 0])
        for series in (request.prices.import_usd_per_kwh, request.prices.export_usd_per_kwh)
    )
    wear = request.wear_usd_per_kwh / np.where(p.discharge_efficiency > 0.1, p.discharge_efficiency, 1.0)
    return np.maximum(setpoint_kw, 0.0) * buy - np.maximum(-setpoint_kw, 0.0) * (sell - wear)

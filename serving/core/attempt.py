"""One cycle's attempt at the policy: what `decide` sees as its policy, and what breaker and ledger want to know."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...envs.snapshot import Snapshot
from ..messages.request import DispatchRequest
from .runners import PolicyTimeout, Proposal, Runner
from .settings import ServingSettings

Array = Any

LONGEST_FAILURE = 300


WHOLE_EVERY = 8
"""Times in shadow of which one may take as long as any: a policy that has become slower gets known again."""


class Pace:
    """How long a policy takes while it is well, so that nobody waits for a sick one that is asked in shadow.

    A guess of this process: whether the policy was in time stands in each cycle's record.
    """

    def __init__(self) -> None:
        self._longest_s, self._times = 0.0, 0

    def was_well(self, took_s: float) -> None:
        """It gave an answer that can be used."""
        self._longest_s = max(self._longest_s, took_s)

    def patience_s(self, least_s: float, whole_s: float) -> float:
        """How long to wait in shadow: twice as long as it took while it was well, at least `least_s`."""
        self._times += 1
        return whole_s if self._times % WHOLE_EVERY == 0 else min(max(least_s, 2.0 * self._longest_s), whole_s)


class RecordedFailure(Exception):
    """The policy failed in the cycle that is replayed, in the words of this error."""


@dataclass
class Attempt:
    """A policy for the one step of this cycle; it writes down how asking went.

    Args:
        runner: the policy; None: there is none.
        request: with usable readings.
        settings: which shares make a failure.
        until_s: when it has to be done, on the clock of `time.perf_counter`.
        pace: of the policy.
    """

    runner: Runner | None
    request: DispatchRequest
    settings: ServingSettings
    until_s: float
    pace: Pace = field(default_factory=Pace)
    name: str = "policy"
    proposal: Proposal | None = None
    failure: str = ""
    timed_out: bool = False
    took_s: float = 0.0

    @property
    def unusual(self) -> Array:
        """Cars outside the trained ranges, (N,); none where the policy gave no answer."""
        return np.zeros(self.request.n_ports, bool) if self.proposal is None else self.proposal.unusual

    def reset(self) -> None:
        """Nothing to forget: it is asked once."""

    def act(self, snapshot: Snapshot) -> Array:
        """What the policy asks for, `(1, N)`; NaN for cars that it was not trained for.

        Raises:
            Exception: there is no policy, it failed, was late, or answered nonsense for too many cars.
        """
        began = time.perf_counter()
        try:
            self.proposal = self._ask(snapshot)
            self._judge(snapshot, self.proposal)
            self.pace.was_well(time.perf_counter() - began)
        except Exception as error:
            self.timed_out = isinstance(error, PolicyTimeout)
            again = isinstance(error, RecordedFailure)
            self.failure = (str(error) if again else f"{type(error).__name__}: {error}")[:LONGEST_FAILURE]
            raise
        finally:
            self.took_s = time.perf_counter() - began
        return np.where(self.proposal.unusual, np.nan, self.proposal.request_kw)[None]

    def in_shadow(self, snapshot: Snapshot) -> None:
        """Ask without using the answer: how it went decides whether the breaker closes. The answer waits meanwhile."""
        began = time.perf_counter()
        least_s = self.settings.breaker.shadow_share * self.settings.deadline.answer_s
        self.until_s = began + self.pace.patience_s(least_s, max(self.until_s - began, 0.0))
        with suppress(Exception):
            self.act(snapshot)

    def _ask(self, snapshot: Snapshot) -> Proposal:
        if self.runner is None:
            raise LookupError("there is no policy")
        made = self.runner.ask(self.request, snapshot, max(self.until_s - time.perf_counter(), 0.0))
        return Proposal(np.array(made.request_kw, float), np.array(made.unusual, bool), made.note)

    def _judge(self, snapshot: Snapshot, proposal: Proposal) -> None:
        here = snapshot.ports.plugged[0]
        cars = max(int(here.sum()), 1)
        broken = int((here & ~np.isfinite(proposal.request_kw)).sum()) / cars
        unusual = int((here & proposal.unusual).sum()) / cars
        if broken > self.settings.breaker.not_finite_share:
            raise ValueError(f"no finite answer for {broken:.0%} of the cars")
        if unusual > self.settings.gates.unusual_share:
            raise ValueError(f"{unusual:.0%} of the cars lie outside the trained ranges")

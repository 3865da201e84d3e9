"""One cycle's attempt at the policy: what `decide` sees as its policy, and what breaker and ledger want to know."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...envs.snapshot import Snapshot
from ..messages.request import DispatchRequest
from .runners import PolicyTimeout, Proposal, Runner
from .settings import ServingSettings

Array = Any

LONGEST_FAILURE = 300


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
    """

    runner: Runner | None
    request: DispatchRequest
    settings: ServingSettings
    until_s: float
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
        except Exception as error:
            self.timed_out = isinstance(error, PolicyTimeout)
            again = isinstance(error, RecordedFailure)
            self.failure = (str(error) if again else f"{type(error).__name__}: {error}")[:LONGEST_FAILURE]
            raise
        finally:
            self.took_s = time.perf_counter() - began
        return np.where(self.proposal.unusual, np.nan, self.proposal.request_kw)[None]

    def in_shadow(self, snapshot: Snapshot) -> None:
        """Ask without using the answer: how it went decides whether the breaker closes."""
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

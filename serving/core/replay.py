"""A cycle decided again from what the ledger kept: the policy's answer is the recorded one, all else is recomputed."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..messages.answer import DispatchAnswer, ModelId
from ..messages.request import DispatchRequest
from .attempt import RecordedFailure
from .cycle import Kit, dispatch
from .memory import Memory
from .runners import Proposal

Array = Any


class Kept(Protocol):
    """What a replay needs of a `cycle.Record`."""

    @property
    def policy_kw(self) -> Array | None: ...

    @property
    def unusual(self) -> Array | None: ...

    @property
    def failure(self) -> str: ...

    @property
    def note(self) -> str: ...


class Replayed:
    """A runner that says again what a record says."""

    def __init__(self, record: Kept, model: ModelId) -> None:
        self._record, self.model = record, model

    def ask(self, request: DispatchRequest, snapshot: Any, limit_s: float) -> Proposal:
        """The recorded answer, or a failure in the recorded words."""
        said, unusual = self._record.policy_kw, self._record.unusual
        if said is None:
            raise RecordedFailure(self._record.failure)
        return Proposal(said, np.zeros(len(said), bool) if unusual is None else unusual, self._record.note)


def replay(
    request: DispatchRequest, memory: Memory, kit: Kit, answer: DispatchAnswer, record: Kept, *, ledger_up: bool = True
) -> DispatchAnswer:
    """The answer again.

    Args:
        request: as it was sent.
        memory: before the cycle.
        kit: with the settings of then; its runner is not asked.
        answer: of then; it tells the clock and the model.
        record: of then.
        ledger_up: whether the ledger could be written.
    """
    runner = Replayed(record, answer.model) if answer.model.name else None
    again = Kit(kit.settings, kit.rules, kit.projector, runner)
    return dispatch(request, memory, again, answer.decided_at_s, ledger_up=ledger_up).answer

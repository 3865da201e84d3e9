"""Who decides: a service in this process, or one that runs elsewhere."""

from __future__ import annotations

from typing import Protocol

from ..core.cycle import CycleRefused, Kit, dispatch
from ..core.memory import Memory, new_memory
from ..messages.answer import DispatchAnswer
from ..messages.request import DispatchRequest


class Unreachable(Exception):
    """No answer came; the same request may be sent again."""


class Refused(Exception):
    """The request was understood and refused; the same one would be again."""


class Decider(Protocol):
    """Answers a cycle."""

    def decide(self, request: DispatchRequest, now_s: float) -> DispatchAnswer:
        """The set-points of a cycle.

        Raises:
            Unreachable: try again.
            Refused: do not.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class InProcess:
    """The core itself with a memory of its own and no ledger: for dry runs, simulated days, and as the last resort.

    Args:
        kit: what to decide with.
        ledger_up: False: rules alone, no export, and every answer says so.
    """

    def __init__(self, kit: Kit, *, ledger_up: bool = True) -> None:
        self._kit, self._ledger_up = kit, ledger_up
        self._memories: dict[str, Memory] = {}

    def decide(self, request: DispatchRequest, now_s: float) -> DispatchAnswer:
        """See `Decider`."""
        memory = self._memories.get(request.fleet) or new_memory()
        try:
            made = dispatch(request, memory, self._kit, now_s, ledger_up=self._ledger_up)
        except CycleRefused as error:
            raise Refused(str(error)) from None
        self._memories[request.fleet] = made.memory
        return made.answer

    def close(self) -> None:
        """End the policy's process, if it has one."""
        close = getattr(self._kit.runner, "close", None)
        if close is not None:
            close()

"""Who decides: a service in this process, with a ledger or without, or one that runs elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..core.cycle import CycleRefused, Kit, dispatch
from ..core.memory import Memory, new_memory
from ..messages.answer import DispatchAnswer, answer_from
from ..messages.canonical import canonical_json, read_json
from ..messages.columns import RequestError
from ..messages.request import DispatchRequest, request_digest, request_document
from ..ports.web import Answer, Web, WebError

if TYPE_CHECKING:
    from ..service import Service

LONGEST_REASON = 300
OF_TIME = (409, 422)
FINAL = (400, 404, 405, 413, 415)
"""Answers to a request that would be the same again; all others may pass, as a token may be renewed."""


class Unreachable(Exception):
    """No answer came; the same request may be sent again."""


class Refused(Exception):
    """The request was understood and refused; the same one would be again."""


class Taken(Refused):
    """Refused for its time alone: a cycle of that start was answered already, or a later one."""


class Decider(Protocol):
    """Answers a cycle."""

    def decide(self, request: DispatchRequest, now_s: float) -> DispatchAnswer:
        """The set-points of a cycle.

        Raises:
            Unreachable: try again.
            Taken: try another start.
            Refused: try nothing.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class InProcess:
    """The core itself with a memory of its own and no ledger: for dry runs and simulated days, and as the last resort.

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
        if memory.last_start_s is not None and request.start_s <= memory.last_start_s:
            memory = replace(memory, last_start_s=None)  # the clock was put back: in which order is the loop's to say
        try:
            made = dispatch(request, memory, self._kit, now_s, ledger_up=self._ledger_up)
        except CycleRefused as error:
            raise Taken(str(error)) from None
        self._memories[request.fleet] = made.memory
        return made.answer

    def close(self) -> None:
        """End the policy's process, if it has one."""
        _end(self._kit)


class Recorded:
    """A service of this process, which writes its ledger before it answers.

    Args:
        service: with the loop's clock.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def decide(self, request: DispatchRequest, now_s: float) -> DispatchAnswer:
        """See `Decider`."""
        from ..service import CycleConflict, ServiceBusy

        try:
            return self._service.dispatch(request).answer
        except (CycleConflict, CycleRefused) as error:
            raise Taken(str(error)) from None
        except ServiceBusy as error:
            raise Unreachable(str(error)) from None

    def close(self) -> None:
        """Close the service, and end the policy's process, if it has one."""
        self._service.close()  # nothing replaces the kit any more
        _end(self._service.kit)


class OverHttp:
    """A running `ebbflow serve`.

    Args:
        url: its address.
        token: with the scope `dispatch`; None: it asks for none.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._place, self._web = f"{url.rstrip('/')}/v1/dispatch", Web(token)

    def decide(self, request: DispatchRequest, now_s: float) -> DispatchAnswer:
        """See `Decider`; the same request again gets the answer that was given, so that a lost one does no harm."""
        try:
            told = self._web.post(self._place, canonical_json(request_document(request)))
        except WebError as error:
            raise Unreachable(f"{self._place}: {error}") from None
        if told.status in OF_TIME:
            raise Taken(_reason(told))
        if told.status in FINAL:
            raise Refused(_reason(told))
        if told.status != 200:
            raise Unreachable(f"{self._place}: {_reason(told)}")
        try:
            answer = answer_from(read_json(told.body))
        except RequestError as error:
            raise Unreachable(f"{self._place}: {error}") from None
        mine = answer.input_sha256 == request_digest(request) and np.array_equal(answer.decisions.id, request.ports.id)
        if not mine:
            raise Unreachable(f"{self._place}: the answer is to another request")
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._web.close()


def _end(kit: Kit) -> None:
    close = getattr(kit.runner, "close", None)
    if close is not None:
        close()


def _reason(told: Answer) -> str:
    """The one sentence of an error's body."""
    try:
        said = str(read_json(told.body)["error"])
    except (ValueError, KeyError, TypeError):
        said = ""
    return f"{told.status} {said}"[:LONGEST_REASON].strip()

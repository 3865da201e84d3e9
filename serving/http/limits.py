"""What a client may cost: bytes and seconds, and by which names it may call us."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from .errors import Refused

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Of one process.

    Args:
        json_bytes: of a JSON body; as objects it takes up to some twenty times the memory.
        arrow_bytes: of an Arrow body; its numbers are used as they are, its text takes up to some ten times the memory.
        small_bytes: of any other body.
        together_bytes: of all bodies at once.
        body_s: until a body has arrived.
        head_s: until a request's head has arrived.
        answer_s: until a client has taken an answer.
        connections: at once.
        ports_read: cycles times ports that one call may read back from the ledger; so many take some seconds.
    """

    json_bytes: int = 32 * MIB
    arrow_bytes: int = 384 * MIB
    small_bytes: int = MIB
    together_bytes: int = 512 * MIB
    body_s: float = 30.0
    head_s: float = 10.0
    answer_s: float = 60.0
    connections: int = 64
    ports_read: int = 3_000_000


class Bodies:
    """Reads bodies within the limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._held = limits, 0

    async def read(self, request: Request, most_bytes: int) -> bytearray:
        """The whole body; `done` has to be told when it is no longer needed.

        Raises:
            Refused: it is too large, compressed, too slow, or too much at once.
        """
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refused(415, "compressed bodies are not taken; send it as it is")
        said = request.headers.get("content-length", "0")
        if said.isdecimal() and int(said) > most_bytes:
            raise Refused(413, f"the body is larger than {most_bytes} bytes", {"Connection": "close"})
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_s):
                async for part in request.stream():
                    self._take(len(part), len(body), most_bytes)
                    body += part
        except BaseException as error:
            self.done(body)
            if isinstance(error, TimeoutError):
                why = f"the body took longer than {self._limits.body_s:g} s"
                raise Refused(408, why, {"Connection": "close"}) from None
            raise
        return body

    def done(self, body: bytearray) -> None:
        """Give the room of a body back."""
        self._held -= len(body)

    def _take(self, more: int, so_far: int, most_bytes: int) -> None:
        if so_far + more > most_bytes:
            raise Refused(413, f"the body is larger than {most_bytes} bytes", {"Connection": "close"})
        if self._held + more > self._limits.together_bytes:
            raise Refused(503, "too much is being sent at once; try again", {"Connection": "close"})
        self._held += more


class Guard:
    """Around the whole app: names that it may be called by.

    Args:
        app: what it guards.
        hosts: names of the Host header; empty: any. A browser can be made to call a page's own name that leads to this
            machine, so a service that is open to everybody answers to its own names only.
        is_open: whether it is, now; else any name will do.
    """

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...], is_open: Callable[[], bool]) -> None:
        self._app, self._hosts, self._is_open = app, hosts, is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._hosts and self._is_open() and _host(scope) not in self._hosts:
            await _refuse_host(send)
            return
        await self._app(scope, receive, send)


def _host(scope: Any) -> str:
    """The name in the Host header, without its port."""
    (host, *_) = [value for name, value in scope["headers"] if name == b"host"] or [b""]
    text: str = host.decode("latin-1").lower()
    return text.rpartition("]")[0] + "]" if text.startswith("[") else text.partition(":")[0]


async def _refuse_host(send: Send) -> None:
    body = b'{"error":"this service answers to its own name only; give it tokens to open it to others"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": body})

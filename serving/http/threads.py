"""Threads of the service, by what they do: whoever reads never keeps a cycle waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.to_thread import current_default_thread_limiter
from starlette.types import ASGIApp, Receive, Scope, Send

T = TypeVar("T")

READERS = 4
"""Of pages and plans at once: each computes for as long as it runs, beside the cycles."""

DECIDERS, PROBES, KEEPERS = 16, 2, 2
"""Of cycles and orders; of `/readyz` and `/metrics`; of looks at the token file, which use no ledger."""


class Threads:
    """Three kinds with room of their own, beside those of the plain (`def`) calls, which read."""

    def __init__(self) -> None:
        self._deciders, self._probes, self._keepers = map(CapacityLimiter, (DECIDERS, PROBES, KEEPERS))

    async def decide(self, work: Callable[[], T]) -> T:
        """A cycle or an order."""
        return await to_thread.run_sync(work, limiter=self._deciders)

    async def probe(self, work: Callable[[], T]) -> T:
        """What monitors ask."""
        return await to_thread.run_sync(work, limiter=self._probes)

    async def admit(self, work: Callable[[], T]) -> T:
        """Who calls."""
        return await to_thread.run_sync(work, limiter=self._keepers)


class FewReaders:
    """Around the whole app: plain calls run in the event loop's default threads, and of these there are few."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        # The default is the event loop's own, and there is none before the first call.
        current_default_thread_limiter().total_tokens = READERS
        await self._app(scope, receive, send)

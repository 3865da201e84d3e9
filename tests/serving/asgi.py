"""A client of an app without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx


class Client:
    """Each call in an event loop of its own.

    Args:
        app: to be called.
        token: shown with each call.
    """

    def __init__(self, app: Any, token: str | None = None) -> None:
        self._app = app
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.call("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.call("POST", path, **more)

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost", headers=self._headers
            ) as client:
                return await client.request(method, path, **more)

        return asyncio.run(once())

"""HTTP as a client: bounded in time and size, one connection kept open."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 10.0
MOST_BYTES = 256 << 20


class WebError(Exception):
    """No whole answer came, in words that name no header and no content."""


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Web:
    """A client of one server.

    Args:
        token: sent as a bearer token; None: none.
        timeout_s: from the request to the end of the answer.
        most_bytes: of an answer.
    """

    def __init__(self, token: str | None = None, timeout_s: float = TIMEOUT_S, most_bytes: int = MOST_BYTES) -> None:
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout_s, self._most = timeout_s, most_bytes
        self._client: httpx.Client | None = None

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for a document.

        Raises:
            WebError: no whole answer came.
        """
        return self._ask("GET", url, headers=dict(headers or {}))

    def post(self, url: str, body: bytes, timeout_s: float | None = None) -> Answer:
        """Send JSON.

        Raises:
            WebError: no whole answer came.
        """
        return self._ask("POST", url, timeout_s, content=body, headers={"Content-Type": "application/json"})

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ask(self, method: str, url: str, timeout_s: float | None = None, **content: Any) -> Answer:
        import httpx

        limit_s = timeout_s or self._timeout_s
        until = time.monotonic() + limit_s
        if self._client is None:
            self._client = httpx.Client(headers=self._headers)
        try:
            with self._client.stream(method, url, timeout=limit_s, **content) as response:
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    if len(body) > self._most:
                        raise WebError(f"the answer is larger than {self._most >> 20} MiB")
                    if time.monotonic() > until:  # httpx limits each wait alone: one byte a second would pass
                        raise WebError(f"no whole answer within {limit_s:g} s")
                return Answer(response.status_code, bytes(body), {k.lower(): v for k, v in response.headers.items()})
        except httpx.TimeoutException:
            raise WebError(f"no answer within {limit_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise WebError(type(error).__name__) from None

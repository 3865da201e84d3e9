"""Who may call what: a bearer token with the scope of the call, or, where no token file is, anybody on this machine."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ...configs.messages import ConfigError
from .errors import Refused
from .threads import Threads
from .tokens import Scope, TokenFile

log = logging.getLogger("ebbflow.serving")

bearer = HTTPBearer(auto_error=False, description="A token of `ebbflow token create`")


class Access:
    """Decides on each request by what the file holds then.

    Args:
        tokens: the file; None: everybody may do everything, which is for loopback addresses alone.
        open_without: whether everybody may do everything as long as there is no such file. Once it was there, what
            it holds counts, and a file that was emptied or removed lets nobody in.
    """

    def __init__(self, tokens: TokenFile | None = None, *, open_without: bool = False) -> None:
        self._tokens, self._open_without = tokens, open_without

    @property
    def open(self) -> bool:
        """Whether everybody may do everything, now."""
        if self._tokens is not None and self._open_without:
            self._open_without = not self._tokens.is_there()
        return self._tokens is None or self._open_without

    @property
    def has_tokens(self) -> bool:
        """Whether anybody could be let in by a token, now.

        Raises:
            ConfigError: the file cannot be read.
        """
        return self._tokens is not None and bool(self._tokens.tokens())

    def check(self, secret: str | None, scope: Scope) -> str:
        """The name of who calls.

        Raises:
            Refused: 401 without a token that holds, 403 where it does not allow this.
        """
        if self._tokens is None or self.open:
            return "anybody"
        try:
            found = self._tokens.scopes_of(secret, datetime.now(UTC)) if secret else None
        except ConfigError as error:
            log.error("nobody can be let in: %s", error)
            raise Refused(503, "the token file cannot be read; see the service's log") from None
        if found is None:
            raise Refused(401, "send a token that holds: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})
        token, scopes = found
        if scope not in scopes:
            raise Refused(403, f"this token does not allow {scope}")
        return token.name


def needs(scope: Scope) -> Any:
    """A dependency: refuse whoever lacks this scope; its value is the caller's name."""

    async def check(request: Request, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> str:
        access: Access = request.app.state.access
        threads: Threads = request.app.state.threads
        secret = shown.credentials if shown else None
        # A file of tokens is looked at in a thread of its own; without one there is nothing to wait for.
        return access.check(secret, scope) if access.open else await threads.admit(lambda: access.check(secret, scope))

    checked: Callable[..., Awaitable[str]] = check
    return Depends(checked)

"""Bearer tokens: made once, shown once, kept as SHA-256 in a file that only its owner reads."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ...configs.messages import ConfigError, describe

PREFIX = "ebbflow"
SECRET_BYTES = 32
"""So many random bytes cannot be guessed, so a fast digest is enough to keep them by."""


class Scope(StrEnum):
    """What a token allows; each by itself."""

    READ = "read"
    DISPATCH = "dispatch"
    CONTROL = "control"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _aware(time: datetime | None) -> datetime | None:
    if time is not None and time.tzinfo is None:
        raise ValueError("a time needs its offset")
    return time


class Token(_Part):
    """A token as it is kept."""

    id: str
    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    created: Annotated[datetime, AfterValidator(_aware)]
    expires: Annotated[datetime | None, AfterValidator(_aware)] = None

    def holds(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.expires is None or now < self.expires


class _File(_Part):
    tokens: tuple[Token, ...] = ()


class TokenFile:
    """The tokens of a file, read again when it changed.

    Args:
        path: of the file; it need not be there.

    Raises:
        ConfigError: it cannot be read, is no such file, or others may read or write it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock, self._state = threading.Lock(), (-1, -1)
        self._tokens: tuple[Token, ...] = ()
        self.tokens()

    def is_there(self) -> bool:
        """Whether there is such a file, readable or not."""
        return os.path.lexists(self.path)

    def tokens(self) -> tuple[Token, ...]:
        """What it holds now.

        Raises:
            ConfigError: see the class.
        """
        with self._lock:
            try:
                found = self.path.stat()
            except FileNotFoundError:
                self._state, self._tokens = (-1, -1), ()
                return ()
            if (found.st_mtime_ns, found.st_ino) != self._state:
                self._tokens = _read(self.path)
                self._state = (found.st_mtime_ns, found.st_ino)
            return self._tokens

    def scopes_of(self, secret: str, now: datetime) -> tuple[Token, tuple[Scope, ...]] | None:
        """The token that a client showed, and what it allows; None: there is no such token, or it has expired."""
        digest, found = _digest(secret), None
        for token in self.tokens():
            # All are compared, each in constant time, so that time tells nothing.
            if hmac.compare_digest(token.sha256, digest) and token.holds(now):
                found = token
        return None if found is None else (found, found.scopes)

    def create(self, name: str, scopes: tuple[Scope, ...], expires: datetime | None = None) -> tuple[Token, str]:
        """Make a token; its text is shown here and nowhere else.

        Raises:
            ConfigError: the name or the scopes cannot be, or the file cannot be written.
        """
        identity = secrets.token_hex(4)
        secret = f"{PREFIX}_{identity}_{secrets.token_urlsafe(SECRET_BYTES)}"
        now = datetime.now(UTC).replace(microsecond=0)
        try:
            token = Token(id=identity, name=name, scopes=scopes, sha256=_digest(secret), created=now, expires=expires)
        except ValidationError as error:
            raise ConfigError(describe(error, Token, "the token", ())) from None
        self._write((*self.tokens(), token))
        return token, secret

    def revoke(self, identity: str) -> Token:
        """Remove a token.

        Raises:
            ConfigError: there is no such token.
        """
        kept = tuple(token for token in self.tokens() if token.id != identity)
        gone = [token for token in self.tokens() if token.id == identity]
        if not gone:
            raise ConfigError(f"there is no token {identity!r}; see `ebbflow token list`")
        self._write(kept)
        return gone[0]

    def _write(self, tokens: tuple[Token, ...]) -> None:
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(_File(tokens=tokens).model_dump_json(indent=2) + "\n")
                file.flush()
                os.fsync(handle)
            os.replace(beside, self.path)
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written: {error.strerror}") from None
        finally:
            beside.unlink(missing_ok=True)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _read(path: Path) -> tuple[Token, ...]:
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path}: others may read or write it; chmod 600 {path}")
        return _File.model_validate_json(path.read_bytes()).tokens
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError:
        raise ConfigError(f"{path}: no token file; make one with `ebbflow token create`") from None

"""`ebbflow token create | list | revoke`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from ...configs.messages import ConfigError, unknown_name
from .tokens import Scope, TokenFile


def create_and_show(name: str, scopes: list[str], days: int | None, path: Path) -> None:
    """Make a token; its text goes to stdout alone, so that it can be piped."""
    valid = [scope.value for scope in Scope]
    for scope in scopes:
        if scope not in valid:
            raise ConfigError(unknown_name("scope", scope, valid))
    expires = None if days is None else datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    token, secret = TokenFile(path).create(name, tuple(Scope(scope) for scope in dict.fromkeys(scopes)), expires)
    until = "for ever" if token.expires is None else f"until {token.expires.isoformat()}"
    Console(stderr=True, soft_wrap=True, highlight=False).print(
        f"token {token.id} ({', '.join(token.scopes)}) holds {until}; {path} keeps its digest alone, so note it now:"
    )
    typer.echo(secret)


def list_tokens(path: Path) -> None:
    """The tokens of a file, without anything secret."""
    table = Table("id", "name", "scopes", "created", "expires")
    now = datetime.now(UTC)
    for token in TokenFile(path).tokens():
        expires = "never" if token.expires is None else token.expires.isoformat()
        ended = "" if token.holds(now) else " (expired)"
        table.add_row(token.id, token.name, ", ".join(token.scopes), token.created.isoformat(), expires + ended)
    Console(highlight=False).print(table)


def revoke_token(identity: str, path: Path) -> None:
    """Remove a token; a running service refuses it from its next request on."""
    token = TokenFile(path).revoke(identity)
    typer.echo(f"token {token.id} ({token.name}) is revoked")

"""From a URL to an engine that loses nothing: SQLite in WAL mode with every commit on the disk, or PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from ...configs.messages import ConfigError

WAIT_S = 0.5
"""How long a cycle waits for another writer, before it is answered without the ledger."""

MOST_CONNECTIONS = 24
"""Of one process: more than `ebbflow serve` has threads that use the ledger (`http.threads`), so that none waits."""

QUIET_S, CONNECT_S = 2.0, 2
"""For which a PostgreSQL server may say nothing to a plain statement, and until it takes a connection (libpq's least):
one after the other, where it stands still, and the cycle goes on without the ledger before its 5 s are over."""

STATEMENT_S = 120
"""Of PostgreSQL; a million cars take seconds."""

WRITES = {"ebbflow_writes": True}
"""Execution options of a connection that will write: SQLite then takes the lock at the beginning."""


def ledger_url(text: str) -> URL:
    """A URL; a plain path is a SQLite file.

    Raises:
        ConfigError: it is neither SQLite nor PostgreSQL.
    """
    try:
        url = make_url(text) if "://" in text else URL.create("sqlite", database=text)
    except ArgumentError:
        raise ConfigError("the ledger's URL cannot be read; write sqlite:///FILE or postgresql://HOST/NAME") from None
    kind = url.get_backend_name()
    if kind == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise ConfigError(f"a ledger cannot be kept in {kind!r}; use sqlite:///FILE or postgresql://HOST/NAME")
    return url.set(drivername="sqlite")


def sqlite_file(url: URL) -> Path | None:
    """The file of a SQLite ledger; None: it lives in memory, or on a server."""
    in_memory = url.database in (None, "", ":memory:")
    return None if in_memory or url.get_backend_name() != "sqlite" else Path(str(url.database))


def make_engine(url: URL, quiet_s: float = QUIET_S) -> Engine:
    """An engine for a ledger; nothing is opened yet.

    Args:
        url: of `ledger_url`.
        quiet_s: for which a PostgreSQL server may say nothing, before it counts as down.
    """
    pool: dict[str, Any] = {"pool_timeout": WAIT_S, "pool_size": 8, "max_overflow": MOST_CONNECTIONS - 8}
    if url.get_backend_name() == "postgresql":
        return _make_postgresql(url, quiet_s, pool)
    file = sqlite_file(url)
    if file is None:  # it lives in its one connection
        pool |= {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": WAIT_S, "check_same_thread": False}, **pool)
    if file is not None:
        event.listen(engine, "connect", lambda _, record: record.info.update(ebbflow_file=_file(str(file))))
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _make_postgresql(url: URL, quiet_s: float, pool: Mapping[str, Any]) -> Engine:
    from .patience import KEEPALIVE, make_patient  # only here is its driver needed

    options = f"-c lock_timeout={round(1000 * WAIT_S)} -c statement_timeout={1000 * STATEMENT_S}"
    ours = {"connect_timeout": CONNECT_S, "options": options, **KEEPALIVE}
    args = {name: value for name, value in ours.items() if name not in url.query}
    engine = create_engine(url, pool_pre_ping=True, connect_args=args, **pool)
    make_patient(engine, quiet_s)
    return engine


def allow(connection: Connection, more_s: float) -> None:
    """Let PostgreSQL say nothing for so much longer, until the connection is given back."""
    if connection.dialect.name == "postgresql":
        connection.connection.dbapi_connection.quiet_s += more_s  # type: ignore[union-attr]


def is_in_place(connection: Connection) -> bool:
    """Whether a SQLite connection still writes to the file of that name: cycles in a removed one would be lost."""
    opened = connection.info.get("ebbflow_file")
    return opened is None or opened == _file(str(connection.engine.url.database))


def _file(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _prepare(connection: sqlite3.Connection, _: Any) -> None:
    # Transactions are begun by `_begin` and by nobody else.
    connection.isolation_level = None
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {setting}").close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("ebbflow_writes", False)
    # Straight to SQLite: SQLAlchemy's way takes as long as the query that follows.
    driver: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]
    driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN").close()

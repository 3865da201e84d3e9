"""A PostgreSQL connection that does not wait for ever: whoever hears nothing for too long closes it and says so."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 6000}
"""For a host that is gone (s, s, times, ms); nothing of it applies to a server that is there and stands still."""

T = TypeVar("T")


class PatientConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server has said nothing for `quiet_s`.

    The server's own limits (`statement_timeout`) do nothing where the server is stopped, and TCP's see it alive.
    """

    quiet_s: float

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **more: Any) -> T:
        """See `psycopg.Connection`.

        Raises:
            psycopg.OperationalError: it was closed.
        """
        return super().wait(self._watched(gen), *args, **more)

    def _watched(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        """The same steps; psycopg sends what the socket is ready for, and nothing (0) at each tenth of a second."""
        heard_s = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    heard_s = time.monotonic()
                elif time.monotonic() - heard_s > self.quiet_s:
                    # Else SQLAlchemy would roll back on it, and wait as long again.
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server said nothing for {self.quiet_s:g} s")
                wanted = gen.send(ready)
        except StopIteration as done:
            result: T = done.value
            return result


def make_patient(engine: Engine, quiet_s: float) -> None:
    """Let an engine's connections wait for so long, seconds, and no longer.

    Args:
        engine: of PostgreSQL, that has not connected yet.
        quiet_s: for which a server may say nothing.
    """

    def connect(_: Any, __: Any, args: Any, more: Any) -> PatientConnection:
        made = PatientConnection.connect(*args, **more)
        made.quiet_s = quiet_s
        return made

    def give_back(connection: PatientConnection | None, _: ConnectionPoolEntry) -> None:
        if connection is not None:  # else it was closed
            connection.quiet_s = quiet_s

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkin", give_back)

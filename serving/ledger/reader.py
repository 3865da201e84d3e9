"""Reading the ledger, and how a database that does not answer is told of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, func, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from ...configs.messages import ConfigError
from ..core.settings import ServingSettings
from .chain import Head
from .statements import LAST_ENTRY, cycle_where
from .tables import CONTENT, cycles, entries, settings

Row = Mapping[str, Any]

WHOLE_ROWS, PLAIN_ROWS = 8, 500
"""Cycles that are read at a time, with and without their documents."""


class LedgerDown(Exception):
    """The ledger cannot be read or written now; says why without what was to be written."""


class LedgerMoved(Exception):
    """Another process has written a cycle of this fleet in the meantime; begin again with its memory."""


class LedgerReader:
    """What a ledger holds.

    Args:
        engine: of a ledger that is in place.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def cycle(self, **where: Any) -> Row | None:
        """The cycle with these columns, or None: `cycle_id`, or `fleet` and `start_s`, or `seq`."""
        with self._reading() as connection:
            found = connection.execute(cycle_where(*where), where).mappings().first()
        return None if found is None else _plain(found)

    def cycles(
        self,
        fleet: str | None = None,
        *,
        from_s: float | None = None,
        until_s: float | None = None,
        before_seq: int | None = None,
        limit: int = 100,
        columns: Sequence[str] = ("answer",),
    ) -> Iterator[Row]:
        """Cycles, the latest first, some at a time: no connection is held while the reader looks at a cycle.

        Args:
            fleet: whose; None: of all.
            from_s, until_s: between these starts, Unix seconds; the last one is not included.
            before_seq: only those before this entry.
            limit: at most so many.
            columns: of `tables.cycles`, beside the plain ones.
        """
        plain = [column for column in cycles.c if not column.name.startswith(("request", "answer", "record", "memory"))]
        query = _latest_first(select(*plain, *(cycles.c[name] for name in columns)), fleet, from_s, until_s)
        while limit > 0:
            some = query if before_seq is None else query.where(cycles.c.seq < before_seq)
            with self._reading() as connection:
                rows = connection.execute(some.limit(min(limit, WHOLE_ROWS if columns else PLAIN_ROWS))).mappings()
                found = [_plain(row) for row in rows]
            yield from found
            if not found:
                return
            limit, before_seq = limit - len(found), found[-1]["seq"]

    def ports_of_cycles(
        self, fleet: str, from_s: float | None = None, until_s: float | None = None, limit: int = 100
    ) -> int:
        """How many ports `cycles` would read with the same arguments, each as often as there are cycles."""
        query = _latest_first(select(cycles.c.ports), fleet, from_s, until_s).limit(limit).subquery()
        with self._reading() as connection:
            return int(connection.execute(select(func.coalesce(func.sum(query.c.ports), 0))).scalar_one())

    def fleets(self) -> list[str]:
        """The fleets that have cycles, by name."""
        with self._reading() as connection:
            return list(connection.execute(select(cycles.c.fleet).distinct().order_by(cycles.c.fleet)).scalars())

    def settings(self, digest: str) -> ServingSettings:
        """The settings with this digest.

        Raises:
            ConfigError: there are none, or this version cannot read them.
        """
        with self._reading() as connection:
            text = connection.execute(select(settings.c.document).where(settings.c.settings_sha256 == digest)).scalar()
        if text is None:
            raise ConfigError(f"the ledger holds no settings {digest}; was it cut? See `ebbflow ledger verify`")
        return ServingSettings.model_validate_json(text)

    def entries(self, after_seq: int = 0, limit: int = 200) -> list[Row]:
        """The next entries, in order."""
        query = select(entries).where(entries.c.seq > after_seq).order_by(entries.c.seq).limit(limit)
        with self._reading() as connection:
            return [_plain(row) for row in connection.execute(query).mappings()]

    def content(self, entry: Row) -> Row | None:
        """What an entry stands for; None: it is not there."""
        table = CONTENT.get(entry["kind"])
        if table is None:
            return None
        with self._reading() as connection:
            found = connection.execute(select(table).where(table.c.seq == entry["seq"])).mappings().first()
        return None if found is None else _plain(found)

    def head(self) -> Head:
        """The last entry."""
        with self._reading() as connection:
            return head_of(connection)

    def count(self, table: Table) -> int:
        """How many rows a table has."""
        with self._reading() as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with watched(), self.engine.connect() as connection:
            yield connection


@contextmanager
def watched() -> Iterator[None]:
    """Whatever the database says against it becomes a `LedgerDown` that repeats no row."""
    try:
        yield
    except IntegrityError as error:
        raise LedgerMoved from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        raise LedgerDown(f"{type(cause).__name__}: {str(cause).splitlines()[0][:200]}") from None
    except OSError as error:
        raise LedgerDown(f"{type(error).__name__}: {error.strerror}") from None


def _latest_first(query: Select[Any], fleet: str | None, from_s: float | None, until_s: float | None) -> Select[Any]:
    bounds = {cycles.c.fleet.__eq__: fleet, cycles.c.start_s.__ge__: from_s, cycles.c.start_s.__lt__: until_s}
    told = (compare(value) for compare, value in bounds.items() if value is not None)
    return query.where(*told).order_by(cycles.c.seq.desc())


def _plain(row: Any) -> Row:
    """A row with names of plain text: SQLAlchemy's own kind of text is refused by orjson."""
    return {"".join(name): value for name, value in row.items()}


def head_of(connection: Connection) -> Head:
    """The last entry."""
    last = connection.execute(LAST_ENTRY).first()
    return Head() if last is None else Head(last.seq, last.sha256)

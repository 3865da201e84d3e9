"""Writing and reading the ledger: one transaction a cycle, in the order in which they were decided."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, func, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from ...configs.messages import ConfigError
from ..core.controls import Order
from ..core.settings import ServingSettings
from ..messages.canonical import canonical_json, read_json
from .chain import Head, entry_after
from .connect import QUIET_S, WRITES, allow, is_in_place, ledger_url, make_engine, sqlite_file
from .documents import settings_digest, settings_document
from .migrate import upgrade
from .room import take_room
from .statements import (
    ADD_CONTENT,
    ADD_ENTRY,
    FLEET_HEAD,
    LAST_CYCLE,
    LAST_ENTRY,
    ORDERS,
    ORDERS_UNTIL,
    SETTINGS_SEQ,
    cycle_where,
)
from .tables import CONTENT, cycles, entries, settings

Row = Mapping[str, Any]

WHOLE_ROWS, PLAIN_ROWS = 8, 500
"""Cycles that are read at a time, with and without their documents."""

WRITTEN_BYTES_PER_S = 4e6
"""That even a slow server takes in; the documents of a million cars are tens of megabytes."""


class LedgerDown(Exception):
    """The ledger cannot be read or written now; says why without what was to be written."""


class LedgerMoved(Exception):
    """Another process has written a cycle of this fleet in the meantime; begin again with its memory."""


class FleetHead(NamedTuple):
    """Where a fleet stands."""

    seq: int  # of its last cycle; 0: none
    newest_s: float | None  # the latest start of all its cycles
    orders: tuple[Order, ...]  # that have not ended
    orders_seq: int  # of the last order


class Ledger:
    """A ledger, made or brought up to date where need be.

    Args:
        url: of SQLite or PostgreSQL; a plain path is a SQLite file.
        quiet_s: for which a PostgreSQL server may say nothing, before it counts as down: a cycle cannot wait longer.

    Raises:
        ConfigError: no such kind of ledger, or one of a newer release.
        LedgerDown: it cannot be opened.
    """

    def __init__(self, url: str, quiet_s: float = QUIET_S) -> None:
        self.url = ledger_url(url)
        self.engine = make_engine(self.url, quiet_s)
        self._known_settings: set[str] = set()
        self._failed_bytes = 0  # of the last cycle, where it could not be written
        try:
            with _watched():
                upgrade(self.engine)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self.url.render_as_string()

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    def check(self) -> None:
        """Find out whether it can be written: an entry is added and taken back, and the disk has room.

        Room for a small cycle, or for the last one where that could not be written.

        Raises:
            LedgerDown: it cannot.
        """
        with self._writing() as connection:
            connection.execute(ADD_ENTRY, entry_after(_head(connection), "probe", 0.0, {}))
            connection.rollback()
        if (file := sqlite_file(self.url)) is not None:
            with _watched():
                take_room(file, self._failed_bytes)

    def fleet_head(self, fleet: str, now_s: float) -> FleetHead:
        """Where a fleet stands.

        Raises:
            LedgerDown: see there.
        """
        with self._reading() as connection:
            seq, newest_s, orders_seq = connection.execute(FLEET_HEAD, {"fleet": fleet}).one()
            orders = _orders(connection, ORDERS, fleet=fleet, now_s=now_s) if orders_seq else ()
        return FleetHead(seq or 0, newest_s, orders, orders_seq or 0)

    def orders_until(self, fleet: str, seq: int, now_s: float) -> tuple[Order, ...]:
        """The orders up to an entry that had not ended at `now_s`."""
        with self._reading() as connection:
            return _orders(connection, ORDERS_UNTIL, fleet=fleet, now_s=now_s, until_seq=seq)

    def record_cycle(self, row: Row, head: FleetHead, used: ServingSettings) -> int:
        """Write a cycle; when this returns it is on the disk.

        Args:
            row: of `documents.cycle_row`.
            head: of the fleet, when it was decided.
            used: the settings that it was decided with.

        Returns:
            Its place in the ledger.

        Raises:
            LedgerMoved: the fleet has another head now.
            LedgerDown: it was not written.
        """
        digest = settings_digest(used)
        self._failed_bytes = _bytes(row)  # until it is written
        now = {"settings_sha256": digest, "before_seq": head.seq, "orders_seq": head.orders_seq}
        with self._writing(row) as connection:
            if (connection.execute(LAST_CYCLE, {"fleet": row["fleet"]}).scalar() or 0) != head.seq:
                raise LedgerMoved
            if digest not in self._known_settings:
                _write_settings(connection, used, digest, row["decided_at_s"])
            seq = _append(connection, "cycle", row["decided_at_s"], {**row, **now})
        self._known_settings.add(digest)
        self._failed_bytes = 0
        return seq

    def record_order(self, fleet: str, order: Order) -> int:
        """Write an operator's order.

        Raises:
            LedgerDown: it was not written.
        """
        row = {**order._asdict(), "fleet": fleet, "ports": canonical_json(list(order.ports)).decode()}
        with self._writing() as connection:
            return _append(connection, "control", order.issued_s, row)

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
            return _head(connection)

    def count(self, table: Table) -> int:
        """How many rows a table has."""
        with self._reading() as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _watched(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self, row: Row | None = None) -> Iterator[Connection]:
        with _watched(), self.engine.connect().execution_options(**WRITES) as connection, connection.begin():
            if self.engine.dialect.name == "postgresql":
                allow(connection, _bytes(row or {}) / WRITTEN_BYTES_PER_S)
                connection.exec_driver_sql("LOCK TABLE entries IN EXCLUSIVE MODE")
            if not is_in_place(connection):
                raise LedgerDown("its file was moved or removed; put it back, or start the service again")
            yield connection


@contextmanager
def _watched() -> Iterator[None]:
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


def _bytes(row: Row) -> int:
    return sum(len(value) for value in row.values() if isinstance(value, bytes))


def _append(connection: Connection, kind: str, at_s: float, row: Row) -> int:
    entry = entry_after(_head(connection), kind, at_s, row)
    connection.execute(ADD_ENTRY, entry)
    connection.execute(ADD_CONTENT[kind], {**row, "seq": entry["seq"]})
    return int(entry["seq"])


def _head(connection: Connection) -> Head:
    last = connection.execute(LAST_ENTRY).first()
    return Head() if last is None else Head(last.seq, last.sha256)


def _write_settings(connection: Connection, used: ServingSettings, digest: str, at_s: float) -> None:
    if connection.execute(SETTINGS_SEQ, {"settings_sha256": digest}).first() is None:
        document = canonical_json(settings_document(used)).decode()
        _append(connection, "settings", at_s, {"settings_sha256": digest, "document": document})


def _orders(connection: Connection, query: Select[Any], **known: Any) -> tuple[Order, ...]:
    return tuple(_order(row) for row in connection.execute(query, known).mappings())


def _order(row: Any) -> Order:
    told = {name: row[name] for name in Order._fields if name != "ports"}
    return Order(**told, ports=tuple(read_json(row["ports"])))

"""Writing the ledger: one transaction a cycle, in the order in which they were decided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select

from ..core.controls import Order
from ..core.settings import ServingSettings
from ..messages.canonical import canonical_json, read_json
from .chain import entry_after
from .connect import QUIET_S, WRITES, allow, is_in_place, ledger_url, make_engine, sqlite_file
from .documents import settings_digest, settings_document
from .migrate import upgrade
from .reader import LedgerDown, LedgerMoved, LedgerReader, Row, head_of, watched
from .room import take_room
from .statements import (
    ADD_CONTENT,
    ADD_ENTRY,
    FLEET_HEAD,
    LAST_CYCLE,
    ORDERS,
    ORDERS_UNTIL,
    SETTINGS_SEQ,
)

WRITTEN_BYTES_PER_S = 4e6
"""That even a slow server takes in; the documents of a million cars are tens of megabytes."""


class FleetHead(NamedTuple):
    """Where a fleet stands."""

    seq: int  # of its last cycle; 0: none
    newest_s: float | None  # the latest start of all its cycles
    orders: tuple[Order, ...]  # that have not ended
    orders_seq: int  # of the last order


class Ledger(LedgerReader):
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
        super().__init__(make_engine(self.url, quiet_s))
        self._known_settings: set[str] = set()
        self._failed_bytes = 0  # of the last cycle, where it could not be written
        try:
            with watched():
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
            connection.execute(ADD_ENTRY, entry_after(head_of(connection), "probe", 0.0, {}))
            connection.rollback()
        if (file := sqlite_file(self.url)) is not None:
            with watched():
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

    @contextmanager
    def _writing(self, row: Row | None = None) -> Iterator[Connection]:
        with watched(), self.engine.connect().execution_options(**WRITES) as connection, connection.begin():
            if self.engine.dialect.name == "postgresql":
                allow(connection, _bytes(row or {}) / WRITTEN_BYTES_PER_S)
                connection.exec_driver_sql("LOCK TABLE entries IN EXCLUSIVE MODE")
            if not is_in_place(connection):
                raise LedgerDown("its file was moved or removed; put it back, or start the service again")
            yield connection


def _bytes(row: Row) -> int:
    return sum(len(value) for value in row.values() if isinstance(value, bytes))


def _append(connection: Connection, kind: str, at_s: float, row: Row) -> int:
    entry = entry_after(head_of(connection), kind, at_s, row)
    connection.execute(ADD_ENTRY, entry)
    connection.execute(ADD_CONTENT[kind], {**row, "seq": entry["seq"]})
    return int(entry["seq"])


def _write_settings(connection: Connection, used: ServingSettings, digest: str, at_s: float) -> None:
    if connection.execute(SETTINGS_SEQ, {"settings_sha256": digest}).first() is None:
        document = canonical_json(settings_document(used)).decode()
        _append(connection, "settings", at_s, {"settings_sha256": digest, "document": document})


def _orders(connection: Connection, query: Select[Any], **known: Any) -> tuple[Order, ...]:
    return tuple(_order(row) for row in connection.execute(query, known).mappings())


def _order(row: Any) -> Order:
    told = {name: row[name] for name in Order._fields if name != "ports"}
    return Order(**told, ports=tuple(read_json(row["ports"])))

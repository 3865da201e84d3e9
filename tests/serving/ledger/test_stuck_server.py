"""A PostgreSQL server that stands still costs a cycle some seconds and its record, never its answer."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.ledger import connect as connecting
from ebbflow.serving.ledger.connect import CONNECT_S, ledger_url, make_engine
from ebbflow.serving.ledger.reader import LedgerDown
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.ledger.verify import verify

from ..core.small_fleet import Says  # noqa: TID252
from ..service.services import Rig  # noqa: TID252

QUIET_S = 0.5

of_a_server = pytest.mark.parametrize("url", ["postgresql"], indirect=True)
"""A file is not another process."""


@pytest.fixture
def rig(url: str) -> Iterator[Rig]:
    made = Rig(Ledger(url, QUIET_S), Says(-5.0))
    yield made
    made.ledger.close()


def backend(ledger: Ledger) -> int:
    """The process that serves the ledger's one connection."""
    with ledger.engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())


def parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


@contextmanager
def stopped(*processes: int) -> Iterator[None]:
    """And gone on with at the end."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@of_a_server
def test_a_stopped_backend_is_given_up_and_another_records(rig: Rig) -> None:
    assert rig.cycle(0).recorded
    with stopped(backend(rig.ledger)):
        began = time.monotonic()
        assert rig.cycle(1).recorded
        assert time.monotonic() - began < QUIET_S + 1.5
    assert verify(rig.ledger, replay=True).whole


@of_a_server
def test_a_stopped_server_costs_seconds_and_the_record(rig: Rig) -> None:
    rig.cycle(0)
    one = backend(rig.ledger)
    with stopped(one, parent(one)):
        began = time.monotonic()
        down = rig.cycle(1)
        assert time.monotonic() - began < QUIET_S + CONNECT_S + 1.5
        assert (down.recorded, down.answer.state.word, down.answer.totals.export_kw) == (False, "ledger_down", 0.0)
    assert rig.cycle(2).recorded
    assert verify(rig.ledger, replay=True).whole


@of_a_server
def test_a_server_that_stops_in_a_transaction_is_given_up(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two statements, where no ping looks first; nothing is rolled back on a connection that is closed."""
    monkeypatch.setattr(rig.ledger.engine.pool, "_pre_ping", False)
    with stopped(backend(rig.ledger)), pytest.raises(LedgerDown, match=r"the server said nothing for 0\.5 s"):
        rig.ledger.check()


@of_a_server
def test_a_slow_statement_is_waited_for_where_nobody_waits_for_a_cycle(url: str, rig: Rig) -> None:
    for quiet_s, ends in ((QUIET_S, False), (5.0, True)):
        engine = make_engine(ledger_url(url), quiet_s)
        with engine.connect() as connection:
            try:
                connection.execute(sa.text("SELECT pg_sleep(1)"))
            except sa.exc.OperationalError:
                assert not ends
            else:
                assert ends
        engine.dispose()


def test_the_url_may_say_how_long_a_connection_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    from ebbflow.serving.ledger.patience import PatientConnection

    found: dict[str, object] = {}

    def connect(**more: object) -> None:
        found.update(more)
        raise InterruptedError

    monkeypatch.setattr(PatientConnection, "connect", connect)
    with pytest.raises(InterruptedError):
        make_engine(ledger_url("postgresql://host/name?tcp_user_timeout=9000")).connect()
    assert (found["tcp_user_timeout"], found["keepalives_idle"], found["connect_timeout"]) == ("9000", 5, CONNECT_S)
    assert load_serving().deadline.answer_s > CONNECT_S + connecting.QUIET_S

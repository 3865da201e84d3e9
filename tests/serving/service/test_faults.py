"""When the ledger fails: an answer by the rules within the deadline, nothing exported, nothing lost or doubled."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ebbflow.serving.ledger import tables
from ebbflow.serving.ledger.reader import LedgerDown
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.ledger.verify import verify
from ebbflow.serving.messages.vocabulary import Mode
from ebbflow.serving.service import Answered, CycleConflict, ServiceBusy

from ..core.small_fleet import Says, request  # noqa: TID252
from .services import Rig

EXPORT = Says(-5.0)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(str(tmp_path / "ledger.db"), EXPORT)
    yield made
    made.ledger.close()


def assert_down(told: Answered) -> None:
    assert told.answer.state.word == "ledger_down"
    assert not told.recorded
    assert told.answer.totals.export_kw == 0.0
    assert told.answer.decisions.source[0] == 2, "rules"
    assert any("ledger, or it cannot be written" in problem for problem in told.answer.problems)


def test_exports_stop_while_the_ledger_is_locked_and_come_back(rig: Rig, tmp_path: Path) -> None:
    assert rig.cycle(0).answer.totals.export_kw == 15.0
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    down = rig.cycle(1)
    assert time.monotonic() - began < 2.5, "within the deadline of 5 s, with room"
    assert_down(down)
    assert rig.cycle(1).body == down.body, "the same cycle gets the same answer"
    with pytest.raises(CycleConflict):
        rig.cycle(1, ports__soc=0.4)
    assert not rig.service.ledger_works()
    other.execute("ROLLBACK")
    other.close()
    back = rig.cycle(2)
    assert (back.recorded, back.answer.state.word) == (True, "auto")
    assert rig.cycle(3).answer.totals.export_kw == 15.0
    found = verify(rig.ledger, replay=True)
    assert found.whole, found.problems
    assert found.cycles == 3, "the cycle without a ledger is not in it, and what followed it is reproduced all the same"


def test_an_order_holds_while_the_ledger_is_locked(rig: Rig, tmp_path: Path) -> None:
    rig.cycle(0)
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert rig.order("hold", minutes=40) is False
    other.execute("ROLLBACK")
    other.close()
    assert rig.cycle(1).answer.state.word == "operator"
    assert [order.control for order in rig.service.orders("f")] == ["hold"]
    assert verify(rig.ledger, replay=True).whole
    assert rig.cycle(4).answer.state.word == "auto"


def test_a_recorded_order_holds_although_the_ledger_then_fails(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.cycle(0)
    assert rig.order("release", minutes=40) is True

    def down(*_: object) -> None:
        raise LedgerDown("drill")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "fleet_head", down)
        told = rig.cycle(1).answer
    assert set(told.decisions.mode.tolist()) == {Mode.RELEASE}
    after = rig.cycle(2).answer
    assert (after.state.word, len(rig.service.orders("f"))) == ("operator", 1)
    assert rig.cycle(4).answer.state.word == "auto"
    assert verify(rig.ledger, replay=True).whole


def test_a_full_disk_costs_no_answer(tmp_path: Path) -> None:
    """A file system of one megabyte where the machine lets us make one, else SQLite's own limit: the same error."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.geteuid() == 0 and not subprocess.call(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], stderr=subprocess.DEVNULL
    )
    try:
        rig = Rig(str(disk / "ledger.db"), EXPORT)
        told = rig.cycle(0)
        if mounted:
            filler = disk / "filler"
            with pytest.raises(OSError, match="No space"):
                _fill(filler)
        else:
            sa.event.listen(rig.ledger.engine, "begin", lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1"))
        steps = range(1, 40)
        for step in steps:
            down = rig.cycle(step)
            if not down.recorded:
                break
        assert_down(down)
        kept = step
        if mounted:
            assert not rig.service.ledger_works()
            filler.unlink()
            assert rig.service.ledger_works()
            assert rig.cycle(step + 1).recorded
            kept += 1
        found = verify(rig.ledger, replay=True)
        assert found.whole, found.problems
        assert found.cycles == kept
        assert rig.cycle(0).body == told.body
        rig.ledger.close()
    finally:
        if mounted:
            subprocess.check_call(["umount", str(disk)])


def test_it_is_not_ready_where_no_cycle_could_be_written(rig: Rig, tmp_path: Path) -> None:
    """A disk without room, by a limit of the process: no file may grow. What is asked of the disk leaves nothing."""
    assert rig.cycle(0).recorded
    before, whole = resource.getrlimit(resource.RLIMIT_FSIZE), sorted(tmp_path.iterdir())
    assert rig.service.ledger_works()
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        assert_down(rig.cycle(1))
        assert not rig.service.ledger_works()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert rig.service.ledger_works()
    assert rig.cycle(2).recorded
    assert sorted(tmp_path.iterdir()) == whole
    assert verify(rig.ledger, replay=True).whole


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def test_a_removed_ledger_takes_no_cycle(rig: Rig, tmp_path: Path) -> None:
    """SQLite would go on writing to the file that nobody can find any more."""
    assert rig.cycle(0).recorded
    (tmp_path / "ledger.db").rename(tmp_path / "elsewhere.db")
    assert_down(rig.cycle(1))
    assert "moved or removed" in rig.service.metrics.last_ledger_error


def test_a_read_only_ledger_takes_no_cycle(rig: Rig) -> None:
    rig.cycle(0)
    sa.event.listen(rig.ledger.engine, "begin", lambda c: c.exec_driver_sql("PRAGMA query_only = ON"))
    assert_down(rig.cycle(1))


def test_a_ledger_that_was_never_there_while_it_served(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its start it cannot be read; when it can, what was sent meanwhile is not forgotten."""

    def down(*_: object) -> None:
        raise LedgerDown("drill")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "fleet_head", down)
        for step in range(3):
            assert_down(rig.cycle(step))
    assert rig.cycle(3).recorded
    assert rig.ledger.count(tables.cycles) == 1
    row = rig.ledger.cycle(start_s=request(3).start_s)
    assert row is not None
    assert row["memory_before"] is not None, "the ledger alone could not tell what the cycle began with"
    assert verify(rig.ledger, replay=True).whole


def test_a_fleet_whose_cycle_hangs_is_busy_and_others_are_not(tmp_path: Path) -> None:
    rig = Rig(str(tmp_path / "l.db"), None, "deadline.answer_s=0.2")
    with rig.service._fleet("f"), pytest.raises(ServiceBusy):
        rig.cycle(0)
    with rig.service._fleet("other"):
        assert rig.cycle(0).recorded
    rig.ledger.close()

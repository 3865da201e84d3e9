"""The ledger keeps each cycle once, refuses to be changed, and says so when it was."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ebbflow.configs.messages import ConfigError
from ebbflow.serving.ledger import tables
from ebbflow.serving.ledger.again import replay_cycle
from ebbflow.serving.ledger.chain import Head
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.ledger.story import decisions_of
from ebbflow.serving.ledger.verify import verify
from ebbflow.serving.service import CycleConflict

from ..core.small_fleet import Says, request  # noqa: TID252
from ..service.services import Rig  # noqa: TID252


@pytest.fixture
def rig(url: str) -> Iterator[Rig]:
    made = Rig(url, Says(5.0))
    yield made
    made.ledger.close()


def test_a_ledger_is_made_once_and_opened_again(url: str) -> None:
    for _ in range(2):
        ledger = Ledger(url)
        assert ledger.head() == Head()
        ledger.close()


def test_the_migration_makes_the_tables_that_the_program_uses(url: str) -> None:
    ledger = Ledger(url)
    inspector = sa.inspect(ledger.engine)
    assert set(inspector.get_table_names()) == {*tables.metadata.tables, "alembic_version"}
    for name, table in tables.metadata.tables.items():
        found = {column["name"]: column for column in inspector.get_columns(name)}
        assert list(found) == [column.name for column in table.columns]
        assert {key: column["nullable"] for key, column in found.items()} == {
            column.name: column.nullable for column in table.columns
        }
        assert {index["name"] for index in inspector.get_indexes(name)} >= {index.name for index in table.indexes}
    ledger.close()


def test_a_newer_ledger_is_refused_and_left_alone(url: str) -> None:
    ledger = Ledger(url)
    with ledger.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    ledger.close()
    with pytest.raises(ConfigError, match=r"9999.*install the release"):
        Ledger(url)


@pytest.mark.parametrize("change", ["UPDATE {0} SET seq = seq + 100", "DELETE FROM {0}"])
@pytest.mark.parametrize("table", ["entries", "cycles", "controls", "settings"])
def test_no_row_can_be_changed_or_removed(rig: Rig, table: str, change: str) -> None:
    rig.cycle(0)
    rig.order("hold")
    with pytest.raises(DBAPIError, match="append-only"), rig.ledger.engine.begin() as connection:
        connection.execute(sa.text(change.format(table)))
    assert verify(rig.ledger).whole


def test_a_cycle_is_answered_again_byte_for_byte(rig: Rig) -> None:
    first = rig.cycle(0)
    again = rig.cycle(0)
    assert (first.recorded, first.repeated, again.recorded, again.repeated) == (True, False, True, True)
    assert again.body == first.body
    assert rig.ledger.count(tables.cycles) == 1


def test_another_request_for_an_answered_cycle_is_refused(rig: Rig) -> None:
    rig.cycle(0)
    with pytest.raises(CycleConflict, match="already answered"):
        rig.cycle(0, ports__soc=0.4)


def test_a_restart_goes_on_where_the_ledger_ended(url: str) -> None:
    one = Rig(url, Says(5.0), "economy.min_dwell_s=3000")
    one.cycle(0, ports__soc=0.7)
    one.ledger.close()
    other = Rig(url, Says(7.0), "economy.min_dwell_s=3000")
    held = other.cycle(1, ports__soc=0.7).answer.decisions
    assert held.setpoint_kw.tolist() == [5.0] * 3, "the dwell since the command before the restart is kept"
    assert not held.command_due.any()
    with pytest.raises(CycleConflict):
        other.cycle(0)
    other.ledger.close()


def test_orders_outlive_a_restart_and_end(url: str) -> None:
    one = Rig(url, Says(5.0))
    one.cycle(0)
    assert one.order("release", minutes=20.0, ports=("b",))
    one.ledger.close()
    other = Rig(url, Says(5.0))
    assert other.cycle(1).answer.state.word == "operator"
    assert other.cycle(2).answer.state.word == "auto"
    other.ledger.close()


def test_every_answer_comes_out_of_the_ledger_alone(rig: Rig) -> None:
    for step in range(6):
        if step == 2:
            rig.order("no_export", minutes=30)
        if step == 4:
            rig.order("rules_only", minutes=30, ports=("a",))
        rig.cycle(step, ports__soc=0.4 + 0.05 * step)
    found = verify(rig.ledger, replay=True)
    assert found.whole, found.problems
    assert (found.cycles, found.replayed) == (6, 6)


def test_a_cycle_with_a_failing_policy_comes_out_the_same(url: str) -> None:
    rig = Rig(url, Says(lambda snapshot: ZeroDivisionError("x")))
    for step in range(5):
        rig.cycle(step)
    assert rig.cycle(5).answer.state.word == "degraded"
    assert verify(rig.ledger, replay=True).whole
    rig.ledger.close()


def test_two_services_share_a_ledger(url: str) -> None:
    """Each cycle is decided once, by whoever comes first, and the other goes on from there."""
    one, other = Rig(url, Says(5.0)), Rig(url, Says(5.0))
    for step in range(6):
        first, second = (one, other) if step % 2 else (other, one)
        told = first.cycle(step)
        again = second.cycle(step)
        assert again.repeated
        assert again.body == told.body
    assert verify(one.ledger, replay=True).whole
    assert one.ledger.count(tables.cycles) == 6
    for rig in (one, other):
        rig.ledger.close()


def test_many_at_once_leave_each_cycle_once(url: str) -> None:
    rigs = [Rig(url, Says(5.0)) for _ in range(3)]
    told: list[bytes] = []

    def ask(rig: Rig) -> None:
        for step in range(4):
            told.append(rig.cycle(step).body)  # noqa: PERF401

    threads = [threading.Thread(target=ask, args=(rig,)) for rig in rigs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(told) >= 4
    found = verify(rigs[0].ledger, replay=True)
    assert found.whole, found.problems
    assert rigs[0].ledger.count(tables.cycles) == 4
    for rig in rigs:
        rig.ledger.close()


def test_what_was_changed_behind_its_back_is_found(url: str) -> None:
    rig = Rig(url, Says(5.0))
    for step in range(4):
        rig.cycle(step)
    noted = rig.ledger.head()
    for change, problem in TAMPERING:
        with rig.ledger.engine.connect() as connection:
            _unlock(connection)
            transaction = connection.begin() if not connection.in_transaction() else connection.get_transaction()
            connection.execute(sa.text(change))
            assert transaction is not None
            transaction.commit()
        found = verify(rig.ledger, expected=noted)
        assert any(problem in said for said in found.problems), (change, found.problems)
    rig.ledger.close()


TAMPERING = (
    ("UPDATE cycles SET decided_at_s = decided_at_s + 1 WHERE seq = 3", "the cycle of entry 3 was changed"),
    ("UPDATE entries SET at_s = at_s + 1 WHERE seq = 4", "entry 4 was changed"),
    ("DELETE FROM cycles WHERE seq = 5", "the cycle of entry 5 is missing"),
    ("DELETE FROM entries WHERE seq = 5", "it ends at entry 4, but entry 5 was noted"),
)


def _unlock(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET session_replication_role = replica")
        return
    for table in tables.metadata.tables:
        for change in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_{change}")


def test_what_a_port_was_told(rig: Rig) -> None:
    for step in range(3):
        rig.cycle(step)
    told = list(decisions_of(rig.ledger, "f", "b", from_s=request(1).start_s))
    assert [one["cycle_id"][-5:-1] for one in told] == ["3000", "1500"]
    assert told[0]["setpoint_kw"] == 5.0
    assert told[0]["reason"] == "as_asked"
    assert not list(decisions_of(rig.ledger, "f", "nobody"))
    assert not list(decisions_of(rig.ledger, "other", "b"))


def test_an_unknown_cycle_cannot_be_replayed(rig: Rig) -> None:
    with pytest.raises(ConfigError, match="holds no cycle"):
        replay_cycle(rig.ledger, "f.20000101T000000Z")


@pytest.mark.parametrize("text", ["mysql://h/d", "not a url://", "redis:///x"])
def test_other_ledgers_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"postgresql://HOST/NAME"):
        Ledger(text)

"""Readings over several cycles: brought to now, frozen, overtaken, lost, and remembered over a restart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ebbflow.serving.core.cycle import CycleRefused
from ebbflow.serving.core.memory import memory_document, memory_from, new_memory
from ebbflow.serving.messages import canonical_json, read_json
from ebbflow.serving.messages.vocabulary import DecisionReason

from .small_fleet import Says, Service, document

Seen = list[Any]


def watching(seen: Seen) -> Says:
    """A policy that asks for 4 kW and keeps what it was shown of car a: SoC and need."""

    def answer(snapshot: Any) -> float:
        seen.append((float(snapshot.ports.soc[0, 0]), float(snapshot.ports.need_kwh[0, 0])))
        return 4.0

    return Says(answer)


def reason(outcome: Any) -> str:
    return DecisionReason(outcome.answer.decisions.reason[0]).word


def test_an_older_reading_is_brought_to_now_by_the_power_measured_since() -> None:
    seen: Seen = []
    Service(watching(seen)).cycle(ports__soc_age_s=1800.0, ports__power_kw=6.0)
    # Half an hour at 0.9 * 6 - 0.1 kW into 60 kWh.
    assert seen[0][0] == pytest.approx(0.5 + 0.5 * 5.3 / 60)


def test_a_soc_that_stands_still_while_energy_flows_is_frozen_and_the_need_takes_over() -> None:
    seen: Seen = []
    service = Service(watching(seen))
    reasons = [reason(service.cycle(step, ports__power_kw=11.0)) for step in range(4)]
    # 2.45 kWh an interval into 60 kWh: 5 % have gone in after the second.
    assert reasons == ["as_asked", "as_asked", "frozen_soc", "frozen_soc"]
    assert np.isnan(seen[2][0])
    assert seen[2][1] == pytest.approx((0.8 - 0.5) * 60 - 2 * 2.45)
    assert reason(service.cycle(4, ports__power_kw=11.0, ports__soc=0.6)) == "as_asked"


def test_energy_is_counted_by_the_time_that_passed_however_often_cycles_come() -> None:
    service, minutes = Service(Says(4.0)), 12
    reasons = [reason(service.cycle(at / 30, ports__power_kw=11.0)) for at in range(2 * minutes + 1)]
    assert set(reasons) == {"as_asked"}
    assert service.memory.ports.kwh_since[0] == pytest.approx(minutes / 60 * (0.9 * 11 - 0.1))
    # After a gap the last measured power counts for an interval, not for a time of which nobody knows.
    service.cycle(8, ports__power_kw=11.0)
    assert service.memory.ports.kwh_since[0] == pytest.approx((minutes + 15) / 60 * (0.9 * 11 - 0.1))


def test_a_car_that_stands_still_is_not_frozen() -> None:
    service = Service(Says(4.0))
    assert {reason(service.cycle(step)) for step in range(20)} == {"as_asked"}


def test_another_car_at_the_port_is_another_story() -> None:
    service = Service(Says(4.0))
    for step in range(2):
        service.cycle(step, ports__power_kw=11.0, ports__car=["x", "y", "z"])
    assert reason(service.cycle(2, ports__power_kw=11.0, ports__car=["w", "y", "z"])) == "as_asked"


def test_a_reading_that_was_overtaken_does_not_count() -> None:
    seen: Seen = []
    service = Service(watching(seen))
    service.cycle(0, ports__soc=0.6)
    service.cycle(1, ports__soc=0.4, ports__soc_age_s=1500.0)
    assert seen[1][0] == pytest.approx(0.6)


def test_a_lost_soc_is_reckoned_from_the_last_good_one() -> None:
    made = []
    service = Service()
    for step, soc_age in enumerate([10.0, 9000.0]):
        made.append(service.cycle(step, ports__power_kw=8.0, ports__soc_age_s=soc_age, ports__plugged_age_s=0.0))
    assert reason(made[1]) == "stale_soc"
    assert service.memory.ports.soc[0] == 0.5
    assert service.memory.ports.kwh_since[0] == pytest.approx(0.25 * (0.9 * 8 - 0.1))


def test_a_restart_goes_on_where_the_last_cycle_ended() -> None:
    one, other = Service(Says(4.0), "gates.check_clock=true"), Service(Says(4.0), "gates.check_clock=true")
    for step in range(5):
        changes = {"ports__power_kw": 11.0, "ports__soc": 0.5 + 0.01 * step}
        assert one.cycle(step, **changes).answer.totals == other.cycle(step, **changes).answer.totals
        other.memory = memory_from(read_json(canonical_json(memory_document(other.memory))))
    assert canonical_json(memory_document(one.memory)) == canonical_json(memory_document(other.memory))


@pytest.mark.parametrize("document", [{}, {"schema": "x"}, {"schema": "ebbflow.memory/1", "ports": 3}])
def test_what_is_no_memory_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="memory"):
        memory_from(document)


def test_commands_are_counted_by_local_day_and_due_on_change_only() -> None:
    service = Service(Says(4.0))
    due = [service.cycle(step).answer.totals.commands_due for step in (0, 1)]
    assert due == [3, 0]
    assert service.memory.ports.commands_today.tolist() == [1, 1, 1]
    service.order("release", step=2, until=3)
    assert service.cycle(2).answer.totals.commands_due == 3
    assert service.cycle(3).answer.totals.commands_due == 3
    assert service.memory.ports.commands_today.tolist() == [3, 3, 3]
    service.cycle(48)  # midnight
    assert service.memory.ports.commands_today.tolist() == [0, 0, 0]


def without_a() -> dict[str, Any]:
    """A message that tells nothing of the first car's port."""
    ports = document()["ports"]
    return {"ports": {name: column[1:] for name, column in ports.items()}}


def test_a_message_without_a_port_does_not_renew_its_budget_of_commands() -> None:
    service = Service(Says(4.0))
    service.cycle(0, ports__soc=0.6)
    service.cycle(1, **without_a())
    service.cycle(2, **without_a())
    assert service.memory.ports.id.tolist() == ["b", "c", "a"]
    service.memory = memory_from(read_json(canonical_json(memory_document(service.memory))))
    back = service.cycle(3, ports__soc=0.4, ports__soc_age_s=2900.0)
    assert back.answer.decisions.command_due.tolist() == [True, False, False], "what stood there has lapsed"
    assert service.memory.ports.commands_today.tolist() == [2, 1, 1]
    assert service.memory.ports.soc[0] == 0.6, "the older reading came late"
    service.cycle(4, **without_a())
    service.cycle(48, **without_a())  # midnight
    assert service.memory.ports.id.tolist() == ["b", "c"]


@pytest.mark.parametrize(("off_s", "why"), [(5000.0, "off the service's clock"), (-500.0, "off the service's clock")])
def test_a_cycle_of_another_time_is_refused(off_s: float, why: str) -> None:
    with pytest.raises(CycleRefused, match=why):
        Service(Says(4.0)).cycle(0, off_s=off_s)


def test_cycles_come_in_order_but_a_clock_that_was_ahead_does_not_stop_the_service() -> None:
    service = Service(Says(4.0))
    service.cycle(5)
    with pytest.raises(CycleRefused, match="send cycles in order"):
        service.cycle(5)
    with pytest.raises(CycleRefused, match="send cycles in order"):
        service.cycle(4, off_s=1000.0)
    # An hour back: what was last answered lies in the future, so it was by a wrong clock.
    assert service.cycle(1).answer.totals.by_source == {"policy": 3}
    assert service.memory.last_start_s is not None


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25)])
def test_days_of_23_and_25_hours_have_as_many_cycles_and_no_departure_moves(day: str, hours: int) -> None:
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    zone, service = ZoneInfo("America/Los_Angeles"), Service(Says(4.0))
    start = datetime.fromisoformat(day).replace(tzinfo=zone)
    end = datetime.fromisoformat(day).replace(tzinfo=zone) + timedelta(days=1)
    cycles, now = 0, start.timestamp()
    while now < end.timestamp():
        local = datetime.fromtimestamp(now, zone).isoformat()
        left = [end.timestamp() - now] * 3
        service.cycle(0, cycle_start=local, ports__departs_in_s=left)
        cycles, now = cycles + 1, now + 900
    assert cycles == hours * 4


def test_the_first_cycle_remembers_nothing() -> None:
    assert new_memory().last_start_s is None

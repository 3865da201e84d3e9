"""Reports for the utility, by hand and against the simulator's own report of the same day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from ebbflow.agents.days import DayRequest, draw_days
from ebbflow.agents.evaluation.events import event_report
from ebbflow.envs.simulator import Simulator
from ebbflow.serving.core.cycle import Outcome, Record, dispatch, make_kit
from ebbflow.serving.core.memory import new_memory
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.messages import DispatchAnswer, DispatchRequest, canonical_json, request_of
from ebbflow.serving.people.events import EventReport, event_reports
from ebbflow.serving.people.limits import limit_document, plan_document
from ebbflow.serving.people.plan import plan_of
from ebbflow.serving.people.story import story

from ..core.small_fleet import Says, Service, request  # noqa: TID252


@dataclass(frozen=True)
class Told:
    """A cycle as a ledger would keep it."""

    request: DispatchRequest
    answer: DispatchAnswer
    record: Record


def kept(asked: DispatchRequest, made: Outcome) -> Told:
    return Told(asked, made.answer, made.record)


EVENT: dict[str, Any] = {"type": ["elrp"], "rate_usd_per_kwh": [2.0], "binding": [True]}


def day_of_events(steps: Sequence[float] = range(8), **changes: Any) -> list[Told]:
    """Eight cycles; an event runs from the third to the sixth. Cars ask for 5 kW; without cars the site draws 3 kW."""
    service, cycles, power = Service(Says(5.0)), [], [0.0] * 3
    for step in steps:
        event = EVENT | {"start_in_s": [1800 - 900 * step], "end_in_s": [5400 - 900 * step]}
        shared = {"events": event, "sites__net_load_kw": [3.0], "sites__baseline_kw": [[12.0]], **changes}
        asked = {**shared, "ports__power_kw": power}
        made = service.cycle(step, **asked)
        cycles.append(kept(request(step, **asked), made))
        power = made.answer.decisions.setpoint_kw.tolist()
    return cycles


def one(cycles: list[Told]) -> EventReport:
    (report,) = event_reports(reversed(cycles))
    return report


def test_an_event_by_hand() -> None:
    """Baseline 3 + 12 kW, metered 3 kW for an hour: 12 kWh delivered in four quarters, $24."""
    report = one(day_of_events())
    assert [row.start.minute for row in report.rows] == [30, 45, 0, 15]
    for row in report.rows:
        assert (row.site, row.baseline_kwh, row.metered_import_kwh) == ("s", 3.75, 0.75)
        assert row.delivered_kwh == pytest.approx(3.0)
    assert report.total("delivered_kwh") == pytest.approx(12.0)
    assert report.payment_usd == pytest.approx(24.0)
    assert (report.cycles, report.cycles_missing, report.measured_share, report.finished) == (4, 0, 1.0, True)
    assert report.start.isoformat() == "2026-07-15T12:30:00-07:00"
    assert canonical_json(report.document())


@pytest.mark.parametrize(
    "steps",
    [
        [0, 1, 1.5, *range(2, 8)],  # before the event
        [0, 1, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5],  # on another grid from there
        [0, 1, 2, 2.25, 2.5, 3, 4, 4.9, 5, 6, 7],  # in the event
        [0, 1, 2, 2 + 1 / 900, 3 + 2 / 900, 4, 5, 6],  # begun late
    ],
    ids=str,
)
def test_cycles_off_the_grid_count_for_as_long_as_they_hold(steps: list[float]) -> None:
    report = one(day_of_events(steps))
    assert [row.start.minute for row in report.rows] == [30, 45, 0, 15]
    assert report.total("delivered_kwh") == pytest.approx(12.0, rel=0.001)
    assert (report.cycles_missing, report.finished) == (0, True)
    assert report.measured_share == pytest.approx(1.0, abs=0.001), "a second that ended before the next reading"


def test_what_is_told_twice_of_a_clock_that_was_put_back_counts_once() -> None:
    cycles = day_of_events()
    cycles[4:4] = cycles[2:4]
    assert one(cycles).total("delivered_kwh") == pytest.approx(12.0)


def test_an_event_off_the_grid_is_settled_from_its_own_start() -> None:
    event = EVENT | {"start_in_s": [2100.0], "end_in_s": [4500.0]}
    cycles = day_of_events()
    moved = [
        Told(DispatchRequest(**{**vars(c.request), "events": request(events=EVENT | {
            name: [event[name][0] - 900.0 * at] for name in ("start_in_s", "end_in_s")}).events}), c.answer, c.record)
        for at, c in enumerate(cycles)
    ]  # fmt: skip
    report = one(moved)
    assert [row.start.strftime("%H:%M") for row in report.rows] == ["12:35", "12:50", "13:05"]
    assert [row.delivered_kwh for row in report.rows] == pytest.approx([3.0, 3.0, 2.0])


def test_a_missing_cycle_is_told_and_nothing_is_made_up_for_it() -> None:
    cycles = day_of_events()
    del cycles[3]
    report = one(cycles)
    assert report.cycles_missing == 1
    assert [row.delivered_kwh is None for row in report.rows] == [False, True, False, False]
    assert report.total("delivered_kwh") == pytest.approx(9.0)
    assert report.measured_share == pytest.approx(2 / 3), "the cycle before the gap has no reading after it"


def test_a_service_that_missed_the_beginning_reports_the_whole_event() -> None:
    report = one(day_of_events()[4:])
    assert (report.cycles, report.cycles_missing) == (4, 2)
    assert report.rows[0].start.isoformat() == "2026-07-15T12:30:00-07:00"
    assert report.rows[0].delivered_kwh is None


def test_a_running_event_is_not_finished() -> None:
    report = one(day_of_events()[:4])
    assert not report.finished
    assert report.cycles == 2


def test_readings_count_and_where_none_came_set_points_do() -> None:
    cycles = day_of_events()
    blind = [Told(_without_power(c.request), c.answer, c.record) for c in cycles]
    report = one(blind)
    assert report.measured_share == 0.0
    assert report.total("delivered_kwh") == pytest.approx(12.0)
    loud = [Told(_with_power(c.request, 1.0), c.answer, c.record) for c in cycles]
    assert one(loud).total("delivered_kwh") == pytest.approx(12.0 - 3.0), "3 kW that nobody ordered"


def _with_power(asked: DispatchRequest, kw: float) -> DispatchRequest:
    return DispatchRequest(**{**vars(asked), "ports": asked.ports._replace(power_kw=np.full(3, kw))})


def _without_power(asked: DispatchRequest) -> DispatchRequest:
    return _with_power(asked, np.nan)


def test_an_event_that_is_prolonged_is_one_event() -> None:
    cycles = day_of_events()
    longer = [
        Told(DispatchRequest(**{**vars(c.request), "events": c.request.events._replace(
            end_in_s=c.request.events.end_in_s + 900.0)}), c.answer, c.record) if at > 3 else c
        for at, c in enumerate(cycles)
    ]  # fmt: skip
    report = one(longer)
    assert report.end.isoformat() == "2026-07-15T13:45:00-07:00"
    assert report.cycles == 5


def test_no_event_no_report() -> None:
    assert event_reports([]) == []
    assert event_reports(day_of_events()[:1]) == []


def test_the_report_of_a_simulated_day_is_that_of_the_evaluation() -> None:
    drawn = next(
        day for first in range(180, 260, 10)
        for day in draw_days(DayRequest("home-california", first_day=first, days=10)).scenarios
        if len(day.events.start_step) and day.events.end_step[0] < day.n_steps
    )  # fmt: skip
    kit, memory, simulator = make_kit(load_serving("simulated")), new_memory(), Simulator(drawn)
    simulator.reset()
    cycles, setpoints = [], []
    for step in range(drawn.n_steps):
        now = drawn.start + timedelta(minutes=step * drawn.interval_minutes)
        asked = request_of(simulator.snapshot().copy(), now)
        made = dispatch(asked, memory, kit, now.timestamp())
        memory = made.memory
        cycles.append(kept(asked, made))
        setpoints.append(np.nan_to_num(made.answer.decisions.setpoint_kw))
        simulator.step(setpoints[-1][None])
    table = event_report(drawn, np.array(setpoints))
    first = table[table["event"] == 1]
    report = next(one for one in event_reports(reversed(cycles)) if one.start.isoformat() == first["start"].iloc[0])
    ours = {(row.site, row.start.isoformat()): row for row in report.rows}
    assert len(ours) == len(first)
    for theirs in first.itertuples():
        row = ours[f"s{theirs.site}", theirs.start]
        for name in ("baseline_kwh", "metered_import_kwh", "metered_export_kwh", "delivered_kwh"):
            assert getattr(row, name) == pytest.approx(getattr(theirs, name), abs=1e-6), name
    assert report.cycles_missing == 0


def test_limits_and_plan_as_time_series() -> None:
    service = Service(Says(5.0))
    asked = request(
        sites__import_limit_kw=[[100.0, None, 50.0]], sites__net_load_kw=[3.0], feeders={"import_limit_kw": [[80.0]]}
    )
    plan = plan_of(asked, service.memory, service.kit)
    made = limit_document(plan)
    (site,), (feeder,) = made["sites"], made["feeders"]
    assert site["import_limit_kw"][:4] == [100.0, None, 50.0, 50.0]
    assert len(site["planned_cars_kw"]) == len(feeder["export_limit_kw"]) == made["steps"] == 96
    assert feeder["import_limit_kw"][0] == 80.0
    assert feeder["export_limit_kw"][0] is None
    assert feeder["without_cars_kw"] == site["without_cars_kw"] == [3.0] * 96
    told = plan_document(plan)
    assert told["cars_kw"] == feeder["planned_cars_kw"]
    assert told["flexibility"][0]["hours"] == (0.25, 1.0, 2.0, 4.0)
    assert told["by"] == "says"
    assert b"NaN" not in canonical_json([made, told])


def test_a_story_tells_readings_wishes_and_reasons() -> None:
    service, cycles = Service(Says(20.0)), []
    for step in range(3):
        changes = {"ports__car": ["x", "y", "z"], "ports__soc": 0.5 if step else None}
        made = service.cycle(step, **changes)
        cycles.append(kept(request(step, **changes), made))
    told = story(reversed(cycles), "x")
    assert [entry["cycle_start"][11:16] for entry in told] == ["12:30", "12:15", "12:00"]
    newest, oldest = told[0], told[-1]
    assert (newest["policy_kw"], newest["setpoint_kw"], newest["reason"]) == (20.0, 11.0, "charger")
    assert newest["why"].startswith("cut or rounded")
    assert (oldest["soc"], oldest["reason"]) == (None, "no_need")
    assert story(cycles, "nobody") == []
    assert canonical_json(told)

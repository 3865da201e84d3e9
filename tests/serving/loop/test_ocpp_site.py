"""A site of OCPP chargers under the loop: its limit holds, cars that come are seen, and leases end when it stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ebbflow.serving.core.cycle import make_kit
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.loop.clock import SimulatedClock
from ebbflow.serving.loop.cycle import CycleReport
from ebbflow.serving.loop.deciders import InProcess
from ebbflow.serving.loop.loop import Loop
from ebbflow.serving.loop.schedule import Schedule
from ebbflow.serving.loop.watch import Cause
from ebbflow.serving.ports.ocpp.port import OcppPort
from ebbflow.serving.ports.ocpp.site import ChargerSettings, OcppSettings, SiteSettings

from ..ports.charge_point import FULL_KW, ChargePoint  # noqa: TID252

START_S = datetime(2026, 7, 15, 2, tzinfo=UTC).timestamp()
LIMIT_KW = 14.0
VERSIONS = ("1.6", "2.0.1", "2.1")


class Yard:
    """Three stations of three versions behind one limit, under the rules."""

    def __init__(self) -> None:
        self.clock, self.reports = SimulatedClock(START_S), list[CycleReport]()
        chargers = tuple(
            ChargerSettings(id=f"port-{version}", station=f"cp-{version}", max_charge_kw=FULL_KW, capacity_kwh=60.0)
            for version in VERSIONS
        )
        sites = (SiteSettings(import_limit_kw=LIMIT_KW),)
        self.port = OcppPort(OcppSettings(port=0, answer_s=2.0, sites=sites, chargers=chargers), self.clock.now_s)
        self.points = {version: self.connect(version) for version in VERSIONS}
        kit = make_kit(load_serving("default", ("economy.enabled=false",)))
        self.loop = Loop(
            "yard", self.port, InProcess(kit), Schedule(900, UTC), self.clock, watch_s=30.0, report=self.reports.append
        )  # fmt: skip

    def connect(self, version: str) -> ChargePoint:
        return ChargePoint(version, self.port.central.port, f"cp-{version}")

    def come(self, version: str, soc: float) -> None:
        point, now_s = self.points[version], self.clock.now_s()
        point.plug(now_s)
        point.start(now_s)
        point.meter(now_s, SoC=(soc, "Percent"))

    def run(self, cycles: int = 1) -> CycleReport:
        for _ in range(cycles):
            self.loop.run(1)
        return self.reports[-1]

    def total_kw(self) -> float:
        return sum(point.power_kw(self.clock.now_s()) for point in self.points.values())

    def close(self) -> None:
        for point in self.points.values():
            point.close()
        self.port.close()


@pytest.fixture
def yard() -> Iterator[Yard]:
    made = Yard()
    yield made
    made.close()


def eventually(holds: Callable[[], Any]) -> None:
    for _ in range(200):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it never came")


def test_the_limit_holds_cars_that_come_are_seen_and_leases_end(yard: Yard) -> None:
    yard.come("1.6", 10.0)
    yard.come("2.0.1", 12.0)
    for point in yard.points.values():
        if point.transaction is None:
            point.plug(yard.clock.now_s(), there=False)
    assert yard.run().sent == 2
    assert yard.total_kw() == pytest.approx(LIMIT_KW, abs=0.01)
    yard.clock.sleep(200.0)
    yard.come("2.1", 5.0)
    assert yard.total_kw() == pytest.approx(LIMIT_KW + FULL_KW, abs=0.01), "until it is seen"
    assert yard.run().cause is Cause.ARRIVAL
    assert yard.clock.now_s() - START_S <= 230.0
    assert yard.total_kw() <= LIMIT_KW + 0.01
    for _ in range(4):
        assert yard.run().refused == {}
        assert LIMIT_KW - 3.0 <= yard.total_kw() <= LIMIT_KW + 0.01, "renewed, never over"
    yard.clock.sleep(1801.0)
    assert yard.total_kw() == 3 * FULL_KW, "nobody renews: every car by itself"


def test_a_station_that_comes_back_is_set_again(yard: Yard) -> None:
    yard.come("1.6", 50.0)
    yard.run()
    old = yard.points["1.6"]
    old.close()
    eventually(lambda: "cp-1.6" not in yard.port.central.stations)
    assert "is not connected" in yard.run().refused["port-1.6"]
    new = yard.points["1.6"] = yard.connect("1.6")
    eventually(lambda: "cp-1.6" in yard.port.central.stations)
    new.transaction = old.transaction
    assert yard.run().refused == {}
    assert new.point.profiles


def test_a_car_that_begins_before_the_loop_knows_it_is_seen_soon(yard: Yard) -> None:
    assert yard.run().sent == 3, "nothing is known of any: released"
    yard.come("1.6", 50.0)
    made = yard.run()
    assert (made.cause, made.start_s) == (Cause.ARRIVAL, START_S + 30.0)
    eventually(lambda: yard.points["1.6"].point.profiles)


def test_after_a_restart_of_ours_cars_are_asked_for_and_known_by_their_transactions(yard: Yard) -> None:
    point = yard.points["1.6"]
    eventually(lambda: point.point.triggered)
    point.transaction = 4711  # of the process before
    point.meter(yard.clock.now_s(), Power__Active__Import=(FULL_KW * 1000, "W"))
    made = yard.run()
    assert made.refused == {}
    assert point.point.profiles

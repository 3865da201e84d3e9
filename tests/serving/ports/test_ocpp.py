"""Chargers by OCPP: every version says what it can, 0 stays 0, leases end at the charger, and nothing else gets in."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from ebbflow.configs.messages import ConfigError
from ebbflow.serving.messages.answer import PortDecisions
from ebbflow.serving.messages.columns import RequestError
from ebbflow.serving.messages.parse import parse_request
from ebbflow.serving.messages.vocabulary import DecisionReason, Mode
from ebbflow.serving.ports.ocpp.port import OcppPort
from ebbflow.serving.ports.ocpp.site import ChargerSettings, OcppSettings, StationSettings
from ebbflow.serving.ports.rebase import rebased

from .charge_point import FULL_KW, ChargePoint

START_S = datetime(2026, 7, 15, 12, tzinfo=UTC).timestamp()
VERSIONS = ("1.6", "2.0.1", "2.1")


class Hands:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> float:
        return self.now_s


class Bench:
    """A central system of one charger, and its charge point."""

    def __init__(self, version: str, site_settings: Any = None, **charger: Any) -> None:
        self.clock = Hands()
        given = {"max_charge_kw": 11.0, "capacity_kwh": 60.0, "max_discharge_kw": 11.0, "export_consent": True}
        one = ChargerSettings(id="a", station="cp", **(given | charger))
        self.port = OcppPort(OcppSettings(port=0, answer_s=2.0, chargers=(one,), **(site_settings or {})), self.clock)
        self.point = ChargePoint(version, self.port.central.port)
        self.point.boot()
        self.point.plug(START_S)

    def columns(self) -> Any:
        """The port table of a request that begins now."""
        start = datetime.fromtimestamp(self.clock.now_s, UTC)
        state = self.port.read(start, 900, self.clock.now_s)
        document = rebased(state.document, state.as_of, start, 900, self.clock.now_s)
        head = {"fleet": "f", "cycle_start": start.isoformat(), "interval_s": 900}
        return parse_request({**document, **head}).ports

    def send(self, setpoint_kw: float, lease_s: float = 1800.0, reason: int = DecisionReason.AS_ASKED) -> Any:
        return self.port.apply(decisions(setpoint_kw, self.clock.now_s + lease_s, reason), self.clock.now_s)

    def power_kw(self) -> float:
        return self.point.power_kw(self.clock.now_s)

    def close(self) -> None:
        self.point.close()
        self.port.close()


def decisions(setpoint_kw: float, until_s: float, reason: int = DecisionReason.AS_ASKED) -> PortDecisions:
    mode = Mode.RELEASE if np.isnan(setpoint_kw) else (Mode.PAUSE, Mode.CHARGE, Mode.EXPORT)[int(np.sign(setpoint_kw))]
    one = np.zeros(1, np.int8)
    return PortDecisions(
        np.array(["a"]), one + mode, np.array([setpoint_kw]), np.array([until_s]), one, one, one + reason, one == 0
    )


def eventually(holds: Any) -> None:
    for _ in range(200):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it never came")


@pytest.fixture(params=VERSIONS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request.param)
    yield made
    made.close()


def test_a_setpoint_holds_until_its_lease_ends_and_then_the_car_charges_by_itself(bench: Bench) -> None:
    bench.point.start(START_S)
    assert bench.power_kw() == FULL_KW
    assert bench.send(7.0).accepted.all()
    assert bench.power_kw() == pytest.approx(7.0)
    bench.clock.now_s += 1799.0
    assert bench.power_kw() == pytest.approx(7.0)
    bench.clock.now_s += 2.0
    assert bench.power_kw() == FULL_KW


def test_renewed_it_holds_on(bench: Bench) -> None:
    bench.point.start(START_S)
    for _ in range(5):
        bench.send(7.0)
        bench.clock.now_s += 900.0
        assert bench.power_kw() == pytest.approx(7.0)
    assert len(bench.point.point.profiles) == 1, "one profile, renewed"
    assert bench.columns().last_setpoint_age_s[0] == 4500.0, "since it changed, not since it was renewed"


def test_zero_stays_zero(bench: Bench) -> None:
    bench.point.start(START_S)
    assert bench.send(0.0).accepted.all()
    assert bench.power_kw() == 0.0
    (profile,) = bench.point.point.profiles.values()
    schedule = profile["charging_schedule"]
    period = (schedule if isinstance(schedule, dict) else schedule[0])["charging_schedule_period"][0]
    assert period["limit"] == 0
    assert "setpoint" not in period
    assert period.get("operation_mode", "ChargingOnly") == "ChargingOnly"


def test_a_release_takes_the_profile_back_however_often(bench: Bench) -> None:
    bench.point.start(START_S)
    bench.send(0.0)
    for _ in range(2):
        assert bench.send(np.nan).accepted.all()
        assert bench.power_kw() == FULL_KW
    assert np.isnan(bench.columns().last_setpoint_kw[0])


def test_an_export_is_said_in_2_1_alone_and_elsewhere_pauses(bench: Bench) -> None:
    bench.point.start(START_S)
    bench.send(7.0)
    receipt = bench.send(-5.04)
    if bench.point.version == "2.1":
        assert receipt.accepted.all()
        assert bench.power_kw() == pytest.approx(-5.04)
        bench.clock.now_s += 1801.0
        assert bench.power_kw() == FULL_KW, "the export ends with its lease"
    else:
        assert not receipt.accepted.any()
        assert "cannot say an export" in receipt.refused["a"]
        assert bench.power_kw() == 0.0, "neither exported nor charged"
        assert bench.columns().last_setpoint_kw[0] == 0.0


def test_only_2_1_offers_export(bench: Bench) -> None:
    assert bench.columns().max_discharge_kw[0] == (11.0 if bench.point.version == "2.1" else 0.0)


def test_readings_are_told_with_their_ages(bench: Bench) -> None:
    bench.point.start(START_S)
    bench.point.meter(START_S + 10, Power__Active__Import=(7400.0, "W"), SoC=(55.0, "Percent"))
    bench.clock.now_s += 70.0
    ports = bench.columns()
    assert ports.plugged[0] == 1
    assert (ports.power_kw[0], ports.soc[0]) == (pytest.approx(7.4), pytest.approx(0.55))
    assert (ports.power_age_s[0], ports.soc_age_s[0]) == (60.0, 60.0)


def test_repeated_reordered_and_future_readings_change_nothing(bench: Bench) -> None:
    bench.point.start(START_S)
    bench.point.meter(START_S + 20, SoC=(60.0, "Percent"))
    bench.point.meter(START_S + 10, SoC=(50.0, "Percent"))
    bench.point.meter(START_S + 7200, SoC=(99.0, "Percent"))
    bench.point.meter(START_S + 20, SoC=(60.0, "Percent"))
    bench.clock.now_s += 20.0
    assert bench.columns().soc[0] == pytest.approx(0.6)
    bench.clock.now_s += 7200.0
    assert bench.columns().soc_age_s[0] == 7200.0


def test_who_unplugs_is_forgotten(bench: Bench) -> None:
    bench.point.start(START_S)
    bench.point.meter(START_S, SoC=(60.0, "Percent"))
    bench.send(7.0)
    bench.point.stop(START_S + 5)
    bench.clock.now_s += 10.0
    bench.point.plug(START_S + 6, there=False)
    ports = bench.columns()
    assert ports.plugged[0] == 0
    assert np.isnan([ports.soc[0], ports.last_setpoint_kw[0], ports.last_setpoint_age_s[0]]).all()


def test_a_car_without_a_transaction_is_set_when_one_begins(bench: Bench) -> None:
    receipt = bench.send(7.0)
    assert receipt.accepted.all(), "nothing flows"
    assert not bench.point.point.profiles
    bench.clock.now_s += 60.0
    bench.point.start(bench.clock.now_s)
    eventually(lambda: bench.point.point.profiles)
    assert bench.power_kw() == pytest.approx(7.0)
    eventually(lambda: bench.columns().last_setpoint_kw[0] == 7.0)
    bench.clock.now_s = START_S + 1801.0
    assert bench.power_kw() == FULL_KW, "no longer than decided"


def test_a_transaction_that_begins_after_the_lease_is_left_alone(bench: Bench) -> None:
    bench.send(7.0)
    bench.clock.now_s += 1801.0
    bench.point.start(bench.clock.now_s)
    time.sleep(0.1)
    assert not bench.point.point.profiles


def test_a_station_that_refuses_or_has_left_is_told_by_name(bench: Bench) -> None:
    bench.point.start(START_S)
    bench.point.point.answer = "Rejected"
    assert bench.send(7.0).refused == {"a": "station cp answered Rejected"}
    bench.point.close()
    eventually(lambda: not bench.port.central.stations)
    bench.clock.now_s += 33.0
    assert bench.send(7.0).refused == {"a": "station cp is not connected, last heard of 33 s ago"}


def test_nonsense_is_survived_and_unknown_actions_are_answered(bench: Bench) -> None:
    for text in ("", "[]", "{", '[2,"1","BootNotification",{"x":1}]', '[9,"1","x",{}]', '[3,"nobody",{}]', "[2]"):
        bench.point.raw(text)
    with pytest.raises(Exception, match=r"NotImplemented|NotSupported|not handled|handler"):
        bench.point.call("DataTransfer", vendor_id="v")
    assert bench.point.boot().status == "Accepted"


def test_limits_in_amperes_are_rounded_towards_zero() -> None:
    made = Bench("1.6", unit="A", phases=3)
    try:
        made.point.start(START_S)
        made.send(7.0)
        (profile,) = made.point.point.profiles.values()
        period = profile["charging_schedule"]["charging_schedule_period"][0]
        assert float(period["limit"]) == 10.1  # 7000 W / 690 V = 10.145
        assert period["number_phases"] == 3
        assert made.power_kw() <= 7.0
        assert made.columns().min_charge_kw[0] == pytest.approx(4.14), "6 A on three phases"
    finally:
        made.close()


def test_a_car_that_tells_its_needs_by_iso_15118() -> None:
    made = Bench("2.0.1")
    try:
        made.point.start(START_S)
        needs = {
            "requested_energy_transfer": "DC",
            "departure_time": "2026-07-15T18:00:00Z",
            "dc_charging_parameters": {
                "ev_max_current": 100, "ev_max_voltage": 400, "energy_amount": 30000, "ev_energy_capacity": 77000,
                "state_of_charge": 40,
            },
        }  # fmt: skip
        made.point.call("NotifyEVChargingNeeds", evse_id=1, charging_needs=needs)
        made.clock.now_s += 3600.0
        made.point.meter(START_S + 3600, Energy__Active__Import__Register=(11000.0, "Wh"))
        ports = made.columns()
        assert ports.departs_in_s[0] == 5 * 3600.0
        assert ports.capacity_kwh[0] == 77.0
        assert ports.need_kwh[0] == pytest.approx(30.0 - 0.9 * 10.0)
        assert ports.soc[0] == pytest.approx(0.4)
    finally:
        made.close()


@pytest.mark.parametrize(
    ("mode", "parameters", "discharge_kw"),
    [("AC_three_phase", {}, 0.0), ("AC_BPT", {"max_discharge_power": 6000}, 6.0), ("DC_BPT", {}, 11.0)],
)
def test_a_car_that_cannot_export_is_not_asked_to(mode: str, parameters: Any, discharge_kw: float) -> None:
    made = Bench("2.1")
    try:
        made.point.start(START_S)
        told = {"ev_target_energy_request": 20000, "target_soc": 90, **parameters}
        needs = {"requested_energy_transfer": mode, "v2x_charging_parameters": told}
        made.point.call("NotifyEVChargingNeeds", evse_id=1, charging_needs=needs)
        ports = made.columns()
        assert ports.max_discharge_kw[0] == discharge_kw
        assert (ports.need_kwh[0], ports.target_soc[0]) == (20.0, 0.9)
    finally:
        made.close()


def test_what_chargers_do_not_tell_is_taken_from_a_folder(tmp_path: Path) -> None:
    document = {
        "as_of": "2026-07-15T11:50:00Z",
        "ports": {
            "id": ["other", "a"], "soc": [0.9, 0.31], "soc_age_s": [0, 60], "power_kw": [9.0, 9.0],
            "departs_in_s": [None, 36600], "override": ["none", "charge_now"], "plugged": [False, False],
            "export_consent": [True, False],
        },
        "sites": {"id": ["site"], "import_limit_kw": [[20.0]], "net_load_kw": [3.0]},
    }  # fmt: skip
    (tmp_path / "state.json").write_text(json.dumps(document))
    made = Bench("2.1", site_settings={"tables": tmp_path})
    try:
        made.point.meter(START_S, Power__Active__Import=(0.0, "W"))
        ports = made.columns()
        assert ports.plugged[0] == 1, "chargers know that best"
        assert (ports.soc[0], ports.soc_age_s[0]) == (0.31, 660.0), "by telematics"
        assert (ports.power_kw[0], ports.power_age_s[0]) == (0.0, 0.0), "the charger's own"
        assert (ports.departs_in_s[0], ports.override[0], ports.export_consent[0]) == (36000.0, 1, 0)
        made.point.meter(START_S, SoC=(40.0, "Percent"))
        assert (made.columns().soc[0], made.columns().soc_age_s[0]) == (0.4, 0.0)
        (tmp_path / "state.json").write_bytes(b"{half")
        assert made.columns().departs_in_s[0] == 36000.0, "the last state stands"
        start = datetime.fromtimestamp(START_S, UTC)
        assert "its last state stands" in made.port.read(start, 900, START_S).problems[0]
        document["ports"]["soc"] = [0.5]
        (tmp_path / "state.json").write_text(json.dumps(document))
        with pytest.raises(RequestError, match=r"ports\.soc"):
            made.columns()
    finally:
        made.close()


def test_only_known_stations_with_their_passwords_get_in() -> None:
    one = ChargerSettings(id="a", station="cp", max_charge_kw=11.0, capacity_kwh=60.0)
    secret = StationSettings(id="cp", password_sha256=hashlib.sha256(b"correct horse").hexdigest())
    port = OcppPort(OcppSettings(port=0, chargers=(one,), stations=(secret,)), Hands())
    try:
        for station, password in (("other", "correct horse"), ("cp", None), ("cp", "wrong")):
            with pytest.raises(InvalidStatus):
                ChargePoint("1.6", port.central.port, station, password)
        inside = ChargePoint("1.6", port.central.port, "cp", "correct horse")
        assert inside.boot().status == "Accepted"
        inside.close()
    finally:
        port.close()


def test_an_address_that_others_reach_wants_passwords() -> None:
    one = ChargerSettings(id="a", station="cp", max_charge_kw=11.0, capacity_kwh=60.0)
    with pytest.raises(ConfigError, match="password_sha256"):
        OcppPort(OcppSettings(host="0.0.0.0", port=0, chargers=(one,)), Hands())

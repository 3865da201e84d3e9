"""What a charging profile says is what was decided, never more; what meters tell is read in any order and unit."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebbflow.serving.ports.ocpp.profiles import Outlet, Unsayable, Version, charging_profile
from ebbflow.serving.ports.ocpp.telemetry import Connector, needs_of

from .charge_point import moment

NOW_S = 1_784_142_000.0
OUTLETS = st.builds(
    Outlet, st.sampled_from(Version), st.integers(1, 4), st.sampled_from(["W", "A"]), st.sampled_from([230.0, 277.0]),
    st.integers(1, 3),
)  # fmt: skip


def period_of(profile: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    schedule = profile["charging_schedule"]
    schedule = schedule[0] if isinstance(schedule, list) else schedule
    (period,) = schedule["charging_schedule_period"]
    return schedule, period


def said_kw(outlet: Outlet, period: dict[str, Any]) -> float:
    amount = period.get("setpoint", period.get("limit"))
    assert amount is not None
    return amount * (outlet.voltage_v * outlet.phases if outlet.unit == "A" else 1.0) / 1000.0


@given(outlet=OUTLETS, power_kw=st.floats(-350.0, 350.0), lease_s=st.floats(1.0, 7200.0))
def test_never_more_than_decided_and_never_the_other_way(outlet: Outlet, power_kw: float, lease_s: float) -> None:
    try:
        profile = charging_profile(outlet, power_kw, NOW_S, NOW_S + lease_s, 7)
    except Unsayable:
        assert power_kw < 0
        assert outlet.version is not Version.V21
        return
    schedule, period = period_of(profile)
    said = said_kw(outlet, period)
    step_kw = (0.1 * outlet.voltage_v * outlet.phases if outlet.unit == "A" else 0.1) / 1000.0
    assert abs(said) <= abs(power_kw) + 1e-6 * step_kw * 10
    assert abs(power_kw) - abs(said) <= step_kw * (1 + 1e-6)
    assert said * power_kw >= 0
    assert ("setpoint" in period) == (said < 0)
    assert ("limit" in period) == (said >= 0)
    ends = datetime.fromisoformat(profile["valid_to"]).timestamp()
    begins = datetime.fromisoformat(schedule["start_schedule"]).timestamp()
    assert begins <= NOW_S
    assert NOW_S - 1 <= ends <= NOW_S + lease_s
    assert begins + schedule["duration"] <= NOW_S + lease_s + 1


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("unit", ["W", "A"])
@pytest.mark.parametrize("power_kw", [0.0, -0.0, 1e-9, -1e-9])
def test_nothing_is_a_limit_of_zero(version: Version, unit: Any, power_kw: float) -> None:
    _, period = period_of(charging_profile(Outlet(version, 1, unit), power_kw, NOW_S, NOW_S + 900, 7))
    assert period["limit"] == 0
    assert "setpoint" not in period


@pytest.mark.parametrize("power_kw", [math.nan, math.inf])
def test_what_is_no_power_is_not_sent(power_kw: float) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        charging_profile(Outlet(Version.V21, 1), power_kw, NOW_S, NOW_S + 900, 7)
    with pytest.raises(ValueError, match="cannot be sent"):
        charging_profile(Outlet(Version.V21, 1), 5.0, NOW_S, NOW_S, 7)


def value(at_s: float, *samples: dict[str, Any]) -> dict[str, Any]:
    return {"timestamp": moment(at_s), "sampled_value": list(samples)}


@pytest.mark.parametrize(
    ("samples", "kw"),
    [
        ([{"measurand": "Power.Active.Import", "value": "7400", "unit": "W"}], 7.4),
        ([{"measurand": "Power.Active.Import", "value": "7.4", "unit": "kW"}], 7.4),
        ([{"measurand": "Power.Active.Import", "value": "7400"}], 7.4),
        ([{"measurand": "Power.Active.Import", "value": 74, "unit_of_measure": {"unit": "W", "multiplier": 2}}], 7.4),
        (
            [
                {"measurand": "Power.Active.Import", "value": "2000", "phase": "L1-N"},
                {"measurand": "Power.Active.Import", "value": "2500", "phase": "L2-N"},
            ],
            4.5,
        ),
        (
            [
                {"measurand": "Power.Active.Import", "value": "4600"},
                {"measurand": "Power.Active.Import", "value": "2000", "phase": "L1"},
            ],
            4.6,
        ),
        ([{"measurand": "Power.Active.Export", "value": "5000"}], -5.0),
        (
            [
                {"measurand": "Power.Active.Export", "value": "5000"},
                {"measurand": "Power.Active.Import", "value": "0"},
            ],
            -5.0,
        ),
        ([{"measurand": "Power.Active.Import", "value": "x"}], math.nan),
        ([{"measurand": "Power.Active.Import", "value": "7", "unit": "furlongs"}], math.nan),
        ([{"measurand": "Current.Import", "value": "16", "unit": "A"}], math.nan),
        ([{"measurand": "Power.Active.Import", "value": "1e999"}], math.nan),
    ],
)
def test_power_in_every_dialect(samples: list[dict[str, Any]], kw: float) -> None:
    car = Connector()
    car.take([value(NOW_S, *samples)], NOW_S)
    assert car.power_kw.value == pytest.approx(kw, nan_ok=True)


@given(order=st.permutations(range(8)), future=st.floats(31.0, 1e6))
def test_in_whatever_order_readings_come_the_newest_counts(order: list[int], future: float) -> None:
    told = [value(NOW_S - 60 * at, {"measurand": "SoC", "value": 50 - at}) for at in range(7)]
    told.append(value(NOW_S + future, {"measurand": "SoC", "value": 99}))
    car = Connector()
    for at in (*order, *order):
        car.take([told[at]], NOW_S)
    assert car.soc == (pytest.approx(0.5), NOW_S)


@pytest.mark.parametrize("stamp", [None, "", "yesterday", "2026-07-15T12:00:00", 7])
def test_a_reading_without_a_time_is_no_reading(stamp: Any) -> None:
    car = Connector()
    car.take([{"timestamp": stamp, "sampled_value": [{"measurand": "SoC", "value": 50}]}], NOW_S)
    assert math.isnan(car.soc.value)


def test_a_late_word_that_the_car_has_gone_does_not_unplug_the_next() -> None:
    car = Connector()
    car.tell_plugged(1.0, NOW_S, NOW_S)
    car.tell_plugged(0.0, NOW_S - 600, NOW_S)
    assert car.plugged.value == 1.0


def test_needs_that_say_nothing() -> None:
    needs = needs_of({"requested_energy_transfer": "AC_single_phase"})
    assert needs.discharge_kw == 0.0
    assert all(math.isnan(part) for part in needs[:4])

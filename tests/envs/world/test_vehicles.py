"""Cars and chargers: the sourced catalogue, impossible cars, and the set-points of a stay."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebbflow.configs.load import ConfigError, load_model, preset_names
from ebbflow.envs.world.vehicles import Catalogue, Charger, Vehicle, load_catalogue, session_parameters

CARS = {car.name: car for car in load_catalogue()}
HOME = Charger(name="home", volts=240.0, max_current_a=40.0)
WORK = Charger(name="work", volts=208.0, max_current_a=32.0)
WALLBOX = Charger(name="wallbox", volts=240.0, max_current_a=48.0, current_step_a=0.0, dc=True)


def car(**changes: Any) -> dict[str, Any]:
    return {
        "name": "car",
        "capacity_kwh": 60.0,
        "ac_charge_kw": 7.2,
        "battery_accept_kw": 100.0,
        "taper_soc": 0.8,
        "charge_efficiency": 0.89,
        "discharge_efficiency": 0.89,
        "fixed_loss_kw": 0.17,
        "max_discharge_kw": 9.6,
        "share": 1.0,
        "source": "this test",
    } | changes


def test_the_catalogue_has_the_named_cars_each_with_a_source() -> None:
    text = " ".join(CARS)
    for model in ("leaf", "ariya", "f150-lightning", "ix3", "prologue", "model-3", "model-y"):
        assert model in text
    assert 10 <= len(CARS) <= 20
    assert all(len(row.source) > 20 for row in CARS.values())
    assert sum(row.share for row in CARS.values()) == pytest.approx(1)


def test_some_cars_export_and_some_do_not() -> None:
    share = sum(row.share for row in CARS.values() if row.bidirectional)
    assert 0.3 < share < 0.7


@pytest.mark.parametrize("name", preset_names("vehicles"))
def test_every_catalogue_is_dated_and_sourced(name: str) -> None:
    catalogue = load_model(Catalogue, "vehicles", name)
    assert catalogue.name == name
    assert len(catalogue.source) > 20


def test_losses_meet_the_measured_chargers() -> None:
    row = CARS["tesla-model-3-long-range"]

    def efficiency(amperes: float) -> float:
        kw = amperes * 240 / 1_000
        return (row.charge_efficiency * kw - row.fixed_loss_kw) / kw

    assert efficiency(6) == pytest.approx(0.77, abs=0.005)
    assert efficiency(32) == pytest.approx(0.87, abs=0.005)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"charge_efficiency": 1.05}, "less than or equal to 1"),
        ({"discharge_efficiency": 0.0}, "greater than 0"),
        ({"capacity_kwh": -60.0}, "-60 kWh is no battery"),
        ({"capacity_kwh": float("nan")}, "nan kWh is no battery"),
        ({"capacity_kwh": 60_000.0}, "60000 looks like Wh; write 60 kWh"),
        ({"taper_soc": 1.0}, "less than 1"),
        ({"taper_soc": 0.0}, "greater than 0"),
        ({"fixed_loss_kw": 1.2}, "6 A at 208 V leave only 1.11 kW"),
        ({"ac_charge_kw": 7_200.0}, "less than or equal to 1000"),
        ({"battery_accept_kw": 0.0}, "greater than 0"),
        ({"max_discharge_kw": -1.0}, "greater than or equal to 0"),
        ({"share": 0.0}, "greater than 0"),
        ({"source": ""}, "at least 1 character"),
        ({"soc": 0.5}, "Extra inputs are not permitted"),
    ],
)
def test_an_impossible_car_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Vehicle.model_validate(car(**changes))


def catalogue(*cars: dict[str, Any]) -> Callable[[], Catalogue]:
    head = {"name": "mine", "title": "mine", "effective": "2026-01-01", "source": "this test"}
    return lambda: Catalogue.model_validate({**head, "vehicles": list(cars)})


def test_a_catalogue_has_unique_names_and_whole_shares() -> None:
    with pytest.raises(ValueError, match="car stands twice"):
        catalogue(car(share=0.5), car(share=0.5))()
    with pytest.raises(ValueError, match=r"sum to 0\.9; they must sum to 1"):
        catalogue(car(share=0.9))()


def test_a_catalogue_of_the_users_own_names_file_and_row(tmp_path: Path) -> None:
    rows = "\n".join(f"{key} = {value!r}" for key, value in car(capacity_kwh=60_000.0).items())
    file = tmp_path / "cars.toml"
    head = "name = 'mine'\ntitle = 'mine'\neffective = 2026-01-01\nsource = 'this test'\n"
    file.write_text(f"{head}[[vehicles]]\n{rows}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cars\.toml: vehicles\.0\.capacity_kwh: 60000 looks like Wh; write 60 kWh"):
        load_catalogue(file)
    file.write_text(file.read_text(encoding="utf-8").replace("60000.0", "60.0"), encoding="utf-8")
    assert [row.name for row in load_catalogue(file)] == ["car"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"min_current_a": 5.0}, "no less than 6 A on AC"),
        ({"min_current_a": 41.0}, "above max_current_a 40"),
        ({"max_current_a": 4.0}, "greater than or equal to 6"),
        ({"phases": 2}, "1 or 3"),
        ({"min_current_a": 0.0, "dc": True}, "greater than 0"),
        ({"volts": 0.24}, "greater than or equal to 100"),
    ],
)
def test_an_impossible_charger_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Charger.model_validate({"volts": 240.0, "max_current_a": 40.0} | changes)


def test_set_points_lie_on_the_current_steps() -> None:
    row = session_parameters(Vehicle.model_validate(car()), HOME, v2g_allowed=True)
    assert row["step_kw"] == pytest.approx(0.24)
    assert row["min_charge_kw"] == pytest.approx(1.44)
    assert row["max_charge_kw"] == pytest.approx(7.2)  # 30 A exactly
    assert row["max_discharge_kw"] == pytest.approx(9.6)  # 40 A exactly
    assert row["min_discharge_kw"] == 0
    weaker = session_parameters(Vehicle.model_validate(car(ac_charge_kw=6.6)), HOME, v2g_allowed=True)
    assert weaker["max_charge_kw"] == pytest.approx(27 * 0.24)


def test_a_commercial_supply_has_less_power_from_the_same_current() -> None:
    row = session_parameters(CARS["tesla-model-y-long-range"], WORK, v2g_allowed=False)
    assert row["max_charge_kw"] == pytest.approx(6.656)
    assert row["min_charge_kw"] == pytest.approx(1.248)
    assert row["max_discharge_kw"] == 0


def test_three_phases_carry_three_times_the_power() -> None:
    charger = Charger(volts=230.0, phases=3, max_current_a=16.0)
    row = session_parameters(CARS["tesla-model-y-long-range"], charger, v2g_allowed=False)
    assert row["max_charge_kw"] == pytest.approx(15 * 0.69)
    assert row["min_charge_kw"] == pytest.approx(4.14)


def test_only_a_bidirectional_car_at_a_bidirectional_port_exports() -> None:
    truck, sedan = CARS["ford-f150-lightning-extended"], CARS["tesla-model-3-long-range"]
    assert session_parameters(truck, HOME, v2g_allowed=True)["max_discharge_kw"] == pytest.approx(9.6)
    assert session_parameters(truck, HOME, v2g_allowed=False)["max_discharge_kw"] == 0
    assert session_parameters(sedan, HOME, v2g_allowed=True)["max_discharge_kw"] == 0


def test_on_dc_the_on_board_charger_does_not_limit() -> None:
    row = session_parameters(Vehicle.model_validate(car(ac_charge_kw=6.6)), WALLBOX, v2g_allowed=True)
    assert row["max_charge_kw"] == pytest.approx(11.52)
    assert row["step_kw"] == 0


def test_a_coarse_step_rounds_the_minimum_up_and_the_maximum_down() -> None:
    charger = Charger(volts=208.0, max_current_a=32.0, min_current_a=6.0, current_step_a=8.0)
    row = session_parameters(Vehicle.model_validate(car(ac_charge_kw=6.0)), charger, v2g_allowed=True)
    assert row["min_charge_kw"] == pytest.approx(8 * 0.208)
    assert row["max_charge_kw"] == pytest.approx(24 * 0.208)


def test_a_car_that_takes_less_than_the_least_current_is_refused() -> None:
    with pytest.raises(ValueError, match=r"car takes 1.2 kW, below the least 1.44 kW of 'home'"):
        session_parameters(Vehicle.model_validate(car(ac_charge_kw=1.2)), HOME, v2g_allowed=False)


def test_a_port_whose_least_power_is_all_loss_is_refused() -> None:
    trickle = Charger(name="trickle", volts=240.0, max_current_a=40.0, min_current_a=0.5, current_step_a=0.5, dc=True)
    with pytest.raises(ValueError, match=r"car loses 0.17 kW while on, all that 'trickle' gives"):
        session_parameters(Vehicle.model_validate(car()), trickle, v2g_allowed=False)


@given(
    volts=st.sampled_from([208.0, 230.0, 240.0]),
    phases=st.sampled_from([1, 3]),
    most=st.floats(12, 80),
    step=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    ac_kw=st.floats(9, 22),
    out_kw=st.floats(0, 30),
)
def test_every_limit_is_a_step_and_within_car_and_port(
    volts: float, phases: int, most: float, step: float, ac_kw: float, out_kw: float
) -> None:
    charger = Charger.model_validate({"volts": volts, "phases": phases, "max_current_a": most, "current_step_a": step})
    row = session_parameters(
        Vehicle.model_validate(car(ac_charge_kw=ac_kw, max_discharge_kw=out_kw)), charger, v2g_allowed=True
    )
    port_kw = volts * phases * most / 1_000
    assert row["min_charge_kw"] <= row["max_charge_kw"] <= min(ac_kw, port_kw) + 1e-6
    assert row["max_discharge_kw"] <= min(out_kw, port_kw) + 1e-6
    assert row["min_charge_kw"] >= 6 * volts * phases / 1_000 - 1e-6
    assert row["charge_efficiency"] * row["min_charge_kw"] > row["fixed_loss_kw"]
    for name in ("min_charge_kw", "max_charge_kw", "max_discharge_kw"):
        steps = row[name] / row["step_kw"] if step else 0.0
        assert steps == pytest.approx(round(steps), abs=1e-6)

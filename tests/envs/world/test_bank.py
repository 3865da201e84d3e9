"""Banks: many days packed, each as it was; what does not fit together is refused in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ebbflow.envs.world.bank import pack
from ebbflow.envs.world.scenario import Events, Scenario
from ebbflow.envs.world.stress import Stress, random_scenario


def days(count: int, **stress: Any) -> list[Scenario]:
    rng = np.random.default_rng(3)
    return [random_scenario(rng, Stress(**stress)) for _ in range(count)]


def stays(scenario: Scenario, **columns: Any) -> Scenario:
    return dataclasses.replace(scenario, stays=dataclasses.replace(scenario.stays, **columns))


def test_every_day_is_in_the_bank_as_it_was() -> None:
    made = days(7)
    bank = pack(made)
    table = bank.days
    for day, scenario in enumerate(made):
        for series, values in (
            (table.net_load_kw, scenario.site_net_load_kw),
            (table.import_price, scenario.import_price_usd_per_kwh),
            (table.import_price_forecast, scenario.import_price_forecast_usd_per_kwh),
            (table.site_import_limit_kw, scenario.site_import_limit_kw),
            (table.emissions_issued, scenario.emissions_issued_kg_per_kwh),
        ):
            np.testing.assert_array_equal(series.values[series.row[day]], values)
        for port in range(scenario.n_ports):
            rows = slice(table.first_stay[day, port], table.first_stay[day, port + 1])
            mine = scenario.stays.port == port
            np.testing.assert_array_equal(table.stays.soc_arrive[rows], scenario.stays.soc_arrive[mine])
            np.testing.assert_array_equal(table.stays.arrive_step[rows], scenario.stays.arrive_step[mine])


def test_equal_series_are_stored_once() -> None:
    first, *others = days(5)
    same = [dataclasses.replace(o, site_import_limit_kw=first.site_import_limit_kw) for o in others]
    table = pack([first, *same]).days
    assert len(table.site_import_limit_kw.values) == 1
    assert len(table.import_price.values) == 5


def test_days_with_different_events_share_a_bank() -> None:
    one, two = days(2)
    table = pack([one, dataclasses.replace(two, events=Events.none())]).days
    assert table.events.start_step[0, 0] == one.events.start_step[0]
    assert table.events.start_step[1, 0] > two.n_steps


def test_float32_holds_the_numbers_of_float64() -> None:
    made = days(2)
    assert pack(made, "float32").days.net_load_kw.values.dtype == np.float32
    assert pack(made, "float32").days.stays.arrive_step.dtype == np.int64


REFUSED: dict[str, Callable[[Scenario], Scenario]] = {
    "interval_minutes": lambda s: dataclasses.replace(s, interval_minutes=5),
    "n_steps": lambda s: dataclasses.replace(s, n_steps=s.n_steps - 1),
    "money": lambda s: dataclasses.replace(s, money=dataclasses.replace(s.money, unserved_usd_per_kwh=9.0)),
    "port_site": lambda s: dataclasses.replace(s, port_site=np.zeros_like(s.port_site)),
    "site_feeder": lambda s: dataclasses.replace(s, site_feeder=np.zeros_like(s.site_feeder)),
    "site_tariff": lambda s: dataclasses.replace(s, site_tariff=np.zeros_like(s.site_tariff)),
    "peaker_window_local_hours": lambda s: dataclasses.replace(s, peaker_window_local_hours=(16.0, 20.0)),
    "import_price_usd_per_kwh": lambda s: dataclasses.replace(
        s, import_price_usd_per_kwh=s.import_price_usd_per_kwh[:, :-4]
    ),
    "import_price_forecast_usd_per_kwh": lambda s: dataclasses.replace(
        s, import_price_forecast_usd_per_kwh=s.import_price_forecast_usd_per_kwh[:1]
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_days_that_differ_are_refused_by_name(name: str) -> None:
    one, two = days(2)
    with pytest.raises(ValueError, match=rf"day 1 .*{name}"):
        pack([one, REFUSED[name](two)])


def test_no_day_is_no_bank() -> None:
    with pytest.raises(ValueError, match="at least one"):
        pack([])


class TestStays:
    """A port holds one car at a time, for at least a step; the simulator relies on it."""

    def test_unsorted_stays_are_refused(self) -> None:
        scenario = days(1)[0]
        with pytest.raises(ValueError, match="sorted"):
            pack([stays(scenario, port=scenario.stays.port[::-1].copy())])

    def test_stays_that_overlap_on_a_port_are_refused(self) -> None:
        scenario = days(1, ports=12)[0]
        second = int(np.flatnonzero(np.diff(scenario.stays.port) == 0)[0]) + 1
        arrive = scenario.stays.arrive_step.copy()
        arrive[second] = scenario.stays.depart_step[second - 1] - 1
        with pytest.raises(ValueError, match=r"overlap.*port"):
            pack([stays(scenario, arrive_step=arrive)])

    @pytest.mark.parametrize("length", [0, -2])
    def test_a_stay_of_no_length_is_refused(self, length: int) -> None:
        scenario = days(1)[0]
        depart = scenario.stays.depart_step.copy()
        depart[0] = scenario.stays.arrive_step[0] + length
        with pytest.raises(ValueError, match="whole step"):
            pack([stays(scenario, depart_step=depart)])

    def test_a_carbon_price_without_emission_data_is_refused(self) -> None:
        """It would make every dollar of the day NaN."""
        scenario = days(1)[0]
        silent = dataclasses.replace(scenario, emissions_kg_per_kwh=np.full_like(scenario.emissions_kg_per_kwh, np.nan))
        with pytest.raises(ValueError, match="carbon_usd_per_kg"):
            pack([silent])

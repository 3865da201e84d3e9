"""Figures of contracts 9, from ledgers made by hand."""

from __future__ import annotations

import math

import pytest

from ebbflow.agents.figures import figures
from ebbflow.envs.ledger import Account, Tally
from ebbflow.envs.simulator import DayLedger


def day(usd: dict[Account, float] | None = None, tallies: dict[Tally, float] | None = None) -> DayLedger:
    dollars = {a.name.lower(): (usd or {}).get(a, 0.0) for a in Account}
    return DayLedger(
        {**dollars, "net_cost_usd": sum(dollars.values())},
        {t.name.lower(): (tallies or {}).get(t, 0.0) for t in Tally},
    )


def test_sums_maxima_and_shares() -> None:
    first = {
        Tally.FEASIBLE_KWH: 30.0, Tally.FEASIBLE_UNSERVED_KWH: 3.0, Tally.SERVED_STAYS: 3.0,
        Tally.MET_STAYS: 2.0, Tally.PEAK_KW: 40.0, Tally.WORST_SHORTFALL_KWH: 3.0,
        Tally.COMMANDS: 12.0, Tally.CO2_KG: 5.0,
    }  # fmt: skip
    second = {
        Tally.FEASIBLE_KWH: 10.0, Tally.SERVED_STAYS: 1.0, Tally.MET_STAYS: 1.0, Tally.PEAK_KW: 25.0,
        Tally.COMMANDS: 4.0, Tally.CO2_KG: 2.0,
    }  # fmt: skip
    days = [day({Account.ENERGY_IMPORT_USD: 5.0}, first), day({Account.UNSERVED_USD: 2.5}, second)]
    result = figures(days, n_ports=4)
    assert result["net_cost_usd"] == pytest.approx(7.5)
    assert result["feasible_energy_delivered_percent"] == pytest.approx(92.5)
    assert result["departures_met_percent"] == pytest.approx(75.0)
    assert result["peak_kw"] == 40.0
    assert result["worst_shortfall_kwh"] == 3.0
    assert result["commands_per_car_day"] == pytest.approx(16 / 4 / 2)
    assert result["co2_kg"] == pytest.approx(7.0)
    assert result["driver_earnings_usd"] is None


def test_what_has_no_meaning_is_null() -> None:
    result = figures([day(tallies={Tally.CO2_KG: math.nan})], n_ports=1)
    assert result["co2_kg"] is None
    assert result["feasible_energy_delivered_percent"] is None
    assert result["departures_met_percent"] is None


def test_driver_earnings_leave_out_what_no_driver_pays() -> None:
    before = day({Account.ENERGY_IMPORT_USD: 10.0, Account.UNSERVED_USD: 100.0})
    after = day({Account.ENERGY_IMPORT_USD: 8.0, Account.EXPORT_REVENUE_USD: -3.0, Account.WEAR_USD: 0.5})
    assert figures([after], 1, [before])["driver_earnings_usd"] == pytest.approx(10.0 - 5.5)


def test_doing_nothing_delivers_nothing_and_draining_less() -> None:
    nothing = {Tally.FEASIBLE_KWH: 20.0, Tally.FEASIBLE_UNSERVED_KWH: 20.0}
    drained = {Tally.FEASIBLE_KWH: 20.0, Tally.FEASIBLE_UNSERVED_KWH: 30.0}
    assert figures([day(tallies=nothing)], 1)["feasible_energy_delivered_percent"] == 0.0
    assert figures([day(tallies=drained)], 1)["feasible_energy_delivered_percent"] == -50.0

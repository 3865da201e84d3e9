"""Shares by hand, and intervals that hold what they promise on days whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ebbflow.agents.evaluation import statistics
from ebbflow.agents.evaluation.result import PolicyDays
from ebbflow.agents.evaluation.statistics import captured_percent, difference, figures_of, paired_interval
from ebbflow.envs.ledger import Account, Tally
from ebbflow.envs.simulator import DayLedger

EXPERIMENTS, DAYS = 500, 200
DOLLARS = st.lists(st.floats(-100, 100), min_size=3, max_size=3)


def each(count: int) -> list[str]:
    """Every day a cluster of its own."""
    return [f"day {number}" for number in range(count)]


def days_of(name: str, costs: list[float]) -> PolicyDays:
    """Days on which a controller paid for imports and nothing else."""
    blank = {account.name.lower(): 0.0 for account in Account}
    tallies = {tally.name.lower(): 1.0 for tally in Tally}
    ledgers = [DayLedger(blank | {"energy_import_usd": cost, "net_cost_usd": cost}, tallies) for cost in costs]
    return PolicyDays(name, tuple(ledgers))


def test_share_by_hand() -> None:
    """At once 10 + 20, the controller 8 + 13, the optimum 5 + 13: 9 of 12 dollars are captured."""
    share = captured_percent(np.array([10.0, 20.0]), np.array([8.0, 13.0]), np.array([5.0, 13.0]))
    assert share == pytest.approx(75.0)


@given(DOLLARS, DOLLARS)
def test_charging_at_once_captures_nothing_and_the_optimum_everything(base: list[float], best: list[float]) -> None:
    u, o = np.array(base), np.array(best)
    assume(u.sum() - o.sum() > 1e-3)
    assert captured_percent(u, u, o) == pytest.approx(0.0)
    assert captured_percent(u, o, o) == pytest.approx(100.0)
    assert captured_percent(u, (u + o) / 2, o) == pytest.approx(50.0, abs=1e-6)
    assert captured_percent(u + 7.0, u + 7.0 - 1.0, o + 7.0) == pytest.approx(300.0 / (u - o).sum())


def test_no_gap_no_share() -> None:
    assert np.isnan(captured_percent(np.ones(3), np.ones(3), np.ones(3)))


def synthetic_day_costs(experiment: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Skewed days on which the controller saves 80 % of the gap and 4 $ a day in truth."""
    rng = np.random.default_rng([experiment, 7])
    gap = rng.gamma(2.0, 2.5, DAYS)
    at_once = 10.0 + 3.0 * gap + rng.normal(0.0, 4.0, DAYS)
    noise = rng.exponential(1.0, DAYS) - 1.0
    return at_once, at_once - 0.8 * gap + noise, at_once - gap


def test_95_percent_intervals_cover_the_truth_in_93_to_97_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 999)
    share, saved = 0, 0
    for experiment in range(EXPERIMENTS):
        at_once, controller, optimum = synthetic_day_costs(experiment)
        low, high = paired_interval(captured_percent, [at_once, controller, optimum], each(DAYS), experiment)
        assert low is not None
        assert high is not None
        share += low <= 80.0 <= high
        low, high = paired_interval(difference, [at_once, controller], each(DAYS), experiment)
        assert low is not None
        assert high is not None
        saved += low <= 4.0 * DAYS <= high
    assert 0.93 * EXPERIMENTS <= share <= 0.97 * EXPERIMENTS
    assert 0.93 * EXPERIMENTS <= saved <= 0.97 * EXPERIMENTS


def test_an_interval_repeats_and_pairs() -> None:
    """Great common swings cancel: the same days are drawn for both."""
    rng = np.random.default_rng(1)
    base = rng.normal(0.0, 1000.0, 50)
    first = paired_interval(difference, [base + 2.0, base], each(50), seed=3)
    assert first == paired_interval(difference, [base + 2.0, base], each(50), seed=3)
    assert first.low == pytest.approx(100.0)
    assert first.high == pytest.approx(100.0)


def test_days_of_one_price_are_no_evidence_of_their_own() -> None:
    rng = np.random.default_rng(2)
    saved = np.repeat(rng.normal(1.0, 1.0, 20), 10)
    dates = [f"date {number}" for number in np.repeat(np.arange(20), 10)]
    alone = paired_interval(difference, [saved, 0 * saved], each(200), seed=0)
    together = paired_interval(difference, [saved, 0 * saved], dates, seed=0)
    assert None not in (*alone, *together)
    widths = [(i.high or 0.0) - (i.low or 0.0) for i in (alone, together)]
    assert widths[1] == pytest.approx(widths[0] * np.sqrt(10), rel=0.15)


def test_one_cluster_and_days_without_cars_tell_nothing() -> None:
    one = np.ones(4)
    assert paired_interval(difference, [one, one], ["same"] * 4, seed=0) == (None, None)
    nothing = paired_interval(captured_percent, [0 * one, 0 * one, 0 * one], each(4), seed=0)
    assert nothing == (None, None)


def test_figures_of_some_days() -> None:
    policies = [
        days_of("uncontrolled", [10.0, 99.0, 20.0]),
        days_of("mpc", [8.0, 99.0, 13.0]),
        days_of("optimum_replayed", [6.0, 99.0, 13.0]),
        days_of("optimum", [5.0, 99.0, 13.0]),
    ]
    result = figures_of(policies, [0, 2], ["a", "b"], n_ports=4, seed=0)
    assert list(result) == ["uncontrolled", "mpc", "optimum_replayed", "optimum"]
    mpc = result["mpc"]
    assert mpc["net_cost_usd"] == 21.0
    assert mpc["captured_percent"] == pytest.approx(75.0)
    assert mpc["saved_usd"] == pytest.approx(9.0)
    assert mpc["saved_percent"] == pytest.approx(30.0)
    assert mpc["driver_earnings_usd"] == pytest.approx(9.0)
    assert mpc["optimum_replayed_net_cost_usd"] is None
    assert result["optimum"]["optimum_replayed_net_cost_usd"] == 19.0
    assert result["optimum"]["captured_percent_low"] == pytest.approx(100.0)
    # Drawn alone, the first day captures 2 of 5 dollars and the second 7 of 7.
    assert mpc["captured_percent_low"] == pytest.approx(40.0)
    assert mpc["captured_percent_high"] == pytest.approx(100.0)
    assert figures_of(policies, [], [], n_ports=4, seed=0) == {}

"""The typed result: its sums, its tables and its JSON say the same."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ebbflow.agents.evaluation import EvaluationResult
from ebbflow.agents.evaluation.outputs import remarks, summary_table, warnings
from ebbflow.agents.evaluation.result import PolicyDays
from ebbflow.envs.ledger import Account

NAMES = ("uncontrolled", "cheapest_hours", "drain", "optimum_replayed", "optimum")
CONTRACT = {
    *(account.name.lower() for account in Account),
    "net_cost_usd", "captured_percent", "captured_percent_low", "captured_percent_high",
    "feasible_energy_delivered_percent", "departures_met_percent", "worst_shortfall_kwh", "early_shortfall_kwh",
    "peak_kw", "overload_kwh", "co2_kg", "driver_earnings_usd", "commands_per_car_day",
}  # fmt: skip


def with_emergency(small: EvaluationResult) -> EvaluationResult:
    """The same result, as if the second day had been one."""
    days = [replace(day, emergency=at == 1) for at, day in enumerate(small.days)]
    return replace(small, days=tuple(days), emergency={"uncontrolled": small.headline["uncontrolled"]})


def test_figures_are_sums_over_the_days(small: EvaluationResult) -> None:
    assert small.names == NAMES
    for name in small.names:
        figures = small.headline[name]
        assert set(figures) >= CONTRACT
        assert figures["net_cost_usd"] == pytest.approx(sum(small.policy(name).net_cost_usd()), abs=1e-9)
        accounts = sum(figures[account.name.lower()] or 0.0 for account in Account)
        # The bound stands a little below the accounts of the plan that it was proved for.
        assert accounts == pytest.approx(figures["net_cost_usd"], abs=1e-2 if name == "optimum" else 1e-9)


def test_the_optimum_bounds_its_replay_and_everybody(small: EvaluationResult) -> None:
    best, replayed = small.headline["optimum"], small.headline["optimum_replayed"]
    assert best["captured_percent"] == pytest.approx(100.0)
    assert best["optimum_replayed_net_cost_usd"] == pytest.approx(replayed["net_cost_usd"])
    assert best["peak_kw"] is None
    for name in small.names:
        for cost, bound in zip(small.policy(name).net_cost_usd(), small.policy("optimum").net_cost_usd(), strict=True):
            assert cost >= bound - 1e-4


def test_tables_and_json_hold_the_same(small: EvaluationResult) -> None:
    table = small.to_pandas()
    assert len(table) == len(NAMES) * 3
    assert table.groupby("policy")["net_cost_usd"].sum()["drain"] == pytest.approx(
        small.headline["drain"]["net_cost_usd"]
    )
    assert small.summary().loc["drain", "net_cost_usd"] == small.headline["drain"]["net_cost_usd"]
    assert np.isnan(small.summary().loc["optimum", "peak_kw"])
    assert list(table["split"].unique()) == ["clean"]
    document = json.loads(small.to_json())
    assert document["policies"] == small.headline
    assert (document["scenario"], document["days"], document["seed"], document["split"]) == (
        "home-california", 3, 4, "clean",
    )  # fmt: skip
    assert set(document["timings"]) == set(NAMES)
    assert set(document["timings"]["cheapest_hours"]) == {
        "decision_ms_p50", "decision_ms_p99", "decision_cpu_ms", "cpu_s",
    }  # fmt: skip
    assert document["timings"]["cheapest_hours"]["decision_ms_p50"] > 0


def test_an_emergency_stands_outside_the_headline(small: EvaluationResult) -> None:
    split = with_emergency(small)
    assert split.headline_days() == (0, 2)
    assert split.emergency_days() == (1,)
    assert replace(split, split="emergency").headline_days() == (0, 1, 2)
    assert list(split.to_pandas()["split"][:3]) == ["clean", "emergency", "clean"]
    assert split.document()["headline_days"] == 2


def test_dearer_days(small: EvaluationResult) -> None:
    """Draining is dearer on every day, and nothing is dearer than itself."""
    assert small.dearer_days("drain", "uncontrolled") == small.days
    assert small.dearer_days("drain", "drain") == ()
    with pytest.raises(ValueError, match="'mpc' was not evaluated"):
        small.dearer_days("mpc", "drain")


def test_what_the_screen_shows(small: EvaluationResult) -> None:
    table = summary_table("policy", small.headline)
    assert table.row_count == len(NAMES)
    lines = "\n".join(remarks(small))
    assert "gap between the bound and its replay" in lines
    assert "drain: runs without projection" in lines
    assert warnings(small) == []


def test_failures_are_called_out(small: EvaluationResult) -> None:
    ledgers = small.policy("drain").ledgers
    failed = PolicyDays("mine", ledgers, replaced_requests=7, failure="mine: KeyError: 'x'", fallbacks=2)
    lines = warnings(replace(small, policies=(*small.policies, failed)))
    assert lines == [
        "warning: the rules stood in for 7 requests of mine: mine: KeyError: 'x'",
        "mine reached its limit and fell back in 2 decisions",
    ]


def test_a_clean_optimum_says_what_it_knows(small: EvaluationResult) -> None:
    assert "truly leave" not in small.notes["optimum"]
    assert "truly leave" in replace(small, split="misreport").notes["optimum"]

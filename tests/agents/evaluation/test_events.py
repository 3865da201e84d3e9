"""Reports of programme events: by hand, and in sum what the ledger pays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ebbflow.agents.evaluation.events import event_report, event_totals, site_cars_kw
from ebbflow.agents.rules import CheapestHours
from ebbflow.agents.run import run_days
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.scenario import Events, Scenario
from ebbflow.envs.world.stress import Stress, random_scenario

MakeWorld = Callable[..., Scenario]


def one_event(start: int, end: int, pays_export: bool = True) -> Events:
    i = np.array([start])
    return Events(i, np.array([end]), i * 0, np.array([2.0]), np.array([pays_export]), np.zeros(1))


def test_an_event_by_hand(world: MakeWorld) -> None:
    """Base load 3 kW, baseline 8 kW of cars; the car charges 8 kW in the first hour of the event, gives 5 in the next.

    Delivered 0 kWh; then 8 kWh not drawn by the car, 3 kWh of the base load met, 2 kWh exported.
    """
    scenario = world([2], [8], base_kw=3.0, v2g=True)
    scenario = replace(scenario, events=one_event(2, 4), baseline_kw=np.full((1, 8), 8.0))
    report = event_report(scenario, np.array([8.0, 0.0, 8.0, -5.0, 0.0, 0.0, 0.0, 0.0])[:, None])
    assert report["start"].tolist() == ["2026-07-15T14:00:00-07:00", "2026-07-15T15:00:00-07:00"]
    assert report["end"].tolist() == ["2026-07-15T15:00:00-07:00", "2026-07-15T16:00:00-07:00"]
    assert report["baseline_kwh"].tolist() == pytest.approx([11.0, 11.0])
    assert report["metered_import_kwh"].tolist() == pytest.approx([11.0, 0.0])
    assert report["metered_export_kwh"].tolist() == pytest.approx([0.0, 2.0])
    assert report["delivered_kwh"].tolist() == pytest.approx([0.0, 13.0])
    (total,) = event_totals("any", scenario, report)
    assert (total.event, total.delivered_kwh, total.payment_usd) == (1, pytest.approx(13.0), pytest.approx(26.0))


def test_exports_count_only_where_they_are_paid(world: MakeWorld) -> None:
    scenario = world([2], [8], base_kw=3.0, v2g=True)
    scenario = replace(scenario, events=one_event(3, 4, pays_export=False), baseline_kw=np.full((1, 8), 8.0))
    report = event_report(scenario, np.array([8.0, 8.0, 0.0, -5.0, 0.0, 0.0, 0.0, 0.0])[:, None])
    assert report["delivered_kwh"].tolist() == pytest.approx([11.0])


@pytest.mark.parametrize("interval_minutes", [5, 15, 60])
@pytest.mark.parametrize("seed", range(4))
def test_the_report_is_what_the_ledger_pays(seed: int, interval_minutes: int) -> None:
    scenario = random_scenario(np.random.default_rng(seed), Stress(interval_minutes=interval_minutes))
    assert len(scenario.events.start_step)
    # A rich baseline for one, a poor one for the other, so that both sides of the floor are seen.
    scenario = replace(scenario, baseline_kw=scenario.baseline_kw + (4.0 if seed % 2 else -4.0))
    run = run_days(scenario, CheapestHours(), backend="numba", record=True)
    assert run.history is not None
    report = event_report(scenario, run.history.applied_kw)
    totals = event_totals("any", scenario, report)
    assert sum(t.payment_usd for t in totals) == pytest.approx(-run.ledgers[0].usd["programme_usd"], abs=1e-9)
    assert (totals[0].payment_usd > 0.0) == (seed % 2 == 1)
    minutes = max(15, interval_minutes)
    event_minutes = (scenario.events.end_step - scenario.events.start_step) * interval_minutes
    assert len(report) == scenario.n_sites * np.ceil(event_minutes / minutes).sum()


def test_a_car_that_leaves_is_metered_to_the_end() -> None:
    """Its last step is in the site's power as drawn, not as offered."""
    scenario = random_scenario(np.random.default_rng(7))
    run = run_days(scenario, CheapestHours(), backend="numba", record=True)
    assert run.history is not None
    drawn = site_cars_kw(scenario, run.history.applied_kw)
    tallies = run.ledgers[0].tallies
    assert drawn.sum() * scenario.step_h == pytest.approx(tallies["kwh_in"] - tallies["kwh_out"])


def test_a_day_without_events_has_an_empty_report(world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Simulator, "step", None)  # nothing is played for it
    scenario = world([2], [6])
    report = event_report(scenario, np.zeros((8, 1)))
    assert report.empty
    assert "delivered_kwh" in report.columns
    assert event_totals("any", scenario, report) == []

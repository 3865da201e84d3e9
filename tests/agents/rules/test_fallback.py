"""The fallback's four sentences, by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ebbflow.agents.rules import CheapestHours, Fallback
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Snapshot
from ebbflow.envs.world.scenario import Scenario

MakeWorld = Callable[..., Scenario]
NEVER = 1_000_000


def at_noon(scenario: Scenario) -> Snapshot:
    simulator = Simulator(scenario)
    simulator.reset()
    return simulator.snapshot().copy()


def with_event(snapshot: Snapshot, start: int, end: int, rate: float = 2.0, pays_export: bool = False) -> Snapshot:
    def one(value: Any) -> Any:
        return np.array([[value]])

    events = snapshot.context.events._replace(
        known=one(True),
        start_step=one(start),
        end_step=one(end),
        rate_usd_per_kwh=one(rate),
        pays_export=one(pays_export),
    )
    return replace(snapshot, context=snapshot.context._replace(events=events))


def test_who_must_start_now_charges_and_the_others_wait_for_the_cheap_hours(world: MakeWorld) -> None:
    scenario = world([2, 2, 2], [2, 4, 8], price=[0.5, 0.4, 0.3, 0.2, 0.6, 0.6, 0.6, 0.6])
    np.testing.assert_array_equal(Fallback().act(at_noon(scenario)), [[8, 0, 0]])


def test_the_earliest_of_equal_hours_comes_first(world: MakeWorld) -> None:
    np.testing.assert_array_equal(Fallback().act(at_noon(world([2, 0], [6, 6]))), [[8, 0]])


@pytest.mark.parametrize(("start", "end", "charges"), [(0, 2, 0.0), (-1, 1, 0.0), (1, 3, 8.0), (-3, 0, 8.0)])
def test_an_event_is_left_alone_unless_time_runs_out(world: MakeWorld, start: int, end: int, charges: float) -> None:
    snapshot = with_event(at_noon(world([2, 2], [6, 2], price=0.1)), start, end)
    np.testing.assert_array_equal(Fallback().act(snapshot), [[charges, 8.0]])


def test_a_peak_window_is_left_alone_also_by_the_count_of_cheaper_hours(world: MakeWorld) -> None:
    # Noon is the dearest but one; hours 13 to 15 are cheaper, but a peak.
    scenario = world([2], [6], price=[0.4, 0.1, 0.1, 0.1, 0.5, 0.3, 0.3, 0.3])
    assert Fallback().act(at_noon(scenario))[0, 0] == 0.0
    assert Fallback(peak_local_hours=(13.0, 16.0)).act(at_noon(scenario))[0, 0] == 8.0
    assert Fallback(peak_local_hours=(12.0, 13.0)).act(at_noon(scenario))[0, 0] == 0.0


@pytest.mark.parametrize(
    ("export", "event", "exports"),
    [(0.0, None, False), (0.33, None, False), (0.35, None, True), (0.0, True, True), (0.0, False, False)],
)
def test_export_needs_an_event_or_a_price_that_pays(world: MakeWorld, export: float, event: Any, exports: bool) -> None:
    """Refilling costs 0.30 later, wear 0.02, margin 0.02: above 0.34 it pays."""
    scenario = world([-1], [8], price=[0.5] + [0.3] * 7, v2g=True)
    stays = replace(scenario.stays, soc_arrive=np.array([0.9]), target_soc=np.array([0.5]))
    snapshot = at_noon(replace(scenario, stays=stays))
    context = snapshot.context._replace(export_price_now_usd_per_kwh=np.array([[export]]))
    snapshot = replace(snapshot, context=context, wear_usd_per_kwh=0.02)
    if event is not None:
        snapshot = with_event(snapshot, 0, 2, pays_export=event)
    assert (Fallback().act(snapshot)[0, 0] < 0) == exports


def test_without_events_and_peaks_it_charges_when_cheapest_hours_does(world: MakeWorld) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        need, depart = rng.uniform(0, 4.4, 5), rng.integers(1, 8, 5).tolist()
        snapshot = at_noon(world(need, depart, price=rng.choice([0.1, 0.2, 0.3], 8)))
        late = CheapestHours().act(snapshot)
        mine = Fallback().act(snapshot)
        assert ((mine > 0) >= (late > 0)).all()
        np.testing.assert_array_equal(mine[mine != late], 8.0)  # only who cannot wait charges beside

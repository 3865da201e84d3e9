"""A simulated snapshot, sent as a request over JSON, is the same snapshot where it arrives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from ebbflow.agents.days import DayRequest, draw_days
from ebbflow.agents.decide import decide
from ebbflow.agents.rules import CheapestHours, LeastLaxity
from ebbflow.envs.encoding import make_encoder
from ebbflow.envs.safety.projection import make_projector
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Outlook, Snapshot
from ebbflow.envs.world.stress import Stress, random_scenario
from ebbflow.serving.messages import (
    canonical_json,
    parse_request,
    read_json,
    request_digest,
    request_document,
    request_of,
    snapshot_of,
)
from ebbflow.serving.messages.to_snapshot import filled_prices

START = datetime(2026, 7, 15, 7, tzinfo=UTC)


def sent(request: Any) -> Any:
    """The request as its receiver reads it."""
    return parse_request(read_json(canonical_json(request_document(request))))


def scenarios() -> list[Any]:
    rng = np.random.default_rng(5)
    stressed = [random_scenario(rng, Stress(interval_minutes=m, hours=h)) for m, h in ((5, 3), (15, 12), (60, 12))]
    drawn = [draw_days(DayRequest(name)).scenarios[0] for name in ("depot-workplace", "home-california")]
    return stressed + drawn


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda s: f"{s.name}-{s.interval_minutes}")
def test_every_decision_of_a_day_is_the_same_through_json(scenario: Any) -> None:
    simulator = Simulator(scenario)
    simulator.reset()
    projector, encoder = make_projector("numpy"), make_encoder("numpy")
    for step in range(simulator.n_steps):
        here = simulator.snapshot()
        start = scenario.start + timedelta(minutes=step * scenario.interval_minutes)
        request = request_of(here, start.astimezone(scenario.start.tzinfo))
        arrived = sent(request)
        assert request_digest(arrived) == request_digest(request)
        there = snapshot_of(arrived, here.horizon * here.step_h)
        policy = (CheapestHours(), LeastLaxity())[step % 2]
        one, other = (decide(s, policy, policy, projector, start.timestamp()) for s in (here, there))
        np.testing.assert_array_equal(one.applied_kw, other.applied_kw)
        if step % 8 == 0:
            _assert_same(here, there)
            for ours, theirs in zip(encoder.encode(here), encoder.encode(there), strict=True):
                np.testing.assert_array_equal(ours, theirs)
        simulator.step(one.applied_kw)


def _assert_same(here: Snapshot, there: Snapshot) -> None:
    plugged = here.ports.plugged
    for name, column in here.ports._asdict().items():
        mine = np.where(plugged, column, 0)
        np.testing.assert_array_equal(mine, np.where(plugged, getattr(there.ports, name), 0), err_msg=name)
    for group in ("sites", "feeders", "context"):
        for name, value in getattr(here, group)._asdict().items():
            other = getattr(getattr(there, group), name)
            if isinstance(value, Outlook) and "issued" not in name and "price" not in name and "emissions" not in name:
                np.testing.assert_array_equal(value.window(here.horizon), other.window(here.horizon), err_msg=name)
            elif isinstance(value, np.ndarray) and not name.startswith(("arrivals", "expected", "price_known")):
                np.testing.assert_array_equal(value, other, err_msg=name)
    np.testing.assert_array_equal(here.import_price_window(), there.import_price_window())
    np.testing.assert_array_equal(here.export_price_window(), there.export_price_window())
    np.testing.assert_array_equal(here.emissions_window(), there.emissions_window())


MINIMAL: dict[str, Any] = {
    "fleet": "f",
    "cycle_start": "2026-07-15T18:00:00-07:00",
    "interval_s": 900,
    "ports": {"id": ["a", "b"], "plugged": [True, None], "capacity_kwh": [60, 60], "max_charge_kw": [11, 7.4]},
}


def test_the_least_request_makes_a_snapshot_by_stated_defaults() -> None:
    made = snapshot_of(parse_request(MINIMAL))
    assert made.horizon == 96
    assert made.ports.plugged.tolist() == [[True, False]]
    assert np.isnan(made.ports.soc).all()
    assert made.context.seconds_of_day.tolist() == [18 * 3600]
    assert made.context.weekday.tolist() == [2]
    assert np.isinf(made.sites.import_limit_kw.now()).all()
    assert not made.ports.export_consent.any()
    assert not made.context.events.known.any()


def test_departures_are_rounded_down_and_events_cover_the_steps_they_touch() -> None:
    request = parse_request(
        MINIMAL
        | {
            "ports": MINIMAL["ports"] | {"departs_in_s": [3599, None]},
            "events": {"type": ["elrp"], "start_in_s": [-100], "end_in_s": [1000], "rate_usd_per_kwh": [2.0]},
        }
    )
    made = snapshot_of(request)
    assert made.ports.steps_left[0, 0] == 3
    assert (made.context.events.start_step, made.context.events.end_step) == (-1, 2)


def test_missing_prices_are_those_of_the_day_before() -> None:
    nan = np.nan
    made = filled_prices(np.array([[nan, 2.0, 3.0, nan, nan, nan]]), 3)
    np.testing.assert_array_equal(made, [[2.0, 2.0, 3.0, 2.0, 2.0, 3.0]])
    np.testing.assert_array_equal(filled_prices(np.full((1, 2), nan), 3), [[0.0, 0.0]])
    np.testing.assert_array_equal(filled_prices(np.array([[1.0, nan]]), 96), [[1.0, 1.0]])

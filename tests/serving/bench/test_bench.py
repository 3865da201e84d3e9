"""The benchmark measures what it says; the bars are held by CPU time, so that a busy machine does not fail them."""

from __future__ import annotations

import numpy as np
import pytest

from ebbflow.envs.safety import array_refill
from ebbflow.serving.bench.fleets import fleet_request
from ebbflow.serving.bench.measure import JSON, Case, measure
from ebbflow.serving.core.cycle import dispatch, make_kit
from ebbflow.serving.core.memory import new_memory
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.http.arrow import MEDIA

from ...machine import slowness  # noqa: TID252


def test_limits_bind_where_it_says_so() -> None:
    kit = make_kit(load_serving("default", ("gates.check_clock=false",)))
    for binding in (False, True):
        request = fleet_request(200, 30, binding=binding)  # past midnight: all want to charge
        answer = dispatch(request, new_memory(), kit, request.start_s).answer
        assert ("limit" in answer.totals.by_reason) == binding
        drawn = np.bincount(request.ports.site, answer.decisions.setpoint_kw) + request.sites.net_load_kw
        assert (drawn <= request.sites.import_limit_kw[:, 0] + 1e-6).all()


def test_the_same_cars_every_step() -> None:
    one, other = fleet_request(150, 0, binding=True), fleet_request(150, 5, binding=True)
    assert (one.ports.capacity_kwh == other.ports.capacity_kwh).all()
    assert (other.ports.departs_in_s - one.ports.departs_in_s == -5 * 900).all()


def test_night_follows_night_with_the_same_cars() -> None:
    evening, last, next_evening = (fleet_request(150, step, binding=True) for step in (0, -1, 48))
    assert next_evening.start_s - evening.start_s == 86400
    assert evening.start_s - last.start_s == 12.25 * 3600
    assert (next_evening.ports.soc == evening.ports.soc).all()
    assert (last.ports.soc >= evening.ports.soc).all()


def test_the_first_hours_are_those_in_which_a_part_of_the_exports_can_be_refilled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They cost the most: figures without them would promise too much."""
    searched, whole = [], array_refill._bisect
    monkeypatch.setattr(array_refill, "_bisect", lambda *given: searched.append(1) or whole(*given))
    kit, memory = make_kit(load_serving("default", ("gates.check_clock=false",))), new_memory()
    for step in range(4):
        request = fleet_request(10_000, step, binding=True)
        memory = dispatch(request, memory, kit, request.start_s).memory
    assert len(searched) >= 2


@pytest.mark.parametrize("media", [JSON, MEDIA])
def test_a_case_is_measured_over_http(media: str) -> None:
    figures, start_s, idle_mib = measure(Case(30, True, media, 10, warm_up=1))
    assert 0.0 < figures.ms_p50 <= figures.ms_p90 <= figures.ms_p99 <= figures.ms_worst
    assert 0.0 < figures.server_cpu_ms <= figures.server_cpu_ms_worst
    assert figures.hours == "18:00 to 20:30"
    assert "18:00" <= figures.worst_at < "20:30"
    assert figures.request_bytes > 1000
    assert 0.1 < start_s < 30.0
    assert 20.0 < idle_mib < 150.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "cpu_ms"),
    [
        (Case(100, False, JSON, 60), 15.0),
        (Case(100, True, JSON, 60), 40.0),
        (Case(10_000, False, JSON, 40), 250.0),
        (Case(10_000, True, JSON, 40), 250.0),
        (Case(1_000_000, False, MEDIA, 1, warm_up=0), 20_000.0),
    ],
    ids=lambda part: part.name if isinstance(part, Case) else "",
)
def test_the_bars(case: Case, cpu_ms: float) -> None:
    figures, _, _ = measure(case)
    assert figures.server_cpu_ms < cpu_ms * slowness()
    assert figures.server_peak_mib < 4096.0

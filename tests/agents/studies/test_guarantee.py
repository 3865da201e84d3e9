"""The study of the guarantee: its days, a taste of its rows in every run, and its bars in the slow run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ebbflow.agents.studies import command, guarantee
from ebbflow.agents.studies.controllers import cars_now, projected, reference
from ebbflow.agents.studies.days import PEAK, Kind, draw_day
from ebbflow.agents.studies.least_shortfall import charging_of, least_shortfall_kwh, tightness
from ebbflow.agents.studies.measure import play, summary
from ebbflow.envs.safety import make_projector
from ebbflow.envs.simulator import Simulator

pytest.importorskip("numba")
pytest.importorskip("scipy")

SLOW_DAYS = 40
KINDS = [Kind(), Kind(taper=True, minimum=True, forecast_error=0.1), Kind(taper=True, sites=6), Kind(arrivals=True)]


def quiet(stage: str, parts: int) -> None:
    """No progress to show."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_day_is_as_tight_as_drawn(kind: Kind) -> None:
    day = draw_day(kind, seed=3, day=1)
    assert tightness(charging_of(day.scenario)) == pytest.approx(day.tightness, rel=1e-5)
    assert PEAK[0] <= day.peak_ratio <= PEAK[1]
    assert 5 <= len(day.scenario.stays) <= 60


def test_a_day_depends_on_seed_and_number_alone() -> None:
    one, same, other = (draw_day(Kind(), 3, number).scenario for number in (1, 1, 2))
    assert np.array_equal(one.stays.soc_arrive, same.stays.soc_arrive)
    assert one.site_import_limit_kw.tobytes() == same.site_import_limit_kw.tobytes()
    assert one.site_import_limit_kw.tobytes() != other.site_import_limit_kw.tobytes()


def test_least_shortfall_is_zero_up_to_one_and_not_above() -> None:
    drawn = [draw_day(Kind(taper=True), 5, number) for number in range(12)]
    for day in drawn:
        least = least_shortfall_kwh(charging_of(day.scenario))
        assert (least > 1e-6) == (day.tightness > 1.0)
        assert least == pytest.approx(day.least_shortfall_kwh, abs=1e-6)


def test_the_forecast_is_wrong_by_at_most_what_was_asked() -> None:
    day = draw_day(Kind(forecast_error=0.1), 3, 1).scenario
    room = day.site_import_limit_kw - day.site_net_load_kw
    forecast = day.site_import_limit_kw - day.site_net_load_forecast_kw
    wrong = forecast / room - 1.0
    assert 0.02 < np.abs(wrong).max() <= 0.1 + 1e-9


def test_every_controller_keeps_the_exact_guarantee_and_waiting_alone_does_not() -> None:
    drawn = [draw_day(Kind(), 11, number) for number in range(6)]
    least = np.array([day.least_shortfall_kwh for day in drawn])
    days = [day.scenario for day in drawn]
    for request in ("always pause", "always export"):
        played = play(days, projected(make_projector("numba", guarantee.NO_RESERVE), request, 1))
        assert played.excess_percent(least).max() <= 1e-3
        assert played.overload_kwh.max() <= 1e-6
    assert play(days, reference("latest start alone")).excess_percent(least).max() > 1.0


def test_references_obey_the_limit() -> None:
    simulator = Simulator(draw_day(Kind(taper=True, sites=6), 3, 2).scenario, backend="numba")
    simulator.reset()
    snapshot = simulator.snapshot()
    given = reference("charge at once")(snapshot)
    sites = snapshot.sites
    load = np.bincount(snapshot.port_site, given[0], minlength=len(sites.feeder))
    assert (load <= sites.import_limit_kw.now()[0] - sites.net_load_kw[0] + 1e-9).all()
    assert (given <= cars_now(snapshot).top_kw + 1e-9).all()
    assert given.sum() > 0.0


def test_summary_of_no_day_is_null() -> None:
    assert summary(np.zeros(0)) == {"days": 0, "mean": None, "p95": None, "max": None}
    assert summary(np.array([0.0, 4.0]))["mean"] == 2.0


def test_unknown_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="row 'x' is not one of a, b, c, d, e"):
        command.parse_rows("a,x")
    with pytest.raises(ValueError, match="no row"):
        command.parse_rows(" ,")


def test_an_interrupted_study_goes_on_and_keeps_what_it_has(tmp_path, monkeypatch) -> None:
    asked: list[str] = []

    def fake(name, days, seed, workers, tick):
        if name == "b" and len(asked) < 2:
            asked.append(name)
            raise KeyboardInterrupt
        asked.append(name)
        return {"title": name, "missed": [], "meets_bars": True}

    monkeypatch.setattr(command, "run_row", fake)
    path = tmp_path / "out" / "guarantee.json"
    with pytest.raises(KeyboardInterrupt):
        command.run_study(("a", "b"), 3, 0, 1, path)
    assert not path.exists()
    command.run_study(("a", "b"), 3, 0, 1, path)
    assert asked == ["a", "b", "b"]
    assert list(json.loads(path.read_text())["rows"]) == ["a", "b"]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.slow
@pytest.mark.parametrize("row", command.ROW_NAMES)
def test_bars(row: str) -> None:
    """Fewer days than the full study, `ebbflow bench guarantee`."""
    measured = guarantee.run_row(row, SLOW_DAYS, 1, 2, quiet)
    command.show({"rows": {row: measured}})
    assert measured["missed"] == []

"""The observation: within its bounds, the same on every back end, deaf to the future."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from ebbflow.envs.action import requested_power
from ebbflow.envs.encoding import (
    CONTEXT_FIELDS,
    CONTEXT_WIDTH,
    PORT_FIELDS,
    PORT_WIDTH,
    bounds,
    fields,
    make_encoder,
    observation_hash,
)
from ebbflow.envs.safety import make_projector
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.scenario import Scenario

from ..worlds import harsher, permuted, plain, random_setpoints, tensor, with_stays, worlds  # noqa: TID252

COUNT = 16


def crowd(minutes: int) -> list[Scenario]:
    rng = np.random.default_rng(minutes)
    return [harsher(w, rng) for w in worlds(minutes, COUNT, interval_minutes=minutes, hours=12)]


@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_back_ends_agree_and_keep_the_bounds_all_day(minutes: int) -> None:
    made = crowd(minutes)
    setpoints = random_setpoints(np.random.default_rng(1), made[0], COUNT)
    names = ("numpy", "numba", "torch")
    simulators = [Simulator(made, COUNT, backend=name) for name in names]
    encoders = [make_encoder(name) for name in names]
    for simulator in simulators:
        simulator.reset()
    ports, context = bounds(PORT_FIELDS), bounds(CONTEXT_FIELDS)
    for step in range(0, simulators[0].n_steps):
        if step % (24 if minutes == 5 else 4) == 1:
            seen = [e.encode(s.snapshot()) for e, s in zip(encoders, simulators, strict=True)]
            first = [plain(part) for part in seen[0]]
            for other in seen[1:]:
                for value, reference in zip(other, first, strict=True):
                    np.testing.assert_allclose(plain(value), reference, atol=1e-5)
            assert first[0].shape == (COUNT, simulators[0].n_ports, PORT_WIDTH)
            assert first[1].shape == (COUNT, CONTEXT_WIDTH)
            for value, (low, high) in ((first[0], ports), (first[1], context)):
                assert value.dtype == np.float32
                assert np.isfinite(value).all()
                assert (value >= np.array(low, np.float32)).all()
                assert (value <= np.array(high, np.float32)).all()
            plugged = np.asarray(simulators[0].state.ports.plugged)
            np.testing.assert_array_equal(first[2], plugged)
            assert (first[0][~plugged] == 0).all()
        for simulator, name in zip(simulators, names, strict=True):
            simulator.step(tensor(setpoints[step]) if name == "torch" else setpoints[step])


@pytest.mark.parametrize("price", [-0.5, 0.0, 5.0, 1e6])
def test_extreme_prices_and_missing_data_stay_within_bounds(price: float) -> None:
    made = [
        dataclasses.replace(
            w,
            import_price_usd_per_kwh=np.full_like(w.import_price_usd_per_kwh, price),
            import_price_forecast_usd_per_kwh=np.full_like(w.import_price_forecast_usd_per_kwh, -price),
            emissions_kg_per_kwh=np.full_like(w.emissions_kg_per_kwh, np.nan),
            site_net_load_kw=w.site_net_load_kw * 1e4,
            money=dataclasses.replace(w.money, carbon_usd_per_kg=0.0),
        )
        for w in crowd(15)
    ]
    simulator = Simulator(made, COUNT)
    simulator.reset()
    for name in ("numpy", "numba"):
        seen = make_encoder(name).encode(simulator.snapshot())
        for value, table in ((seen.ports, PORT_FIELDS), (seen.context, CONTEXT_FIELDS)):
            low, high = bounds(table)
            assert np.isfinite(value).all()
            assert (value >= np.array(low, np.float32)).all()
            assert (value <= np.array(high, np.float32)).all()


def test_the_hash_follows_every_part_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    before = observation_hash()
    assert before == observation_hash()
    first = PORT_FIELDS[0]
    for changed in (
        first._replace(name="charge"), first._replace(unit="%"), first._replace(scale="/ 2"),
        first._replace(low=-1), first._replace(high=2), first._replace(width=2),
    ):  # fmt: skip
        monkeypatch.setattr(fields, "PORT_FIELDS", (changed, *PORT_FIELDS[1:]))
        assert observation_hash() != before
    monkeypatch.setattr(fields, "PORT_FIELDS", (PORT_FIELDS[1], PORT_FIELDS[0], *PORT_FIELDS[2:]))
    assert observation_hash() != before


def test_permuting_ports_permutes_the_observation() -> None:
    made = crowd(15)
    order = np.random.default_rng(2).permutation(6)
    pair = [Simulator(days, COUNT, backend="numba") for days in (made, [permuted(w, order) for w in made])]
    setpoints = random_setpoints(np.random.default_rng(3), made[0], COUNT)
    encoder = make_encoder("numba")
    for simulator in pair:
        simulator.reset()
    for row in setpoints:
        first, second = (encoder.encode(simulator.snapshot()) for simulator in pair)
        np.testing.assert_allclose(second.ports, first.ports[:, order], atol=1e-6)
        np.testing.assert_array_equal(second.mask, first.mask[:, order])
        np.testing.assert_allclose(second.context, first.context, atol=1e-6)
        pair[0].step(row)
        pair[1].step(row[:, order])


def everything_seen(scenario: Scenario, step: int, backend: str) -> list[Any]:
    """Observation, requested and projected power after `step` steps of pause."""
    simulator = Simulator(scenario, backend=backend)
    simulator.reset()
    for _ in range(step):
        simulator.step(np.zeros((1, simulator.n_ports)))
    snapshot = simulator.snapshot()
    seen = [np.array(part) for part in make_encoder(backend).encode(snapshot)]
    action = np.linspace(-1, 1, simulator.n_ports)[None]
    asked = requested_power(snapshot, action, backend)
    made = make_projector(backend).project(snapshot, np.asarray(asked))
    return [*seen, np.asarray(asked), made.applied_kw, made.reasons]


def _true_departures(w: Scenario, k: int) -> Scenario:
    here = (w.stays.arrive_step <= k) & (w.stays.depart_step > k)
    return with_stays(w, depart_step=np.where(here, np.maximum(w.stays.depart_step - 3, k + 1), w.stays.depart_step))


def _later_arrivals(w: Scenario, k: int) -> Scenario:
    later = w.stays.arrive_step > k
    capacity = np.where(later, 20.0, w.stays.capacity_kwh)
    return with_stays(w, capacity_kwh=capacity, target_soc=np.where(later, 0.99, w.stays.target_soc))


def _true_soc(w: Scenario, k: int) -> Scenario:
    silent = ~w.stays.soc_known
    shift = np.where(silent, 0.5 * w.stays.soc_arrive, 0.0)
    return with_stays(w, soc_arrive=w.stays.soc_arrive - shift, target_soc=w.stays.target_soc - shift)


def _later_truth(w: Scenario, k: int) -> Scenario:
    rng = np.random.default_rng(4)

    def changed(values: Any) -> Any:
        made = np.array(values)
        made[..., k + 1 :] += rng.uniform(1, 2, made[..., k + 1 :].shape)
        return made

    # The other load of a feeder has no forecast of its own: a day's calendar gives it, so it is known.
    names = ("import_price_usd_per_kwh", "export_price_usd_per_kwh", "site_net_load_kw", "emissions_kg_per_kwh")
    return dataclasses.replace(w, **{name: changed(getattr(w, name)) for name in names})


def _later_forecasts(w: Scenario, k: int) -> Scenario:
    """What is issued later: the next price forecast, emission forecasts of later steps."""
    issue = int(w.price_issue_of_step[k])
    prices = w.import_price_forecast_usd_per_kwh.copy()
    prices[issue + 1 :] += 3.0
    emissions = w.emissions_issued_kg_per_kwh.copy()
    emissions[k + 1 :] += 1.0
    return dataclasses.replace(w, import_price_forecast_usd_per_kwh=prices, emissions_issued_kg_per_kwh=emissions)


def _unannounced_event(w: Scenario, k: int) -> Scenario:
    secret = w.events.notice_step > k
    return dataclasses.replace(
        w,
        events=dataclasses.replace(
            w.events,
            rate_usd_per_kwh=np.where(secret, 99.0, w.events.rate_usd_per_kwh),
            pays_export=w.events.pays_export ^ secret,
        ),
    )


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(
    "future",
    [_true_departures, _later_arrivals, _true_soc, _later_truth, _later_forecasts, _unannounced_event],
)
def test_nothing_of_the_future_or_the_unsaid_is_seen(future: Any, backend: str) -> None:
    for world in crowd(15)[:4]:
        for step in (0, 11, 30):
            other = future(world, step)
            for a, b in zip(everything_seen(world, step, backend), everything_seen(other, step, backend), strict=True):
                np.testing.assert_array_equal(a, b)


def test_the_present_is_seen() -> None:
    """The counterpart of the test above: what is known now does change the observation."""
    world = crowd(15)[0]
    dearer = dataclasses.replace(world, import_price_usd_per_kwh=world.import_price_usd_per_kwh + 0.1)
    longer = with_stays(world, said_depart_step=world.stays.said_depart_step + 5)
    for other in (dearer, longer):
        pairs = zip(everything_seen(world, 5, "numpy")[:2], everything_seen(other, 5, "numpy")[:2], strict=True)
        assert any((a != b).any() for a, b in pairs)


def test_a_fresh_day_is_not_taken_for_the_former_one() -> None:
    """Both days begin alike, at midnight, in row 0 of their own banks; only what follows differs."""
    first = worlds(3, 1, hours=12)[0]
    first = dataclasses.replace(first, start=first.start.replace(hour=0, minute=0))
    later = {}
    for name in ("import_price_usd_per_kwh", "export_price_usd_per_kwh"):
        forecast = name.replace("_usd", "_forecast_usd")
        later |= {part: getattr(first, part).copy() for part in (name, forecast)}
        later[name][..., 1:] += 0.3
        later[forecast][..., 1:] += 0.3
    second = dataclasses.replace(first, **later)
    compiled, reference = make_encoder("numba"), make_encoder("numpy")
    for day in (first, second):
        simulator = Simulator(day, backend="numba")
        simulator.reset()
        seen = compiled.encode(simulator.snapshot())
        for value, right in zip(seen, reference.encode(simulator.snapshot()), strict=True):
            np.testing.assert_allclose(plain(value), plain(right), atol=1e-5)
        assert seen.context[0, 1] == pytest.approx(1.0)  # the cosine of midnight

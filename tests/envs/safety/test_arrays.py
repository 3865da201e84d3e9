"""The array form against the compiled loops where they could part: margins, reasons, odd limits, gradients."""

from __future__ import annotations

import dataclasses
import pickle
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from ebbflow.envs.safety import (
    Projector,
    Reason,
    Reserve,
    array_latest,
    array_plan,
    array_refill,
    array_serve,
    make_projector,
    projection,
)
from ebbflow.envs.safety.array_column_levels import cut_columns
from ebbflow.envs.safety.array_rooms import Rooms
from ebbflow.envs.safety.library import Library
from ebbflow.envs.safety.projection import ExpectedLoad
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Snapshot
from ebbflow.envs.world.scenario import Scenario
from ebbflow.envs.world.stress import Stress, random_scenario

pytest.importorskip("numba")

WORLDS, EVERY = 12, 3
SHARED = Stress(tight=0.4, hours=8)
DEPOT = Stress(sites=1, feeders=1, ports=10, tight=0.35, hours=8)
HOMES = Stress(sites=6, feeders=1, tight=0.4, hours=4, lookahead_hours=6)


def simulator(
    stress: Stress, change: Any = None, dtype: str = "float64", seeds: Sequence[int] = range(WORLDS)
) -> Simulator:
    days = [random_scenario(np.random.default_rng(seed), stress) for seed in seeds]
    days = [change(day, np.random.default_rng(seed)) if change else day for seed, day in zip(seeds, days, strict=True)]
    return Simulator(days, len(days), backend="numba", dtype=dtype)


def requests(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Anything a policy may ask: moderate, absurd, infinite, and not a number."""
    asked = rng.uniform(-14, 14, shape)
    asked = np.where(rng.random(shape) < 0.3, rng.choice([-np.inf, -99.0, 0.0, 99.0, np.inf], shape), asked)
    return np.where(rng.random(shape) < 0.05, np.nan, asked)


def compare(
    stress: Stress, reserve: Reserve, change: Any = None, dtype: str = "float64", seeds: Sequence[int] = range(WORLDS)
) -> int:
    """Run days on the compiled projection, hold the array form against it; returns all reasons that came up."""
    sim, seen = simulator(stress, change, dtype, seeds), 0
    loops, arrays = make_projector("numba", reserve), make_projector("numpy", reserve)
    rng = np.random.default_rng(1)
    sim.reset()
    for step in range(sim.n_steps):
        snapshot = sim.snapshot()
        asked = requests(rng, (len(seeds), sim.n_ports))
        expected = loops.project(snapshot, asked)
        if step % EVERY == 0:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                got = arrays.project(snapshot, asked)
            np.testing.assert_allclose(got.applied_kw, expected.applied_kw, atol=1e-6, err_msg=f"step {step}")
            np.testing.assert_array_equal(got.reasons, expected.reasons, err_msg=f"step {step}")
            assert got.applied_kw.dtype == expected.applied_kw.dtype
        seen |= int(np.bitwise_or.reduce(expected.reasons, axis=None))
        sim.step(expected.applied_kw)
    return seen


@pytest.mark.parametrize("stress", [SHARED, DEPOT, HOMES], ids=["shared", "depot", "homes"])
@pytest.mark.parametrize("headroom", [1.0, 0.9])
def test_every_reason_comes_up_and_agrees(stress: Stress, headroom: float) -> None:
    seen = compare(stress, Reserve(headroom, 0.0))
    everything = sum(reason for reason in Reason if reason is not Reason.OVERRIDE)
    assert seen == everything, f"never came up: {Reason(everything & ~seen)!r}"


def later_cars(day: Scenario, rng: np.random.Generator) -> Scenario:
    hours = int(day.n_steps * day.step_h) + 26
    came, leaves = np.arange(hours)[:, None], np.arange(hours)
    table = rng.uniform(0, 1.5, (day.n_sites, hours, hours)) * (leaves > came)
    return dataclasses.replace(day, expected_arrivals_kwh=table * (rng.random(table.shape) < 0.1))


def no_site_limits(day: Scenario, rng: np.random.Generator) -> Scenario:
    limits = day.site_import_limit_kw.copy()
    limits[rng.random(len(limits)) < 0.6] = np.inf
    return dataclasses.replace(day, site_import_limit_kw=limits)


@pytest.mark.parametrize("stress", [SHARED, DEPOT], ids=["shared", "depot"])
def test_margins_for_expected_arrivals_agree(stress: Stress) -> None:
    compare(stress, Reserve(0.95, 0.7), later_cars)


def test_limits_that_are_none_agree() -> None:
    compare(SHARED, Reserve(0.9, 0.0), no_site_limits)


def test_sites_without_ports_agree() -> None:
    compare(Stress(ports=4, sites=7, feeders=3, tight=0.3, hours=6), Reserve(0.9, 0.0))


def test_an_outlook_shorter_than_the_stays_agrees() -> None:
    compare(dataclasses.replace(SHARED, lookahead_hours=2), Reserve(0.9, 0.0))


@pytest.mark.slow  # compiles the loops a second time
def test_single_precision_agrees() -> None:
    compare(SHARED, Reserve(0.9, 0.0), dtype="float32")


def test_overrides_agree() -> None:
    sim, rng = simulator(SHARED), np.random.default_rng(2)
    loops, arrays = make_projector("numba"), make_projector("numpy")
    sim.reset()
    for _ in range(8):
        snapshot = sim.snapshot()
        ports = snapshot.ports._replace(override=rng.integers(0, 3, snapshot.ports.override.shape))
        asked, snapshot = requests(rng, (WORLDS, sim.n_ports)), dataclasses.replace(snapshot, ports=ports)
        expected, got = loops.project(snapshot, asked), arrays.project(snapshot, asked)
        np.testing.assert_allclose(got.applied_kw, expected.applied_kw, atol=1e-6)
        np.testing.assert_array_equal(got.reasons, expected.reasons)
        assert (expected.reasons & Reason.OVERRIDE).any()
        sim.step(expected.applied_kw)


def test_a_projector_travels_to_other_processes() -> None:
    sim = simulator(DEPOT)
    sim.reset()
    asked, projector = np.full((WORLDS, sim.n_ports), 99.0), make_projector("numpy")
    copy: Projector = pickle.loads(pickle.dumps(projector))
    np.testing.assert_array_equal(
        copy.project(sim.snapshot(), asked).applied_kw, projector.project(sim.snapshot(), asked).applied_kw
    )


@pytest.mark.parametrize("tight", [0.3, 0.5])
def test_torch_gradients_are_those_of_finite_differences(tight: float) -> None:
    """Through limits, plan and taper, for continuous chargers; kinks, where the two sides differ, are left out."""
    torch = pytest.importorskip("torch")
    stress = dataclasses.replace(DEPOT, ports=6, minimum=False, tight=tight)
    days = [random_scenario(np.random.default_rng(seed), stress) for seed in range(6)]
    sim, projector = Simulator(days, 6, backend="torch"), make_projector("torch", Reserve(0.9, 0.0))
    rng, small, checked = np.random.default_rng(4), 1e-6, 0
    sim.reset()
    for _ in range(20):
        snapshot, weight = sim.snapshot(), torch.as_tensor(rng.normal(size=(6, 6)))
        soc, asked = snapshot.ports.soc.detach().clone(), torch.as_tensor(rng.uniform(-14, 14, (6, 6)))
        along_soc = torch.as_tensor(rng.normal(size=(6, 6))) * (soc == soc)
        along_asked = torch.as_tensor(rng.normal(size=(6, 6)))

        def value(by: Any, here: Snapshot = snapshot, at: Any = (soc, asked, along_soc, along_asked, weight)) -> Any:
            moved = dataclasses.replace(here, ports=here.ports._replace(soc=at[0] + by[:, None] * at[2]))
            return (projector.project(moved, at[1] + by[:, None] * at[3]).applied_kw * at[4]).sum(1)

        by = torch.zeros(6, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(value(by).sum(), by)
        with torch.no_grad():
            up, down = (value(by + small) - value(by)) / small, (value(by) - value(by - small)) / small
            smooth = (up - down).abs() < 1e-2 * (1 + up.abs())
            np.testing.assert_allclose(slope[smooth], (0.5 * (up + down))[smooth], rtol=2e-2, atol=2e-2)
            checked += int((smooth & (slope != 0)).sum())
            sim.step(projector.project(snapshot, asked).applied_kw)
    assert checked > 20, "too few worlds in which the request or the SoC still matters"


def test_many_worlds_are_served_rank_by_rank_to_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_serve, "FEW_WORLDS", 0)
    compare(SHARED, Reserve(0.9, 0.0))


@pytest.mark.parametrize(("sites", "most_cars"), [(1, 60), (3, 40), (40, 30), (60, 4)])
def test_sites_filled_as_columns_and_as_one_row_agree(
    sites: int, most_cars: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One column, few that are sorted, and many that Newton's method begins; of unlike sizes, in any order."""
    rng, lib, columns = np.random.default_rng(sites), Library("numpy"), array_plan.fits_columns
    for share in (0.05, 0.2, 0.5):
        site = rng.permutation(np.repeat(np.arange(sites), rng.integers(1, most_cars, sites)))
        power, left = rng.choice([3.7, 11.0, 22.0], len(site)), rng.integers(1, 30, len(site))
        need, tapers = np.minimum(rng.uniform(0.0, 12.0, len(site)), left), rng.random(len(site)) < 0.4
        bend, rate = np.where(tapers, rng.uniform(0.0, 5.0, len(site)), 0.0), rng.uniform(0.1, 0.5, len(site))
        cars = array_plan.Cars(site, site * 0, left, need, power, 0.01 * power, bend, rate)
        room = share * np.bincount(site, power, sites)[:, None] * rng.uniform(0.5, 1.5, (sites, 30)).round(1)
        found = []
        for fits in (columns, lambda *_: False):
            monkeypatch.setattr(array_plan, "fits_columns", fits)
            found.append(array_plan.fill(lib, cars, Rooms(room, np.zeros((0, 30))), 28))
        np.testing.assert_allclose(*found, rtol=0.0, atol=1e-9)
        assert (found[0] > 0).any(), "nobody had to wait"


@pytest.mark.parametrize("columns", [1, 5, 30])
def test_columns_are_cut_to_rooms_that_end_on_a_flat_piece(columns: int) -> None:
    """Whole cars of one power just fill the room: the level may lie anywhere between two keys."""
    rng = np.random.default_rng(columns)
    key = rng.permuted(np.repeat([[3.2], [5.1], [7.4], [0.7]], 10, axis=0) * np.ones(columns), axis=0)
    share, draw = np.minimum(key, 1.0), np.full(key.shape, 11.1)
    for whole in (0, 10, 20, 30):
        room, level = np.full(columns, 11.1 * whole), np.zeros(columns)
        part = cut_columns(key, share.copy(), draw, (draw * share).sum(0), room, level)
        np.testing.assert_allclose((draw * part).sum(0), room, rtol=0.0, atol=2e-9)
        np.testing.assert_allclose(part, np.minimum(np.maximum(key - level, 0.0), share), rtol=0.0, atol=1e-12)


def no_feeder_limits(day: Scenario, rng: np.random.Generator) -> Scenario:
    return dataclasses.replace(day, feeder_import_limit_kw=np.full_like(day.feeder_import_limit_kw, np.inf))


def test_a_plan_that_is_given_up_at_the_hardest_sites_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large fleets where no feeder binds: what these sites lack says that not all can be exported."""
    monkeypatch.setattr(array_latest, "MANY_CARS", 0)
    given_up, whole = [], array_plan.floors_of

    def floors_of(t: Any, fleet: Any, need: Any, rooms: Any, enough: Any = None) -> Any:
        answers: list[bool] = []
        asked = enough and (lambda floors: answers.append(enough(floors)) or answers[-1])
        floors = whole(t, fleet, need, rooms, asked)
        given_up.append(answers == [True])
        return floors

    monkeypatch.setattr(array_refill, "floors_of", floors_of)
    for seed in range(6):
        compare(dataclasses.replace(SHARED, ports=12, sites=4), Reserve(0.9, 0.0), no_feeder_limits, seeds=[seed])
    assert any(given_up)


def test_the_load_of_later_cars_is_computed_once_per_content(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot, expected, computed = simulator(SHARED, later_cars).snapshot(), ExpectedLoad(), []
    monkeypatch.setattr(projection, "_expected_load", lambda table: computed.append(1) or np.zeros_like(table))
    table = snapshot.sites.expected_arrivals_kwh
    other = table.copy()
    other[0, 0, 0, -1] += 1.0
    for given in (table, table[:], table.copy(), other, other.copy(), table):
        expected.of(dataclasses.replace(snapshot, sites=snapshot.sites._replace(expected_arrivals_kwh=given)))
    assert len(computed) == 3

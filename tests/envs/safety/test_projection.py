"""The projection against adversaries: nothing they ask breaks a promise, and nobody misses a feasible target."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.envs.ledger import Tally
from ebbflow.envs.safety import Projector, Reason, make_projector
from ebbflow.envs.safety.view import car_view
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Outlook, Snapshot
from ebbflow.envs.world.bank import Bank, pack
from ebbflow.envs.world.build import build_scenario, load_settings
from ebbflow.envs.world.scenario import Scenario
from ebbflow.envs.world.stress import Stress, random_scenario

from ..worlds import ADVERSARIES, harsher, permuted, unlimited, with_stays, worlds  # noqa: TID252
from .guard import assert_explained, assert_safe, rule_day

WORLDS = 72
GRIDS = {5: 6, 15: 12, 60: 24}  # minutes: hours; 3 x 72 worlds under every adversary


def crowd(minutes: int, **stress: Any) -> list[Scenario]:
    """Random worlds, the same for every test: tight limits, unknown SoC, misreports, minimum current, steps."""
    rng = np.random.default_rng(minutes)
    made = worlds(minutes, WORLDS, interval_minutes=minutes, hours=GRIDS[minutes], **stress)
    return [stopping_at_their_limit(harsher(world, rng)) for world in made]


def stopping_at_their_limit(scenario: Scenario) -> Scenario:
    return with_stays(scenario, stop_soc=scenario.stays.charge_limit_soc)


@pytest.fixture(scope="module")
def tight() -> dict[int, Bank]:
    return {minutes: pack(crowd(minutes)) for minutes in GRIDS}


@pytest.fixture(scope="module")
def free() -> dict[int, Bank]:
    return {minutes: pack([unlimited(world) for world in crowd(minutes)]) for minutes in GRIDS}


@pytest.mark.parametrize("name", ADVERSARIES)
@pytest.mark.parametrize("minutes", GRIDS)
def test_no_adversary_breaks_a_promise(minutes: int, name: str, tight: dict[int, Bank]) -> None:
    simulator = Simulator(tight[minutes], WORLDS, backend="numba")
    rule_day(simulator, "numba", ADVERSARIES[name], np.random.default_rng(1))
    assert simulator.state.tallies[:, Tally.OVERLOAD_KWH].max() < 1e-5


@pytest.mark.parametrize("name", ADVERSARIES)
@pytest.mark.parametrize("minutes", GRIDS)
def test_no_adversary_makes_a_car_miss_a_feasible_target(minutes: int, name: str, free: dict[int, Bank]) -> None:
    simulator = Simulator(free[minutes], WORLDS, backend="numba")
    rule_day(simulator, "numba", ADVERSARIES[name], np.random.default_rng(2))
    tallies = simulator.state.tallies
    assert tallies[:, Tally.STAYS].min() > 0
    assert tallies[:, Tally.WORST_SHORTFALL_KWH].max() <= 1e-6


@pytest.mark.parametrize("name", ["pause", "export", "noise", "drain_the_needy"])
def test_float32_misses_no_target_by_more_than_a_hundredth(name: str) -> None:
    bank = pack([unlimited(world) for world in crowd(15)], "float32")
    simulator = Simulator(bank, WORLDS, backend="numba")
    rule_day(simulator, "numba", ADVERSARIES[name], np.random.default_rng(3), room_kw=1e-3)
    assert simulator.state.tallies[:, Tally.WORST_SHORTFALL_KWH].max() <= 1e-2


@pytest.mark.parametrize("name", ["nan", "mixed", "charge", "export"])
def test_float32_keeps_its_promises(name: str) -> None:
    simulator = Simulator(pack(crowd(15), "float32"), WORLDS, backend="numba")
    rule_day(simulator, "numba", ADVERSARIES[name], np.random.default_rng(4), room_kw=1e-3)


@pytest.mark.parametrize("name", ["pause", "export", "mixed", "noise"])
@pytest.mark.parametrize("limits", ["tight", "free"])
def test_the_reference_back_end_keeps_its_promises(name: str, limits: str) -> None:
    made = crowd(15)[:12]
    made = made if limits == "tight" else [unlimited(world) for world in made]
    simulator = Simulator(made, len(made))
    rule_day(simulator, "numpy", ADVERSARIES[name], np.random.default_rng(5))
    if limits == "free":
        assert simulator.state.tallies[:, Tally.WORST_SHORTFALL_KWH].max() <= 1e-6


@pytest.mark.parametrize("name", ["charge", "pause"])
@pytest.mark.parametrize("preset", ["home-california", "depot-workplace"])
def test_no_car_of_a_preset_is_charged_past_its_limit(preset: str, name: str) -> None:
    """There a car's limit is its target, and its battery would take more."""
    chosen = load_settings(preset)
    made = [build_scenario(chosen, seed=0, day=day) for day in range(4)]
    simulator = Simulator(made, len(made), backend="numba")
    rule_day(simulator, "numba", ADVERSARIES[name], np.random.default_rng(6))


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    minutes=st.sampled_from([5, 15, 60]),
    tight=st.floats(0.0, 1.5),
    asked=st.lists(st.floats(width=64), min_size=6, max_size=6),
)
def test_whatever_is_asked_at_any_time(seed: int, minutes: int, tight: float, asked: list[float]) -> None:
    rng = np.random.default_rng(seed)
    world = random_scenario(rng, Stress(interval_minutes=minutes, hours=6, tight=tight))
    simulator = Simulator(world, backend="numba")
    simulator.reset()
    projector = make_projector("numba")
    for _ in range(int(rng.integers(0, simulator.n_steps))):
        simulator.step(projector.project(simulator.snapshot(), rng.uniform(-20, 20, (1, 6))).applied_kw)
    snapshot = simulator.snapshot()
    assert_safe(snapshot, projector.project(snapshot, np.array([asked])))


def mid_day(made: list[Scenario], share: float = 0.5) -> Snapshot:
    """A snapshot after some hours of noise behind the projection."""
    simulator = Simulator(made, len(made), backend="numba")
    simulator.reset()
    rng, projector = np.random.default_rng(7), make_projector("numba")
    for _ in range(int(share * simulator.n_steps)):
        asked = rng.uniform(-15, 15, (len(made), simulator.n_ports))
        simulator.step(projector.project(simulator.snapshot(), asked).applied_kw)
    return simulator.snapshot().copy()


@pytest.fixture(scope="module")
def projector() -> Projector:
    return make_projector("numba")


@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
def test_the_callers_arrays_are_left_alone(share: float, projector: Projector) -> None:
    snapshot = mid_day(crowd(15), share)
    kept = snapshot.copy()
    asked = np.random.default_rng(8).uniform(-20, 20, (WORLDS, 6))
    before = asked.copy()
    first = projector.project(snapshot, asked)
    again = projector.project(snapshot, asked)
    np.testing.assert_array_equal(asked, before)
    np.testing.assert_array_equal(first.applied_kw, again.applied_kw)
    for name, column in kept.ports._asdict().items():
        np.testing.assert_array_equal(getattr(snapshot.ports, name), column)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
def test_an_applied_answer_is_safe_to_ask_again(share: float, projector: Projector) -> None:
    snapshot = mid_day(crowd(15), share)
    asked = np.random.default_rng(9).uniform(-20, 20, (WORLDS, 6))
    first = projector.project(snapshot, asked)
    second = projector.project(snapshot, first.applied_kw)
    assert_safe(snapshot, second)
    site = np.eye(3)[snapshot.port_site]
    served = np.maximum(first.applied_kw, 0.0) @ site
    assert (np.maximum(second.applied_kw, 0.0) @ site >= served - 1e-6).all()


def test_the_order_of_ports_does_not_matter(projector: Projector) -> None:
    """Away from ties and from the rounding of steps."""
    made = worlds(16, WORLDS, minimum=False)
    order = np.random.default_rng(10).permutation(6)
    pair = [Simulator(days, WORLDS, backend="numba") for days in (made, [permuted(w, order) for w in made])]
    for simulator in pair:
        simulator.reset()
    rng = np.random.default_rng(11)
    compared = 0
    for _ in range(pair[0].n_steps):
        asked = rng.uniform(-20, 20, (WORLDS, 6))
        first, second = (
            projector.project(simulator.snapshot(), row)
            for simulator, row in zip(pair, (asked, asked[:, order]), strict=True)
        )
        # Cars that need nothing, or are late, tie in laxity, and a tie goes by port order.
        view, here = car_view(pair[0].snapshot()), pair[0].state.ports.plugged
        clear = ((view.hours_to_target < 1e-6) & here).sum(1) < 2
        clear &= ((view.laxity_h < 1e-6) & here).sum(1) < 2
        np.testing.assert_allclose(second.applied_kw[clear], first.applied_kw[clear][:, order], atol=1e-5)
        compared += int((first.applied_kw[clear] != 0).sum())
        pair[0].step(first.applied_kw)
        pair[1].step(first.applied_kw[:, order])
    assert compared > 1000


def now_scaled(snapshot: Snapshot, share: float) -> Snapshot:
    """The snapshot with other import limits in the present step only."""

    def scaled(outlook: Outlook) -> Outlook:
        values = outlook.values.copy()
        values[:, :, int(outlook.start[0])] *= share
        return Outlook(values, outlook.row, outlook.start)

    return dataclasses.replace(
        snapshot,
        sites=snapshot.sites._replace(import_limit_kw=scaled(snapshot.sites.import_limit_kw)),
        feeders=snapshot.feeders._replace(import_limit_kw=scaled(snapshot.feeders.import_limit_kw)),
    )


def test_a_tighter_limit_never_raises_the_import(projector: Projector) -> None:
    """At one meter with continuous power; whole cars and steps can pack a smaller room better."""
    made = worlds(17, WORLDS, sites=1, feeders=1, tariffs=1, minimum=False, tight=0.4)
    for share in (0.1, 0.5, 0.8):
        snapshot = mid_day(made, share)
        asked = np.random.default_rng(12).uniform(0, 20, (WORLDS, 6))
        totals = [
            projector.project(now_scaled(snapshot, scale), asked).applied_kw.sum(1)
            for scale in (1.5, 1.0, 0.8, 0.5, 0.2, 0.0)
        ]
        assert (np.diff(totals, axis=0) <= 1e-6).all()
        assert (totals[0] > totals[-1] + 1).any()


def test_a_lower_request_never_ends_higher_where_nothing_binds(projector: Projector) -> None:
    snapshot = mid_day([unlimited(w) for w in crowd(15)])
    rows = np.linspace(-30, 30, 61)
    made = [projector.project(snapshot, np.full((WORLDS, 6), x)).applied_kw for x in rows]
    assert (np.diff(made, axis=0) >= -1e-9).all()


class TestReasons:
    def snapshot(self) -> Snapshot:
        return mid_day(crowd(15), 0.3)

    def of(self, projector: Projector, asked: float) -> tuple[Snapshot, Any, Any]:
        snapshot = self.snapshot()
        made = projector.project(snapshot, np.full((WORLDS, 6), asked))
        return snapshot, made.applied_kw, made.reasons

    @pytest.mark.parametrize("name", ADVERSARIES)
    def test_every_change_is_explained(self, projector: Projector, name: str) -> None:
        snapshot = self.snapshot()
        asked = ADVERSARIES[name](np.random.default_rng(13), snapshot, 0)
        assert_explained(snapshot, asked, projector.project(snapshot, asked))

    def test_nan_is_told(self, projector: Projector) -> None:
        snapshot, _, reasons = self.of(projector, np.nan)
        assert ((reasons & Reason.NOT_FINITE) > 0)[snapshot.ports.plugged].all()

    def test_too_much_is_told(self, projector: Projector) -> None:
        snapshot, _, reasons = self.of(projector, np.inf)
        assert ((reasons & Reason.BOX) > 0)[snapshot.ports.plugged].all()

    def test_no_consent_is_told(self, projector: Projector) -> None:
        snapshot, applied, reasons = self.of(projector, -5.0)
        silent = snapshot.ports.plugged & (~snapshot.ports.export_consent | np.isnan(snapshot.ports.soc))
        assert silent.any()
        assert ((reasons & Reason.NO_EXPORT) > 0)[silent].all()
        assert (applied[silent] >= 0).all()

    def test_a_low_battery_charges_at_once_and_says_so(self, projector: Projector) -> None:
        made = [unlimited(w) for w in crowd(15)]
        made = [with_stays(w, soc_known=np.ones(len(w.stays), bool)) for w in made]
        simulator = Simulator(made, WORLDS, backend="numba")
        simulator.reset()
        snapshot = simulator.snapshot()
        low = snapshot.ports.plugged & (snapshot.ports.soc < snapshot.ports.min_soc - 1e-6)
        low &= snapshot.ports.target_soc > snapshot.ports.soc + 1e-6
        assert low.sum() > 3
        out = projector.project(snapshot, np.full((WORLDS, 6), -np.inf))
        assert (out.applied_kw[low] > 0).all()
        assert ((out.reasons & Reason.MIN_SOC) > 0)[low].all()

    def test_a_request_that_is_granted_needs_no_reason(self, projector: Projector) -> None:
        free_world = mid_day([unlimited(w) for w in crowd(15)], 0.3)
        made = projector.project(free_world, np.full((WORLDS, 6), 2.4))
        same = free_world.ports.plugged & (np.abs(made.applied_kw - 2.4) < 1e-12)
        assert same.sum() > 20
        due = Reason.DEPARTURE | Reason.LOOK_AHEAD | Reason.MIN_SOC  # says so also where more was asked
        assert (made.reasons[same] & ~int(due) == 0).all()

"""Money: every account against the slow ledger, and the rules of contracts 3 and 4 one by one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.scenario import Events, Scenario

from .slow_ledger import SlowLedger
from .worlds import harsher, play, random_setpoints, with_stays, worlds

GRIDS = [(5, 6), (15, 12), (60, 12), (15, 24)]


def varied(minutes: int, hours: int, misreport: bool, count: int, seed: int) -> list[Scenario]:
    """Random worlds, with a bill that has a peak already at some sites, and without any emission price at others."""
    rng = np.random.default_rng(seed)
    made = worlds(seed, count, interval_minutes=minutes, hours=hours, misreport=misreport)
    return [harsher(world, rng) for world in made]


def assert_same_books(simulator: Simulator, scenarios: list[Scenario], setpoint_kw: Any, usd: float) -> None:
    for world, scenario in enumerate(scenarios):
        slow = SlowLedger(scenario)
        slow.run(setpoint_kw[:, world])
        ledger = simulator.ledger(world)
        for name, value in ledger.usd.items():
            assert value == pytest.approx(slow.usd.get(name, 0.0), abs=usd), (world, name)
        for name, value in ledger.tallies.items():
            assert value == pytest.approx(slow.tallies.get(name, 0.0), abs=max(usd, 1e-6)), (world, name)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("misreport", [False, True])
@pytest.mark.parametrize(("minutes", "hours"), GRIDS)
def test_every_account_matches_the_slow_ledger(minutes: int, hours: int, misreport: bool, backend: str) -> None:
    scenarios = varied(minutes, hours, misreport, 12, seed=minutes + hours)
    setpoints = random_setpoints(np.random.default_rng(1), scenarios[0], len(scenarios))
    simulator = Simulator(scenarios, len(scenarios), backend=backend)
    steps = play(simulator, setpoints)
    assert_same_books(simulator, scenarios, setpoints, 1e-6)
    np.testing.assert_allclose(
        steps.sum((0, 2)), [simulator.ledger(b).net_cost_usd for b in range(len(scenarios))], atol=1e-9
    )


def test_charging_at_once_and_doing_nothing_match_the_slow_ledger() -> None:
    scenarios = varied(15, 12, True, 10, seed=77)
    for power in (0.0, 1e9, -1e9):
        setpoints = np.full((scenarios[0].n_steps, len(scenarios), scenarios[0].n_ports), power)
        simulator = Simulator(scenarios, len(scenarios))
        play(simulator, setpoints)
        assert_same_books(simulator, scenarios, setpoints, 1e-6)


def quiet(count: int = 1, **stress: Any) -> Scenario:
    """A world whose accounts are all zero unless a test turns one on: one port, one site, one feeder."""
    world = worlds(3, count, ports=1, sites=1, feeders=1, tariffs=1, misreport=False, minimum=False, **stress)[0]
    flat = np.zeros_like(world.import_price_usd_per_kwh)
    wide = np.full_like(world.site_import_limit_kw, 1e9)
    world = dataclasses.replace(
        world,
        site_net_load_kw=np.zeros_like(world.site_net_load_kw),
        import_price_usd_per_kwh=flat,
        export_price_usd_per_kwh=flat,
        site_import_limit_kw=wide,
        site_export_limit_kw=wide,
        feeder_import_limit_kw=wide,
        feeder_export_limit_kw=wide,
        demand_rate_usd_per_kw=np.zeros(1),
        billing_peak_kw=np.zeros(1),
        fixed_usd_per_day=np.zeros(1),
        baseline_kw=np.zeros_like(world.baseline_kw),
        money=dataclasses.replace(
            world.money, wear_usd_per_kwh=0.0, calendar_wear_usd_per_kwh=0.0, carbon_usd_per_kg=0.0
        ),
    )
    one = {
        name: values[:1] for name, values in vars(world.stays).items()
    }  # the first stay only, from the first step to the last
    return with_stays(
        world, **one | {
            "arrive_step": np.array([0]), "depart_step": np.array([world.n_steps]),
            "said_depart_step": np.array([world.n_steps]), "capacity_kwh": np.array([100.0]),
            "soc_arrive": np.array([0.5]), "target_soc": np.array([0.5]), "asked_kwh": np.array([0.0]),
            "stop_soc": np.array([0.995]), "charge_efficiency": np.array([1.0]), "taper_soc": np.array([0.9]),
            "discharge_efficiency": np.array([1.0]), "fixed_loss_kw": np.array([0.0]),
            "battery_accept_kw": np.array([100.0]), "max_charge_kw": np.array([10.0]),
            "max_discharge_kw": np.array([10.0]), "soc_known": np.array([True]), "min_soc": np.array([0.1]),
            "reserve_soc": np.array([0.1]), "charge_limit_soc": np.array([0.995]),
        },
    )  # fmt: skip


def booked(scenario: Scenario, setpoint_kw: Any) -> dict[str, float]:
    simulator = Simulator(scenario)
    play(simulator, np.broadcast_to(np.asarray(setpoint_kw, float).reshape(-1, 1, 1), (scenario.n_steps, 1, 1)))
    return simulator.ledger().usd


class TestByHand:
    def test_a_car_first_meets_the_sites_own_surplus(self) -> None:
        # 4 kW of sun: 10 kW of charging buys 6 kW at 0.30 and gives up 4 kW at 0.10, for 12 hours.
        world = quiet()
        world = dataclasses.replace(
            world,
            site_net_load_kw=np.full_like(world.site_net_load_kw, -4.0),
            import_price_usd_per_kwh=np.full_like(world.import_price_usd_per_kwh, 0.30),
            export_price_usd_per_kwh=np.full_like(world.export_price_usd_per_kwh, 0.10),
        )
        wishes = np.where(np.arange(world.n_steps) < 8, 10.0, 0.0)  # two hours
        usd = booked(world, wishes)
        assert usd["energy_import_usd"] == pytest.approx(6 * 2 * 0.30)
        assert usd["export_revenue_usd"] == pytest.approx(4 * 2 * 0.10)

    @pytest.mark.parametrize(("billing_peak", "expected"), [(0.0, 10 * 0.5 / 30.4), (4.0, 6.0), (20.0, 0.0)])
    def test_demand_charge_above_the_bills_peak(self, billing_peak: float, expected: float) -> None:
        # 10 kW at 1 $/kW: a share of half a day where the month has no peak, else all that is above it.
        world = dataclasses.replace(
            quiet(), demand_rate_usd_per_kw=np.ones(1), billing_peak_kw=np.array([billing_peak])
        )
        wishes = np.where(np.arange(world.n_steps) == 5, 10.0, 0.0)
        assert booked(world, wishes)["demand_charge_usd"] == pytest.approx(expected)

    def test_demand_charge_is_on_the_mean_of_a_quarter_hour(self) -> None:
        # One of three five-minute steps at 9 kW is 3 kW, whichever of the three it is.
        world = dataclasses.replace(
            quiet(interval_minutes=5), demand_rate_usd_per_kw=np.ones(1), billing_peak_kw=np.array([1e-9])
        )
        for step in (3, 4, 5):
            wishes = np.where(np.arange(world.n_steps) == step, 9.0, 0.0)
            assert booked(world, wishes)["demand_charge_usd"] == pytest.approx(3.0)
        across = np.where(np.isin(np.arange(world.n_steps), (5, 6)), 9.0, 0.0)
        assert booked(world, across)["demand_charge_usd"] == pytest.approx(3.0)

    def test_an_events_payment_is_floored_at_the_end_not_at_each_step(self) -> None:
        # Baseline 2 kW over two hours: an hour at 10 kW (8 kWh too much), then an hour of pause (2 kWh saved).
        world = quiet(interval_minutes=60)
        first = int(world.events.start_step[0])
        world = dataclasses.replace(
            world,
            baseline_kw=np.full_like(world.baseline_kw, 2.0),
            events=dataclasses.replace(world.events, end_step=np.array([first + 2])),
        )
        steps = np.arange(world.n_steps)
        assert booked(world, np.where(steps == first, 10.0, 0.0))["programme_usd"] == pytest.approx(0.0)
        assert booked(world, np.where(steps == first, 1.0, 0.0))["programme_usd"] == pytest.approx(-2.0 * 3)

    @pytest.mark.parametrize(("pays", "kwh"), [(True, 10.0), (False, 0.0)])
    def test_exports_count_only_where_the_programme_pays_them(self, pays: bool, kwh: float) -> None:
        world = quiet(interval_minutes=60)
        world = dataclasses.replace(world, events=dataclasses.replace(world.events, pays_export=np.array([pays])))
        wishes = np.where(np.arange(world.n_steps) == world.events.start_step[0], -10.0, 0.0)
        assert booked(world, wishes)["programme_usd"] == pytest.approx(-2.0 * kwh)

    def test_what_the_cars_do_not_cause_is_not_priced(self) -> None:
        # 50 kW of own load over a limit of 20: the cars pay for their 10 kW only, and for none when they pause.
        world = quiet()
        world = dataclasses.replace(
            world,
            site_net_load_kw=np.full_like(world.site_net_load_kw, 50.0),
            site_import_limit_kw=np.full_like(world.site_import_limit_kw, 20.0),
        )
        assert booked(world, np.zeros(world.n_steps))["overload_usd"] == 0.0
        wishes = np.where(np.arange(world.n_steps) < 4, 10.0, 0.0)
        assert booked(world, wishes)["overload_usd"] == pytest.approx(6.0 * 10.0)

    def test_a_stay_that_goes_on_neither_gains_by_hoarding_nor_by_draining(self) -> None:
        # At the 25th percentile of a flat price, energy bought is worth what it cost, up to the target.
        world = quiet()
        t = world.n_steps
        world = with_stays(
            dataclasses.replace(
                world, import_price_usd_per_kwh=np.full_like(world.import_price_usd_per_kwh, 0.2)
            ),
            depart_step=np.array([t + 1000]), said_depart_step=np.array([t + 1000]),
            target_soc=np.array([0.6]), asked_kwh=np.array([10.0]),
        )  # fmt: skip
        for hours, credited in ((0.5, 5.0), (1.0, 10.0), (2.0, 10.0)):
            usd = booked(world, np.where(np.arange(t) < 4 * hours, 10.0, 0.0))
            assert usd["energy_import_usd"] == pytest.approx(2.0 * hours)
            assert usd["end_value_usd"] == pytest.approx(-0.2 * credited)
        drained = booked(world, np.where(np.arange(t) < 4, -10.0, 0.0))
        assert drained["end_value_usd"] == pytest.approx(0.2 * 10.0)

    @pytest.mark.parametrize("backend", ["numpy", "numba"])
    def test_leaving_a_car_short_in_an_event_costs_more_than_it_saves(self, backend: str) -> None:
        """Who does not charge in an event saves the import price and earns the payment (contracts 3, excused)."""
        world = quiet(interval_minutes=60)
        t, first = world.n_steps, int(world.events.start_step[0])
        world = with_stays(
            dataclasses.replace(
                world,
                import_price_usd_per_kwh=np.full_like(world.import_price_usd_per_kwh, 0.9),
                baseline_kw=np.full_like(world.baseline_kw, 10.0),
                events=dataclasses.replace(
                    world.events, end_step=np.array([first + 1]), pays_export=np.array([False])
                ),
            ),
            arrive_step=np.array([first]), depart_step=np.array([first + 1]),
            said_depart_step=np.array([t]), target_soc=np.array([0.6]), asked_kwh=np.array([10.0]),
        )  # fmt: skip
        costs = []
        for power in (0.0, 10.0):
            simulator = Simulator(world, backend=backend)
            play(simulator, np.full((t, 1, 1), power))
            costs.append(simulator.ledger().net_cost_usd)
        assert costs[0] > costs[1]

    def test_an_unserved_car_that_leaves_when_it_said_is_not_excused(self) -> None:
        world = with_stays(quiet(), target_soc=np.array([0.6]), asked_kwh=np.array([10.0]))
        usd = booked(world, np.zeros(world.n_steps))
        assert usd["unserved_usd"] == pytest.approx(60.0)
        assert usd["early_leave_usd"] == 0.0

    def test_half_of_the_shortfall_is_excused_where_half_could_still_have_come(self) -> None:
        # Short by 20 kWh, and left an hour early: 10 kWh could have come, at 0.60; the other 10 at 6.
        world = dataclasses.replace(quiet(), events=Events.none())
        t = world.n_steps
        world = with_stays(world, depart_step=np.array([t - 4]), target_soc=np.array([0.7]), asked_kwh=np.array([20.0]))
        usd = booked(world, np.zeros(t))
        assert usd["early_leave_usd"] == pytest.approx(0.6 * 10)
        assert usd["unserved_usd"] == pytest.approx(6.0 * 10)

    def test_draining_below_what_a_car_asked_is_unserved_even_if_it_asked_less_than_nothing(self) -> None:
        # It arrives 10 kWh above its target: taking 10 is fine, taking 15 leaves 5 unserved.
        world = with_stays(quiet(), target_soc=np.array([0.4]), asked_kwh=np.array([-10.0]))
        steps = np.arange(world.n_steps)
        assert booked(world, np.where(steps < 4, -10.0, 0.0))["unserved_usd"] == pytest.approx(0.0, abs=1e-9)
        assert booked(world, np.where(steps < 6, -10.0, 0.0))["unserved_usd"] == pytest.approx(6.0 * 5)

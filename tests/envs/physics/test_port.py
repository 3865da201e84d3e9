"""One port and its battery: closed forms against numbers by hand, against quadrature, and as properties."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ebbflow.envs.physics.backends import port_model

PORT = port_model("numpy")
FULL = 0.995


@dataclass(frozen=True)
class Car:
    capacity_kwh: float
    taper_soc: float
    accept_kw: float
    efficiency: float
    loss_kw: float

    @property
    def tau(self) -> float:
        return self.capacity_kwh * (1 - self.taper_soc) / self.accept_kw

    def charge(self, soc: float, power_kw: float, hours: float, stop_soc: float = FULL) -> tuple[float, float]:
        end, drawn = PORT.charge(
            soc, power_kw, hours, self.capacity_kwh, self.taper_soc, self.accept_kw, self.efficiency,
            self.loss_kw, stop_soc,
        )  # fmt: skip
        return float(end), float(drawn)

    def discharge(self, soc: float, power_kw: float, hours: float, floor: float) -> tuple[float, float]:
        end, given_kwh = PORT.discharge(soc, power_kw, hours, self.capacity_kwh, self.efficiency, self.loss_kw, floor)
        return float(end), float(given_kwh)

    def full(self, power_kw: float) -> float:
        return float(PORT.full_power(power_kw, self.accept_kw, self.efficiency, self.loss_kw))

    def knee(self, power_kw: float) -> float:
        return float(PORT.taper_start(self.full(power_kw), self.accept_kw, self.taper_soc))

    def latest_start(self, goal: float, hours: float, power_kw: float) -> float:
        return float(
            PORT.latest_start(goal, hours, self.full(power_kw), self.knee(power_kw), self.tau, self.capacity_kwh)
        )

    def time_to(self, goal: float, soc: float, power_kw: float) -> float:
        return float(PORT.time_to(goal, soc, self.full(power_kw), self.knee(power_kw), self.tau, self.capacity_kwh))

    def power_to_reach(self, goal: float, soc: float, hours: float, max_kw: float) -> float:
        return float(
            PORT.power_to_reach(
                np.float64(goal), np.float64(soc), hours, max_kw, self.capacity_kwh, self.taper_soc,
                self.accept_kw, self.efficiency, self.loss_kw,
            )
        )  # fmt: skip

    def battery_kw(self, soc: float, power_kw: float) -> float:
        """Contracts 2, word for word; no closed form."""
        accepted = self.accept_kw * min(1.0, (1 - soc) / (1 - self.taper_soc))
        return min(max(self.efficiency * power_kw - self.loss_kw, 0.0), accepted)


cars = st.builds(
    Car,
    capacity_kwh=st.floats(5, 150),
    taper_soc=st.floats(0.3, 0.95),
    accept_kw=st.floats(3, 250),
    efficiency=st.floats(0.7, 1.0),
    loss_kw=st.floats(0.0, 0.4),
)
socs = st.floats(0.0, 0.99)
powers = st.floats(0.7, 350)
hours_of_step = st.sampled_from([5 / 60, 0.25, 1.0])

LOSSY = Car(40, 0.9, 100, 0.9, 0.5)
TAPERS = Car(60, 0.8, 12, 1.0, 0.0)  # tau is one hour
"""Two batteries for numbers by hand."""


class TestByHand:
    def test_losses_are_affine(self) -> None:
        # 0.9 x 10 - 0.5 = 8.5 kW for a quarter of an hour is 2.125 kWh; 10 kW were drawn throughout.
        soc, drawn = LOSSY.charge(0.5, 10, 0.25)
        assert soc == pytest.approx(0.5 + 2.125 / 40, abs=1e-14)
        assert drawn == pytest.approx(2.5, abs=1e-13)

    def test_measured_on_board_charger(self) -> None:
        # Contracts 2: 77 % at 6 A and 87 % at 32 A, one phase of 230 V, with 0.89 and 0.17 kW.
        car = Car(60, 0.9, 50, 0.89, 0.17)
        for amperes, share in ((6, 0.77), (32, 0.87)):
            soc, drawn = car.charge(0.2, 0.23 * amperes, 1.0)
            assert 60 * (soc - 0.2) / drawn == pytest.approx(share, abs=0.005)

    def test_inside_the_taper(self) -> None:
        soc, drawn = TAPERS.charge(0.9, 100, 1.0)
        assert soc == pytest.approx(1 - 0.1 / math.e, abs=1e-14)
        assert drawn == pytest.approx(60 * (0.1 - 0.1 / math.e), abs=1e-12)

    def test_a_weak_charger_tapers_late(self) -> None:
        # 6 of 12 kW move the taper from 0.8 to 0.9: an hour at 6 kW, then half an hour of decay.
        assert TAPERS.knee(6) == pytest.approx(0.9)
        soc, _ = TAPERS.charge(0.8, 6, 1.5)
        assert soc == pytest.approx(1 - 0.1 * math.exp(-0.5), abs=1e-14)

    def test_a_full_battery_stops(self) -> None:
        soc, drawn = TAPERS.charge(0.99, 100, 10)
        assert soc == FULL
        assert drawn == pytest.approx(0.3, abs=1e-9)
        assert TAPERS.charge(FULL, 100, 1) == (FULL, 0.0)

    def test_fixed_loss_runs_only_while_on(self) -> None:
        # To the stop at 0.6 it takes 4 kWh / 8.5 kW; the charger is off from then on.
        soc, drawn = LOSSY.charge(0.5, 10, 1.0, stop_soc=0.6)
        assert soc == pytest.approx(0.6, abs=1e-14)
        assert drawn == pytest.approx(10 * 4 / 8.5, abs=1e-12)

    def test_export(self) -> None:
        # (9 + 0.5) / 0.95 = 10 kW leave the battery; 4 kWh above the floor last 0.4 h.
        car = Car(40, 0.9, 100, 0.95, 0.5)
        assert car.discharge(0.5, 9, 0.25, 0.2) == pytest.approx((0.5 - 2.5 / 40, 2.25))
        assert car.discharge(0.3, 9, 1.0, 0.2) == pytest.approx((0.2, 9 * 0.4))

    def test_power_below_the_fixed_loss_charges_nothing(self) -> None:
        assert LOSSY.charge(0.5, 0.5, 1.0) == (0.5, 0.0)

    def test_latest_start(self) -> None:
        # Below the taper a straight line; in it ln 2 hours halve the open part; an hour earlier 6 kWh less.
        assert TAPERS.latest_start(0.9, 2, 6) == pytest.approx(0.7)
        assert TAPERS.latest_start(0.95, math.log(2), 6) == pytest.approx(0.9)
        assert TAPERS.latest_start(0.95, math.log(2) + 1, 6) == pytest.approx(0.8)
        assert TAPERS.latest_start(1.0, 0.0, 6) == pytest.approx(FULL)


class TestSteps:
    @pytest.mark.parametrize(
        ("power", "step", "down", "up"),
        [(7.0, 0.24, 6.96, 7.2), (7.2, 0.24, 7.2, 7.2), (0.1, 0.24, 0.0, 0.24), (7.3, 0.0, 7.3, 7.3)],
    )
    def test_by_hand(self, power: float, step: float, down: float, up: float) -> None:
        assert PORT.floor_to_step(np.float64(power), step, 1e-9) == pytest.approx(down)
        assert PORT.ceil_to_step(np.float64(power), step, 1e-9) == pytest.approx(up)

    @given(power=st.floats(0, 500), step=st.floats(0.1, 2))
    def test_nearest_multiples(self, power: float, step: float) -> None:
        down = float(PORT.floor_to_step(np.float64(power), step, 1e-9))
        up = float(PORT.ceil_to_step(np.float64(power), step, 1e-9))
        assert down <= power * (1 + 1e-9)
        assert power - down < step
        assert up * (1 + 1e-9) >= power
        assert up - power <= step
        for value in (down, up):
            assert value / step == pytest.approx(round(value / step), abs=1e-6)

    @given(amperes=st.integers(0, 80), step=st.sampled_from([0.24, 0.23, 0.208, 0.6928]))
    def test_a_multiple_stays_where_it_is(self, amperes: int, step: float) -> None:
        power = np.float64(amperes * step)
        for rounding in (1e-9, 1e-5):
            assert PORT.floor_to_step(power, step, rounding) == pytest.approx(power, rel=1e-12)
            assert PORT.ceil_to_step(power, step, rounding) == pytest.approx(power, rel=1e-12)

    @given(wish=st.floats(-50, 50), step=st.sampled_from([0.0, 0.24]), least_out=st.sampled_from([0.0, 1.44]))
    def test_what_a_charger_offers(self, wish: float, step: float, least_out: float) -> None:
        offered = float(PORT.offered_power(np.float64(wish), 7.2, 4.8, 1.44, least_out, step, 1e-9))
        assert -4.8 - 1e-9 <= offered <= 7.2 + 1e-9
        assert offered == 0 or offered >= 1.44 - 1e-6 or (offered < 0 and -offered >= least_out - 1e-6)
        assert abs(offered) <= abs(wish) + 1e-6
        assert offered * wish >= 0


@given(car=cars, soc=socs, power=powers, stop=st.floats(0.3, FULL))
def test_steps_of_5_15_and_60_minutes_agree(car: Car, soc: float, power: float, stop: float) -> None:
    whole = car.charge(soc, power, 1.0, stop)
    for parts in (4, 12):
        at, drawn = soc, 0.0
        for _ in range(parts):
            at, more = car.charge(at, power, 1.0 / parts, stop)
            drawn += more
        assert abs(at - whole[0]) * car.capacity_kwh < 1e-9
        assert abs(drawn - whole[1]) < 1e-9


@given(car=cars, soc=socs, power=powers, floor=st.floats(0, 0.5))
def test_exports_of_5_15_and_60_minutes_agree(car: Car, soc: float, power: float, floor: float) -> None:
    whole = car.discharge(soc, power, 1.0, floor)
    for parts in (4, 12):
        at, given_kwh = soc, 0.0
        for _ in range(parts):
            at, more = car.discharge(at, power, 1.0 / parts, floor)
            given_kwh += more
        assert abs(at - whole[0]) * car.capacity_kwh < 1e-9
        assert abs(given_kwh - whole[1]) < 1e-9


@given(car=cars, soc=socs, power=powers, hours=hours_of_step)
def test_agrees_with_quadrature_of_the_acceptance_curve(car: Car, soc: float, power: float, hours: float) -> None:
    """The time that the battery needs between two SoCs is the integral of C / power over SoC."""
    assume(car.battery_kw(soc, power) > 0.05)
    end, drawn = car.charge(soc, power, hours)
    if end >= FULL:
        return
    nodes, weights = np.polynomial.legendre.leggauss(64)
    cuts = np.unique(np.clip([soc, car.knee(power), end], soc, end))
    took = 0.0
    for lo, hi in pairwise(cuts):
        at = lo + (hi - lo) * (nodes + 1) / 2
        rate = car.capacity_kwh / np.array([car.battery_kw(s, power) for s in at])
        took += (hi - lo) / 2 * float(weights @ rate)
    assert took == pytest.approx(hours, rel=1e-6)
    assert drawn == pytest.approx((car.capacity_kwh * (end - soc) + car.loss_kw * hours) / car.efficiency, abs=1e-9)


@given(car=cars, soc=socs, power=powers, hours=hours_of_step, stop=st.floats(0.0, FULL))
def test_a_charge_conserves_energy_and_keeps_to_its_setpoint(
    car: Car, soc: float, power: float, hours: float, stop: float
) -> None:
    end, drawn = car.charge(soc, power, hours, stop)
    stored = car.capacity_kwh * (end - soc)
    assert soc <= end <= max(soc, stop) + 1e-15
    assert 0 <= drawn <= power * hours * (1 + 1e-9)
    lost_to_on = car.efficiency * drawn - stored
    assert -1e-9 <= lost_to_on <= car.loss_kw * hours + 1e-9


@given(car=cars, soc=socs, power=powers, hours=hours_of_step, floor=st.floats(0, 0.9))
def test_an_export_conserves_energy_and_stops_at_its_floor(
    car: Car, soc: float, power: float, hours: float, floor: float
) -> None:
    end, given_kwh = car.discharge(soc, power, hours, floor)
    assert min(soc, floor) - 1e-12 <= end <= soc
    assert 0 <= given_kwh <= power * hours * (1 + 1e-12)
    on = given_kwh / power
    assert car.efficiency * car.capacity_kwh * (soc - end) == pytest.approx(given_kwh + car.loss_kw * on, abs=1e-9)


@given(car=cars, soc=socs, power=powers, more=st.floats(0, 20), hours=hours_of_step)
def test_more_power_time_or_charge_never_ends_lower(
    car: Car, soc: float, power: float, more: float, hours: float
) -> None:
    end, _ = car.charge(soc, power, hours)
    assert car.charge(soc, power + more, hours)[0] >= end - 1e-12
    assert car.charge(soc, power, hours + more)[0] >= end - 1e-12
    assert car.charge(min(soc + more / 100, 0.99), power, hours)[0] >= end - 1e-12


@given(car=cars, goal=st.floats(0.05, 1.0), hours=st.floats(0, 12), power=powers)
def test_latest_start_is_exactly_in_time(car: Car, goal: float, hours: float, power: float) -> None:
    assume(car.full(power) > 0.05)
    start = car.latest_start(goal, hours, power)
    assert start <= min(goal, FULL) + 1e-12
    assert car.time_to(goal, start, power) == pytest.approx(hours, abs=1e-6)
    if start >= 0:
        end, _ = car.charge(start, power, hours)
        assert car.capacity_kwh * abs(end - min(goal, FULL)) < 1e-9
        if hours > 0.01 and start > 0.01:
            late, _ = car.charge(start - 0.01, power, hours)
            assert late < min(goal, FULL)


@given(car=cars, goal=st.floats(0.05, FULL), soc=socs, power=powers)
def test_time_to_is_what_charging_takes(car: Car, goal: float, soc: float, power: float) -> None:
    assume(car.full(power) > 0.05)
    assume(goal > soc)
    hours = car.time_to(goal, soc, power)
    assert car.charge(soc, power, hours)[0] == pytest.approx(goal, abs=1e-9)


@given(car=cars, soc=socs, rise=st.floats(1e-6, 0.5), hours=hours_of_step, max_kw=powers)
def test_power_to_reach_reaches_and_is_the_least(
    car: Car, soc: float, rise: float, hours: float, max_kw: float
) -> None:
    assume(car.full(max_kw) > 0.05)
    goal = min(soc + rise, FULL)
    power = car.power_to_reach(goal, soc, hours, max_kw)
    assert 0 <= power <= max_kw
    best, _ = car.charge(soc, max_kw, hours)
    end, _ = car.charge(soc, power, hours)
    assert car.capacity_kwh * (min(goal, best) - end) < 1e-9
    if power < max_kw * (1 - 1e-9):
        less, _ = car.charge(soc, power * 0.999, hours)
        assert less < goal


@given(car=cars, soc=socs, max_kw=powers, hours=hours_of_step, fall=st.floats(0, 0.5))
def test_no_power_is_due_where_the_goal_is_reached(
    car: Car, soc: float, max_kw: float, hours: float, fall: float
) -> None:
    assert car.power_to_reach(soc - fall, soc, hours, max_kw) == 0


@given(data=st.data(), car=cars, soc=socs, power=powers, hours=hours_of_step)
def test_the_three_back_ends_have_one_port(data: Any, car: Car, soc: float, power: float, hours: float) -> None:
    torch = pytest.importorskip("torch")
    goal = data.draw(st.floats(0.05, FULL))
    numpy_, numba_, torch_ = port_model("numpy"), port_model("numba"), port_model("torch")
    columns = (car.capacity_kwh, car.taper_soc, car.accept_kw, car.efficiency, car.loss_kw)
    calls = (
        ("charge", (soc, power, hours, *columns, FULL)),
        ("discharge", (soc, power, hours, car.capacity_kwh, car.efficiency, car.loss_kw, 0.1)),
        ("power_to_reach", (goal, soc, hours, power, *columns)),
        ("latest_start", (goal, hours, car.full(power), car.knee(power), car.tau, car.capacity_kwh)),
        ("time_to", (goal, soc, car.full(power), car.knee(power), car.tau, car.capacity_kwh)),
    )
    for name, values in calls:
        want = np.atleast_1d(getattr(numpy_, name)(*(np.float64(v) for v in values)))
        compiled = np.atleast_1d(getattr(numba_, name)(*values))
        tensors = getattr(torch_, name)(*(torch.tensor(v, dtype=torch.float64) for v in values))
        tensors = [float(t) for t in tensors] if isinstance(tensors, tuple) else [float(tensors)]
        assert compiled == pytest.approx(want, rel=1e-9, abs=1e-9), name
        assert tensors == pytest.approx(want, rel=1e-9, abs=1e-9), name

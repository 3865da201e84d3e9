"""The survey of the cars, compiled; see `survey`."""

from __future__ import annotations

from ..physics.compiling import kernel
from .car import car_model

_car = car_model("numba")
plan_soc, plan_target, hours_to = _car.plan_soc, _car.plan_target, _car.hours_to
can_charge, can_export = _car.can_charge, _car.can_export


@kernel
def list_cars(b, plugged, cars):
    """List the ports of world `b` that have a car; without a branch, which would be guessed wrong at every gap."""
    count = 0
    for n in range(plugged.shape[1]):
        cars.port[b, count] = n
        count += 1 if plugged[b, n] else 0
    cars.count[b] = count


@kernel
def survey_cars(lo, hi, ports, step_h, rounding, cars):
    """Write what can be said of each plugged-in car of worlds `lo .. hi` into `cars`."""
    p = ports
    for b in range(lo, hi):
        list_cars(b, p.plugged, cars)
        for i in range(cars.count[b]):
            n = cars.port[b, i]
            known = p.soc[b, n] == p.soc[b, n]
            capacity, power = p.capacity_kwh[b, n], p.max_charge_kw[b, n]
            taper, accept = p.taper_soc[b, n], p.battery_accept_kw[b, n]
            eta, loss, steps = p.charge_efficiency[b, n], p.fixed_loss_kw[b, n], p.steps_left[b, n]
            soc = plan_soc(p.soc[b, n], known, p.need_kwh[b, n], capacity)
            target = plan_target(p.soc[b, n], known, p.target_soc[b, n], p.charge_limit_soc[b, n], p.min_soc[b, n])
            cars.soc[b, n] = soc
            cars.target_soc[b, n] = target
            cars.take_kw[b, n] = can_charge(p.soc[b, n], known, p.need_kwh[b, n], p.charge_limit_soc[b, n], power)
            cars.need_h[b, n] = 0.0
            if target > soc:
                cars.need_h[b, n] = hours_to(target, soc, power, capacity, taper, accept, eta, loss)
            cars.give_kw[b, n] = 0.0
            if known and p.export_consent[b, n] and steps > 0 and p.max_discharge_kw[b, n] > 0.0:
                cars.give_kw[b, n] = can_export(
                    True, soc, target, (steps - 1) * step_h, step_h, p.reserve_soc[b, n], p.min_soc[b, n],
                    p.max_discharge_kw[b, n], p.min_discharge_kw[b, n], p.step_kw[b, n],
                    p.discharge_efficiency[b, n], power, capacity, taper, accept, eta, loss, rounding,
                )  # fmt: skip

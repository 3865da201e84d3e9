"""The cars that are connected now, as stays of a planning problem: what they said, and how the ledger will settle it.

A car that is said to stay beyond the window is settled at its end by the formulas that the ledger has for the end of
an episode (contracts 4): it is due at its latest-start SoC, and the way to its target has a worth.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...envs.physics.backends import ledger_model
from ...envs.physics.port import FULL_SOC
from ...envs.safety.car import car_model
from ...envs.snapshot import Snapshot
from ..planning.problem import PlanStays

Array = NDArray[Any]


class Settling(NamedTuple):
    """What missing energy costs and remaining energy is worth."""

    unserved_usd_per_kwh: float
    end_usd_per_kwh: Array  # (S,) of a grid kWh at the window's end


class _Cars(NamedTuple):
    """Columns of the connected ports, `(J,)`, and what follows from them."""

    port: Array
    known: Array  # whether the SoC is
    soc: Array  # to plan with
    target_soc: Array
    steps_left: Array  # until the said departure; 1 where that has come
    column: dict[str, Array]

    @property
    def curve(self) -> tuple[Array, ...]:
        """The arguments that the port model wants."""
        c = self.column
        return (
            c["max_charge_kw"], c["capacity_kwh"], c["taper_soc"], c["battery_accept_kw"], c["charge_efficiency"],
            c["fixed_loss_kw"],
        )  # fmt: skip


COLUMNS = (
    "soc", "need_kwh", "capacity_kwh", "taper_soc", "battery_accept_kw", "max_charge_kw", "max_discharge_kw",
    "min_charge_kw", "charge_efficiency", "discharge_efficiency", "fixed_loss_kw", "target_soc", "charge_limit_soc",
    "reserve_soc", "min_soc",
)  # fmt: skip


def present_stays(snapshot: Snapshot, world: int, steps: int, settling: Settling) -> PlanStays:
    """The stays of the cars connected in `world`, over a window of `steps`."""
    cars = _cars(snapshot, world)
    c, n = cars.column, len(cars.port)
    site = snapshot.port_site[cars.port]
    goes_on = cars.steps_left > steps
    capacity, eta = c["capacity_kwh"], c["charge_efficiency"]
    top_soc = np.where(cars.known, np.minimum(c["charge_limit_soc"], FULL_SOC), FULL_SOC)
    return PlanStays(
        port=cars.port,
        site=site,
        from_step=np.zeros(n, np.int64),
        to_step=np.minimum(cars.steps_left, steps),
        start_kwh=cars.soc * capacity,
        top_kwh=np.maximum(top_soc, cars.soc) * capacity,
        export_floor_kwh=np.maximum(c["reserve_soc"], c["min_soc"]) * capacity,
        capacity_kwh=capacity,
        taper_soc=c["taper_soc"],
        battery_accept_kw=c["battery_accept_kw"],
        max_charge_kw=c["max_charge_kw"],
        max_discharge_kw=np.where(_may_export(snapshot, world, cars), c["max_discharge_kw"], 0.0),
        min_charge_kw=c["min_charge_kw"],
        charge_efficiency=eta,
        discharge_efficiency=c["discharge_efficiency"],
        fixed_loss_kw=c["fixed_loss_kw"],
        needed_kwh=_due_soc(cars, steps, snapshot.step_h) * capacity,
        unserved_usd_per_kwh=np.full(n, settling.unserved_usd_per_kwh),
        early_h=np.zeros(n),
        early_usd_per_kwh=np.zeros(n),
        end_usd_per_kwh=np.where(goes_on, settling.end_usd_per_kwh[site] / eta, 0.0),
        end_from_kwh=np.minimum(cars.soc, cars.target_soc) * capacity,
        end_to_kwh=cars.target_soc * capacity,
        at_once_kwh=np.where(cars.known, np.minimum(c["min_soc"], cars.target_soc), 0.0) * capacity,
        at_once_kw=c["max_charge_kw"],
    )


def _cars(snapshot: Snapshot, world: int) -> _Cars:
    ports, model = snapshot.ports, car_model("numpy")
    here = np.flatnonzero(ports.plugged[world])
    c = {name: np.asarray(getattr(ports, name)[world, here], float) for name in COLUMNS}
    known = ~np.isnan(c["soc"])
    soc = model.plan_soc(c["soc"], known, c["need_kwh"], c["capacity_kwh"])
    target = model.plan_target(c["soc"], known, c["target_soc"], c["charge_limit_soc"], c["min_soc"])
    left = np.maximum(np.asarray(ports.steps_left)[world, here], 1)
    # Whom the driver wants charged now leaves the plan as soon as it can be full.
    hurry = np.asarray(ports.override)[world, here] == OVERRIDE_CHARGE
    cars = _Cars(here, known, soc, np.asarray(target), left, c)
    at_once = np.ceil(model.hours_to(cars.target_soc, soc, *cars.curve) / snapshot.step_h - 1e-9).astype(np.int64)
    return cars._replace(steps_left=np.where(hurry, np.clip(at_once, 1, left), left))


OVERRIDE_CHARGE = 1
"""A snapshot's `override` where the driver asked to charge now."""


def _may_export(snapshot: Snapshot, world: int, cars: _Cars) -> Array:
    ports = snapshot.ports
    staying = np.asarray(ports.steps_left)[world, cars.port] > 0
    free = np.asarray(ports.override)[world, cars.port] == 0
    return np.asarray(cars.known & ports.export_consent[world, cars.port] & staying & free)


def _due_soc(cars: _Cars, steps: int, step_h: float) -> Array:
    """SoC below which energy is missing when the car leaves, or at the window's end."""
    after_h = np.maximum(cars.steps_left - steps, 0) * step_h
    floor = np.where(cars.known, cars.column["min_soc"], 0.0)
    return np.asarray(ledger_model("numpy").end_target(cars.target_soc, floor, after_h, *cars.curve))

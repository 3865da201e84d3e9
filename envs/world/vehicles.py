"""Cars and chargers: sourced catalogue rows, and what a stay of one car at one charger can do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ...configs.load import load_model
from .records import Part, Record, Rows

MIN_CURRENT_A = 6.0  # IEC 61851-1 and SAE J1772: the control pilot offers no less
LEAST_MAINS_VOLTS = 208.0  # two legs of a US commercial supply
BIGGEST_BATTERY_KWH = 1_000.0
ROUNDING = 1e-9  # 11.52 kW in steps of 0.24 kW are 48 steps, not 47

Kw = Annotated[float, Field(gt=0, le=1_000)]
Efficiency = Annotated[float, Field(gt=0, le=1)]


class Vehicle(Part):
    """One model of car: battery, on-board charger and losses (the law of contracts 2).

    Raises:
        ValueError: the car cannot exist, e.g. an efficiency above 1, or a fixed loss that eats the least
            charge.
    """

    name: str = Field(min_length=1)
    capacity_kwh: float  # usable
    ac_charge_kw: Kw  # on-board charger, grid side
    battery_accept_kw: Kw  # the battery's own acceptance below the taper
    taper_soc: float = Field(gt=0, lt=1)
    charge_efficiency: Efficiency
    discharge_efficiency: Efficiency
    fixed_loss_kw: float = Field(ge=0)
    max_discharge_kw: float = Field(default=0.0, ge=0, le=1_000)  # grid side; 0: the car cannot export
    share: float = Field(gt=0, le=1)  # of the catalogue, for drawing
    source: str = Field(min_length=1)
    note: str = ""

    @field_validator("capacity_kwh")
    @classmethod
    def _capacity(cls, value: float) -> float:
        if not value > 0:
            raise ValueError(f"{value:g} kWh is no battery; give more than 0")
        if value > BIGGEST_BATTERY_KWH:
            raise ValueError(f"{value:g} looks like Wh; write {value / 1e3:g} kWh")
        return value

    @model_validator(mode="after")
    def _possible(self) -> Vehicle:
        least = self.charge_efficiency * MIN_CURRENT_A * LEAST_MAINS_VOLTS / 1_000
        if self.fixed_loss_kw >= least:
            raise ValueError(
                f"{self.name}: fixed_loss_kw is {self.fixed_loss_kw:g}, but 6 A at {LEAST_MAINS_VOLTS:g} V "
                f"leave only {least:.3g} kW after charge_efficiency; charging would drain the car: lower it"
            )
        return self

    @property
    def bidirectional(self) -> bool:
        """Whether the car can export, given a station made for it."""
        return self.max_discharge_kw > 0


class Charger(Part):
    """One port: supply and current range.

    Power is volts x amperes x phases; North American single phase is two wires, `phases = 1`. On AC the car's
    on-board charger limits too, on DC it does not.

    Raises:
        ValueError: the least current is above the greatest.
    """

    name: str = "charger"
    volts: float = Field(ge=100, le=1_000)  # phase voltage where `phases` is 3
    phases: Literal[1, 3] = 1
    max_current_a: float = Field(ge=MIN_CURRENT_A, le=500)
    min_current_a: float = Field(default=MIN_CURRENT_A, gt=0)  # below 6 A on DC only
    current_step_a: float = Field(default=1.0, ge=0, le=50)  # 0: continuous
    dc: bool = False

    @model_validator(mode="after")
    def _possible(self) -> Charger:
        if not self.dc and self.min_current_a < MIN_CURRENT_A:
            raise ValueError(
                f"{self.name}: min_current_a is {self.min_current_a:g}; IEC 61851 and SAE J1772 offer no "
                f"less than {MIN_CURRENT_A:g} A on AC: set that or more"
            )
        if self.min_current_a > self.max_current_a:
            raise ValueError(
                f"{self.name}: min_current_a {self.min_current_a:g} is above max_current_a "
                f"{self.max_current_a:g}; lower it"
            )
        return self

    @property
    def kw_per_a(self) -> float:
        """Grid power of one ampere."""
        return self.volts * self.phases / 1_000

    @property
    def step_kw(self) -> float:
        """Distance of set-points; 0 where the charger is continuous."""
        return self.kw_per_a * self.current_step_a

    @property
    def max_kw(self) -> float:
        """Greatest set-point of the port alone, on a step."""
        return self.at_most(self.kw_per_a * self.max_current_a)

    @property
    def min_charge_kw(self) -> float:
        """Least set-point that charges: the least current, rounded up to a step."""
        least, step = self.kw_per_a * self.min_current_a, self.step_kw
        return math.ceil(least / step - ROUNDING) * step if step else least

    def at_most(self, kw: float) -> float:
        """The greatest set-point that is not above `kw`."""
        step = self.step_kw
        return math.floor(kw / step + ROUNDING) * step if step else kw


def session_parameters(vehicle: Vehicle, charger: Charger, v2g_allowed: bool) -> dict[str, float]:
    """The columns of `Stays` that one car at one charger fixes, in kW, kWh and fractions.

    Args:
        vehicle: the car.
        charger: the port.
        v2g_allowed: whether the port is a bidirectional station that fits the car.

    Raises:
        ValueError: the car takes less than the charger's least current, or the losses leave nothing of it.
    """
    car_kw = math.inf if charger.dc else vehicle.ac_charge_kw
    most = charger.at_most(min(charger.max_kw, car_kw))
    _refuse_misfit(vehicle, charger, most)
    export = charger.at_most(min(charger.max_kw, vehicle.max_discharge_kw)) if v2g_allowed else 0.0
    return {
        "capacity_kwh": vehicle.capacity_kwh,
        "taper_soc": vehicle.taper_soc,
        "battery_accept_kw": vehicle.battery_accept_kw,
        "max_charge_kw": most,
        "max_discharge_kw": export,
        "min_charge_kw": charger.min_charge_kw,
        "min_discharge_kw": 0.0,
        "step_kw": charger.step_kw,
        "charge_efficiency": vehicle.charge_efficiency,
        "discharge_efficiency": vehicle.discharge_efficiency,
        "fixed_loss_kw": vehicle.fixed_loss_kw,
    }


def _refuse_misfit(vehicle: Vehicle, charger: Charger, most_kw: float) -> None:
    least = charger.min_charge_kw
    if most_kw < least - ROUNDING:
        raise ValueError(
            f"{vehicle.name} takes {vehicle.ac_charge_kw:g} kW, below the least {least:g} kW of "
            f"{charger.name!r}; lower its min_current_a"
        )
    if vehicle.charge_efficiency * least <= vehicle.fixed_loss_kw:
        raise ValueError(
            f"{vehicle.name} loses {vehicle.fixed_loss_kw:g} kW while on, all that {charger.name!r} gives at "
            f"its least current ({least:g} kW); raise min_current_a"
        )


class Catalogue(Record):
    """Cars with their shares."""

    vehicles: Rows[Vehicle] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Catalogue:
        names = [vehicle.name for vehicle in self.vehicles]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands twice in the catalogue; give each row its own name")
        total = sum(vehicle.share for vehicle in self.vehicles)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares of the vehicles sum to {total:g}; they must sum to 1")
        return self


def load_catalogue(name_or_path: str | Path = "us-2026", overrides: Sequence[str] = ()) -> list[Vehicle]:
    """The cars of the catalogue of that preset name, or of the user's own TOML file.

    Raises:
        ConfigError: no such preset or file, or an impossible vehicle.
    """
    return list(load_model(Catalogue, "vehicles", name_or_path, overrides).vehicles)

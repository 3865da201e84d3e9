"""What a planning problem is: the cars, meters, limits and prices of a window of `T` steps, as plain arrays.

The optimum makes one from the truth of a scenario, model-predictive control one from what is known now. Symbols: `J`
stays that touch the window, `S` sites (meters), `F` feeders, `E` events, `T` steps, the first of them step 0. Powers
are kW at the grid side, energies kWh in the battery unless said otherwise, dollars signed with cost positive.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class PlanStays:
    """The stays, one row each; every array is `(J,)`.

    A stay that goes on after the window has `to_step = T`: what is due and what energy is worth then stand in the
    last columns, just as they do for a departure (contracts 3 and 4).
    """

    port: Array  # int, for the answer only
    site: Array  # int
    from_step: Array  # int, first step in which it is connected
    to_step: Array  # int, first step in which it is not; from_step < to_step <= T
    start_kwh: Array  # at `from_step`
    top_kwh: Array  # it charges no further: capacity times the SoC at which it stops; not below `start_kwh`
    export_floor_kwh: Array  # no export below: capacity times the greater of reserve and minimum SoC
    capacity_kwh: Array
    taper_soc: Array
    battery_accept_kw: Array
    max_charge_kw: Array
    max_discharge_kw: Array  # 0 without consent, without a known SoC, or for a one-way car
    min_charge_kw: Array  # bounds only the losses: a plan may go below it
    charge_efficiency: Array
    discharge_efficiency: Array
    fixed_loss_kw: Array
    needed_kwh: Array  # level at `to_step` below which energy is missing: start plus what is feasible, or less
    unserved_usd_per_kwh: Array  # price of what is missing
    early_h: Array  # hours between true and said departure; 0: nothing is excused
    early_usd_per_kwh: Array  # price of what full power over `early_h` could still have given
    end_usd_per_kwh: Array  # worth of a kWh at the window's end; 0 where the car leaves before
    end_from_kwh: Array  # level from which that worth counts
    end_to_kwh: Array  # level up to which it counts: the driver's target; not below `end_from_kwh`
    at_once_kwh: Array | None = None  # the projection charges it up to here at once (minimum SoC); None: no car
    at_once_kw: Array | None = None  # set-point with which it does: the full one on the charger's steps; None: no car

    def __len__(self) -> int:
        return len(self.port)


@dataclass(frozen=True)
class PlanSites:
    """Meters, their tariffs and limits; series are `(S, T)`."""

    feeder: Array  # (S,) int
    net_load_kw: Array  # base load minus PV, without the cars
    import_price_usd_per_kwh: Array
    export_price_usd_per_kwh: Array
    import_limit_kw: Array
    export_limit_kw: Array  # positive
    baseline_kw: Array  # of the programme, cars only
    demand_usd_per_kw: Array  # (S,) what a kW more of this bill's peak costs
    peak_kw: Array  # (S,) the bill's peak so far, with the cars
    peak_base_kw: Array  # (S,) and without them; only the difference of what is added to the two is paid
    peak_floor_kw: Array  # (S,) the peak that will be paid anyway; not below `peak_kw`
    window_kwh: Array  # (S,) import so far in the demand window that is running at step 0
    window_base_kwh: Array  # (S,) and without the cars

    def __len__(self) -> int:
        return len(self.feeder)


@dataclass(frozen=True)
class PlanFeeders:
    """Feeders; series are `(F, T)`."""

    net_load_kw: Array  # all load on the feeder without the cars
    import_limit_kw: Array
    export_limit_kw: Array  # positive


@dataclass(frozen=True)
class PlanEvents:
    """Programme events that touch the window; every array is `(E,)`."""

    from_step: Array  # int, not below 0
    to_step: Array  # int, half-open, at most T
    rate_usd_per_kwh: Array
    pays_export: Array  # bool
    so_far_kwh: Array  # performance before the window, not floored

    @staticmethod
    def none() -> PlanEvents:
        """No event."""
        whole = np.zeros(0, np.int64)
        return PlanEvents(whole, whole, np.zeros(0), np.zeros(0, bool), np.zeros(0))

    def __len__(self) -> int:
        return len(self.from_step)


@dataclass(frozen=True)
class Problem:
    """A fleet's window. Its cost is what the ledger would book over it, incremental as there (contracts 4).

    Args:
        step_h: length of a step.
        n_steps: `T`.
        n_ports: ports of the fleet, `N`.
        stays: cars.
        sites: meters.
        feeders: feeders.
        events: programme events.
        window_steps: steps of a clock window of the demand charge.
        window_done: steps of the running window that lie before step 0; their import is in `sites.window_kwh`.
        wear_usd_per_kwh: per kWh taken out of a battery for export.
        calendar_usd_per_kwh: per kWh of capacity lost to time.
        carbon_usd_per_kwh: `(T,)` carbon price times emissions, per grid kWh of the cars.
        fixed_usd: fixed charges of the window.

    Raises:
        ValueError: arrays of the wrong length, a number that is not finite, or stays outside the window.
    """

    step_h: float
    n_steps: int
    n_ports: int
    stays: PlanStays
    sites: PlanSites
    feeders: PlanFeeders
    events: PlanEvents
    window_steps: int
    window_done: int
    wear_usd_per_kwh: float
    calendar_usd_per_kwh: float
    carbon_usd_per_kwh: Array
    fixed_usd: float

    def __post_init__(self) -> None:
        _check_columns("stays", self.stays, len(self.stays), 0)
        _check_columns("sites", self.sites, len(self.sites), self.n_steps)
        _check_columns("feeders", self.feeders, len(self.feeders.net_load_kw), self.n_steps)
        _check_columns("events", self.events, len(self.events), 0)
        if np.shape(self.carbon_usd_per_kwh) != (self.n_steps,):
            raise ValueError(f"carbon_usd_per_kwh has shape {np.shape(self.carbon_usd_per_kwh)}; give one per step")
        outside = np.flatnonzero(
            (self.stays.from_step < 0)
            | (self.stays.to_step > self.n_steps)
            | (self.stays.from_step >= self.stays.to_step)
        )
        if len(outside):
            j = int(outside[0])
            span = f"{self.stays.from_step[j]} to {self.stays.to_step[j]}"
            raise ValueError(f"stay {j} lasts from step {span}; it must lie within 0 to {self.n_steps}, leave it out")


LIMITS = ("import_limit_kw", "export_limit_kw")
"""Columns that may be infinite: no limit."""


def _check_columns(name: str, table: object, rows: int, steps: int) -> None:
    for column in fields(table):  # type: ignore[arg-type]
        values = np.asarray(getattr(table, column.name))
        if values.dtype == object and values[()] is None:
            continue
        if values.shape not in ((rows,), (rows, steps)):
            raise ValueError(f"{name}.{column.name} has shape {values.shape}; its first axis must be {rows} long")
        bad = np.isnan(values) if column.name in LIMITS else ~np.isfinite(values)
        if bad.any():
            raise ValueError(f"{name}.{column.name} holds {values[bad].flat[0]}; fill in every number")

"""The state of a batch of running worlds: arrays only, so that every back end can hold it.

`B` worlds, `N` ports, `S` sites, `E` events. Private fields (true SoC, true departure) stay here; what a controller
may see is in `ports`, which a snapshot shows as it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..ledger import Account, Tally
from ..snapshot import PortColumns
from ..world.bank import Bank

Array = Any
"""NumPy's, or torch's where the torch back end runs."""

NO_STAY = -1
NEVER = 1_000_000

COMMAND_KW = 1e-6
"""A set-point that differs from the last one by more is a new command to the car."""


class WorldState(NamedTuple):
    """Arrays of all worlds."""

    day: Array  # (B,) index into the bank
    step: Array  # (B,)
    stay: Array  # (B, N) row of the bank's stay table; NO_STAY: empty
    next_stay: Array  # (B, N) row of the port's next arrival
    next_arrive: Array  # (B, N) step of that arrival; NEVER: none today
    soc: Array  # (B, N) the true state of charge
    soc_arrive: Array  # (B, N)
    target_soc: Array  # (B, N) true, also where the controller is not told
    asked_kwh: Array  # (B, N)
    stop_soc: Array  # (B, N)
    depart_step: Array  # (B, N) true
    said_depart_step: Array  # (B, N)
    dearest_usd_per_kwh: Array  # (B, N) highest price in force during the stay so far
    site_cars_kw: Array  # (B, S) mean power of the site's cars over the last step
    feeder_cars_kw: Array  # (B, F)
    window_kwh: Array  # (B, S) import in the running demand window, with the cars
    window_base_kwh: Array  # (B, S) and without
    peak_kw: Array  # (B, S) highest average site import in a demand window, with the cars
    peak_base_kw: Array  # (B, S) and without
    event_kwh: Array  # (B, E) programme performance so far
    accounts: Array  # (B, A) dollars so far
    tallies: Array  # (B, K) physical accounts so far
    ports: PortColumns


BOOLEAN = ("plugged", "export_consent")
WHOLE = ("steps_left", "override", "override_steps", "commands_today")


def blank_state(bank: Bank, worlds: int) -> WorldState:
    """State of `worlds` worlds before their first reset."""
    n, s = bank.first.n_ports, bank.first.n_sites
    e = bank.days.events.start_step.shape[1]
    kind = np.dtype(bank.dtype)

    def column(name: str) -> Array:
        dtype = np.bool_ if name in BOOLEAN else (np.int64 if name in WHOLE else kind)
        return np.zeros((worlds, n), dtype)

    ports = PortColumns(*(column(name) for name in PortColumns._fields))

    def whole(*shape: int) -> Array:
        return np.zeros(shape, np.int64)

    def number(*shape: int) -> Array:
        return np.zeros(shape, kind)

    return WorldState(
        day=whole(worlds), step=whole(worlds), stay=whole(worlds, n) + NO_STAY, next_stay=whole(worlds, n),
        next_arrive=whole(worlds, n) + NEVER,
        soc=number(worlds, n), soc_arrive=number(worlds, n), target_soc=number(worlds, n), asked_kwh=number(worlds, n),
        stop_soc=number(worlds, n), depart_step=whole(worlds, n), said_depart_step=whole(worlds, n),
        dearest_usd_per_kwh=number(worlds, n), site_cars_kw=number(worlds, s),
        feeder_cars_kw=number(worlds, bank.first.n_feeders), window_kwh=number(worlds, s),
        window_base_kwh=number(worlds, s),
        peak_kw=number(worlds, s), peak_base_kw=number(worlds, s), event_kwh=number(worlds, e),
        accounts=number(worlds, len(Account)), tallies=number(worlds, len(Tally)), ports=ports,
    )  # fmt: skip


class StepTerms(NamedTuple):
    """What a step needs beside days, state and set-points: plain numbers."""

    step_h: float
    n_steps: int
    window_steps: int  # steps of a demand-charge window: 15 minutes, or one step of an hour
    peaker_from_s: float  # the evening peak, seconds of the local day
    peaker_to_s: float
    rounding: float  # relative room of a stored power, see `backends.rounding_of`

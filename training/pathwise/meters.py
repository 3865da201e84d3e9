"""What one more kWh costs at each meter and step of a played day, and what one more in the battery is worth at its end.

The torch back end's bill and settlement, differentiated. Both have kinks (a meter between import and export, a car that
leaves exactly at its target), so that a slope is taken on either side of what was played.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...envs.ledger import Account
from ...envs.physics.array_bill import bill, pay_events
from ...envs.physics.array_stays import settle
from ...envs.physics.arrays import ArrayEngine
from ...envs.physics.state import blank_state
from ...envs.simulator import Simulator
from .rollout import Played

Array = NDArray[Any]

ASIDE_KW, ASIDE_SOC = 0.05, 2e-4
"""How far from what was played the slopes are taken."""

CLOSE_TO_PEAK = 0.05
"""The demand charge is shared out over the steps near the peak, by exp(-distance / (this share of the peak)): whoever
is moved away from the highest step alone makes the next one the highest."""

BILLED = (Account.ENERGY_IMPORT_USD, Account.EXPORT_REVENUE_USD, Account.PROGRAMME_USD)
SETTLED = (Account.UNSERVED_USD, Account.EARLY_LEAVE_USD, Account.END_VALUE_USD)

CAR = (
    "capacity_kwh", "taper_soc", "battery_accept_kw", "max_charge_kw", "max_discharge_kw", "min_charge_kw",
    "charge_efficiency", "discharge_efficiency", "fixed_loss_kw", "min_soc",
)  # fmt: skip


class Sides(NamedTuple):
    """Slopes above and below what was played."""

    up: Array
    down: Array


class Meters:
    """The money of one bank's days, differentiated.

    Args:
        simulator: that plays them.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._bank = simulator.bank
        self._engine = ArrayEngine(self._bank, simulator.money, simulator.terms, "torch", "cpu")
        self._tools = self._engine._tools

    def of_energy(self, played: Played) -> Sides:
        """$ per kWh more, or less, through each meter, (T, B, S)."""
        t, worlds = self._tools, len(played.days)
        state = self._engine.prepare(blank_state(self._bank, 2 * worlds))
        state = self._engine.begin(state, np.arange(2 * worlds), np.tile(played.days, 2))
        cars = played.site_cars_kw
        power = torch.tensor(
            np.concatenate([cars + ASIDE_KW, cars - ASIDE_KW], 1, dtype=cars.dtype), requires_grad=True
        )
        total = torch.zeros(())
        for now in power:
            change: dict[int, Any] = {}
            state = pay_events(t, bill(t, state, now, change, {}), now, change)
            total = total + sum(change[account].sum() for account in BILLED)
            if t.money.carbon_usd_per_kg != 0.0:
                kg_per_kw = t.today(t.days.emissions, state)[:, 0] * t.terms.step_h
                total = total + t.money.carbon_usd_per_kg * (kg_per_kw * now.sum(1)).sum()
            state = state._replace(step=state.step + 1)
        (slope,) = torch.autograd.grad(total, power)
        per_kwh = slope.double().numpy() / t.terms.step_h + np.tile(self._demand(played), (1, 2, 1))
        return Sides(per_kwh[:, :worlds], per_kwh[:, worlds:])

    def _demand(self, played: Played) -> Array:
        """The demand charge as $ per kWh, (T, B, S)."""
        days, at = self._bank.days, played.days
        steps = np.arange(len(played.stay))
        base = days.net_load_kw.values[days.net_load_kw.row[at]][:, :, steps].transpose(2, 0, 1).astype(float)
        load = np.maximum(base + played.site_cars_kw, 0.0)
        top, free = load.max(0), np.maximum(np.maximum(base, 0.0).max(0), days.billing_peak_kw[at])
        weight = np.exp((load - top) / (CLOSE_TO_PEAK * np.maximum(top, 1.0)))
        rate = days.demand_rate[at] * (top > free)
        return np.asarray(weight / weight.sum(0) * rate / self._tools.terms.step_h)

    def of_departures(self, played: Played, soc_after: Array) -> Sides:
        """$ that a kWh more, or less, in a battery is worth where its stay ends with the step, else 0, (T, B, N)."""
        steps, worlds, ports = played.stay.shape
        stay = played.stay.reshape(-1, ports)
        here, table = stay >= 0, self._bank.days.stays

        def of(name: str) -> Array:
            return np.asarray(getattr(table, name)[np.maximum(stay, 0)])

        blank = blank_state(self._bank, steps * worlds)
        state = self._engine.prepare(
            blank._replace(
                day=np.tile(played.days, steps), step=np.repeat(np.arange(1, steps + 1), worlds),
                stay=np.where(here, stay, 0), soc_arrive=of("soc_arrive"), target_soc=of("target_soc"),
                asked_kwh=of("asked_kwh"), stop_soc=of("stop_soc"), depart_step=of("depart_step"),
                said_depart_step=of("said_depart_step"),
                dearest_usd_per_kwh=played.dearest_usd_per_kwh.reshape(-1, ports),
                ports=blank.ports._replace(plugged=here, **{name: of(name) for name in CAR}),
            )
        )  # fmt: skip

        def worth(aside: float) -> Array:
            soc = torch.tensor(soc_after.reshape(-1, ports) + aside, dtype=state.soc.dtype, requires_grad=True)
            change: dict[int, Any] = {}
            settle(self._tools, state._replace(soc=soc), change, {})
            (slope,) = torch.autograd.grad(sum(change[account].sum() for account in SETTLED), soc)
            per_kwh = torch.where(state.ports.plugged, -slope / state.ports.capacity_kwh, 0.0)
            return np.asarray(per_kwh.double().numpy().reshape(steps, worlds, ports))

        return Sides(worth(ASIDE_SOC), worth(-ASIDE_SOC))

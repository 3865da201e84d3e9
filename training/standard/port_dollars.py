"""Whose dollars: a step's change of the ledger, split among the ports so that the parts sum to the whole."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...envs.ledger import Account
from ...envs.physics.backends import ledger_model
from ...envs.physics.state import WorldState
from ...envs.simulator import Simulator
from ...envs.world.bank import Series
from .port_kernel import drive_apart

Array = NDArray[Any]


class _Prices(NamedTuple):
    """Of the present step, each (B, S)."""

    net_kw: Array
    buy: Array
    sell: Array


class PortDollars:
    """Splits the dollars of each step of a simulator.

    A port's own are its wear, its settlement, its carbon, and its energy at the price that its meter's next kWh has,
    a running programme's payment included. A meter's difference between that and its bill goes evenly to its ports.
    What is left of the world's dollars (demand charge, overload, fixed charges, the baseline of a programme) is
    everybody's alike.

    Args:
        simulator: the running worlds, compiled.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator, self._days = simulator, simulator.bank.days
        n_sites = simulator.bank.first.n_sites
        self._site_of = np.eye(n_sites)[self._days.port_site]  # (N, S)
        self._per_port = 1.0 / np.maximum(self._site_of.sum(0), 1.0)  # (S,)
        self._ledger = ledger_model("numpy")

    def before(self) -> WorldState:
        """The worlds as they are before a step, to be given to `split` after it."""
        return copy.deepcopy(self._simulator.state)

    def split(self, before: WorldState, setpoint_kw: Array, cost_usd: Array) -> Array:
        """Dollars of each port (B, N); the sum of a world is its `cost_usd` (B,).

        Args:
            before: of `before`; it is used up.
            setpoint_kw: (B, N) as applied in the step.
            cost_usd: (B,) the step's net cost.
        """
        day, step = before.day.copy(), before.step.copy()
        worlds, ports = setpoint_kw.shape
        dtype = self._simulator.bank.dtype
        own, kwh = np.empty((ports, worlds, len(Account)), dtype), np.empty((worlds, ports), dtype)
        setpoints = np.ascontiguousarray(setpoint_kw, dtype)
        drive_apart(self._days, before, self._simulator.money, self._simulator.terms, setpoints, own, kwh)
        usd = own.sum(2).T + self._energy_usd(day, step, kwh)
        return np.asarray(usd + ((cost_usd - usd.sum(1)) / ports)[:, None], float)

    def _energy_usd(self, day: Array, step: Array, kwh: Array) -> Array:
        h, port_site = self._simulator.step_h, self._days.port_site
        p, cars_kw = self._prices(day, step), kwh @ self._site_of / h
        importing = p.net_kw + cars_kw > 0
        price = np.where(importing, p.buy, p.sell)
        bill = self._ledger.import_cost(p.net_kw, cars_kw, p.buy, h) + self._ledger.export_revenue(
            p.net_kw, cars_kw, p.sell, h
        )
        unexplained = (bill - price * cars_kw * h) * self._per_port
        paid = np.where(importing, *(rate[:, None] for rate in self._paid(day, step)))
        return np.asarray(kwh * (price + paid)[:, port_site] + unexplained[:, port_site])

    def _prices(self, day: Array, step: Array) -> _Prices:
        days, tariff = self._days, self._days.site_tariff

        def today(series: Series) -> Array:
            return np.asarray(series.values[series.row[day], :, step])

        return _Prices(
            today(days.net_load_kw), today(days.import_price)[:, tariff], today(days.export_price)[:, tariff]
        )

    def _paid(self, day: Array, step: Array) -> tuple[Array, Array]:
        """What running programmes pay for a kWh less of import, and of export more, (B,) each."""
        events, now = self._days.events, step[:, None]
        held = (events.start_step[day] <= now) & (now < events.end_step[day])
        rate = np.where(held, events.rate_usd_per_kwh[day], 0.0)
        return rate.sum(1), (rate * events.pays_export[day]).sum(1)

"""Waiting told at once: a potential of what each car still needs, so that a reward need not wait for the departure."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...envs.simulator import Simulator

Array = NDArray[Any]


class _Stays(NamedTuple):
    """The ports at one moment, each (B, N)."""

    stay: Array  # which stay is there
    usd: Array  # its potential
    settled_usd: Array  # what the end of the episode will pay for its energy beside the potential


class NeedPotential:
    """What each car's need will cost if it is met in the cheapest steps left of its stay, dollars with a minus sign.

    A charged kWh then pays at once what it cost more than it had to, and a cheap hour that goes by unused costs at
    that time; a kWh to spare is worth the cheapest step. After the end of the episode a kWh costs what its
    settlement values it at. The differences of a potential of the state leave the best policy as it is (Ng, Harada
    and Russell 1999): over a stay they sum to what it was at the arrival, which no action moves, since it is nothing
    once the car has left. A stay that goes on after the episode is told what remains then, also beyond any action.

    Args:
        simulator: the running worlds.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._last = _Stays(*(np.zeros(0) for _ in _Stays._fields))

    def begin(self) -> None:
        """Note the worlds as they stand after a reset."""
        self._last = self._now()

    def gained(self, restarted: Array) -> Array:
        """What a step has moved of each port's potential (B, N), dollars.

        Args:
            restarted: (B,) worlds that ended and stand at their new day.
        """
        before, self._last = self._last, self._now()
        same = (before.stay == self._last.stay) & ~restarted[:, None]
        after = np.where(restarted[:, None], before.settled_usd, 0.0)
        return np.where(same, self._last.usd, after) - before.usd

    def _now(self) -> _Stays:
        state, days = self._simulator.state, self._simulator.bank.days
        plugged = np.asarray(state.ports.plugged)
        value = days.end_value_usd_per_kwh[state.day][:, days.site_tariff[days.port_site]]
        usd = np.zeros(plugged.shape)
        usd[plugged] = -self._cost_usd(plugged, value)
        goes_on = plugged & (state.depart_step > self._simulator.n_steps)
        efficiency = np.where(plugged, state.ports.charge_efficiency, 1.0)
        return _Stays(state.stay.copy(), usd, np.where(goes_on, -state.asked_kwh / efficiency * value, 0.0))

    def _cost_usd(self, plugged: Array, value: Array) -> Array:
        """Of the need of the connected cars (C,), in their cheapest steps; negative for what they have to spare."""
        simulator, h = self._simulator, self._simulator.step_h
        snapshot = simulator.snapshot()
        price, p = snapshot.import_price_window()[plugged].astype(float), snapshot.ports
        step = np.broadcast_to(np.asarray(simulator.state.step)[:, None], plugged.shape)[plugged]
        ahead = np.arange(price.shape[1])
        price = np.where(ahead >= (simulator.n_steps - step)[:, None], value[plugged][:, None], price)
        left = np.maximum(p.steps_left[plugged], 1)[:, None]
        need, power, efficiency, loss = (
            np.asarray(getattr(p, name), float)[plugged]
            for name in ("need_kwh", "max_charge_kw", "charge_efficiency", "fixed_loss_kw")
        )
        slots = np.maximum(need, 0.0) / np.maximum((efficiency * power - loss) * h, 1e-3)
        ordered = np.sort(np.where(ahead < left, price, np.inf), axis=1)
        used = np.clip(slots[:, None] - ahead, 0.0, 1.0)
        met = (np.where(used > 0, np.minimum(ordered, price.max(1, keepdims=True)), 0.0) * used).sum(1) * power * h
        spare = np.minimum(need, 0.0) / efficiency * ordered[:, 0]
        return np.asarray(met + spare)

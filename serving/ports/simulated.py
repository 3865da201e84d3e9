"""A simulated fleet behind the interface of a site: for demonstrations, shadow runs, drills and parity.

Its chargers keep leases as real ones do: when one ends, an export stops and the car charges by its own schedule, at
full power.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from ...agents.economy import Sent
from ...envs.simulator import DayLedger, Simulator
from ...envs.world.scenario import Scenario
from ..messages.answer import PortDecisions
from ..messages.from_snapshot import request_of
from ..messages.request import request_document
from ..messages.vocabulary import DecisionReason
from .port import PortError, Receipt, SiteState, all_accepted

Array = Any


class SimulatedPort:
    """One simulated day, which goes on as the loop's cycles come.

    Args:
        day: the scenario.
        port_ids: names of the ports; None: `p0`, `p1`, ...
    """

    def __init__(self, day: Scenario, port_ids: list[str] | None = None) -> None:
        self._day, self._simulator = day, Simulator(day)
        self._simulator.reset()
        self._interval_s = day.interval_minutes * 60
        self._ids = port_ids or [f"p{at}" for at in range(self._simulator.n_ports)]
        self._row = {name: at for at, name in enumerate(self._ids)}
        self._sent, self._until_s = Sent.nothing((len(self._ids),)), np.zeros(len(self._ids))

    @property
    def start_s(self) -> float:
        """When the day begins, Unix seconds."""
        return self._day.start.timestamp()

    @property
    def interval_s(self) -> int:
        """Of the simulation, which is that of the cycles."""
        return self._interval_s

    @property
    def steps(self) -> int:
        """Of the day."""
        return self._simulator.n_steps

    @property
    def done(self) -> bool:
        """Whether the day is over and settled."""
        return bool(self._simulator.done[0])

    def read(self, start: datetime, interval_s: int, now_s: float) -> SiteState:
        """See `port.SitePort`; the simulation goes on to `start` under what the chargers hold.

        Raises:
            PortError: the day is over, or its step is another one.
        """
        if interval_s != self._interval_s:
            raise PortError(f"the simulated day has steps of {self._interval_s} s, the loop's are {interval_s} s")
        self.advance(start.timestamp())
        if self.done:
            raise PortError("the simulated day is over")
        document = request_document(request_of(self._simulator.snapshot(), start, port_ids=self._ids))
        standing = self._standing()
        age_s = np.where(np.isnan(standing.setpoint_kw), 0.0, standing.age_s(start.timestamp()))
        document["ports"] |= {"last_setpoint_kw": standing.setpoint_kw, "last_setpoint_age_s": age_s}
        return SiteState({name: document[name] for name in document if name not in ("cycle_start", "interval_s")})

    def apply(self, decisions: PortDecisions, now_s: float) -> Receipt:
        """See `port.SitePort`."""
        rows = np.array([self._row[name] for name in decisions.id.tolist()])
        setpoint_kw, until_s = np.full(len(rows), np.nan), np.zeros(len(rows))
        # An empty port holds no lease: whoever comes next begins without one.
        setpoint_kw[rows] = np.where(decisions.reason == DecisionReason.EMPTY, np.nan, decisions.setpoint_kw)
        until_s[rows] = decisions.valid_until_s
        self._sent, self._until_s = self._standing().after(setpoint_kw, now_s), until_s
        return all_accepted(decisions)

    def close(self) -> None:
        """See `port.SitePort`; nothing to let go of."""

    def advance(self, to_s: float) -> None:
        """Play the steps that end by `to_s`."""
        while not self.done and self._now_s() + self._interval_s <= to_s:
            self._simulator.step(self.drawn_kw()[None])

    def drawn_kw(self) -> Array:
        """What the chargers are set to in the present step, kW (N,); a car without a lease takes what it can."""
        standing = self._standing().setpoint_kw
        return np.where(np.isnan(standing), self._simulator.state.ports.max_charge_kw[0], standing)

    def ledger(self) -> DayLedger:
        """What the day has cost and moved so far."""
        return self._simulator.ledger(0)

    def _now_s(self) -> float:
        return self.start_s + float(np.asarray(self._simulator.state.step)[0]) * self._interval_s

    def _standing(self) -> Sent:
        """The set-points in force: of leases that still run, to cars that were there when they were sent."""
        new = np.isnan(self._simulator.state.ports.last_setpoint_kw[0]) & (self._sent.changed_s < self._now_s())
        held = (self._now_s() < self._until_s) & ~new
        return Sent(np.where(held, self._sent.setpoint_kw, np.nan), self._sent.changed_s)

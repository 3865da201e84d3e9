"""What stands at the chargers: the set-points that were accepted, and until when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...agents.economy import is_change
from ..messages.answer import PortDecisions
from ..messages.request import DispatchRequest
from ..messages.vocabulary import DecisionReason
from ..ports.port import Receipt

Array = Any


class Lease(NamedTuple):
    """The set-point that a port holds."""

    car: str
    setpoint_kw: float  # NaN: released
    since_s: float  # when it changed last
    until_s: float  # when it ends by itself


class Standing:
    """Leases by port, as the far side has confirmed them.

    A service that remembers what it decided cannot know what was refused on the way, or has lapsed because no cycle
    came. A port with a lease tells it so in the next request; of ports without one the service's memory counts.
    """

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def lease(self, port: str) -> Lease | None:
        """The lease of a port; None where nothing was ever accepted, or no car is there."""
        return self._leases.get(port)

    def setpoints_kw(self, ids: Array, at_s: float) -> Array:
        """What is in force, (N,); NaN: nothing, or released."""
        held = (self._leases.get(name) for name in ids.tolist())
        return np.array([lease.setpoint_kw if lease and at_s < lease.until_s else np.nan for lease in held])

    def columns(self, ids: Array, cars: Array, start_s: float) -> dict[str, Array]:
        """`last_setpoint_kw` and its age for a request, (N,); both NaN where the service's memory is to count."""
        mine = (self._leases.get(name) for name in ids.tolist())
        held = [lease if lease and lease.car == car else None for lease, car in zip(mine, cars.tolist(), strict=True)]
        # A lease that has lapsed released its car then.
        since = np.array([np.nan if x is None else x.since_s if start_s < x.until_s else x.until_s for x in held])
        return {
            "last_setpoint_kw": np.where(np.isnan(since), np.nan, self.setpoints_kw(ids, start_s)),
            "last_setpoint_age_s": np.maximum(start_s - since, 0.0),
        }

    def last_end_s(self) -> float | None:
        """When the last lease of a set-point ends; None without one."""
        return max((lease.until_s for lease in self._leases.values() if not np.isnan(lease.setpoint_kw)), default=None)

    def after(self, request: DispatchRequest, decisions: PortDecisions, receipt: Receipt) -> None:
        """Take in what was accepted of a cycle's set-points; what was refused leaves the old lease as it was."""
        changed = is_change(self.setpoints_kw(decisions.id, request.start_s), decisions.setpoint_kw)
        gone = decisions.reason == DecisionReason.EMPTY
        columns = (decisions.id, request.ports.car, decisions.setpoint_kw, decisions.valid_until_s)
        for at, (name, car, setpoint_kw, until_s) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
            if gone[at]:
                self._leases.pop(name, None)
            elif receipt.accepted[at]:
                old = self._leases.get(name)
                since_s = request.start_s if old is None or changed[at] else old.since_s
                self._leases[name] = Lease(car, setpoint_kw, since_s, until_s)

    def told(self, request: DispatchRequest) -> DispatchRequest:
        """The request with what stands at its ports, where the site does not tell that itself."""
        ports = request.ports
        if not self._leases or not np.isnan(ports.last_setpoint_age_s).all():
            return request
        return replace(request, ports=ports._replace(**self.columns(ports.id, ports.car, request.start_s)))

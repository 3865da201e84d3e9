"""The next day of the present fleet: the service played forward on forecasts, by its own cycle.

Nobody else arrives, cars leave when they said (else at the usual hour), readings stay as recent as they are. Cars that
nobody steers are not part of it; what they may draw by themselves is told beside.

Symbols: `N` ports, `S` sites, `T` steps of the plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...agents.flexibility import DURATIONS_H, flexibility
from ...agents.forward import driven
from ...envs.snapshot import PortColumns
from ..core.controls import in_force
from ..core.cycle import Kit, dispatch
from ..core.gates import Gated, Rung, pass_gates
from ..core.memory import Memory, remembered, since_last_s
from ..core.parameters import own_draw_kw
from ..core.telemetry import usual_departure_s
from ..messages.request import DispatchRequest
from ..messages.to_snapshot import snapshot_of, whole_steps
from .later import Cars, far_sighted, later_request

Array = Any

PLAN_H = 24.0


@dataclass(frozen=True)
class FlexibilityAt:
    """By how much the cars' draw could fall and rise from a step on, kW for each duration, and stay there."""

    step: int
    hours: tuple[float, ...]
    down_kw: tuple[float, ...]
    up_kw: tuple[float, ...]


@dataclass(frozen=True)
class Plan:
    """What the cars are going to do.

    Args:
        request: of the cycle that it starts with.
        gated: what the gates made of it.
        cars: the cars as they are now, (1, N), also those that nobody steers.
        by: who decides: the policy's name, or `rules`.
        cars_kw: mean power of the steered cars of each site, (S, T), positive = import.
        without_kw: forecast net load of each site without them, (S, T).
        soc_end: at departure, or at the end of the plan where that comes first, (N,); NaN where no SoC is known.
        gained_kwh: into the battery until then, (N,).
        steps_left: until departure, (N,), not beyond `T`; 0 for an empty port.
        released_kw: (N,) what cars that nobody steers now may draw by themselves.
        flexibility: at some of the steps.
    """

    request: DispatchRequest
    gated: Gated
    cars: PortColumns
    by: str
    cars_kw: Array
    without_kw: Array
    soc_end: Array
    gained_kwh: Array
    steps_left: Array
    released_kw: Array
    flexibility: tuple[FlexibilityAt, ...]

    @property
    def n_steps(self) -> int:
        """T."""
        return int(self.cars_kw.shape[1])


def plan_of(
    request: DispatchRequest,
    memory: Memory,
    kit: Kit,
    flexible_at: Sequence[int] = (0,),
    durations_h: Sequence[float] = DURATIONS_H,
) -> Plan:
    """Play a day forward from a request.

    Args:
        request: of a cycle.
        memory: before it.
        kit: of the service. Its runner is asked: give one that nobody else asks at the same time.
        flexible_at: steps for which flexibility is reckoned.
        durations_h: of the flexibility.
    """
    fleet = _Fleet(request, memory, kit)
    site, n_sites = request.ports.site, len(request.sites.id)
    drawn, without = (np.zeros((n_sites, fleet.n_steps)) for _ in range(2))
    flexible = []
    for step in range(fleet.n_steps):
        asked = fleet.request(step)
        gated = gate(asked, fleet.memory, kit) if step in flexible_at else None
        fleet.play(asked, step)
        if gated is not None:
            flexible.append(_flexible(gated, fleet.power_kw, kit, step, durations_h))
        drawn[:, step], without[:, step] = np.bincount(site, fleet.power_kw, n_sites), asked.sites.net_load_kw
    stay = fleet.stay
    return Plan(
        request=request,
        gated=fleet.gated,
        cars=fleet.start,
        by=kit.runner.model.name if kit.runner is not None else "rules",
        cars_kw=drawn,
        without_kw=without,
        soc_end=np.where(stay > 0, fleet.soc, np.nan),
        gained_kwh=np.where(stay > 0, fleet.gained_kwh, 0.0),
        steps_left=stay,
        released_kw=np.where(fleet.gated.rung == Rung.RELEASED, own_draw_kw(request.ports), 0.0),
        flexibility=tuple(flexible),
    )


class _Fleet:
    """A fleet on its way through the plan."""

    def __init__(self, request: DispatchRequest, memory: Memory, kit: Kit) -> None:
        self._first, self._kit = far_sighted(request), kit
        self.memory, self.gated = memory, gate(request, memory, kit)
        self.start = self._cars = self._before = physical(self.gated, request.ports.plugged)
        self._peak_kw = request.sites.peak_kw
        self.n_steps = request.steps(PLAN_H)
        self.stay = steps_of_stay(request, kit, self.n_steps)
        self.power_kw = np.zeros(request.n_ports)

    @property
    def soc(self) -> Array:
        """Now, (N,)."""
        return self._cars.soc[0]

    @property
    def gained_kwh(self) -> Array:
        """Into each battery since the beginning, (N,)."""
        return np.nan_to_num(self.start.need_kwh[0] - self._cars.need_kwh[0])

    def request(self, step: int) -> DispatchRequest:
        """What will be sent at a step."""
        if not step:
            return self._first
        first = self._first
        # The service brings a SoC to now by its age; so what is told is that of then.
        since = np.clip(first.ports.soc_age_s / first.interval_s, 0.0, 1.0)
        told = self.soc - since * (self.soc - self._before.soc[0])
        return later_request(first, step, Cars(step < self.stay, told, self.gained_kwh, self.power_kw, self._peak_kw))

    def play(self, request: DispatchRequest, step: int) -> None:
        """Let the service decide and the cars follow."""
        made = dispatch(request, self.memory, self._kit, request.start_s)
        self.memory = made.memory
        here = step < self.stay
        setpoint_kw = np.where(here, np.nan_to_num(made.answer.decisions.setpoint_kw), 0.0)
        self._before = self._cars._replace(plugged=here[None])
        after, power = driven(self._before, setpoint_kw[None], request.interval_s / 3600)
        kept = {name: np.where(here, getattr(after, name), getattr(self._cars, name)) for name in ("soc", "need_kwh")}
        self._cars, self.power_kw = self._cars._replace(**kept), power[0]
        drawn = np.bincount(request.ports.site, self.power_kw, len(request.sites.id))
        self._peak_kw = np.maximum(self._peak_kw, request.sites.net_load_kw + drawn)


def gate(request: DispatchRequest, memory: Memory, kit: Kit) -> Gated:
    """What the gates of a cycle make of a request."""
    orders = in_force(memory.orders, request.ports.id, request.start_s)
    known, elapsed_s = remembered(memory, request), since_last_s(memory, request)
    return pass_gates(request, known, elapsed_s, orders, kit.settings, ledger_up=True)


def physical(gated: Gated, plugged: Array) -> PortColumns:
    """The columns (1, N) of all cars that are there, also of those that nobody steers."""
    there = gated.request.ports._replace(plugged=(plugged == 1).astype(np.int8))
    return snapshot_of(replace(gated.request, ports=there)).ports


def steps_of_stay(request: DispatchRequest, kit: Kit, most: int) -> Array:
    """Whole steps until each car leaves (N,), at most `most`: as its driver said, else at the usual hour.

    A car past its departure leaves any moment and counts for the present step; an empty port has 0.
    """
    usual_s = usual_departure_s(request, kit.settings.defaults)
    departs_s = np.where(np.isnan(request.ports.departs_in_s), usual_s, request.ports.departs_in_s)
    steps = np.clip(whole_steps(departs_s, request.interval_s, most), 1, most)
    return np.where(request.ports.plugged == 1, steps, 0)


def _flexible(gated: Gated, power_kw: Array, kit: Kit, step: int, durations_h: Sequence[float]) -> FlexibilityAt:
    """Of the steered cars, with the exports that the service would allow."""
    ports = gated.snapshot.ports
    ports = ports._replace(export_consent=ports.export_consent & gated.may_export[None])
    made = flexibility(replace(gated.snapshot, ports=ports), power_kw.sum(keepdims=True), kit.projector, durations_h)
    return FlexibilityAt(step, made.hours, tuple(made.down_kw[0].tolist()), tuple(made.up_kw[0].tolist()))

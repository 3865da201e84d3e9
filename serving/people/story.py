"""A car's story: cycle by cycle what was known of it, who asked for what, and why it got what it got."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from ..core.cycle import Record
from ..messages.answer import DispatchAnswer
from ..messages.request import DispatchRequest
from ..messages.vocabulary import DecisionReason, DecisionSource, Mode
from .words import OPERATORS

READINGS = ("soc", "soc_age_s", "need_kwh", "power_kw", "power_age_s", "target_soc", "departs_in_s")


class ToldCycle(Protocol):
    """A cycle of the ledger with its record."""

    @property
    def request(self) -> DispatchRequest: ...

    @property
    def answer(self) -> DispatchAnswer: ...

    @property
    def record(self) -> Record: ...


def story(cycles: Iterable[ToldCycle], port: str) -> list[dict[str, Any]]:
    """An entry for each cycle that the port or car was part of, in their order; numbers null where unknown."""
    told = []
    for cycle in cycles:
        ports = cycle.request.ports
        rows = np.flatnonzero((ports.id == port) | (ports.car == port))
        if len(rows):
            told.append(_entry(cycle, int(rows[0])))
    return told


def _entry(cycle: ToldCycle, at: int) -> dict[str, Any]:
    request, record, d = cycle.request, cycle.record, cycle.answer.decisions
    tariff = request.sites.tariff[request.ports.site[at]]
    reason = DecisionReason(d.reason[at])
    numbers = {name: getattr(request.ports, name)[at] for name in READINGS} | {
        "import_usd_per_kwh": request.prices.import_usd_per_kwh[tariff, 0],
        "export_usd_per_kwh": request.prices.export_usd_per_kwh[tariff, 0],
        "policy_kw": np.nan if record.policy_kw is None else record.policy_kw[at],
        "requested_kw": record.requested_kw[at],
        "setpoint_kw": d.setpoint_kw[at],
    }
    return {
        "cycle_id": cycle.answer.cycle_id,
        "cycle_start": request.cycle_start.isoformat(),
        "port": str(request.ports.id[at]),
        "car": str(request.ports.car[at]),
        "plugged": {1: True, 0: False}.get(int(request.ports.plugged[at])),
        **{name: None if np.isnan(value) else float(value) for name, value in numbers.items()},
        "mode": Mode(d.mode[at]).word,
        "source": DecisionSource(d.source[at]).word,
        "reason": reason.word,
        "why": OPERATORS[reason],
        "command_due": bool(d.command_due[at]),
        "state": cycle.answer.state.word,
    }

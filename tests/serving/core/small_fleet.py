"""A small fleet whose every reading a test can change, and the service that answers it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from ebbflow.serving.core.controls import make_order
from ebbflow.serving.core.cycle import Kit, Outcome, dispatch, make_kit
from ebbflow.serving.core.memory import Memory, new_memory
from ebbflow.serving.core.runners import InlineRunner, Runner
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.messages import DispatchRequest, parse_request

START = datetime(2026, 7, 15, 12, tzinfo=ZoneInfo("America/Los_Angeles"))
INTERVAL_S = 900
STEPS = 96
UNSAID = {"override": "none"}


def document(step: int = 0, **changes: Any) -> dict[str, Any]:
    """Three cars, 60 kWh, 11 kW both ways, half full, who leave in ten hours; flat prices that pay for export.

    A change `section__column` sets a column; for `ports` a single number goes to the first car.
    """
    start = START + timedelta(seconds=step * INTERVAL_S)
    made: dict[str, Any] = {
        "fleet": "f",
        "cycle_start": start.isoformat(),
        "interval_s": INTERVAL_S,
        "ports": {
            "id": ["a", "b", "c"],
            "plugged": [True] * 3,
            "export_consent": [True] * 3,
            "soc": [0.5] * 3,
            "soc_age_s": [10.0] * 3,
            "power_kw": [0.0] * 3,
            "power_age_s": [10.0] * 3,
            "capacity_kwh": [60.0] * 3,
            "max_charge_kw": [11.0] * 3,
            "max_discharge_kw": [11.0] * 3,
            "target_soc": [0.8] * 3,
            "departs_in_s": [36000.0] * 3,
        },
        "sites": {"id": ["s"], "import_limit_kw": [[100.0]], "export_limit_kw": [[100.0]]},
        "prices": {
            "tariff": ["t"],
            "import_usd_per_kwh": [[0.2] * STEPS],
            "export_usd_per_kwh": [[0.15] * STEPS],
            "published_age_s": 3600.0,
            "source": "a file",
        },
    }
    for name, value in changes.items():
        section, _, column = name.partition("__")
        if not column:
            made[section] = value
        elif section == "ports" and not isinstance(value, list):
            made[section][column] = [value, *made[section].get(column, [UNSAID.get(column)] * 3)[1:]]
        else:
            made.setdefault(section, {})[column] = value
    return made


def request(step: int = 0, **changes: Any) -> DispatchRequest:
    """The request of `document`."""
    return parse_request(document(step, **changes))


class Says:
    """A policy that answers what it is told to, or raises it."""

    name = "says"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def reset(self) -> None: ...

    def act(self, snapshot: Any) -> Any:
        answer = self.answer(snapshot) if callable(self.answer) else self.answer
        if isinstance(answer, Exception):
            raise answer
        return np.broadcast_to(np.asarray(answer, float), (1, snapshot.n_ports))


class Service:
    """Cycles one after the other, with a memory."""

    def __init__(self, policy: Any = None, *settings: str, runner: Runner | None = None) -> None:
        overrides = settings or ("economy.enabled=false",)
        made = runner or (None if policy is None else InlineRunner(policy))
        self.kit: Kit = make_kit(load_serving("default", overrides), made)
        self.memory: Memory = new_memory()

    def cycle(self, step: int = 0, *, ledger_up: bool = True, off_s: float = 2.0, **changes: Any) -> Outcome:
        """One cycle of the small fleet; `off_s` is how long after its start it is decided."""
        asked = request(step, **changes)
        made = dispatch(asked, self.memory, self.kit, asked.start_s + off_s, ledger_up=ledger_up)
        self.memory = made.memory
        return made

    def order(self, control: str, step: int = 0, until: int = 4, ports: tuple[str, ...] = ()) -> None:
        """An operator's order from a step until another."""
        at = request(step).start_s
        made = make_order(control, "op", "drill", at, at + (until - step) * INTERVAL_S, ports)
        self.memory = Memory(**{**vars(self.memory), "orders": (*self.memory.orders, made)})

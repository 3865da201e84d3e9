"""Services with a clock that a test turns, on ledgers of SQLite or, where there is a server, PostgreSQL."""

from __future__ import annotations

from typing import Any

from ebbflow.serving.core.cycle import make_kit
from ebbflow.serving.core.runners import InlineRunner
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.messages import DispatchRequest
from ebbflow.serving.service import Answered, Service

from ..core.small_fleet import request  # noqa: TID252


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class Rig:
    """A service on a ledger, asked cycle after cycle of the small fleet."""

    def __init__(self, ledger: Ledger | str, policy: Any = None, *settings: str) -> None:
        self.ledger = Ledger(ledger) if isinstance(ledger, str) else ledger
        self.clock = Clock(request().start_s + 2.0)
        runner = None if policy is None else InlineRunner(policy)
        kit = make_kit(load_serving("default", settings or ("economy.enabled=false",)), runner)
        self.service = Service(kit, self.ledger, self.clock)

    def cycle(self, step: int = 0, **changes: Any) -> Answered:
        """Ask for a cycle, two seconds after its start."""
        return self.ask(request(step, **changes))

    def ask(self, asked: DispatchRequest) -> Answered:
        """Ask for this cycle, two seconds after its start."""
        self.clock.now_s = asked.start_s + 2.0
        return self.service.dispatch(asked)

    def order(self, control: str, minutes: float = 60.0, ports: tuple[str, ...] = ()) -> bool:
        """An order from now on; whether the ledger took it."""
        return self.service.order("f", control, "op", "drill", self.clock() + 60 * minutes, ports).recorded

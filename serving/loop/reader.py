"""What a site and the price sources tell, as the request of a cycle."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ..messages.parse import parse_request
from ..messages.request import DispatchRequest
from ..ports.port import LONGEST_AGE_S, PortError, SitePort, SiteState
from ..ports.prices import PriceError, PriceSource
from ..ports.rebase import rebased
from .clock import Clock
from .schedule import Schedule


class Reader:
    """Reads a site, and remembers what it told last.

    Args:
        fleet: its name.
        port: the site.
        prices: beside those that the site tells; None: none.
        schedule: of the cycles.
        clock: the time.

    Attributes:
        blind: the last request was made of what the site had told before.
    """

    def __init__(
        self, fleet: str, port: SitePort, prices: PriceSource | None, schedule: Schedule, clock: Clock
    ) -> None:
        self._fleet, self._port, self._prices, self._schedule, self._clock = fleet, port, prices, schedule, clock
        self._seen: SiteState | None = None
        self.blind = False

    def request(self, start_s: float, problems: list[str], *, fresh: bool = False) -> DispatchRequest:
        """What the site and the price sources tell, as a request; where `fresh`, not by what the site told before."""
        start, interval_s, now_s = self._schedule.local(start_s), self._schedule.interval_s, self._clock.now_s()
        state = self._state(start, interval_s, now_s, problems, fresh)
        document = state.document
        problems += state.problems
        if state.as_of is not None:
            document = rebased(document, state.as_of, start, interval_s, now_s)
        document = {**document, "fleet": self._fleet, "cycle_start": start.isoformat(), "interval_s": interval_s}
        if self._prices is not None and document.get("prices") is None:
            tariffs = sorted(set((document.get("sites") or {}).get("tariff") or ["tariff"]))
            try:
                document["prices"] = self._prices.table(start, interval_s, now_s).document(tariffs)
            except PriceError as error:
                problems.append(f"prices: {error}")
        return parse_request(document)

    def _state(self, start: datetime, interval_s: int, now_s: float, problems: list[str], fresh: bool) -> SiteState:
        """The site now; where it cannot be read, what it told last, whose readings age until no gate trusts them."""
        try:
            state = self._port.read(start, interval_s, now_s)
        except PortError as error:
            old = self._seen
            if fresh or old is None or old.as_of is None or now_s - old.as_of.timestamp() > LONGEST_AGE_S:
                raise
            self.blind = True
            problems.append(f"the site: {error}; decided by what it told at {old.as_of:%H:%M:%S}")
            return old
        if not fresh:
            self._seen, self.blind = replace(state, as_of=state.as_of or start), False
        return state

"""A site of chargers by OCPP, as a port of the loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ...messages.answer import PortDecisions
from ..documents import within_age
from ..files import FilesPort
from ..port import LONGEST_AGE_S, PortError, Receipt, SiteState
from ..rebase import rebased
from .lessor import Lessor
from .profiles import Version
from .server import CentralSystem
from .site import OcppSettings
from .state import Told, site_document
from .stations import Station

READ_S = 10.0
SLACK_S = 5.0


class OcppPort:
    """Chargers that connect to this process.

    Args:
        settings: of the site.
        clock: Unix seconds.

    Raises:
        ConfigError: see `server.CentralSystem`.
    """

    def __init__(self, settings: OcppSettings, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock
        self._tables = None if settings.tables is None else FilesPort(settings.tables)
        self._last: SiteState | None = None
        self._spoken: dict[str, Version] = {}
        self.central = CentralSystem(settings, clock)
        self._lessor = Lessor(settings.chargers, self.central.connectors, clock)
        self.central.begun = self._lessor.catch_up

    def read(self, start: datetime, interval_s: int, now_s: float) -> SiteState:
        """See `port.SitePort`; what stands at the chargers is told with their readings."""
        told = self.central.ask(self._told(), READ_S)
        beside, problems = self._beside(start, interval_s, now_s)
        document = site_document(told, self._settings, beside, now_s)
        return SiteState(document, datetime.fromtimestamp(now_s, UTC), problems)

    def apply(self, decisions: PortDecisions, now_s: float) -> Receipt:
        """See `port.SitePort`."""
        limit_s = self._settings.answer_s * self._most_per_station() + SLACK_S
        try:
            refused = self.central.ask(self._lessor.hand_over(decisions, self._station), limit_s)
        except TimeoutError:
            raise PortError(f"the stations took longer than {limit_s:g} s") from None
        return Receipt(~np.isin(decisions.id, np.array(list(refused), np.str_)), refused)

    def close(self) -> None:
        """See `port.SitePort`."""
        self.central.close()

    async def _told(self) -> list[Told]:
        # On the stations' thread: nothing changes meanwhile.
        made = []
        for charger in self._settings.chargers:
            station = self.central.stations.get(charger.station)
            if station is not None:
                self._spoken[charger.station] = station.version
            connector = self.central.connectors[charger.station, charger.connector]
            seen_s = self.central.seen_s.get(charger.station, -math.inf)
            version = self._spoken.get(charger.station)
            made.append(Told(charger, connector, version, seen_s, self._lessor.held(charger)))
        return made

    def _beside(self, start: datetime, interval_s: int, now_s: float) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The tables of the folder beside the chargers, as of now, and what is wrong with them.

        Those that were read last stand while the folder cannot be read: limits that age are better than none.
        """
        if self._tables is None:
            return {}, ()
        problems: tuple[str, ...] = ()
        try:
            self._last = self._tables.read(start, interval_s, now_s)
        except PortError as error:
            if self._last is None:
                raise
            within_age(self._last, now_s, LONGEST_AGE_S, "the folder's last state")
            problems = (f"{error}; its last state stands",)
        assert self._last.as_of is not None, "a state in a file says when it was true"
        now = datetime.fromtimestamp(now_s, UTC)
        return rebased(self._last.document, self._last.as_of, now, interval_s, now_s), problems

    def _station(self, name: str) -> Station | str:
        """A station, or why it cannot be reached."""
        if (station := self.central.stations.get(name)) is not None:
            return station
        seen_s = self.central.seen_s.get(name)
        since = "" if seen_s is None else f", last heard of {max(self._clock() - seen_s, 0.0):.0f} s ago"
        return f"station {name} is not connected{since}"

    def _most_per_station(self) -> int:
        stations = [charger.station for charger in self._settings.chargers]
        return max(map(stations.count, set(stations)))

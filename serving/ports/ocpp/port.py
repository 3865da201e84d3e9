"""A site of chargers by OCPP, as a port of the loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ...messages.answer import PortDecisions
from ..files import FilesPort
from ..port import PortError, Receipt, SiteState
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
        self._spoken: dict[str, Version] = {}
        self.central = CentralSystem(settings, clock)
        self._lessor = Lessor(settings.chargers, self.central.connectors, clock)
        self.central.begun = self._lessor.catch_up

    def read(self, start: datetime, interval_s: int, now_s: float) -> SiteState:
        """See `port.SitePort`; what stands at the chargers is told with their readings."""
        told = self.central.ask(self._told(), READ_S)
        document = site_document(told, self._settings, self._beside(start, interval_s, now_s), now_s)
        return SiteState(document, datetime.fromtimestamp(now_s, UTC))

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

    def _beside(self, start: datetime, interval_s: int, now_s: float) -> dict[str, Any]:
        """The tables of the folder beside the chargers, as of now; none where there is no such folder."""
        if self._tables is None:
            return {}
        state = self._tables.read(start, interval_s, now_s)
        assert state.as_of is not None, "a state in a file says when it was true"
        now = datetime.fromtimestamp(now_s, UTC)
        made: dict[str, Any] = rebased(state.document, state.as_of, now, interval_s, now_s)
        return made

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

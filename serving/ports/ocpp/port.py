"""A site of chargers by OCPP, as a port of the loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ...messages.answer import PortDecisions
from ...messages.vocabulary import DecisionReason
from ..files import FilesPort
from ..port import PortError, Receipt, SiteState
from ..rebase import rebased
from .profiles import Unsayable, Version, charging_profile
from .server import CentralSystem
from .site import ChargerSettings, OcppSettings
from .state import Held, Told, site_document
from .stations import Station
from .telemetry import Connector

Array = Any

READ_S = 10.0
SLACK_S = 5.0
DONE = ("Accepted",)
CLEARED = ("Accepted", "Unknown")
"""`Unknown`: the station had no such profile, which is what was wanted."""


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
        self._held: dict[str, Held] = {}
        self._spoken: dict[str, Version] = {}
        self.central = CentralSystem(settings, clock)

    def read(self, start: datetime, interval_s: int, now_s: float) -> SiteState:
        """See `port.SitePort`; what stands at the chargers is told with their readings."""
        told = self.central.ask(self._told(), READ_S)
        document = site_document(told, self._settings, self._beside(start, interval_s, now_s), now_s)
        return SiteState(document, datetime.fromtimestamp(now_s, UTC))

    def apply(self, decisions: PortDecisions, now_s: float) -> Receipt:
        """See `port.SitePort`; all stations at once, each charger in its turn."""
        limit_s = self._settings.answer_s * max(self._most_per_station(), 1) + SLACK_S
        try:
            refused = self.central.ask(self._hand_over(decisions, now_s), limit_s)
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
            held = self._held.get(charger.id)
            if held is not None and held.transaction != connector.transaction:
                del self._held[charger.id]  # a profile ends with its transaction
            seen_s = self.central.seen_s.get(charger.station, -math.inf)
            version = self._spoken.get(charger.station)
            made.append(Told(charger, connector, version, seen_s, self._held.get(charger.id)))
        return made

    def _beside(self, start: datetime, interval_s: int, now_s: float) -> dict[str, Any]:
        """The tables of the folder beside the chargers, as of now; none where there is no such folder."""
        if self._tables is None:
            return {}
        state = self._tables.read(start, interval_s, now_s)
        assert state.as_of is not None, "a state in a file says when it was true"
        made: dict[str, Any] = rebased(
            state.document, state.as_of, datetime.fromtimestamp(now_s, UTC), interval_s, now_s
        )
        return made

    async def _hand_over(self, decisions: PortDecisions, now_s: float) -> dict[str, str]:
        """Why each charger that did not take its set-point did not."""
        rows = {name: at for at, name in enumerate(decisions.id.tolist())}
        mine: dict[str, list[ChargerSettings]] = {}
        for charger in self._settings.chargers:
            if charger.id in rows:
                mine.setdefault(charger.station, []).append(charger)
        refused: dict[str, str] = {}

        async def serve(station: str, chargers: list[ChargerSettings]) -> None:
            for charger in chargers:
                if (why := await self._set(charger, decisions, rows[charger.id], now_s)) is not None:
                    refused[charger.id] = why

        await asyncio.gather(*(serve(station, chargers) for station, chargers in mine.items()))
        return refused

    async def _set(self, charger: ChargerSettings, decisions: PortDecisions, at: int, now_s: float) -> str | None:
        """Hand over one set-point; returns why that failed, None where it did not."""
        setpoint_kw, until_s = float(decisions.setpoint_kw[at]), float(decisions.valid_until_s[at])
        if decisions.reason[at] == DecisionReason.EMPTY:
            return None
        station = self.central.stations.get(charger.station)
        if station is None:
            return f"station {charger.station} is not connected{self._since(charger.station, now_s)}"
        connector = self.central.connectors[charger.station, charger.connector]
        try:
            if math.isnan(setpoint_kw):
                return await self._release(station, charger, until_s, now_s)
            return await self._charge(station, charger, connector, setpoint_kw, until_s, now_s)
        except Exception as error:  # whatever a station does: its chargers alone miss a cycle
            return f"{type(error).__name__} from station {charger.station}"

    async def _charge(
        self, station: Station, charger: ChargerSettings, connector: Connector, setpoint_kw: float, until_s: float,
        now_s: float,
    ) -> str | None:  # fmt: skip
        outlet, why = charger.outlet(station.version), None
        try:
            profile = charging_profile(outlet, setpoint_kw, now_s, until_s, connector.transaction)
        except Unsayable as error:
            if connector.transaction is None:
                return str(error)
            # Neither the export, nor what was charged before it was decided: nothing.
            why, setpoint_kw = f"{error}; it pauses instead", 0.0
            profile = charging_profile(outlet, setpoint_kw, now_s, until_s, connector.transaction)
        status = await station.set_profile(charger.connector, profile)
        if status not in DONE:
            return f"station {charger.station} answered {status}"
        self._keep(charger, Held(setpoint_kw, now_s, until_s, connector.transaction))
        return why

    async def _release(self, station: Station, charger: ChargerSettings, until_s: float, now_s: float) -> str | None:
        status = await station.clear_profile(charger.connector)
        if status not in CLEARED:
            return f"station {charger.station} answered {status}"
        transaction = self.central.connectors[charger.station, charger.connector].transaction
        self._keep(charger, Held(math.nan, now_s, until_s, transaction))
        return None

    def _keep(self, charger: ChargerSettings, new: Held) -> None:
        old = self._held.get(charger.id)
        same = old is not None and old.setpoint_kw == new.setpoint_kw and new.since_s < old.until_s
        self._held[charger.id] = new._replace(since_s=old.since_s) if same and old is not None else new

    def _since(self, station: str, now_s: float) -> str:
        seen_s = self.central.seen_s.get(station)
        return "" if seen_s is None else f", last heard of {max(now_s - seen_s, 0.0):.0f} s ago"

    def _most_per_station(self) -> int:
        stations = [charger.station for charger in self._settings.chargers]
        return max(map(stations.count, set(stations)))

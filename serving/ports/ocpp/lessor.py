"""Handing set-points to chargers: each a profile that ends by itself, handed over later where that has to be."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...messages.answer import PortDecisions
from ...messages.vocabulary import DecisionReason
from .profiles import Unsayable, charging_profile
from .site import ChargerSettings
from .state import Held
from .stations import Station
from .telemetry import Connector

Array = Any

CLEARED = ("Accepted", "Unknown")
"""`Unknown`: the station had no such profile, which is what was wanted."""


class Wish(NamedTuple):
    """What a charger is to hold."""

    setpoint_kw: float  # NaN: released
    until_s: float


class Lessor:
    """What each charger is to hold and has accepted; everything runs on the stations' thread.

    Args:
        chargers: of the site.
        connectors: what is known of each, by station and number.
        clock: Unix seconds.
    """

    def __init__(
        self, chargers: tuple[ChargerSettings, ...], connectors: Mapping[tuple[str, int], Connector],
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._chargers = {(one.station, one.connector): one for one in chargers}
        self._connectors, self._clock = connectors, clock
        self._wishes: dict[str, Wish] = {}
        self._held: dict[str, Held] = {}

    def held(self, charger: ChargerSettings) -> Held | None:
        """What a charger has accepted; None: nothing, or for a transaction that has ended, and the profile with it."""
        held = self._held.get(charger.id)
        if held is not None and held.transaction != self._connector(charger).transaction:
            del self._held[charger.id]
            return None
        return held

    async def hand_over(self, decisions: PortDecisions, station_of: Callable[[str], Station | str]) -> dict[str, str]:
        """Hand over the set-points of a cycle, all stations at once, each charger in its turn.

        Args:
            decisions: of the cycle.
            station_of: the station of that name, or why there is none now.

        Returns:
            Why each charger that did not take its set-point did not.
        """
        row = {name: at for at, name in enumerate(decisions.id.tolist())}
        stations: dict[str, list[ChargerSettings]] = {}
        for charger in self._chargers.values():
            if charger.id in row:
                stations.setdefault(charger.station, []).append(charger)
                self._wish(charger, decisions, row[charger.id])
        refused: dict[str, str] = {}

        async def serve(station: Station | str, chargers: list[ChargerSettings]) -> None:
            for charger in chargers:
                why = station if isinstance(station, str) else await self._set(station, charger)
                if why is not None and charger.id in self._wishes:
                    refused[charger.id] = why

        await asyncio.gather(*(serve(station_of(name), chargers) for name, chargers in stations.items()))
        return refused

    async def catch_up(self, station: Station, connector: int) -> None:
        """Set a charger that could not take its set-point before: its transaction has begun, or its station is back."""
        charger = self._chargers.get((station.id, connector))
        if charger is not None and self.held(charger) is None:
            await self._set(station, charger)

    def _connector(self, charger: ChargerSettings) -> Connector:
        return self._connectors[charger.station, charger.connector]

    def _wish(self, charger: ChargerSettings, decisions: PortDecisions, at: int) -> None:
        if decisions.reason[at] == DecisionReason.EMPTY:
            self._wishes.pop(charger.id, None)
            return
        self._wishes[charger.id] = Wish(float(decisions.setpoint_kw[at]), float(decisions.valid_until_s[at]))

    async def _set(self, station: Station, charger: ChargerSettings) -> str | None:
        """Have a charger hold what it is to hold; returns why that failed."""
        wish, transaction, now_s = self._wishes.get(charger.id), self._connector(charger).transaction, self._clock()
        if wish is None or wish.until_s <= now_s:
            return None
        try:
            if math.isnan(wish.setpoint_kw):
                return await self._release(station, charger, wish, now_s)
            if transaction is None:
                return None  # nothing flows; set when a transaction begins
            return await self._charge(station, charger, wish, transaction, now_s)
        except Exception as error:  # whatever a station does: its chargers alone miss a cycle
            return f"{type(error).__name__} from station {charger.station}"

    async def _charge(
        self, station: Station, charger: ChargerSettings, wish: Wish, transaction: int | str, now_s: float
    ) -> str | None:
        outlet, why, setpoint_kw = charger.outlet(station.version), None, wish.setpoint_kw
        try:
            profile = charging_profile(outlet, setpoint_kw, now_s, wish.until_s, transaction)
        except Unsayable as error:
            # Neither the export, nor what was charged before it was decided: nothing.
            why, setpoint_kw = f"{error}; it pauses instead", 0.0
            profile = charging_profile(outlet, setpoint_kw, now_s, wish.until_s, transaction)
        status = await station.set_profile(charger.connector, profile)
        if status != "Accepted":
            return f"station {charger.station} answered {status}"
        self._keep(charger, Held(setpoint_kw, now_s, wish.until_s, transaction))
        return why

    async def _release(self, station: Station, charger: ChargerSettings, wish: Wish, now_s: float) -> str | None:
        status = await station.clear_profile(charger.connector)
        if status not in CLEARED:
            return f"station {charger.station} answered {status}"
        self._keep(charger, Held(math.nan, now_s, wish.until_s, self._connector(charger).transaction))
        return None

    def _keep(self, charger: ChargerSettings, new: Held) -> None:
        old = self.held(charger)
        same = old is not None and old.setpoint_kw == new.setpoint_kw and new.since_s < old.until_s
        self._held[charger.id] = new._replace(since_s=old.since_s) if same and old is not None else new

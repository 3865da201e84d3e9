"""A site of chargers by OCPP, as a port of the loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from ...messages.answer import PortDecisions
from ...messages.vocabulary import DecisionReason
from ..documents import without
from ..files import FilesPort
from ..port import PortError, Receipt, SiteState
from ..rebase import rebased
from .profiles import Unsayable, Version, charging_profile
from .server import CentralSystem
from .site import ChargerSettings, OcppSettings
from .stations import Station
from .telemetry import Connector, Reading

Array = Any

READ_S = 10.0
SLACK_S = 5.0
DONE = ("Accepted",)
CLEARED = ("Accepted", "Unknown")
"""`Unknown`: the station had no such profile, which is what was wanted."""


class Held(NamedTuple):
    """What a charger has accepted."""

    setpoint_kw: float
    since_s: float
    until_s: float
    transaction: int | str | None


@dataclass(frozen=True)
class Told:
    """What was told of a charger at one moment."""

    charger: ChargerSettings
    connector: Connector
    version: Version | None  # None: not connected, and never was
    seen_s: float


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
        document = self._beside(start, interval_s, now_s) | {"ports": self._columns(told, now_s)}
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
            made.append(Told(charger, connector, self._spoken.get(charger.station), seen_s))
        return made

    def _beside(self, start: datetime, interval_s: int, now_s: float) -> dict[str, Any]:
        """The tables beside the chargers: of the settings, or of a file, true at the same moment."""
        if self._tables is None:
            sites = self._settings.sites
            return {
                "sites": {
                    "id": [site.id for site in sites],
                    "net_load_kw": [site.net_load_kw for site in sites],
                    "import_limit_kw": [[site.import_limit_kw] for site in sites],
                    "export_limit_kw": [[site.export_limit_kw] for site in sites],
                }
            }
        state = self._tables.read(start, interval_s, now_s)
        assert state.as_of is not None
        now = datetime.fromtimestamp(now_s, UTC)
        made: dict[str, Any] = rebased(state.document, state.as_of, now, interval_s, now_s)
        return without(made, "ports")

    def _columns(self, told: list[Told], now_s: float) -> dict[str, Any]:
        chargers, cars = [one.charger for one in told], [one.connector for one in told]
        held = [self._held.get(charger.id) for charger in chargers]
        plugged = [_plugged(one) for one in told]
        columns = {
            "soc": [car.soc for car in cars],
            "power": [car.power_kw for car in cars],
            "plugged": [Reading(0.0, max(one.connector.plugged.at_s, one.seen_s)) for one in told],
        }
        ages = {f"{name}_age_s": _ages(readings, now_s) for name, readings in columns.items()}
        numbers = {name: [getattr(charger, name) for charger in chargers] for name in PARAMETERS}
        return numbers | ages | {
            "id": [charger.id for charger in chargers],
            "site": [charger.site for charger in chargers],
            "plugged": plugged,
            "export_consent": [charger.export_consent for charger in chargers],
            "soc": _values(columns["soc"]),
            "power_kw": _values(columns["power"]),
            "need_kwh": [_or_none(_need_kwh(one)) for one in told],
            "departs_in_s": [_or_none(car.departs_s - now_s) for car in cars],
            "capacity_kwh": [_capacity_kwh(one) for one in told],
            "max_discharge_kw": [one.charger.max_discharge_kw if one.version is Version.V21 else 0.0 for one in told],
            "last_setpoint_kw": [_or_none(_in_force(one, now_s)) for one in held],
            "last_setpoint_age_s": [None if one is None else max(now_s - min(one.since_s, now_s), 0.0) for one in held],
        }  # fmt: skip

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


PARAMETERS = (
    "max_charge_kw", "min_charge_kw", "step_kw", "charge_efficiency", "discharge_efficiency", "target_soc",
    "reserve_soc",
)  # fmt: skip


def _plugged(one: Told) -> bool | None:
    value = one.connector.plugged.value
    return None if math.isnan(value) else value == 1.0


def _need_kwh(one: Told) -> float:
    """What was asked less what came since, at the battery; NaN where nothing was asked."""
    moved = one.connector.moved_kwh
    came = 0.0 if math.isnan(moved) else moved
    efficiency = one.charger.charge_efficiency if came > 0.0 else 1.0 / max(one.charger.discharge_efficiency, 0.5)
    return one.connector.asked_kwh - efficiency * came


def _in_force(held: Held | None, now_s: float) -> float:
    return math.nan if held is None or now_s >= held.until_s else held.setpoint_kw


def _values(readings: list[Reading]) -> list[float | None]:
    return [_or_none(reading.value) for reading in readings]


def _ages(readings: list[Reading], now_s: float) -> list[float | None]:
    return [max(now_s - reading.at_s, 0.0) if math.isfinite(reading.at_s) else None for reading in readings]


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _capacity_kwh(one: Told) -> float:
    """What the car told, where that can be true."""
    told = one.connector.capacity_kwh
    return told if math.isfinite(told) and told >= 1.0 else one.charger.capacity_kwh

"""The central system: stations connect to it by websocket, in a thread of its own."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import threading
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from ....configs.messages import ConfigError
from .site import OcppSettings
from .stations import STATIONS, Begun, Station
from .telemetry import Connector

log = logging.getLogger("ebbflow.serving.ocpp")

T = TypeVar("T")

MOST_BYTES = 256 << 10
"""Of a message: meter values of a day fit."""

START_S = 10.0


class CentralSystem:
    """Listens, knows each connection, and runs what is to be said to stations.

    Args:
        settings: of the site.
        clock: Unix seconds.

    Attributes:
        begun: told of a station and a connector where a transaction has begun or goes on; on the stations' thread.

    Raises:
        ConfigError: others can reach the address and a station has no password; or it is taken.
    """

    def __init__(self, settings: OcppSettings, clock: Callable[[], float]) -> None:
        _refuse_open(settings)
        self._settings, self._clock = settings, clock
        self.begun: Begun = _nothing
        self.connectors: dict[tuple[str, int], Connector] = {
            (one.station, one.connector): Connector() for one in settings.chargers
        }
        self.stations: dict[str, Station] = {}
        self.seen_s: dict[str, float] = {}
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._failed: OSError | None = None
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="ocpp", daemon=True)
        self._thread.start()
        if not ready.wait(START_S) or self._failed is not None:
            why = self._failed.strerror if self._failed is not None else "it takes too long"
            raise ConfigError(f"cannot listen on {settings.host}:{settings.port}: {why}")

    def ask(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Run something on the stations' thread and wait for it.

        Raises:
            TimeoutError: it was not done in time, and was ended.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_s)
        finally:
            future.cancel()

    def close(self) -> None:
        """Close all connections; what the stations hold runs out by itself."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(START_S)

    def _run(self, ready: threading.Event) -> None:
        try:
            self._loop.run_until_complete(self._listen(ready))
        except OSError as error:
            self._failed = error
        finally:
            self._loop.close()
            ready.set()

    async def _listen(self, ready: threading.Event) -> None:
        protocols: Any = list(STATIONS)
        async with serve(
            self._talk, self._settings.host, self._settings.port, subprotocols=protocols,
            process_request=self._admit, max_size=MOST_BYTES, server_header=None,
        ) as server:  # fmt: skip
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await self._ended.wait()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse a station that is not of this site, or has not its password."""
        station = _identity(request.path)
        if station not in {one.station for one in self._settings.chargers}:
            log.warning("a station that is not in the settings was refused")
            return connection.respond(HTTPStatus.NOT_FOUND, "unknown station\n")
        wanted = self._settings.password_of(station)
        if wanted is not None and not _knows(request.headers.get("Authorization", ""), station, wanted):
            log.warning("station %s was refused: wrong password", station)
            return connection.respond(HTTPStatus.UNAUTHORIZED, "wrong password\n")
        return None

    async def _talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        name, protocol = _identity(connection.request.path), connection.subprotocol
        if protocol is None:
            await connection.close(1002, f"speak one of {', '.join(STATIONS)}")
            return
        mine = {number: one for (station, number), one in self.connectors.items() if station == name}
        station = STATIONS[protocol](
            name, _Watched(connection, self._heard), mine, self._clock, self._accepts, self._has_begun,
            self._settings.heartbeat_s, self._settings.answer_s,
        )  # fmt: skip
        # A station that connects again has lost its old connection, whether or not we have seen that.
        self.stations[name] = station
        log.info("station %s connected, OCPP %s", name, station.version)
        asked = asyncio.create_task(self._greet(station))
        try:
            await station.start()  # type: ignore[attr-defined]
        except ConnectionClosed:
            log.info("station %s left", name)
        finally:
            asked.cancel()
            if self.stations.get(name) is station:
                del self.stations[name]

    async def _greet(self, station: Station) -> None:
        await station.ask_status()
        for number in station.connectors:
            await self.begun(station, number)

    async def _has_begun(self, station: Station, connector: int) -> None:
        await self.begun(station, connector)

    def _heard(self, name: str) -> None:
        self.seen_s[name] = self._clock()

    def _accepts(self, tag: str) -> bool:
        return not self._settings.id_tags or tag in self._settings.id_tags


async def _nothing(station: Station, connector: int) -> None:
    """Nobody is to be told yet."""


class _Watched:
    """A connection that tells when something came."""

    def __init__(self, connection: ServerConnection, heard: Callable[[str], None]) -> None:
        assert connection.request is not None
        self._connection, self._heard, self._name = connection, heard, _identity(connection.request.path)

    async def recv(self) -> str | bytes:
        message = await self._connection.recv()
        self._heard(self._name)
        return message

    async def send(self, message: str) -> None:
        await self._connection.send(message)


def _identity(path: str) -> str:
    """The last part of the path, as OCPP-J has it."""
    return unquote(urlsplit(path).path.rpartition("/")[2])


def _knows(header: str, station: str, wanted_sha256: str) -> bool:
    kind, _, code = header.partition(" ")
    try:
        name, _, password = base64.b64decode(code, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    told = hashlib.sha256(password.encode()).hexdigest()
    return kind.lower() == "basic" and name == station and hmac.compare_digest(told, wanted_sha256)


def _refuse_open(settings: OcppSettings) -> None:
    """Refuse to let anybody who can reach the address pass for a station."""
    from ...http.server import is_loopback

    open_to = sorted({one.station for one in settings.chargers if settings.password_of(one.station) is None})
    if open_to and not is_loopback(settings.host):
        raise ConfigError(
            f"{settings.host} can be reached by others and station {open_to[0]} has no password_sha256; "
            "give each station one, or listen on 127.0.0.1 behind a proxy that knows them"
        )

"""Running the app on a socket."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import signal
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from ...configs.messages import ConfigError
from .limits import Limits


def is_loopback(host: str) -> bool:
    """Whether an address, or every address of a name, leads to this machine alone.

    Raises:
        ConfigError: there is no such name.
    """
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        raise ConfigError(f"the host {host!r} leads nowhere; give an address of this machine") from None
    return all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in found)


def patient_protocol(limits: Limits) -> type[asyncio.Protocol]:
    """uvicorn's protocol, but a client that does not send its head or does not take its answer is cut off."""

    class Patient(H11Protocol):
        waiting: asyncio.TimerHandle | None = None
        taking: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            # The body is written after the head, and would wait for the client's delayed word that this came: 40 ms.
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._wait()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._wait()
            if self.taking is None and self.transport.get_write_buffer_size():
                self.taking = self.loop.call_later(limits.answer_s, self._cut)

        def connection_lost(self, exc: Exception | None) -> None:
            for timer in (self.waiting, self.taking):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(exc)

        def _wait(self) -> None:
            if self.waiting is not None:
                self.waiting.cancel()
            self.waiting = self.loop.call_later(limits.head_s, self._close_idle)

        def _close_idle(self) -> None:
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

        def _cut(self) -> None:
            self.taking = None
            if self.transport.get_write_buffer_size():
                self.transport.abort()

    return Patient


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets on each address of a host, all on one port; 0: any that is free.

    Raises:
        ConfigError: there is no such host, or the port is taken or not for this user.
    """
    made: list[socket.socket] = []
    try:
        for family, *_, address in dict.fromkeys(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)):
            chosen = made[0].getsockname()[1] if made else port
            made.append(socket.create_server((address[0], chosen, *address[2:]), family=family))
    except OSError as error:
        for one in made:
            one.close()
        why = str(error.strerror).partition(" (")[0]  # without the address in Python's words
        raise ConfigError(
            f"cannot listen on {host}, port {port}: {why}; does another service run there? Choose another by --port"
        ) from None
    return made


def run(app: FastAPI, sockets: list[socket.socket], limits: Limits) -> None:
    """Serve until SIGINT or SIGTERM; cycles that are being decided are answered first.

    Raises:
        SystemExit: upon SIGTERM, so that the caller can close what it opened.
    """
    signal.signal(signal.SIGTERM, _end)  # uvicorn gives the signal on once it is done, which by default kills
    config = uvicorn.Config(
        app,
        http=patient_protocol(limits),
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=math.ceil(limits.head_s) + 1,  # the head's timer ends an idle connection, not uvicorn's
        timeout_graceful_shutdown=30,
    )
    uvicorn.Server(config).run(sockets)


def _end(*_: object) -> None:
    raise SystemExit(0)

"""A policy in a process of its own, that is killed when it is late; what passes between them is JSON and plain numbers.

No pickle: the request goes there as the JSON that it came in, the answer comes back as little-endian float64.
"""

from __future__ import annotations

import os
import selectors
import struct
import subprocess
import sys
import time
from typing import IO, Any

import numpy as np

from ...envs.snapshot import Snapshot
from ..messages.answer import ModelId
from ..messages.canonical import canonical_json, read_json
from ..messages.request import DispatchRequest, request_document
from .runners import PolicyTimeout, Proposal

HEAD = struct.Struct("<cQ")
"""Kind and length of a message: `a` answer, `e` error, `r` request."""

LONGEST_ERROR = 500


class WorkerRunner:
    """Any registered policy, by name, as `find_policy` takes it.

    The process is started by the first request, and again at once after each time that it had to be killed.

    Args:
        name: of the policy, or `package.module:Class`.
        start_s: how long the process may take until it is ready; cycles in between go by the rules.
    """

    def __init__(self, name: str, start_s: float = 30.0) -> None:
        self.model = ModelId(name)
        self._name, self._start_s = name, start_s
        self._process: subprocess.Popen[bytes] | None = None
        self._ready, self._started = False, 0.0

    def ask(self, request: DispatchRequest, snapshot: Snapshot, limit_s: float) -> Proposal:
        """See `runners.Runner`."""
        until = time.monotonic() + limit_s
        process = self._wait_until_ready(until)
        try:
            kind, content = _exchange(process, canonical_json(request_document(request)), until)
        except (TimeoutError, OSError) as error:
            self._spawn()
            if isinstance(error, TimeoutError):
                raise PolicyTimeout(f"killed after {limit_s:g} s") from None
            raise RuntimeError("the policy's process died") from None
        if kind == b"e":
            raise RuntimeError(content.decode(errors="replace"))
        asked = np.frombuffer(content, "<f8")
        if asked.shape != (snapshot.n_ports,):
            raise ValueError(f"answered {asked.size} numbers; it must be {snapshot.n_ports}")
        return Proposal(asked.copy(), np.zeros(snapshot.n_ports, bool))

    def start(self) -> None:
        """Start the process and wait until it is ready, so that the first cycle need not.

        Raises:
            PolicyTimeout: it is not ready in time.
            RuntimeError: the policy cannot be made.
        """
        self._wait_until_ready(time.monotonic() + self._start_s)

    def close(self) -> None:
        """Kill the process, if there is one."""
        process, self._process, self._ready = self._process, None, False
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.close()
        command = [sys.executable, "-m", f"{__package__}.worker_main", self._name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._started = time.monotonic()
        return self._process

    def _wait_until_ready(self, until: float) -> subprocess.Popen[bytes]:
        process = self._process
        if process is None or (process.poll() is not None and self._ready):
            process = self._spawn()
        if self._ready:
            return process
        try:
            kind, content = _receive(_pipe(process.stdout), until)
        except TimeoutError:
            if time.monotonic() - self._started > self._start_s:
                self._spawn()
            raise PolicyTimeout("the policy's process is not ready yet") from None
        except OSError:
            self.close()
            raise RuntimeError("the policy's process died") from None
        if kind == b"e":
            self.close()
            raise RuntimeError(content.decode(errors="replace"))
        self._ready = True
        return process


def _pipe(stream: IO[bytes] | None) -> int:
    assert stream is not None
    return stream.fileno()


def _exchange(process: subprocess.Popen[bytes], body: bytes, until: float) -> tuple[bytes, bytes]:
    _send(_pipe(process.stdin), b"r", body, until)
    return _receive(_pipe(process.stdout), until)


def _send(pipe: int, kind: bytes, content: bytes, until: float) -> None:
    os.set_blocking(pipe, False)
    rest = memoryview(HEAD.pack(kind, len(content)) + content)
    while rest:
        _wait(pipe, selectors.EVENT_WRITE, until)
        rest = rest[os.write(pipe, rest) :]


def _receive(pipe: int, until: float) -> tuple[bytes, bytes]:
    kind, length = HEAD.unpack(_read(pipe, HEAD.size, until))
    return kind, _read(pipe, length, until)


def _read(pipe: int, length: int, until: float) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        _wait(pipe, selectors.EVENT_READ, until)
        part = os.read(pipe, min(length - len(parts), 1 << 20))
        if not part:
            raise BrokenPipeError("the other side has gone")
        parts += part
    return bytes(parts)


def _wait(pipe: int, event: int, until: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, event)
        if not selector.select(max(until - time.monotonic(), 0.0)):
            raise TimeoutError


def serve(name: str, source: IO[bytes], sink: IO[bytes]) -> None:
    """The other side: make the policy, then answer requests until the source ends."""
    from ...agents.policy import find_policy
    from ..messages.parse import parse_request
    from ..messages.to_snapshot import snapshot_of
    from .runners import one_world

    try:
        policy = find_policy(name)
        policy.reset()
    except Exception as error:
        _answer(sink, b"e", _told(error))
        return
    _answer(sink, b"a", b"")
    while head := source.read(HEAD.size):
        body = source.read(HEAD.unpack(head)[1])
        try:
            snapshot = snapshot_of(parse_request(read_json(body)))
            _answer(sink, b"a", one_world(policy.act(snapshot), snapshot).astype("<f8").tobytes())
        except Exception as error:
            _answer(sink, b"e", _told(error))


def _told(error: Exception) -> bytes:
    return f"{type(error).__name__}: {error}"[:LONGEST_ERROR].encode()


def _answer(sink: IO[Any], kind: bytes, content: bytes) -> None:
    sink.write(HEAD.pack(kind, len(content)) + content)
    sink.flush()

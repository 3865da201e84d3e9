"""Talking to a process over pipes, with a deadline; when it is over, the process and its children are killed."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from .wire import Array, pack, unpack

CHUNK_BYTES = 1 << 16
LAST_WORDS = 400


class ProcessFailed(ValueError):
    """The process ended, answered nonsense or took too long; says which."""


class Peer:
    """A process that answers messages; it ends with this object.

    Args:
        command: what is run.
        name: what to call it in messages.
    """

    def __init__(self, command: Sequence[str], name: str) -> None:
        self._name = name
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the process)
        self._process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words, start_new_session=True,
            bufsize=0, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._out, self._in = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)
        self._end = weakref.finalize(self, _kill, self._process, self._words)

    def ask(self, facts: Mapping[str, Any], arrays: Mapping[str, Array], timeout_s: float) -> Any:
        """Send a message and wait for the answer, as `hear` does."""
        content, deadline = memoryview(pack(facts, arrays)), time.monotonic() + timeout_s
        while content:
            self._wait(self._out, selectors.EVENT_WRITE, deadline)
            try:
                content = content[os.write(self._out, content[:CHUNK_BYTES]) :]
            except OSError:
                raise self._failed("ended") from None
        return self.hear(deadline - time.monotonic())

    def hear(self, timeout_s: float) -> tuple[dict[str, Any], dict[str, Array]]:
        """The next answer.

        Raises:
            ProcessFailed: the time is over, the process has ended, it says so itself, or this is no answer.
        """
        deadline = time.monotonic() + timeout_s
        try:
            facts, arrays = unpack(lambda count: self._exactly(count, deadline))
        except ProcessFailed:
            raise
        except ValueError as error:
            raise self._failed(f"answered nonsense ({error}) and was killed") from None
        if "error" in facts:
            raise ProcessFailed(f"{self._name}: {facts['error']}")
        return facts, arrays

    def close(self) -> None:
        """End the process."""
        self._end()

    def _exactly(self, count: int, deadline: float) -> bytes:
        content = bytearray()
        while len(content) < count:
            self._wait(self._in, selectors.EVENT_READ, deadline)
            part = os.read(self._in, min(count - len(content), CHUNK_BYTES))
            if not part:
                raise self._failed("ended")
            content += part
        return bytes(content)

    def _wait(self, pipe: int, event: int, deadline: float) -> None:
        if not self._end.alive:
            raise ProcessFailed(f"{self._name}: its process was ended before")
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise self._failed("took too long and was killed")

    def _failed(self, what: str) -> ProcessFailed:
        if what == "ended":
            with contextlib.suppress(subprocess.TimeoutExpired):
                what = f"ended with exit code {self._process.wait(1.0)}"
        self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, self._words.tell() - LAST_WORDS))
        words = self._words.read().decode("utf-8", "replace").strip()
        self.close()
        return ProcessFailed(f"{self._name}: its process {what}" + (f"; its last words: {words}" if words else ""))


def _kill(process: subprocess.Popen[bytes], words: Any) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, words):
        if stream is not None:
            stream.close()

"""A stable-baselines3 zip as a policy: observations go to its process, actions come back."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...configs.messages import ConfigError
from ...envs.action import requested_power
from ...envs.encoding import make_encoder
from ...envs.gym.standard import shares_of
from ...envs.snapshot import Snapshot
from .process import Peer, ProcessFailed

Array = NDArray[Any]

LOAD_S, ANSWER_S = 120.0, 60.0
"""Seconds that loading, and an answer, may take."""


class ZipPolicy:
    """Plays a policy that was saved by stable-baselines3 or sb3-contrib, on as many ports as it was trained with.

    One that was trained with a single port, as where each port is an environment of its own, is asked port by port on
    a fleet of any size. A policy of MaskablePPO is told what can be chosen.

    Its pickle is loaded in a process of its own, which is killed when it takes too long. That keeps a crash or a
    surprise out of the evaluator; it is no sandbox: the file's code runs with the user's rights.

    Args:
        path: the zip.
        name: by what it is reported.
        digest: SHA-256 that the file must have; None: whatever it has.
        load_s: seconds that loading may take.
        answer_s: seconds that an answer may take.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another digest, or the file cannot be loaded, with what it said.
    """

    def __init__(
        self,
        path: str | Path,
        name: str = "learned",
        digest: str | None = None,
        *,
        load_s: float = LOAD_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        self.name, self._path, self._times = name, Path(path), (load_s, answer_s)
        self._digest = _digest(self._path, digest)
        self._encoder = make_encoder("numpy")
        self._peer = Peer([sys.executable, "-m", f"{__package__}.worker", str(self._path)], str(self._path))
        self._ports = _ports_told(self._peer.hear(load_s)[0], str(self._path))

    @property
    def pinned(self) -> str:
        """What to ask `find_policy` for to get this very file."""
        return f"{self.name}={self._path.resolve()}#{self._digest}"

    def reset(self) -> None:
        """Nothing is remembered between steps."""

    def act(self, snapshot: Snapshot) -> Array:
        """The requested kW (B, N).

        Raises:
            ProcessFailed: the process ended, took too long or answered nonsense.
        """
        if self._ports not in (1, snapshot.n_ports):
            raise ProcessFailed(
                f"{self._path}: trained with {self._ports} ports, not {snapshot.n_ports}; only a bundle, or a policy "
                "trained port by port, runs on any"
            )
        seen = self._encoder.encode(snapshot)
        observation = {name: np.asarray(part, np.float32) for name, part in seen._asdict().items()}
        _, answer = self._peer.ask({}, observation, self._times[1])
        return np.asarray(requested_power(snapshot, self._shares(answer.get("action"), snapshot)), float)

    def close(self) -> None:
        """End the process."""
        self._peer.close()

    def _shares(self, action: Array | None, snapshot: Snapshot) -> Array:
        expected = (snapshot.n_worlds, snapshot.n_ports)
        if action is None or action.shape != expected:
            found = None if action is None else action.shape
            raise ProcessFailed(f"{self._path}: answered in shape {found}; it must be {expected}")
        try:
            return shares_of(action)
        except ValueError as error:
            raise ProcessFailed(f"{self._path}: {error}") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return ZipPolicy, (self._path, self.name, self._digest)


def _digest(path: Path, expected: str | None) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; name a zip that stable-baselines3 saved")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if expected is not None and found != expected:
        raise ConfigError(f"{path}: its SHA-256 is {found}, but {expected} was asked for; it was changed meanwhile")
    return found


def _ports_told(facts: dict[str, Any], source: str) -> int:
    ports = facts.get("ports")
    if not isinstance(ports, int):
        raise ProcessFailed(f"{source}: its process does not tell with how many ports it was trained")
    return ports

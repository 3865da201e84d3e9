"""What a run tells its tracking store; nothing of it may cost the run its result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

INTERRUPTED, FAILED, FINISHED, GIVEN_UP = "interrupted", "failed", "finished", "given up"
"""How a run ends."""


class TrackingError(ValueError):
    """A tracking store that cannot be reached or used, with what to do about it."""


class Tracker(Protocol):
    """Takes what a run has to tell, and raises nothing where it cannot be sent.

    `log` returns at once, and is sent later; `tag`, `artifact` and `close` take as long as the store takes to answer.
    """

    @property
    def run_id(self) -> str:
        """The store's name of the run; empty where there is no store."""
        ...

    def log(self, step: int, metrics: Mapping[str, float | None]) -> None:
        """Points of curves; None is left out."""
        ...

    def artifact(self, path: Path, folder: str = "") -> None:
        """A file or a folder to keep, now."""
        ...

    def tag(self, tags: Mapping[str, Any]) -> None:
        """Words about the run."""
        ...

    def close(self, how: str) -> None:
        """Send what is left and say how the run ended."""
        ...

    @property
    def trouble(self) -> str:
        """Why something could not be sent, in words; empty where all went well."""
        ...


class NoTracker:
    """Keeps nothing."""

    run_id, trouble = "", ""

    def log(self, step: int, metrics: Mapping[str, float | None]) -> None:
        """Nothing."""

    def artifact(self, path: Path, folder: str = "") -> None:
        """Nothing."""

    def tag(self, tags: Mapping[str, Any]) -> None:
        """Nothing."""

    def close(self, how: str) -> None:
        """Nothing."""

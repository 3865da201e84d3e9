"""`make demo`: a day of every preset under every rule; then a policy is trained, evaluated and registered."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ..agents.demo import show_presets
from ..agents.simulation import say
from .run.folder import free_folder
from .run.recording import recording_of
from .run.settings import RunSettings
from .run.work import train_and_tell

FOLDER = Path("runs/demo")
TRAINED, MINUTES, TEST_DAYS = "home-california", 3.0, 7
NEXT = (
    f"ebbflow promote {TRAINED}",
    "ebbflow train depot-workplace --minutes 10",
    f"ebbflow evaluate {TRAINED} --policies learned,mpc --out runs/learned --days 20",
)


def main(
    folder: Path = FOLDER, presets: Sequence[str] = (), settings: RunSettings | None = None, days: int = TEST_DAYS
) -> int:
    """Run the demo; returns the exit code.

    Args:
        folder: where pictures and the training's run go.
        presets: of which a day is simulated; empty: all.
        settings: of the training; None: a few minutes of the embedded default.
        days: unseen days on which the trained policy is evaluated.
    """
    console, began = Console(), time.perf_counter()
    show_presets(console, folder, presets)
    told = settings or RunSettings(scenario=TRAINED, minutes=MINUTES)
    say(console, f"\nTraining a policy for {told.scenario} on one core:")
    train_and_tell(told, recording_of(told.scenario, test_days=days), free_folder("train", folder))
    say(console, f"The demo took {time.perf_counter() - began:.0f} s. Type next, with .venv/bin in your PATH:")
    for command in NEXT:
        say(console, f"  {command}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The work of `ebbflow train`: prepare, drive, tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ...envs.world.scenario import Scenario
from ..tracking.tracker import FINISHED, NoTracker, Tracker
from .folder import RunFolder, free_folder
from .interrupt import Interrupt
from .references import References
from .screen import Screen
from .session import Session
from .settings import RunSettings
from .start import Prepared, begin, describe_start, go_on
from .validation import Validator


def train_and_tell(settings: RunSettings | None, out: Path | None, screen: Screen | None = None) -> Path:
    """Train to the end, with progress; returns the run's folder.

    Args:
        settings: of a new run; None: go on with the one in `out`.
        out: the folder; None: a new one.
        screen: what people see; None: stderr.

    Raises:
        KeyboardInterrupt: asked to stop; everything is saved.
        ValueError: see `start.begin`, `start.go_on` and `Session.run`.
    """
    screen = screen or Screen()
    folder = RunFolder(out or free_folder(settings.scenario, settings.algorithm, settings.seed))  # type: ignore[union-attr]
    if settings is None:
        folder.told()
    with folder.locked():
        track = partial(_tracked, screen)
        prepared = go_on(folder, screen.say, track) if settings is None else begin(settings, folder, screen.say, track)
        tracker = NoTracker()
        session = _session(prepared, tracker, screen)
        done = session.go_on()
        screen.say(describe_start(prepared, done))
        with Interrupt().listening() as interrupt, _resumable(folder, screen):
            with screen.running(prepared.learner.total, done):
                session.run(interrupt)
            screen.say("waiting for the references")
            session.finish_references()
        tracker.close(FINISHED)
    return folder.path


def _session(prepared: Prepared, tracker: Tracker, screen: Screen) -> Session:
    p = prepared
    return Session(p.folder, p.settings, p.learner, Validator(p.plan), References(p.plan), tracker, screen, p.run_hash)


@contextmanager
def _resumable(folder: RunFolder, screen: Screen) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        screen.say(f"stopped and saved; go on with: ebbflow train --resume {folder.path}")
        raise


def _tracked(screen: Screen, days: Iterable[Scenario]) -> Iterable[Scenario]:
    """The days, with a bar while they are drawn."""
    return days

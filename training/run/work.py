"""The work of `ebbflow train`: prepare, drive, tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..tracking.store import NOWHERE, connect
from ..tracking.tracker import FAILED, FINISHED, GIVEN_UP, INTERRUPTED, Tracker, TrackingError
from .folder import RunFolder, free_folder, run_name
from .interrupt import Interrupt
from .recording import Recording, finish, keep_recording, open_tracker, recording_in
from .references import References
from .screen import Screen
from .session import GivenUpError, RunStoppedError, Session, Watch
from .settings import RunSettings
from .start import Prepared, begin, describe_start, go_on
from .validation import Validator


def train_and_tell(
    settings: RunSettings | None,
    recording: Recording | None,
    out: Path | None,
    screen: Screen | None = None,
    watch: Watch | None = None,
    store: str | None = None,
) -> Path:
    """Train to the end, with progress; returns the run's folder.

    Args:
        settings: of a new run; None: go on with the one in `out`.
        recording: of a new run.
        out: the folder; None: a new one.
        screen: what people see; None: stderr.
        watch: told of every validation.
        store: of a run that is gone on with: `none`, or the MLflow store that it is recorded in from now on; None: as
            it was.

    Raises:
        KeyboardInterrupt: asked to stop; everything is saved.
        GivenUpError: by `watch`.
        ValueError: see `start.begin`, `start.go_on`, `Session.run` and `recording.finish`.
    """
    screen, folder = screen or Screen(), RunFolder(out or _new_folder(settings))
    if settings is None or recording is None:
        settings, recording = None, recording_in(folder, store)
    else:
        folder.refuse_old()
    _connect(recording, folder)
    with folder.locked():
        if settings is None:
            keep_recording(recording, folder)
        if folder.state().get("recorded") and not folder.state().get("record_lacks"):
            screen.say(f"{folder.path}: nothing is left to do")
            return folder.path
        prepared = _prepare(settings, recording, folder, screen)
        tracker, how = open_tracker(recording, folder, prepared), FAILED
        try:
            with _resumable(folder, screen):
                _drive(prepared, recording, tracker, screen, watch)
            how = FINISHED
        except KeyboardInterrupt:
            how = INTERRUPTED
            raise
        except GivenUpError:
            how = GIVEN_UP
            raise
        finally:
            tracker.close(how)
            with suppress(OSError):  # a full disk has been told of already
                folder.write_state(record_lacks=bool(tracker.trouble))
            if tracker.trouble:
                screen.say(
                    f"{tracker.trouble}\nsend what it lacks, once it answers: ebbflow train --resume {folder.path}\n"
                    f"or record all of it elsewhere: {_elsewhere(folder)}"
                )
    return folder.path


def _connect(recording: Recording, folder: RunFolder) -> None:
    """See that the store answers, before anything that takes long."""
    if recording.tracking is None:
        return
    try:
        connect(recording.tracking)
    except TrackingError as error:
        if not folder.exists:
            raise
        raise TrackingError(f"{error}\ngo on without it: {_elsewhere(folder, NOWHERE)}") from error


def _elsewhere(folder: RunFolder, store: str = "STORE") -> str:
    return f"ebbflow train --resume {folder.path} --tracking {store}"


def _new_folder(settings: RunSettings | None) -> Path:
    if settings is None:
        raise ValueError("neither settings nor a run's folder is given; give one of them")
    return free_folder(run_name(settings.scenario, settings.algorithm, settings.seed))


def _prepare(settings: RunSettings | None, recording: Recording, folder: RunFolder, screen: Screen) -> Prepared:
    if settings is None:
        return go_on(folder, screen)
    try:
        return begin(settings, folder, screen, {"recording": recording.to_json()})
    except FloatingPointError as error:  # while a few updates are timed
        raise RunStoppedError(f"{error}\nno run was begun") from error


def _drive(prepared: Prepared, recording: Recording, tracker: Tracker, screen: Screen, watch: Watch | None) -> None:
    session = _session(prepared, tracker, screen, watch)
    done = session.go_on()
    screen.say(describe_start(prepared, done))
    with Interrupt().listening() as interrupt, screen.running(prepared.learner.total, done):
        session.run(interrupt)
    screen.say("waiting for the references on the validation days")
    session.finish_references()
    screen.say(session.summary())
    finish(recording, prepared, session.best, tracker, screen.say)
    prepared.folder.write_state(recorded=True)


def _session(p: Prepared, tracker: Tracker, screen: Screen, watch: Watch | None) -> Session:
    validator, references = Validator(p.plan), References(p.plan)
    return Session(p.folder, p.settings, p.learner, validator, references, tracker, screen, p.run_hash, watch)


@contextmanager
def _resumable(folder: RunFolder, screen: Screen) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        screen.say(f"stopped and saved; go on with: ebbflow train --resume {folder.path}")
        raise

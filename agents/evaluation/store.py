"""Finished tasks on disk, each in a file of its own and whole: what a killed evaluation goes on from."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from ..report import write_text
from .tasks import Outcome, Task, outcome_from_json, outcome_to_json

FOLDER = "tasks"


class TaskStore:
    """Outcomes of tasks under a folder; of an outcome with another key it says that there is none.

    Args:
        folder: of the evaluation; None keeps nothing.
        split: tasks of different splits lie apart.
    """

    def __init__(self, folder: Path | None, split: str) -> None:
        self._folder = None if folder is None else folder / FOLDER / split

    def load(self, task: Task, key: str) -> Outcome | None:
        """The outcome of the task, if it was finished under the same key."""
        path = self._path(task)
        if path is None or not path.is_file():
            return None
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return outcome_from_json(kept["outcome"]) if kept["key"] == key else None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None  # no file of ours: the task is done again

    def save(self, task: Task, key: str, outcome: Outcome) -> None:
        """Keep the outcome; a kill leaves the file whole or not there."""
        path = self._path(task)
        if path is not None:
            kept = {"key": key, "policy": task.policy, "days": task.numbers, "outcome": outcome_to_json(outcome)}
            write_text(json.dumps(kept, allow_nan=False) + "\n", path)

    def _path(self, task: Task) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / _folder_name(task.policy) / f"{task.numbers[0]:06d}-{task.numbers[-1]:06d}.json"


def _folder_name(policy: str) -> str:
    """The policy's name as far as a folder's name goes; of files the digest, whatever they lie in."""
    plain = re.sub(r"[^\w.-]+", "-", policy.partition("=")[0])
    return f"{plain}-{hashlib.sha256(policy.encode()).hexdigest()[:16]}" if "=" in policy else plain

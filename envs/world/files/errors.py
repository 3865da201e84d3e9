"""The one error of the loaders."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class DataFileError(ValueError):
    """A file cannot be used as it stands: `path:line: reason; fix`.

    `line` counts from 1 with the header as line 1; None where the fault is the whole file's.
    """

    def __init__(self, path: str | Path, line: int | None, reason: str, fix: str = "") -> None:
        self.path, self.line, self.reason, self.fix = str(path), line, reason, fix
        place = self.path if line is None else f"{self.path}:{line}"
        super().__init__(f"{place}: {reason}" + (f"; {fix}" if fix else ""))


def nearest(name: str, known: Iterable[str], cutoff: float = 0.0) -> str | None:
    """The known name most like `name`, or None when none reaches `cutoff` (0 to 1)."""
    lower = {k.lower(): k for k in known}
    found = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=cutoff)
    return lower[found[0]] if found else None

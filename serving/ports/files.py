"""A site in two files of one folder: `state.json`, which it writes, and `setpoints.json`, which it reads."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from ..messages.answer import PortDecisions
from .documents import setpoints_body, state_from, within_age
from .port import LONGEST_AGE_S, PortError, Receipt, SiteState, all_accepted

STATE, SETPOINTS = "state.json", "setpoints.json"


class FilesPort:
    """A folder that both sides know; each file is written beside its place and then moved there.

    Args:
        folder: where the site's gateway keeps `state.json`.
        longest_age_s: an older state is not decided by: whoever writes it has stopped.
    """

    def __init__(self, folder: str | Path, longest_age_s: float = LONGEST_AGE_S) -> None:
        self._folder, self._longest_age_s = Path(folder), longest_age_s

    def read(self, start: datetime, interval_s: int, now_s: float) -> SiteState:
        """See `port.SitePort`."""
        file = self._folder / STATE
        try:
            body = file.read_bytes()
        except OSError as error:
            raise PortError(f"{file}: {error.strerror}") from None
        return within_age(state_from(body, str(file)), now_s, self._longest_age_s, str(file))

    def apply(self, decisions: PortDecisions, now_s: float) -> Receipt:
        """See `port.SitePort`; that the file was written is all that is known."""
        file = self._folder / SETPOINTS
        beside = file.with_suffix(".tmp")
        try:
            with beside.open("wb") as out:
                out.write(setpoints_body(decisions, now_s))
                out.flush()
                os.fsync(out.fileno())
            os.replace(beside, file)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise PortError(f"{file}: {error.strerror}") from None
        return all_accepted(decisions)

    def close(self) -> None:
        """See `port.SitePort`; nothing is open."""

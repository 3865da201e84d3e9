"""Whether a disk has room: SQLite itself tells only when a cycle is committed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

LEAST_BYTES = 1 << 16
"""Of a small cycle with what SQLite writes around it."""


def take_room(ledger: Path, n_bytes: int) -> None:
    """Write so many bytes beside a ledger, wait until they are on the disk, and give the room back.

    Args:
        ledger: a file; its folder is written to.
        n_bytes: at least `LEAST_BYTES` are taken.

    Raises:
        OSError: there is no room, or no right to write.
    """
    rest, block = max(n_bytes, LEAST_BYTES), bytes(LEAST_BYTES)
    # Without a name, so that nothing is left behind by a process that is killed.
    with tempfile.TemporaryFile(dir=ledger.absolute().parent, buffering=0) as file:
        while rest > 0:
            rest -= file.write(block[:rest])
        os.fsync(file.fileno())

"""Past cycles in figures. A cycle of the ledger never changes, so each is read and unpacked once, not at every look."""

from __future__ import annotations

import threading
from typing import Any

from ..ledger.documents import unpacked
from ..ledger.store import Ledger
from .status import cycle_line

Document = dict[str, Any]

KEPT_LINES = 5_000
"""Of all fleets together, some megabytes; the page shows about a hundred of each."""


class Past:
    """The last cycles of any fleet, as the page shows them.

    Args:
        ledger: where they stand.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lines: dict[int, Document] = {}
        self._guard = threading.Lock()

    def lines(self, fleet: str, limit: int) -> list[Document]:
        """`status.cycle_line` of the last cycles of a fleet, the latest first."""
        return [self._line(row["seq"]) for row in self._ledger.cycles(fleet, limit=limit, columns=())]

    def _line(self, seq: int) -> Document:
        if (known := self._lines.get(seq)) is not None:
            return known
        row = self._ledger.cycle(seq=seq)
        assert row is not None, "the ledger's entries are never removed"
        line = cycle_line(unpacked(row["request"]), unpacked(row["answer"]))
        with self._guard:
            while len(self._lines) >= KEPT_LINES:
                del self._lines[next(iter(self._lines))]
            self._lines[seq] = line
        return line

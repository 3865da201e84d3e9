"""What a process knows of each fleet between its cycles."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from ..core.controls import Order, still_needed, with_loose
from ..core.memory import Memory, memory_from, new_memory
from ..ledger.documents import unpacked
from ..ledger.store import FleetHead, Ledger

NOTHING = FleetHead(0, None, (), 0)


@dataclass
class Fleet:
    """A fleet in this process; whoever holds `lock` may read and change the rest.

    Args:
        head: of the ledger, when `memory` was in step with it.
        memory: after the last cycle.
        ahead: the memory went on without the ledger, whose last cycle does not lead to it.
        loose: orders that the ledger did not take.
        last: the last cycle that was answered without the ledger: its start, the request's digest and the answer.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    head: FleetHead = NOTHING
    memory: Memory = field(default_factory=new_memory)
    ahead: bool = False
    loose: tuple[Order, ...] = ()
    last: tuple[float, str, bytes] | None = None

    def catch_up(self, ledger: Ledger, name: str, now_s: float) -> None:
        """Take from the ledger what it has and this process does not: another's cycles, or those before a restart.

        Raises:
            LedgerDown: it cannot be read; everything is as it was.
        """
        head = ledger.fleet_head(name, now_s)
        if head.seq != self.head.seq:
            row = ledger.cycle(seq=head.seq)
            assert row is not None, "the head was read from this very table"
            self._take(memory_from(unpacked(row["memory_after"])))
        self.head = head
        self.loose = still_needed(self.loose, now_s)
        self.memory = replace(self.memory, orders=with_loose(head.orders, self.loose))

    def _take(self, written: Memory) -> None:
        """The ledger's memory, unless this process went further without it."""
        mine, theirs = self.memory.last_start_s, written.last_start_s
        if self.ahead and mine is not None and theirs is not None and mine >= theirs:
            return
        self.memory, self.ahead = written, False

    @property
    def untold(self) -> Memory | None:
        """The memory, where the ledger could not tell it."""
        return self.memory if self.ahead or self.loose else None

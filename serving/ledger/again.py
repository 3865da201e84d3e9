"""A cycle of the ledger, decided again from what the ledger holds alone."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ...configs.messages import ConfigError
from ..core.cycle import make_kit
from ..core.memory import Memory, memory_from, new_memory
from ..core.replay import replay
from .documents import StoredCycle, answer_json, stored_cycle, unpacked, unsqueezed
from .reader import Row
from .store import Ledger


class Again(NamedTuple):
    """A replayed cycle; both answers as canonical JSON."""

    stored: bytes
    again: bytes
    cycle: StoredCycle

    @property
    def same(self) -> bool:
        """Whether every byte is."""
        return self.stored == self.again


def replay_cycle(ledger: Ledger, cycle_id: str) -> Again:
    """Decide a cycle again: the policy's answer is the recorded one, all else is recomputed.

    Raises:
        ConfigError: there is no such cycle.
    """
    row = ledger.cycle(cycle_id=cycle_id)
    if row is None:
        raise ConfigError(f"the ledger holds no cycle {cycle_id!r}; a cycle's name is FLEET.YYYYMMDDTHHMMSSZ")
    return replay_row(ledger, row)


def replay_row(ledger: Ledger, row: Row) -> Again:
    """As `replay_cycle`, of a row of `tables.cycles`."""
    cycle = stored_cycle(row)
    kit = make_kit(ledger.settings(cycle.settings_sha256))
    again = replay(cycle.request, memory_before(ledger, cycle), kit, cycle.answer, cycle.record)
    return Again(unsqueezed(row["answer"]), answer_json(again), cycle)


def memory_before(ledger: Ledger, cycle: StoredCycle) -> Memory:
    """What the service remembered when it decided a cycle."""
    if cycle.memory_before is not None:
        return cycle.memory_before
    before = ledger.cycle(seq=cycle.before_seq) if cycle.before_seq else None
    memory = new_memory() if before is None else memory_from(unpacked(before["memory_after"]))
    orders = ledger.orders_until(cycle.request.fleet, cycle.orders_seq, cycle.answer.decided_at_s)
    return replace(memory, orders=orders)

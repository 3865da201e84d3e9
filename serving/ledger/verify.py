"""Whether a ledger is what was written: its chain, its contents, and on demand each answer decided again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..messages.columns import RequestError
from ..messages.request import request_digest
from .again import replay_row
from .chain import Head, content_digest, entry_digest
from .documents import stored_cycle
from .reader import Row
from .store import Ledger
from .tables import CONTENT

MOST_PROBLEMS = 20


@dataclass
class Verdict:
    """What was found.

    Args:
        head: the last entry; keep it elsewhere: a ledger that lost its end is whole up to there.
        cycles: how many.
        replayed: how many were decided again.
        problems: in sentences, the first few.
        more: problems beyond those.
    """

    head: Head = field(default_factory=Head)
    cycles: int = 0
    replayed: int = 0
    problems: list[str] = field(default_factory=list)
    more: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def found(self, problem: str) -> None:
        """Note a problem."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)
        else:
            self.more += 1


def verify(
    ledger: Ledger,
    *,
    replay: bool = False,
    expected: Head | None = None,
    progress: Callable[[int], None] | None = None,
) -> Verdict:
    """Look at every entry.

    Args:
        ledger: which.
        replay: decide each cycle again, too.
        expected: an entry that was noted before and must still be there.
        progress: told the number of entries that were looked at.
    """
    verdict, rows = Verdict(), dict.fromkeys(CONTENT, 0)
    while batch := ledger.entries(verdict.head.seq):
        for entry in batch:
            content = ledger.content(entry)
            _check_entry(verdict, entry, content)
            rows[entry["kind"]] = rows.get(entry["kind"], 0) + 1
            if entry["kind"] == "cycle" and content is not None:
                _check_cycle(verdict, ledger, content, replay)
            verdict.head = Head(entry["seq"], entry["sha256"])
            if expected is not None and expected.seq == entry["seq"] and expected != verdict.head:
                verdict.found(f"entry {entry['seq']} is another one than was noted")
        if progress is not None:
            progress(verdict.head.seq)
    if expected is not None and expected.seq > verdict.head.seq:
        verdict.found(f"it ends at entry {verdict.head.seq}, but entry {expected.seq} was noted before")
    for kind, table in CONTENT.items():
        if (beside := ledger.count(table) - rows[kind]) > 0:
            verdict.found(f"{beside} row(s) of {table.name} stand beside the chain")
    return verdict


def _check_entry(verdict: Verdict, entry: Row, content: Row | None) -> None:
    seq, before = entry["seq"], verdict.head
    if seq != before.seq + 1:
        verdict.found(f"entries {before.seq + 1} to {seq - 1} are missing")
    elif entry["previous_sha256"] != before.sha256:
        verdict.found(f"entry {seq} does not stand on entry {before.seq}")
    if entry["sha256"] != entry_digest(entry):
        verdict.found(f"entry {seq} was changed")
    if content is None:
        verdict.found(f"the {entry['kind']} of entry {seq} is missing")
    elif content_digest(content) != entry["content_sha256"]:
        verdict.found(f"the {entry['kind']} of entry {seq} was changed")


def _check_cycle(verdict: Verdict, ledger: Ledger, row: Row, replay: bool) -> None:
    verdict.cycles += 1
    name = f"cycle {row['cycle_id']}"
    try:
        cycle = stored_cycle(row)
        if request_digest(cycle.request) != row["input_sha256"] or cycle.answer.input_sha256 != row["input_sha256"]:
            verdict.found(f"{name}: its request is not the one that was answered")
        if replay:
            verdict.replayed += 1
            if not replay_row(ledger, row).same:
                verdict.found(f"{name}: decided again, the answer differs; see `ebbflow replay {row['cycle_id']}`")
    except (RequestError, ValueError, KeyError) as error:
        verdict.found(f"{name}: cannot be read ({type(error).__name__}: {error})")

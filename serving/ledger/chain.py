"""Each entry's digest covers its content and the entry before, so that no row can be changed or left out unseen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..messages.canonical import canonical_json

FIRST = "0" * 64
"""What the first entry stands on."""


class Head(NamedTuple):
    """The last entry of a chain; of an empty one 0 and `FIRST`."""

    seq: int = 0
    sha256: str = FIRST


def content_digest(row: Mapping[str, Any]) -> str:
    """SHA-256 of a row without its `seq`; of binary columns their own digests count."""
    plain = {
        name: hashlib.sha256(value).hexdigest() if isinstance(value, bytes | memoryview) else value
        for name, value in row.items()
        if name != "seq"
    }
    return hashlib.sha256(canonical_json(plain)).hexdigest()


def entry_after(head: Head, kind: str, at_s: float, row: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of `row` after `head`, as a row of `tables.entries`."""
    entry = {
        "seq": head.seq + 1,
        "kind": kind,
        "at_s": at_s,
        "content_sha256": content_digest(row),
        "previous_sha256": head.sha256,
    }
    return entry | {"sha256": entry_digest(entry)}


def entry_digest(entry: Mapping[str, Any]) -> str:
    """SHA-256 of all other columns of an entry."""
    covered = {name: value for name, value in entry.items() if name != "sha256"}
    return hashlib.sha256(canonical_json(covered)).hexdigest()

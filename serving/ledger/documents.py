"""What a cycle leaves in the ledger, and how it is read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import zstandard

from ..core.cycle import Outcome, Record
from ..core.memory import Memory, memory_document, memory_from
from ..core.settings import ServingSettings
from ..messages.answer import DispatchAnswer, answer_document, answer_from
from ..messages.canonical import canonical_json, digest, read_json
from ..messages.parse import parse_request
from ..messages.request import DispatchRequest, request_document

Array = Any

COLUMNS = {
    "policy_kw": np.float64, "unusual": np.bool_, "requested_kw": np.float64, "reasons": np.int64, "rung": np.int8,
}  # fmt: skip
"""The columns of a `Record`; the first two may be missing."""


@dataclass(frozen=True)
class StoredCycle:
    """A cycle as the ledger kept it."""

    seq: int
    request: DispatchRequest
    answer: DispatchAnswer
    record: Record
    before_seq: int
    orders_seq: int
    memory_before: Memory | None
    settings_sha256: str
    version: str


def packed(document: Any) -> bytes:
    """A document as compressed canonical JSON."""
    return squeezed(canonical_json(document))


def squeezed(text: bytes) -> bytes:
    """Compressed; level 1 takes a tenth of the time of zlib's and packs as well."""
    return zstandard.ZstdCompressor(level=1).compress(text)


def unsqueezed(content: bytes) -> bytes:
    """What `squeezed` took."""
    return zstandard.ZstdDecompressor().decompress(content)


def unpacked(content: bytes) -> Any:
    """The document that `packed` took."""
    return read_json(unsqueezed(content))


def settings_document(settings: ServingSettings) -> dict[str, Any]:
    """The settings as plain values."""
    return settings.model_dump(mode="json")


@cache
def settings_digest(settings: ServingSettings) -> str:
    """SHA-256 of all settings."""
    return digest(settings_document(settings))


def cycle_row(request: DispatchRequest, outcome: Outcome, answer_json: bytes, before: Memory | None) -> dict[str, Any]:
    """A row of `tables.cycles`, but for `seq`, `settings_sha256` and what it began with.

    Args:
        request: as it was sent.
        outcome: of `core.cycle.dispatch`.
        answer_json: canonical.
        before: the memory that it began with, where no earlier cycle of the ledger ended with it.
    """
    answer = outcome.answer
    return {
        "fleet": request.fleet,
        "cycle_id": answer.cycle_id,
        "start_s": answer.cycle_start_s,
        "decided_at_s": answer.decided_at_s,
        "state": answer.state.word,
        "ports": request.n_ports,
        "input_sha256": answer.input_sha256,
        "model_sha256": answer.model.sha256,
        "version": _release(),
        "request": packed(request_document(request)),
        "answer": squeezed(answer_json),
        "record": packed(record_document(outcome.record)),
        "memory_after": packed(memory_document(outcome.memory)),
        "memory_before": None if before is None else packed(memory_document(before)),
    }


@cache
def _release() -> str:
    return version("ebbflow")


def stored_cycle(row: Mapping[str, Any]) -> StoredCycle:
    """A row of `tables.cycles` read back."""
    before = row["memory_before"]
    return StoredCycle(
        seq=row["seq"],
        request=parse_request(unpacked(row["request"])),
        answer=stored_answer(row["answer"]),
        record=record_from(unpacked(row["record"])),
        before_seq=row["before_seq"],
        orders_seq=row["orders_seq"],
        memory_before=None if before is None else memory_from(unpacked(before)),
        settings_sha256=row["settings_sha256"],
        version=row["version"],
    )


def stored_answer(content: bytes) -> DispatchAnswer:
    """An answer read back."""
    return answer_from(unpacked(content))


def answer_json(answer: DispatchAnswer) -> bytes:
    """The one form in which an answer is sent as JSON and kept."""
    return canonical_json(answer_document(answer))


def record_document(record: Record) -> dict[str, Any]:
    """A record as a document for `canonical_json`."""
    return {
        field.name: value if not isinstance(value, np.ndarray) else np.ascontiguousarray(value)
        for field in fields(record)
        for value in [getattr(record, field.name)]
    }


def record_from(document: Mapping[str, Any]) -> Record:
    """A record that `record_document` wrote."""
    columns: dict[str, Array] = {
        name: None if document[name] is None else np.array(document[name], kind) for name, kind in COLUMNS.items()
    }
    return Record(**{**document, **columns})

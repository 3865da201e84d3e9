"""The answer of one cycle: a leased, attributed set-point for every port, and the cycle's totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from .canonical import digest
from .columns import RequestError
from .vocabulary import DecisionReason, DecisionSource, Mode, OnExpiry, ServiceState, Word

Array = Any

ANSWER_SCHEMA = "ebbflow.answer/1"


class ModelId(NamedTuple):
    """Which policy a cycle had; all empty where it had none."""

    name: str = ""
    version: str = ""
    sha256: str = ""


class PortDecisions(NamedTuple):
    """Columns (N,), in the order of the request's ports."""

    id: Array
    mode: Array  # a `Mode`
    setpoint_kw: Array  # NaN with `Mode.RELEASE`: nothing is sent
    valid_until_s: Array  # Unix seconds
    on_expiry: Array  # an `OnExpiry`
    source: Array  # a `DecisionSource`
    reason: Array  # a `DecisionReason`
    command_due: Array  # whether anything new has to be sent


class Totals(NamedTuple):
    """Sums over the set-points of a cycle."""

    import_kw: float
    export_kw: float
    clipped_kw: float  # between what was asked and what was safe
    by_source: dict[str, int]  # plugged-in cars
    by_reason: dict[str, int]
    commands_due: int


@dataclass(frozen=True)
class DispatchAnswer:
    """What a cycle decided."""

    fleet: str
    cycle_id: str
    cycle_start_s: float
    decided_at_s: float
    state: ServiceState
    model: ModelId
    input_sha256: str
    decisions: PortDecisions
    totals: Totals
    problems: tuple[str, ...]  # what went wrong, in sentences that name series, window and age


_WORDS: dict[str, type[Word]] = {
    "mode": Mode, "on_expiry": OnExpiry, "source": DecisionSource, "reason": DecisionReason,
}  # fmt: skip


def decisions_document(decisions: PortDecisions) -> dict[str, Any]:
    """The columns of set-points as a table for `canonical_json`."""
    columns: dict[str, Any] = decisions._asdict()
    for name, vocabulary in _WORDS.items():
        words = np.array(vocabulary.words(), object)
        columns[name] = words[columns[name]].tolist()
    columns["id"] = columns["id"].tolist()
    columns["valid_until"] = _times(columns.pop("valid_until_s"))
    columns["command_due"] = np.asarray(columns["command_due"], bool).tolist()
    columns["setpoint_kw"] = np.ascontiguousarray(columns["setpoint_kw"], np.float64)
    return columns


def answer_document(answer: DispatchAnswer) -> dict[str, Any]:
    """The answer as a document for `canonical_json`."""
    return {
        "schema": ANSWER_SCHEMA, "fleet": answer.fleet, "cycle_id": answer.cycle_id,
        "cycle_start": rfc3339(answer.cycle_start_s), "decided_at": rfc3339(answer.decided_at_s),
        "state": answer.state.word, "model": answer.model._asdict() if answer.model.name else None,
        "input_sha256": answer.input_sha256, "decisions": decisions_document(answer.decisions),
        "totals": answer.totals._asdict(), "problems": list(answer.problems),
    }  # fmt: skip


def answer_digest(answer: DispatchAnswer) -> str:
    """SHA-256 of what the answer says, whatever media type carries it."""
    return digest({**vars(answer), "model": answer.model._asdict(), "state": answer.state.word, **_tables(answer)})


def _tables(answer: DispatchAnswer) -> dict[str, Any]:
    return {"decisions": answer.decisions._asdict(), "totals": answer.totals._asdict()}


def answer_from(document: Mapping[str, Any]) -> DispatchAnswer:
    """Read an answer that `answer_document` wrote.

    Raises:
        RequestError: it is none.
    """
    try:
        if document["schema"] != ANSWER_SCHEMA:
            raise RequestError("schema", f"is not one this version reads; it reads {ANSWER_SCHEMA}")
        return DispatchAnswer(
            fleet=str(document["fleet"]),
            cycle_id=str(document["cycle_id"]),
            cycle_start_s=_seconds(document["cycle_start"]),
            decided_at_s=_seconds(document["decided_at"]),
            state=ServiceState[document["state"].upper()],
            model=ModelId(**(document["model"] or {})),
            input_sha256=str(document["input_sha256"]),
            decisions=_decisions(document["decisions"]),
            totals=Totals(**document["totals"]),
            problems=tuple(document["problems"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError("the answer", f"cannot be read ({type(error).__name__})") from None


def _decisions(table: Mapping[str, Any]) -> PortDecisions:
    numbers = {
        name: np.array([vocabulary[word.upper()] for word in table[name]], np.int8)
        for name, vocabulary in _WORDS.items()
    }
    return PortDecisions(
        id=np.array(table["id"], np.str_),
        setpoint_kw=np.array(table["setpoint_kw"], np.float64),
        valid_until_s=_all_seconds(table["valid_until"]),
        command_due=np.array(table["command_due"], bool),
        **numbers,
    )


def rfc3339(seconds: float) -> str:
    """Unix seconds as text, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _times(seconds: Array) -> list[str]:
    """As `rfc3339`; leases of one cycle have few different ends."""
    ends, which = np.unique(seconds, return_inverse=True)
    texts = np.array([rfc3339(float(end)) for end in ends], object)
    written: list[str] = texts[which].tolist()
    return written


def _all_seconds(texts: list[str]) -> Array:
    known = {text: _seconds(text) for text in set(texts)}
    return np.array([known[text] for text in texts], np.float64)

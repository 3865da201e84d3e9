"""What the ledger tells of one port."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .documents import unpacked
from .store import Ledger

OF_PORT = ("mode", "setpoint_kw", "valid_until", "on_expiry", "source", "reason", "command_due")


class TooMuch(ValueError):
    """More than one call may read from the ledger."""


def refuse_too_much(
    ledger: Ledger, most_ports: int, fleet: str, from_s: float | None, until_s: float | None, limit: int
) -> None:
    """Keep what one call reads within bounds.

    Args:
        ledger: see `Ledger.cycles`; so are fleet, from_s, until_s and limit.
        most_ports: that may be read, each as often as there are cycles.

    Raises:
        TooMuch: it is more.
    """
    ports = ledger.ports_of_cycles(fleet, from_s, until_s, limit)
    if ports > most_ports:
        raise TooMuch(
            f"this would read {ports} ports, each as often as there are cycles, and one call reads up to {most_ports}; "
            "ask for fewer cycles: by from and until, or by limit"
        )


def decisions_of(
    ledger: Ledger, fleet: str, port: str, from_s: float | None = None, until_s: float | None = None, *, limit: int = 96
) -> Iterator[dict[str, Any]]:
    """What a port was told, the latest cycle first.

    Args:
        ledger: where it stands.
        fleet: of the port.
        port: its id.
        from_s, until_s: between these starts of cycles, Unix seconds.
        limit: how many cycles are looked at.
    """
    for row in ledger.cycles(fleet, from_s=from_s, until_s=until_s, limit=limit):
        answer = unpacked(row["answer"])
        columns = answer["decisions"]
        try:
            at = columns["id"].index(port)
        except ValueError:
            continue
        head = {name: answer[name] for name in ("cycle_id", "cycle_start", "decided_at", "state")}
        yield head | {name: columns[name][at] for name in OF_PORT}

"""`ebbflow replay` and `ebbflow ledger verify`."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from typing import Any

import typer
from rich.console import Console

from ...configs.messages import ConfigError
from ..messages.canonical import read_json
from .again import Again, replay_cycle
from .chain import Head
from .connect import STATEMENT_S, ledger_url
from .reader import LedgerDown
from .store import Ledger
from .verify import Verdict, verify

DIFFERENT = 1
"""Exit code where something is not as it should be."""


def open_existing(url: str) -> Ledger:
    """A ledger that is there already.

    Raises:
        ConfigError: it is not, or cannot be opened.
    """
    from pathlib import Path

    found = ledger_url(url)
    if found.get_backend_name() == "sqlite" and not Path(str(found.database)).is_file():
        raise ConfigError(f"{found.database}: no such ledger; give the one of `ebbflow serve --ledger`")
    try:
        return Ledger(url, STATEMENT_S)  # nobody waits for a cycle, and a check of many takes its time
    except LedgerDown as down:
        raise ConfigError(f"the ledger cannot be opened: {down}") from None


def replay_and_show(cycle_id: str, url: str, as_json: bool) -> None:
    """Decide a cycle again and say whether it came out the same; exit code 1 where not."""
    ledger = open_existing(url)
    try:
        again = replay_cycle(ledger, cycle_id)
    finally:
        ledger.close()
    if as_json:
        typer.echo(again.again.decode())
    else:
        _show(again, cycle_id)
    if not again.same:
        raise typer.Exit(DIFFERENT)


def _show(again: Again, cycle_id: str) -> None:
    console, cycle = Console(soft_wrap=True, highlight=False), again.cycle
    answer = cycle.answer
    console.print(
        f"{cycle_id}: {cycle.request.n_ports} ports, state {answer.state.word}, "
        f"policy {answer.model.name or 'none'}, import {answer.totals.import_kw:.1f} kW, "
        f"export {answer.totals.export_kw:.1f} kW"
    )
    if again.same:
        console.print(f"the same answer, byte for byte ({len(again.stored)} bytes)", style="green")
        return
    console.print("decided again, the answer differs:", style="red")
    if cycle.version != version("ebbflow"):
        console.print(f"  it was decided by ebbflow {cycle.version}, this is {version('ebbflow')}")
    for line in differences(read_json(again.stored), read_json(again.again)):
        console.print(f"  {line}", markup=False)


def differences(stored: Any, again: Any, where: str = "", most: int = 20) -> list[str]:
    """Where two documents differ, the first few places."""
    if isinstance(stored, dict) and isinstance(again, dict):
        keys = sorted(stored.keys() | again.keys())
        pairs = [(f"{where}.{key}".lstrip("."), stored.get(key), again.get(key)) for key in keys]
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        pairs = [(f"{where}[{at}]", *both) for at, both in enumerate(zip(stored, again, strict=True))]
    else:
        return [] if stored == again else [f"{where}: was {json.dumps(stored)}, is {json.dumps(again)}"]
    found: list[str] = []
    for name, was, now in pairs:
        if len(found) < most and was != now:
            found += differences(was, now, name, most)
    return found[:most]


def verify_and_show(url: str, replay: bool, expected: str | None, as_json: bool) -> None:
    """Check a ledger and say what was found; exit code 1 where it is not whole."""
    noted = _noted(expected)
    ledger = open_existing(url)
    console = Console(stderr=True)
    try:
        with console.status("checking ...") as status:
            found = verify(
                ledger,
                replay=replay,
                expected=noted,
                progress=lambda seq: status.update(f"checking ... entry {seq}"),
            )
    except LedgerDown as down:
        raise ConfigError(f"the ledger cannot be read: {down}") from None
    finally:
        ledger.close()
    if as_json:
        told = {"whole": found.whole, "entries": found.head.seq, "cycles": found.cycles, "replayed": found.replayed}
        typer.echo(json.dumps(told | {"head": found.head.sha256, "problems": found.problems}))
    else:
        _show_verdict(found)
    if not found.whole:
        raise typer.Exit(DIFFERENT)


def _show_verdict(found: Verdict) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for problem in found.problems:
        console.print(problem, style="red", markup=False)
    if found.more:
        console.print(f"... and {found.more} more", style="red")
    replayed = f", {found.replayed} decided again" if found.replayed else ""
    console.print(
        f"{'whole' if found.whole else 'NOT whole'}: {found.head.seq} entries, {found.cycles} cycles{replayed}",
        style="green" if found.whole else "red",
    )
    console.print(f"its head, to be noted elsewhere: {found.head.seq}:{found.head.sha256}")


def _noted(text: str | None) -> Head | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+):([0-9a-f]{64})", text)
    if match is None:
        raise ConfigError("a head is SEQ:SHA256, as an earlier `ebbflow ledger verify` printed it")
    return Head(int(match[1]), match[2])

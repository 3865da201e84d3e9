"""The commands of the live service; whatever is heavy is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LedgerOption = Annotated[
    str, typer.Option("--ledger", envvar="EBBFLOW_LEDGER", help="sqlite:///FILE, a plain path, or postgresql://...")
]
SettingsOption = Annotated[str, typer.Option(help="Serving preset or settings file (.toml).")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Override a setting: dotted.key=value. Repeatable.")]
TokensOption = Annotated[Path, typer.Option("--tokens", envvar="EBBFLOW_TOKENS", help="File of the bearer tokens.")]

DEFAULT_LEDGER = "ebbflow-ledger.db"
DEFAULT_TOKENS = Path("ebbflow-tokens.json")


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8080,
    host: Annotated[str, typer.Option(help="Address; a public one needs tokens.")] = "127.0.0.1",
    ledger: LedgerOption = DEFAULT_LEDGER,
    bundle: Annotated[
        str | None,
        typer.Option(help="Folder of a policy, or FOLDER#DIGEST to take no other. Without one the rules decide."),
    ] = None,
    settings: SettingsOption = "default",
    set_: SetOption = None,
    tokens: TokensOption = DEFAULT_TOKENS,
) -> None:
    """Answer cycles over HTTP: rules or a policy, projected, leased, explained, and kept in the ledger."""
    from .http.start import start

    start(host, port, ledger, bundle, settings, tuple(set_ or ()), tokens)

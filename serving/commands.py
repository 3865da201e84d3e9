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
        typer.Option(
            help="Deployment, or folder of a policy, or FOLDER#DIGEST to take no other. Without one the rules decide."
        ),
    ] = None,
    settings: SettingsOption = "default",
    set_: SetOption = None,
    tokens: Annotated[
        Path | None,
        typer.Option(envvar="EBBFLOW_TOKENS", help=f"File of the bearer tokens; {DEFAULT_TOKENS} where it is there."),
    ] = None,
) -> None:
    """Answer cycles over HTTP: rules or a policy, projected, leased, explained, and kept in the ledger."""
    from .http.start import start

    start(host, port, ledger, bundle, settings, tuple(set_ or ()), tokens)


def replay(
    cycle: Annotated[str, typer.Argument(help="FLEET.YYYYMMDDTHHMMSSZ", show_default=False)],
    ledger: LedgerOption = DEFAULT_LEDGER,
    json_: Annotated[bool, typer.Option("--json", help="Print the answer as it comes out now.")] = False,
) -> None:
    """Decide a cycle of the ledger again: exit code 0 where every byte is the same, 1 where not."""
    from .ledger.command import replay_and_show

    replay_and_show(cycle, ledger, json_)


def verify_ledger(
    ledger: LedgerOption = DEFAULT_LEDGER,
    replay: Annotated[bool, typer.Option("--replay", help="Decide each cycle again, too.")] = False,
    head: Annotated[
        str | None, typer.Option(help="SEQ:SHA256 that an earlier check printed and that must still be there.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check that no entry was changed, removed or added: exit code 0 where the ledger is whole, 1 where not."""
    from .ledger.command import verify_and_show

    verify_and_show(ledger, replay, head, json_)


def create_token(
    name: Annotated[str, typer.Argument(help="Who will use it.", show_default=False)],
    scope: Annotated[list[str], typer.Option("--scope", "-s", help="read, dispatch or control. Repeatable.")],
    days: Annotated[int | None, typer.Option(min=1, help="It expires after so many days.")] = None,
    tokens: TokensOption = DEFAULT_TOKENS,
) -> None:
    """Make a bearer token; it is shown once."""
    from .http.token_command import create_and_show

    create_and_show(name, scope, days, tokens)


def list_tokens(tokens: TokensOption = DEFAULT_TOKENS) -> None:
    """List the tokens."""
    from .http.token_command import list_tokens

    list_tokens(tokens)


def revoke_token(
    token: Annotated[str, typer.Argument(help="Id of the token.", show_default=False)],
    tokens: TokensOption = DEFAULT_TOKENS,
) -> None:
    """Revoke a token."""
    from .http.token_command import revoke_token

    revoke_token(token, tokens)


def bench_serve(
    cycles: Annotated[int, typer.Option(min=10, help="Cycles of each case; 48 are a night.")] = 192,
    million: Annotated[bool, typer.Option(help="A million cars in one cycle, too.")] = True,
    bundle: Annotated[str | None, typer.Option(help="Folder of a policy; without one the rules decide.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Measure how fast the service answers over HTTP, ledger on: 100, 10,000 and 1,000,000 cars."""
    from .bench.command import bench_serve

    bench_serve(cycles, million, bundle, json_)

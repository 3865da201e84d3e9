"""`ebbflow deploy` and `ebbflow rollback`; whatever is heavy is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from .record import Deployment

DEFAULT_FOLDER = Path("deployment")

FolderOption = Annotated[
    Path, typer.Option("--to", envvar="EBBFLOW_DEPLOYMENT", help="Folder of the deployment; `ebbflow serve --bundle`.")
]


def deploy(
    source: Annotated[
        str | None,
        typer.Option("--from", help="models:/NAME@champion, models:/NAME/VERSION, or a bundle's folder (#DIGEST)."),
    ] = None,
    folder: FolderOption = DEFAULT_FOLDER,
    challenger: Annotated[bool, typer.Option("--challenger", help="Ask it in shadow, beside the champion.")] = False,
    canary: Annotated[
        float, typer.Option(min=0.0, max=100.0, help="With --challenger: per cent of the cars that it decides for.")
    ] = 0.0,
    tracking: Annotated[
        str | None, typer.Option(help="MLflow store; MLFLOW_TRACKING_URI, or sqlite in this folder, by default.")
    ] = None,
) -> None:
    """Fetch a policy, verify it, prove it on this machine, and let it decide; without --from, show what is deployed.

    A service that serves the deployment takes it up by itself, between two cycles.
    """
    from .place import deploy as put
    from .record import read_deployment

    if source is None:
        _show(folder, read_deployment(folder))
        return
    if canary and not challenger:
        raise typer.BadParameter("is for a --challenger; the champion decides for all others", param_hint="--canary")
    made = put(
        source, folder, challenger=challenger, canary_share=canary / 100.0, tracking=tracking,
        say=lambda text: typer.echo(text, err=True),
    )  # fmt: skip
    _show(folder, made)


def rollback(
    folder: FolderOption = DEFAULT_FOLDER,
    challenger: Annotated[bool, typer.Option("--challenger", help="Take the challenger away.")] = False,
) -> None:
    """Let the champion before this one decide again; a service takes it up by itself, between two cycles."""
    from .place import roll_back

    _show(folder, roll_back(folder, challenger=challenger))


def _show(folder: Path, deployment: Deployment) -> None:
    typer.echo(f"{folder}: {deployment.champion or 'no champion: the rules'} decides")
    if deployment.challenger is not None:
        share = deployment.canary_share
        how = f"decides for {100 * share:g} % of the cars" if share else "is asked in shadow"
        typer.echo(f"  {deployment.challenger} {how}")
    for slot in deployment.previous:
        typer.echo(f"  before: {slot}, deployed {slot.deployed_at:%Y-%m-%d %H:%M} UTC")

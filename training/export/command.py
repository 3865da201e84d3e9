"""The command `ebbflow export`; whatever is heavy is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PlaceArgument = Annotated[
    Path,
    typer.Argument(
        help="A run's folder, whose best network is taken, or a file like its network.pt; not a checkpoint.pt.",
        metavar="RUN_OR_NETWORK",
    ),
]
OutOption = Annotated[Path, typer.Option(help="Folder of the bundle; new, or empty.", show_default=False)]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Put it in the place of a bundle that is there.")]
ToleranceOption = Annotated[
    float, typer.Option(min=1e-9, max=0.1, help="Greatest difference of an action between graph and network.")
]


def export(
    place: PlaceArgument, out: OutOption, replace: ReplaceOption = False, tolerance: ToleranceOption = 1e-4
) -> None:
    """Write a trained policy as a bundle: ONNX graph, manifest, digests.

    The graph is written only once it has answered like the network on recorded and adversarial observations.
    """
    from rich.console import Console

    from ...agents.bundle.format import check_free
    from ...agents.simulation import say
    from ..weights import load_network
    from .bundle import export_network
    from .origin import origin_of

    check_free(out, replace)
    saved = load_network(place)
    errors = Console(stderr=True)
    with errors.status("tracing the network and comparing graph and network"):
        origin = origin_of(place, saved.facts)
        made = export_network(saved.network, out, origin, tolerance=tolerance, replace=replace)
    console, parity = Console(), made.manifest.parity
    kind = max(parity.worst, key=lambda name: parity.worst[name])
    say(console, f"wrote {out}: {len(made.model) / 1000:.0f} kB, digest {made.digest}")
    say(
        console,
        f"graph and network agree to {parity.worst[kind]:.1g} ({kind}) on {sum(parity.observations.values())} fleets; "
        f"{parity.tolerance:g} is let pass",
    )
    if not origin.trained_on:
        say(errors, f"{place} lies in no run's folder: the bundle knows neither its run nor its training ranges")

"""The command `ebbflow promote`; whatever is heavy is imported when it runs."""

from __future__ import annotations

from typing import Annotated

import typer


def promote(
    name: Annotated[str, typer.Argument(help="Registered model, e.g. ebbflow-home-texas, or its scenario.")],
    days: Annotated[int, typer.Option(min=2, help="Common days on which challenger and champion are played.")] = 100,
    tracking: Annotated[str | None, typer.Option(help="MLflow store; see `ebbflow train`.", show_default=False)] = None,
) -> None:
    """Make the registered challenger champion, if common days show it no worse and no less safe."""
    from rich.console import Console

    from ...agents.simulation import say
    from .promote import promote as compare_and_crown
    from .registry import CHAMPION, PREFIX, model_name
    from .store import tracking_uri

    console, uri = Console(), tracking_uri(tracking)
    if uri is None:
        raise ValueError("the registry is in a tracking store; name one by --tracking or MLFLOW_TRACKING_URI")
    model = name if name.startswith(PREFIX) else model_name(name)
    made = compare_and_crown(uri, model, days, lambda text: say(Console(stderr=True), text))
    if made is None:
        return
    new, old, more = made.challenger, made.champion, made.more_usd
    say(console, f"{new.name} costs {new.total_usd:.2f} $, {old.name} {old.total_usd:.2f} $ on the same {days} days")
    if more.low is not None and more.high is not None:
        say(
            console,
            f"the difference is {more.low:+.2f} to {more.high:+.2f} $ (95 %); up to {made.margin_usd:+.2f} passes",
        )
    say(console, f"{model}: the challenger is now {CHAMPION}")

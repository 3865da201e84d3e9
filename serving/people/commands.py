"""`ebbflow ask`: what people ask, of a ledger; whatever is heavy is imported when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from ..commands import DEFAULT_LEDGER, LedgerOption

FleetOption = Annotated[str | None, typer.Option(help="Fleet; may be left out where the ledger has one.")]
BundleOption = Annotated[
    str | None, typer.Option(help="Policy that the plan is made with, as for `ebbflow serve`; else the rules.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="The whole answer as JSON on stdout, and nothing else there.")]
PortArgument = Annotated[str, typer.Argument(help="Id of a port or a car.", show_default=False)]


def drivers(
    port: Annotated[list[str] | None, typer.Argument(help="Ids of ports or cars; all by default.")] = None,
    ledger: LedgerOption = DEFAULT_LEDGER,
    fleet: FleetOption = None,
    bundle: BundleOption = None,
    json: JsonOption = False,
) -> None:
    """One sentence a car: what it does and why, what is expected at departure, what is not feasible."""
    from .show import answered, show_drivers

    answered(ledger, fleet, bundle, json, lambda desk, name: desk.drivers(name, port or None), show_drivers)


def plan(
    ledger: LedgerOption = DEFAULT_LEDGER,
    fleet: FleetOption = None,
    bundle: BundleOption = None,
    json: JsonOption = False,
) -> None:
    """The planned load for the next 24 h, and its flexibility up and down: kW, and for how long."""
    from .show import answered, show_plan

    answered(ledger, fleet, bundle, json, lambda desk, name: desk.load(name), show_plan)


def limits(
    ledger: LedgerOption = DEFAULT_LEDGER,
    fleet: FleetOption = None,
    bundle: BundleOption = None,
    json: JsonOption = False,
) -> None:
    """Limits and planned load of every meter and feeder as time series."""
    from .show import answered, show_limits

    answered(ledger, fleet, bundle, json, lambda desk, name: desk.limits(name), show_limits)


def events(
    ledger: LedgerOption = DEFAULT_LEDGER,
    fleet: FleetOption = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="Time with its offset, e.g. 2026-07-15T00:00-07:00")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Time with its offset.")] = None,
    json: JsonOption = False,
) -> None:
    """What was delivered in each programme event, by site and 15 minutes: baseline, metered, delivered."""
    from .show import answered, seconds_of, show_events

    bounds = (seconds_of("--from", from_), seconds_of("--until", until))
    answered(ledger, fleet, None, json, lambda desk, name: desk.events(name, *bounds), show_events)


def story(
    port: PortArgument,
    ledger: LedgerOption = DEFAULT_LEDGER,
    fleet: FleetOption = None,
    cycles: Annotated[int, typer.Option(min=1, help="How many of the last cycles.")] = 24,
    json: JsonOption = False,
) -> None:
    """A car's story: cycle by cycle what was known of it, who asked for what, and why it got that."""
    from .show import answered, show_story

    answered(ledger, fleet, None, json, lambda desk, name: desk.story(name, port, cycles), show_story)

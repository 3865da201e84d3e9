"""The command `ebbflow dispatch`; whatever is heavy is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

WHO, PRICES, DAYS = "Who decides", "Prices, beside those that the site tells", "Simulated days"

PortOption = Annotated[
    str,
    typer.Option(
        "--port",
        help="simulated:SCENARIO, files:FOLDER (state.json in, setpoints.json out), http://GATEWAY (/state and "
        "/setpoints), or ocpp:SITE.toml.",
        show_default=False,
    ),
]
FleetOption = Annotated[str | None, typer.Option(help="Name of the fleet.", show_default="fleet, or the scenario's")]
IntervalOption = Annotated[int, typer.Option("--interval", help="Minutes between cycles: 5, 15 or 60.")]
ZoneOption = Annotated[str | None, typer.Option(help="Time zone of the site.", show_default="that of --tariff")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Decide and tell; send nothing, write no ledger.")]
CyclesOption = Annotated[int | None, typer.Option(min=1, help="Stop after so many cycles.", show_default="never")]
WatchOption = Annotated[
    float,
    typer.Option(
        "--watch", min=0.0, help="Seconds between looks for a cut limit or a new car; either begins a cycle. 0: none."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="A JSON document a line, on stdout.")]
UrlOption = Annotated[
    str | None,
    typer.Option(help="A running `ebbflow serve`; without one this process decides.", rich_help_panel=WHO),
]
TokenOption = Annotated[
    Path | None, typer.Option(help="File with the bearer token of the service.", rich_help_panel=WHO)
]
SiteTokenOption = Annotated[Path | None, typer.Option(help="File with the bearer token of an http port.")]
LedgerOption = Annotated[
    str | None,
    typer.Option(
        help="Ledger of this process: a path, sqlite:///FILE or postgresql://... A real site without one, and without "
        "--url, gets rules alone and no exports.", rich_help_panel=WHO, show_default="none",
    ),
]  # fmt: skip
BundleOption = Annotated[
    str | None,
    typer.Option(help="Folder of a policy, or FOLDER#DIGEST.", rich_help_panel=WHO, show_default="the rules decide"),
]
PolicyOption = Annotated[
    str | None, typer.Option(help="A policy by name, in place of a bundle.", rich_help_panel=WHO, show_default=False)
]
SettingsOption = Annotated[
    str | None,
    typer.Option(help="Serving preset or file (.toml).", rich_help_panel=WHO, show_default="default, or simulated"),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a serving setting: dotted.key=value. Repeatable.", rich_help_panel=WHO),
]
PricesOption = Annotated[
    list[str] | None,
    typer.Option(help="File or URL. Repeatable: the first one that knows the present.", rich_help_panel=PRICES),
]
PricesTokenOption = Annotated[
    Path | None, typer.Option(help="File with the bearer token of the one URL, https.", rich_help_panel=PRICES)
]
TariffOption = Annotated[
    str | None,
    typer.Option(help="Tariff preset or file; one that follows a market takes --prices.", rich_help_panel=PRICES),
]
LocationOption = Annotated[
    str | None, typer.Option(help="Settlement point, where a file has several.", rich_help_panel=PRICES)
]
MarketOption = Annotated[str | None, typer.Option(help="Market, where a file has several.", rich_help_panel=PRICES)]
DaysOption = Annotated[int, typer.Option(min=1, help="How many days.", rich_help_panel=DAYS)]
DayOption = Annotated[int, typer.Option(min=0, help="Number of the first day.", rich_help_panel=DAYS)]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the days.", rich_help_panel=DAYS)]
SplitOption = Annotated[str, typer.Option(help="train, validation or test.", rich_help_panel=DAYS)]


def dispatch(
    port: PortOption,
    fleet: FleetOption = None,
    interval: IntervalOption = 15,
    zone: ZoneOption = None,
    site_token: SiteTokenOption = None,
    dry_run: DryRunOption = False,
    cycles: CyclesOption = None,
    watch: WatchOption = 30.0,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = None,
    ledger: LedgerOption = None,
    bundle: BundleOption = None,
    policy: PolicyOption = None,
    settings: SettingsOption = None,
    set_: SetOption = None,
    prices: PricesOption = None,
    prices_token: PricesTokenOption = None,
    tariff: TariffOption = None,
    location: LocationOption = None,
    market: MarketOption = None,
    days: DaysOption = 1,
    day: DayOption = 0,
    seed: SeedOption = 0,
    split: SplitOption = "test",
) -> None:
    """Run the loop: read a site, decide, hand over leased set-points, renew them, cycle by cycle.

    Exits 1 where the last cycle brought no set-points. Ctrl-C ends it after the cycle that has begun; what was sent
    stands until its leases end.
    """
    from .options import Options
    from .start import dispatch_live

    options = Options(
        port=port, fleet=fleet, interval_minutes=interval, zone=zone, url=url, token=_secret(token),
        site_token=_secret(site_token), ledger=ledger, bundle=bundle, policy=policy, prices=tuple(prices or ()),
        prices_token=_secret(prices_token), tariff=tariff, location=location, market=market, preset=settings,
        overrides=tuple(set_ or ()), dry_run=dry_run, watch_s=watch, cycles=cycles, as_json=as_json,
    )  # fmt: skip
    if options.kind == "simulated":
        from ...agents.days import DayRequest
        from .days import dispatch_days

        answered = dispatch_days(options, DayRequest(options.place, seed=seed, first_day=day, days=days, split=split))
    elif (days, day, seed, split) != (1, 0, 0, "test"):
        raise ValueError("--days, --day, --seed and --split draw simulated days; leave them out, or use simulated:NAME")
    else:
        answered = dispatch_live(options)
    if not answered:
        raise typer.Exit(1)


def _secret(file: Path | None) -> str | None:
    """The content of a file that holds a token; on the command line others could read it."""
    return None if file is None else file.read_text(encoding="utf-8").strip()

"""The answers to people on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from ...configs.messages import ConfigError, unknown_name
from ..core.cycle import Kit, make_kit
from ..ledger.command import open_existing
from ..ledger.reader import LedgerDown
from ..ledger.store import Ledger
from ..messages.canonical import canonical_json
from .desk import Desk, NothingKnown

Document = dict[str, Any]


def answered(
    ledger: str,
    fleet: str | None,
    bundle: str | None,
    as_json: bool,
    ask: Callable[[Desk, str], Document],
    show: Callable[[Console, Document], None],
) -> None:
    """Ask a ledger something, and show it.

    Raises:
        ConfigError: there is no such ledger, fleet or bundle, or nothing is known of it.
    """
    opened = open_existing(ledger)
    try:
        name = _fleet(opened, fleet)
        told = ask(Desk(opened, lambda: _kit(opened, name, bundle)), name)
    except NothingKnown as error:
        raise ConfigError(str(error)) from None
    except LedgerDown as down:
        raise ConfigError(f"the ledger cannot be read: {down}") from None
    finally:
        opened.close()
    if as_json:
        print(canonical_json(told).decode())
    else:
        show(Console(highlight=False, soft_wrap=True), told)


def seconds_of(option: str, text: str | None) -> float | None:
    """A time as Unix seconds; None where none is said.

    Raises:
        ConfigError: it is none, or has no offset.
    """
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ConfigError(f"{option} is {text!r}; it should be a time with its offset, e.g. 2026-07-15T00:00-07:00")
    return time.timestamp()


def _fleet(ledger: Ledger, fleet: str | None) -> str:
    known = ledger.fleets()
    if fleet is None and len(known) == 1:
        return known[0]
    if fleet in known:
        return str(fleet)
    if not known:
        raise ConfigError("the ledger holds no cycle yet")
    if fleet is None:
        raise ConfigError(f"the ledger has {len(known)} fleets; name one by --fleet: {', '.join(known)}")
    raise ConfigError(unknown_name("fleet", fleet, known))


def _kit(ledger: Ledger, fleet: str, bundle: str | None) -> Kit:
    """What the fleet's last cycle was decided with, by the policy that is asked for."""
    (row,) = ledger.cycles(fleet, limit=1, columns=())
    settings = ledger.settings(row["settings_sha256"])
    if bundle is None:
        return make_kit(settings)
    from ..service.models import load_model

    return make_kit(settings, load_model(bundle, settings).runner)


def show_drivers(console: Console, told: Document) -> None:
    """A line a car."""
    console.print(f"{told['fleet']}, {_local(told['start'])}, planned by {told['by']}")
    table = Table("port", "car", "for the driver", box=None, pad_edge=False)
    for line in told["drivers"]:
        style = "yellow" if line["cause"] not in ("none", "later") else ""
        table.add_row(line["port"], line["car"], line["sentence"], style=style)
    console.print(table if told["drivers"] else "no car is plugged in, or none of those that were asked for")


def show_plan(console: Console, told: Document) -> None:
    """A line an hour, with the flexibility where it is told."""
    hours = [f"{one:g}h" for one in (told["flexibility"][0]["hours"] if told["flexibility"] else ())]
    table = Table(box=None, pad_edge=False)
    for name in ("from", "cars", "all", *(f"↓{one}" for one in hours), *(f"↑{one}" for one in hours)):
        table.add_column(name, no_wrap=True)
    flexible = {one["at"]: one for one in told["flexibility"]}
    per_hour = max(1, 3600 // told["interval_s"])
    for at in range(0, told["steps"], per_hour):
        time = datetime.fromisoformat(told["start"]) + timedelta(seconds=at * told["interval_s"])
        cars, other = (_mean(told[name][at : at + per_hour]) for name in ("cars_kw", "without_cars_kw"))
        one = flexible.get(time.isoformat())
        figures = [*one["down_kw"], *one["up_kw"]] if one else []
        table.add_row(f"{time:%a %H:%M}", f"{cars:.1f}", f"{cars + other:.1f}", *(f"{kw:.1f}" for kw in figures))
    console.print(f"{told['fleet']}, {_local(told['start'])}, planned by {told['by']}; kW, + import")
    console.print("mean of the cars and of all meters; by how much the cars' draw can fall (↓) and rise (↑), so long")
    console.print(table)
    if told["released_kw"]:
        console.print(f"cars that nobody steers may draw up to {told['released_kw']:.1f} kW beside")


def show_limits(console: Console, told: Document) -> None:
    """A line a meter or feeder: its limits now, their least ahead, and the highest planned load."""
    table = Table(
        "", "import limit now", "least ahead", "highest plan", "export limit now", "least ahead", "lowest plan",
        box=None, pad_edge=False,
    )  # fmt: skip
    for kind in ("sites", "feeders"):
        for group in told[kind]:
            both = (group["without_cars_kw"], group["planned_cars_kw"])
            load = [other + cars for other, cars in zip(*both, strict=True)]
            row = (group["import_limit_kw"], max(load)), (group["export_limit_kw"], min(load))
            cells = [text for limit, most in row for text in (_kw(limit[0]), _least(limit), f"{most:.1f}")]
            table.add_row(f"{kind[:-1]} {group['id']}", *cells)
    console.print(f"{told['fleet']}, {_local(told['start'])}, 24 h; kW, + import; --json has every step")
    console.print(table)


def show_events(console: Console, told: Document) -> None:
    """A line an event and site."""
    if not told["events"]:
        console.print(f"{told['fleet']}: no programme event in the ledger between these times")
    for event in told["events"]:
        span = f"{_local(event['start'])} to {_local(event['end'])}"
        console.print(f"{event['type']}, {span}: ${event['payment_usd']:.2f} at ${event['rate_usd_per_kwh']:.2f}/kWh")
        missing = f", {event['cycles_missing']} of {event['cycles']} cycles missing" if event["cycles_missing"] else ""
        state = "finished" if event["finished"] else "still running"
        console.print(f"  {state}, {event['measured_share']:.0%} of the energy measured{missing}")
        table = Table("site", *_ENERGIES.values(), box=None, pad_edge=False)
        for site in dict.fromkeys(row["site"] for row in event["rows"]):
            rows = [row for row in event["rows"] if row["site"] == site]
            table.add_row(site, *(f"{sum(row[name] or 0.0 for row in rows):.2f}" for name in _ENERGIES))
        table.add_row("all", *(f"{event['totals'][name]:.2f}" for name in _ENERGIES), style="bold")
        console.print(table)
    if told["events"]:
        console.print("--json has every 15 minutes")


_ENERGIES = {"baseline_kwh": "baseline kWh", "metered_import_kwh": "metered kWh", "delivered_kwh": "delivered kWh"}


def show_story(console: Console, told: Document) -> None:
    """A line a cycle, the latest first."""
    if not told["story"]:
        console.print(f"no port or car {told['port']!r} in the last cycles of {told['fleet']}")
        return
    table = Table("cycle", "SoC", "measured", "asked", "told", "by", "why", box=None, pad_edge=False)
    for entry in told["story"]:
        soc = "" if entry["soc"] is None else f"{entry['soc']:.0%}"
        powers = (_kw(entry[name]) for name in ("power_kw", "requested_kw", "setpoint_kw"))
        table.add_row(_local(entry["cycle_start"]), soc, *powers, entry["source"], entry["why"])
    console.print(f"{told['port']} of {told['fleet']}, the latest first; kW, + import")
    console.print(table)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _local(text: str) -> str:
    return f"{datetime.fromisoformat(text):%d %b %H:%M}"


def _kw(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f}"


def _least(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return _kw(min(known, default=None))

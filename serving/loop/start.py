"""From the options of `ebbflow dispatch` to a running loop."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import tzinfo
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...configs.messages import ConfigError, unknown_name
from ..core.cycle import Kit, make_kit
from ..core.runners import Runner
from ..core.settings import ServingSettings, load_serving
from ..ports.port import SitePort
from ..ports.prices.source import FirstOf, PriceSource
from .clock import Clock, SystemClock
from .deciders import Decider, InProcess, OverHttp, Recorded
from .loop import Loop
from .options import Options, check
from .report import Teller
from .schedule import Schedule

if TYPE_CHECKING:
    from ...envs.world.tariffs import Tariff

LOOPBACK = ("localhost", "127.0.0.1", "::1")

LIVE, SIMULATED = "default", "simulated"
"""Serving presets."""

UNRECORDED = "no ledger: the rules decide and nothing is exported; with --ledger FILE policies decide, and may export"


def dispatch_live(options: Options) -> bool:
    """Dispatch a real site until stopped; returns whether the last cycle was answered.

    Raises:
        ConfigError: an option cannot be.
        KeyboardInterrupt: it was stopped by Ctrl-C, after the cycle that had begun.
    """
    check(options)
    clock, tariff = SystemClock(), _tariff(options)
    schedule = Schedule(options.interval_minutes * 60, _zone(options, tariff))
    prices = price_source(options, tariff)
    teller = Teller(schedule.zone, as_json=options.as_json, dry_run=options.dry_run)
    with closing(make_decider(options, clock, LIVE)) as decider, closing(live_port(options, clock)) as port:
        loop = Loop(
            options.fleet or "fleet", port, decider, schedule, clock, prices=prices, dry_run=options.dry_run,
            watch_s=options.watch_s or None, report=teller, last_resort=last_resort(options, LIVE),
        )  # fmt: skip
        if unrecorded(options):
            teller.note(UNRECORDED)
        try:
            with stopped_by_signals(loop, clock):
                loop.run(options.cycles)
        finally:
            teller.end(loop.standing.last_end_s())
    return teller.answered


@contextmanager
def stopped_by_signals(loop: Loop, clock: Clock) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the loop after the cycle that has begun; a second Ctrl-C ends it at once.

    Raises:
        KeyboardInterrupt: at the end, where Ctrl-C was the reason.
    """
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        loop.stopping = True
        if isinstance(clock, SystemClock):
            clock.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signal.SIGINT in came:
        raise KeyboardInterrupt


def make_decider(options: Options, clock: Clock, preset: str, reserve: Sequence[str] = ()) -> Decider:
    """Who decides: elsewhere, here with a ledger, or here without.

    Args:
        options: of the command.
        clock: of the loop.
        preset: of the service, where the options name none.
        reserve: settings below those of the options.

    Raises:
        ConfigError: no such preset, policy or bundle; or the ledger cannot be opened.
    """
    if options.url is not None:
        return OverHttp(options.url, options.token)
    settings = load_serving(options.preset or preset, (*reserve, *options.overrides))
    if options.dry_run or options.ledger is None:
        return InProcess(_kit(options, settings), ledger_up=not unrecorded(options))
    from ..http.start import make_service

    service = make_service(settings, options.ledger, options.bundle)
    service.clock = clock.now_s
    if options.policy is not None:
        service.replace_kit(make_kit(settings, policy_runner(options.policy)))
    return Recorded(service)


def unrecorded(options: Options) -> bool:
    """Whether a real site is steered by this process and no ledger tells of it: no evidence, no export."""
    here = options.url is None and options.ledger is None and not options.dry_run
    return here and options.kind != "simulated"


def last_resort(options: Options, preset: str, reserve: Sequence[str] = ()) -> Decider | None:
    """The rules in this process, without export, for a service that gives no answer; None where it is this one."""
    if options.url is None:
        return None
    settings = load_serving(options.preset or preset, (*reserve, *options.overrides))
    return InProcess(make_kit(settings), ledger_up=False)


def _kit(options: Options, settings: ServingSettings) -> Kit:
    if options.policy is not None:
        return make_kit(settings, policy_runner(options.policy))
    if options.bundle is None:
        return make_kit(settings)
    from ..service.models import load_model

    return make_kit(settings, load_model(options.bundle, settings).runner)


def policy_runner(name: str) -> Runner:
    """A policy by name: a rule of ours is asked in this process, anything else in one that can be killed.

    Code that is not ours is neither imported nor made here, and a zip's pickle runs nowhere in live service.

    Raises:
        ValueError: there is no such policy, it cannot be made, or it is a zip.
    """
    from ...agents import rules
    from ...agents.policy import find_policy, policy_names
    from ..core.runners import InlineRunner, PolicyTimeout
    from ..core.worker import WorkerRunner

    _refuse_zip(name)
    if name in rules.RULES and type(policy := find_policy(name)).__module__.startswith(f"{rules.__name__}."):
        return InlineRunner(policy)
    if "=" not in name and ":" not in name and name not in policy_names():
        hint = unknown_name("policy", name, policy_names())
        raise ConfigError(f"{hint}; a class of your own is named package.module:Class, a bundle NAME=PATH")
    worker = WorkerRunner(name)
    try:
        worker.start()
    except (RuntimeError, PolicyTimeout) as error:
        worker.close()
        raise ConfigError(f"--policy {name}: {str(error).removeprefix('ValueError: ')}") from None
    return worker


def _refuse_zip(name: str) -> None:
    from ...agents.policy import ZIP

    path = name.partition("=")[2].partition("#")[0]
    if path.lower().endswith(ZIP):
        raise ConfigError(
            f"--policy {name}: a zip holds code that runs when it is loaded, and live service runs none; write its "
            "run as a bundle with `ebbflow export`, and give --bundle FOLDER"
        )


def live_port(options: Options, clock: Clock) -> SitePort:
    """The site.

    Raises:
        ConfigError: it cannot be opened.
    """
    if options.kind == "files":
        from ..ports.files import FilesPort

        if not Path(options.place).is_dir():
            raise ConfigError(f"{options.place} is no folder; name the one that holds state.json")
        return FilesPort(options.place)
    if options.kind == "ocpp":
        from ..ports.ocpp.port import OcppPort
        from ..ports.ocpp.site import load_site

        return OcppPort(load_site(Path(options.place)), clock.now_s)
    from ..ports.gateway import HttpPort

    return HttpPort(options.place, options.site_token)


def price_source(options: Options, tariff: Tariff | None) -> PriceSource | None:
    """Where prices come from, beside those that the site tells; None: nowhere else.

    Raises:
        ConfigError: the token of --prices-token would go to more than one place, or could be read on its way.
        ValueError: a tariff that follows a market, and no prices of one.
    """
    from ..ports.prices.files import PriceFile
    from ..ports.prices.url import PriceUrl

    if options.prices_token is not None:
        _check_token_goes_to([name for name in options.prices if "://" in name])
    followed = tariff.settlement_point if tariff is not None else None
    at, kind = options.location or followed, options.market
    sources: list[PriceSource] = [
        PriceUrl(name, token=options.prices_token, location=at, market=kind)
        if "://" in name
        else PriceFile(name, location=at, market=kind)
        for name in options.prices
    ]
    market = FirstOf(sources) if sources else None
    if tariff is None:
        return market
    from ..ports.prices.tariffed import TariffPrices

    return TariffPrices(tariff, market)


def _check_token_goes_to(urls: Sequence[str]) -> None:
    if len(urls) != 1:
        raise ConfigError(
            f"--prices-token goes to one URL, and --prices names {len(urls)}; name the one that wants it, and files "
            "for the rest"
        )
    place = urlsplit(urls[0])
    if place.scheme != "https" and place.hostname not in LOOPBACK:
        raise ConfigError(
            f"--prices-token would go to {place.hostname} in plain text; use https, or leave the token out"
        )


def _tariff(options: Options) -> Tariff | None:
    if options.tariff is None:
        return None
    from ...envs.world.tariffs import load_tariff

    return load_tariff(options.tariff)


def _zone(options: Options, tariff: Tariff | None) -> tzinfo:
    from ...envs.world.calendar import time_zone

    name = options.zone or (tariff.timezone if tariff is not None else None)
    if name is None:
        raise ConfigError("give the site's time zone, e.g. --zone America/Los_Angeles: nights and peaks are local")
    return time_zone(name)

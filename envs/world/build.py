"""From a preset, a seed and a day to a whole `Scenario`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache

import numpy as np

from ...configs.load import load_model
from .behaviour import draw_stays
from .calendar import StepTimes
from .day_prices import day_prices
from .emissions import Emissions, draw_emissions, no_emissions
from .money import highest_demand_usd_per_kw
from .placing import place
from .prepared import Frame, World, prepare
from .reference_days import ReferenceDay, ReferencePool, make_pool, pool_size
from .scenario import Events, FloatArray, Scenario, Stays, steps_per_hour
from .settings import ScenarioSettings
from .site_load import base_load_kw, other_load_kw, pv_kw
from .sources import ScenarioFiles
from .stays import draw_port_fleet, generated_facts, make_stays
from .streams import REFERENCE_SPLIT, DayStreams, day_streams

POOLS = 64  # weekdays of a few presets and seeds


def load_settings(name_or_path: str, overrides: Iterable[str] = ()) -> ScenarioSettings:
    """The scenario preset of that name, or the user's own TOML file, with `dotted.key=value` overrides.

    Raises:
        ConfigError: unknown preset or key (with the nearest valid name), or a value that breaks its rule.
    """
    return load_model(ScenarioSettings, "scenarios", name_or_path, list(overrides))


def build_scenario(
    settings: ScenarioSettings,
    *,
    seed: int,
    day: int,
    split: str = "test",
    files: ScenarioFiles | None = None,
) -> Scenario:
    """Draw day `day` of a split: depends on (settings, files, seed, split, day) alone.

    Raises:
        ValueError: unknown split, negative seed or day, or settings that contradict each other.
        DataFileError: a file is not what it should be, or lacks the day asked for.
        FileNotFoundError: there is no such file.
    """
    world = prepare(settings, files)
    streams = day_streams(seed, split, day)
    frame = world.frame(_date(world, streams))
    drawn = _draw_day(world, streams, frame.times)
    pool = _pool(world, seed, frame.times.start.weekday()).without(drawn.source_days)
    prices = day_prices(world, frame, streams)
    happened, forecast, load_note = _net_load(world, frame.times, streams)
    emissions, emission_note = _emissions(world, frame.times, streams)
    notes = drawn.notes | {"load": load_note, "emissions": emission_note}
    return Scenario(
        name=settings.name,
        start=frame.times.start,
        interval_minutes=settings.interval_minutes,
        n_steps=settings.n_steps,
        stays=drawn.stays,
        port_site=world.port_site,
        site_feeder=np.zeros(settings.n_sites, dtype=np.int64),
        site_tariff=world.site_tariff,
        site_net_load_kw=happened,
        site_net_load_forecast_kw=forecast,
        site_import_limit_kw=frame.site_import_limit_kw,
        site_export_limit_kw=frame.site_export_limit_kw,
        feeder_import_limit_kw=frame.feeder_import_limit_kw,
        feeder_export_limit_kw=frame.feeder_export_limit_kw,
        feeder_other_load_kw=_other_load(world, frame),
        import_price_usd_per_kwh=prices.billed_import,
        export_price_usd_per_kwh=prices.billed_export,
        import_price_forecast_usd_per_kwh=prices.issued_import,
        export_price_forecast_usd_per_kwh=prices.issued_export,
        price_issue_of_step=prices.issue_of_step,
        price_known_until_step=prices.known_until_step,
        demand_rate_usd_per_kw=frame.demand_rate_usd_per_kw,
        fixed_usd_per_day=_fixed(world),
        billing_peak_kw=np.full(settings.n_sites, settings.money.billing_peak_kw),
        typical_peak_kw=pool.typical_peak_kw,
        events=_events(world, frame.times, streams),
        baseline_kw=pool.baseline_kw(streams.topic("other")),
        expected_arrivals_kwh=pool.arrivals_kwh,
        emissions_kg_per_kwh=emissions.happened,
        emissions_forecast_kg_per_kwh=emissions.typical,
        emissions_issued_kg_per_kwh=emissions.issued,
        highest_price_usd_per_kwh=max(world.highest_import_usd_per_kwh, world.highest_export_usd_per_kwh),
        money=world.money,
        peaker_window_local_hours=settings.peaker_window_local_hours,
        vehicles=world.fleet.vehicles,
        provenance=_provenance(world, streams, split) | notes,
    )


def build_bank_days(
    settings: ScenarioSettings,
    seed: int,
    days: Iterable[int],
    split: str = "train",
    files: ScenarioFiles | None = None,
) -> Iterator[Scenario]:
    """The scenarios of many days, one after the other."""
    for day in days:
        yield build_scenario(settings, seed=seed, day=day, split=split, files=files)


def price_dates(settings: ScenarioSettings, files: ScenarioFiles) -> tuple[date, ...]:
    """The dates of the price files on which an episode can begin; empty without price files."""
    return prepare(settings, files).sources.price_dates


def _date(world: World, streams: DayStreams) -> date:
    """A date of the period; with a price file its dates in random order, each once before any comes again."""
    held = world.sources.price_dates
    if not held:
        return world.settings.period_first + timedelta(days=int(streams.topic("date").integers(world.dates)))
    order = replace(streams, day=0).topic("date").permutation(len(held))
    return held[int(order[streams.day % len(held)])]


@dataclass(frozen=True)
class _Day:
    stays: Stays
    source_days: frozenset[date]
    notes: dict[str, str]


def _draw_day(world: World, streams: DayStreams, times: StepTimes) -> _Day:
    """A day's stays, drawn or from a file, and where they come from."""
    s, table = world.settings, world.sources.sessions
    ports = draw_port_fleet(streams.topic("fleet"), world.fleet, s)
    if table is None:
        draws = draw_stays(streams.topic("stays"), world.profile, s.behaviour, times.start, s.days, s.ports)
        placed, source_days = place(draws, s), frozenset[date]()
        facts = generated_facts(draws, placed)
        source = f"generated, {world.profile.name}: {world.profile.source}"
    else:
        from .real_days import real_stays

        real = real_stays(streams.topic("files"), table, s, times)
        facts, placed, source_days, source = real.facts, real.placed, real.source_days, real.provenance
    stays = make_stays(facts, placed, ports, world.fleet, world.profile, s)
    kept = f"{len(placed.row)} kept, {placed.too_short} too_short, {placed.no_port} without a free port"
    notes = {"behaviour": f"{source}; misreport {s.behaviour.misreport}", "stays": kept}
    return _Day(stays, source_days, notes)


def _net_load(world: World, times: StepTimes, streams: DayStreams) -> tuple[FloatArray, FloatArray, str]:
    s = world.settings
    if (table := world.sources.load) is not None:
        from .real_days import real_load_kw

        return real_load_kw(streams.topic("load"), table, s, times)
    daily = s.site.base_load_kwh_per_day_per_port * float(world.ports_of_site.mean())
    mean_kw = (daily or s.site.base_load_kwh_per_day) / 24
    load, load_forecast = base_load_kw(streams.topic("load"), s.site, times, s.n_sites, mean_kw)
    if s.site.pv_share == 0 or s.site.pv_kw == 0:
        return load, load_forecast, "generated"
    pv, pv_forecast = pv_kw(streams.topic("pv"), s.site, times, s.n_sites)
    return load - pv, load_forecast - pv_forecast, "generated, with PV"


def _other_load(world: World, frame: Frame) -> FloatArray:
    mean_kw = world.settings.feeder.other_load_kw_per_port * world.settings.ports
    return other_load_kw(frame.times, mean_kw)[None]


def _fixed(world: World) -> FloatArray:
    by_tariff = np.array([t.fixed_usd_per_day for t in world.tariffs])
    fixed: FloatArray = by_tariff[world.site_tariff] * float(world.settings.site.fixed_charge_by_cars)
    return fixed


def _events(world: World, times: StepTimes, streams: DayStreams) -> Events:
    if world.programme is None:
        return Events.none()
    return world.programme.draw_events(streams.topic("events"), times, world.settings.n_steps)


def _emissions(world: World, times: StepTimes, streams: DayStreams) -> tuple[Emissions, str]:
    s, model, rng = world.settings, world.emission_model, streams.topic("emissions")
    if model is None:
        return no_emissions(s.n_times, s.n_steps), "none"
    if (table := world.sources.emissions) is not None:
        from .real_days import real_emissions

        return real_emissions(rng, table, s, times)
    reach = round(s.emissions.issued_h * steps_per_hour(s.interval_minutes))
    return draw_emissions(rng, model, times, s.n_steps, reach), f"generated, {model.name}: {model.source}"


def _provenance(world: World, streams: DayStreams, split: str) -> dict[str, str]:
    market = f"generated, {world.market.name}: {world.market.source}" if world.follows_market else "by tariff"
    return {
        "draw": f"seed {streams.seed}, split {split}, day {streams.day}",
        "tariffs": "; ".join(f"{t.name}, effective {t.effective}: {t.source}" for t in world.tariffs),
        "prices": _price_sentence(world) or market,
    }


def _price_sentence(world: World) -> str:
    """The price files, what they stand for, and whose dates the days have; empty without files."""
    s, sources = world.settings, world.sources
    said = [t.description for t in (sources.prices, sources.export_prices) if t is not None]
    if sources.prices is not None and not all(t.needs_wholesale for t in world.tariffs):
        said.append("in place of the tariff's own prices, for import and, without an export file, for export")
    dates = sources.price_dates
    if dates and not s.period_first <= dates[0] <= s.period_last:
        said.append(f"on the file's own dates, as it holds none from {s.period_first} to {s.period_last}")
    return "; ".join(said)


@lru_cache(maxsize=POOLS)
def _pool(world: World, seed: int, weekday: int) -> ReferencePool:
    """Other days of that weekday, drawn once."""
    s = world.settings
    # The second week of 2024: a Monday first, and no change of clocks.
    start = datetime(2024, 1, 8 + weekday, s.start_hour, tzinfo=world.zone)
    times = StepTimes(start, s.interval_minutes, s.n_times)
    size = range(pool_size(s.n_sites, s.n_steps))
    days = [_draw_day(world, DayStreams(seed, REFERENCE_SPLIT, 7 * d + weekday), times) for d in size]
    base_kw = None
    if highest_demand_usd_per_kw(world.tariffs) > 0:
        base_kw = _net_load(world, times, DayStreams(seed, REFERENCE_SPLIT, weekday))[1][:, : s.n_steps]
    return make_pool([ReferenceDay(d.stays, d.source_days) for d in days], world.port_site, s, base_kw)

"""From a preset, a seed and a day to a whole `Scenario`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from ...configs.load import load_model
from .behaviour import draw_stays
from .emissions import Emissions, draw_emissions, no_emissions
from .prepared import Frame, World, prepare
from .reference_days import ReferencePool, arrivals_kwh, least_peak_kw, pool_size, uncontrolled_kw
from .scenario import Events, FloatArray, IntArray, Scenario, Stays, steps_per_hour
from .settings import ScenarioSettings
from .site_load import base_load_kw, pv_kw
from .stays import Placed, draw_port_fleet, make_stays, place
from .streams import REFERENCE_SPLIT, DayStreams, day_streams


def load_settings(name_or_path: str, overrides: Iterable[str] = ()) -> ScenarioSettings:
    """The scenario preset of that name, or the user's own TOML file, with `dotted.key=value` overrides.

    Raises:
        ConfigError: unknown preset or key (with the nearest valid name), or a value that breaks its rule.
    """
    return load_model(ScenarioSettings, "scenarios", name_or_path, list(overrides))


def build_scenario(settings: ScenarioSettings, *, seed: int, day: int, split: str = "test") -> Scenario:
    """Draw day `day` of a split: depends on (settings, seed, split, day) alone.

    Raises:
        ValueError: unknown split, negative seed or day, or settings that contradict each other.
    """
    world = prepare(settings)
    streams = day_streams(seed, split, day)
    frame = world.frame(_date(world, streams))
    stays, placed = _draw_day(world, streams, frame.times.start)
    pool = _pool(world, seed, frame.times.start.weekday())
    prices = _prices(world, frame, streams)
    happened, forecast = _net_load(world, frame, streams)
    emissions = _emissions(world, frame, streams)
    n_steps = settings.n_steps
    return Scenario(
        name=settings.name,
        start=frame.times.start,
        interval_minutes=settings.interval_minutes,
        n_steps=n_steps,
        stays=stays,
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
        events=_events(world, frame, streams),
        baseline_kw=pool.baseline_kw(streams.topic("other")),
        expected_arrivals_kwh=pool.arrivals_kwh,
        emissions_kg_per_kwh=emissions.happened,
        emissions_forecast_kg_per_kwh=emissions.typical,
        emissions_issued_kg_per_kwh=emissions.issued,
        highest_price_usd_per_kwh=max(t.highest_price_usd_per_kwh for t in world.tariffs),
        money=world.money,
        peaker_window_local_hours=settings.reserve.peaker_window_local_hours,
        vehicles=world.fleet.vehicles,
        provenance=_provenance(world, seed, split, day, placed),
    )


def build_bank_days(
    settings: ScenarioSettings, seed: int, days: Iterable[int], split: str = "train"
) -> Iterator[Scenario]:
    """The scenarios of many days, one after the other."""
    for day in days:
        yield build_scenario(settings, seed=seed, day=day, split=split)


def _date(world: World, streams: DayStreams) -> date:
    offset = int(streams.topic("date").integers(world.dates))
    return world.settings.period_first + timedelta(days=offset)


def _draw_day(world: World, streams: DayStreams, start: datetime) -> tuple[Stays, Placed]:
    s = world.settings
    ports = draw_port_fleet(streams.topic("fleet"), world.fleet, s)
    draws = draw_stays(streams.topic("stays"), world.profile, s.behaviour, start, s.days, s.ports)
    placed = place(draws, s)
    return make_stays(draws, placed, ports, world.fleet, world.profile, s), placed


@dataclass(frozen=True)
class _Prices:
    billed_import: FloatArray  # (P, L)
    billed_export: FloatArray
    issued_import: FloatArray  # (V, P, L)
    issued_export: FloatArray
    issue_of_step: IntArray
    known_until_step: IntArray


def _prices(world: World, frame: Frame, streams: DayStreams) -> _Prices:
    if any(t.needs_wholesale for t in world.tariffs):
        raise NotImplementedError
    steps, until = np.zeros(world.settings.n_steps, dtype=np.int64), np.array([frame.times.count])
    billed_in, billed_out = frame.import_usd_per_kwh, frame.export_usd_per_kwh
    return _Prices(billed_in, billed_out, billed_in[None], billed_out[None], steps, until)


def _net_load(world: World, frame: Frame, streams: DayStreams) -> tuple[FloatArray, FloatArray]:
    s = world.settings
    per_site = world.ports_of_site.mean()
    daily = s.site.base_load_kwh_per_day_per_port * per_site or s.site.base_load_kwh_per_day
    load, load_forecast = base_load_kw(streams.topic("load"), s.site, frame.times, s.n_sites, daily / 24)
    if s.site.pv_share == 0 or s.site.pv_kw == 0:
        return load, load_forecast
    pv, pv_forecast = pv_kw(streams.topic("pv"), s.site, frame.times, s.n_sites)
    return load - pv, load_forecast - pv_forecast


def _other_load(world: World, frame: Frame) -> FloatArray:
    mean_kw = world.settings.feeder.other_load_kw_per_port * world.settings.ports
    return np.full((1, frame.times.count), mean_kw)


def _fixed(world: World) -> FloatArray:
    by_tariff = np.array([t.fixed_usd_per_day for t in world.tariffs])
    return by_tariff[world.site_tariff] * float(world.settings.site.fixed_charge_by_cars)


def _events(world: World, frame: Frame, streams: DayStreams) -> Events:
    if world.programme is None:
        return Events.none()
    return world.programme.draw_events(streams.topic("events"), frame.times, world.settings.n_steps)


def _emissions(world: World, frame: Frame, streams: DayStreams) -> Emissions:
    s, model = world.settings, world.emission_model
    if model is None:
        return no_emissions(s.n_times, s.n_steps)
    reach = round(s.emissions.issued_h * steps_per_hour(s.interval_minutes))
    return draw_emissions(streams.topic("emissions"), model, frame.times, s.n_steps, reach)


def _provenance(world: World, seed: int, split: str, day: int, placed: Placed) -> dict[str, str]:
    s = world.settings
    return {
        "generator": f"synthetic; seed {seed}, split {split}, day {day}",
        "behaviour": f"{world.profile.name}: {world.profile.source}; misreport {s.behaviour.misreport}",
        "tariffs": "; ".join(f"{t.name}, effective {t.effective}: {t.source}" for t in world.tariffs),
        "stays": f"{len(placed.row)} kept, {placed.too_short} too short, {placed.no_port} without a free port",
    }


_POOLS: dict[tuple[int, int, int], ReferencePool] = {}


def _pool(world: World, seed: int, weekday: int) -> ReferencePool:
    """Other days of that weekday, drawn once."""
    key = (id(world), seed, weekday)
    if key not in _POOLS:
        _POOLS[key] = _draw_pool(world, seed, weekday)
    return _POOLS[key]


def _draw_pool(world: World, seed: int, weekday: int) -> ReferencePool:
    s = world.settings
    per_hour = steps_per_hour(s.interval_minutes)
    sites, step_h = s.n_sites, s.interval_minutes / 60
    start = datetime(
        2024, 1, 8 + weekday, s.start_hour, tzinfo=world.zone
    )  # a week without a change of clocks
    hours = (s.n_steps // per_hour, s.n_times // per_hour)
    days = range(pool_size(sites, s.n_steps))
    drawn = [_draw_day(world, DayStreams(seed, REFERENCE_SPLIT, 7 * d + weekday), start)[0] for d in days]
    power = np.stack([uncontrolled_kw(x, world.port_site, sites, s.n_steps, step_h) for x in drawn])
    arrivals = np.mean([arrivals_kwh(x, world.port_site, sites, hours, per_hour) for x in drawn], axis=0)
    if sites > 1:  # the homes are alike to whoever does not know them: each expects the mean
        arrivals = np.broadcast_to(arrivals.mean(axis=0), arrivals.shape)
    return ReferencePool(power.astype(np.float32), arrivals, np.full(sites, np.nan))

"""Import and export prices of a day: billed, and as issued, for tariffs of fixed hours and of the market."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .calendar import StepTimes
from .file_prices import PriceGrid
from .issued import Issues, issue, like_days
from .prepared import Frame, World
from .scenario import FloatArray, IntArray
from .streams import DayStreams
from .wholesale import draw_day_ahead, draw_deviation

if TYPE_CHECKING:
    from .files import PriceTable

HOUR_S = 3600


@dataclass(frozen=True)
class DayPrices:
    """Prices in $/kWh: billed `(P, L)`, issued `(V, P, L)`; the issue in force `(T,)`, known until `(V,)`."""

    billed_import: FloatArray
    billed_export: FloatArray
    issued_import: FloatArray
    issued_export: FloatArray
    issue_of_step: IntArray
    known_until_step: IntArray


@dataclass(frozen=True)
class MarketDay:
    """A market's price: what is billed `(L,)`, and the issues of it."""

    billed: FloatArray
    issues: Issues


def day_prices(world: World, frame: Frame, streams: DayStreams) -> DayPrices:
    """The day's prices of every tariff.

    Raises:
        DataFileError: a price file lacks an hour that is needed.
    """
    if not world.follows_market:
        n_steps, until = world.settings.n_steps, np.array([frame.times.count])
        billed_in, billed_out = frame.import_usd_per_kwh, frame.export_usd_per_kwh
        steps = np.zeros(n_steps, dtype=np.int64)
        return DayPrices(billed_in, billed_out, billed_in[None], billed_out[None], steps, until)
    market = _market_day(world, frame.times, streams)
    export = _export_day(world, frame.times)
    billed = _by_tariff(world, frame, market.billed, None if export is None else export.billed)
    issued = [
        _by_tariff(world, frame, price, None if export is None else export.issues.usd_per_kwh[v])
        for v, price in enumerate(market.issues.usd_per_kwh)
    ]
    return DayPrices(
        billed_import=billed[0],
        billed_export=billed[1],
        issued_import=np.stack([i for i, _ in issued]),
        issued_export=np.stack([e for _, e in issued]),
        issue_of_step=market.issues.of_step,
        known_until_step=market.issues.known_until_step,
    )


def _by_tariff(
    world: World, frame: Frame, wholesale: FloatArray, export: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Import and export price of each tariff `(P, L)` on one wholesale series."""
    times, rows = frame.times, []
    for p, tariff in enumerate(world.tariffs):
        if tariff.needs_wholesale:
            rows.append(
                (
                    tariff.import_price_usd_per_kwh(times, wholesale),
                    tariff.export_price_usd_per_kwh(times, wholesale),
                )
            )
        elif world.sources.prices is not None:
            # A price file in place of fixed hours: passed through as it is, both ways.
            rows.append((wholesale, wholesale))
        else:
            rows.append((frame.import_usd_per_kwh[p], frame.export_usd_per_kwh[p]))
    imports = np.stack([i for i, _ in rows])
    exports = np.stack([e if export is None else export for _, e in rows])
    return imports, exports


def _market_day(world: World, times: StepTimes, streams: DayStreams) -> MarketDay:
    table, grid, s = world.sources.prices, world.sources.price_grid, world.settings
    if table is not None and grid is not None and table.timeline.interval_s < HOUR_S:
        return _unpublished(world, table, grid, times)
    if table is None or grid is None:
        days = int(times.day_index[-1]) + 1
        history = draw_day_ahead(streams.topic("price"), world.market, times.start.date(), days, world.price_cap)
        billed = history.at(times)
    else:
        history = grid.history(times)
        billed = np.minimum(_series(world, table, times), world.price_cap)
    issues = issue(billed, history, times, s.n_steps, s.prices.published_local_hour)
    if s.prices.kind == "day_ahead":
        return MarketDay(billed, issues)
    deviation = draw_deviation(streams.topic("real_time"), world.market, times, world.day_ahead_spread)
    real_time = np.minimum(billed + deviation, world.price_cap)
    # What is published is the day-ahead price, not what will be billed: no later price is known.
    nothing_known = Issues(issues.usd_per_kwh, np.zeros_like(issues.known_until_step), issues.of_step)
    return MarketDay(real_time, nothing_known)


def _unpublished(world: World, table: PriceTable, grid: PriceGrid, times: StepTimes) -> MarketDay:
    """A real-time file: nothing is published, every later price is forecast by the last like day."""
    n_steps = world.settings.n_steps
    billed = np.minimum(_series(world, table, times), world.price_cap)
    forecast = like_days(billed, grid.history(times), times, published=-1)
    none = np.zeros(1, dtype=np.int64)
    return MarketDay(billed, Issues(forecast[None], none, np.zeros(n_steps, dtype=np.int64)))


def _export_day(world: World, times: StepTimes) -> MarketDay | None:
    """The export price of its own file, published as the import price is."""
    table, grid = world.sources.export_prices, world.sources.export_grid
    if table is None or grid is None:
        return None
    billed, s = _series(world, table, times), world.settings
    issues = issue(billed, grid.history(times), times, s.n_steps, s.prices.published_local_hour)
    return MarketDay(billed, issues)


def _series(world: World, table: PriceTable, times: StepTimes) -> FloatArray:
    return table.series(int(times.utc_seconds[0]), world.settings.interval_minutes, times.count)

"""What the present step shows to controllers, looked up in the bank of days; in array form and as loops over worlds.

Symbols as in `envs.snapshot`: `B` worlds, `S` sites, `F` feeders, `P` tariffs, `E` events.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..snapshot import Outlook
from ..world.bank import DayTable, EventTable
from .state import StepTerms

Array = Any
"""NumPy's, or torch's where the torch back end runs."""


class Rows(NamedTuple):
    """Each world's row of the bank's series of that name, (B,)."""

    net_load_kw: Array
    net_load_forecast_kw: Array
    site_import_limit_kw: Array
    site_export_limit_kw: Array
    feeder_import_limit_kw: Array
    feeder_export_limit_kw: Array
    feeder_net_load_kw: Array
    feeder_net_load_forecast_kw: Array
    import_price: Array
    export_price: Array
    import_price_forecast: Array
    export_price_forecast: Array
    price_issue: Array
    price_known_until: Array
    emissions: Array
    emissions_forecast: Array
    emissions_issued: Array
    baseline_kw: Array
    expected_arrivals_kwh: Array


class Today(NamedTuple):
    """What a reset fixes for the day of each world, looked up once."""

    row: Rows
    typical_peak_kw: Array  # (B, S)
    demand_rate: Array  # (B, S)
    weekday: Array  # (B,) of step 0
    start_second: Array  # (B,)
    clock_shift_step: Array  # (B,)
    clock_shift_s: Array  # (B,)
    clock_changes: bool  # in some world
    events: EventTable


class Now(NamedTuple):
    """What a step fixes; prices, loads and emissions are those of the step that begins."""

    step: Array  # (B,) of an ended episode its last
    import_row: Array  # (B,) of the issued forecast, with the issues of all days in one table
    export_row: Array  # (B,)
    price_known_steps: Array  # (B,)
    seconds_of_day: Array  # (B,)
    weekday: Array  # (B,)
    arrivals_hour: Array  # (B,)
    net_load_kw: Array  # (B, S)
    feeder_net_load_kw: Array  # (B, F)
    import_price: Array  # (B, P)
    export_price: Array  # (B, P)
    emissions: Array  # (B, 1)
    event_known: Array  # (B, E)
    event_start: Array  # (B, E) relative to now
    event_end: Array  # (B, E) relative to now


def today_of(days: DayTable, day: Array) -> Today:
    """Look up the day of each world (B,)."""
    shift = days.clock_shift_step[day]
    return Today(
        row=Rows(*(getattr(days, name).row[day] for name in Rows._fields)),
        typical_peak_kw=days.typical_peak_kw[day],
        demand_rate=days.demand_rate[day],
        weekday=days.weekday[day],
        start_second=days.start_second[day],
        clock_shift_step=shift,
        clock_shift_s=days.clock_shift_s[day],
        clock_changes=bool((shift >= 0).any()),
        events=EventTable(*(column[day] for column in days.events)),
    )


def look_arrays(days: DayTable, today: Today, step: Array, terms: StepTerms) -> Now:
    """The present step by operators only, so that the arrays may be torch's."""
    row, seconds = today.row, round(terms.step_h * 3600)
    step = step - 1 * (step >= terms.n_steps)
    issue = _picked(days.price_issue.values, row.price_issue, step)
    known = _picked(days.price_known_until.values, row.price_known_until, issue) - step
    second = today.start_second + step * seconds
    if today.clock_changes:
        shift = today.clock_shift_step
        second = second + today.clock_shift_s * ((shift >= 0) & (step >= shift))
    return Now(
        step=step,
        import_row=row.import_price_forecast * days.import_price_forecast.values.shape[1] + issue,
        export_row=row.export_price_forecast * days.export_price_forecast.values.shape[1] + issue,
        price_known_steps=known * (known > 0),
        seconds_of_day=second % 86400,
        weekday=(today.weekday + second // 86400) % 7,
        arrivals_hour=step * seconds // 3600,
        net_load_kw=Outlook(days.net_load_kw.values, row.net_load_kw, step).now(),
        feeder_net_load_kw=Outlook(days.feeder_net_load_kw.values, row.feeder_net_load_kw, step).now(),
        import_price=Outlook(days.import_price.values, row.import_price, step).now(),
        export_price=Outlook(days.export_price.values, row.export_price, step).now(),
        emissions=Outlook(days.emissions.values, row.emissions, step).now(),
        event_known=today.events.notice_step <= step[:, None],
        event_start=today.events.start_step - step[:, None],
        event_end=today.events.end_step - step[:, None],
    )


def _picked(table: Array, row: Array, at: Array) -> Array:
    """`table[row, at]` (B,), in half the time."""
    return table.take(row * table.shape[1] + at)

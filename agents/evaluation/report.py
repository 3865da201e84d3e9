"""The report of an evaluation: pictures, the utility's tables as CSV, and one page that opens without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...envs.safety.projection import Reserve
from ...envs.world.scenario import Scenario
from ..flexibility import Flexibility
from ..report import write_text
from ..run import RunResult
from . import report_words as words
from .events import EventTotal, event_report, event_totals
from .flexibility import flexibility_of_day
from .plots import Picture, day_picture, flexibility_picture, money_pictures, recorded_runs, service_pictures
from .report_tables import events_table, figures_table, flexibility_table, timings_table
from .result import EvaluationResult

if TYPE_CHECKING:
    import pandas as pd

REPORT_FILE, FLEXIBILITY_FILE, EVENTS_FILE, PLOTS = "report.html", "flexibility.csv", "events.csv", "plots"
TEMPLATE = "report.html.j2"

SHOWN_FLEXIBLE = 2
"""Recorded days whose flexibility is drawn: the best controller's, and that of charging at once."""


class _Day(NamedTuple):
    """A recorded day, and what a utility could have asked for on it."""

    run: RunResult
    scenario: Scenario
    flexibility: Flexibility


class _Events(NamedTuple):
    """The events of a recorded day: rows by site and interval, and their sums."""

    rows: pd.DataFrame
    totals: list[EventTotal]


def write_report(
    result: EvaluationResult,
    folder: Path,
    recorded_days: Mapping[str, RunResult],
    event_days: Mapping[str, Sequence[RunResult]] | None = None,
) -> list[Path]:
    """Write `report.html`, `plots/*.png`, `flexibility.csv` and `events.csv`; returns their paths, the page first.

    Args:
        result: of the evaluation.
        folder: is made where it is missing.
        recorded_days: by controller, a day with its history: for pictures and flexibility.
        event_days: by controller, days with programme events and their histories; None: the recorded days.
    """
    runs = recorded_runs(result, recorded_days)
    days = [_day(result, run) for run in runs]
    on_events = runs if event_days is None else [run for of in event_days.values() for run in of]
    events = [_events(run) for run in on_events]
    pictures = {
        "money": list(money_pictures(result)),
        "service": list(service_pictures(result)),
        "days": [day_picture(run) for run in runs],
        "flexibility": [flexibility_picture(day.run, day.flexibility) for day in days[:SHOWN_FLEXIBLE]],
    }
    page = _page(_content(result, days, [total for day in events for total in day.totals], pictures))
    written = [write_text(page, folder / REPORT_FILE)]
    written += [picture.write(folder / PLOTS) for group in pictures.values() for picture in group]
    tables = {
        FLEXIBILITY_FILE: [_named(day.run.policy, day.flexibility.to_pandas(day.scenario)) for day in days],
        EVENTS_FILE: [day.rows for day in events],
    }
    return written + [write_text(_csv(parts), folder / name) for name, parts in tables.items() if parts]


def _day(result: EvaluationResult, run: RunResult) -> _Day:
    assert run.history is not None
    scenario, kept_back = run.history.day.scenario, result.settings.reserve if result.settings else None
    reserve = Reserve(kept_back.headroom_factor, kept_back.expected_arrivals_factor) if kept_back else None
    return _Day(run, scenario, flexibility_of_day(scenario, run.history.applied_kw, reserve))


def _events(run: RunResult) -> _Events:
    if run.history is None:
        raise ValueError(f"the run of {run.policy!r} has no history; run it with record=True")
    scenario = run.history.day.scenario
    rows = event_report(scenario, run.history.applied_kw)
    return _Events(_named(run.policy, rows), event_totals(run.policy, scenario, rows))


def _named(policy: str, table: pd.DataFrame) -> pd.DataFrame:
    table.insert(0, "policy", policy)
    return table


def _csv(parts: Sequence[pd.DataFrame]) -> str:
    import pandas as pd

    text: str = pd.concat(parts, ignore_index=True).to_csv(index=False, lineterminator="\n")
    return text


def _content(
    result: EvaluationResult, days: Sequence[_Day], totals: Sequence[EventTotal], pictures: Mapping[str, list[Picture]]
) -> dict[str, Any]:
    """What the template lays out."""
    runs = [day.run for day in days]
    shown = {group: [_embedded(picture) for picture in those] for group, those in pictures.items()}
    second = result.emergency if result.split != "emergency" else {}
    return {
        "title": words.title(result),
        "subtitle": words.subtitle(result),
        "answers": words.answers(result),
        "remarks": words.all_remarks(result),
        "headline_note": words.headline_note(result),
        "headline": figures_table("Every controller on the same days", result.headline, len(result.headline_days())),
        "emergency_note": words.emergency_note(result),
        "emergency": figures_table("Emergency", second, len(result.emergency_days())) if second else None,
        "charts": [*shown["money"], *shown["service"]],
        "day_note": words.day_note(runs),
        "days": shown["days"],
        "flexibility_note": words.FLEXIBILITY_NOTE,
        "flexibility": shown["flexibility"],
        "flexibility_table": flexibility_table(days[0].run.policy, *days[0][1:]) if days else None,
        "events_note": words.events_note(totals),
        "events": events_table(totals) if totals else None,
        "timings": timings_table(result),
        "facts": words.facts(result, runs),
    }


def _embedded(picture: Picture) -> dict[str, Any]:
    width, height = picture.size_px()
    return {
        "title": picture.title, "caption": picture.caption, "source": picture.embedded(), "width": width,
        "height": height,
    }  # fmt: skip


def _page(content: Mapping[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined

    text = (resources.files(__package__) / TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(text).render(content)

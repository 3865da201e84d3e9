"""What the report says in words: the answer first, then what every part shows and how it was made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from importlib import metadata
from typing import NamedTuple

from ..run import RunResult
from .events import EventTotal
from .outputs import remarks, warnings
from .plots_day import day_name
from .report_tables import number
from .result import OPTIMUM, REPLAYED, REPLAYED_COST, UNCONTROLLED, EvaluationResult


class Answer(NamedTuple):
    """One of the figures at the top of the page."""

    kind: str  # class of its style
    label: str
    value: str
    note: str


def title(result: EvaluationResult) -> str:
    """The heading of the page."""
    return f"{result.scenario}: what each controller costs"


def subtitle(result: EvaluationResult) -> str:
    """Which days, of what fleet."""
    days = [result.days[at] for at in result.headline_days()]
    first, last = min(day.date for day in days), max(day.date for day in days)
    span = _day(first) + (f" to {_day(last)}" if last > first else "")
    return (
        f"{result.ports} ports, {len(days)} days ({span}), steps of {result.interval_minutes} minutes, "
        f"split {result.split}, seed {result.request.seed}"
    )


def _day(when: date) -> str:
    return f"{when.day} {when:%B %Y}"


def _first_of(values: Sequence[str]) -> str:
    return values[0] + (f" (and {len(values) - 1} more)" if len(values) > 1 else "")


def answers(result: EvaluationResult) -> list[Answer]:
    """Charging at once, the best rule or controller, and the bound."""
    days = len(result.headline_days())
    cost = {name: (figures["net_cost_usd"] or 0.0) / days for name, figures in result.headline.items()}
    found = [
        Answer(
            "base", "charging at once", f"${number(cost[UNCONTROLLED], 2)} a day", "uncontrolled, net cost of the fleet"
        )
    ]
    for name in _best(result, cost):
        share = number(result.headline[name].get("captured_percent"), 1)
        found.append(Answer("", name, f"${number(cost[name], 2)} a day", f"captures {share} % of what can be saved"))
    bound, replayed = cost[OPTIMUM], (result.headline[OPTIMUM][REPLAYED_COST] or 0.0) / days
    gap = f"its plan in the simulator costs ${number(replayed, 2)}, ${number(replayed - bound, 2)} more"
    found.append(Answer("best", "nobody can go below", f"${number(bound, 2)} a day", gap))
    return found


def _best(result: EvaluationResult, cost: dict[str, float]) -> list[str]:
    """The two cheapest controllers beside the references."""
    others = [p.name for p in result.policies if not p.raw and p.name not in (UNCONTROLLED, OPTIMUM, REPLAYED)]
    return sorted(others, key=lambda name: cost[name])[:2]


def headline_note(result: EvaluationResult) -> str:
    """How to read the table."""
    emergency = "" if result.split == "emergency" else "; days with an import price above $1/kWh stand apart"
    return (
        f"Means over {len(result.headline_days())} days that are the same for all{emergency}. Captured: the share of "
        "the gap between charging at once and the perfect-foresight bound that is closed; below a figure its 95 % "
        "interval by paired bootstrap. Earned: what drivers pay less than by charging at once. Delivered: share of the "
        "energy that cars could have got. Met: share of the departures. Worst: what a single car lacked most. Kept "
        "out: energy of the cars that was kept out of the peaker hours. The bound has no physical figures, "
        f"{REPLAYED} is its plan in the simulator."
    )


def emergency_note(result: EvaluationResult) -> str:
    """How many days the second table stands for."""
    return f"{len(result.emergency_days())} days, in none of the figures above; terms as above."


def day_note(runs: list[RunResult]) -> str:
    """Which day is shown."""
    if not runs or runs[0].history is None:
        return ""
    scenario = runs[0].history.day.scenario
    return (
        f"{day_name(scenario.start)} under each controller: power stacked by car under the room that limits and base "
        "load leave, prices, and each car's state of charge while it is connected."
    )


def peaker_hours(runs: list[RunResult]) -> str:
    """The evening peak as local hours; empty where no day was recorded."""
    if not runs or runs[0].history is None:
        return ""
    first, last = runs[0].history.day.scenario.peaker_window_local_hours
    return f"{_clock(first)} to {_clock(last)} local time"


def _clock(hour: float) -> str:
    return f"{int(hour):02d}:{round(hour % 1 * 60):02d}"


FLEXIBILITY_NOTE = (
    "By how many kW the cars could have drawn less (down: a pause, or export) or more (up) from each moment on, and "
    "for how long. Every figure was rolled forward under the safety projection from what was known then, so "
    "departures, reserves and shared limits hold throughout; later arrivals are left out. Every step is in "
    "flexibility.csv."
)


def events_note(totals: Sequence[EventTotal]) -> str:
    """What the table of events shows, or why there is none."""
    if not totals:
        return "No programme event fell on these days."
    return (
        "All sites together: baseline (import without the cars plus the cars' baseline), metered import, delivered "
        "(baseline minus metered import, and where exports are paid, what was exported more). Below zero nothing is "
        "paid. Site by site and in intervals: events.csv."
    )


def all_remarks(result: EvaluationResult) -> list[str]:
    """What must not be overlooked, and what the tables do not say."""
    return [*warnings(result), *remarks(result)]


def facts(result: EvaluationResult, runs: list[RunResult]) -> list[tuple[str, str]]:
    """How to get the same again, and where it was made."""
    from ...configs.load import config_hash

    request = result.request
    files = request.files.given() if request.files else {}
    rows = [
        ("ebbflow", metadata.version("ebbflow")),
        ("scenario", request.scenario),
        ("settings changed", " ".join(request.overrides)),
        ("settings digest", config_hash(result.settings) if result.settings else ""),
        ("days", f"{len(result.days)}, the first is number {result.days[0].number}, drawn from {request.split}"),
        ("clusters of the bootstrap", str(len({day.cluster for day in result.days}))),
        ("peaker hours", peaker_hours(runs)),
        *((key.replace("_", " "), str(value)) for key, value in files.items()),
        *((key.replace("_", " "), _first_of(values)) for key, values in result.provenance.items()),
        *((key, str(value)) for key, value in result.machine.items()),
    ]
    return [(key, value) for key, value in rows if value]

"""What an evaluation found: every controller's ledger of every day, and the figures of their sums, typed and frozen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from ...envs.simulator import DayLedger
from ..days import DayRequest
from ..figures import Figures, figures

if TYPE_CHECKING:
    import pandas as pd

    from ...envs.world.settings import ScenarioSettings

UNCONTROLLED, OPTIMUM, REPLAYED = "uncontrolled", "optimum", "optimum_replayed"
REPLAYED_COST = "optimum_replayed_net_cost_usd"


@dataclass(frozen=True)
class EvaluatedDay:
    """One of the days on which all controllers were run."""

    number: int  # day `number` of (seed, split) is the same day in every evaluation
    date: date  # local, of the first step
    highest_import_price_usd_per_kwh: float
    emergency: bool  # an import price above 1 $/kWh; stands outside the headline
    cluster: str  # days of one cluster are drawn together by the bootstrap


@dataclass(frozen=True)
class PolicyDays:
    """What one controller made of the days.

    The ledgers stand in the order of `EvaluationResult.days`. Those of `optimum` hold the bound: its accounts, with
    `net_cost_usd` the bound itself, and NaN for every tally. `optimum_replayed` is the same plan in the simulator.
    """

    name: str
    ledgers: tuple[DayLedger, ...]
    raw: bool = False  # a reference that ran without projection
    replaced_requests: int = 0  # requests for which the rules had to step in, since the controller failed
    failure: str = ""  # the first failure, in words
    fallbacks: int | None = None  # decisions cut off by the controller's own limit; None: it has none

    def net_cost_usd(self) -> tuple[float, ...]:
        """Net cost of each day, dollars."""
        return tuple(ledger.net_cost_usd for ledger in self.ledgers)


@dataclass(frozen=True)
class Timing:
    """What a clock said of one controller: it repeats on no machine, and stands apart from all figures.

    `decision_ms_*` is the live path, one fleet at a time, by the wall clock; `decision_cpu_ms` the CPU time of a
    decided fleet when days run side by side (contracts 9); `cpu_s` all of its runs.
    """

    decision_ms_p50: float | None
    decision_ms_p99: float | None
    decision_cpu_ms: float | None
    cpu_s: float


@dataclass(frozen=True)
class EvaluationResult:
    """Every controller on the same days.

    `headline` and `emergency` hold the figures of contracts 9 by controller, in the order of `policies`: sums over
    the days of that kind unless the figure's name says otherwise, None where a figure has no meaning or no data.
    `emergency` is empty where no day is one. With split `emergency` the headline is those days.
    """

    scenario: str
    request: DayRequest
    split: str  # clean, misreport or emergency
    ports: int
    interval_minutes: int
    days: tuple[EvaluatedDay, ...]
    policies: tuple[PolicyDays, ...]  # as tables show them
    headline: dict[str, Figures]
    emergency: dict[str, Figures]
    timings: dict[str, Timing]
    machine: dict[str, Any]
    provenance: dict[str, list[str]] = field(default_factory=dict)
    settings: ScenarioSettings | None = None  # None: a saved day

    @property
    def names(self) -> tuple[str, ...]:
        """The controllers, as tables show them."""
        return tuple(policy.name for policy in self.policies)

    def policy(self, name: str) -> PolicyDays:
        """What one controller made of the days.

        Raises:
            ValueError: it was not evaluated.
        """
        found = next((policy for policy in self.policies if policy.name == name), None)
        if found is None:
            raise ValueError(f"policy {name!r} was not evaluated; there are {', '.join(self.names)}")
        return found

    @property
    def notes(self) -> dict[str, str]:
        """What a reader must know of some rows, by controller."""
        truth = "a lower bound and no controller: it knows the whole day"
        knows = f"{truth}, and when drivers truly leave" if self.split == "misreport" else truth
        raw = {policy.name: "runs without projection" for policy in self.policies if policy.raw}
        return {OPTIMUM: knows, REPLAYED: "the optimum's plan, sent through the projection"} | raw

    def headline_days(self) -> tuple[int, ...]:
        """Positions in `days` of those that the headline sums over."""
        every = self.split == "emergency"
        return tuple(at for at, day in enumerate(self.days) if every or not day.emergency)

    def emergency_days(self) -> tuple[int, ...]:
        """Positions in `days` of those with an import price above 1 $/kWh."""
        return tuple(at for at, day in enumerate(self.days) if day.emergency)

    def dearer_days(self, name: str, than: str) -> tuple[EvaluatedDay, ...]:
        """The days on which controller `name` costs more than controller `than`, by more than rounding (1e-6 $)."""
        pairs = zip(self.policy(name).ledgers, self.policy(than).ledgers, strict=True)
        return tuple(
            day
            for day, (mine, other) in zip(self.days, pairs, strict=True)
            if mine.net_cost_usd > other.net_cost_usd + 1e-6
        )

    def day_rows(self) -> Iterator[dict[str, Any]]:
        """A row per controller and day: which day, which controller, then the figures of `agents.figures`."""
        base, replayed = self.policy(UNCONTROLLED), self.policy(REPLAYED)
        for policy in self.policies:
            for at, (day, ledger) in enumerate(zip(self.days, policy.ledgers, strict=True)):
                row = figures_or_none([ledger], self.ports, [base.ledgers[at]])
                cost = replayed.ledgers[at].net_cost_usd if policy.name == OPTIMUM else None
                kind = "emergency" if day.emergency else self.split
                yield {
                    "day": day.number, "date": day.date.isoformat(), "split": kind, "policy": policy.name, **row,
                    REPLAYED_COST: cost,
                }  # fmt: skip

    def to_pandas(self) -> pd.DataFrame:
        """A table with a row per controller and day, columns as in `days.csv`; missing is NaN."""
        import pandas as pd

        return pd.DataFrame(list(self.day_rows()))

    def summary(self) -> pd.DataFrame:
        """The headline as a table: a row per controller, a column per figure; missing is NaN."""
        import pandas as pd

        table = pd.DataFrame.from_dict(self.headline, orient="index", dtype=float)
        return table.rename_axis("policy")

    def document(self) -> dict[str, Any]:
        """The evaluation as plain JSON values, keys as in contracts 9.

        All that a clock or a machine moves is under `machine` and `timings`.
        """
        from ...configs.load import config_hash

        files = self.request.files.given() if self.request.files else {}
        priced = files.get("prices") or files.get("export_prices")
        return {
            "scenario": self.scenario,
            "days": len(self.days),
            "seed": self.request.seed,
            "split": self.split,
            "first_day": self.request.first_day,
            "drawn_from": self.request.split,
            "headline_days": len(self.headline_days()),
            "emergency_days": len(self.emergency_days()),
            "price_days": len({day.date for day in self.days}) if priced else None,
            "clusters": len({day.cluster for day in self.days}),
            "ports": self.ports,
            "interval_minutes": self.interval_minutes,
            "config_hash": config_hash(self.settings) if self.settings else None,
            "files": files,
            "provenance": self.provenance,
            "notes": self.notes,
            "machine": self.machine,
            "timings": {name: asdict(timing) for name, timing in self.timings.items()},
            "policies": self.headline,
            "emergency": self.emergency,
        }

    def to_json(self) -> str:
        """`document()` as JSON text; missing is null."""
        from ..report import to_json

        return to_json(self.document())


def figures_or_none(ledgers: list[DayLedger], n_ports: int, uncontrolled: list[DayLedger]) -> Figures:
    """`agents.figures.figures`, with None also for what a bound does not tell."""
    values = figures(ledgers, n_ports, uncontrolled)
    return {name: None if value is None or math.isnan(value) else value for name, value in values.items()}

"""What an evaluation will do, checked before anything is run: the days, the controllers, the tasks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ...configs.load import unknown_name
from ...envs.gym.fleet import resolve_backend
from ...envs.world.scenario import Scenario
from ...envs.world.sources import ScenarioFiles
from ..days import SAVED, DayRequest, DrawnDays, draw_days
from ..policy import is_raw, pinned, policy_names
from ..rules import RULES
from ..rules.raw import raw_references
from ..run import BACKENDS
from .result import OPTIMUM, REPLAYED, UNCONTROLLED, EvaluatedDay
from .tasks import Task, make_policy

MISREPORT = "behaviour.misreport"
SPLITS = {"clean": f"{MISREPORT}=off", "misreport": f"{MISREPORT}=acn", "emergency": f"{MISREPORT}=off"}
"""What drivers say, by split; `emergency` keeps only the days of `clean` with a price above the mark."""

EMERGENCY_USD_PER_KWH = 1.0
DAYS = 200
CHUNK_DAYS, CHUNK_PORT_DAYS = 10, 500
"""Most days of a task, fewer in large fleets: few, so that a kill loses little, but enough to share a step's work."""

EVERYTHING = "all"
DEFAULT_POLICIES = (*RULES, "mpc")


@dataclass(frozen=True)
class Plan:
    """An evaluation that can be run."""

    request: DayRequest
    split: str
    drawn: DrawnDays  # every day
    days: tuple[EvaluatedDay, ...]
    policies: dict[str, str]  # by the name it is reported by, what tasks ask for; `optimum` left out
    raw: frozenset[str]  # names of those that run without projection
    backend: str

    def tasks(self) -> tuple[Task, ...]:
        """All tasks; the bound first, since everybody is checked against it, then who takes longest."""
        late = [name for name in self.policies.values() if name in RULES or name in self.raw]
        early = [name for name in self.policies.values() if name not in late]
        return tuple(self.task(name, chunk) for name in (OPTIMUM, *early, *late) for chunk in self._chunks())

    def task(self, policy: str, numbers: Sequence[int]) -> Task:
        """The task of a controller, as asked for, on the days of these numbers."""
        return Task(policy, replace(self.request, first_day=0, days=1), tuple(numbers), self.backend)

    def _chunks(self) -> list[tuple[int, ...]]:
        numbers = [day.number for day in self.days]
        size = min(CHUNK_DAYS, max(1, CHUNK_PORT_DAYS // self.drawn.scenarios[0].n_ports))
        return [tuple(numbers[at : at + size]) for at in range(0, len(numbers), size)]


def make_plan(
    request: DayRequest, days: int | None, split: str, policies: Iterable[str] | None, backend: str = "auto"
) -> Plan:
    """Check what was asked for and draw the days.

    Args:
        request: what days are drawn from, without what the split adds; its `days` is not looked at.
        days: how many; None: as many as a price file has dates, else 200.
        split: `clean`, `misreport` or `emergency`.
        policies: as asked for; None: every rule and `mpc`; `all`: the raw references too.
        backend: of the simulator.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: unknown scenario, setting, split or policy, settings that contradict the split, or no day of it.
    """
    asked = _with_split(request, split)
    backend = resolve_backend(backend)
    if backend not in BACKENDS:
        raise ValueError(unknown_name("back end", backend, ["auto", *BACKENDS]))
    named, raw = _policies(policies, request)
    asked = replace(asked, days=days if days is not None else _default_days(asked))
    drawn = draw_days(asked)
    numbers = range(asked.first_day, asked.first_day + asked.days)
    every = [
        describe_day(number, scenario, asked.files) for number, scenario in zip(numbers, drawn.scenarios, strict=True)
    ]
    kept = [at for at, day in enumerate(every) if split != "emergency" or day.emergency]
    _check_kept(every, kept, split)
    return Plan(
        request=asked,
        split=split,
        drawn=replace(drawn, scenarios=tuple(drawn.scenarios[at] for at in kept)),
        days=tuple(every[at] for at in kept),
        policies=named,
        raw=raw,
        backend=backend,
    )


def _with_split(request: DayRequest, split: str) -> DayRequest:
    if split not in SPLITS:
        raise ValueError(unknown_name("split", split, list(SPLITS)))
    if request.scenario.endswith(SAVED):
        if split == "misreport":
            raise ValueError(f"{request.scenario} is a saved day, in which drivers have spoken; evaluate it as clean")
        return request
    said = [text for text in request.overrides if text.replace(" ", "").startswith(f"{MISREPORT}=")]
    if said and said[-1].replace(" ", "") != SPLITS[split]:
        raise ValueError(f"--set {said[-1]} contradicts --split {split}; what drivers say follows from the split")
    return replace(request, overrides=(*request.overrides, SPLITS[split]))


def _default_days(request: DayRequest) -> int:
    if request.scenario.endswith(SAVED):
        return 1
    if not (request.files and (request.files.prices or request.files.export_prices)):
        return DAYS
    from ...envs.world.build import load_settings, price_dates

    return len(price_dates(load_settings(request.scenario, request.overrides), request.files))


def _policies(asked: Iterable[str] | None, request: DayRequest) -> tuple[dict[str, str], frozenset[str]]:
    """Policies as asked for by the name they are reported by, `uncontrolled` first; and which of them run raw."""
    references = tuple(raw_references(request.seed))
    usual = tuple(name for name in DEFAULT_POLICIES if name in policy_names())
    given = usual if asked is None else tuple(asked)
    wanted = [name for part in given for name in ((*usual, *references) if part == EVERYTHING else (part,))]
    named: dict[str, str] = {}
    raw = set()
    for name in dict.fromkeys([UNCONTROLLED, *wanted]):
        if name in (OPTIMUM, REPLAYED):  # always there
            continue
        policy = make_policy(name, request)
        if policy.name in (*named, OPTIMUM, REPLAYED):
            raise ValueError(f"two of the policies asked for have the name {policy.name!r}; give each its own")
        named[policy.name] = pinned(policy, name)
        if is_raw(policy):
            raw.add(policy.name)
    order = sorted(named, key=lambda name: name in raw)
    return {name: named[name] for name in order}, frozenset(raw)


def describe_day(number: int, scenario: Scenario, files: ScenarioFiles | None) -> EvaluatedDay:
    """What is said of a day: whether it is an emergency, and with which others the bootstrap draws it."""
    highest = float(scenario.import_price_usd_per_kwh[:, : scenario.n_steps].max())
    when = scenario.start.date()
    if files and (files.prices or files.export_prices):
        cluster = when.isoformat()
    elif files and files.sessions:
        cluster = scenario.provenance["behaviour"]  # names the days that the stays were taken from
    else:
        cluster = f"day {number}"
    return EvaluatedDay(number, when, highest, highest > EMERGENCY_USD_PER_KWH, cluster)


def _check_kept(every: Sequence[EvaluatedDay], kept: Sequence[int], split: str) -> None:
    mark = f"an import price above {EMERGENCY_USD_PER_KWH:g} $/kWh"
    if not kept:
        dearest = max(day.highest_import_price_usd_per_kwh for day in every)
        raise ValueError(f"none of the {len(every)} days has {mark} (the highest is {dearest:g}); ask for more --days")
    if split != "emergency" and all(day.emergency for day in every):
        raise ValueError(f"all of the {len(every)} days have {mark}; evaluate them with --split emergency")

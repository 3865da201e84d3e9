"""`ebbflow promote`: the challenger becomes champion only where common days show it no worse and no less safe."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...agents.bundle import BundlePolicy
from ...agents.days import DayRequest, DrawnDays, draw_days
from ...agents.evaluation.plan import describe_day
from ...agents.evaluation.result import EvaluatedDay
from ...agents.evaluation.statistics import Interval, difference, paired_interval
from ...agents.policy import Policy
from ...agents.rules import Uncontrolled
from ...agents.run import RunResult, run_days
from ...configs.messages import ConfigError
from ...envs.simulator import sum_of_days
from ...envs.world.scenario import Scenario
from .registry import CHALLENGER, CHAMPION, Version, crown, days_of, fetch, find
from .tracker import TrackingError

FIRST_DAY = 1_000_000
"""Validation days that no training chose its best network on."""

CHUNK_DAYS = 25

MARGIN_PERCENT = 1.0
"""The interval of the difference may reach this far, in per cent of what charging at once costs."""

SLACK = {
    "unserved_kwh": ("feasible_kwh", 1e-3),
    "missed_stays": ("served_stays", 2e-3),
    "overload_kwh": ("kwh_in", 1e-9),
}
"""How much more than the champion is still as safe: a share of something that the days are known by."""

CEILING = {"unserved_kwh": 2e-3, "missed_stays": 5e-3}
"""Above these shares of the same nothing more is let pass, or many promotions would add up."""


class RefusedError(ValueError):
    """A challenger that is worse or less safe than what it would replace."""


@dataclass(frozen=True)
class Side:
    """What one of the two made of the days.

    Args:
        name: what it is.
        net_cost_usd: of each day but emergencies, as in the headline of an evaluation.
        safety: the figures of `SLACK`, and `replaced_requests`.
        failure: in words; empty where there was none.
    """

    name: str
    net_cost_usd: tuple[float, ...]
    safety: dict[str, float]
    failure: str = ""

    @property
    def total_usd(self) -> float:
        """Of these days."""
        return sum(self.net_cost_usd)


@dataclass(frozen=True)
class Comparison:
    """Challenger and champion on the same days; where there is no champion, charging at once stands in.

    Args:
        more_usd: 95 % interval of what the challenger costs more, over all days.
        margin_usd: which its upper end may not pass.
        allowed: the most of each safety figure that is as safe.
    """

    challenger: Side
    champion: Side
    more_usd: Interval
    margin_usd: float
    allowed: dict[str, float]

    def reasons(self) -> list[str]:
        """Why the challenger must not be champion; empty where it may."""
        new, old = self.challenger, self.champion
        found = [f"{new.name} failed: {new.failure}"] if new.failure else []
        costs = f"{new.name} costs {new.total_usd:.2f} $ and {old.name} {old.total_usd:.2f} $"
        if new.total_usd > old.total_usd:
            found.append(f"worse: {costs} on the same days")
        elif self.more_usd.high is None or self.more_usd.high > self.margin_usd:
            high = "unknown" if self.more_usd.high is None else f"{self.more_usd.high:+.2f} $"
            found.append(f"not surely as good: {costs}, but the difference may be {high}; ask for more --days")
        for name, most in self.allowed.items():
            if new.safety[name] > most:
                found.append(f"less safe: {name} {new.safety[name]:g} against {old.safety[name]:g}")
        return found


def compare(challenger: Policy, champion: Policy, requests: Sequence[DayRequest], seed: int = 0) -> Comparison:
    """Play both on the same days.

    Args:
        challenger: whoever wants to be champion.
        champion: who is, or stands in.
        requests: days of one or more scenarios.
        seed: of the bootstrap.
    """
    sides: dict[str, list[RunResult]] = {"new": [], "old": [], "base": []}
    days: list[EvaluatedDay] = []
    for request in requests:
        for drawn in _chunks(request):
            days += [_named(request, len(days) + at, scenario) for at, scenario in enumerate(drawn.scenarios)]
            for side, policy in (("new", challenger), ("old", champion), ("base", Uncontrolled())):
                sides[side].append(run_days(drawn.scenarios, policy, reserve=drawn.reserve))
    counted = [at for at, day in enumerate(days) if not day.emergency] or list(range(len(days)))
    new, old, base = (_side(runs, counted) for runs in sides.values())
    costs = [np.array(new.net_cost_usd), np.array(old.net_cost_usd)]
    clusters = [days[at].cluster for at in counted]
    return Comparison(
        challenger=new,
        champion=old,
        more_usd=paired_interval(difference, costs, clusters, seed),
        margin_usd=0.01 * MARGIN_PERCENT * abs(base.total_usd),
        allowed=still_as_safe(old, _tallies(sides["old"])),
    )


def _chunks(request: DayRequest) -> list[DrawnDays]:
    starts = range(request.first_day, request.first_day + request.days, CHUNK_DAYS)
    end = request.first_day + request.days
    return [draw_days(replace(request, first_day=at, days=min(CHUNK_DAYS, end - at))) for at in starts]


def _named(request: DayRequest, number: int, scenario: Scenario) -> EvaluatedDay:
    day = describe_day(number, scenario, request.files)
    return replace(day, cluster=f"{request.scenario} {day.cluster}")


def _side(runs: Sequence[RunResult], counted: Sequence[int]) -> Side:
    days, tallies = [ledger for run in runs for ledger in run.ledgers], _tallies(runs)
    safety = {
        "unserved_kwh": tallies["unserved_kwh"],
        "missed_stays": tallies["served_stays"] - tallies["met_stays"],
        "overload_kwh": tallies["overload_kwh"],
        "replaced_requests": float(sum(run.replaced_requests for run in runs)),
    }
    failure = next((run.failure for run in runs if run.failure), "")
    return Side(runs[0].policy, tuple(days[at].net_cost_usd for at in counted), safety, failure)


def _tallies(runs: Sequence[RunResult]) -> Mapping[str, float]:
    return sum_of_days([ledger for run in runs for ledger in run.ledgers]).tallies


def still_as_safe(old: Side, tallies: Mapping[str, float]) -> dict[str, float]:
    """The most of each safety figure: a little more than the old one's, up to the ceiling, or its own beyond that.

    Args:
        old: whose figures are to be held.
        tallies: of its days.
    """
    allowed = dict(old.safety)
    for name, (whole, share) in SLACK.items():
        ceiling = CEILING.get(name, math.inf) * tallies[whole]
        allowed[name] = max(old.safety[name], min(old.safety[name] + share * tallies[whole], ceiling))
    return allowed


def promote(uri: str, name: str, days: int, say: Callable[[str], None]) -> Comparison | None:
    """Make the challenger champion if it is no worse and no less safe; None where it is champion already.

    Args:
        uri: of the store.
        name: of the registered model.
        days: on which both are played, of each scenario that one of them was trained on.
        say: told what happens.

    Raises:
        RefusedError: it is worse or less safe; says both numbers.
        TrackingError: the store does not answer, has no such model or no challenger.
    """
    challenger, champion = find(uri, name, CHALLENGER), find(uri, name, CHAMPION)
    if challenger is None:
        raise TrackingError(f"{name} has no {CHALLENGER}; `ebbflow train` registers one")
    if champion is not None and champion.number == challenger.number:
        say(f"{challenger} is {CHAMPION} already")
        return None
    new, old = _policy(uri, challenger, CHALLENGER), _rival(uri, champion, say)
    trained = dict.fromkeys(days_of(version) for version in (challenger, champion) if version is not None)
    asked = [replace(request, split="validation", first_day=FIRST_DAY, days=days) for request in trained]
    say(f"playing {challenger} and {old.name} on the same {days} days of {', '.join(r.scenario for r in asked)}")
    made = compare(new, old, asked)
    if why := made.reasons():
        raise RefusedError(f"{challenger} is not made {CHAMPION}:\n  " + "\n  ".join(why))
    if find(uri, name, CHAMPION) != champion:
        raise RefusedError(f"{name} got another {CHAMPION} meanwhile; compare again")
    crown(uri, challenger)
    return made


def _policy(uri: str, version: Version, name: str) -> Policy:
    return BundlePolicy(fetch(uri, version), name)


def _rival(uri: str, champion: Version | None, say: Callable[[str], None]) -> Policy:
    """Who is to be beaten; charging at once where there is no champion, or none that this program can run."""
    if champion is None:
        return Uncontrolled()
    try:
        return _policy(uri, champion, CHAMPION)
    except ConfigError as error:
        say(f"{champion} cannot be played, so charging at once stands in for it: {error}")
        return Uncontrolled()

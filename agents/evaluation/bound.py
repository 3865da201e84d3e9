"""The hard checks of an evaluation: nobody beats the optimum's bound on any day, and neglect does not pay in sum."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ...envs.simulator import DayLedger
from .result import OPTIMUM, EvaluatedDay, EvaluationResult

LEAST_USD, LEAST_SHARE = 1e-4, 1e-6
"""A bound is beaten by more than the greater of these dollars and this share of its own amount (contracts 6)."""


class BoundBeatenError(ValueError):
    """A controller costs less than the bound: bound or ledger is wrong, and no figure can be believed."""


class NeglectPaysError(ValueError):
    """A raw reference costs less in sum than a controller behind the projection: the ledger can be gamed.

    Args:
        message: which, and what both cost.
        result: the evaluation, complete.
    """

    def __init__(self, message: str, result: EvaluationResult) -> None:
        super().__init__(message)
        self.result = result


def check_references_last(result: EvaluationResult) -> None:
    """See that the raw references rank last on the sum of the days.

    Raises:
        NeglectPaysError: one of them does not.
    """
    cost = {name: figures["net_cost_usd"] or 0.0 for name, figures in result.headline.items()}
    raw = [policy.name for policy in result.policies if policy.raw]
    dearest, who = max((cost[name], name) for name in result.names if name not in raw)
    for name in raw:
        if cost[name] < dearest - max(LEAST_USD, LEAST_SHARE * abs(dearest)):
            raise NeglectPaysError(
                f"{name}, which runs without projection, costs {cost[name]:.2f} $ in sum and {who} {dearest:.2f} $: "
                "neglect pays on these days, so no ranking by cost can be believed",
                result,
            )


class BoundCheck:
    """Compares each controller with the bound as soon as both are known.

    Args:
        days: all days.
        raw: the references that run without projection, for which the bound does not hold.
    """

    def __init__(self, days: Sequence[EvaluatedDay], raw: Collection[str]) -> None:
        self._days = {day.number: day for day in days}
        self._raw = raw
        self._bound: dict[int, float] = {}
        self._costs: dict[int, dict[str, float]] = {day.number: {} for day in days}

    def add(self, ledgers: Mapping[str, Sequence[DayLedger]], numbers: Sequence[int]) -> None:
        """Take in what a task found on the days of these numbers.

        Raises:
            BoundBeatenError: a controller costs less than the bound.
        """
        for name, of_days in ledgers.items():
            for number, ledger in zip(numbers, of_days, strict=True):
                if name == OPTIMUM:
                    self._bound[number] = ledger.net_cost_usd
                elif name not in self._raw:
                    self._costs[number][name] = ledger.net_cost_usd
        for number in numbers:
            self._check(number)

    def _check(self, number: int) -> None:
        bound = self._bound.get(number)
        if bound is None:
            return
        for name, cost in self._costs[number].items():
            if cost < bound - max(LEAST_USD, LEAST_SHARE * abs(bound)):
                when = self._days[number].date.isoformat()
                raise BoundBeatenError(
                    f"day {number} ({when}): {name} costs {cost!r} $, less than the optimum's bound of {bound!r} $, "
                    "which no controller behind the projection can; bound or ledger is wrong, so the evaluation stops"
                )

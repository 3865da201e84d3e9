"""Programme payments, floored at 0 per event, as the line that stands for them in a linear programme.

`rate max(0, X)` is convex as a payment, so a minimisation cannot hold it. Where the sign of the performance `X` is
settled it is a line; where it is not, the chord between the least and the largest `X` bounds it from above.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .costs import Costs
from .layout import Layout
from .problem import Problem

Array = NDArray[Any]


class Side(Enum):
    """What is assumed of an event's performance."""

    PAID = "paid"  # the payment is taken as `rate X`, also below 0: never more than what is paid
    UNPAID = "unpaid"  # no payment: never more either
    OPEN = "open"  # the chord: never less than what is paid


@dataclass(frozen=True)
class Payments:
    """The events of a problem as lines."""

    rate_usd_per_kwh: Array  # (E,)
    so_far_kwh: Array  # (E,)
    least_kwh: Array  # (E,) performance whatever is planned, with what came before the window
    most_kwh: Array  # (E,)

    def sides(self) -> tuple[Side, ...]:
        """What is settled from the start."""
        return tuple(
            Side.PAID if least >= 0 else Side.UNPAID if most <= 0 else Side.OPEN
            for least, most in zip(self.least_kwh, self.most_kwh, strict=True)
        )

    def lines(self, sides: tuple[Side, ...]) -> tuple[Array, Array]:
        """Slope in $/kWh and intercept in $ of each event's payment over the window, as lines in `X`."""
        slope, intercept = np.zeros(len(sides)), -self.rate_usd_per_kwh * np.maximum(self.so_far_kwh, 0.0)
        for event, side in enumerate(sides):
            rate, least, most = self.rate_usd_per_kwh[event], self.least_kwh[event], self.most_kwh[event]
            if side is Side.PAID:
                slope[event] = rate
            elif side is Side.OPEN:
                slope[event] = rate * most / (most - least)
                intercept[event] -= slope[event] * least
        return slope, intercept

    def excess_usd(self, sides: tuple[Side, ...], performance_kwh: Array) -> Array:
        """How much more each line pays at that performance than the programme would `(E,)`."""
        slope, intercept = self.lines(sides)
        return np.asarray(slope * performance_kwh + intercept - self.payment_usd(performance_kwh))

    def payment_usd(self, performance_kwh: Array) -> Array:
        """What the programme pays over the window `(E,)`."""
        paid = np.maximum(performance_kwh, 0.0) - np.maximum(self.so_far_kwh, 0.0)
        return np.asarray(self.rate_usd_per_kwh * paid)


def payments_of(problem: Problem, layout: Layout) -> Payments:
    """The payments, with the range of each performance by what the meters can reach."""
    s, e, powers, h = problem.sites, problem.events, layout.powers, problem.step_h
    ends = []
    for net in (powers.most_net_kw, powers.least_net_kw):
        moved = net - s.net_load_kw
        moved_import = np.maximum(net, 0.0) - np.maximum(s.net_load_kw, 0.0)
        by_kind = np.stack([(h * (s.baseline_kw - m)).sum(0) for m in (moved_import, moved)])
        until = np.concatenate([np.zeros((2, 1)), np.cumsum(by_kind, axis=1)], axis=1)
        kind = e.pays_export.astype(int)
        ends.append(e.so_far_kwh + until[kind, e.to_step] - until[kind, e.from_step])
    return Payments(e.rate_usd_per_kwh, e.so_far_kwh, *ends)


def line_costs(costs: Costs, payments: Payments, sides: tuple[Side, ...]) -> tuple[Array, float]:
    """Cost of the columns `(n,)` and constant in $, all accounts together, with the payments as lines."""
    slope, intercept = payments.lines(sides)
    cost = costs.usd.sum(0) - slope @ costs.kwh
    constant = costs.constant_usd.sum() - (slope * costs.constant_kwh + intercept).sum()
    return cost, float(constant)

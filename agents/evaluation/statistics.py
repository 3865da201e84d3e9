"""Shares and intervals: what the sums over the same days say, and how sure one may be of it.

Intervals are percentile intervals of a paired bootstrap over clusters of days: a day drawn again is drawn for every
controller at once, and days that share their prices are drawn together (contracts 6). Measured on synthetic days of
known truth, 95 % intervals cover it in 94.7 % of 2,000 evaluations of 200 moderately skewed days, and in 86 to 93 %
with 20 to 35 clusters of very skewed ones, so that the intervals of few price-days are somewhat narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray

from ..figures import Figures
from .result import OPTIMUM, REPLAYED, REPLAYED_COST, UNCONTROLLED, PolicyDays, figures_or_none

Array = NDArray[Any]

LEVEL = 0.95
RESAMPLES = 9_999
BATCH = 1_000
STREAM = 0x424F4F54
"""Keeps the bootstrap's draws apart from the days' own random streams."""

LEAST_GAP_USD = 1e-6
"""Where charging at once is no dearer than the optimum by this much, a share of the gap has no meaning."""


class Interval(NamedTuple):
    """Bounds between which the figure lies with confidence `LEVEL`; None where too few days tell."""

    low: float | None
    high: float | None


UNKNOWN = Interval(None, None)


def captured_percent(uncontrolled_usd: Array, policy_usd: Array, optimum_usd: Array, axis: int = -1) -> Array:
    """100 (U - P) / (U - O) of the sums along `axis`; NaN where charging at once is as cheap as the optimum."""
    gap = uncontrolled_usd.sum(axis) - optimum_usd.sum(axis)
    saved = uncontrolled_usd.sum(axis) - policy_usd.sum(axis)
    share: Array = 100.0 * saved / np.where(gap > LEAST_GAP_USD, gap, np.nan)
    return share


def difference(first_usd: Array, second_usd: Array, axis: int = -1) -> Array:
    """What the first sum is more than the second."""
    more: Array = first_usd.sum(axis) - second_usd.sum(axis)
    return more


def paired_interval(
    statistic: Callable[..., Array], columns: Sequence[Array], clusters: Sequence[str], seed: int
) -> Interval:
    """Interval of a statistic of paired columns, by bootstrap over clusters of days.

    Args:
        statistic: of as many arrays as there are columns, and an `axis` along which it sums.
        columns: figures of the same days, `(D,)` each.
        clusters: the cluster of each day, `(D,)`.
        seed: the same seed gives the same interval; one seed draws the same days for every controller.
    """
    from scipy.stats import DegenerateDataWarning, bootstrap

    by_cluster = [_sums(column, clusters) for column in columns]
    if len(by_cluster[0]) < 2:
        return UNKNOWN
    rng = np.random.default_rng([seed, STREAM])
    with catch_warnings():
        simplefilter("ignore", DegenerateDataWarning)  # resamples of days without any car have no share
        drawn = bootstrap(
            by_cluster, statistic, paired=True, vectorized=True, n_resamples=RESAMPLES, batch=BATCH,
            method="percentile", rng=rng,
        ).bootstrap_distribution  # fmt: skip
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return UNKNOWN
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def _sums(column: Array, clusters: Sequence[str]) -> Array:
    """The column summed by cluster, clusters in the order of their first day."""
    place = {name: at for at, name in enumerate(dict.fromkeys(clusters))}
    index = np.array([place[name] for name in clusters], np.int64)
    return np.bincount(index, weights=np.asarray(column, float), minlength=len(place))


def figures_of(
    policies: Sequence[PolicyDays], days: Sequence[int], clusters: Sequence[str], n_ports: int, seed: int
) -> dict[str, Figures]:
    """Figures of every controller over some of the days, with shares and intervals.

    Args:
        policies: `uncontrolled`, `optimum` and `optimum_replayed` among them.
        days: positions of the days to sum over.
        clusters: the cluster of each of those days.
        n_ports: ports of the fleet.
        seed: of the bootstrap.
    """
    if not days:
        return {}
    ledgers = {p.name: [p.ledgers[at] for at in days] for p in policies}
    cost = {name: np.array([ledger.net_cost_usd for ledger in of]) for name, of in ledgers.items()}
    result = {}
    for policy in policies:
        name = policy.name
        plain = figures_or_none(ledgers[name], n_ports, ledgers[UNCONTROLLED])
        shares = _shares(cost[UNCONTROLLED], cost[name], cost[OPTIMUM], clusters, seed)
        replayed = float(cost[REPLAYED].sum()) if name == OPTIMUM else None
        stepped_in: Figures = {"replaced_requests": policy.replaced_requests, "fallbacks": policy.fallbacks}
        result[name] = plain | shares | {REPLAYED_COST: replayed} | (stepped_in if name != OPTIMUM else _NONE)
    return result


_NONE: Figures = {"replaced_requests": None, "fallbacks": None}


def _shares(base: Array, cost: Array, optimum: Array, clusters: Sequence[str], seed: int) -> Figures:
    """Share of the gap that is captured, what is saved, and the intervals of both and of the cost."""
    share = float(captured_percent(base, cost, optimum))
    captured = paired_interval(captured_percent, [base, cost, optimum], clusters, seed)
    saved = paired_interval(difference, [base, cost], clusters, seed)
    total = paired_interval(lambda usd, axis=-1: usd.sum(axis), [cost], clusters, seed)
    return {
        "captured_percent": None if np.isnan(share) else share,
        "captured_percent_low": captured.low,
        "captured_percent_high": captured.high,
        "net_cost_usd_low": total.low,
        "net_cost_usd_high": total.high,
        "saved_usd": float(difference(base, cost)),
        "saved_usd_low": saved.low,
        "saved_usd_high": saved.high,
        "saved_percent": 100.0 * float(difference(base, cost)) / float(base.sum()) if base.sum() > 0 else None,
    }

"""Packed days of drawn fleets, made here or by processes in the background.

Days are not kept on disk: reading one back takes as long as drawing it, 3 to 7 ms for 25 ports.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ...agents.evaluation.engines import start_worker
from ...envs.safety.projection import Reserve
from ...envs.world.bank import Bank, pack
from ...envs.world.build import build_scenario
from ...envs.world.settings import ScenarioSettings
from .fleets import Distribution, draw_fleet

FOLDER = Path("runs/fleets")
"""Where drawn tariffs and markets are written."""


@dataclass(frozen=True)
class Fleet:
    """A fleet to train on."""

    settings: ScenarioSettings
    bank: Bank
    reserve: Reserve  # what its projection keeps back


@dataclass(frozen=True)
class _Order:
    distribution: Distribution
    seed: int
    number: int
    days: int
    folder: Path


def drawn_fleets(
    distribution: Distribution,
    *,
    seed: int,
    fleets: int,
    days: int,
    folder: Path = FOLDER,
    workers: int = 0,
) -> Iterator[Fleet]:
    """Fleets of a seed in the order of their numbers, each as soon as it and those before it are drawn.

    Args:
        distribution: what they are drawn from.
        seed: of fleets and days; a second run gives the same.
        fleets: how many.
        days: of each, of the split `train`; no two fleets share one.
        folder: where drawn tariffs and markets are written; the fleets' settings name these files.
        workers: processes that draw while the caller does something else; 0: the caller draws.

    Raises:
        ValueError: fewer than one fleet or day, or an unknown preset or override.
    """
    if fleets < 1 or days < 1:
        raise ValueError(f"{fleets} fleets of {days} days; give at least one of each")
    orders = [_Order(distribution, seed, number, days, folder.absolute()) for number in range(fleets)]
    return map(_fill, orders) if workers == 0 else _in_background(orders, workers)


def _in_background(orders: list[_Order], workers: int) -> Iterator[Fleet]:
    import multiprocessing

    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=start_worker)
    # Begun before the first is asked for.
    made = pool.map(_fill, orders)

    def each() -> Iterator[Fleet]:
        try:
            yield from made
        finally:
            pool.shutdown(cancel_futures=True)

    return each()


def _fill(order: _Order) -> Fleet:
    settings = draw_fleet(order.distribution, order.seed, order.number, order.folder)
    first = order.number * order.days
    scenarios = [
        build_scenario(settings, seed=order.seed, day=day, split="train") for day in range(first, first + order.days)
    ]
    kept_back = settings.reserve
    reserve = Reserve(kept_back.headroom_factor, kept_back.expected_arrivals_factor)
    return Fleet(settings, pack(scenarios, "float32"), reserve)

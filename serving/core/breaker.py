"""The circuit breaker of the policy: open after failures in a row, closed after clean cycles in shadow."""

from __future__ import annotations

from typing import NamedTuple

from .settings import BreakerSettings


class Breaker(NamedTuple):
    """Counts only, so that it can be kept and replayed."""

    failures: int = 0  # in a row
    clean: int = 0  # in shadow, in a row
    is_open: bool = False


def after_cycle(breaker: Breaker, failed: bool, settings: BreakerSettings) -> Breaker:
    """The breaker after the policy was asked once, whether or not its answer was used."""
    if breaker.is_open:
        clean = 0 if failed else breaker.clean + 1
        return Breaker() if clean >= settings.clean_cycles else Breaker(breaker.failures, clean, True)
    failures = breaker.failures + 1 if failed else 0
    return Breaker(failures, 0, failures >= settings.failures)

"""The back ends of the simulator behind one protocol, loaded by name when used."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from ..ledger import Account, MoneyTerms
from ..world.bank import Bank, DayTable
from .state import StepTerms, WorldState

Array = Any
"""NumPy's, or torch's where the torch back end runs."""

_MIN_WORLDS_PER_THREAD = 32
"""Below it, handing work to a thread costs more than it saves."""


class Engine(Protocol):
    """Steps the worlds; states go in and come out, so that a back end may replace or overwrite them."""

    days: DayTable  # the bank's days, as arrays of the back end

    def prepare(self, state: WorldState) -> WorldState:
        """Bring a blank state to where the engine computes."""
        ...

    def begin(self, state: WorldState, worlds: Array, days: Array) -> WorldState:
        """Start days in worlds."""
        ...

    def advance(self, state: WorldState, setpoint_kw: Any) -> tuple[WorldState, Any]:
        """One step; returns the new state and the dollars by account (B, A)."""
        ...


def make_engine(backend: str, bank: Bank, money: MoneyTerms, terms: StepTerms, threads: int, device: str) -> Engine:
    """The engine of `backend`.

    Raises:
        ValueError: no such back end.
    """
    if backend == "numba":
        return CompiledEngine(bank, money, terms, threads)
    if backend in ("numpy", "torch"):
        from .arrays import ArrayEngine

        return ArrayEngine(bank, money, terms, backend, device)
    raise ValueError(f"back end is {backend!r}; choose one of numpy, numba, torch")


class CompiledEngine:
    """Numba loops over worlds, in place; threads share the worlds (the loops release the GIL)."""

    def __init__(self, bank: Bank, money: MoneyTerms, terms: StepTerms, threads: int) -> None:
        from .compiling import Direct
        from .kernels import advance, begin

        self._advance, self._begin = Direct(advance), begin
        self._bank, self._money, self._terms = bank, money, terms
        self.days = bank.days
        self._team = Team(threads)

    def prepare(self, state: WorldState) -> WorldState:
        self._change = np.zeros((state.day.shape[0], len(Account)), self._bank.dtype)
        return state

    def begin(self, state: WorldState, worlds: Array, days: Array) -> WorldState:
        self._begin(worlds, days, self._bank.days, state)
        return state

    def advance(self, state: WorldState, setpoint_kw: Any) -> tuple[WorldState, Any]:
        setpoints = np.ascontiguousarray(setpoint_kw, self._bank.dtype)
        change = self._change

        def part(lo: int, hi: int) -> None:
            self._advance(self, lo, hi, self._bank.days, state, self._money, self._terms, setpoints, change)

        self._team.share(part, state.day.shape[0])
        return state, change


class Team:
    """A few threads that share a range of worlds; made afresh in a forked child, where threads do not survive."""

    def __init__(self, threads: int) -> None:
        self.threads = max(1, threads)
        self._pool: ThreadPoolExecutor | None = None
        self._pid = -1

    def __getstate__(self) -> dict[str, Any]:
        return {"threads": self.threads, "_pool": None, "_pid": -1}

    def share(self, work: Any, count: int) -> None:
        """Call `work(lo, hi)` over `count` items, in parallel where that pays."""
        parts = min(self.threads, max(1, count // _MIN_WORLDS_PER_THREAD))
        if parts == 1:
            work(0, count)
            return
        if self._pool is None or self._pid != os.getpid():
            self._pool, self._pid = ThreadPoolExecutor(self.threads - 1), os.getpid()
        edges = [count * i // parts for i in range(parts + 1)]
        waiting = [self._pool.submit(work, lo, hi) for lo, hi in pairwise(edges[1:])]
        work(edges[0], edges[1])
        for job in waiting:
            job.result()

"""The back ends of the simulator behind one protocol, loaded by name when used."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..ledger import Account, MoneyTerms
from ..snapshot import require_shape
from ..world.bank import Bank, DayTable
from .state import StepTerms, WorldState
from .team import Team, team_of

Array = Any
"""NumPy's, or torch's where the torch back end runs."""


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


def make_engine(
    backend: str, bank: Bank, money: MoneyTerms, terms: StepTerms, threads: int | Team, device: str
) -> Engine:
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

    def __init__(self, bank: Bank, money: MoneyTerms, terms: StepTerms, threads: int | Team) -> None:
        from .compiling import Direct
        from .kernels import advance, begin

        self._advance, self._begin = Direct(advance), begin
        self._bank, self._money, self._terms = bank, money, terms
        self.days = bank.days
        self._team = team_of(threads)

    def prepare(self, state: WorldState) -> WorldState:
        self._change = np.zeros((state.day.shape[0], len(Account)), self._bank.dtype)
        return state

    def begin(self, state: WorldState, worlds: Array, days: Array) -> WorldState:
        self._begin(worlds, days, self._bank.days, state)
        return state

    def advance(self, state: WorldState, setpoint_kw: Any) -> tuple[WorldState, Any]:
        setpoints = np.ascontiguousarray(setpoint_kw, self._bank.dtype)
        require_shape("setpoint_kw", setpoints, state.ports.soc.shape)
        change = self._change

        def part(lo: int, hi: int) -> None:
            ports = np.empty(setpoints.shape[1], np.int64)
            self._advance(self, lo, hi, self._bank.days, state, self._money, self._terms, setpoints, change, ports)

        self._team.share(part, state.day.shape[0])
        return state, change

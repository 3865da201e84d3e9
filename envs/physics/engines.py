"""The back ends of the simulator behind one protocol, loaded by name when used."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..ledger import Account, MoneyTerms
from ..snapshot import require_shape
from ..world.bank import Bank, DayTable
from .layout import layout_of
from .now import Now, Today
from .state import StepTerms, WorldState
from .team import Team, team_of

Array = Any
"""NumPy's, or torch's where the torch back end runs."""


class Engine(Protocol):
    """Steps the worlds; states go in and come out, so that a back end may replace or overwrite them."""

    days: DayTable  # the bank's days, as arrays of the back end
    layout: object  # one for all engines whose snapshots hold arrays of the same types

    def prepare(self, state: WorldState) -> WorldState:
        """Bring a blank state to where the engine computes."""
        ...

    def begin(self, state: WorldState, worlds: Array, days: Array) -> WorldState:
        """Start days in worlds."""
        ...

    def advance(self, state: WorldState, setpoint_kw: Any) -> tuple[WorldState, Any]:
        """One step; returns the new state and the dollars by account (B, A)."""
        ...

    def look(self, state: WorldState, today: Today) -> Now:
        """What the present step shows; of a step that waits in a sweep (`Team.sweep`), what will be known after it."""
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
        from .compiling import direct
        from .kernels import advance, begin
        from .now_kernels import look

        self._advance, self._begin, self._look = direct(advance), direct(begin), direct(look)
        self._bank, self._money, self._terms = bank, money, terms
        self.days, self.layout = bank.days, layout_of(bank.days, money, terms)
        self._step_s, self._tariffs = round(terms.step_h * 3600), bank.days.import_price.values.shape[1]
        self._team = team_of(threads)

    def prepare(self, state: WorldState) -> WorldState:
        self._change = np.zeros((state.day.shape[0], len(Account)), self._bank.dtype)
        return state

    def begin(self, state: WorldState, worlds: Array, days: Array) -> WorldState:
        chosen, wanted = np.ascontiguousarray(worlds, np.int64), np.ascontiguousarray(days, np.int64)
        self._begin(self.layout, chosen, wanted, self._bank.days, state)
        return state

    def advance(self, state: WorldState, setpoint_kw: Any) -> tuple[WorldState, Any]:
        setpoints = np.ascontiguousarray(setpoint_kw, self._bank.dtype)
        require_shape("setpoint_kw", setpoints, state.ports.soc.shape)
        change = self._change

        def part(lo: int, hi: int) -> None:
            ports = np.empty(setpoints.shape[1], np.int64)
            self._advance(
                self.layout, lo, hi, self.days, state, self._money, self._terms, setpoints, change, ports
            )  # fmt: skip

        self._team.share(part, state.day.shape[0])
        return state, change

    def look(self, state: WorldState, today: Today) -> Now:
        worlds, events = len(state.step), today.events.start_step.shape

        def whole(*shape: int) -> Array:
            return np.empty(shape, np.int64)

        def number(*shape: int) -> Array:
            return np.empty(shape, self._bank.dtype)

        now = Now(
            step=whole(worlds), import_row=whole(worlds), export_row=whole(worlds), price_known_steps=whole(worlds),
            seconds_of_day=whole(worlds), weekday=whole(worlds), arrivals_hour=whole(worlds),
            net_load_kw=number(*state.peak_kw.shape), feeder_net_load_kw=number(*state.feeder_cars_kw.shape),
            import_price=number(worlds, self._tariffs), export_price=number(worlds, self._tariffs),
            emissions=number(worlds, 1), event_known=np.empty(events, bool), event_start=whole(*events),
            event_end=whole(*events),
        )  # fmt: skip

        def part(lo: int, hi: int) -> None:
            self._look(self.layout, lo, hi, self.days, today, state.step, self._step_s, self._terms.n_steps, now)

        self._team.share(part, worlds)
        return now

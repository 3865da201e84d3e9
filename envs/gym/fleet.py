"""The loop that every adapter turns: snapshot, encode, action to power, projection, physics, ledger.

One batch of `B` worlds; the Gymnasium env is `B = 1`. Nothing here depends on Gymnasium.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..action import requested_power
from ..encoding import Observation, make_encoder
from ..ledger import Account, Tally
from ..physics.team import Team
from ..safety.projection import Reserve, make_projector
from ..simulator import Simulator
from ..snapshot import Snapshot
from ..world.bank import Bank

Array = NDArray[Any]

ACCOUNTS = tuple(account.name.lower() for account in Account)
"""The ledger's dollar accounts (contracts 4), in the order of the columns of `Step.change_usd`."""

TALLIES = tuple(tally.name.lower() for tally in Tally)
"""Its physical accounts and counts."""


class Step(NamedTuple):
    """What one step did; the arrays are the caller's own."""

    change_usd: Array  # (B, A) by account, cost positive
    requested_kw: Array  # (B, N) what the action asked for
    applied_kw: Array  # (B, N) what the projection let through
    clipped_kw: Array  # (B,) how hard it acted: the sum over ports of |applied - requested|
    done: Array  # (B,) settled at the end of the episode
    observation: Observation  # after the step, of an ended episode its last


def resolve_backend(backend: str) -> str:
    """`auto` is the compiled back end where Numba is installed, otherwise NumPy."""
    if backend != "auto":
        return backend
    return "numba" if find_spec("numba") is not None else "numpy"


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Fleet:
    """A batch of worlds behind the projection.

    Args:
        n_worlds: worlds run side by side, `B`.
        backend: `auto`, `numba` or `numpy`.
        reserve: what the projection keeps back for the unknown; None: its default.
        threads: threads that share the worlds (`numba` only).

    Raises:
        ValueError: unknown back end.
    """

    simulator: Simulator

    def __init__(
        self, n_worlds: int, *, backend: str = "auto", reserve: Reserve | None = None, threads: int = 1
    ) -> None:
        self.backend, self.n_worlds = resolve_backend(backend), n_worlds
        self.reserve, self._team = reserve, Team(threads)
        self._encoder = make_encoder(self.backend, threads=self._team)
        self._projector = make_projector(self.backend, reserve, threads=self._team)
        self._snapshot: Snapshot | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What a running fleet is, without the compiled code: that is found again."""
        running = getattr(self, "simulator", None)
        kept = {
            "n_worlds": self.n_worlds,
            "backend": self.backend,
            "reserve": self.reserve,
            "threads": self._team.threads,
        }
        return {"settings": kept, "running": running and (running.bank, running.state)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state["settings"])  # type: ignore[misc]
        if state["running"] is not None:
            bank, worlds = state["running"]
            self.play(bank)
            _write_over(self.simulator.state, worlds)

    def play(self, bank: Bank) -> None:
        """Play days of `bank` from now on; `start` them next."""
        current = getattr(self, "simulator", None)
        if current is None or current.bank is not bank:
            self.simulator = Simulator(bank, self.n_worlds, backend=self.backend, threads=self._team)

    def start(self, days: Sequence[int] | Array, worlds: Array | None = None) -> None:
        """Start `days[i]` in world `worlds[i]`, by default in all worlds."""
        self.simulator.reset(days, worlds)
        self._snapshot = None

    @property
    def snapshot(self) -> Snapshot:
        """What a controller may know now; views that the next step changes."""
        if self._snapshot is None:
            self._snapshot = self.simulator.snapshot()
        return self._snapshot

    def observe(self, out: Observation | None = None) -> Observation:
        """Encode the present snapshot, into `out` where given, otherwise into fresh arrays."""
        return self._encoder.encode(self.snapshot, out)

    def step(self, action: Array, out: Observation | None = None) -> Step:
        """Turn shares (B, N) into power, project it, advance every world by one step and look, into `out` if given."""
        before = self.snapshot
        if self.backend == "numpy":  # its powers are then float64, whatever the policy computes in
            action = np.asarray(action, np.float64)
        with self._team.sweep(self.n_worlds):
            requested = requested_power(before, action, self.backend, self._team)
            applied = self._projector.project(before, requested).applied_kw
            clipped = self._clipped(requested, applied)
            change = self.simulator.step(applied)
            self._snapshot = self.simulator.snapshot()
            observation = self._encoder.encode(self._snapshot, out)
        return Step(np.array(change), requested, applied, clipped, self.simulator.done, observation)

    def _clipped(self, requested: Array, applied: Array) -> Array:
        """What `Step.clipped_kw` says, once the sweep is done."""
        clipped = np.empty(self.n_worlds, applied.dtype)

        def part(lo: int, hi: int) -> None:
            moved = applied[lo:hi] - requested[lo:hi]
            clipped[lo:hi] = row_sums(np.abs(moved, out=moved))

        self._team.share(part, self.n_worlds)
        return clipped

    def ledgers(self, worlds: Array) -> dict[str, Array]:
        """Accounts, `net_cost_usd` and tallies so far of the given worlds, by name, each `(len(worlds),)`."""
        state = self.simulator.state
        usd, tallies = np.asarray(state.accounts, float)[worlds], np.asarray(state.tallies, float)[worlds]
        columns = dict(zip(ACCOUNTS, usd.T, strict=True))
        columns["net_cost_usd"] = usd.sum(axis=1)
        return columns | dict(zip(TALLIES, tallies.T, strict=True))


def row_sums(values: Array) -> Array:
    """Sum of each row, several times faster than `sum(axis=1)` where rows are short."""
    return np.asarray(np.einsum("br->b", values))


def _write_over(target: Any, source: Any) -> None:
    """Copy arrays in nested tuples into others of the same shapes."""
    if isinstance(target, np.ndarray):
        target[...] = source
        return
    for inner, values in zip(target, source, strict=True):
        _write_over(inner, values)

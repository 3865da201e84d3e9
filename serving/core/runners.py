"""Asking a policy within a time limit: terminated when it is late, never abandoned.

A graph is ended by ONNX Runtime's own flag. Any other policy runs in a process of its own, which can be killed; no
thread can.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from ...agents.policy import Policy
from ...envs.action import requested_power
from ...envs.encoding import CONTEXT_FIELDS, PORT_FIELDS, Observation, make_encoder
from ...envs.snapshot import Snapshot
from ..messages.answer import ModelId
from ..messages.request import DispatchRequest

if TYPE_CHECKING:
    from ...agents.bundle import Bundle

Array = Any


class PolicyTimeout(Exception):
    """The policy was not done in time and was ended."""


class Proposal(NamedTuple):
    """What a policy asks for, as it was; (N,)."""

    request_kw: Array  # may hold NaN
    unusual: Array  # cars whose readings lie outside what the policy was trained on
    note: str = ""  # what else should be told of it


class Runner(Protocol):
    """A policy that can be asked within a time limit."""

    @property
    def model(self) -> ModelId:
        """Which policy it is."""
        ...

    def ask(self, request: DispatchRequest, snapshot: Snapshot, limit_s: float) -> Proposal:
        """What the policy asks for.

        Raises:
            PolicyTimeout: it was not done within `limit_s`.
            Exception: whatever else went wrong; the cycle goes on by the rules.
        """
        ...


class InlineRunner:
    """A policy of ours that is known to end soon, asked in this thread: rules, and doubles in tests.

    Args:
        policy: which.
        model: by what it is reported; None: by its name.
    """

    def __init__(self, policy: Policy, model: ModelId | None = None) -> None:
        self._policy, self.model = policy, model or ModelId(policy.name)

    def ask(self, request: DispatchRequest, snapshot: Snapshot, limit_s: float) -> Proposal:
        """See `Runner`; the limit is looked at when the policy has ended."""
        began = time.perf_counter()
        asked = one_world(self._policy.act(snapshot), snapshot)
        if time.perf_counter() - began > limit_s:
            raise PolicyTimeout(f"took longer than {limit_s:g} s")
        return Proposal(asked, np.zeros(snapshot.n_ports, bool))


MOST_NAMED = 4
"""Fields that a note names."""


class _Run(threading.Thread):
    """One run of a graph, which somebody waits for no longer than he likes."""

    def __init__(self, work: Callable[[], Array]) -> None:
        super().__init__(name="policy", daemon=True)
        self._work = work
        self._made: Array = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._made = self._work()
        except BaseException as error:
            self._error = error

    def result(self) -> Array:
        """What it made; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._made


class BundleRunner:
    """A bundle's graph on one thread, ended by ONNX Runtime's terminate flag.

    The runtime looks at the flag between two operators. Nobody waits for the one that runs: the answer is given by the
    rules, and the graph is asked again when it has ended.

    Args:
        bundle: verified.
        range_margin: share of a trained range's width by which a number may lie outside.
    """

    def __init__(self, bundle: Bundle, range_margin: float) -> None:
        from ...agents.bundle import BundlePolicy

        manifest = bundle.manifest
        self._policy, self._encoder = BundlePolicy(bundle), make_encoder("numpy")
        self.model = ModelId(self._policy.name, manifest.run_id, bundle.digest)
        ranges = manifest.training_ranges
        self._ending: threading.Thread | None = None
        self._ports, self._context = (_bounds(names, ranges, range_margin) for names in (PORT_NAMES, CONTEXT_NAMES))

    def ask(self, request: DispatchRequest, snapshot: Snapshot, limit_s: float) -> Proposal:
        """See `Runner`."""
        began = time.perf_counter()
        seen = self._encoder.encode(snapshot)
        action = self._run(seen, snapshot, limit_s - (time.perf_counter() - began), limit_s)
        return Proposal(one_world(requested_power(snapshot, action), snapshot), *self._unusual(seen))

    def _run(self, seen: Observation, snapshot: Snapshot, left_s: float, limit_s: float) -> Array:
        from onnxruntime import RunOptions

        if left_s <= 0.0:
            raise PolicyTimeout(f"the observation alone took longer than {limit_s:g} s")
        if self._ending is not None and self._ending.is_alive():
            raise PolicyTimeout("it is still being ended")
        options = RunOptions()
        run = _Run(lambda: self._policy.action(seen, snapshot, options))
        run.start()
        run.join(left_s)
        if run.is_alive():
            options.terminate = True
            self._ending = run
            raise PolicyTimeout(f"ended after {limit_s:g} s")
        return run.result()

    def _unusual(self, seen: Observation) -> tuple[Array, str]:
        """Cars outside the trained ranges, and in what; where the fleet's own numbers are, all."""
        here = np.asarray(seen.mask[0]) > 0
        fleet = _outside(np.asarray(seen.context[0]), self._context)
        cars = _outside(np.asarray(seen.ports[0]), self._ports) & here[:, None]
        told = [CONTEXT_NAMES[at] for at in np.flatnonzero(fleet)]
        most = np.argsort(-cars.sum(0), kind="stable")
        told += [f"{PORT_NAMES[at]} ({cars[:, at].sum()} of {here.sum()} cars)" for at in most if cars[:, at].any()]
        note = f"outside the trained ranges: {', '.join(told[:MOST_NAMED])}" if told else ""
        return here if fleet.any() else cars.any(axis=1), note


def _names(fields: Any) -> list[str]:
    return [field.name if field.width == 1 else f"{field.name}.{at}" for field in fields for at in range(field.width)]


PORT_NAMES, CONTEXT_NAMES = _names(PORT_FIELDS), _names(CONTEXT_FIELDS)


def _bounds(names: list[str], ranges: Any, margin: float) -> tuple[Array, Array]:
    nothing = (-np.inf, np.inf)
    low, high = (np.array(side) for side in zip(*(ranges.get(name, nothing) for name in names), strict=True))
    room = np.where(np.isfinite(low), margin * (high - low), 0.0)
    return low - room, high + room


def _outside(rows: Array, bounds: tuple[Array, Array]) -> Array:
    """Which numbers lie outside the bounds of their column."""
    low, high = bounds
    outside: Array = (rows < low - 1e-6) | (rows > high + 1e-6)
    return outside


def one_world(request_kw: Any, snapshot: Snapshot) -> Array:
    """A policy's answer for one world as a row of numbers.

    Raises:
        ValueError: it has another shape.
    """
    asked = np.asarray(request_kw, dtype=float)
    if asked.shape != (1, snapshot.n_ports):
        raise ValueError(f"answered in shape {asked.shape}; it must be (1, {snapshot.n_ports})")
    return asked[0]

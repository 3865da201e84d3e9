"""The learned policy as it is served: the encoder, the ONNX graph on one thread, the decoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...configs.messages import ConfigError
from ...envs.action import requested_power
from ...envs.encoding import Observation, make_encoder
from ...envs.snapshot import Snapshot
from .format import Bundle, load_bundle

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions

Array = NDArray[Any]


class BundlePolicy:
    """Plays a bundle on any number of ports, sites and feeders; what `decide` takes.

    With `numpy` it observes in the snapshot's own precision, float64 in evaluation and service; the graph runs in
    float32.

    Args:
        bundle: verified, or the folder of one.
        name: by what it is reported.
        backend: who encodes and decodes: `numpy`, as in service, or `numba`, for many fleets at once.

    Raises:
        FileNotFoundError: there is no such folder.
        ConfigError: see `load_bundle`; or the graph cannot be run.
    """

    def __init__(self, bundle: Bundle | str | Path, name: str = "learned", backend: str = "numpy") -> None:
        self.name, self._backend = name, backend
        self.bundle = bundle if isinstance(bundle, Bundle) else load_bundle(bundle)
        self._encoder = make_encoder(backend)
        self._session = open_session(self.bundle.model, str(self.bundle.folder))

    @property
    def pinned(self) -> str:
        """What to ask `find_policy` for to get this very bundle."""
        return f"{self.name}={self.bundle.folder.resolve()}#{self.bundle.digest}"

    def reset(self) -> None:
        """Nothing is remembered between steps."""

    def act(self, snapshot: Snapshot) -> Array:
        """The requested kW (B, N)."""
        seen = self._encoder.encode(snapshot)
        return np.asarray(requested_power(snapshot, self.action(seen, snapshot), self._backend), float)

    def action(self, seen: Observation, snapshot: Snapshot, options: RunOptions | None = None) -> Array:
        """The graph's answer (B, N) in [-1, 1] to an observation of `snapshot`."""
        return run_graph(self._session, seen, *groups_of(snapshot), options)

    def __reduce__(self) -> tuple[Any, ...]:
        return BundlePolicy, (self.bundle, self.name, self._backend)


def open_session(model: bytes, source: str) -> InferenceSession:
    """A session on the CPU with one thread that sleeps when it has nothing to do.

    Spinning threads slow their neighbours many times over (onnxruntime issue 13808).

    Raises:
        ConfigError: onnxruntime refuses the graph.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 4  # whatever is wrong is raised
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's error types share no base of their own
        raise ConfigError(f"{source}: onnxruntime cannot run the graph: {error}") from None


def groups_of(snapshot: Snapshot) -> tuple[Array, Array, int]:
    """Site of each port (N,), feeder of each site (S,), and number of feeders."""
    feeders = snapshot.feeders.net_load_kw.shape[1]
    return np.asarray(snapshot.port_site, np.int64), np.asarray(snapshot.sites.feeder, np.int64), feeders


def run_graph(
    session: InferenceSession,
    seen: Observation,
    port_site: Array,
    site_feeder: Array,
    n_feeders: int,
    options: RunOptions | None = None,
) -> Array:
    """One run of a graph with the inputs of `graph.INPUTS`; `options.terminate` ends it, with an error."""
    feed = {name: np.asarray(part, np.float32) for name, part in zip(Observation._fields, seen, strict=True)}
    feed |= {"port_site": port_site, "site_feeder": site_feeder, "feeders": np.zeros(n_feeders, np.int64)}
    (action,) = session.run(["action"], feed, options)
    return np.asarray(action)

"""Whether a graph answers here as it should: onnxruntime beside ONNX's own reference in NumPy, on adversarial fleets.

That the graph equals the network that it was made from was proved at export, by torch; this proves that this machine's
onnxruntime computes the graph.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ...agents.bundle import Bundle
from ...agents.bundle.policy import open_session, run_graph
from ...configs.messages import ConfigError
from ...envs.encoding import CONTEXT_FIELDS, PORT_FIELDS, Observation, bounds

Array = Any

SHAPES = ((1, 1, 1), (25, 25, 1), (25, 1, 1), (60, 20, 3))
"""Ports, sites and feeders of the fleets."""

TIMED_PORTS, TIMES = 100, 20


class Proof(NamedTuple):
    """What was found."""

    fleets: int
    worst: float  # greatest difference of an action in [-1, 1]
    tolerance: float
    ms_100: float  # for 100 ports, median


class Case(NamedTuple):
    """A fleet as a graph sees it."""

    seen: Observation
    port_site: Array
    site_feeder: Array
    n_feeders: int


def prove(bundle: Bundle) -> Proof:
    """Compare, and time the graph.

    Raises:
        ConfigError: the answers differ by more than the manifest's tolerance, or are no numbers in [-1, 1].
    """
    session, reference = open_session(bundle.model, str(bundle.folder)), _reference(bundle)
    tolerance, worst, fleets = bundle.manifest.parity.tolerance, 0.0, 0
    for case in cases(np.random.default_rng(0)):
        ours, theirs = run_graph(session, *case), reference(case)
        if not np.isfinite(ours).all() or np.abs(ours).max() > 1.0:
            raise ConfigError("the graph answers outside [-1, 1] or no number; it is not deployed")
        apart = float(np.abs(ours - theirs).max())
        if not apart <= tolerance:
            raise ConfigError(
                f"onnxruntime is {apart:g} away from ONNX's reference on this machine, and {tolerance:g} is let pass; "
                "it is not deployed"
            )
        worst, fleets = max(worst, apart), fleets + 1
    timed = _case(np.random.default_rng(1), (TIMED_PORTS, 1, 1), 0.5)
    return Proof(fleets, worst, tolerance, _milliseconds(session, timed))


def _reference(bundle: Bundle) -> Any:
    import onnx
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(onnx.load_model_from_string(bundle.model))

    def answer(case: Case) -> Array:
        feed = {name: part.astype(np.float32) for name, part in case.seen._asdict().items()}
        groups = {"port_site": case.port_site, "site_feeder": case.site_feeder}
        feed |= groups | {"feeders": np.zeros(case.n_feeders, np.int64)}
        with np.errstate(all="ignore"):
            (action,) = evaluator.run(["action"], feed)
        return np.asarray(action)

    return answer


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Fleets drawn anywhere within the observation's bounds, at its corners, and with nobody there."""
    for shape in SHAPES:
        for spread in (0.5, 1.0, 0.0):
            yield _case(rng, shape, spread)


def _case(rng: np.random.Generator, shape: tuple[int, int, int], spread: float) -> Case:
    """A fleet; `spread` 1: every number at a bound, 0: nobody is there, else anywhere."""
    ports, sites, feeders = shape
    mask = (rng.random((1, ports)) < 0.8) & (spread > 0.0)
    tokens, context = _drawn(rng, (1, ports), PORT_FIELDS, spread), _drawn(rng, (1,), CONTEXT_FIELDS, spread)
    seen = Observation(*(np.asarray(part, np.float32) for part in (tokens * mask[..., None], context, mask)))
    port_site = np.arange(ports) if ports == sites else rng.integers(sites, size=ports)
    return Case(seen, port_site.astype(np.int64), rng.integers(feeders, size=sites), feeders)


def _drawn(rng: np.random.Generator, rows: tuple[int, ...], fields: Any, spread: float) -> Array:
    low, high = (np.array(side) for side in bounds(fields))
    place = rng.random((*rows, len(low)))
    return low + (high - low) * (np.round(place) if spread == 1.0 else place)


def _milliseconds(session: Any, case: Case) -> float:
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        run_graph(session, *case)
        taken.append(time.perf_counter() - began)
    return 1000.0 * float(np.median(taken))

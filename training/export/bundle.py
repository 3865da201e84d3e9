"""A network's bundle: graph, parity, training ranges and manifest, written when all of it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replace_in
from importlib import metadata
from pathlib import Path

import numpy as np

from ...agents.bundle.format import Bundle, check_free, write_bundle
from ...agents.bundle.manifest import Manifest
from ...agents.days import DayRequest, draw_days
from ...configs.load import preset_names
from ...envs.encoding import observation_hash
from ...envs.world.scenario import Scenario
from ...envs.world.sources import ScenarioFiles
from ..policy.network import SetNetwork
from ..policy.torch_policy import TorchPolicy
from .graph import network_to_onnx
from .observations import Seen, adversarial, recorded
from .parity import TOLERANCE, prove_parity
from .ranges import training_ranges

MAKERS = ("ebbflow", "torch", "onnx", "onnxscript", "onnxruntime", "numpy")
RANGE_DAYS, PRESET_DAYS = 16, 4
"""Days of each training scenario that the ranges are taken from, and of each preset that parity is proved on."""


@dataclass(frozen=True)
class Origin:
    """Where a network comes from, as its manifest tells it.

    Args:
        trained_on: presets or settings files; their training days give the ranges.
        overrides: settings of theirs, `dotted.key=value` each.
        files: real data that it was trained with.
        days: training days, one sequence per fleet; taken for the ranges in place of days drawn from `trained_on`.
        run_id: of the training run.
        settings_hash: of the run's resolved settings.
        evaluation: figures by scenario.
    """

    trained_on: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    files: ScenarioFiles | None = None
    days: Sequence[Sequence[Scenario]] = field(default=(), repr=False)
    run_id: str = ""
    settings_hash: str = ""
    evaluation: dict[str, dict[str, float | None]] = field(default_factory=dict)


def export_network(
    network: SetNetwork,
    folder: str | Path,
    origin: Origin | None = None,
    *,
    tolerance: float = TOLERANCE,
    replace: bool = False,
) -> Bundle:
    """Write a network's bundle once its graph has answered like it on recorded and adversarial observations.

    Args:
        network: the network; it is not changed.
        folder: where to; see `write_bundle`.
        origin: what the manifest tells.
        tolerance: greatest difference of an action between graph and network.
        replace: put it in the place of a bundle that is there.

    Returns:
        The bundle.

    Raises:
        ParityError: the graph answers unlike the network; nothing is written.
        ValueError: the folder holds something else, or a scenario of `origin` cannot be drawn.
    """
    check_free(Path(folder), replace)
    origin, policy = origin or Origin(), TorchPolicy(network)
    model = network_to_onnx(network)
    of_training = [seen for days in _training_days(origin) for seen in recorded(days, policy)]
    presets = {
        f"days of {name}": recorded(_days(DayRequest(name, days=PRESET_DAYS)), policy)
        for name in preset_names("scenarios")
    }
    cases = [("days of training", seen) for seen in of_training]
    cases += [(kind, seen) for kind, every in presets.items() for seen in every]
    manifest = Manifest(
        observation_hash=observation_hash(),
        trained_on=origin.trained_on,
        run_id=origin.run_id,
        settings_hash=origin.settings_hash,
        versions={name: metadata.version(name) for name in MAKERS},
        parity=prove_parity(network, model, _all(cases), tolerance),
        training_ranges=training_ranges(of_training) if of_training else {},
        evaluation=origin.evaluation,
    )
    return write_bundle(folder, model, manifest, replace=replace)


def _all(cases: list[tuple[str, Seen]]) -> Iterable[tuple[str, Seen]]:
    yield from cases
    yield from adversarial(np.random.default_rng(0))


def _training_days(origin: Origin) -> Iterable[Sequence[Scenario]]:
    if origin.days:
        return origin.days
    asked = (DayRequest(name, origin.overrides, days=RANGE_DAYS, files=origin.files) for name in origin.trained_on)
    return [_days(request) for request in asked]


def _days(request: DayRequest) -> Sequence[Scenario]:
    return draw_days(replace_in(request, split="train")).scenarios

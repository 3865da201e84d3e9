"""A network's bundle: graph, parity, training ranges and manifest, written when all of it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np

from ...agents.bundle.format import Bundle, check_free, write_bundle
from ...agents.bundle.manifest import Manifest
from ...agents.days import DayRequest, draw_days
from ...configs.load import preset_names
from ...envs.encoding import observation_hash
from ...envs.world.scenario import Scenario
from ..policy.network import SetNetwork
from ..policy.torch_policy import TorchPolicy
from .graph import network_to_onnx
from .observations import Seen, adversarial, recorded
from .parity import TOLERANCE, prove_parity
from .ranges import training_ranges

MAKERS = ("ebbflow", "torch", "onnx", "onnxscript", "onnxruntime", "numpy")
PRESET_DAYS = 4
"""Days of each preset that parity is proved on."""


@dataclass(frozen=True)
class Origin:
    """Where a network comes from, as its manifest tells it.

    Args:
        trained_on: presets or settings files.
        days: training days, one sequence per fleet, which give the ranges.
        run_id: of the training run.
        settings_hash: of the run's resolved settings.
        evaluation: figures by scenario.
    """

    trained_on: tuple[str, ...] = ()
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
        ValueError: the folder holds something else, or the network cannot be played.
    """
    check_free(Path(folder), replace)
    origin, policy = origin or Origin(), TorchPolicy(network)
    model = network_to_onnx(network)
    of_training = [recorded(days, policy) for days in origin.days]
    presets = {
        f"days of {name}": recorded(draw_days(DayRequest(name, days=PRESET_DAYS, split="train")).scenarios, policy)
        for name in preset_names("scenarios")
    }
    cases = [("days of training", seen) for fleet in of_training for seen in fleet]
    cases += [(kind, seen) for kind, every in presets.items() for seen in every]
    manifest = Manifest(
        observation_hash=observation_hash(),
        trained_on=origin.trained_on,
        run_id=origin.run_id,
        settings_hash=origin.settings_hash,
        versions={name: metadata.version(name) for name in MAKERS},
        parity=prove_parity(network, model, _all(cases), tolerance),
        training_ranges=training_ranges(of_training),
        evaluation=origin.evaluation,
    )
    return write_bundle(folder, model, manifest, replace=replace)


def _all(cases: list[tuple[str, Seen]]) -> Iterable[tuple[str, Seen]]:
    yield from cases
    yield from adversarial(np.random.default_rng(0))

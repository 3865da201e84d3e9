"""From a bundle on the disk to a runner; a bundle that cannot be used leaves the service on its rules."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...configs.messages import ConfigError
from ..core.runners import BundleRunner, Runner
from ..core.settings import ServingSettings


class Model(NamedTuple):
    """A policy that is ready to be asked.

    Args:
        runner: asks it.
        card: what `/v1/model` tells of it beside its identity.
    """

    runner: Runner
    card: dict[str, Any]


def load_model(place: str, settings: ServingSettings) -> Model:
    """A bundle's policy.

    Args:
        place: folder of the bundle, or FOLDER#DIGEST to take no other.
        settings: of the service.

    Raises:
        FileNotFoundError: there is no such folder.
        ConfigError: see `agents.bundle.load_bundle`; or onnxruntime is not installed.
    """
    from ...agents.bundle import load_bundle

    folder, _, digest = place.partition("#")
    bundle = load_bundle(folder, digest or None)
    try:
        runner = BundleRunner(bundle, settings.gates.range_margin)
    except ImportError as error:
        raise ConfigError(f"a bundle needs {error.name}; install ebbflow[serve]") from None
    told = bundle.manifest.model_dump(mode="json", exclude={"parity"})
    return Model(runner, told)

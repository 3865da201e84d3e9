"""A store and bundles that are made once."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from ebbflow.agents.bundle import Manifest, Parity, write_bundle
from ebbflow.agents.bundle.graph import INPUTS, OUTPUTS
from ebbflow.agents.days import DayRequest
from ebbflow.envs.encoding import observation_hash
from ebbflow.training.tracking.store import connect, tracking_uri

HOMES = DayRequest("home-texas", ("ports=3", "interval_minutes=60"))
MakeBundle = Callable[[str, float], Path]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a server that is not there once."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture(scope="session")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A sqlite store of MLflow."""
    address = tracking_uri(f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")
    assert address is not None
    connect(address)
    return address


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> MakeBundle:
    """A maker of bundles: a name, and the share of its power that every car asks for, always."""
    below = tmp_path_factory.mktemp("bundles")

    def make(name: str, share: float) -> Path:
        manifest = Manifest(
            observation_hash=observation_hash(),
            versions={name: metadata.version(name) for name in ("onnx", "onnxruntime", "numpy")},
            parity=Parity(tolerance=1e-3, worst={"none": 0.0}, observations={"none": 1}),
            training_ranges={},
        )
        write_bundle(below / name, graph(share), manifest)
        return below / name

    return make


def graph(share: float) -> bytes:
    """An ONNX graph that answers `share` for every car."""
    constant = numpy_helper.from_array(np.array(share, np.float32), "share")
    node = helper.make_node("Mul", ["mask", "share"], ["action"])
    made = helper.make_graph([node], "policy", _values(INPUTS), _values(OUTPUTS), [constant])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


def _values(axes: dict[str, Any]) -> list[Any]:
    kinds = {"FLOAT": TensorProto.FLOAT, "INT64": TensorProto.INT64}
    return [helper.make_tensor_value_info(name, kinds[one.type], one.shape) for name, one in axes.items()]

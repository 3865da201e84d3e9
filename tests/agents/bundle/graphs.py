"""Small graphs with the inputs of a bundle, made by hand, without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from ebbflow.agents.bundle import Manifest, Parity
from ebbflow.agents.bundle.graph import INPUTS, OUTPUTS
from ebbflow.envs.encoding import PORT_WIDTH, observation_hash


def graph(*extra: Any, operator: str = "Mul", inputs: Any = None, initializers: Any = ()) -> Any:
    """Every car charges at a share that is its state of charge: action = mask x ports[..., 0]."""
    first = numpy_helper.from_array(np.eye(PORT_WIDTH, 1, dtype=np.float32), "first")
    axis = numpy_helper.from_array(np.array([2]), "axis")
    nodes = [
        helper.make_node("MatMul", ["ports", "first"], ["column"]),
        helper.make_node("Squeeze", ["column", "axis"], ["share"]),
        helper.make_node(operator, ["share", "mask"], ["action"]),
        *extra,
    ]
    made = helper.make_graph(nodes, "policy", _values(inputs or INPUTS), _values(OUTPUTS), [first, axis, *initializers])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def model(*extra: Any, **arguments: Any) -> bytes:
    return bytes(graph(*extra, **arguments).SerializeToString())


def manifest(**changes: Any) -> Manifest:
    parity = Parity(tolerance=1e-4, worst={"days": 1e-6}, observations={"days": 3})
    facts = {"observation_hash": observation_hash(), "versions": {"ebbflow": "0.1.0"}, "training_ranges": {}}
    return Manifest(**{"parity": parity, **facts, **changes})


def _values(axes: Any) -> list[Any]:
    kinds = {"FLOAT": TensorProto.FLOAT, "INT64": TensorProto.INT64}
    return [helper.make_tensor_value_info(name, kinds[one.type], one.shape) for name, one in axes.items()]

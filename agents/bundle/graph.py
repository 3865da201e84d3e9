"""What a bundle's graph may hold: named inputs, arithmetic, no control flow, nothing that lies in another file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ...configs.messages import ConfigError
from ...envs.encoding import CONTEXT_WIDTH, PORT_WIDTH

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto


class Axes(NamedTuple):
    """Type of an input or output and its axes; a text names a free one."""

    type: str
    shape: tuple[int | str, ...]


INPUTS = {
    "ports": Axes("FLOAT", ("B", "N", PORT_WIDTH)),
    "context": Axes("FLOAT", ("B", CONTEXT_WIDTH)),
    "mask": Axes("FLOAT", ("B", "N")),
    "port_site": Axes("INT64", ("N",)),
    "site_feeder": Axes("INT64", ("S",)),
    "feeders": Axes("INT64", ("F",)),
}
"""Observation, site of each port, feeder of each site; of `feeders` the length alone counts."""

OUTPUTS = {"action": Axes("FLOAT", ("B", "N"))}

OPERATORS = frozenset({
    "Abs", "Add", "And", "Atan", "Cast", "Ceil", "Clip", "Concat", "Constant", "ConstantOfShape", "CumSum", "Div",
    "Equal", "Erf", "Exp", "Expand", "Floor", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm", "Greater",
    "GreaterOrEqual", "Identity", "IsNaN", "LayerNormalization", "Less", "LessOrEqual", "Log", "MatMul", "Max",
    "Mean", "Min", "Mul", "Neg", "Not", "Or", "Pow", "Range", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin",
    "ReduceSum", "Relu", "Reshape", "Round", "ScatterElements", "ScatterND", "Shape", "Sigmoid", "Sign", "Size",
    "Slice", "Softmax", "Softplus", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "TopK", "Transpose",
    "Unsqueeze", "Where",
})  # fmt: skip
"""Arithmetic that ends; no loops or branches, no custom operators, nothing random."""


def check_graph(model: bytes, source: str) -> None:
    """Refuse a graph that is not what a bundle holds.

    Raises:
        ConfigError: no ONNX graph, other inputs or outputs, an operator that is not on the list, or data outside.
    """
    import onnx

    try:
        proto = onnx.load_model_from_string(model)
    except Exception as error:  # protobuf's own error types
        raise ConfigError(f"{source}: no ONNX graph ({type(error).__name__}); export the policy again") from None
    _check_content(proto, source)
    _check_values(proto.graph, source)


def _check_content(proto: ModelProto, source: str) -> None:
    if proto.functions or proto.training_info or proto.graph.sparse_initializer:
        raise ConfigError(f"{source}: holds functions, training graphs or sparse tensors; a bundle has none")
    foreign = {f"{node.domain}:{node.op_type}" for node in proto.graph.node if node.domain not in ("", "ai.onnx")}
    unknown = {node.op_type for node in proto.graph.node} - OPERATORS
    if refused := sorted(foreign | unknown):
        raise ConfigError(f"{source}: operators {', '.join(refused)} are not among those that a bundle may hold")
    if any(a.HasField("g") or a.graphs for node in proto.graph.node for a in node.attribute):
        raise ConfigError(f"{source}: holds a graph inside an operator; a bundle has none")
    tensors = [*proto.graph.initializer, *_constants(proto)]
    for tensor in tensors:
        if tensor.data_location or tensor.external_data:
            raise ConfigError(f"{source}: tensor {tensor.name!r} lies in another file; a bundle's graph holds its own")


def _constants(proto: ModelProto) -> Iterator[TensorProto]:
    for node in proto.graph.node:
        for attribute in node.attribute:
            yield from ([attribute.t] if attribute.HasField("t") else [])
            yield from attribute.tensors


def _check_values(graph: GraphProto, source: str) -> None:
    for kind, values, expected in (("input", graph.input, INPUTS), ("output", graph.output, OUTPUTS)):
        found = {value.name: value.type.tensor_type for value in values}
        if found.keys() != expected.keys():
            raise ConfigError(f"{source}: {kind}s are {', '.join(found)}; they must be {', '.join(expected)}")
        for name, axes in expected.items():
            shape = tuple(dim.dim_value or "free" for dim in found[name].shape.dim)
            wanted = tuple(dim if isinstance(dim, int) else "free" for dim in axes.shape)
            if _type_name(found[name].elem_type) != axes.type or shape != wanted:
                raise ConfigError(
                    f"{source}: {kind} {name} is {_type_name(found[name].elem_type)} {shape}; "
                    f"it must be {axes.type} {wanted}"
                )


def _type_name(number: int) -> str:
    import onnx

    return str(onnx.TensorProto.DataType.Name(number)) if number in onnx.TensorProto.DataType.values() else str(number)

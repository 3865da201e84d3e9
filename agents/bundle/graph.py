"""What a bundle's graph may hold: named inputs, arithmetic, no loops, nothing that lies in another file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ...configs.messages import ConfigError
from ...envs.encoding import CONTEXT_WIDTH, PORT_WIDTH

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto


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
    "GreaterOrEqual", "Identity", "If", "IsNaN", "LayerNormalization", "Less", "LessOrEqual", "Log", "MatMul", "Max",
    "MaxPool", "Mean", "Min", "Mul", "Neg", "Not", "Or", "Pow", "Range", "Reciprocal", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceSum", "Relu", "Reshape", "Round", "ScatterElements", "ScatterND", "Shape", "Sigmoid", "Sign",
    "Size", "Slice", "Softmax", "Softplus", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "TopK", "Transpose",
    "Unsqueeze", "Where",
})  # fmt: skip
"""Arithmetic that ends; no loops, no custom operators, nothing random."""

BRANCHES = ("then_branch", "else_branch")
"""Of an `If`, the one operator with graphs inside, which may hold what the whole may."""


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
    graphs = list(_graphs(proto.graph))
    nodes = [node for graph in graphs for node in graph.node]
    if proto.functions or proto.training_info or any(graph.sparse_initializer for graph in graphs):
        raise ConfigError(f"{source}: holds functions, training graphs or sparse tensors; a bundle has none")
    foreign = {f"{node.domain}:{node.op_type}" for node in nodes if node.domain not in ("", "ai.onnx")}
    if refused := sorted(foreign | {node.op_type for node in nodes} - OPERATORS):
        raise ConfigError(f"{source}: operators {', '.join(refused)} are not among those that a bundle may hold")
    if any(a.graphs or (a.HasField("g") and not _is_branch(node, a)) for node in nodes for a in node.attribute):
        raise ConfigError(f"{source}: holds a graph inside an operator other than the branches of an If")
    for tensor in (*(tensor for graph in graphs for tensor in graph.initializer), *_constants(nodes)):
        if tensor.data_location or tensor.external_data:
            raise ConfigError(f"{source}: tensor {tensor.name!r} lies in another file; a bundle's graph holds its own")


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph, and all those inside its operators."""
    yield graph
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        for inside in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            yield from _graphs(inside)


def _is_branch(node: NodeProto, attribute: AttributeProto) -> bool:
    return node.op_type == "If" and attribute.name in BRANCHES


def _constants(nodes: list[NodeProto]) -> Iterator[TensorProto]:
    for attribute in (attribute for node in nodes for attribute in node.attribute):
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

"""The set network as an ONNX graph in which worlds, ports, sites and feeders are free."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ...agents.bundle.graph import INPUTS, OUTPUTS
from ...envs.encoding.fields import OUTLOOK_HOURS
from ..policy.network import SetNetwork, by_rule
from ..policy.pools import Groups

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 20
EXAMPLE = {"B": 3, "N": 7, "S": 5, "F": 2}
"""Sizes that the graph is traced with: all different and none of them 1, or a size would be taken for a constant."""

LEAST, MOST = {"N": 3}, 1 << 20
"""Of the free sizes. Told 1 port, torch's tracer stops at the slices from the second port on, and begins again with 3;
the graph takes one port.
"""


class GraphInputs(nn.Module):
    """A set network behind the inputs of a bundle's graph.

    Args:
        network: the network.
    """

    def __init__(self, network: SetNetwork) -> None:
        super().__init__()
        self.network, self._is_rule = network, network.is_rule()

    def forward(
        self, ports: Tensor, context: Tensor, mask: Tensor, port_site: Tensor, site_feeder: Tensor, feeders: Tensor
    ) -> Tensor:
        """The action (B, N); of `feeders` (F,) the length alone counts."""
        site = Groups(port_site, site_feeder.shape[0])
        feeder = Groups(site_feeder.index_select(0, port_site), feeders.shape[0])
        if self._is_rule:
            return by_rule(ports, context, mask, site, self.network.rule)
        # The network clamps a wish before cap and meter share it out: no runtime may round past 1 behind that.
        return torch.clamp(self.network(ports, context, mask, site, feeder), -1.0, 1.0)


def network_to_onnx(network: SetNetwork) -> bytes:
    """The graph of a network on the CPU, float32, clamping and scaling inside."""
    module = GraphInputs(network).eval()
    sizes = {name: torch.export.Dim(name, min=LEAST.get(name, 1), max=MOST) for name in EXAMPLE}
    free = tuple({at: sizes[dim] for at, dim in enumerate(a.shape) if isinstance(dim, str)} for a in INPUTS.values())
    with _quiet():
        program = torch.onnx.export(
            module, _example(), dynamo=True, input_names=list(INPUTS), output_names=list(OUTPUTS),
            dynamic_shapes=free, external_data=False, opset_version=OPSET, verbose=False,
            custom_translation_table=TRANSLATED,
        )  # fmt: skip
    assert program is not None  # it is None only with `dynamo=False`
    model: bytes = _plain(program.model_proto).SerializeToString()
    return model


def _example() -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(0)
    most = {"port_site": EXAMPLE["S"], "site_feeder": EXAMPLE["F"], "feeders": 1}

    def one(name: str) -> Tensor:
        shape = [dim if isinstance(dim, int) else EXAMPLE[dim] for dim in INPUTS[name].shape]
        return torch.randint(most[name], shape, generator=rng) if name in most else torch.rand(shape, generator=rng)

    return tuple(map(one, INPUTS))


def _stable_sort(values: Any, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Any:
    """A stable sort, which torch's exporter lacks: of equal values, ONNX's TopK puts the lower index first too."""
    from onnxscript import opset20

    op: Any = opset20  # its annotations know neither the values traced nor the attributes
    count = op.Gather(op.Shape(values), op.Constant(value_ints=[dim]), axis=0)
    return op.TopK(values, count, axis=dim, largest=int(descending), sorted=1)


def _running_minimum(values: Any, dim: int) -> tuple[Any, Any]:
    """The lowest of (B, H) values so far, which torch's exporter lacks, by a window that reaches back to the first."""
    from onnxscript import opset20

    op: Any = opset20
    reach, row = OUTLOOK_HOURS - 2, op.Constant(value_ints=[1])
    greatest, places = op.MaxPool(op.Unsqueeze(op.Neg(values), row), kernel_shape=[reach + 1], pads=[reach, 0])
    return op.Neg(op.Squeeze(greatest, row)), op.Squeeze(places, row)


TRANSLATED: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.aten.sort.stable: _stable_sort,
    torch.ops.aten.cummin.default: _running_minimum,
}


def _plain(model: ModelProto) -> ModelProto:
    """The graph without the exporter's notes, which tell folders of this machine and change with it."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
    graph.ClearField("value_info")
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells of operators of torchvision that it cannot register, and of its own deprecations."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

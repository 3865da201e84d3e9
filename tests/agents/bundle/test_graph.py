"""A graph runs only if it is arithmetic over the inputs of a bundle, with all its numbers inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from ebbflow.agents.bundle.graph import INPUTS, Axes, check_graph
from ebbflow.configs.load import ConfigError

from .graphs import graph, model


def refused(content: bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_graph(content, "it")


def test_plain_arithmetic_passes() -> None:
    check_graph(model(), "it")


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"PK\x03\x04", b"\xff" * 100])
def test_something_else_is_no_graph(content: bytes) -> None:
    refused(content, "no ONNX graph|inputs are")


@pytest.mark.parametrize(
    ("operator", "domain"), [("Loop", ""), ("Scan", ""), ("RandomNormal", ""), ("Mul", "com.evil")]
)
def test_an_operator_off_the_list_is_refused(operator: str, domain: str) -> None:
    refused(model(helper.make_node(operator, ["mask"], ["more"], domain=domain)), operator)


@pytest.mark.parametrize("place", ["../../secret", "/etc/passwd", "model.onnx"])
def test_numbers_in_other_files_are_refused(place: str) -> None:
    outside = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value=place)
    refused(model(initializers=[outside]), "'outside' lies in another file")
    constant = helper.make_node("Constant", [], ["more"], value=outside)
    refused(model(constant), "'outside' lies in another file")


def test_a_graph_inside_an_operator_is_refused() -> None:
    hidden = helper.make_node("Mul", ["mask", "mask"], ["more"], body=graph().graph)
    refused(model(hidden), "a graph inside an operator")


def branching(*nodes: Any, initializers: Any = ()) -> bytes:
    """A graph that asks, and holds `nodes` in one of the two answers."""
    output = helper.make_tensor_value_info("chosen", TensorProto.FLOAT, None)
    plain = helper.make_node("Identity", ["mask"], ["chosen"])
    yes = helper.make_graph([plain, *nodes], "yes", [], [output], list(initializers))
    no = helper.make_graph([plain], "no", [], [output])
    asks = helper.make_node("Cast", ["n_feeders"], ["asked"], to=TensorProto.BOOL)
    chooses = helper.make_node("If", ["asked"], ["answer"], then_branch=yes, else_branch=no)
    return model(helper.make_node("Size", ["feeders"], ["n_feeders"]), asks, chooses)


def test_a_branch_may_hold_what_the_graph_may() -> None:
    check_graph(branching(), "it")
    refused(branching(helper.make_node("Loop", ["mask"], ["more"])), "operators Loop")
    refused(branching(helper.make_node("Mul", ["mask"], ["more"], domain="com.evil")), "operators com.evil:Mul")
    outside = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="../../secret")
    refused(branching(initializers=[outside]), "'outside' lies in another file")
    refused(branching(helper.make_node("Constant", [], ["more"], value=outside)), "'outside' lies in another file")


def test_functions_are_refused() -> None:
    made = graph()
    made.functions.append(helper.make_function("own", "F", ["x"], ["y"], [], [helper.make_opsetid("", 20)]))
    refused(made.SerializeToString(), "holds functions")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": Axes("FLOAT", ("B", 3))}, r"context is FLOAT \('free', 3\)"),
        ({"mask": Axes("INT64", ("B", "N"))}, "mask is INT64"),
        ({"ports": Axes("FLOAT", (1, "N", INPUTS["ports"].shape[2]))}, r"ports is FLOAT \(1, 'free'"),
        ({"reward": Axes("FLOAT", ("B",))}, "inputs are .*reward; they must be"),
    ],
)
def test_other_inputs_are_refused(changes: Any, message: str) -> None:
    refused(model(inputs={**INPUTS, **changes}), message)


def test_sparse_numbers_are_refused() -> None:
    made = graph()
    values = numpy_helper.from_array(np.ones(1, np.float32), "few")
    places = numpy_helper.from_array(np.zeros(1, np.int64), "where")
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4]))
    refused(made.SerializeToString(), "sparse")

"""Bundles whose policy asks for one share of each car's power, and a service that can follow a deployment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from ebbflow.agents.bundle import write_bundle
from ebbflow.serving.core.cycle import make_kit
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.service import Service

from ...agents.bundle.graphs import manifest  # noqa: TID252

MakeBundle = Callable[..., Path]


def constant(share: float, operator: str = "Mul") -> bytes:
    """A graph that answers `share` for every car."""
    from onnx import helper

    from ...agents.bundle import graphs  # noqa: TID252

    said = numpy_helper.from_array(np.array(share, np.float32), "said")
    made = helper.make_graph(
        [helper.make_node(operator, ["mask", "said"], ["action"])], "policy",
        graphs._values(graphs.INPUTS), graphs._values(graphs.OUTPUTS), [said],
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


@pytest.fixture
def bundle(tmp_path: Path) -> MakeBundle:
    def make(name: str, share: float, **facts: Any) -> Path:
        folder = tmp_path / "made" / name
        write_bundle(folder, constant(share), manifest(run_id=name, **facts))
        return folder

    return make


class Served(Service):
    """A service whose clock a test sets."""

    now_s = 0.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    overrides = ("gates.check_clock=false", "economy.enabled=false", "gates.export_must_pay=false")
    kit = make_kit(load_serving("default", overrides))
    made = Served(kit, Ledger(str(tmp_path / "ledger.db")), lambda: made.now_s)
    yield made
    made.close()

"""A bundle's graph in MLflow's ONNX flavour, which other tools can load and serve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...agents.bundle import Bundle
from ...agents.bundle.graph import INPUTS, OUTPUTS


def log_onnx(bundle: Bundle) -> Any:
    """Log a bundle's graph to the active run, with its signature and an example of its inputs; MLflow's `ModelInfo`."""
    import mlflow.onnx
    import onnx
    from mlflow.models import Model
    from mlflow.models.signature import ModelSignature

    return Model.log(
        None,
        mlflow.onnx,
        name="policy",
        onnx_model=onnx.load_model_from_string(bundle.model),
        signature=ModelSignature(_schema(INPUTS), _schema(OUTPUTS)),
        input_example=_example(),
        save_as_external_data=False,
        onnx_execution_providers=["CPUExecutionProvider"],
        pip_requirements=[f"{name}=={bundle.manifest.versions[name]}" for name in ("onnx", "onnxruntime", "numpy")],
        metadata={"observation_hash": bundle.manifest.observation_hash, "digest": bundle.digest},
    )


def _schema(axes: Mapping[str, Any]) -> Any:
    import numpy as np
    from mlflow.types import Schema, TensorSpec

    kinds: dict[str, Any] = {"FLOAT": np.dtype(np.float32), "INT64": np.dtype(np.int64)}
    shapes = {name: tuple(dim if isinstance(dim, int) else -1 for dim in one.shape) for name, one in axes.items()}
    return Schema([TensorSpec(kinds[one.type], shapes[name], name) for name, one in axes.items()])


def _example() -> dict[str, Any]:
    """The middle of a day of a small fleet, as the graph takes it."""
    import numpy as np

    from ...agents.days import DayRequest, draw_days
    from ...agents.rules import Uncontrolled
    from ...envs.encoding import Observation
    from ..export.observations import recorded

    drawn = draw_days(DayRequest("home-california", ("ports=3",), split="train"))
    seen = recorded(drawn.scenarios, Uncontrolled())
    middle = seen[len(seen) // 2]
    named = zip(Observation._fields, middle.observation, strict=True)
    example = {name: np.asarray(part, np.float32) for name, part in named}
    groups = {"port_site": middle.port_site, "site_feeder": middle.site_feeder}
    return {**example, **groups, "feeders": np.zeros(middle.n_feeders, np.int64)}


@contextmanager
def active_run(uri: str, run_id: str) -> Iterator[None]:
    """MLflow's models are logged to the active run of the process's store; put back what was there before."""
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        with mlflow.start_run(run_id=run_id):
            yield
    finally:
        mlflow.set_tracking_uri(before)

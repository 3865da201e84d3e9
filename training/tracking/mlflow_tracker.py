"""A run in MLflow: points of curves are sent in batches by a thread, so that training never waits for them."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .store import asking, connect, experiment_id
from .tracker import FAILED, FINISHED, GIVEN_UP, INTERRUPTED, TrackingError

if TYPE_CHECKING:
    from mlflow.entities import Metric

SEND_S = 5.0
BATCH, WAITING = 1000, 200_000
"""Most points of one message, as MLflow allows, and most that are kept while the store is away."""

STATUS = {FINISHED: "FINISHED", INTERRUPTED: "KILLED", GIVEN_UP: "KILLED", FAILED: "FAILED"}
LONGEST_PARAMETER = 6000
SYSTEM_S = 10.0


class MlflowTracker:
    """Records one run; where the store fails underway, `trouble` says why, and the training goes on.

    Args:
        uri: of the store.
        experiment: its runs are compared with each other.
        name: of the run.
        run_id: of a run that is gone on with; empty: a new one.
        parent: of a new run that belongs to another one.
        system: record the machine's load too.

    Raises:
        TrackingError: the store does not answer.
    """

    def __init__(
        self, uri: str, experiment: str, name: str, *, run_id: str = "", parent: str = "", system: bool = True
    ) -> None:
        self.uri, self._client = uri, connect(uri)
        self.trouble = ""
        if run_id:
            asking(uri, self._client.update_run, run_id, status="RUNNING")
            self.run_id = run_id
        else:
            tags = {"mlflow.runName": name} | ({"mlflow.parentRunId": parent} if parent else {})
            made = asking(uri, self._client.create_run, experiment_id(self._client, uri, experiment), tags=tags)
            self.run_id = str(made.info.run_id)
        self._points: queue.Queue[Metric] = queue.Queue()
        self._stop = threading.Event()
        self._monitor = self._watch_system(bool(run_id)) if system else None
        self._thread = threading.Thread(target=self._send_until_stopped, daemon=True)
        self._thread.start()

    def parameters(self, values: Mapping[str, Any]) -> None:
        """What the run was told.

        Raises:
            TrackingError: the store does not answer.
        """
        from mlflow.entities import Param

        told = [Param(name, str(value)[:LONGEST_PARAMETER]) for name, value in values.items()]
        for at in range(0, len(told), 100):
            asking(self.uri, self._client.log_batch, self.run_id, params=told[at : at + 100])

    def log(self, step: int, metrics: Mapping[str, float | None]) -> None:
        """Points of curves; None and what is no finite number are left out."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        for name, value in metrics.items():
            if value is not None and math.isfinite(value) and self._points.qsize() < WAITING:
                self._points.put(Metric(name, float(value), now, step))

    def tag(self, tags: Mapping[str, Any]) -> None:
        """Words about the run."""
        for name, value in tags.items():
            self._try(self._client.set_tag, self.run_id, name, value)

    def artifact(self, path: Path, folder: str = "") -> None:
        """A file or a folder to keep, now."""
        send = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        self._try(send, self.run_id, str(path), folder or None)

    def close(self, how: str) -> None:
        """Send what is left and say how the run ended."""
        self._stop.set()
        self._thread.join()
        if self._monitor is not None:
            self._monitor.finish()
        self._try(self._client.set_terminated, self.run_id, STATUS[how])

    def _send_until_stopped(self) -> None:
        while not self._stop.wait(SEND_S):
            self._send()
        self._send()

    def _send(self) -> None:
        """Send all points that wait; those that cannot be sent wait on."""
        while not self._points.empty():
            batch = [self._points.get() for _ in range(min(BATCH, self._points.qsize()))]
            if not self._try(self._client.log_batch, self.run_id, metrics=batch):
                for point in batch:
                    self._points.put(point)
                return

    def _try(self, ask: Callable[..., Any], *arguments: Any, **named: Any) -> bool:
        try:
            asking(self.uri, ask, *arguments, **named)
        except TrackingError as error:
            self.trouble = str(error)
            return False
        return True

    def _watch_system(self, going_on: bool) -> Any:
        """MLflow's own monitor of CPU, memory, disk and network; None where psutil is missing."""
        try:
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

            watch: Any = SystemMetricsMonitor
            monitor = watch(self.run_id, sampling_interval=SYSTEM_S, resume_logging=going_on, tracking_uri=self.uri)
        except ImportError:
            return None
        monitor.start()
        return monitor

"""A challenger in shadow: asked after the answer was sent, in a thread of its own, and measured against it."""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any, NamedTuple

from ..core.challenger import in_shadow
from ..core.cycle import Kit
from ..core.memory import Memory
from ..core.runners import Runner
from ..messages.answer import DispatchAnswer
from ..messages.request import DispatchRequest
from ..service import Service

log = logging.getLogger("ebbflow.serving")


class _Job(NamedTuple):
    request: DispatchRequest
    memory: Memory
    kit: Kit
    answer: DispatchAnswer
    challenger: Runner


class Shadow:
    """Watches the cycles of a service.

    A cycle that comes while another is still being looked at is passed over: the shadow never holds up an answer.

    Args:
        service: whose cycles are watched, and whose metrics are told.
    """

    def __init__(self, service: Service) -> None:
        self.challenger: Runner | None = None
        self._service = service
        self._jobs: queue.Queue[_Job | None] = queue.Queue(maxsize=1)
        self._thread: threading.Thread | None = None
        service.watchers.append(self.watch)

    def watch(self, request: DispatchRequest, memory: Memory, kit: Kit, answer: DispatchAnswer) -> None:
        """A cycle was decided; returns at once."""
        challenger = self.challenger
        if challenger is None:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
            self._thread.start()
        try:
            self._jobs.put_nowait(_Job(request, memory, kit, answer, challenger))
        except queue.Full:
            self._service.metrics.shadow_cycles.labels("passed_over").inc()

    def wait(self) -> None:
        """Until all that was put is done; for tests."""
        self._jobs.join()

    def stop(self) -> None:
        """End the thread."""
        self.challenger = None
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._look(job)
            except Exception as error:  # whatever it is, the service does not depend on it
                log.error("the challenger in shadow: %s: %s", type(error).__name__, error)
                self._count("failed")
            finally:
                self._jobs.task_done()
        self._jobs.task_done()

    def _look(self, job: _Job) -> None:
        told = in_shadow(job.request, job.memory, job.kit, job.challenger, job.answer)
        metrics = self._service.metrics
        metrics.disagreement_kw.observe(told.kw)
        metrics.disagreement_usd.set(told.usd)
        self._count("failed" if told.failure else "compared")
        card: dict[str, Any] = {
            "cycle_id": job.answer.cycle_id, "cars": told.cars, "kw": told.kw, "usd": told.usd, "failure": told.failure,
            "model": job.challenger.model._asdict(),
        }  # fmt: skip
        self._service.shadow_card = card

    def _count(self, outcome: str) -> None:
        self._service.metrics.shadow_cycles.labels(outcome).inc()

"""Where tasks are done: in this process, in a pool of processes, or on a Ray cluster; the results are the same."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from ...configs.load import unknown_name

Given = TypeVar("Given")
Found = TypeVar("Found")
Engine = Callable[[Callable[[Any], Any], Sequence[Any], int], Generator[tuple[int, Any], None, None]]

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
"""Days fill the cores; threads inside a task would only fight for them."""

DIED = (
    "a worker process was killed or ended itself, most often for want of memory; finished tasks are kept: run it "
    "again, with fewer --workers"
)


def run_all(
    engine: str, work: Callable[[Given], Found], tasks: Sequence[Given], workers: int
) -> Generator[tuple[int, Found], None, None]:
    """Do all tasks; yields (position of the task, what it found) as they are finished, in any order.

    Whoever stops listening, by an error or Ctrl-C too, stops the work.

    Raises:
        ValueError: there is no such engine; and whatever `work` raises.
        ChildProcessError: a process ended without a word.
        ModuleNotFoundError: the engine's extra is not installed.
    """
    find_engine(engine)
    alone = not tasks or (engine == "processes" and min(workers, len(tasks)) == 1)
    return (in_process if alone else ENGINES[engine])(work, tasks, workers)


def find_engine(name: str) -> None:
    """Check that there is such an engine and that it is installed.

    Raises:
        ValueError: there is no such engine.
        ModuleNotFoundError: its extra is not installed.
    """
    if name not in ENGINES:
        raise ValueError(unknown_name("engine", name, list(ENGINES)))
    if name == "ray":
        import ray  # noqa: F401


def in_process(
    work: Callable[[Given], Found], tasks: Sequence[Given], workers: int
) -> Generator[tuple[int, Found], None, None]:
    """One after the other, here."""
    for at, task in enumerate(tasks):
        yield at, work(task)


def processes(
    work: Callable[[Given], Found], tasks: Sequence[Given], workers: int
) -> Generator[tuple[int, Found], None, None]:
    """A pool of fresh processes on this machine."""
    context = multiprocessing.get_context("spawn")
    ours_before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context, initializer=start_worker)
    try:
        position = {pool.submit(work, task): at for at, task in enumerate(tasks)}
        for done in as_completed(position):
            yield position[done], done.result()
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - ours_before:
            child.terminate()
        if isinstance(error, BrokenProcessPool):
            raise ChildProcessError(DIED) from error
        raise
    pool.shutdown()


def start_worker() -> None:
    """Leave Ctrl-C to the parent, end with it however it ends, and keep to one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ |= ONE_THREAD
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def on_ray(
    work: Callable[[Given], Found], tasks: Sequence[Given], workers: int
) -> Generator[tuple[int, Found], None, None]:
    """Tasks on the cluster of `RAY_ADDRESS`, or on this machine where there is none."""
    import ray

    ours = not ray.is_initialized()
    if ours:
        here: dict[str, Any] = {} if "RAY_ADDRESS" in os.environ else {"address": "local", "num_cpus": workers}
        ray.init(log_to_driver=False, runtime_env={"env_vars": ONE_THREAD}, **here)
    try:
        remote = ray.remote(work)
        position = {remote.remote(task): at for at, task in enumerate(tasks)}
        while position:
            for done in ray.wait(list(position))[0]:
                yield position.pop(done), _result(ray, done)
    finally:
        if ours:
            ray.shutdown()


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error


ENGINES: Mapping[str, Engine] = {"processes": processes, "ray": on_ray}

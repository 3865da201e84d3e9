"""Engines: the same results wherever the work is done, and nothing left running after an error."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from contextlib import closing
from importlib import util
from pathlib import Path

import pytest

from ebbflow.agents.evaluation.engines import find_engine, run_all
from ebbflow.configs.explain import explanation

TASKS = list(range(5))


def square(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number * number


def end_the_process(number: int) -> int:
    os._exit(number)


def slow_square(number: int) -> int:
    time.sleep(30 if number else 0)
    return number * number


ENGINES = [
    ("processes", 1),
    ("processes", 2),
    pytest.param("ray", 2, marks=pytest.mark.skipif(util.find_spec("ray") is None, reason="the extra ray is absent")),
]


@pytest.mark.parametrize(("engine", "workers"), ENGINES)
def test_every_task_is_done_once(engine: str, workers: int) -> None:
    assert dict(run_all(engine, square, TASKS, workers)) == {n: n * n for n in TASKS}
    assert dict(run_all(engine, square, [], workers)) == {}


@pytest.mark.parametrize(("engine", "workers"), ENGINES)
def test_an_error_in_a_task_is_raised_here_and_ends_the_pool(engine: str, workers: int) -> None:
    with pytest.raises(ValueError, match="-1 is negative"), closing(run_all(engine, square, [-1], workers)) as found:
        list(found)
    if engine == "processes":
        assert not multiprocessing.active_children()


def test_a_process_that_is_killed_is_told_of_in_a_sentence() -> None:
    with pytest.raises(ChildProcessError, match="fewer --workers") as caught:
        list(run_all("processes", end_the_process, [3, 3], 2))
    assert explanation(caught.value) == str(caught.value)


def test_who_stops_listening_stops_the_work() -> None:
    began = time.perf_counter()
    with closing(run_all("processes", slow_square, [0, 1, 1], 2)) as found:
        assert next(found) == (0, 0)
    assert time.perf_counter() - began < 20
    deadline = time.perf_counter() + 10
    while multiprocessing.active_children() and time.perf_counter() < deadline:
        time.sleep(0.05)
    assert not multiprocessing.active_children()


KILLED = """
import os, sys, time
sys.path.insert(0, {folder!r})
from test_engines_work import report_and_sleep
from ebbflow.agents.evaluation.engines import run_all
if __name__ == "__main__":
    list(run_all("processes", report_and_sleep, [{folder!r}] * 2, 2))
"""

WORK = """
import os, pathlib, time
def report_and_sleep(folder):
    pathlib.Path(folder, f"{os.getpid()}.pid").touch()
    time.sleep(60)
"""


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    (tmp_path / "test_engines_work.py").write_text(WORK)
    script = tmp_path / "script.py"
    script.write_text(KILLED.format(folder=str(tmp_path)))
    parent = subprocess.Popen([sys.executable, str(script)])
    wait_for(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    workers = [int(path.stem) for path in tmp_path.glob("*.pid")]
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(alive(pid) for pid in workers))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for(condition: object, seconds: float = 30) -> None:
    assert callable(condition)
    deadline = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < deadline
        time.sleep(0.05)


def test_unknown_engine() -> None:
    with pytest.raises(ValueError, match="did you mean 'processes'"):
        find_engine("proceses")


@pytest.mark.skipif(util.find_spec("ray") is not None, reason="the extra ray is installed")
def test_a_missing_extra_is_told_before_any_work() -> None:
    with pytest.raises(ModuleNotFoundError, match="ray"):
        find_engine("ray")

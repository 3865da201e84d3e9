"""`evaluate`: the same numbers again, in other processes, after a kill, and on Ray."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from ebbflow.agents.evaluation import BoundBeatenError, EvaluationResult, evaluate
from ebbflow.agents.evaluation.runs import NeverAnsweredError
from ebbflow.envs.snapshot import Snapshot

POLICIES, SMALL = ("cheapest_hours", "drain"), ("ports=3",)
OWN = """
import time
import numpy as np
class Slow:
    name = "slow"
    def reset(self): ...
    def act(self, snapshot):
        time.sleep({seconds})
        return np.where(snapshot.ports.plugged, snapshot.ports.max_charge_kw, 0.0)
"""


SCRIPT = """
import sys
from pathlib import Path
import ebbflow.agents.evaluation.report as report
from ebbflow.agents.evaluation import evaluate
if __name__ == "__main__":
    report.write_report = lambda *given: []  # has tests of its own, and takes long
    evaluate(
        "home-california", ["slow_policy:Slow"], days=12, overrides=["ports=3"], workers=2, out=sys.argv[1]
    )
"""


@pytest.fixture(autouse=True)
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has tests of its own, and takes long."""
    monkeypatch.setattr("ebbflow.agents.evaluation.report.write_report", lambda *given: [])


def figures(result: EvaluationResult) -> dict[str, Any]:
    """The document without what a clock or a machine moves."""
    return {key: value for key, value in result.document().items() if key not in ("machine", "timings")}


def again(**more: Any) -> EvaluationResult:
    return evaluate("home-california", POLICIES, **({"days": 3, "seed": 4, "overrides": SMALL, "workers": 1} | more))


def write_own(folder: Path, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "slow_policy.py").write_text(OWN.format(seconds=seconds))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "slow_policy", raising=False)


def test_a_second_run_and_a_pool_of_processes_give_the_same_to_the_last_digit(small: EvaluationResult) -> None:
    assert figures(again(workers=2)) == figures(small)


@pytest.mark.skipif(util.find_spec("ray") is None, reason="the extra ray is absent")
def test_ray_gives_the_same(small: EvaluationResult) -> None:
    assert figures(again(engine="ray", workers=2)) == figures(small)


def test_the_chunks_do_not_matter(small: EvaluationResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebbflow.agents.evaluation.plan.CHUNK_DAYS", 2)
    assert figures(again()) == figures(small)


def test_finished_tasks_are_not_done_again(
    small: EvaluationResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert figures(again(out=tmp_path)) == figures(small)

    def refuse(task: Any) -> None:
        raise AssertionError(f"{task} was done again")

    monkeypatch.setattr("ebbflow.agents.evaluation.runs.run_task", refuse)
    assert figures(again(out=tmp_path)) == figures(small)
    with pytest.raises(AssertionError, match="done again"):
        again(out=tmp_path, seed=5)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"tasks", "days.csv", "settings.toml", "evaluation.json"}
    assert not list(tmp_path.rglob("*.part"))


def test_the_written_settings_repeat_the_evaluation(small: EvaluationResult, tmp_path: Path) -> None:
    again(out=tmp_path)
    kept = json.loads((tmp_path / "evaluation.json").read_text())
    settings = str(tmp_path / "settings.toml")
    repeated = evaluate(settings, POLICIES, days=3, seed=4, workers=1)
    assert repeated.headline == small.headline == kept["policies"]
    assert len((tmp_path / "days.csv").read_text().splitlines()) == 1 + 3 * len(small.names)


def test_what_another_evaluation_left_in_the_folder_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    stale = ["events.csv", "flexibility.csv", "plots/day-old.png", "plots/flexibility-old.png"]
    mine = ["notes.csv", "plots/mine.png"]
    for name in [*stale, *mine]:
        (tmp_path / name).write_text("old")
    again(days=1, out=tmp_path)
    assert [name for name in stale if (tmp_path / name).exists()] == []
    assert [name for name in mine if not (tmp_path / name).exists()] == []


def test_a_policy_of_ones_own_that_fails_is_replaced_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_own(tmp_path, 0.0, monkeypatch)
    result = evaluate("home-texas", ["slow_policy:Slow"], days=2, overrides=SMALL, workers=2)
    assert result.names == ("uncontrolled", "slow", "optimum_replayed", "optimum")
    assert result.policy("slow").replaced_requests == 0
    told = "0 / bool(snapshot.ports.plugged.sum() > 1)"  # fails where one car is there, or none
    (tmp_path / "slow_policy.py").write_text(OWN.format(seconds=told))
    sys.modules.pop("slow_policy")
    broken = evaluate("home-texas", ["slow_policy:Slow"], days=2, overrides=SMALL, workers=1)
    assert broken.policy("slow").replaced_requests > 0
    assert "ZeroDivisionError" in broken.policy("slow").failure


def test_a_policy_that_never_answers_is_not_reported_as_the_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_own(tmp_path, 0.0, monkeypatch)
    (tmp_path / "slow_policy.py").write_text(OWN.format(seconds="1 / 0"))
    with pytest.raises(NeverAnsweredError, match=r"slow answered none of \d+ requests.*ZeroDivisionError"):
        evaluate("home-texas", ["slow_policy:Slow"], days=2, overrides=SMALL, workers=1)


def test_a_bound_that_is_none_stops_the_evaluation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import ebbflow.agents.optimum as optimum

    true_solve = optimum.solve_optimum

    class Claims:
        def __init__(self, solved: Any) -> None:
            self.setpoint_kw, self.accounts_usd = solved.setpoint_kw, solved.accounts_usd
            self.bound_usd = solved.bound_usd + 1000.0

    monkeypatch.setattr(optimum, "solve_optimum", lambda scenario: Claims(true_solve(scenario)))
    with pytest.raises(BoundBeatenError, match=r"day 0 .* less than the optimum's bound"):
        again(out=tmp_path)
    assert not (tmp_path / "days.csv").exists()


def test_a_day_without_cars_costs_nothing_and_has_no_share() -> None:
    result = evaluate("home-california", ["cheapest_hours"], first_day=1, days=1, overrides=["ports=2"], workers=1)
    assert all(figures["net_cost_usd"] == 0.0 for figures in result.headline.values())
    assert result.headline["cheapest_hours"]["captured_percent"] is None
    assert result.headline["cheapest_hours"]["saved_percent"] is None
    assert result.timings["cheapest_hours"].decision_ms_p50 is None


def test_misreporting_drivers_are_another_evaluation(small: EvaluationResult) -> None:
    result = again(split="misreport")
    assert result.split == "misreport"
    assert result.settings is not None
    assert result.settings.behaviour.misreport == "acn"
    assert result.headline["cheapest_hours"] != small.headline["cheapest_hours"]
    assert [day.date for day in result.days] == [day.date for day in small.days]


def without_clock(path: Path) -> str:
    document = json.loads(path.read_text())
    del document["machine"], document["timings"]
    return json.dumps(document)


def environment(folder: Path) -> dict[str, str]:
    """That of a fresh process which finds the user's own policy."""
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def test_killed_at_any_moment_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_own(tmp_path, 0.005, monkeypatch)
    (tmp_path / "script.py").write_text(SCRIPT)
    whole, killed = tmp_path / "whole", tmp_path / "killed"

    def start(out: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, tmp_path / "script.py", str(out)], env=environment(tmp_path))

    with start(killed) as first:
        wait_for(lambda: any(killed.rglob("00*.json")) or first.poll() is not None)
        first.kill()
        assert first.wait() == -signal.SIGKILL
    assert not (killed / "evaluation.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in killed.rglob("00*.json")}
    assert kept
    for out in (killed, whole):
        with start(out) as running:
            assert running.wait() == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert without_clock(killed / "evaluation.json") == without_clock(whole / "evaluation.json")
    assert (killed / "days.csv").read_bytes() == (whole / "days.csv").read_bytes()


def test_interrupted_it_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_own(tmp_path, 0.05, monkeypatch)
    out = tmp_path / "out"
    command = [
        sys.executable, "-m", "ebbflow.configs.cli", "evaluate", "home-california", "--policies", "slow_policy:Slow",
        "--days", "160", "--set", "ports=3", "--workers", "2", "--out", str(out), "--json", str(tmp_path / "out.json"),
    ]  # fmt: skip
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "preexec_fn": hears_ctrl_c}
    with subprocess.Popen(command, env=environment(tmp_path), **pipes) as running:  # type: ignore[call-overload]
        wait_for(lambda: any(out.rglob("00*.json")) or running.poll() is not None)
        shown, said = interrupted(running)
    assert running.returncode == 130
    assert f"finished tasks are kept in {out}" in said
    assert "Traceback" not in said
    assert shown == ""
    assert not (tmp_path / "out.json").exists()


def hears_ctrl_c() -> None:
    """Where the tests themselves run in the background of a script, it is ignored from the start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(running: subprocess.Popen[str]) -> tuple[str, str]:
    """Press Ctrl-C, again where Python lost it in a callback; what the command wrote on stdout and stderr."""
    for _ in range(20):
        running.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return running.communicate(timeout=3)
    raise AssertionError("Ctrl-C does not end it")


def wait_for(condition: Any, seconds: float = 400) -> None:
    deadline = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < deadline
        time.sleep(0.02)


def test_a_policy_sees_one_fleet_at_a_time_when_it_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    from ebbflow.agents.rules import CheapestHours

    seen: list[int] = []
    act = CheapestHours.act

    def counting(self: CheapestHours, snapshot: Snapshot) -> Any:
        seen.append(snapshot.n_worlds)
        return act(self, snapshot)

    monkeypatch.setattr(CheapestHours, "act", counting)
    result = again()
    assert seen == [3] * 96 + [1] * 96
    assert result.timings["cheapest_hours"].decision_ms_p50 is not None

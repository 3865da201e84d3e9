"""What an evaluation will do: days, controllers and tasks, and what it refuses before anything is run."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ebbflow.agents.days import DayRequest
from ebbflow.agents.evaluation.keys import Keys
from ebbflow.agents.evaluation.plan import CHUNK_DAYS, Plan, make_plan
from ebbflow.agents.rules import RULES
from ebbflow.envs.world.sources import ScenarioFiles

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
REQUEST = DayRequest("home-texas", ("ports=2",))
FEBRUARY = ("period_first=2021-02-07", "period_last=2021-02-18")
MINE = """
from ebbflow.agents.rules import Uncontrolled
class Mine(Uncontrolled):
    name = {name!r}
"""


def plan_of(request: DayRequest = REQUEST, days: int | None = 3, split: str = "clean", **more: object) -> Plan:
    policies = more.pop("policies", ("cheapest_hours",))
    return make_plan(request, days, split, policies)  # type: ignore[arg-type]


def write_policy(folder: Path, name: str) -> None:
    (folder / "own_policy.py").write_text(MINE.format(name=name))


def test_uncontrolled_and_optimum_are_always_there() -> None:
    plan = plan_of(policies=["cheapest_hours", "optimum"])
    assert list(plan.policies) == ["uncontrolled", "cheapest_hours"]
    assert [task.policy for task in plan.tasks()] == ["optimum", "uncontrolled", "cheapest_hours"]


def test_all_means_every_rule_and_the_raw_references() -> None:
    names = list(plan_of(policies=["all"]).policies)
    assert names[: len(RULES)] == list(RULES)
    assert names[-3:] == ["do_nothing", "drain", "random"]
    assert "do_nothing" not in plan_of(policies=None).policies
    assert plan_of(policies=["all"]).raw == {"do_nothing", "drain", "random"}


def test_every_day_is_in_one_task_of_each_controller() -> None:
    plan = plan_of(replace(REQUEST, first_day=7), days=2 * CHUNK_DAYS + 1)
    for name in ("optimum", "cheapest_hours"):
        tasks = [task for task in plan.tasks() if task.policy == name]
        assert [n for task in tasks for n in task.numbers] == list(range(7, 28))
        assert [len(task.numbers) for task in tasks] == [CHUNK_DAYS, CHUNK_DAYS, 1]


def test_a_large_fleet_has_smaller_tasks() -> None:
    tasks = plan_of(DayRequest("home-texas", ("ports=200",))).tasks()
    assert {task.numbers for task in tasks} == {(0, 1), (2,)}


def test_more_days_keep_the_tasks_of_fewer() -> None:
    few, many = plan_of(days=2 * CHUNK_DAYS), plan_of(days=3 * CHUNK_DAYS)
    kept = {Keys(few.request, few.drawn).of(task) for task in few.tasks()}
    assert kept < {Keys(many.request, many.drawn).of(task) for task in many.tasks()}


def test_splits_fix_what_drivers_say() -> None:
    settings = {split: plan_of(split=split).drawn.settings for split in ("clean", "misreport")}
    assert settings["clean"].behaviour.misreport == "off"  # type: ignore[union-attr]
    assert settings["misreport"].behaviour.misreport == "acn"  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="contradicts --split clean"):
        plan_of(replace(REQUEST, overrides=("behaviour.misreport=acn",)))


def test_dear_days_are_an_emergency(monkeypatch: pytest.MonkeyPatch) -> None:
    import ebbflow.agents.evaluation.plan as module

    plan = plan_of(days=6)
    prices = sorted(day.highest_import_price_usd_per_kwh for day in plan.days)
    monkeypatch.setattr(module, "EMERGENCY_USD_PER_KWH", prices[3])
    assert sum(day.emergency for day in plan_of(days=6).days) == 2
    dear = plan_of(days=6, split="emergency")
    assert [day.emergency for day in dear.days] == [True, True]
    assert len(dear.drawn.scenarios) == 2
    assert {day.number for day in dear.days} < set(range(6))
    monkeypatch.setattr(module, "EMERGENCY_USD_PER_KWH", prices[0] / 2)
    with pytest.raises(ValueError, match="--split emergency"):
        plan_of(days=6)


def test_no_dear_day_no_emergency() -> None:
    with pytest.raises(ValueError, match="none of the 3 days has an import price above 1"):
        plan_of(DayRequest("depot-workplace", ("ports=2",)), split="emergency")


@pytest.mark.parametrize(
    ("request_", "more", "message"),
    [
        (REQUEST, {"split": "misreports"}, "did you mean 'misreport'"),
        (REQUEST, {"policies": ["cheapest"]}, "did you mean 'cheapest_hours'"),
        (REQUEST, {"policies": ["no.module:X"]}, "no module 'no'"),
        (DayRequest("home-texa"), {}, "did you mean 'home-texas'"),
        (DayRequest("home-texas", ("ports=none",)), {}, "ports"),
        (DayRequest("absent.npz"), {}, "absent.npz: no such file"),
        (DayRequest("day.npz"), {"split": "misreport"}, "drivers have spoken"),
    ],
)
def test_bad_input_is_named(request_: DayRequest, more: dict[str, object], message: str) -> None:
    days = 1 if request_.scenario.endswith(".npz") else 3
    with pytest.raises(ValueError, match=message):
        plan_of(request_, days, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["optimum", "cheapest_hours"])
def test_two_of_a_name_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_policy(tmp_path, name)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "own_policy", raising=False)
    with pytest.raises(ValueError, match=f"have the name '{name}'"):
        plan_of(policies=["cheapest_hours", "own_policy:Mine"])


def test_keys_change_with_whatever_moves_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_policy(tmp_path, "mine")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "own_policy", raising=False)

    def key(request: DayRequest = REQUEST, policy: str = "own_policy:Mine", backend: str = "numba") -> str:
        plan = plan_of(request)
        return Keys(plan.request, plan.drawn).of(replace(plan.task(policy, [0, 1]), backend=backend))

    first = key()
    assert key() == first
    assert key(DayRequest("home-texas", ("ports=2", "ports=2"))) == first
    others = [
        key(replace(REQUEST, overrides=("ports=3",))), key(replace(REQUEST, seed=1)), key(backend="numpy"),
        key(replace(REQUEST, split="train")), key(policy="uncontrolled"),
    ]  # fmt: skip
    write_policy(tmp_path, "changed")
    others.append(key())
    assert len({first, *others}) == 7


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not here")
def test_a_price_file_gives_its_dates_and_they_are_the_clusters() -> None:
    files = ScenarioFiles(prices=str(DATA / "ercot_dam_spp_2021.csv.gz"))
    plan = plan_of(DayRequest("home-texas", ("ports=2", *FEBRUARY), files=files), days=None)
    assert sorted(day.date.day for day in plan.days) == list(range(7, 19))
    assert {day.cluster for day in plan.days} == {day.date.isoformat() for day in plan.days}
    dear = {day.date.day for day in plan.days if day.emergency}
    assert {15, 16, 17} <= dear < set(range(10, 19))


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not here")
def test_stays_from_a_file_on_a_tariff_cluster_by_their_source_days() -> None:
    """What is drawn of a day's stays differs, the day stays one cluster."""
    files = ScenarioFiles(sessions=str(DATA / "acn_sessions_jpl_2019-05.csv.gz"))
    days = plan_of(DayRequest("depot-workplace", ("ports=4",), files=files), days=60).days
    sources = [re.findall(r"\((2019-\d\d-\d\d)\)", day.cluster) for day in days]
    assert all(len(found) == 1 for found in sources)
    assert len({found[0] for found in sources}) == len({day.cluster for day in days}) < 60

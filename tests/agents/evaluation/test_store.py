"""Kept tasks: given back to the last digit, whole or not at all, and never for another key."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebbflow.agents.days import DayRequest
from ebbflow.agents.evaluation.store import TaskStore
from ebbflow.agents.evaluation.tasks import Outcome, Task, outcome_from_json, outcome_to_json
from ebbflow.envs.ledger import Account, Tally
from ebbflow.envs.simulator import DayLedger

TASK = Task("my.module:Mine", DayRequest("home-texas"), (20, 21, 22), "numba")


def outcome(dollars: float, co2_kg: float) -> Outcome:
    usd = {account.name.lower(): dollars for account in Account} | {"net_cost_usd": 11 * dollars}
    tallies = {tally.name.lower(): co2_kg for tally in Tally}
    return Outcome({"mine": (DayLedger(usd, tallies),) * 3}, 1.25, 0.5, 288, 60, 2, "mine: broke", None)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 1e9) | st.just(math.nan))
def test_an_outcome_comes_back_to_the_last_digit(dollars: float, co2_kg: float) -> None:
    given_ = outcome(dollars, co2_kg)
    back = outcome_from_json(outcome_to_json(given_))
    assert repr(back) == repr(given_)


def test_kept_under_its_key_only(tmp_path: Path) -> None:
    store = TaskStore(tmp_path, "clean")
    assert store.load(TASK, "key") is None
    store.save(TASK, "key", outcome(0.1, math.nan))
    assert repr(store.load(TASK, "key")) == repr(outcome(0.1, math.nan))
    assert store.load(TASK, "another key") is None
    assert TaskStore(tmp_path, "misreport").load(TASK, "key") is None
    assert [path.name for path in tmp_path.rglob("*.json")] == ["000020-000022.json"]
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": "key"}', '{"key": "key", "outcome": {"ledgers": 3}}'])
def test_a_damaged_file_is_done_again(text: str, tmp_path: Path) -> None:
    store = TaskStore(tmp_path, "clean")
    store.save(TASK, "key", outcome(0.1, 0.2))
    next(tmp_path.rglob("*.json")).write_text(text)
    assert store.load(TASK, "key") is None


def test_without_a_folder_nothing_is_kept() -> None:
    store = TaskStore(None, "clean")
    store.save(TASK, "key", outcome(0.1, 0.2))
    assert store.load(TASK, "key") is None

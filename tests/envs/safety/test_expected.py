"""Expected arrivals of several fleets at one projector: each gets its own, whoever computes meanwhile."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ebbflow.envs.safety import projection
from ebbflow.envs.safety.array_expected import MOST_KEPT, SharedLoad
from ebbflow.envs.safety.projection import ExpectedLoad


def fleet(kwh: float, feeder: tuple[int, ...] = (0, 0)) -> Any:
    """Two sites of which `kwh` arrives in the second hour, for an hour."""
    table = np.zeros((1, 2, 3, 3))
    table[0, :, 1, 2] = kwh
    sites = SimpleNamespace(expected_arrivals_kwh=table, feeder=np.array(feeder))
    return SimpleNamespace(sites=sites, feeders=SimpleNamespace(net_load_kw=np.zeros((1, max(feeder) + 1))))


def test_a_table_is_never_given_out_before_it_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    computing, go_on, honest = threading.Event(), threading.Event(), projection._expected_load
    shared, got = SharedLoad(), []
    shared.of(fleet(1.0))

    def slow(table: Any) -> Any:
        computing.set()
        go_on.wait(10.0)
        return honest(table)

    monkeypatch.setattr(projection, "_expected_load", slow)
    threads = [threading.Thread(target=lambda: got.append(shared.of(fleet(2.0)))) for _ in range(2)]
    threads[0].start()
    assert computing.wait(10.0)
    threads[1].start()
    threads[1].join(0.2)  # it has to wait for the first
    go_on.set()
    for thread in threads:
        thread.join(10.0)
    wanted = ExpectedLoad().of(fleet(2.0))
    assert len(got) == 2
    for mine in got:
        for ours, theirs in zip(mine, wanted, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_an_equal_table_on_other_feeders_is_another_one() -> None:
    shared = SharedLoad()
    one, other = shared.of(fleet(1.0))[1], shared.of(fleet(1.0, (0, 1)))[1]
    assert (one.shape[1], other.shape[1]) == (1, 2)
    np.testing.assert_array_equal(one[:, 0], other.sum(axis=1))


def test_only_so_many_are_kept() -> None:
    shared = SharedLoad()
    for at in range(MOST_KEPT + 3):
        shared.of(fleet(1.0, (0, at)))
    assert len(shared._loads) == MOST_KEPT

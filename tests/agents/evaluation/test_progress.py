"""The time that is left: tasks of one controller take alike, of two they do not."""

from __future__ import annotations

import pytest

from ebbflow.agents.evaluation.progress import TimeLeft, time_left


def test_time_left_by_hand() -> None:
    left = TimeLeft(["rule", "rule", "mpc", "mpc"], workers=2)
    assert left.seconds() is None
    left.done("rule", 2.0)  # the others are taken alike: 3 tasks of 2 s on 2 workers
    assert left.seconds() == pytest.approx(3.0)
    left.done("mpc", 30.0)
    assert left.seconds() == pytest.approx((2.0 + 30.0) / 2)
    left.done("mpc", 10.0)
    left.done("rule", 2.0)
    assert left.seconds() == 0.0


@pytest.mark.parametrize(("seconds", "text"), [(None, ""), (7.4, "about 7 s left"), (600.0, "about 10 min left")])
def test_in_words(seconds: float | None, text: str) -> None:
    assert time_left(seconds) == text

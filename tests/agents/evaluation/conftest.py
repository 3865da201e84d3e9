"""A small evaluation, run once for all tests that only look at it."""

from __future__ import annotations

import pytest

from ebbflow.agents.evaluation import EvaluationResult, evaluate

SMALL = ("ports=3",)
POLICIES = ("cheapest_hours", "drain")


@pytest.fixture(scope="session")
def small() -> EvaluationResult:
    """Three days of three Californian homes under two rules and a raw reference."""
    return evaluate("home-california", POLICIES, days=3, seed=4, overrides=SMALL, workers=1)

"""`learned` is the registry's bundle for the scenario at hand; without one, the error says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebbflow.agents.policy import find_policy
from ebbflow.training import learned as module
from ebbflow.training.tracking import registry


def test_it_asks_the_registry_for_the_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(registry, "served", lambda name: asked.append(name) or Path("/bundle"))
    monkeypatch.setattr(module, "BundlePolicy", lambda folder, name: (asked.append(str(folder)), Named(name))[1])
    assert find_policy("learned", scenario="home-texas").name == "learned"
    assert asked == ["ebbflow-home-texas", "/bundle"]


def test_without_a_scenario_there_is_none() -> None:
    with pytest.raises(ValueError, match="'learned' is registered by scenario; name one, or a bundle: learned=PATH"):
        find_policy("learned")


def test_without_a_registered_bundle_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'store.db'}")
    with pytest.raises(ValueError, match="`ebbflow train` registers one"):
        find_policy("learned", scenario="home-texas")


class Named:
    def __init__(self, name: str) -> None:
        self.name = name

    def reset(self) -> None: ...

    def act(self, snapshot: object) -> None: ...

from __future__ import annotations

from pathlib import Path

import pytest

from ebbflow.agents.bundle import write_bundle

from .graphs import manifest, model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle."""
    write_bundle(tmp_path / "bundle", model(), manifest())
    return tmp_path / "bundle"

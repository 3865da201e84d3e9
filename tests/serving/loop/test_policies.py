"""Policies by name: code that is not ours runs in a process of its own, a pickle nowhere."""

from __future__ import annotations

import os
import pickle
import sys
import zipfile
from pathlib import Path

import pytest

from ebbflow.configs.messages import ConfigError
from ebbflow.serving.core.runners import InlineRunner
from ebbflow.serving.core.worker import WorkerRunner
from ebbflow.serving.loop.start import policy_runner

from ..http.test_process import Evil  # noqa: TID252


def test_no_pickle_is_reached_by_a_poisoned_zip(tmp_path: Path) -> None:
    """Not in this process, nor in another that it would start: a zip is refused before it is opened."""
    owned, zipped = tmp_path / "owned", tmp_path / "evil.zip"
    with zipfile.ZipFile(zipped, "w") as file:
        file.writestr("data", pickle.dumps(Evil(f"touch {owned}")))
    for name in (f"learned={zipped}", f"own={zipped}#{'0' * 64}", "own=EVIL.ZIP"):
        with pytest.raises(ConfigError, match="a zip holds code"):
            policy_runner(name)
    assert not owned.exists()


def test_code_that_is_not_ours_is_not_imported_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a rule of the user's own: it is asked in a process that can be killed."""
    (tmp_path / "own_rule.py").write_text(
        "from ebbflow.agents.rules import Uncontrolled\nclass Own(Uncontrolled):\n    name = 'own'\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", ""))))
    monkeypatch.syspath_prepend(str(tmp_path))
    runner = policy_runner("own_rule:Own")
    assert isinstance(runner, WorkerRunner)
    runner.close()
    assert "own_rule" not in sys.modules
    with pytest.raises(ConfigError, match="--policy own_rule:Missing: policy 'own_rule:Missing': unknown class"):
        policy_runner("own_rule:Missing")
    assert isinstance(policy_runner("uncontrolled"), InlineRunner)

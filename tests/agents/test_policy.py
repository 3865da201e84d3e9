"""Policies are found by name, and a wrong name is refused with the nearest right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebbflow.agents.policy import find_policy, is_raw, policy_names
from ebbflow.agents.rules import RULES
from ebbflow.agents.rules.raw import raw_references


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_registered_and_carries_its_name(name: str) -> None:
    policy = find_policy(name)
    assert policy.name == name
    assert not is_raw(policy)
    assert name in policy_names()


def test_raw_references_are_found_only_where_the_evaluator_names_them() -> None:
    references = raw_references(seed=1)
    assert set(references) == {"do_nothing", "drain", "random"}
    for name in references:
        assert is_raw(find_policy(name, references))
        assert find_policy(name, references).name == name
        with pytest.raises(ValueError, match="unknown policy"):
            find_policy(name)


def test_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown policy 'cheapest-hour'; did you mean 'cheapest_hours'\?"):
        find_policy("cheapest-hour")


def test_class_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_policies.py").write_text(
        "class Mine:\n    name = 'mine'\n    def reset(self): ...\n    def act(self, snapshot): ...\n"
        "class Half:\n    name = 'half'\n"
        "class Raw(Mine):\n    raw = True\n"
        "class Needs:\n    def __init__(self, weights): ...\n"
    )
    (tmp_path / "my_needy.py").write_text("import of_tomorrow\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_policy("my_policies:Mine").name == "mine"
    with pytest.raises(ValueError, match=r"did you mean 'Mine'\?"):
        find_policy("my_policies:Mime")
    with pytest.raises(ValueError, match="lacks reset and act"):
        find_policy("my_policies:Half")
    with pytest.raises(ValueError, match="only the evaluator's references run raw"):
        find_policy("my_policies:Raw")
    with pytest.raises(ValueError, match=r"Needs' cannot be made without arguments: TypeError: .*'weights'"):
        find_policy("my_policies:Needs")
    with pytest.raises(ValueError, match="no module 'my_policy'"):
        find_policy("my_policy:Mine")
    with pytest.raises(ModuleNotFoundError, match="of_tomorrow"):
        find_policy("my_needy:Mine")

"""A zip's pickle never runs in this process; a crash, a hang and nonsense end in a sentence."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from ebbflow.agents.days import DayRequest, draw_days
from ebbflow.agents.evaluation import evaluate
from ebbflow.agents.policy import find_policy, pinned
from ebbflow.agents.run import run_days
from ebbflow.agents.zipped import ZipPolicy
from ebbflow.agents.zipped.process import Peer, ProcessFailed
from ebbflow.agents.zipped.worker import load_policy
from ebbflow.envs.action import requested_power
from ebbflow.envs.encoding import PORT_FIELDS, make_encoder
from ebbflow.envs.gym.spaces import observation_space
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.bank import pack
from ebbflow.envs.world.scenario import Scenario

from .zips import Trap, save_zip

CAN_CHARGE, CAN_EXPORT = (
    [field.name for field in PORT_FIELDS].index(name) for name in ("can_charge_kw", "can_export_kw")
)


@pytest.fixture(scope="module")
def days() -> tuple[Scenario, ...]:
    return draw_days(DayRequest("home-california", ("ports=3",), days=2)).scenarios


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_zip(tmp_path_factory.mktemp("zips") / "mine.zip")


def snapshot_of(days: tuple[Scenario, ...]) -> Any:
    simulator = Simulator(pack(days), len(days), backend="numpy")
    simulator.reset()
    for _ in range(40):
        simulator.step(np.zeros((len(days), 3)))
    return simulator.snapshot()


def test_it_asks_for_what_the_policy_answers_here(saved: Path, days: tuple[Scenario, ...]) -> None:
    snapshot = snapshot_of(days)
    policy = find_policy(f"mine={saved}")
    here = load_policy(str(saved)).predict(make_encoder("numpy").encode(snapshot)._asdict(), deterministic=True)[0]
    np.testing.assert_allclose(policy.act(snapshot), requested_power(snapshot, here), atol=1e-6)
    assert pinned(policy, "").startswith(f"mine={saved}#")
    assert run_days(days, policy).failure == ""


@pytest.mark.slow
def test_three_way_actions_are_pause_charge_export(tmp_path: Path, days: tuple[Scenario, ...]) -> None:
    policy = ZipPolicy(save_zip(tmp_path / "three.zip", action_space=spaces.MultiDiscrete([3] * 3)))
    asked = policy._shares(np.array([[0, 1, 2], [2, 1, 0]]), snapshot_of(days))
    np.testing.assert_array_equal(asked, [[0.0, 1.0, -1.0], [-1.0, 1.0, 0.0]])
    assert np.isfinite(policy.act(snapshot_of(days))).all()


@pytest.mark.parametrize("masked", [False, True])
def test_a_policy_of_one_port_is_asked_port_by_port(masked: bool, tmp_path: Path, days: tuple[Scenario, ...]) -> None:
    from sb3_contrib.common.maskable.policies import MaskableMultiInputActorCriticPolicy as Maskable

    kind: dict[str, Any] = {"policy_class": Maskable} if masked else {}
    space = spaces.MultiDiscrete([3]) if masked else spaces.Box(-1.0, 1.0, (1,))
    path = save_zip(tmp_path / "one.zip", observation_space=observation_space(1), action_space=space, **kind)
    snapshot, expected = snapshot_of(days), np.zeros((len(days), 3))
    observation, here = make_encoder("numpy").encode(snapshot), load_policy(str(path))
    for world, port in np.ndindex(expected.shape):
        seen = {
            "ports": observation.ports[world, port][None, None], "context": observation.context[world][None],
            "mask": observation.mask[world, port][None, None],
        }  # fmt: skip
        powers = [seen["ports"][0, 0, at] for at in (CAN_CHARGE, CAN_EXPORT)]
        extra = {"action_masks": np.array([[True, powers[0] > 0, powers[1] > 0]])} if masked else {}
        action = here.predict(seen, deterministic=True, **extra)[0].item()
        expected[world, port] = (0.0, 1.0, -1.0)[action] if masked else action
    np.testing.assert_allclose(ZipPolicy(path).act(snapshot), requested_power(snapshot, expected), atol=1e-6)


def test_an_evaluation_of_a_policy_that_never_answers_stops(saved: Path) -> None:
    with pytest.raises(ValueError, match=r"mine answered none of \d+ requests, .*: trained with 3 ports, not 2"):
        evaluate("home-california", [f"mine={saved}"], days=1, overrides=("ports=2",), workers=1)


def test_the_pickle_runs_in_another_process(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    trap = Trap(f"import os; open({str(proof)!r}, 'w').write(str(os.getpid()))")
    with pytest.raises(ValueError, match=r"trap\.zip"):
        ZipPolicy(save_zip(tmp_path / "trap.zip", trap=trap, observation_space=spaces.Box(0, 1, (3,)),
                           policy_class=_flat_policy()))  # fmt: skip
    assert proof.read_text() != str(os.getpid())


@pytest.mark.slow
def test_a_policy_that_observes_something_else_is_refused(tmp_path: Path) -> None:
    path = save_zip(tmp_path / "flat.zip", observation_space=spaces.Box(0, 1, (3,)), policy_class=_flat_policy())
    with pytest.raises(ValueError, match="a policy of a fleet observes ports, context and mask"):
        ZipPolicy(path)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("import os; os._exit(7)", "ended with exit code 7"),
        pytest.param(
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "ended with exit code -11",
            marks=pytest.mark.slow,
        ),
        pytest.param("import time; time.sleep(60)", "took too long and was killed", marks=pytest.mark.slow),
        pytest.param(
            "import os\nfor fd in range(3, 9):\n try: os.write(fd, b'x' * 100)\n except OSError: pass",
            "answered nonsense",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_whatever_the_pickle_does_is_told_in_a_sentence(tmp_path: Path, what: str, message: str) -> None:
    path = save_zip(tmp_path / "trap.zip", trap=Trap(what))
    began = time.monotonic()
    with pytest.raises(ValueError, match=message):
        ZipPolicy(path, load_s=20.0)
    assert time.monotonic() - began < 40.0


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("exit 3", "it: its process ended with exit code 3"),
        ("echo help >&2; exit 3", "its last words: help"),
        ("sleep 60", "took too long and was killed"),
        ("printf '%02000d' 0", "answered nonsense"),
        ("printf '\\002\\000\\000\\000{}'", "answered nonsense"),
    ],
)
def test_whatever_a_process_does_is_told_in_a_sentence(command: str, message: str) -> None:
    with pytest.raises(ProcessFailed, match=message):
        Peer(["sh", "-c", command], "it").hear(1.0)


def test_other_ports_are_refused_and_a_process_that_dies_leaves_the_days_to_the_rules(
    saved: Path, days: tuple[Scenario, ...]
) -> None:
    policy = ZipPolicy(saved)
    more = draw_days(DayRequest("home-california", ("ports=4",))).scenarios
    assert (
        "trained with 3 ports, not 4; only a bundle, or a policy trained port by port" in run_days(more, policy).failure
    )
    policy._peer._process.kill()
    ran = run_days(days, policy)
    assert "ended with exit code -9" in ran.failure
    assert ran.replaced_requests > 0


def test_a_changed_file_and_a_missing_one(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it was changed meanwhile"):
        find_policy(f"mine={saved}#{'0' * 64}")
    with pytest.raises(FileNotFoundError, match="no such file; name a zip"):
        find_policy(f"mine={tmp_path / 'none.zip'}")


def test_the_process_and_its_children_end_with_the_policy() -> None:
    peer = Peer(["sh", "-c", "sleep 100 & echo $! >&2; wait"], "it")
    with pytest.raises(ProcessFailed, match=r"took too long and was killed; its last words: [0-9]+") as told:
        peer.hear(0.5)
    child = int(str(told.value).rsplit(" ", 1)[1])
    deadline = time.monotonic() + 5.0
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(child)
    with pytest.raises(ProcessFailed, match="was ended before"):
        peer.hear(0.5)


def _alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rsplit(") ", 1)[1][0] != "Z"


def _flat_policy() -> Any:
    from stable_baselines3.common.policies import ActorCriticPolicy

    return ActorCriticPolicy

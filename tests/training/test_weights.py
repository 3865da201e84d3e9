"""Networks on disk: what was written is read back, and nothing else is."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from ebbflow.training import weights
from ebbflow.training.policy import SetNetwork, SetNetworkSizes
from ebbflow.training.weights import BEST_FILE, WeightsError, load_network, load_torch, save_network, save_torch


def small() -> SetNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return SetNetwork(SetNetworkSizes(8, 8, 8))


def test_a_network_comes_back_from_a_file_and_from_a_runs_folder(tmp_path: Path) -> None:
    network = small()
    file = save_network(network, tmp_path / BEST_FILE, {"update": 7})
    for place in (file, tmp_path):
        again, facts = load_network(place)
        assert facts == {"update": 7}
        assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_reading_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    file = save_network(small(), tmp_path / BEST_FILE, {})
    torch.manual_seed(1)
    first = torch.rand(3)
    torch.manual_seed(1)
    load_network(file)
    assert torch.equal(first, torch.rand(3))


def test_another_observation_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = save_network(small(), tmp_path / BEST_FILE, {})
    monkeypatch.setattr(weights, "observation_hash", lambda: "other")
    with pytest.raises(WeightsError, match="trained on observation"):
        load_network(file)


class Trap:
    """Would run code when unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("sprung"),))


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps(Trap())], ids=["empty", "text", "pickle"])
def test_what_is_no_file_of_weights_is_refused_and_runs_nothing(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / BEST_FILE
    file.write_bytes(content)
    with pytest.raises(WeightsError, match="no file of weights"):
        load_network(file)
    assert not Path("sprung").exists()


def test_a_torch_file_with_a_class_in_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"network": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(WeightsError, match="no file of weights: "):
        load_torch(tmp_path / "trap.pt")
    assert not Path("sprung").exists()


def test_a_file_without_a_network_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"lacks observation and sizes and network; name a run's folder"):
        load_network(save_torch({"other": 1}, tmp_path / "other.pt"))
    with pytest.raises(WeightsError, match="no such file"):
        load_network(tmp_path)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = save_torch({"a": 1}, tmp_path / "kept.pt")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights.os, "fsync", full)
    with pytest.raises(WeightsError, match=r"kept\.pt cannot be written: No space left on device; free space"):
        save_torch({"a": 2}, target)
    assert load_torch(target) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["kept.pt"]

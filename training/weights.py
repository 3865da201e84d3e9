"""Weights on disk: torch files that hold tensors, numbers and words alone, written whole or not at all.

They are read with `weights_only`, so that no file can run code. `network.pt` of a run is such a file.
"""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..envs.encoding import observation_hash
from .policy.network import SetNetwork, SetNetworkSizes

BEST_FILE, BEST_ZIP = "network.pt", "best.zip"
"""The best network of a run, in the run's folder; or the best policy, where it is no set network."""

ZIPPED = "zip"
"""Under this key a policy that is no set network has the bytes (n,) of a stable-baselines3 zip, uint8."""


class SavedNetwork(NamedTuple):
    """A network and what was written beside it."""

    network: SetNetwork
    facts: dict[str, Any]  # plain values: which run, which update, what it reached on validation days


class WeightsError(ValueError):
    """A file of weights that cannot be written or used, with what to do about it."""


def save_torch(values: Mapping[str, Any], target: Path) -> Path:
    """Write tensors and plain values; a kill or a full disk leaves the old file as it was.

    Raises:
        WeightsError: it cannot be written.
    """
    whole = io.BytesIO()
    torch.save(dict(values), whole)  # here, since torch hides what a full disk says
    return save_bytes(whole.getbuffer(), target)


def save_bytes(content: memoryview, target: Path) -> Path:
    """Write a file; a kill or a full disk leaves the old one as it was.

    Raises:
        WeightsError: it cannot be written.
    """
    partial = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        why = error.strerror
        raise WeightsError(f"{target} cannot be written: {why}; free space or name another folder") from error
    return target


def load_torch(path: Path) -> dict[str, Any]:
    """Read what `save_torch` wrote, on the CPU.

    Raises:
        WeightsError: no such file, no torch file, or one that would need a pickle.
    """
    try:
        if not zipfile.is_zipfile(path) and path.exists():  # torch's older formats are bare pickles
            raise WeightsError(f"{path} is no file of weights; name a run's folder or its {BEST_FILE}")
        values = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file; check the path") from error
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{path} is no file of weights: {str(error).partition('.')[0]}") from error
    if not isinstance(values, dict):
        raise WeightsError(f"{path} holds a {type(values).__name__}, not the weights of a run")
    return values


def network_values(network: SetNetwork) -> dict[str, Any]:
    """What `load_network` needs of a network; the tensors are copies on the CPU."""
    weights = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
    return {"observation": observation_hash(), "sizes": asdict(network.sizes), "network": weights}


def save_network(network: SetNetwork, target: Path, facts: Mapping[str, Any]) -> Path:
    """Write a network and plain facts about it.

    Raises:
        WeightsError: it cannot be written.
    """
    return save_torch({**network_values(network), "facts": dict(facts)}, target)


def load_network(place: Path) -> SavedNetwork:
    """The network in a file, or the best one of a run's folder.

    Raises:
        WeightsError: there is none, or it was trained on another observation.
    """
    path = place / BEST_FILE if place.is_dir() else place
    if place.is_dir() and not path.exists() and (place / BEST_ZIP).is_file():
        raise WeightsError(
            f"{place} holds {BEST_ZIP}, a policy that is no set network; play it with --policies "
            f"learned={place / BEST_ZIP}, or train one with policy 'set'"
        )
    return network_of(load_torch(path), str(path))


def network_of(values: Mapping[str, Any], source: str) -> SavedNetwork:
    """The network that `network_values` describes.

    Raises:
        WeightsError: something else, or trained on another observation.
    """
    lacking = [key for key in ("observation", "sizes", "network") if key not in values]
    if lacking:
        raise WeightsError(f"{source} lacks {' and '.join(lacking)}; name a run's folder or its {BEST_FILE}")
    if values["observation"] != observation_hash():
        raise WeightsError(
            f"{source} was trained on observation {values['observation']}, and this program has {observation_hash()}; "
            "train it again, or use the release that it was trained with"
        )
    with torch.random.fork_rng(devices=[]):
        network = SetNetwork(SetNetworkSizes(**values["sizes"]))
    try:
        network.load_state_dict(values["network"])
    except RuntimeError as error:
        raise WeightsError(f"{source} was trained with another network: {str(error).partition('.')[0]}") from error
    return SavedNetwork(network, dict(values.get("facts", {})))

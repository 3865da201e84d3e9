"""What a policy is, and how one is found by name."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..configs.load import unknown_name
from ..envs.snapshot import Snapshot

Array = NDArray[np.float64]

POLICY_GROUP = "ebbflow.policies"
LEARNED, ZIP = "learned", ".zip"


class Policy(Protocol):
    """Turns what is known now into a wish per port; the projection decides what becomes of it."""

    @property
    def name(self) -> str:
        """The name it is asked for and reported by."""
        ...

    def reset(self) -> None:
        """Forget the worlds seen so far: the next snapshot is the first of new ones."""
        ...

    def act(self, snapshot: Snapshot) -> Array:
        """The power requested of each port, kW at the grid side, positive = charge, `(B, N)`."""
        ...


def is_raw(policy: Policy) -> bool:
    """Whether the policy is one of the references that run without projection, in the evaluator alone."""
    return bool(getattr(policy, "raw", False))


def policy_names() -> list[str]:
    """The names registered in the entry-point group `ebbflow.policies`, sorted."""
    return sorted(metadata.entry_points(group=POLICY_GROUP).names)


def pinned(policy: Policy, name: str) -> str:
    """What to ask for instead of `name` to get this very policy in another process; `name` where that does."""
    return str(getattr(policy, "pinned", name))


def find_policy(
    name: str, others: Mapping[str, Callable[[], Policy]] | None = None, scenario: str | None = None
) -> Policy:
    """Make the policy of that name: registered, of the user's own, or kept in files.

    Args:
        name: what the user wrote: a registered name, `package.module:Class`, or `NAME=PATH` of a bundle or a
            stable-baselines3 zip, which is then reported as NAME.
        others: makers of policies that are not registered, by name; the evaluator's raw references.
        scenario: what it is to run on; told to makers that have a parameter of that name.

    Raises:
        FileNotFoundError: nothing is at PATH.
        ValueError: no such policy (with the nearest valid name), or the class is no policy, cannot be made or wants to
            run without projection; or what is at PATH is refused.
    """
    others = others or {}
    target: Any
    if "=" in name:
        return _from_files(name, [*policy_names(), *others])
    target = others[name] if name in others else _own_class(name) if ":" in name else _registered(name, others)
    try:
        policy = target(scenario=scenario) if _asks_for_scenario(target) else target()
    except Exception as error:
        if name in policy_names() and isinstance(error, ValueError | ModuleNotFoundError):
            raise  # it says itself what is wrong
        why = f"{type(error).__name__}: {error}"
        raise ValueError(f"policy {name!r} cannot be made without arguments: {why}") from error
    missing = [part for part in ("name", "reset", "act") if not hasattr(policy, part)]
    if missing:
        raise ValueError(f"policy {name!r} lacks {' and '.join(missing)}; see ebbflow.agents.policy.Policy")
    made: Policy = policy
    if is_raw(made) and name not in others:
        raise ValueError(f"policy {name!r} has raw set, but only the evaluator's references run raw; leave it out")
    return made


def _asks_for_scenario(target: Any) -> bool:
    try:
        return "scenario" in inspect.signature(target).parameters
    except (TypeError, ValueError):  # not callable, or without a signature
        return False


def _from_files(asked: str, taken: Iterable[str]) -> Policy:
    """The policy of `NAME=PATH`; a `#` and a SHA-256 behind the path say which content is meant."""
    name, _, place = asked.partition("=")
    if not re.fullmatch(r"[A-Za-z]\w*", name) or (name in taken and name != LEARNED):
        raise ValueError(f"policy {asked!r}: {name!r} is no name for files; write {LEARNED}=PATH or a name of your own")
    path, _, digest = place.partition("#")
    if path.endswith(ZIP):
        from .zipped import ZipPolicy

        return ZipPolicy(path, name, digest or None)
    from .bundle import BundlePolicy, load_bundle

    return BundlePolicy(load_bundle(path, digest or None), name)


def _registered(name: str, others: Iterable[str]) -> Any:
    found = metadata.entry_points(group=POLICY_GROUP, name=name)
    if not found:
        hint = unknown_name("policy", name, [*policy_names(), *others])
        raise ValueError(f"{hint}; a class of your own is named package.module:Class, files NAME=PATH")
    return next(iter(found)).load()


def _own_class(name: str) -> Any:
    module_name, _, class_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ValueError(f"policy {name!r}: no module {error.name!r}; check the name and PYTHONPATH") from None
    if not callable(getattr(module, class_name, None)):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise ValueError(f"policy {name!r}: {unknown_name('class', class_name, classes)}")
    return getattr(module, class_name)

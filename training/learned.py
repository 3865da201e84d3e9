"""The policy `learned`: the registry's champion for a scenario, or its challenger where there is none."""

from __future__ import annotations

from ..agents.bundle import BundlePolicy
from ..agents.policy import LEARNED


def learned(scenario: str | None = None) -> BundlePolicy:
    """The registered bundle of a scenario, on this machine.

    Args:
        scenario: a preset's name or a settings file.

    Raises:
        ValueError: no scenario, no store, or nothing registered for that scenario; says how to get one.
    """
    if scenario is None:
        raise ValueError(f"{LEARNED!r} is registered by scenario; name one, or a bundle: {LEARNED}=PATH")
    from .tracking.registry import model_name, served

    return BundlePolicy(served(model_name(scenario)), LEARNED)

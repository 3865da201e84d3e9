"""A policy of which some weight or answer is no number any more: told in a sentence, in place of torch's tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def check_numbers(model: Any, update: int) -> None:
    """See that all weights of an algorithm, and its answers to the last observation, are finite.

    Args:
        model: an algorithm of stable-baselines3 that has played.
        update: just made.

    Raises:
        FloatingPointError: they are not.
    """
    if not _finite(model):
        raise _lost(model, update)


@contextmanager
def numbers_told(model: Any, update: Callable[[], int]) -> Iterator[None]:
    """What torch raises while an algorithm with such weights learns or plays becomes a `FloatingPointError`.

    Args:
        model: the algorithm.
        update: tells which one is being made.
    """
    try:
        yield
    except (ValueError, RuntimeError) as error:
        if _finite(model):
            raise
        raise _lost(model, update()) from error


def _finite(model: Any) -> bool:
    if not all(bool(torch.isfinite(weights).all()) for weights in model.policy.state_dict().values()):
        return False
    if model._last_obs is None:
        return True
    try:
        # Finite weights may be so large that what they answer is not.
        action, _ = model.predict(model._last_obs, deterministic=True)
    except (ValueError, RuntimeError):
        return False
    return bool(np.isfinite(action).all())


def _lost(model: Any, update: int) -> FloatingPointError:
    rate = model.lr_schedule(1.0)
    return FloatingPointError(
        f"update {update}: weights or answers of the policy are no finite numbers; lower training.learning_rate, "
        f"which is {rate:g} at the start"
    )

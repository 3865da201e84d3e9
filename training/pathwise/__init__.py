"""Pathwise gradients: the dollars of whole days, differentiated through the simulator into the policy."""

from .rollout import Noise, Rollout
from .settings import PathwiseSettings
from .trainer import PathwiseTrainer, Update

__all__ = ["Noise", "PathwiseSettings", "PathwiseTrainer", "Rollout", "Update"]

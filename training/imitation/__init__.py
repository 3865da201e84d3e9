"""Imitation: the network learns from a teacher on the days that it plays itself (DAgger)."""

from .settings import ImitationSettings
from .trainer import ImitationTrainer, Round

__all__ = ["ImitationSettings", "ImitationTrainer", "Round"]

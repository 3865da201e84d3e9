"""Direct search: the numbers of a network's rule by trial on whole days."""

from .settings import DirectSettings
from .trainer import DirectTrainer, Generation

__all__ = ["DirectSettings", "DirectTrainer", "Generation"]

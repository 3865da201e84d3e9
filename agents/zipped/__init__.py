"""A stable-baselines3 zip of the user's own as a policy, loaded in a process of its own: such a file can run code."""

from .policy import ZipPolicy

__all__ = ["ZipPolicy"]

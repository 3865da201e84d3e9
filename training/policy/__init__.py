"""The learned policy: one small network shared by all cars, which sees the others through pools."""

from .network import SetNetwork, SetNetworkSizes
from .torch_policy import TorchPolicy

__all__ = ["SetNetwork", "SetNetworkSizes", "TorchPolicy"]

"""From a trained network to a bundle: ONNX graph, proof that it answers like the network, manifest, digests."""

from .bundle import Origin, export_network
from .graph import network_to_onnx

__all__ = ["Origin", "export_network", "network_to_onnx"]

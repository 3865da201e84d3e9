"""From a trained network to a bundle: ONNX graph, proof that it answers like the network, manifest, digests."""

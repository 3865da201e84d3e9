"""A learned policy as a folder of plain files: an ONNX graph, a manifest, and the digests of both. No pickle."""

from .format import Bundle, load_bundle, write_bundle
from .manifest import Manifest, Parity
from .policy import BundlePolicy

__all__ = ["Bundle", "BundlePolicy", "Manifest", "Parity", "load_bundle", "write_bundle"]

"""The artifact that learning writes and serving reads."""

from bundle.errors import BundleError
from bundle.loaded import Bundle
from bundle.manifest import Manifest
from bundle.preprocessing import Pixels, Preprocessing
from bundle.reading.loading import load_bundle

__all__ = ["Bundle", "BundleError", "Manifest", "Pixels", "Preprocessing", "load_bundle"]

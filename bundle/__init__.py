"""The artifact that learning writes and serving reads."""

from bundle.errors import BundleError
from bundle.loaded import Bundle
from bundle.loading import load_bundle
from bundle.manifest import Manifest
from bundle.preprocessing import Pixels, Preprocessing

__all__ = ["Bundle", "BundleError", "Manifest", "Pixels", "Preprocessing", "load_bundle"]

"""A summary of a bundle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bundle.errors import BundleError
from bundle.files import MANIFEST
from bundle.manifest import Manifest, Site
from bundle.reading.loading import load_bundle
from bundle.reading.manifest import read_signature
from bundle.signing import signer


@dataclass(frozen=True)
class Inspection:
    """Summary of a bundle that passed all checks.

    Attributes:
        path: directory of the bundle.
        fingerprint: SHA-256 of its manifest.
        signature: whether it is signed, with which key, and whether the signature was verified.
        sizes: size in bytes of every file, the manifest first.
        manifest: its manifest.
    """

    path: Path
    fingerprint: str
    signature: str
    sizes: dict[str, int]
    manifest: Manifest

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON values."""
        return {
            "path": str(self.path),
            "fingerprint": self.fingerprint,
            "signature": self.signature,
            "sizes": self.sizes,
            "manifest": self.manifest.to_values(),
        }


def inspect_bundle(path: Path, public_key: Ed25519PublicKey | None = None) -> Inspection:
    """Load a bundle with all the checks that a service makes, and summarize it.

    Args:
        path: directory of the bundle.
        public_key: key that the bundle must be signed with; None to accept it unsigned.

    Raises:
        BundleError: if the bundle is invalid.
    """
    loaded = load_bundle(path, public_key)
    sizes = {name: entry.size for name, entry in loaded.manifest.files.items()}
    return Inspection(
        path=path,
        fingerprint=loaded.fingerprint,
        signature=_signature(path, checked=public_key is not None),
        sizes={MANIFEST: (path / MANIFEST).stat().st_size, **sizes},
        manifest=loaded.manifest,
    )


def describe_folding(site: Site) -> str:
    """Arrays of ``predict.onnx`` that a site was folded into, in words."""
    if site.weight is None:
        return f"not folded: {site.scale}, {site.shift}"
    return f"{site.weight}, {'before' if site.side == 'output' else 'after'} it"


def _signature(path: Path, *, checked: bool) -> str:
    try:
        content = read_signature(path)
        if content is None:
            return "not signed"
        return f"signed by {signer(content)}, {'verified' if checked else 'not checked'}"
    except BundleError as error:
        return f"not valid: {error}"

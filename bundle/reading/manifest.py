"""Reads the manifest of a bundle and checks its hash, signature, schema version and fields."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from bundle import files
from bundle.errors import BundleError
from bundle.manifest import SCHEMA_VERSION, SCHEMA_VERSIONS, Manifest
from bundle.reading.regular_files import read_file
from bundle.reading.strict_json import parse_json
from bundle.signing import SIGNATURE_BYTES, check_signature

MAX_MANIFEST_BYTES = 16 * 2**20
MAX_SUM_BYTES = 1024


class Opened(NamedTuple):
    """A manifest, and the SHA-256 of its file."""

    manifest: Manifest
    fingerprint: str


def read_manifest(path: Path, public_key: Ed25519PublicKey | None = None) -> Opened:
    """Read and check the manifest of a bundle.

    Args:
        path: directory of the bundle.
        public_key: key that the bundle must be signed with; None to accept it unsigned.

    Raises:
        BundleError: saying what is wrong.
    """
    if not path.is_dir():
        raise BundleError(f"{path} is not a bundle: there is no such directory")
    text = read_file(path, files.MANIFEST, limit=MAX_MANIFEST_BYTES)
    checksum = read_file(path, files.MANIFEST_SUM, limit=MAX_SUM_BYTES)
    fingerprint = hashlib.sha256(text).hexdigest()
    if checksum != f"{fingerprint}  {files.MANIFEST}\n".encode():
        raise BundleError(
            f"{files.MANIFEST} does not match {files.MANIFEST_SUM}: one of them was changed"
        )
    if public_key is not None:
        check_signature(public_key, read_signature(path), text)
    content = parse_json(files.MANIFEST, text)
    _check_version(content.get("schema_version") if isinstance(content, dict) else None)
    try:
        manifest = Manifest.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the manifest"
        raise BundleError(f"{files.MANIFEST}: {field}: {first['msg']}") from error
    _check_listed(manifest)
    return Opened(manifest, fingerprint)


def read_signature(path: Path) -> bytes | None:
    """Content of a bundle's signature file, not verified; None if there is no such file.

    Raises:
        BundleError: if the file cannot be read or is larger than a signature.
    """
    if not (path / files.SIGNATURE).is_symlink() and not (path / files.SIGNATURE).exists():
        return None
    return read_file(path, files.SIGNATURE, limit=SIGNATURE_BYTES)


def _check_version(version: Any) -> None:
    if version in SCHEMA_VERSIONS and type(version) is int:
        return
    advice = "it is not a bundle's manifest"
    if type(version) is int:
        advice = (
            "update this program to read it"
            if version > SCHEMA_VERSION
            else "export the model again"
        )
    raise BundleError(
        f"{files.MANIFEST} has schema version {version!r}; this program reads"
        f" {SCHEMA_VERSIONS[0]} to {SCHEMA_VERSIONS[-1]}: {advice}"
    )


def _check_listed(manifest: Manifest) -> None:
    known = {*files.REQUIRED, *files.OPTIONAL}
    for name in files.REQUIRED:
        if name not in manifest.files:
            raise BundleError(f"{files.MANIFEST} does not list {name}")
    for name in manifest.files:
        if name not in known:
            raise BundleError(f"{files.MANIFEST} lists an unknown file {name!r}")

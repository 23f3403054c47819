"""Signs the manifest of a bundle, and checks the signature.

The manifest holds the hash of every other file, so its signature covers the whole bundle.
"""

import base64
import binascii
import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bundle.errors import BundleError
from bundle.files import MANIFEST, SIGNATURE

SCHEME = "ed25519"
# Scheme, hash of the public key, signature in base64, line feed.
SIGNATURE_BYTES = len(SCHEME) + 1 + 64 + 1 + 88 + 1
MAX_KEY_BYTES = 64 * 1024


def key_id(key: Ed25519PublicKey) -> str:
    """SHA-256 of the 32 bytes of a public key; signatures identify the key by it."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def make_signature(key: Ed25519PrivateKey, manifest: bytes) -> bytes:
    """Content of ``manifest.sig``.

    Args:
        key: private key to sign with.
        manifest: bytes of ``manifest.json``.
    """
    signature = base64.b64encode(key.sign(manifest)).decode()
    return f"{SCHEME} {key_id(key.public_key())} {signature}\n".encode()


def signer(content: bytes) -> str:
    """The :func:`key_id` in a signature file; the signature is not verified.

    Raises:
        BundleError: if the content is not a signature.
    """
    return _parse(content)[0]


def check_signature(key: Ed25519PublicKey, content: bytes | None, manifest: bytes) -> None:
    """Check that the holder of a key signed a manifest.

    Args:
        key: public key that is trusted.
        content: content of ``manifest.sig``; None if there is none.
        manifest: bytes of ``manifest.json``.

    Raises:
        BundleError: if the signature is missing or malformed, or was made with another key or for
            another manifest.
    """
    if content is None:
        raise BundleError(f"the bundle is not signed: it has no {SIGNATURE}")
    name, signature = _parse(content)
    if name != key_id(key):
        raise BundleError(
            f"{SIGNATURE} was made with the key {name[:16]}, not with the trusted key {key_id(key)[:16]}"
        )
    try:
        key.verify(signature, manifest)
    except InvalidSignature as error:
        raise BundleError(
            f"{SIGNATURE} is not the signature of this {MANIFEST}: one of them was changed"
        ) from error


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key: PEM as ``openssl pkey -pubout`` writes it, or a line in OpenSSH format.

    Raises:
        BundleError: if the file cannot be read or is not an Ed25519 public key.
    """
    content = _read(path)
    ssh = content.startswith(b"ssh-")
    load = serialization.load_ssh_public_key if ssh else serialization.load_pem_public_key
    try:
        key = load(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BundleError(f"{path} is not a public key in PEM or OpenSSH format") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BundleError(f"{path} is a public key, but not an Ed25519 key")
    return key


def read_private_key(path: Path, passphrase: str | None = None) -> Ed25519PrivateKey:
    """Read a private key: PEM as ``openssl genpkey -algorithm ed25519`` writes it, or OpenSSH format.

    Args:
        path: file of the key.
        passphrase: passphrase of an encrypted key.

    Raises:
        BundleError: if the file cannot be read, is not an Ed25519 private key, or the passphrase is
            wrong, missing or not needed.
    """
    content = _read(path)
    ssh = b"OPENSSH PRIVATE KEY" in content
    load = serialization.load_ssh_private_key if ssh else serialization.load_pem_private_key
    try:
        key = load(content, passphrase.encode() if passphrase else None)
    except TypeError as error:
        problem = "the key is not encrypted: omit the passphrase"
        if not passphrase:
            problem = "a passphrase is required"
        raise BundleError(f"{path}: {problem}") from error
    except UnsupportedAlgorithm as error:
        raise BundleError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        raise BundleError(
            f"{path} is not a private key in PEM or OpenSSH format, or the passphrase is wrong"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BundleError(f"{path} is a private key, but not an Ed25519 key")
    return key


def _parse(content: bytes) -> tuple[str, bytes]:
    if len(content) != SIGNATURE_BYTES:
        raise BundleError(
            f"{SIGNATURE} has {len(content)} bytes; a signature has {SIGNATURE_BYTES}"
        )
    try:
        scheme, name, signature = content.decode("ascii").removesuffix("\n").split(" ")
        raw = base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error) as error:
        raise BundleError(f"{SIGNATURE} is not a signature") from error
    # The last base64 letter has unused bits: without this check two files could hold one signature.
    written_back = f"{SCHEME} {name} {base64.b64encode(raw).decode()}\n".encode()
    if scheme != SCHEME or len(raw) != 64 or written_back != content:
        raise BundleError(f"{SIGNATURE} is not a signature of the scheme {SCHEME}")
    return name, raw


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_KEY_BYTES)
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error

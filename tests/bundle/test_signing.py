import base64
import shutil
import string
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundle import BundleError, files, load_bundle
from bundle.signing import (
    SIGNATURE_BYTES,
    key_id,
    make_signature,
    read_private_key,
    read_public_key,
    signer,
)
from tests.bundle.tampering import refusal, rehash

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in (1, 2))
PUBLIC = KEY.public_key()
RAW = (serialization.NoEncryption(), serialization.BestAvailableEncryption(b"open sesame"))


@pytest.fixture
def signed(path: Path) -> Path:
    """A bundle that is signed."""
    content = make_signature(KEY, (path / files.MANIFEST).read_bytes())
    (path / files.SIGNATURE).write_bytes(content)
    return path


def test_a_signed_bundle_is_accepted_with_the_key_and_without_any(
    signed: Path,
) -> None:
    assert load_bundle(signed, PUBLIC).fingerprint == load_bundle(signed).fingerprint
    content = (signed / files.SIGNATURE).read_bytes()
    assert len(content) == SIGNATURE_BYTES
    assert signer(content) == key_id(PUBLIC)


def test_a_bundle_without_signature(path: Path) -> None:
    load_bundle(path)
    assert refusal(path, PUBLIC) == "the bundle is not signed: it has no manifest.sig"


def test_a_signature_by_another_key(signed: Path) -> None:
    message = refusal(signed, OTHER.public_key())
    assert message == (
        f"manifest.sig was made with the key {key_id(PUBLIC)[:16]},"
        f" not with the trusted key {key_id(OTHER.public_key())[:16]}"
    )


def test_a_signature_that_only_names_the_trusted_key(signed: Path) -> None:
    forged = make_signature(OTHER, (signed / files.MANIFEST).read_bytes()).decode()
    forged = forged.replace(key_id(OTHER.public_key()), key_id(PUBLIC))
    (signed / files.SIGNATURE).write_text(forged)
    assert "is not the signature of this manifest.json" in refusal(signed, PUBLIC)


def test_a_signature_of_another_bundle(signed: Path, moved_bundle: Path) -> None:
    for name in (*files.REQUIRED, files.SAMPLE_IMAGES, files.MANIFEST, files.MANIFEST_SUM):
        shutil.copyfile(moved_bundle / name, signed / name)
    load_bundle(signed)
    assert "is not the signature of this manifest.json" in refusal(signed, PUBLIC)


def test_recomputed_hashes_do_not_help(signed: Path) -> None:
    rehash(signed)
    load_bundle(signed)
    assert "is not the signature of this manifest.json" in refusal(signed, PUBLIC)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, SIGNATURE_BYTES - 1), bits=st.integers(1, 255))
def test_any_changed_byte_of_a_signature_is_seen(signed: Path, place: int, bits: int) -> None:
    original = (signed / files.SIGNATURE).read_bytes()
    content = bytearray(original)
    content[place] ^= bits
    (signed / files.SIGNATURE).write_bytes(content)
    try:
        assert refusal(signed, PUBLIC).startswith(files.SIGNATURE)
    finally:
        (signed / files.SIGNATURE).write_bytes(original)


def test_a_signature_has_one_spelling(signed: Path) -> None:
    content = (signed / files.SIGNATURE).read_bytes()
    # The last base64 letter holds two bits of the signature and four unused bits.
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    other = letters[letters.index(chr(content[-4])) ^ 1].encode()
    assert base64.b64decode(content[73:-4] + other + b"==") == base64.b64decode(content[73:-1])
    (signed / files.SIGNATURE).write_bytes(content[:-4] + other + content[-3:])
    assert "is not a signature" in refusal(signed, PUBLIC)


@pytest.mark.parametrize("size", [0, 64, SIGNATURE_BYTES - 1])
def test_a_truncated_signature(signed: Path, size: int) -> None:
    content = (signed / files.SIGNATURE).read_bytes()
    (signed / files.SIGNATURE).write_bytes(content[:size])
    assert refusal(signed, PUBLIC) == f"manifest.sig has {size} bytes; a signature has 162"


def test_an_oversized_signature_is_not_read(signed: Path) -> None:
    with (signed / files.SIGNATURE).open("r+b") as file:
        file.truncate(10 * 10**9)
    message = refusal(signed, PUBLIC)
    assert message == "manifest.sig has 10000000000 bytes, more than the limit of 162"


def test_a_signature_elsewhere(signed: Path, tmp_path: Path) -> None:
    (signed / files.SIGNATURE).rename(tmp_path / "signature")
    (signed / files.SIGNATURE).symlink_to(tmp_path / "signature")
    assert "is a link out of the bundle" in refusal(signed, PUBLIC)
    (tmp_path / "signature").unlink()
    assert "is a link out of the bundle" in refusal(signed, PUBLIC)
    (signed / files.SIGNATURE).unlink()
    (signed / files.SIGNATURE).mkdir()
    assert refusal(signed, PUBLIC) == "cannot read manifest.sig: Is a directory"


def test_keys_of_openssl_are_read(tmp_path: Path) -> None:
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    for command in (
        f"openssl genpkey -algorithm ed25519 -out {private}",
        f"openssl pkey -in {private} -pubout -out {public}",
    ):
        subprocess.run(command.split(), check=True, capture_output=True)
    assert read_private_key(private).public_key() == read_public_key(public)


@pytest.mark.parametrize(
    ("kind", "encryption"),
    [
        (serialization.PrivateFormat.PKCS8, RAW[0]),
        (serialization.PrivateFormat.PKCS8, RAW[1]),
        # Encrypted OpenSSH keys need another package.
        (serialization.PrivateFormat.OpenSSH, RAW[0]),
    ],
)
def test_private_keys_are_read(
    tmp_path: Path,
    kind: serialization.PrivateFormat,
    encryption: serialization.KeySerializationEncryption,
) -> None:
    path = tmp_path / "key"
    path.write_bytes(KEY.private_bytes(serialization.Encoding.PEM, kind, encryption))
    passphrase = None if encryption is RAW[0] else "open sesame"
    assert read_private_key(path, passphrase).public_key() == PUBLIC
    with pytest.raises(BundleError, match="passphrase"):
        read_private_key(path, "wrong" if passphrase is None else None)
    if passphrase:
        with pytest.raises(BundleError, match="passphrase is wrong"):
            read_private_key(path, "wrong")


def test_public_keys_are_read(tmp_path: Path) -> None:
    for encoding, kind in (
        (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
    ):
        (tmp_path / "key").write_bytes(PUBLIC.public_bytes(encoding, kind))
        assert read_public_key(tmp_path / "key") == PUBLIC


def test_files_that_are_not_keys(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(BundleError, match="No such file"):
        read_public_key(path)
    for content in (b"", b"ssh-ed25519 AAAA", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END"):
        path.write_bytes(content)
        with pytest.raises(BundleError, match="is not a public key"):
            read_public_key(path)
        with pytest.raises(BundleError, match="is not a private key"):
            read_private_key(path)


def test_keys_that_are_not_ed25519(tmp_path: Path) -> None:
    path, key = tmp_path / "key", generate_private_key(SECP256R1())
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, RAW[0])
    )
    with pytest.raises(BundleError, match="not an Ed25519 key"):
        read_private_key(path)
    path.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    with pytest.raises(BundleError, match="not an Ed25519 key"):
        read_public_key(path)

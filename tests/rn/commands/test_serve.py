"""Whatever keeps the service from starting is reported in one line."""

import socket
from pathlib import Path

import onnxruntime as ort
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundle.files import MANIFEST, SIGNATURE
from bundle.signing import make_signature
from service.inference.device import CUDA
from service.server.listening import AddressError, listen
from tests.bundle.tampering import copy_of
from tests.rn.calling import failure
from tests.service.processes import run, started
from tests.service.running import serving, settings_for


def refused(*arguments: str, folder: Path, **settings: str) -> str:
    """The line that ``rn serve`` ends with."""
    ledger = f"sqlite:///{folder}/ledger.sqlite"
    given = {"RN_LEDGER": ledger, "RN_LOG_LEVEL": "error", **settings}
    return failure("serve", *arguments, **given)


def test_a_process_that_cannot_start_says_so_and_nothing_else(tmp_path: Path) -> None:
    result = run("serve", "nowhere", folder=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "rn serve: nowhere is not a bundle: there is no such directory\n"


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_bundle_of_which_one_byte_was_changed(bundle_path: Path, tmp_path: Path) -> None:
    files = sorted(path.name for path in bundle_path.iterdir())
    assert len(files) == 8
    for name in files:
        copy = copy_of(bundle_path, tmp_path / name)
        flipped(copy / name)
        line = refused(str(copy), folder=tmp_path)
        assert name.removesuffix(".sha256") in line


def test_only_a_bundle_signed_with_the_key_is_served(bundle_path: Path, tmp_path: Path) -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    encoding, kind = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    key = tmp_path / "key.pub"
    key.write_bytes(private.public_key().public_bytes(encoding, kind))
    bundle = copy_of(bundle_path, tmp_path)
    given = {"RN_PUBLIC_KEY": str(key)}
    line = refused(str(bundle), folder=tmp_path, **given)
    assert line == "the bundle is not signed: it has no manifest.sig"
    content = make_signature(private, (bundle / MANIFEST).read_bytes())
    (bundle / SIGNATURE).write_bytes(content)
    with serving(settings_for(bundle, tmp_path, public_key=key)) as service:
        assert service.versions()["serving"] == 0
    key.write_text("no key")
    assert "is not a public key" in refused(str(bundle), folder=tmp_path, **given)


def test_no_bundle(tmp_path: Path) -> None:
    line = refused(str(tmp_path / "nowhere"), folder=tmp_path)
    assert line.endswith("nowhere is not a bundle: there is no such directory")
    line = refused(folder=tmp_path)
    assert line == "no bundle given: give it as an argument, or set RN_BUNDLE or RN_MODELS"
    assert "cannot read manifest.json" in refused(str(tmp_path), folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("RN_PORT", "abc", "port (RN_PORT): Input should be a valid integer"),
        ("RN_COMMIT_EVERY", "0", "commit_every (RN_COMMIT_EVERY): Input should be greater"),
        ("RN_DEVICE", "tpu", "device (RN_DEVICE): Input should be 'cpu' or 'cuda'"),
    ],
)
def test_bad_settings(name: str, value: str, line: str, bundle_path: Path, tmp_path: Path) -> None:
    assert refused(str(bundle_path), folder=tmp_path, **{name: value}).startswith(line)


def test_a_ledger_that_cannot_be_written(bundle_path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ledger = f"sqlite:///{tmp_path}/file/ledger.sqlite"
    line = refused(str(bundle_path), folder=tmp_path, RN_LEDGER=ledger)
    assert line.startswith(f"cannot open the ledger {ledger}: ")


def test_an_address_that_is_taken(bundle_path: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(str(bundle_path), "--port", str(port), folder=tmp_path)
    assert line == f"cannot listen on 127.0.0.1:{port}: Address already in use"


def test_a_host_that_does_not_exist() -> None:
    with pytest.raises(AddressError, match=r"^cannot listen on host\.invalid:8000: "):
        listen("host.invalid", 8000)


@pytest.mark.skipif(CUDA in ort.get_available_providers(), reason="there is one")
def test_a_gpu_that_is_not_there(bundle_path: Path, tmp_path: Path) -> None:
    line = refused(str(bundle_path), "--device", "cuda", folder=tmp_path)
    assert line.startswith("RN_DEVICE is cuda, but ONNX Runtime runs on CPUExecutionProvider")


def test_it_starts_and_says_where(bundle_path: Path, tmp_path: Path) -> None:
    with started(bundle_path, tmp_path) as process:
        assert process.stderr[-1].startswith(f"serving {bundle_path} on http://127.0.0.1:")
        process.terminate()
        assert process.exit_code() == 0


def test_connections_are_known_as_tcp() -> None:
    # Only then does asyncio switch Nagle's algorithm off, which delays every answer.
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        connection, _ = listener.accept()
        with connection:
            assert connection.proto == socket.IPPROTO_TCP

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import Result

from bundle import files, load_bundle
from bundle.signing import key_id, read_public_key
from tests.bundle.tampering import copy_of, write_manifest
from tests.rn.calling import rn

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ROOT = Path(__file__).parents[3]


def run(command: str, *arguments: object, status: int = 0) -> Result:
    result = rn(command, *arguments, COLUMNS="40")
    assert result.exit_code == status, result.output
    if result.stderr:
        assert result.stderr.startswith(f"rn {command}: ") and result.stderr.count("\n") == 1
    return result


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """Files of a private and its public key."""
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    private.write_bytes(KEY.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(KEY.public_key().public_bytes(pem, kind))
    return private, public


def test_inspect_tells_what_a_bundle_is(small_bundle: Path) -> None:
    text = run("inspect", small_bundle).stdout
    manifest = load_bundle(small_bundle).manifest
    for word in (
        load_bundle(small_bundle).fingerprint,
        "ReciprocalNorm",
        "left, right, none",
        "not signed",
        "of the target, 101 images",
        "network.hidden.weight, before it",
        "2 normalization layers, 9 channels, 0 not folded",
        f"{manifest.files[files.OBSERVE].size:,}",
        "logit_error",
        "height_difference",
        "origin  test",
    ):
        assert word in text, word


def test_inspect_tells_explicit_sites(wide_bundle: Path) -> None:
    text = run("inspect", wide_bundle).stdout
    explicit = [site for site in load_bundle(wide_bundle).manifest.sites if not site.folded]
    assert explicit
    assert f"{len(explicit)} not folded" in text
    for site in explicit:
        assert f"not folded: {site.scale}, {site.shift}" in text


def test_a_bundle_does_not_command_the_terminal(path: Path) -> None:
    manifest = json.loads((path / files.MANIFEST).read_text())
    manifest["classes"][0] = "\x1b[2J\x9b"
    manifest["provenance"] = {"\x07": ["\x1b]0;title\x07"]}
    write_manifest(path, manifest)
    shown = run("inspect", path).output
    assert r"\x1b[2J\x9b, right" in shown and r"\x07" in shown
    assert all(character.isprintable() or character == "\n" for character in shown)
    manifest["sites"][0] |= {"name": "\x1b[31m", "scale": "s", "shift": "t"}
    write_manifest(path, manifest)
    assert r"site \x1b[31m must name either" in run("inspect", path, status=1).stderr


def test_inspect_gives_json(small_bundle: Path) -> None:
    found = json.loads(run("inspect", small_bundle, "--json").stdout)
    assert found["manifest"]["classes"] == ["left", "right", "none"]
    assert found["signature"] == "not signed"


def test_inspect_refuses_what_is_broken(path: Path) -> None:
    (path / files.BASE).unlink()
    message = "rn inspect: cannot read base.safetensors: No such file or directory\n"
    assert run("inspect", path, status=1).stderr == message


def test_a_bundle_is_signed_and_the_signature_checked(path: Path, keys: tuple[Path, Path]) -> None:
    private, public = keys
    error = run("inspect", path, "--public-key", public, status=1).stderr
    assert "the bundle is not signed" in error
    assert key_id(KEY.public_key()) in run("sign", path, "--key", private).stdout
    load_bundle(path, read_public_key(public))
    before = (path / files.SIGNATURE).read_bytes()
    run("sign", path, "--key", private)
    assert (path / files.SIGNATURE).read_bytes() == before
    assert "not checked" in run("inspect", path).stdout
    assert "verified" in run("inspect", path, "--public-key", public).stdout


def test_what_is_broken_is_not_signed(path: Path, keys: tuple[Path, Path]) -> None:
    (path / files.PREDICT).write_bytes(b"")
    assert "predict.onnx" in run("sign", path, "--key", keys[0], status=1).stderr
    assert not (path / files.SIGNATURE).exists()


def test_sign_needs_a_private_key(path: Path, keys: tuple[Path, Path]) -> None:
    assert "is not a private key" in run("sign", path, "--key", keys[1], status=1).stderr
    assert not (path / files.SIGNATURE).exists()


def test_equal_bundles(small_bundle: Path, tmp_path: Path) -> None:
    copy = copy_of(small_bundle, tmp_path)
    assert run("diff", small_bundle, copy).stdout == "no differences\n"
    assert json.loads(run("diff", small_bundle, copy, "--json").stdout)["equal"] is True


def test_different_bundles(small_bundle: Path, moved_bundle: Path) -> None:
    lines = run("diff", small_bundle, moved_bundle, status=1).stdout.splitlines()
    found = json.loads(run("diff", small_bundle, moved_bundle, "--json", status=1).stdout)
    assert found["equal"] is False
    order = sorted(found["sites"], key=lambda site: -site["mean_shift"])
    names = [
        line.split()[0]
        for line in lines
        if line.split()[:1] and line.split()[0] in {site["name"] for site in order}
    ]
    assert names == [site["name"] for site in order]
    assert f"{order[0]['mean_shift']:.3g}" in lines[1]


def test_different_networks(small_bundle: Path, wide_bundle: Path) -> None:
    text = run("diff", small_bundle, wide_bundle, status=1).stdout
    assert text.startswith("different networks: they have 2 and 7 normalization layers")
    assert "preprocessing.mode" in text and "L -> RGB" in text


def test_trouble_is_told_from_difference(small_bundle: Path, tmp_path: Path) -> None:
    error = run("diff", small_bundle, tmp_path / "nowhere", status=2).stderr
    assert error == f"rn diff: {tmp_path / 'nowhere'} is not a bundle: there is no such directory\n"


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_a_plot_is_drawn(
    small_bundle: Path, moved_bundle: Path, tmp_path: Path, suffix: str, start: bytes
) -> None:
    plot = tmp_path / f"plot.{suffix}"
    run("diff", small_bundle, moved_bundle, "--plot", plot, status=1)
    assert plot.read_bytes().startswith(start)
    if suffix == "svg":
        assert b"hidden_norm" in plot.read_bytes()


def test_plots_that_cannot_be(small_bundle: Path, moved_bundle: Path, tmp_path: Path) -> None:
    arguments = ("diff", small_bundle, moved_bundle, "--plot")
    assert "must end in one of" in run(*arguments, tmp_path / "plot.txt", status=2).stderr
    assert "No such file" in run(*arguments, tmp_path / "no" / "plot.png", status=2).stderr


PROGRAM = """
import sys
for name in {hidden!r}:
    sys.modules[name] = None
from rn.main import main
main()
"""


@pytest.mark.parametrize(
    ("command", "arguments", "status"),
    [
        ("inspect", ["small"], 0),
        ("diff", ["small", "moved"], 1),
        ("diff", ["small", "moved", "--plot", "x.png"], 2),
    ],
)
def test_neither_torch_nor_the_service_is_needed(
    small_bundle: Path, moved_bundle: Path, command: str, arguments: list[str], status: int
) -> None:
    paths = {"small": small_bundle, "moved": moved_bundle}
    program = PROGRAM.format(hidden=["torch", "fastapi", "uvicorn", "matplotlib"])
    result = subprocess.run(
        [sys.executable, "-c", program, command, *(str(paths.get(a, a)) for a in arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert result.returncode == status, result.stderr
    if status == 2:
        assert result.stderr == "rn diff needs matplotlib: pip install matplotlib\n"

"""Memory grows with the size of a file, not with what the file claims."""

import io
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto
from safetensors.numpy import load, save

from bundle import files
from tests.bundle.tampering import copy_of, replace_file, write_manifest
from tests.contracts import SMALL

TEN_GB = 10 * 10**9
MOST_GROWTH = 64 * 2**20

# Prints the error of every bundle, and by how much the maximum address space grew meanwhile.
PROGRAM = """
import re, sys
from pathlib import Path
from bundle import BundleError, load_bundle

def peak():
    return int(re.search(r"VmPeak:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

good, *bad = map(Path, sys.argv[1:])
load_bundle(good)
for path in bad:
    before = peak()
    try:
        load_bundle(path)
        print("loaded", 0)
    except BundleError as error:
        print(peak() - before, error)
"""


def header(claim: int) -> bytes:
    text = json.dumps({"a": {"dtype": "F32", "shape": [claim // 4], "data_offsets": [0, claim]}})
    return struct.pack("<Q", len(text)) + text.encode()


def claimed_manifest(path: Path) -> None:
    manifest = json.loads((path / files.MANIFEST).read_text())
    manifest["files"][files.BASE]["size"] = TEN_GB
    write_manifest(path, manifest)


def sparse(path: Path, name: str) -> None:
    """Make a file as large as the manifest says, of zeros that take no space on disk."""
    manifest = json.loads((path / files.MANIFEST).read_text())
    if name in manifest["files"]:
        manifest["files"][name]["size"] = TEN_GB
        write_manifest(path, manifest)
    with (path / name).open("r+b") as file:
        file.truncate(TEN_GB)


def claimed_graph(path: Path) -> None:
    model = onnx.load_model_from_string((path / files.PREDICT).read_bytes())
    claim = TensorProto(name="claim", data_type=TensorProto.FLOAT, dims=[TEN_GB // 4])
    model.graph.initializer.append(claim)
    replace_file(path, files.PREDICT, model.SerializeToString())


def unused_array(path: Path) -> None:
    arrays = load((path / files.PREDICT_WEIGHTS).read_bytes())
    arrays["unused"] = np.zeros(20 * 2**20, np.uint8)
    replace_file(path, files.PREDICT_WEIGHTS, save(arrays))


def bomb(images: int, *, written: int, claim: int | None = None) -> bytes:
    """An archive that claims ``images`` images and holds only a part of them.

    Its directory may claim yet another size.
    """
    shape = (images, *SMALL.preprocessing.shape)
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    member = buffer.getvalue() + bytes(written)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("images.npy", member)
    content = archive.getvalue()
    old = struct.pack("<L", len(member))
    assert content.count(old) == 2
    return content if claim is None else content.replace(old, struct.pack("<L", claim))


BOMBS = {
    "manifest": (claimed_manifest, "the manifest says 10000000000"),
    "sparse arrays": (lambda path: sparse(path, files.BASE), "more than the limit"),
    "sparse graph": (lambda path: sparse(path, files.OBSERVE), "more than the limit"),
    "sparse sample images": (lambda path: sparse(path, files.SAMPLE_IMAGES), "more than the limit"),
    "sparse manifest": (lambda path: sparse(path, files.MANIFEST), "more than the limit"),
    "sparse sum": (lambda path: sparse(path, files.MANIFEST_SUM), "more than the limit"),
    "array": (
        lambda path: replace_file(path, files.BASE, header(TEN_GB) + bytes(64)),
        "not a readable safetensors file",
    ),
    "header": (
        lambda path: replace_file(path, files.BASE, struct.pack("<Q", TEN_GB) + bytes(64)),
        "its header claims 10000000000 bytes",
    ),
    "unused array": (unused_array, "more than the limit"),
    "graph": (claimed_graph, "'claim' is not an array"),
    "many images": (
        lambda path: replace_file(path, files.SAMPLE_IMAGES, bomb(TEN_GB // 48, written=64)),
        "the limits are 1024 images and",
    ),
    "claimed member": (
        lambda path: replace_file(
            path, files.SAMPLE_IMAGES, bomb(100, written=4800, claim=2**32 - 2)
        ),
        "in a member of 4294967294 bytes",
    ),
    "hidden images": (
        lambda path: replace_file(
            path, files.SAMPLE_IMAGES, bomb(1, written=10**8, claim=128 + 48)
        ),
        "CRC",
    ),
}


def test_claims_take_no_memory(small_bundle: Path, tmp_path: Path) -> None:
    paths = []
    for name, (prepare, _) in BOMBS.items():
        (tmp_path / name).mkdir()
        paths.append(copy_of(small_bundle, tmp_path / name))
        prepare(paths[-1])
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, small_bundle, *paths],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = result.stdout.splitlines()
    assert len(lines) == len(BOMBS)
    for line, (name, (_, reason)) in zip(lines, BOMBS.items(), strict=True):
        growth, _, message = line.partition(" ")
        assert reason in message, f"{name}: {line}"
        assert int(growth) < MOST_GROWTH, f"{name}: {line}"

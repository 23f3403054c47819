import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundle import files, load_bundle
from bundle.reading.sample_images import read_sample_images
from tests.bundle.tampering import npz, refusal, replace_file
from tests.contracts import SMALL, random_images


def raw_member(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def spoiled(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(64) + content[middle + 64 :]


IMAGES = random_images(SMALL, 3)
HEADER = (
    b"\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 8, 6, 1)}"
)
BROKEN_SAMPLES = {
    "empty": b"",
    "garbage": b"garbage",
    "one array": npy(IMAGES),
    "other name": npz(pictures=IMAGES),
    "wrong shape": npz(images=IMAGES[:, :4]),
    "one image": npz(images=IMAGES[0]),
    "no image": npz(images=IMAGES[:0]),
    "no dimension": npz(images=np.ones((), np.uint8)),
    "wrong dtype": npz(images=IMAGES.astype(np.float32)),
    "pickled": npz(images=np.array([{}], dtype=object)),
    "spoiled": spoiled(npz(images=random_images(SMALL, 300))),
    "truncated": npz(images=IMAGES)[:-5],
    "not an array": raw_member("images", b"hello"),
    "huge": raw_member("images.npy", (HEADER % 10**13).ljust(127) + b"\n"),
    "long header": raw_member("images.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\x00" + b" " * 2**24),
}


class Intruder:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def test_pickled_sample_images_are_not_run(path: Path, tmp_path: Path) -> None:
    content = npz(images=np.array([Intruder(tmp_path / "intruded")], dtype=object))
    replace_file(path, files.SAMPLE_IMAGES, content)
    assert refusal(path).startswith(files.SAMPLE_IMAGES)
    assert not (tmp_path / "intruded").exists()


@pytest.mark.parametrize("kind", BROKEN_SAMPLES)
def test_broken_sample_images(path: Path, kind: str) -> None:
    replace_file(path, files.SAMPLE_IMAGES, BROKEN_SAMPLES[kind])
    assert refusal(path).startswith(files.SAMPLE_IMAGES)


def test_no_more_images_are_written_than_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from export import sample_images

    monkeypatch.setattr(sample_images, "MAX_SAMPLE_BYTES", 2 * 8 * 6 + 1)
    written = sample_images.pack_sample_images(
        sample_images.choose_samples(random_images(SMALL, 5))
    )
    assert len(read_sample_images(written, SMALL.preprocessing)) == 2


def test_images_are_read_as_they_were(path: Path) -> None:
    replace_file(path, files.SAMPLE_IMAGES, npz(images=IMAGES))
    found = load_bundle(path).sample_images
    assert found is not None
    np.testing.assert_array_equal(found, IMAGES)
    found[0] = 0


@pytest.mark.parametrize(
    "content",
    [
        npz(images=np.asfortranarray(IMAGES)),
        npz(images=IMAGES, more=IMAGES),
        npz(images=np.repeat(IMAGES, 400, axis=0)),
    ],
    ids=["columns first", "two arrays", "too many"],
)
def test_more_broken_sample_images(path: Path, content: bytes) -> None:
    replace_file(path, files.SAMPLE_IMAGES, content)
    assert refusal(path).startswith(files.SAMPLE_IMAGES)

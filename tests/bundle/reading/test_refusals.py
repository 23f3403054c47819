"""Every file of a bundle, damaged or exchanged in every way that occurs."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundle import files, load_bundle
from tests.bundle.tampering import copy_of, edited, refusal, rehash

ALL = (*files.REQUIRED, files.SAMPLE_IMAGES, files.MANIFEST, files.MANIFEST_SUM)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(ALL), place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_any_changed_byte_is_seen(path: Path, name: str, place: float, bits: int) -> None:
    original = (path / name).read_bytes()
    content = bytearray(original)
    content[int(place * len(content))] ^= bits
    (path / name).write_bytes(content)
    try:
        assert name in refusal(path)
    finally:
        (path / name).write_bytes(original)


@pytest.mark.parametrize("name", ALL)
def test_a_longer_file_is_seen(path: Path, name: str) -> None:
    with (path / name).open("ab") as file:
        file.write(b"\n")
    assert name in refusal(path)


@pytest.mark.parametrize("name", ALL)
def test_any_other_file_of_the_bundle_is_seen(path: Path, name: str) -> None:
    original = (path / name).read_bytes()
    for other in sorted({*ALL} - {name}):
        shutil.copyfile(path / other, path / name)
        assert name in refusal(path)
    (path / name).write_bytes(original)
    load_bundle(path)


@pytest.mark.parametrize("name", [files.PREDICT_WEIGHTS, files.BASE, files.MANIFEST])
def test_files_of_the_same_model_with_other_statistics_are_seen(
    path: Path, moved_bundle: Path, name: str
) -> None:
    load_bundle(moved_bundle)
    shutil.copyfile(moved_bundle / name, path / name)
    refusal(path)
    shutil.copyfile(moved_bundle / files.MANIFEST_SUM, path / files.MANIFEST_SUM)
    refusal(path)


@pytest.mark.parametrize("name", [files.PREDICT_WEIGHTS, files.BASE])
def test_other_statistics_are_seen_although_the_hashes_were_recomputed(
    path: Path, moved_bundle: Path, name: str
) -> None:
    shutil.copyfile(moved_bundle / name, path / name)
    rehash(path)
    assert "predict.safetensors and base.safetensors do not belong together" in refusal(path)


@pytest.mark.parametrize("name", ALL)
def test_links_out_of_the_bundle_are_not_followed(path: Path, tmp_path: Path, name: str) -> None:
    (path / name).rename(tmp_path / "elsewhere")
    (path / name).symlink_to(tmp_path / "elsewhere")
    assert refusal(path) == f"{name} is a link out of the bundle; such links are not followed"
    (path / name).unlink()
    (path / name).symlink_to("../elsewhere")
    assert refusal(path) == f"{name} is a link out of the bundle; such links are not followed"


def test_links_within_the_bundle_are_followed(path: Path, tmp_path: Path) -> None:
    # So do a mounted volume of Kubernetes and many caches.
    (path / "data").mkdir()
    for name in ALL:
        (path / name).rename(path / "data" / name)
        (path / name).symlink_to(f"data/{name}")
    (tmp_path / "link").symlink_to(path)
    assert load_bundle(tmp_path / "link").manifest.name == "small"


@pytest.mark.parametrize("name", ALL)
def test_what_is_not_a_regular_file_is_not_read(path: Path, name: str) -> None:
    (path / name).unlink()
    (path / name).symlink_to(name)
    assert refusal(path).startswith(f"cannot read {name}: ")
    (path / name).unlink()
    os.mkfifo(path / name)
    assert refusal(path) == f"cannot read {name}: it is not a regular file"


@pytest.mark.parametrize("name", files.REQUIRED)
def test_a_claim_beyond_the_file_is_not_believed(path: Path, name: str) -> None:
    entries = load_bundle(path).manifest.model_dump(mode="json")["files"]
    found = entries[name]["size"]
    entries[name]["size"] = 10 * 10**9
    assert edited(path, files=entries) == f"{name} has {found} bytes, the manifest says 10000000000"


def test_files_may_be_read_only(small_bundle: Path, tmp_path: Path) -> None:
    path = copy_of(small_bundle, tmp_path)
    for name in ALL:
        (path / name).chmod(0o400)
    load_bundle(path)

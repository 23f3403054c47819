"""The images on which candidates are judged: bounded, on disk if that is wanted, or none at all."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from cryptography.fernet import Fernet

from bundle import Pixels
from service.settings import Settings
from service.targets.making.image_folder import SUFFIX, ImageFolder
from service.targets.making.reservoir import Reservoir
from tests.service.online_targets import target_of
from tests.service.pictures import flat, noise
from tests.service.running import serving, settings_for

KEY = Fernet.generate_key()


def equal(found: Sequence[Pixels], expected: Pixels) -> bool:
    return np.array_equal(np.array(found), expected)


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob(f"*{SUFFIX}"))


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_images_survive_a_restart_in_their_order(tmp_path: Path, key: bytes | None) -> None:
    first = Reservoir(8, ImageFolder(tmp_path / "x", key))
    for seed in range(3):
        first.add(1, list(noise(2, seed)))
    first.add(2, list(flat(3)))
    again = Reservoir(8, ImageFolder(tmp_path / "x", key))
    assert equal(again.images(1), np.concatenate([noise(2, seed) for seed in range(3)]))
    assert equal(again.images(2), flat(3))
    again.add(1, list(noise(2, 3)))
    assert equal(Reservoir(8, ImageFolder(tmp_path / "x", key)).images(1), again.images(1))  # type: ignore[arg-type]


def test_no_more_is_on_disk_than_in_memory(tmp_path: Path) -> None:
    reservoir = Reservoir(4, ImageFolder(tmp_path))
    for seed in range(6):
        reservoir.add(seed // 2, list(noise(3, seed)))
        kept = sum(len(reservoir.images(domain)) for domain in range(3))
        assert len(files(tmp_path)) == kept
    assert [len(reservoir.images(domain)) for domain in range(3)] == [0, 4, 4]
    reservoir.forget()
    assert files(tmp_path) == [] and not reservoir.images(2)


def test_encrypted_images_are_of_no_use_without_the_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = noise(1)[0]
    Reservoir(4, ImageFolder(tmp_path / "plain")).add(0, [image])
    Reservoir(4, ImageFolder(tmp_path / "secret", KEY)).add(0, [image])
    (plain,), (secret,) = files(tmp_path / "plain"), files(tmp_path / "secret")
    assert image.tobytes() in plain.read_bytes()
    assert image.tobytes() not in secret.read_bytes()
    assert secret.stat().st_mode & 0o077 == 0
    other = Reservoir(4, ImageFolder(tmp_path / "secret", Fernet.generate_key()))
    assert not other.images(0) and not files(tmp_path / "secret")
    assert "another key" in caplog.text


def test_damaged_images_are_removed_and_the_others_kept(tmp_path: Path) -> None:
    Reservoir(4, ImageFolder(tmp_path)).add(0, list(noise(3)))
    first, second, _ = sorted(files(tmp_path), key=lambda path: path.name.split("-")[1])
    (tmp_path / "notes.image").write_text("not ours")
    first.write_bytes(first.read_bytes()[:20])
    second.write_bytes(b"")
    found = Reservoir(4, ImageFolder(tmp_path))
    assert equal(found.images(0), noise(3)[2:])
    assert len(files(tmp_path)) == 2


def test_where_no_folder_can_be_made_images_are_kept_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    reservoir = Reservoir(4, ImageFolder(tmp_path / "file" / "x"))
    reservoir.add(0, list(noise(2)))
    assert equal(reservoir.images(0), noise(2))
    assert caplog.text.count("kept in memory only") == 1


def test_a_target_judges_with_the_images_from_before_its_restart(
    bundle_path: Path, tmp_path: Path
) -> None:
    changes = {"commit_every": 64, "reservoir_folder": tmp_path / "images", "reservoir_key": KEY}
    with target_of(bundle_path, tmp_path, **changes) as target:
        target.adapt(list(noise(40, 1)))
        entered = target.adapt(list(flat(64, 2)))
        assert entered.domain == 1
    kept = files(tmp_path / "images")
    assert len(kept) >= 64
    with target_of(bundle_path, tmp_path, **changes) as target:
        outcome = target.adapt(list(flat(64, 3)))
        assert outcome.made is not None
        assert outcome.made.scores["images"] == 96


def test_without_images_other_domains_are_left_to_a_person(
    bundle_path: Path, tmp_path: Path
) -> None:
    with target_of(bundle_path, tmp_path, commit_every=64, reservoir=0) as target:
        target.adapt(list(noise(40, 1)))
        outcome = target.adapt(list(flat(64, 2)))
        assert outcome.domain == 1 and outcome.made is not None
        assert outcome.made.status == "proposed"
        assert "RN_RESERVOIR=0" in str(outcome.made.reason)
        assert target.record.serving == 0


def test_the_images_of_a_deleted_target_are_removed(bundle_path: Path, tmp_path: Path) -> None:
    settings = settings_for(bundle_path, tmp_path, reservoir_folder=tmp_path / "images")
    with serving(settings) as service:
        service.post("/targets", json={"name": "camera"})
        service.http.post("/targets/camera/adapt")
        model = service.resources.models.default
        model.targets.find("camera").adapt(list(noise(8)))
        service.adapt(noise(8, 2))
        series = [key for key in service.metrics() if "camera" in key]
        assert len(files(tmp_path / "images")) == 16 and len(series) > 8
        assert service.http.delete("/targets/camera").status_code == 200
        assert len(files(tmp_path / "images")) == 8
        assert [key for key in service.metrics() if "camera" in key] == []


def test_a_bad_key_is_said_at_once(bundle_path: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="RN_RESERVOIR_KEY is no Fernet key"):
        Settings.model_validate({"bundle": bundle_path, "reservoir_key": "short"})

"""``rn observe`` and ``rn submit-moments``, from a folder of images to a version that is served."""

from pathlib import Path

import numpy as np
import pytest

from bundle import Bundle, Pixels, load_bundle
from rn.observing.part import PartObserver
from rn.observing.pool import mixed
from service.adaptation.archive import Archive, ArchiveBuilder
from service.adaptation.observer import Observer
from service.adaptation.state import OnlineState
from tests.rn.commands.remote.running import rn
from tests.service.pictures import flat, noise, png
from tests.service.running import Service, serving, settings_for


def write(folder: Path, images: Pixels) -> Path:
    for number, image in enumerate(images):
        path = folder / str(number % 3) / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))
    return folder


def observe(folder: Path, bundle: Path, out: Path, *more: object, status: int = 0) -> str:
    text = rn("observe", folder, "--bundle", bundle, "--out", out, *more, status=status).output
    return text


def test_the_file_does_not_depend_on_the_number_of_processes(
    bundle_path: Path, tmp_path: Path
) -> None:
    folder = write(tmp_path / "images", noise(150))
    for workers in (1, 3):
        said = observe(folder, bundle_path, tmp_path / str(workers), "--workers", workers)
        assert f"150 images observed, 0 skipped; moments are in {tmp_path}/{workers}" in said
    assert (tmp_path / "1").read_bytes() == (tmp_path / "3").read_bytes()


def test_what_is_observed_is_what_the_service_would_observe(
    bundle_path: Path, tmp_path: Path
) -> None:
    bundle: Bundle = load_bundle(bundle_path)
    images = noise(64)
    folder = write(tmp_path / "images", images)
    names = mixed([path.relative_to(folder).as_posix() for path in folder.rglob("*.png")])
    settings = settings_for(bundle_path, tmp_path)
    builder = ArchiveBuilder(bundle)
    found = PartObserver(bundle, settings).observe(folder, names)
    assert found.outcome is not None and not found.skipped
    builder.add(found.outcome)
    order = [int(Path(name).stem) for name in names]
    start = OnlineState(bundle.target, 0.0)
    observed = Observer(bundle, settings).observe(list(images[order]), start)
    merged = builder.build()
    first = bundle.manifest.sites[0].slice
    np.testing.assert_allclose(
        merged.moments.mean[first], observed.moments.mean[first], rtol=1e-2, atol=1e-2
    )
    assert len(merged.features) == 64


def test_files_that_cannot_be_used_are_named(bundle_path: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "images", noise(40))
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "twice.png").write_bytes((folder / "0" / "000.png").read_bytes())
    said = observe(folder, bundle_path, tmp_path / "moments", status=3)
    assert f"{folder}/broken.png: skipped: is not an image" in said
    assert "an image was skipped: duplicate" in said
    assert "40 images observed, 2 skipped" in said


def test_bad_input_is_one_line_and_leaves_no_file(bundle_path: Path, tmp_path: Path) -> None:
    few = write(tmp_path / "few", noise(5))
    out = tmp_path / "moments"
    assert "5 images can be used, and 32 are needed" in observe(few, bundle_path, out, status=1)
    assert "is not a folder" in observe(tmp_path / "none", bundle_path, out, status=1)
    (tmp_path / "empty").mkdir()
    assert "contains no images" in observe(tmp_path / "empty", bundle_path, out, status=1)
    assert not out.exists()
    assert "rn observe: " in observe(few, tmp_path / "empty", out, status=1)


def test_moments_move_the_statistics_once(bundle_path: Path, tmp_path: Path) -> None:
    observe(write(tmp_path / "images", noise(80)), bundle_path, tmp_path / "moments")
    with serving(settings_for(bundle_path, tmp_path)) as service:
        tried = rn("submit-moments", tmp_path / "moments", "--dry-run", service=service).stdout
        assert "moments of 80 images would be merged, in domain 0" in tried
        assert service.versions()["serving"] == 0
        for _ in range(2):
            said = rn("submit-moments", tmp_path / "moments", service=service).stdout
            # The bundle of these tests has no calibration with which to judge it.
            unseen = "of the 80 images behind it, 0 are here to judge it with; a person has to"
            assert said.splitlines() == [
                "moments of 80 images merged, in domain 0",
                f"version 1 proposed: {unseen}",
                "version 0 is served, 0 images pending",
            ]
        assert len(service.versions()["versions"]) == 2


def test_another_domain_is_only_proposed_until_there_are_images(
    bundle_path: Path, tmp_path: Path
) -> None:
    observe(write(tmp_path / "images", flat(80)), bundle_path, tmp_path / "moments")
    with serving(settings_for(bundle_path, tmp_path)) as service:
        said = rn("submit-moments", tmp_path / "moments", service=service).stdout
        assert "moments of 80 images merged, in domain 1" in said
        assert "the domain has changed" in said
        assert "version 1 proposed: of the 80 images behind it, 0 are here to judge it with" in said
        assert "version 0 is served" in said
        rn("promote", 1, service=service)
        assert service.versions()["serving"] == 1


def test_moments_need_their_own_key_and_their_own_bundle(
    bundle_path: Path, tmp_path: Path, service: Service
) -> None:
    def post(content: bytes, kind: str = "application/octet-stream") -> tuple[int, str]:
        answer = service.http.post(
            "/adapt/moments", content=content, headers={"Content-Type": kind}
        )
        return answer.status_code, answer.json()["detail"]

    status, detail = post(b"junk")
    assert status == 422 and detail.endswith("send a file that `rn observe` wrote")
    status, detail = post(b"junk", "image/png")
    assert status == 415 and "application/octet-stream" in detail
    observe(write(tmp_path / "images", noise(40)), bundle_path, tmp_path / "moments")
    archive = Archive.from_bytes((tmp_path / "moments").read_bytes(), load_bundle(bundle_path))
    object.__setattr__(archive, "bundle", "0" * 64)
    status, detail = post(archive.to_bytes())
    assert status == 422 and "another bundle" in detail
    assert service.versions()["pending"] == 0


@pytest.mark.parametrize("names", [["b", "a", "c"], ["c", "b", "a"]])
def test_the_order_depends_on_the_names_alone(names: list[str]) -> None:
    assert mixed(names) == mixed(sorted(names))

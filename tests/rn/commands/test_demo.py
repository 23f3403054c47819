"""``rn demo``: the scenes run against a real service, which is gone afterwards."""

import json
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from rn.demonstration.images import grey_camera, held_out, noise, same_camera, unlabelled
from tests.rn.calling import failure, rn


def test_the_scenes_are_played_and_taken_back(small_bundle: Path) -> None:
    result = rn("demo", small_bundle, "--images", 40, "--json")
    assert result.exit_code == 0, result.output
    steps = json.loads(result.stdout)
    texts = [step["text"] for step in steps]
    assert [text[:11] for text in texts if "posted" in text] == ["  32 posted", "  40 posted"]
    assert sum("noise" in text for text in texts) == 2
    assert steps[-1]["version"] == 0
    assert steps[-1]["accuracy"] == steps[0]["accuracy"]
    assert texts[-1] == "version 0 again: every probability is what it was"
    assert not [child for child in psutil.Process().children() if "serve" in child.cmdline()]


def test_every_step_is_a_line(small_bundle: Path) -> None:
    result = rn("demo", small_bundle, "--images", 8)
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if line.startswith("  version")]
    assert len(lines) == 6
    assert "Junk arrives" in result.stdout


def test_without_the_example_it_says_how_to_make_it(tmp_path: Path) -> None:
    assert "make serve" in failure("demo", tmp_path / "none")


def test_no_image_that_is_posted_is_measured_on() -> None:
    measured = set(held_out(400, grey_camera).files)
    assert not measured & set(unlabelled(1000, grey_camera))


def test_the_cameras_and_the_junk_differ() -> None:
    old, new = (held_out(3, camera) for camera in (same_camera, grey_camera))
    assert old.labels == new.labels
    assert len({*old.files, *new.files, *noise(3)}) == 9


def test_the_new_camera_has_a_third_of_the_contrast() -> None:
    pixels = np.array([[[[0]], [[255]]]], np.uint8)
    assert grey_camera(pixels).ravel().tolist() == [90, 175]
    assert Image.fromarray(grey_camera(pixels)[0, :, :, 0]).mode == "L"

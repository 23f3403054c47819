"""``rn replay``: a stream is run through the online engine, in this process."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bundle import load_bundle
from tests.rn.calling import failure, rn

COUNT = 70


@pytest.fixture
def stream(small_bundle: Path, tmp_path: Path) -> Path:
    """Arrays of noise, without labels."""
    shape = load_bundle(small_bundle).manifest.preprocessing.shape
    images = np.random.default_rng(0).integers(0, 256, (COUNT, *shape), dtype=np.uint8)
    path = tmp_path / "stream.npz"
    np.savez(path, images=images[..., 0] if shape[2] == 1 else images)
    return path


def replayed(folder: Path, *arguments: object) -> dict[str, Any]:
    """What the command writes."""
    path = folder / "replay.json"
    result = rn("replay", *arguments, "--json", path)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_every_image_is_predicted_and_posted_once(
    small_bundle: Path, stream: Path, tmp_path: Path
) -> None:
    found = replayed(tmp_path, small_bundle, stream, "--batch-size", 32)
    assert [(step["start"], step["stop"]) for step in found["steps"]] == [
        (0, 32),
        (32, 64),
        (64, 70),
    ]
    assert [step["outcome"]["received"] for step in found["steps"]] == [32, 32, 6]
    assert all(sum(step["shares"].values()) == pytest.approx(1) for step in found["steps"])
    assert found["summary"][0]["accuracy"] is None


def test_changes_divide_the_stream(small_bundle: Path, stream: Path, tmp_path: Path) -> None:
    changes = ("--change", "32:contrast", "--change", "64:none")
    found = replayed(tmp_path, small_bundle, stream, "--batch-size", 32, *changes)
    stretches = [(part["change"], part["start"], part["stop"]) for part in found["summary"]]
    assert stretches == [("none", 0, 32), ("contrast", 32, 64), ("none", 64, 70)]


def test_labels_measure_the_versions_that_predicted(
    small_bundle: Path, stream: Path, tmp_path: Path
) -> None:
    shares = replayed(tmp_path, small_bundle, stream)["steps"][0]["shares"]
    classes = load_bundle(small_bundle).manifest.classes
    likely = max(shares, key=shares.__getitem__)
    with np.load(stream) as arrays:
        images = arrays["images"]
    labelled = tmp_path / "labelled.npz"
    np.savez(labelled, images=images, labels=np.full(COUNT, classes.index(likely)))
    step = replayed(tmp_path, small_bundle, labelled)["steps"][0]
    assert step["labelled"] == 64
    assert step["right"] == round(64 * shares[likely]) > 0


def test_a_folder_is_replayed_in_the_order_of_its_names(
    small_bundle: Path, stream: Path, tmp_path: Path
) -> None:
    with np.load(stream) as arrays:
        images = arrays["images"]
    folder = tmp_path / "frames"
    folder.mkdir()
    classes = load_bundle(small_bundle).manifest.classes
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "label"])
        for number, pixels in enumerate(images):
            Image.fromarray(pixels).save(folder / f"{number:03}.png")
            if number < 10:
                rows.writerow([f"{number:03}.png", classes[0]])
    recorded = replayed(tmp_path, small_bundle, folder, "--labels", tmp_path / "labels.csv")
    arrays_only = replayed(tmp_path, small_bundle, stream)
    assert [step["shares"] for step in recorded["steps"]] == [
        step["shares"] for step in arrays_only["steps"]
    ]
    assert [step["labelled"] for step in recorded["steps"]] == [10, 0]


def test_settings_apply_and_a_plot_is_drawn(
    small_bundle: Path, stream: Path, tmp_path: Path
) -> None:
    plot = tmp_path / "replay.svg"
    rn("replay", small_bundle, stream, "--set", "commit_every=8", "--plot", plot)
    assert "images" in plot.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--change", "x:contrast"), "START:NAME"),
        (("--change", "5:fog"), "contrast"),
        (("--change", "9:blur", "--change", "5:none"), "order"),
        (("--set", "colour=red"), "NAME=VALUE"),
        (("--set", "commit_every=0"), "commit_every"),
        (("--order", "by-class"), "label"),
        (("--labels", "labels.csv"), "inside"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(
    small_bundle: Path, stream: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert said in failure("replay", small_bundle, stream, *arguments)


def test_wrong_streams_are_one_line(small_bundle: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.npz"
    np.savez(wrong, images=np.zeros((2, 4, 4), np.float32))
    assert "uint8" in failure("replay", small_bundle, wrong)
    np.savez(wrong, images=np.zeros((2, 4, 4), np.uint8), labels=[0, 99])
    assert "labels" in failure("replay", small_bundle, wrong)
    wrong.write_bytes(b"no archive")
    assert "wrong.npz" in failure("replay", small_bundle, wrong)
    assert "none" in failure("replay", small_bundle, tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "no images" in failure("replay", small_bundle, tmp_path / "empty")

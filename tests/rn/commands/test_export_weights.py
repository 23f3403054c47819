"""``rn export`` of a file of weights, without a training."""

import json
from importlib import import_module
from pathlib import Path

import onnxruntime as ort
import pytest
import torch

import tests.vision  # noqa: F401
from bundle import files, load_bundle
from bundle.manifest import SCHEMA_VERSION
from tests.export.commands import refusal, rn_export
from tests.networks import SMALL, SmallNet, TinyNet, random_images, trained_net

NAME = f"{SmallNet.__module__}:SmallNet"
CONTRACT = SMALL.preprocessing.model_dump_json()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as training scripts write it."""
    path = tmp_path_factory.mktemp("weights") / "checkpoint.pth"
    state = {f"module.{name}": value for name, value in trained_net().state_dict().items()}
    torch.save({"epoch": 3, "model_state_dict": state, "optimizer": {"state": {}}}, path)
    return path


@pytest.fixture(scope="module")
def bundle(weights: Path) -> Path:
    """Its bundle, with classes and preprocessing from files."""
    folder = weights.parent
    (folder / "classes.txt").write_text("left\nright\nnone\n")
    (folder / "mine.json").write_text(CONTRACT)
    result = rn_export(
        *(weights, "--backbone", NAME, "--classes", folder / "classes.txt"),
        *("--preprocessing", folder / "mine.json", "--out", folder / "mine", "--fp16"),
        *("--max-loss", 1.0),
    )
    assert result.exit_code == 0, result.output
    first, second, third, fourth = result.stdout.splitlines()
    assert first.startswith(f"{folder / 'mine'}: 2 normalization layers, 2 folded;")
    assert second.startswith(f"{files.PREDICT_FP16}: ")
    assert third == "made without training: AdaBN begins with the weights' running statistics"
    assert fourth == "preprocessing (given): L, stretched to 8x6, bilinear"
    return folder / "mine"


def test_a_bundle_says_what_it_was_made_of(bundle: Path, weights: Path) -> None:
    manifest = load_bundle(bundle).manifest
    assert (manifest.name, manifest.classes) == ("mine", SMALL.classes)
    assert manifest.preprocessing == SMALL.preprocessing
    assert set(manifest.variants) == {"float16"}
    provenance = manifest.provenance
    assert provenance["backbone"] == NAME and provenance["weights"] == weights.name
    assert len(str(provenance["weights_sha256"])) == 64
    assert "without training" in str(provenance["origin"])


def test_a_layout_is_made_of_weights_too(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.onnx"
    result = rn_export(
        *(weights, "--backbone", NAME, "--classes", "left,right,none"),
        *("--preprocessing", CONTRACT, "--out", out, "--layout", "onnx"),
    )
    assert result.exit_code == 0, result.output
    (logits,) = ort.InferenceSession(out).run(None, {"image": random_images(SMALL, 2)})
    assert logits.shape == (2, 3)


def test_scaled_decoding_is_chosen_by_an_option(weights: Path, tmp_path: Path) -> None:
    result = rn_export(
        *(weights, "--backbone", NAME, "--classes", "3", "--preprocessing", CONTRACT),
        *("--decoding", "scaled", "--out", tmp_path / "mine"),
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("L, stretched to 8x6, bilinear, scaled decoding\n")
    manifest = load_bundle(tmp_path / "mine").manifest
    assert (manifest.schema_version, manifest.preprocessing.decoding) == (SCHEMA_VERSION, "scaled")
    metadata = ort.InferenceSession(tmp_path / "mine" / files.PREDICT).get_modelmeta()
    assert metadata.custom_metadata_map["schema_version"] == str(SCHEMA_VERSION)
    nearest = json.dumps({**json.loads(CONTRACT), "interpolation": "nearest"})
    assert refused(weights, preprocessing=nearest, decoding="scaled").endswith(
        "decoding scaled needs another interpolation than nearest"
    )


def refused(path: Path, **changes: str | None) -> str:
    """The line that the command ends with, after some options changed."""
    options = {"backbone": NAME, "classes": "3", "preprocessing": CONTRACT, **changes}
    given = [part for key, value in options.items() if value for part in (f"--{key}", value)]
    return refusal(path, *given, "--out", path.parent / "refused")


def test_what_does_not_fit_is_refused_in_one_line(weights: Path) -> None:
    assert refused(weights, classes="4").endswith("one output for each of the 4 classes, not 3")
    assert refused(weights.parent / "absent.pth") == (
        f"there is no file of weights {weights.parent / 'absent.pth'}"
    )
    other = refused(weights, backbone=f"{TinyNet.__module__}:TinyNet")
    assert "does not fit the network: 6 of 6" in other and "unexpected hidden." in other
    assert "is not the name of a network" in refused(weights, backbone="resnet18")
    assert "there is no file absent.txt" in refused(weights, classes="absent.txt")
    assert "there is no file absent.yaml" in refused(weights, preprocessing="absent.yaml")
    assert "give --preprocessing imagenet" in refused(weights, preprocessing=None)
    assert not (weights.parent / "refused").exists()


def test_a_network_without_batch_norm_is_refused(weights: Path) -> None:
    path = weights.parent / "plain.pth"
    plain = plain_network(3)
    torch.save(plain.state_dict(), path)
    line = refused(path, backbone=f"{__name__}:plain_network")
    assert line.startswith("the network has no BatchNorm layer")


def plain_network(num_classes: int) -> torch.nn.Module:
    """A network without BatchNorm."""
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, num_classes))


def test_what_is_missing_or_too_much_is_named(weights: Path, small_run: Path) -> None:
    out = ("--out", weights.parent / "refused")
    line = refusal(weights, *out)
    assert line.endswith(
        "to export pretrained weights without training, give --backbone and --classes"
    )
    assert refusal(small_run, "--classes", "3", *out).endswith("also give --backbone")
    needed = ("--backbone", NAME, "--classes", "3", "--preprocessing", CONTRACT)
    for flag in (("--int8",), ("--no-samples",), ("--relations",), ("--statistics", "source")):
        line = refusal(weights, *needed, *flag, *out)
        assert line == f"{flag[0]}: only for a run, because weights bring no target images"


def test_the_preprocessing_of_a_library_is_the_default(tmp_path: Path) -> None:
    model = import_module("timm").create_model("test_resnet", num_classes=2)
    torch.save(model.state_dict(), tmp_path / "mine.pth")
    result = rn_export(
        *(tmp_path / "mine.pth", "--backbone", "timm:test_resnet", "--classes", "cat,dog"),
        *("--out", tmp_path / "mine"),
    )
    assert result.exit_code == 0, result.output
    assert "preprocessing (as published for timm:test_resnet): RGB, " in result.stdout
    manifest = json.loads((tmp_path / "mine" / files.MANIFEST).read_text())
    assert manifest["preprocessing"]["height"] == 160

"""``rn export`` as it is called."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from torch import nn

from bundle import files, load_bundle
from tests.export.commands import refusal, rn_export
from tests.export.runs import write_small_run
from tests.networks import SMALL, random_images, small_model


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_variants_are_in_the_bundle_and_in_its_manifest(full_bundle: Path) -> None:
    manifest = load_bundle(full_bundle).manifest
    assert set(manifest.variants) == {"float16", "int8"}
    for precision, variant in manifest.variants.items():
        assert variant.file == files.VARIANTS[precision]
        assert variant.images == 40 and variant.agreement >= 0.8 and variant.accuracy is None
        assert variant.file in manifest.files
    assert manifest.variants["int8"].calibration_images == 40


def test_a_layout_of_a_run_holds_the_variant_that_was_asked_for(
    small_run: Path, full_bundle: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "test.npz", images=random_images(SMALL, 9), labels=np.arange(9) % 3)
    models = tmp_path / "own" / "models"
    result = rn_export(
        *(small_run, "--out", models, "--layout", "triton", "--int8", "--max-loss", 0.2),
        *("--test", tmp_path / "test.npz"),
    )
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()
    assert first.startswith(f"{models / 'small-run'}: 2 normalization layers, 2 folded;")
    assert second.startswith(f"{files.PREDICT_INT8}: ") and "accuracy 0." in second
    assert contents(models) == {
        "small-run/config.pbtxt",
        "small-run/labels.txt",
        "small-run/1/model.onnx",
    }
    found = onnx.load(models / "small-run" / "1" / "model.onnx")
    assert found.graph == onnx.load(full_bundle / files.PREDICT_INT8).graph


def test_a_layout_of_a_bundle_predicts_what_the_bundle_does(
    full_bundle: Path, tmp_path: Path
) -> None:
    images = random_images(SMALL, 5)
    for flags, name in (
        ((), files.PREDICT),
        (("--fp16",), files.PREDICT_FP16),
        (("--int8",), files.PREDICT_INT8),
    ):
        out = tmp_path / "model.onnx"
        result = rn_export(full_bundle, "--out", out, "--layout", "onnx", "--replace", *flags)
        assert result.exit_code == 0, result.output
        found, expected = (
            ort.InferenceSession(path).run(None, {"image": images})[0]
            for path in (out, full_bundle / name)
        )
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ((), "is already a bundle: give a --layout to write another form of it"),
        (
            ("--layout", "onnx", "--name", "x", "--no-samples", "--free-size", "--max-loss", "0.1"),
            "--name, --max-loss, --no-samples, --free-size: only for a run, and",
        ),
        (("--layout", "onnx", "--statistics", "source"), "--statistics: only for a run, and"),
        (("--layout", "onnx", "--no-canary"), "--no-samples: only for a run, and"),
        (
            ("--layout", "triton", "--fp16", "--int8"),
            "triton holds one graph: give --fp16 or --int8",
        ),
        (("--layout", "onnx"), "does not end in .onnx: name the file to write"),
    ],
)
def test_what_makes_no_sense_for_a_bundle_is_refused(
    full_bundle: Path, tmp_path: Path, options: tuple[str, ...], line: str
) -> None:
    assert line in refusal(full_bundle, "--out", tmp_path / "out", *options)
    assert not contents(tmp_path)


def test_a_variant_that_the_bundle_does_not_have_is_refused(
    small_bundle: Path, tmp_path: Path
) -> None:
    line = refusal(small_bundle, "--out", tmp_path / "a.onnx", "--layout", "onnx", "--int8")
    assert line == "the bundle small has no int8 variant: export the run again with one"


def test_too_great_a_loss_leaves_nothing_behind(tmp_path: Path) -> None:
    model = small_model()
    nn.init.constant_(model.head.bias, 20_000.0)  # halves there are 16 apart
    write_small_run(tmp_path / "run", random_images(SMALL, 20), model)
    line = refusal(tmp_path / "run", "--out", tmp_path / "out", "--fp16", "--max-loss", 0.05)
    assert line.startswith("predict.fp16.onnx changes the label of ")
    assert line.endswith(" of 10 held-out images; at most 5.00% is allowed")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_integers_without_images_are_refused(tmp_path: Path) -> None:
    write_small_run(tmp_path / "run", None)
    line = refusal(tmp_path / "run", "--out", tmp_path / "out", "--int8")
    assert line.startswith("int8 needs at least two target images") and "keep_images" in line
    assert not (tmp_path / "out").exists()


def test_a_name_that_cannot_be_one_is_refused_in_one_line(small_run: Path, tmp_path: Path) -> None:
    line = refusal(small_run, "--out", tmp_path / "out", "--name", "two words")
    assert line.startswith("'two words' is not a valid model name: use up to 64 letters")


def test_a_taken_place_is_refused_before_the_run_is_read(tmp_path: Path, full_bundle: Path) -> None:
    missing = tmp_path / "missing"
    assert "already exists" in refusal(missing, "--out", full_bundle)
    for layout in ("triton", "mlflow"):
        line = refusal(missing, "--out", full_bundle, "--layout", layout, "--replace")
        assert line == f"{full_bundle} is a bundle: choose another path"
    line = refusal(missing, "--out", tmp_path / "out")
    assert line.endswith("run.json is missing: this is not the directory of a run")


def test_relations_of_channels_are_measured_if_that_is_wanted(
    small_run: Path, tmp_path: Path
) -> None:
    result = rn_export(small_run, "--out", tmp_path / "bundle", "--relations")
    assert result.exit_code == 0, result.output
    assert load_bundle(tmp_path / "bundle").manifest.estimator == "related_channels"

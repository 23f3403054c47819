from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from bundle import files, load_bundle
from bundle.runtime import make_session
from bundle.scores import label_free_scores, softmax
from export import ExportError
from export.checks.images import LabelledImages
from export.graphs.embedded_arrays import embed, serialize
from export.variants.conversion import VariantOptions, make_variants
from export.variants.float16 import rounding_session
from export.variants.image_split import split_images
from tests.networks import SMALL, random_images

IMAGES = split_images(random_images(SMALL, 200))


@pytest.fixture
def model(small_bundle: Path) -> onnx.ModelProto:
    bundle = load_bundle(small_bundle)
    return embed(bundle.predict, bundle.predict_arrays)


def change(model: onnx.ModelProto, ending: str, value: float) -> None:
    """Fill one array."""
    (tensor,) = (t for t in model.graph.initializer if t.name.endswith(ending))
    filled = np.full(tuple(tensor.dims), value, np.float32)
    tensor.CopyFrom(numpy_helper.from_array(filled, tensor.name))


def test_what_is_measured_is_what_plain_onnx_runtime_gives(model: onnx.ModelProto) -> None:
    labels = np.arange(len(IMAGES.held_out)) % 3
    labelled = LabelledImages(IMAGES.held_out, labels)
    contents, table = make_variants(
        model, IMAGES, {}, VariantOptions(("float16", "int8"), 1, labelled)
    )
    assert table["float16"].calibration_images == 0 and table["int8"].calibration_images == 100
    before = make_session(serialize(model), {}).run(None, {"image": IMAGES.held_out})[0]
    for variant in table.values():
        if variant.file == files.PREDICT_FP16:
            session = rounding_session(onnx.load_from_string(contents[variant.file]))
        else:
            session = make_session(contents[variant.file], {})
        after = session.run(None, {"image": IMAGES.held_out})[0]
        assert variant.images == 100
        assert variant.agreement == (before.argmax(1) == after.argmax(1)).mean()
        difference = np.abs(before - after).max() / np.abs(before).max()
        assert variant.logit_error == pytest.approx(difference)
        assert variant.accuracy is not None
        assert variant.accuracy.float32 == (before.argmax(1) == labels).mean()
        assert variant.accuracy.variant == (after.argmax(1) == labels).mean()
        scores = label_free_scores(softmax(after))
        assert variant.information.variant == pytest.approx(scores.information)
        assert variant.nuclear_norm.variant == pytest.approx(scores.nuclear_norm)
        assert variant.information.float32 != variant.information.variant
    assert table["float16"].logit_error < table["int8"].logit_error < 0.1


def test_too_great_a_loss_is_refused(model: onnx.ModelProto) -> None:
    change(model, "head.bias", 20_000.0)  # halves there are 16 apart: all logits are the same
    with pytest.raises(
        ExportError,
        match=r"^predict\.fp16\.onnx changes the label of \d+\.\d\d% of 100 held-out images;"
        r" at most 1\.00% is allowed$",
    ):
        make_variants(model, IMAGES, {}, VariantOptions(["float16"]))
    _, table = make_variants(model, IMAGES, {}, VariantOptions(["float16"], max_loss=1))
    assert table["float16"].agreement < 0.9


def test_values_beyond_the_range_of_halves_are_refused(model: onnx.ModelProto) -> None:
    change(model, "head.weight", 60_000.0)
    with pytest.raises(
        ExportError, match=r"^predict\.fp16\.onnx returns logits that are not finite"
    ):
        make_variants(model, IMAGES, {}, VariantOptions(["float16"], max_loss=1))

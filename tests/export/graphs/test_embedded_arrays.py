from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from bundle import load_bundle
from bundle.runtime import make_session
from export import ExportError
from export.graphs.embedded_arrays import MAX_BYTES, embed, serialize
from tests.networks import WIDE, random_images


def test_one_file_is_all_that_is_needed(wide_bundle: Path, tmp_path: Path) -> None:
    bundle = load_bundle(wide_bundle)
    content = serialize(embed(bundle.predict, bundle.predict_arrays))
    (tmp_path / "model.onnx").write_bytes(content)
    onnx.checker.check_model(tmp_path / "model.onnx", full_check=True)
    images = random_images(WIDE, 3)
    (found,) = ort.InferenceSession(tmp_path / "model.onnx").run(None, {"image": images})
    session = make_session(bundle.predict, bundle.predict_arrays)
    np.testing.assert_array_equal(found, session.run(None, {"image": images})[0])
    assert serialize(embed(bundle.predict, bundle.predict_arrays)) == content


def test_what_one_file_cannot_hold_is_refused(wide_bundle: Path) -> None:
    bundle = load_bundle(wide_bundle)
    name = next(iter(bundle.predict_arrays))
    huge = np.broadcast_to(np.float32(0), (MAX_BYTES // 4 + 1,))  # takes no memory
    with pytest.raises(ExportError, match=r"^an ONNX file holds less than 2 GB, .* 2\.00 GB"):
        embed(bundle.predict, {**bundle.predict_arrays, name: huge})

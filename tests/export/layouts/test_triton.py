"""The configuration is parsed with Triton's own protobuf message."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from google.protobuf import text_format

from export import ExportError
from export.layouts import Predictor, read_predictor
from export.layouts.triton import CONFIG, LABELS, MAX_BATCH, MODEL, contents
from tests.networks import SMALL

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tritonclient.grpc import model_config_pb2 as triton


@pytest.fixture(scope="module")
def predictor(full_bundle: Path) -> Predictor:
    return read_predictor(full_bundle, "float16")


def configuration(predictor: Predictor) -> Any:
    return text_format.Parse(contents(predictor)[CONFIG].decode(), triton.ModelConfig())


def test_the_configuration_matches_the_inputs_and_outputs(predictor: Predictor) -> None:
    found = configuration(predictor)
    assert (found.name, found.platform) == (predictor.manifest.name, "onnxruntime_onnx")
    assert found.max_batch_size == MAX_BATCH
    graph = onnx.load_model_from_string(predictor.content).graph
    for values, entries in ((graph.input, found.input), (graph.output, found.output)):
        (value,), (entry,) = values, entries
        assert entry.name == value.name
        # The batch is not among the dims.
        assert list(entry.dims) == [d.dim_value for d in value.type.tensor_type.shape.dim[1:]]
    assert found.input[0].data_type == triton.TYPE_UINT8
    assert found.output[0].data_type == triton.TYPE_FP32
    assert found.output[0].label_filename == LABELS
    assert found.HasField("dynamic_batching")
    assert [group.kind for group in found.instance_group] == [triton.ModelInstanceGroup.KIND_AUTO]


def test_both_ends_of_the_batch_size_are_warmed_up(predictor: Predictor) -> None:
    warmups = configuration(predictor).model_warmup
    assert [warmup.batch_size for warmup in warmups] == [1, MAX_BATCH]
    for warmup in warmups:
        image = warmup.inputs["image"]
        assert image.zero_data and image.data_type == triton.TYPE_UINT8
        assert list(image.dims) == list(SMALL.preprocessing.shape)


def test_a_free_size_is_minus_one_but_not_in_the_warmup(predictor: Predictor) -> None:
    model = onnx.load_model_from_string(predictor.content)
    for place, name in ((1, "height"), (2, "width")):
        model.graph.input[0].type.tensor_type.shape.dim[place].dim_param = name
    found = configuration(replace(predictor, content=model.SerializeToString()))
    assert list(found.input[0].dims) == [-1, -1, 1]
    assert list(found.model_warmup[0].inputs["image"].dims) == list(SMALL.preprocessing.shape)


def test_labels_are_lines_and_the_graph_is_version_one(predictor: Predictor) -> None:
    found = contents(predictor)
    assert found.keys() == {CONFIG, LABELS, MODEL}
    assert found[LABELS].decode().splitlines() == list(SMALL.classes)
    assert found[MODEL] == predictor.content


@pytest.mark.parametrize("label", ["", "two\nlines"])
def test_a_class_that_is_not_one_line_is_refused(predictor: Predictor, label: str) -> None:
    manifest = predictor.manifest.model_copy(update={"classes": ("a", label)})
    with pytest.raises(ExportError, match=r"^Triton reads one class name per line"):
        contents(replace(predictor, manifest=manifest))

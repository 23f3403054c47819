"""Graphs that pass all static checks but cannot be run, or return something else."""

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from bundle import files
from tests.bundle.tampering import refusal, replace_file

Change = Callable[[onnx.ModelProto], None]


def unknown_type(model: onnx.ModelProto) -> None:
    given = {name for node in model.graph.node for name in node.output}
    between = next(value for value in model.graph.value_info if value.name in given)
    between.type.tensor_type.elem_type = 0


def wrong_padding(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Conv")
    for attribute in list(node.attribute):
        if attribute.name == "auto_pad":
            node.attribute.remove(attribute)
    node.attribute.append(onnx.helper.make_attribute("auto_pad", "AS_NEEDED"))


def other_shape(model: onnx.ModelProto) -> None:
    """Doubles the rows, which shape inference does not see."""
    last = next(node for node in model.graph.node if "logits" in node.output)
    last.output[list(last.output).index("logits")] = "once"
    model.graph.node.append(onnx.helper.make_node("Concat", ["once", "once"], ["logits"], axis=0))


@pytest.mark.parametrize("name", [files.PREDICT, files.OBSERVE])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (unknown_type, "cannot be run: "),
        (wrong_padding, "cannot be run: "),
        (other_shape, "returns logits of type float32 (2, 3) for one image, not float32 (N, 3)"),
    ],
)
def test_a_graph_that_does_not_run_is_refused(
    path: Path, name: str, change: Change, problem: str, capfd: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load_model_from_string((path / name).read_bytes())
    change(model)
    replace_file(path, name, model.SerializeToString())
    capfd.readouterr()
    assert refusal(path).startswith(f"{name} {problem}")
    assert capfd.readouterr().err == ""

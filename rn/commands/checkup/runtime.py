"""Checks of ONNX Runtime: version, packages that exclude each other, telemetry, device."""

from collections.abc import Iterator
from importlib.metadata import distributions
from typing import TYPE_CHECKING

from bundle.extras import install_command
from rn.commands.checkup.finding import Finding
from service.vocabulary import Device

if TYPE_CHECKING:
    import onnx

MIN_RUNTIME = (1, 31)
# Each of them installs the module onnxruntime.
_RUNTIMES = frozenset(
    (
        "onnxruntime",
        "onnxruntime-cann",
        "onnxruntime-directml",
        "onnxruntime-dnnl",
        "onnxruntime-gpu",
        "onnxruntime-migraphx",
        "onnxruntime-openvino",
        "onnxruntime-qnn",
        "onnxruntime-rocm",
        "onnxruntime-training",
        "ort-nightly",
        "ort-nightly-gpu",
    )
)


def runtime(device: Device) -> Iterator[Finding]:
    """Findings on ONNX Runtime; a single one if it is not installed."""
    try:
        import onnxruntime as ort
    except ImportError as error:
        reason = "" if error.name == "onnxruntime" else f" that can be imported ({error})"
        text = f"no ONNX Runtime{reason}: {install_command('cpu')}, or with the extra gpu"
        yield Finding(False, text)
        return
    yield from exclusive(installed_runtimes())
    found = tuple(int(part) for part in ort.__version__.split(".")[:2])
    wanted = ".".join(map(str, MIN_RUNTIME))
    text = f"ONNX Runtime {ort.__version__}"
    if found < MIN_RUNTIME:
        text += (
            f": needs {wanted} or later, earlier ones stall predictions while a version is built"
        )
    yield Finding(found >= MIN_RUNTIME, text)
    yield Finding(True, "telemetry of ONNX Runtime is off")
    yield _device(device)


def installed_runtimes() -> list[str]:
    """Sorted names of the installed distributions that bring the module onnxruntime."""
    names = {(found.metadata["Name"] or "").lower().replace("_", "-") for found in distributions()}
    return sorted(_RUNTIMES & names)


def exclusive(runtimes: list[str]) -> Iterator[Finding]:
    """A finding if several distributions overwrite each other's files."""
    if len(runtimes) > 1:
        names = ", ".join(runtimes)
        yield Finding(
            False,
            f"{names} are all installed and overwrite each other: uninstall all of them, then install"
            " the extra 'cpu' or 'gpu'",
        )


def _device(device: Device) -> Finding:
    import onnxruntime as ort

    from service.inference.device import DeviceError, check_provider, providers_for

    try:
        graph = _tiny_graph().SerializeToString()
        session = ort.InferenceSession(graph, providers=providers_for(device))
        return Finding(True, f"runs on {check_provider(session, device)}")
    except DeviceError as error:
        return Finding(False, str(error))


def _tiny_graph() -> "onnx.ModelProto":
    # The list of compiled providers does not show what works; only a session shows what it runs on.
    from onnx import TensorProto, helper

    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", value[:1], value[1:])
    opset = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10)

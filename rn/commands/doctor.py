"""``rn doctor``: says what works here, and what does not."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, NamedTuple

import onnx
import onnxruntime as ort
import typer
from onnx import TensorProto, helper

from bundle.errors import BundleError
from bundle.reading.loading import load_bundle
from service.inference.device import Device, DeviceError, check_provider, providers_for
from service.settings import available_processors

MIN_RUNTIME = (1, 31)


class Finding(NamedTuple):
    """One line of the report; ``good`` is None for a mere fact."""

    good: bool | None
    text: str


def doctor(
    bundle: Annotated[Path | None, typer.Option(help="A bundle to verify.")] = None,
    device: Annotated[Device, typer.Option(help="Where the service shall run.")] = "cpu",
) -> None:
    """Check this installation; exits with status 1 if something that is needed does not work."""
    failed = False
    for finding in _findings(bundle, device):
        mark = {True: "ok   ", False: "FAIL ", None: "     "}[finding.good]
        typer.echo(f"{mark}{finding.text}")
        failed = failed or finding.good is False
    raise typer.Exit(1 if failed else 0)


def _findings(bundle: Path | None, device: Device) -> Iterator[Finding]:
    yield Finding(None, f"Python {platform.python_version()}, {available_processors()} processors")
    yield from _runtime()
    yield from _device(device)
    for package, use in (("torch", "rn adapt"), ("onnxscript", "rn export")):
        found = _version(package)
        text = f"{package} {found}" if found else f"no {package}: {use} needs the extra 'train'"
        yield Finding(None, text)
    if bundle is not None:
        yield _bundle(bundle)


def _runtime() -> Iterator[Finding]:
    both = _version("onnxruntime") and _version("onnxruntime-gpu")
    if both:
        yield Finding(
            False,
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other:"
            " uninstall both, then install the extra 'cpu' or 'gpu'",
        )
    found = tuple(int(part) for part in ort.__version__.split(".")[:2])
    wanted = ".".join(map(str, MIN_RUNTIME))
    text = f"ONNX Runtime {ort.__version__}"
    if found < MIN_RUNTIME:
        text += (
            f": needs {wanted} or later, earlier ones stall predictions while a version is built"
        )
    yield Finding(found >= MIN_RUNTIME, text)


def _device(device: Device) -> Iterator[Finding]:
    try:
        session = ort.InferenceSession(_tiny_graph(), providers=providers_for(device))
        yield Finding(True, f"runs on {check_provider(session, device)}")
    except DeviceError as error:
        yield Finding(False, str(error))


def _tiny_graph() -> bytes:
    # Which providers are compiled in says nothing; only a session tells what it runs on.
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", value[:1], value[1:])
    opset = [helper.make_opsetid("", 20)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opset, ir_version=10)
    content: bytes = model.SerializeToString()
    return content


def _bundle(path: Path) -> Finding:
    try:
        loaded = load_bundle(path)
    except BundleError as error:
        return Finding(False, f"bundle {path}: {error}")
    manifest = loaded.manifest
    return Finding(
        True,
        f"bundle {path}: {manifest.name}, {len(manifest.classes)} classes, {len(manifest.sites)} sites,"
        f" {loaded.fingerprint[:12]}",
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

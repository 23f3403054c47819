"""The command ``rn doctor``."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from bundle.errors import BundleError
from bundle.extras import install_command
from service.vocabulary import Device

if TYPE_CHECKING:
    import onnx

MIN_RUNTIME = (1, 31)
# Packages that one extra brings, and the commands that they serve.
_PARTS = (
    ("torch", "train", "rn adapt"),
    ("onnxscript", "train", "rn export"),
    ("fastapi", "service", "rn serve"),
)


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        good: whether the component works; None for a line that only informs.
    """

    good: bool | None
    text: str


def doctor(
    bundle: Annotated[Path | None, typer.Option(help="Bundle to verify.")] = None,
    device: Annotated[Device, typer.Option(help="Device that the service will run on.")] = "cpu",
) -> None:
    """Check the installation.

    Exits with status 1 if a required component is missing or broken.
    """
    failed = False
    for finding in _findings(bundle, device):
        mark = {True: "ok   ", False: "FAIL ", None: "     "}[finding.good]
        typer.echo(f"{mark}{finding.text}")
        failed = failed or finding.good is False
    raise typer.Exit(1 if failed else 0)


def _findings(bundle: Path | None, device: Device) -> Iterator[Finding]:
    processors = len(os.sched_getaffinity(0))
    yield Finding(None, f"Python {platform.python_version()}, {processors} processors")
    if _version("onnxruntime") or _version("onnxruntime-gpu"):
        yield from _runtime()
        yield _device(device)
        if bundle is not None:
            yield _bundle(bundle)
    else:
        yield Finding(False, f"no ONNX Runtime: {install_command('cpu')}, or with the extra gpu")
    for package, extra, command in _PARTS:
        found = _version(package)
        text = f"no {package}, which {command} needs: {install_command(extra)}"
        yield Finding(None, f"{package} {found}" if found else text)


def _runtime() -> Iterator[Finding]:
    import onnxruntime as ort

    if _version("onnxruntime") and _version("onnxruntime-gpu"):
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


def _bundle(path: Path) -> Finding:
    from bundle.reading.loading import load_bundle

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
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None

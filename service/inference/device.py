"""Chooses the execution provider of ONNX Runtime, and checks that it is really used."""

from typing import Any

import onnxruntime as ort

from service.vocabulary import Device

Providers = list[str | tuple[str, dict[str, Any]]]

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"


class DeviceError(RuntimeError):
    """The requested device is not the one that would be used."""


def providers_for(device: Device) -> Providers:
    """Execution providers for a device, best first.

    Raises:
        DeviceError: if CUDA was requested and the installed ONNX Runtime does not include it.
    """
    if device == "cpu":
        return [CPU]
    if CUDA not in ort.get_available_providers():
        raise DeviceError(_explain(CPU))
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()
    # The default, an exhaustive search, repeats for every new batch size.
    cuda = {"cudnn_conv_algo_search": "HEURISTIC"}
    return [(CUDA, cuda), CPU]


def check_provider(session: ort.InferenceSession, device: Device) -> str:
    """The provider that a session really runs on.

    Raises:
        DeviceError: if CUDA was requested and the session fell back to the CPU, which ONNX Runtime
            does silently.
    """
    used: str = session.get_providers()[0]
    if device == "cuda" and used != CUDA:
        raise DeviceError(_explain(used))
    return used


def _explain(used: str) -> str:
    return (
        f"RN_DEVICE is cuda, but ONNX Runtime runs on {used}: install the extra 'gpu' instead of"
        " 'cpu' and check the NVIDIA driver, or set RN_DEVICE=cpu"
    )

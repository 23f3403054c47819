"""Chooses the execution provider of ONNX Runtime, and checks that it is really used."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

from bundle.runtime import make_session
from service.vocabulary import Device, Precision

Providers = list[str | tuple[str, dict[str, Any]]]

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

# With this entry of its configuration, a session can say which nodes run where.
RECORD_NODES = {"session.record_ep_graph_assignment_info": "1"}

# Operators that take nearly all the time of a network. Others, such as those on shapes, may run on the CPU.
_HEAVY = frozenset(("Conv", "ConvTranspose", "FusedConv", "Gemm", "FusedGemm", "MatMul", "Einsum"))


class DeviceError(RuntimeError):
    """The requested device is not the one that would be used."""


@dataclass(frozen=True)
class CudaOptions:
    """How a session runs on a GPU.

    Attributes:
        precision: precision of products and sums; the graph itself decides on float16.
        graphs: whether runs are captured as CUDA graphs.
        memory_bytes: maximum device memory of the session, in bytes; None for no limit.
    """

    precision: Precision = "fp32"
    graphs: bool = False
    memory_bytes: int | None = None


def providers_for(device: Device, options: CudaOptions | None = None) -> Providers:
    """Execution providers for a device, best first.

    Args:
        device: the device.
        options: how a GPU is used; by default in float32 and without CUDA graphs.

    Raises:
        DeviceError: if CUDA was requested and the installed ONNX Runtime does not include it.
    """
    if device == "cpu":
        return [CPU]
    if CUDA not in ort.get_available_providers():
        raise DeviceError(_explain(CPU))
    ort.preload_dlls()
    return [(CUDA, cuda_options(options or CudaOptions())), CPU]


def cuda_options(options: CudaOptions) -> dict[str, str]:
    """Options of the CUDA execution provider, as ONNX Runtime takes them."""
    found = {
        # The default, an exhaustive search, repeats for every new batch size.
        "cudnn_conv_algo_search": "HEURISTIC",
        # The default doubles the memory with every extension.
        "arena_extend_strategy": "kSameAsRequested",
        # The default rounds the factors of every product, unasked.
        "use_tf32": "0" if options.precision == "fp32" else "1",
        "enable_cuda_graph": "1" if options.graphs else "0",
    }
    if options.memory_bytes is not None:
        found["gpu_mem_limit"] = str(options.memory_bytes)
    return found


def device_session(
    graph: bytes,
    arrays: Mapping[str, NDArray[Any]],
    device: Device,
    options: CudaOptions | None = None,
    *,
    threads: int = 1,
    arena: bool = True,
) -> ort.InferenceSession:
    """Make a session that runs on a device and nowhere else.

    Args:
        graph: serialized ONNX model.
        arrays: its external initializers by name.
        device: the device.
        options: how a GPU is used.
        threads: threads within one run.
        arena: see :func:`bundle.runtime.make_session`; on a CPU.

    Raises:
        DeviceError: if CUDA was requested and cannot be used.
    """
    providers = providers_for(device, options)
    if device == "cpu":
        return make_session(graph, arrays, threads=threads, providers=providers, arena=arena)
    try:
        session = make_session(
            graph, arrays, threads=threads, providers=providers, config=RECORD_NODES
        )
    # The errors of ONNX Runtime have no base of their own.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise DeviceError(f"{_explain('no GPU')} ({reason})") from error
    check_provider(session, device)
    check_nodes(nodes_on_cpu(session))
    return session


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


def nodes_on_cpu(session: ort.InferenceSession) -> Counter[str]:
    """Number of nodes that a session runs on the CPU, by operator.

    Args:
        session: a session that was made with :data:`RECORD_NODES`.
    """
    return Counter(
        node.op_type
        for part in session.get_provider_graph_assignment_info()
        if part.ep_name == CPU
        for node in part.get_nodes()
    )


def check_nodes(on_cpu: Mapping[str, int]) -> None:
    """Check that a session on a GPU leaves no convolution or matrix product to the CPU.

    Args:
        on_cpu: see :func:`nodes_on_cpu`.

    Raises:
        DeviceError: if it does.
    """
    heavy = sorted(_HEAVY & on_cpu.keys())
    if heavy:
        raise DeviceError(
            f"RN_DEVICE is cuda, but ONNX Runtime has no CUDA kernel for {', '.join(heavy)} of this"
            " network and would run them on the CPU: set RN_DEVICE=cpu"
        )


def _explain(used: str) -> str:
    return (
        f"RN_DEVICE is cuda, but ONNX Runtime runs on {used}: install the extra 'gpu' instead of"
        " 'cpu' and check the NVIDIA driver, or set RN_DEVICE=cpu"
    )

"""Makes versions ready to run on a GPU, in the precision that the settings name."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.fold import Array
from bundle.loaded import Bundle
from service.inference.device import CudaOptions, DeviceError, device_session, nodes_on_cpu
from service.inference.gpu.half import HalfGraph
from service.inference.gpu.runner import BUILDING, CudaRunner
from service.inference.tuning import GPU_BATCH
from service.settings import Settings
from service.vocabulary import Device, Precision

logger = logging.getLogger(__name__)


class CudaRunners:
    """Makes runners of ``predict.onnx`` for a GPU.

    Args:
        bundle: the bundle that is served.
        settings: precision, batch size, CUDA graphs and memory.

    Raises:
        DeviceError: if the GPU cannot be used, or the precision changes too many labels.
    """

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self._bundle = bundle
        self._settings = settings
        self._graphs = settings.cuda_graphs
        self._described = False
        self._half: HalfGraph | None = None
        if settings.precision == "fp16":
            self._half = HalfGraph(bundle.predict, bundle.predict_arrays)
        if settings.precision != "fp32":
            self._compare_precision()

    def make(self, arrays: Mapping[str, Array]) -> CudaRunner:
        """A runner that is ready for every batch size.

        Args:
            arrays: initializers of ``predict.onnx``, folded in float32.

        Raises:
            DeviceError: if the GPU cannot be used.
        """
        return self._make(arrays, self._settings.precision)

    def _make(self, arrays: Mapping[str, Array], precision: Precision) -> CudaRunner:
        with BUILDING:
            if self._graphs:
                try:
                    return self._build(arrays, precision, graphs=True)
                # Errors of the device itself are raised again below.
                except Exception as error:
                    logger.warning("runs without CUDA graphs, which failed: %s", error)
                    self._graphs = False
            return self._build(arrays, precision, graphs=False)

    def _build(
        self, arrays: Mapping[str, Array], precision: Precision, *, graphs: bool
    ) -> CudaRunner:
        graph, values = self._bundle.predict, dict[str, NDArray[Any]](arrays)
        if precision == "fp16" and self._half is not None:
            graph, values = self._half.graph, self._half.arrays(arrays)
        settings, device = self._settings, self._settings.device
        options = CudaOptions(precision, graphs, settings.cuda_memory_bytes)
        runtime = device_session(graph, values, device, options)
        if device == "cuda":
            self._describe(nodes_on_cpu(runtime))
        manifest = self._bundle.manifest
        return CudaRunner(
            runtime,
            manifest.preprocessing.shape,
            len(manifest.classes),
            settings.max_batch or GPU_BATCH,
            device=device,
            graphs=graphs,
        )

    def _describe(self, on_cpu: Mapping[str, int]) -> None:
        if on_cpu and not self._described:
            listed = ", ".join(f"{count} {name}" for name, count in sorted(on_cpu.items()))
            logger.warning("nodes of the network that run on the CPU: %s", listed)
        self._described = True

    def _compare_precision(self) -> None:
        precision, images = self._settings.precision, self._bundle.sample_images
        if images is None:
            logger.warning(
                "precision %s is not compared with fp32: the bundle holds no sample images",
                precision,
            )
            return
        arrays = self._bundle.predict_arrays
        labels = self._make(arrays, "fp32").logits(images).argmax(1)
        logits = self._make(arrays, precision).logits(images)
        check_precision(precision, labels, logits, self._settings.precision_max_loss)


def check_precision(
    precision: Precision, labels: NDArray[np.intp], logits: NDArray[np.float32], max_loss: float
) -> None:
    """Check that a lower precision predicts nearly what float32 does.

    Args:
        precision: the lower precision.
        labels: labels ``(N,)`` in float32.
        logits: logits ``(N, K)`` in the lower precision.
        max_loss: largest share of labels that may differ.

    Raises:
        DeviceError: if more differ, or a logit is not finite.
    """
    if not np.isfinite(logits).all():
        raise DeviceError(
            f"RN_PRECISION={precision} gives logits that are not finite: values in the network exceed its"
            " range. Set RN_PRECISION=fp32"
        )
    loss = float((logits.argmax(1) != labels).mean())
    if loss > max_loss:
        raise DeviceError(
            f"RN_PRECISION={precision} changes the label of {loss:.2%} of {len(labels)} sample images, and"
            f" RN_PRECISION_MAX_LOSS allows {max_loss:.2%}"
        )


def check_device(precision: Precision, device: Device) -> None:
    """Check that a precision can be had on a device.

    Raises:
        DeviceError: if not.
    """
    if device == "cpu" and precision != "fp32":
        raise DeviceError(f"RN_PRECISION={precision} needs a GPU: set RN_DEVICE=cuda, or fp32")

"""Runs images on a GPU: bound buffers, batches of a few sizes, and CUDA graphs."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bundle.preprocessing import Pixels
from service.inference.gpu.thread import DEVICE_THREAD
from service.vocabulary import Device

Logits = NDArray[np.float32]

# Held while a session is made and warmed, because making one allocates memory.
BUILDING = threading.RLock()


def batch_sizes(max_batch: int) -> list[int]:
    """Sizes to which batches are padded: powers of two, and the largest batch.

    Example:
        >>> batch_sizes(12)
        [1, 2, 4, 8, 12]
    """
    return [2**power for power in range((max_batch - 1).bit_length())] + [max_batch]


def padded_size(images: int, sizes: Sequence[int]) -> int:
    """The smallest of some sizes that holds a number of images.

    Args:
        images: number of images, at most the largest size.
        sizes: sizes in ascending order.
    """
    return next(size for size in sizes if size >= images)


@dataclass(frozen=True)
class _Bound:
    """Buffers on the device for one batch size, and the run that reads and fills them."""

    image: ort.OrtValue
    logits: ort.OrtValue
    binding: ort.IOBinding
    options: ort.RunOptions


class CudaRunner:
    """Runs batches of images through ``predict.onnx`` from buffers that stay where they are.

    A batch is padded to the next of a few sizes, so that each size can be captured as a CUDA graph when
    the runner is made, and is only replayed later. All runs are made by one thread.

    Args:
        runtime: session of ``predict.onnx``. Only the runner may refer to it, so that its memory is freed
            while nothing runs.
        image: shape ``(H, W, C)`` of an image.
        classes: number of classes.
        max_batch: maximum number of images per run.
        device: the device of the session; on a CPU, there are buffers, but no CUDA graphs.
        graphs: whether the session was made to capture CUDA graphs.
    """

    def __init__(
        self,
        runtime: ort.InferenceSession,
        image: tuple[int, ...],
        classes: int,
        max_batch: int,
        *,
        device: Device = "cuda",
        graphs: bool = False,
    ) -> None:
        self._runtime = runtime
        self._sizes = batch_sizes(max_batch)
        # Images are gathered here; what follows them in a padded batch is of no consequence.
        self._staged = np.zeros((max_batch, *image), np.uint8)
        self._bound = DEVICE_THREAD.run(
            lambda: {
                size: _bind(runtime, (size, *image), classes, device, number if graphs else None)
                for number, size in enumerate(self._sizes, 1)
            }
        )
        # The largest first, whose memory the others then share.
        for size in reversed(self._sizes):
            self.logits(self._staged[:size])

    def __del__(self) -> None:
        contents = self.__dict__.copy()
        self.__dict__.clear()
        DEVICE_THREAD.free(contents)

    def logits(self, pixels: Pixels) -> Logits:
        """Logits ``(N, K)`` for images ``(N, H, W, C)``; more than fit into a run take several."""
        limit = self._sizes[-1]
        parts = [self._run(pixels[start : start + limit]) for start in range(0, len(pixels), limit)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _run(self, pixels: Pixels) -> Logits:
        return DEVICE_THREAD.run(lambda: self._run_there(pixels))

    def _run_there(self, pixels: Pixels) -> Logits:
        count = len(pixels)
        size = padded_size(count, self._sizes)
        bound = self._bound[size]
        if count < size:
            self._staged[:count] = pixels
            pixels = self._staged[:size]
        bound.image.update_inplace(pixels)
        self._runtime.run_with_iobinding(bound.binding, bound.options)
        bound.binding.synchronize_outputs()
        # On a CPU this is the buffer itself, which the next run overwrites.
        logits: Logits = bound.logits.numpy()[:count].copy()
        return logits


def _bind(
    runtime: ort.InferenceSession,
    shape: tuple[int, ...],
    classes: int,
    device: Device,
    graph: int | None,
) -> _Bound:
    image = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, device, 0)
    logits = ort.OrtValue.ortvalue_from_shape_and_type((shape[0], classes), np.float32, device, 0)
    binding = runtime.io_binding()
    binding.bind_ortvalue_input("image", image)
    binding.bind_ortvalue_output("logits", logits)
    options = ort.RunOptions()
    if graph is not None:
        options.add_run_config_entry("gpu_graph_id", str(graph))
    return _Bound(image, logits, binding, options)

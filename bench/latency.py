"""Measures the latency of a folded network: ``python -m bench.latency --network resnet18``.

Three graphs run in turn in one process, so that other load on the machine affects all alike:

- folded: ``predict.onnx`` of the bundle, as the service runs it;
- bare: the same network exported without any normalization layer, its convolutions with a bias;
- BatchNorm: the network before conversion; ONNX Runtime folds its BatchNorm nodes when it builds the
  session.

Prints the ratio of folded to each of the others: the median over rounds of paired runs, and the interval
that holds 95 % of the medians of resampled rounds.
"""

import argparse
import copy
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx_ir.passes.common import InlinePass, RemoveUnusedNodesPass
from onnxscript.optimizer import fold_constants
from torch import nn

from bench.networks import make_network, randomize_statistics
from bundle import Preprocessing, load_bundle
from bundle.runtime import make_session
from export import BundleInfo, export_bundle
from export.network.pixel_scaling import PixelScaling
from rn_model import convert_normalization
from rn_model.layers.conversion.surgery import replace_modules

CLASSES = 31
FOLDED, BARE, PLAIN = "folded", "bare", "BatchNorm"


def without_norms(network: nn.Module) -> nn.Module:
    """The network without its BatchNorm layers, and with a bias in every convolution.

    Activations that are part of a BatchNorm layer of timm are kept.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.bias is None:
            module.register_parameter("bias", nn.Parameter(torch.zeros(module.out_channels)))

    def bare(_: str, module: nn.Module) -> nn.Module | None:
        if not isinstance(module, nn.modules.batchnorm._BatchNorm):
            return None
        after = [getattr(module, part) for part in ("drop", "act") if hasattr(module, part)]
        return nn.Sequential(*after)

    return replace_modules(network, bare)


def to_onnx(network: nn.Module, size: int, path: Path, *, optimize: bool) -> Path:
    """Write a network, preceded by the pixel scaling, with a free batch dimension.

    Args:
        optimize: whether the tracer may fold BatchNorm itself; otherwise only constants are folded.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of its own internals
        torch.onnx.export(
            nn.Sequential(PixelScaling(preprocessing(size)), network).eval(),
            (torch.zeros(2, size, size, 3, dtype=torch.uint8),),
            path,
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("N")},),
            input_names=["image"],
            output_names=["logits"],
            optimize=optimize,
            verbose=False,
        )
    if not optimize:
        # ONNX Runtime would not fold BatchNorm after biases that are computed from constants.
        model = ir.load(path)
        InlinePass()(model)
        fold_constants(model)
        RemoveUnusedNodesPass()(model)
        ir.save(model, path)
    return path


def count_norms(path: Path) -> int:
    """Number of BatchNormalization nodes in a graph."""
    return sum(node.op_type == "BatchNormalization" for node in onnx.load(path).graph.node)


def preprocessing(size: int) -> Preprocessing:
    """The preprocessing of ImageNet networks."""
    return Preprocessing(
        mode="RGB", height=size, width=size, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    )


def sessions(name: str, size: int, folder: Path, threads: int) -> dict[str, ort.InferenceSession]:
    """The three graphs, ready to run."""
    torch.manual_seed(0)
    network = make_network(name, CLASSES).eval()
    randomize_statistics(network)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    plain = to_onnx(network, size, folder / "plain.onnx", optimize=False)
    probe = ort.SessionOptions()
    probe.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    probe.optimized_model_filepath = str(folder / "optimized.onnx")
    ort.InferenceSession(plain, probe, providers=["CPUExecutionProvider"])
    print(
        f"{name}: {count_norms(plain)} BatchNormalization nodes, of which ONNX Runtime keeps"
        f" {count_norms(folder / 'optimized.onnx')}"
    )
    bare = to_onnx(without_norms(copy.deepcopy(network)), size, folder / "bare.onnx", optimize=True)
    info = BundleInfo(name, [f"{i}" for i in range(CLASSES)], preprocessing(size), {})
    export_bundle(convert_normalization(network), folder / "bundle", info)
    bundle = load_bundle(folder / "bundle")
    return {
        FOLDED: make_session(bundle.predict, bundle.predict_arrays, threads=threads),
        **{
            kind: ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            for kind, path in ((BARE, bare), (PLAIN, plain))
        },
    }


def measure(
    found: Mapping[str, ort.InferenceSession], image: NDArray[np.uint8], rounds: int
) -> dict[str, NDArray[np.float64]]:
    """Seconds of each run, ``(rounds,)``; the order rotates from round to round."""
    names = list(found)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-3, rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            begin = time.perf_counter()
            found[name].run(["logits"], {"image": image})
            if number >= 0:
                seconds[name].append(time.perf_counter() - begin)
    return {name: np.array(values) for name, values in seconds.items()}


def interval(ratios: NDArray[np.float64]) -> tuple[float, float, float]:
    """Median, and the interval that holds 95 % of the medians of resampled rounds."""
    generator = np.random.default_rng(0)
    drawn = generator.choice(ratios, (2000, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return float(np.median(ratios)), float(low), float(high)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the latency of a folded network.")
    parser.add_argument("--network", default="resnet18", help="name of a timm model")
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    given: Any = parser.parse_args()
    generator = np.random.default_rng(0)
    shape = (given.batch, given.size, given.size, 3)
    image = generator.integers(0, 256, shape, dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        found = sessions(given.network, given.size, Path(folder), given.threads)
        seconds = measure(found, image, given.rounds)
        logits = {
            name: session.run(["logits"], {"image": image})[0] for name, session in found.items()
        }
    error = np.abs(logits[FOLDED] - logits[PLAIN]).max() / np.abs(logits[PLAIN]).max()
    print(f"logits of folded and BatchNorm differ by {error:.1e} of the largest")
    for name in (BARE, PLAIN):
        middle, low, high = interval(seconds[FOLDED] / seconds[name])
        print(f"folded / {name:<9} {middle:.3f} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()

"""Measures a training step with each normalization, relative to one with torch's BatchNorm.

    python -m bench.step_cost --device cpu --network resnet50 --size 64 --batch 36

All networks take their steps in turn in one process, so that other load on the machine affects all
alike. A step is forward, backward and SGD on ``batch`` source images and as many target images, joined;
BatchNorm normalizes them as one batch. Prints the median and the quartiles of the ratio of step times (on
the CPU: processor time of the process), and the ratio of memory (on a GPU: peak allocated during a step;
on the CPU: bytes that autograd keeps for the backward pass, without the parameters).
"""

import argparse
import copy
import statistics
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.networks import make_network
from rn_model.layers import (
    Normalization,
    NormalizationName,
    convert_normalization,
    parameter_groups,
    project_parameters,
)
from rn_model.layers.domain_split import domain_split

CLASSES = 31


@dataclass
class Contestant:
    """A network and its measurements.

    Attributes:
        memory: bytes, on a GPU the peak of a step, on the CPU those kept for the backward pass.
        seconds: time of each step.
    """

    name: str
    model: nn.Module
    optimizer: torch.optim.Optimizer
    split: bool
    memory: int = 0
    seconds: list[float] = field(default_factory=list)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Loss of a batch whose first half is labelled source images."""
        half = len(labels)
        split: AbstractContextManager[None] = (
            domain_split(self.model, source=half, target=half) if self.split else nullcontext()
        )
        with split:
            logits = self.model(images)
        certainty: Tensor = logits[half:].softmax(1).square().mean()
        return F.cross_entropy(logits[:half], labels) - certainty

    def step(self, images: Tensor, labels: Tensor) -> None:
        """Take one optimizer step."""
        loss = self.loss(images, labels)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        project_parameters(self.model)


def contestants(network: str, device: str, channels_last: bool) -> list[Contestant]:
    """BatchNorm first, then every normalization, all with the same weights."""
    torch.manual_seed(0)
    plain = make_network(network, CLASSES).train()
    found = []
    for kind in (None, *get_args(NormalizationName)):
        model = copy.deepcopy(plain)
        if kind is not None:
            convert_normalization(model, Normalization(kind=kind))
        model.to(device)
        if channels_last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        groups = parameter_groups(model, weight_decay=5e-4)
        optimizer = torch.optim.SGD(groups, lr=1e-3, momentum=0.9)
        found.append(Contestant(kind or "BatchNorm", model, optimizer, kind is not None))
    return found


def measure(everyone: list[Contestant], images: Tensor, labels: Tensor, repeats: int) -> None:
    """Measure each contestant, after one step to warm up."""
    for contestant in everyone:
        contestant.step(images, labels)
        contestant.memory = _memory(contestant, images, labels)
    for repeat in range(repeats):
        # In reverse order every other time, so that a drift of the machine's speed cancels out.
        for contestant in everyone[:: 1 if repeat % 2 else -1]:
            begin = _now(images.device)
            contestant.step(images, labels)
            contestant.seconds.append(_now(images.device) - begin)


def _memory(contestant: Contestant, images: Tensor, labels: Tensor) -> int:
    if images.is_cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        contestant.step(images, labels)
        return torch.cuda.max_memory_allocated() - before
    parameters = {p.untyped_storage().data_ptr() for p in contestant.model.parameters()}
    kept: dict[int, Tensor] = {}

    def pack(x: Tensor) -> Tensor:
        kept[x.untyped_storage().data_ptr()] = x
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        loss = contestant.loss(images, labels)
    found = [x.untyped_storage() for pointer, x in kept.items() if pointer not in parameters]
    del loss
    return sum(storage.nbytes() for storage in found)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure a training step with each normalization.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--network", default="resnet50", help="name of a timm model")
    parser.add_argument("--size", type=int, default=64, help="height and width of the images")
    parser.add_argument("--batch", type=int, default=36, help="images of each domain")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--channels-last", action="store_true")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    images = torch.randn(2 * given.batch, 3, given.size, given.size, device=device)
    if given.channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(CLASSES, (given.batch,), device=device)
    everyone = contestants(given.network, given.device, given.channels_last)
    measure(everyone, images, labels, given.repeats)
    reference = everyone[0]
    memory = "peak allocated" if device.type == "cuda" else "kept for backward"
    print(f"{reference.name}: {statistics.median(reference.seconds):.3f} s per step")
    for one in everyone[1:]:
        ratios = [a / b for a, b in zip(one.seconds, reference.seconds, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(
            f"{one.name:<10} time {middle:.3f} ({low:.3f} to {high:.3f}),"
            f" memory {one.memory / reference.memory:.3f} ({memory})"
        )


if __name__ == "__main__":
    main()

"""Forward passes that record what each module of a network makes of the first image of a batch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


@dataclass(frozen=True)
class Call:
    """One call of a module: the parts of its inputs and outputs that belong to the first image."""

    name: str
    inputs: list[Tensor]
    outputs: list[Tensor]


@dataclass
class Rows:
    """Finds the part of a tensor that belongs to the first image of a batch.

    Attributes:
        images: number of images of the batch that the axes are found with.
        axes: axis of the images for every tensor in turn, None if it has none; found in a first pass and
            used again for a batch of another size.
    """

    images: int
    axes: list[int | None] = field(default_factory=list)

    def find(self, value: Tensor) -> Tensor | None:
        """The first image's part of a tensor of the first pass."""
        sizes = list(value.shape)
        axis = sizes.index(self.images) if self.images in sizes else None
        if axis is None and sizes and sizes[0] and sizes[0] % self.images == 0:
            axis = 0  # several rows per image, as after a reshape
        self.axes.append(axis)
        return self._part(value, axis, self.images)

    def find_again(self, value: Tensor, number: int, images: int) -> Tensor | None:
        """The same part of the same tensor in a later pass."""
        return self._part(value, self.axes[number], images)

    @staticmethod
    def _part(value: Tensor, axis: int | None, images: int) -> Tensor | None:
        if axis is None or axis >= value.dim():
            return None
        return value.detach().narrow(axis, 0, value.shape[axis] // images).clone()


def recorded(model: nn.Module, images: Tensor, rows: Rows, seed: int = 0) -> list[Call]:
    """Run a model and record the calls of its modules, in the order in which they end.

    Args:
        model: network to run.
        images: ``(N, ...)``.
        rows: finds the first image's part of each tensor; if it has been used before, ``images`` may
            have another size than then.
        seed: seed of the random numbers.
    """
    calls: list[Call] = []
    pending: list[list[Tensor]] = []
    number = 0
    first = not rows.axes

    def parts(*values: Any) -> list[Tensor]:
        nonlocal number
        found = []
        for value in tree_leaves(values):
            if isinstance(value, Tensor):
                if not first and number >= len(rows.axes):
                    break
                part = rows.find(value) if first else rows.find_again(value, number, len(images))
                number += 1
                found += [] if part is None else [part]
        return found

    def begin(module: nn.Module, args: Any, kwargs: Mapping[str, Any]) -> None:
        pending.append(parts(args, dict(kwargs)))

    def end(module: nn.Module, args: Any, output: Any) -> None:
        calls.append(Call(names[module], pending.pop(), parts(output)))

    names = {module: name for name, module in model.named_modules()}
    handles = [
        handle
        for module in names
        for handle in (
            module.register_forward_pre_hook(begin, prepend=True, with_kwargs=True),
            module.register_forward_hook(end),
        )
    ]
    try:
        seeded(model, images, seed)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def seeded(model: nn.Module, images: Tensor, seed: int = 0) -> Tensor:
    """The output of a model with the same random numbers at every call with the same seed."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        output: Tensor = model(images)
    return output


@contextmanager
def innermost(model: nn.Module) -> Iterator[list[str]]:
    """Within the block, the names of the modules that are running, the innermost last.

    After an exception, these are the modules that were running when it was raised.
    """
    running: list[str] = []
    names = {module: name for name, module in model.named_modules()}

    def begin(module: nn.Module, args: Any) -> None:
        running.append(names[module])

    def end(module: nn.Module, args: Any, output: Any) -> None:
        if running:
            running.pop()

    handles = [
        handle
        for module in names
        for handle in (
            module.register_forward_pre_hook(begin, prepend=True),
            module.register_forward_hook(end),
        )
    ]
    try:
        yield running
    finally:
        for handle in handles:
            handle.remove()

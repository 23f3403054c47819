"""Communication between the processes of a distributed training.

Gradients are those of the sum of the losses of all processes. DistributedDataParallel averages gradients
over the processes, so a loss that every process computes on the same joined batch gets exactly its
gradient.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

from rn_model.layers.moments import Moments


def world_size() -> int:
    """The number of processes that train together; 1 without torch.distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process among them, counted from 0."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def all_reduce_sum(x: Tensor) -> Tensor:
    """Sum a tensor over all processes, in place and without gradient."""
    if world_size() > 1:
        dist.all_reduce(x)
    return x


def all_gather(x: Tensor) -> Tensor:
    """Stack the tensors of all processes by rank, ``(*)`` to ``(world size, *)``, without gradient.

    The tensors must have the same shape in every process.
    """
    if world_size() == 1:
        return x.detach().unsqueeze(0)
    gathered = x.new_empty(world_size(), *x.shape)
    # Newer versions of torch warn about the old name in every process.
    gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
    gather(gathered.view(-1), x.detach().contiguous().view(-1))
    return gathered


def gather_batch(x: Tensor) -> Tensor:
    """Concatenate the batches of all processes in order of rank; differentiable.

    Args:
        x: batch of this process, ``(N, *)``; N may be 0 and may differ between processes.

    Returns:
        The joined batch, ``(sum of N, *)``, the same in every process.
    """
    if world_size() == 1:
        return x
    joined: Tensor = _GatherBatch.apply(x)  # type: ignore[no-untyped-call]
    return joined


class _GatherBatch(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        counts = all_gather(torch.tensor([len(x)], device=x.device)).flatten().tolist()
        ctx.begin, ctx.count = sum(counts[: rank()]), len(x)
        padded = x.new_zeros(max(counts), *x.shape[1:])
        padded[: len(x)] = x
        parts = all_gather(padded)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = all_reduce_sum(gradient.contiguous().clone())
        return total[ctx.begin : ctx.begin + ctx.count]


def join_moments(parts: list[tuple[Moments, int]]) -> list[Moments]:
    """Merge the population moments of all processes, in a single exchange.

    Args:
        parts: moments of this process's part of each set of values, with the number of values per
            channel behind them, which may be 0. All processes list the same sets.

    Returns:
        The moments of each whole set, the same in every process.
    """
    if world_size() == 1:
        return [moments for moments, _ in parts]
    rows = [torch.cat([moments.mean.new_tensor([count]), *moments]) for moments, count in parts]
    gathered = all_gather(torch.stack(rows))
    channels = (gathered.shape[2] - 1) // 2
    count, mean, variance = torch.split(gathered, [1, channels, channels], dim=2)
    share = count / count.sum(dim=0).clamp_min(1)
    joint = (share * mean).sum(dim=0)
    spread = (share * (variance + (mean - joint).square())).sum(dim=0)
    return [Moments(m, v) for m, v in zip(joint, spread, strict=True)]

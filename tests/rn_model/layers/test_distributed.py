"""Two processes with unequal parts of a batch give the results of one process with the whole batch."""

import warnings
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from rn_model.layers import Normalization, NormalizationName, convert_normalization
from rn_model.layers.distributed import all_reduce_sum, gather_batch, join_moments, rank, world_size
from rn_model.layers.domain_norm import domain_norms
from rn_model.layers.domain_split import domain_split
from rn_model.layers.moments import Moments
from tests.networks import SmallNet, shake

KINDS: tuple[NormalizationName, ...] = get_args(NormalizationName)
# Numbers of source and target images of each rank. The second has no target, then no source images.
SPLITS = {"unequal": ((4, 2), (3, 5)), "no target": ((4, 3), (5, 0)), "no source": ((4, 3), (0, 2))}
STEPS = 2


def images(domain: str, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(len(domain) + count)
    scale = 2 if domain == "target" else 1
    return scale * torch.randn(count, 1, 5, 4, generator=generator, dtype=torch.float64)


def make_model(kind: NormalizationName) -> nn.Module:
    torch.manual_seed(0)
    model = convert_normalization(SmallNet(), Normalization(kind=kind))
    shake(model)
    return model.double().train()


def joint_loss(source: Tensor, target: Tensor) -> Tensor:
    """A loss of logits that cannot be computed as a mean over images."""
    labels = torch.arange(len(source)) % source.shape[1]
    probability = target.softmax(1)
    confusion = probability.mT @ probability
    confusion = confusion / confusion.sum(1, keepdim=True)
    return F.cross_entropy(source, labels) + confusion.sum() - confusion.trace()


def train(model: nn.Module, parts: list[Tensor]) -> dict[str, Any]:
    """Take two steps on parts of source and target; returns the state of the process afterwards."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses, outputs = [], []
    for _ in range(STEPS):
        with domain_split(model, source=len(parts[0]), target=len(parts[1])):
            logits = model(torch.cat(parts))
        source, target = (
            gather_batch(part) for part in torch.split(logits, [len(p) for p in parts])
        )
        loss = joint_loss(source, target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.detach())
        outputs.append(torch.cat([source, target]).detach())
    inner = model.module if isinstance(model, DistributedDataParallel) else model
    gradients = {n: p.grad for n, p in inner.named_parameters()}
    return {
        "losses": losses,
        "outputs": outputs,
        "gradients": gradients,
        "state": inner.state_dict(),
        "counts": [layer.num_images_target for _, layer in domain_norms(inner)],
    }


def parts_of(name: str) -> list[tuple[Tensor, ...]]:
    """Source and target images, divided among the ranks."""
    counts = list(zip(*SPLITS[name], strict=True))
    return [
        torch.split(images(domain, sum(sizes)), list(sizes))
        for domain, sizes in zip(("source", "target"), counts, strict=True)
    ]


def work(number: int, folder: str) -> None:
    torch.set_num_threads(1)
    warnings.filterwarnings("error", message=".*all_gather")
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=number, world_size=2)
    assert (rank(), world_size()) == (number, 2)
    found = {
        (kind, name): train(
            DistributedDataParallel(make_model(kind)), [part[number] for part in parts_of(name)]
        )
        for kind in KINDS
        for name in SPLITS
    }
    torch.save(found, f"{folder}/{number}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def of_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[Any, Any]]:
    folder: Path = tmp_path_factory.mktemp("ranks")
    spawn(work, (str(folder),), nprocs=2)  # type: ignore[no-untyped-call]
    return [torch.load(folder / f"{number}.pt") for number in range(2)]


@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_are_one_on_the_joined_batch(
    kind: NormalizationName, name: str, of_ranks: list[dict[Any, Any]]
) -> None:
    expected = train(make_model(kind), [torch.cat(part) for part in parts_of(name)])
    assert len(expected["losses"]) == STEPS
    for found in of_ranks:
        torch.testing.assert_close(found[kind, name], expected, rtol=1e-7, atol=1e-9)


def test_a_single_process_needs_no_other() -> None:
    x = torch.randn(3, 2, requires_grad=True)
    assert (rank(), world_size()) == (0, 1)
    assert gather_batch(x) is x
    assert torch.equal(all_reduce_sum(x.detach()), x)
    moments = Moments(torch.zeros(2), torch.ones(2))
    assert join_moments([(moments, 3)]) == [moments]

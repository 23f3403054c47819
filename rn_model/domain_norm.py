"""What every domain-specific normalization shares: raw moments of both domains and ways to run.

A subclass says how a domain's effective moments come from the raw ones. Everything else, the split
of a training batch, running statistics, the branch in evaluation and observation of unlabeled
batches, is here.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from rn_model.functional import Affine, normalize, scale_and_shift
from rn_model.moments import Moments, batch_moments, merge_moments, weighted_moments

Domain = Literal["source", "target"]
DOMAINS: tuple[Domain, ...] = get_args(Domain)


class Split(NamedTuple):
    """How many images of a training batch are source (first) and how many target (after them)."""

    source: int
    target: int


@dataclass
class Observation:
    """One forward pass that observes a batch of one domain instead of only using its statistics.

    The batch is normalized with ``prior`` and batch merged, the prior weighing ``prior_count`` images:
    0 normalizes by the batch alone, infinity by the prior alone. What was seen is left in ``batch``.

    Attributes:
        image_weight: ``(N,)``, how often each image counts.
        prior: raw moments of the domain so far; None for the layer's running ones.
        batch: population moments of the layer's input, filled by the forward pass.
    """

    domain: Domain
    image_weight: Tensor
    prior_count: Tensor | float
    prior: Moments | None = None
    batch: Moments | None = None


class DomainNorm(nn.Module, ABC):
    """Base of normalizations that keep statistics of a source and a target domain.

    Buffers are raw running moments, never effective ones: those are derived whenever they are
    needed, so that new target statistics move the compensation with them.

    Attributes:
        normalization: name of the method, the same for every number of dimensions.

    Args:
        num_features: number of channels C.
        eps: added to the variance.
        momentum: weight of a new batch in the running moments; None for a cumulative average.
        affine: whether ``weight`` and ``bias``, each ``(C,)``, follow the normalization.
    """

    _version = 1

    normalization: ClassVar[str]

    num_images_source: Tensor
    num_images_target: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if num_features < 1:
            raise ValueError(f"num_features must be at least 1, not {num_features}")
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.branch: Domain = "target"
        self.split: Split | None = None
        self.observation: Observation | None = None
        if affine:
            self.weight = nn.Parameter(torch.ones(num_features, device=device, dtype=dtype))
            self.bias = nn.Parameter(torch.zeros(num_features, device=device, dtype=dtype))
        else:
            self.register_parameter("weight", None)
            self.register_parameter("bias", None)
        for domain in DOMAINS:
            self.register_buffer(
                f"running_mean_{domain}", torch.zeros(num_features, device=device, dtype=dtype)
            )
            self.register_buffer(
                f"running_var_{domain}", torch.ones(num_features, device=device, dtype=dtype)
            )
            count = torch.zeros((), dtype=torch.int64, device=device)
            self.register_buffer(f"num_images_{domain}", count)
        tracked = torch.zeros((), dtype=torch.int64, device=device)
        self.register_buffer("num_batches_tracked", tracked)

    @abstractmethod
    def effective(self, domain: Domain, own: Moments, other: Moments) -> Moments:
        """The moments that normalize ``domain``, from its raw moments and the other domain's."""

    @abstractmethod
    def _check_input_dim(self, x: Tensor) -> None: ...

    def running(self, domain: Domain) -> Moments:
        """The raw running moments of a domain (the buffers themselves)."""
        return Moments(
            getattr(self, f"running_mean_{domain}"), getattr(self, f"running_var_{domain}")
        )

    @torch.no_grad()
    def set_running(self, domain: Domain, moments: Moments, num_images: int) -> None:
        """Overwrite the raw running moments of a domain and the number of images behind them."""
        own = self.running(domain)
        own.mean.copy_(moments.mean)
        own.variance.copy_(moments.variance)
        getattr(self, f"num_images_{domain}").fill_(num_images)

    def effective_moments(self, domain: Domain | None = None) -> Moments:
        """The effective moments of a branch in evaluation, default the current one."""
        domain = domain or self.branch
        own, other = self.running(domain), self.running(other_domain(domain))
        return self.effective(domain, own.full_precision(), other.full_precision())

    def scale_and_shift(self, domain: Domain | None = None) -> Affine:
        """What the layer does in evaluation, as one affine map per channel."""
        return scale_and_shift(self.effective_moments(domain), self.weight, self.bias, self.eps)

    def forward(self, x: Tensor) -> Tensor:
        self._check_input_dim(x)
        if x.shape[1] != self.num_features:
            raise ValueError(f"expected {self.num_features} channels, got {x.shape[1]}")
        if self.training:
            return self._forward_training(x)
        if self.observation is not None:
            return self._forward_observing(x, self.observation)
        return normalize(x, self.effective_moments(), self.weight, self.bias, self.eps)

    def _forward_training(self, x: Tensor) -> Tensor:
        parts = self._split_batch(x)
        raw = {domain: batch_moments(part) for domain, part in parts.items()}
        outputs = []
        for domain, part in parts.items():
            effective = self.effective(domain, raw[domain], raw[other_domain(domain)])
            outputs.append(normalize(part, effective, self.weight, self.bias, self.eps))
        self._update_running(raw, {domain: part.shape[0] for domain, part in parts.items()})
        return torch.cat(outputs)

    def _split_batch(self, x: Tensor) -> dict[Domain, Tensor]:
        if self.split is None:
            raise RuntimeError(
                f"{type(self).__name__} is in training mode and was not told which images are source"
                " and which are target: wrap the forward pass in"
                " 'with domain_split(model, source=..., target=...):'"
            )
        if sum(self.split) != x.shape[0]:
            raise ValueError(
                f"the split says {self.split.source} source + {self.split.target} target images,"
                f" the batch has {x.shape[0]}"
            )
        source, target = torch.split(x, list(self.split))
        parts: dict[Domain, Tensor] = {"source": source, "target": target}
        for domain, part in parts.items():
            values = part.numel() // self.num_features
            if values < 2:
                raise ValueError(
                    f"cannot estimate a {domain} variance from {values} value per channel:"
                    f" training needs at least 2 {domain} images here, the split gives"
                    f" {part.shape[0]}"
                )
        return parts

    @torch.no_grad()
    def _update_running(self, raw: Mapping[Domain, Moments], counts: Mapping[Domain, int]) -> None:
        self.num_batches_tracked.add_(1)
        momentum = self.momentum
        share = self.num_batches_tracked.reciprocal() if momentum is None else momentum
        for domain, moments in raw.items():
            for buffer, new in zip(self.running(domain), moments, strict=True):
                buffer.add_(share * (new.to(buffer.dtype) - buffer))
            getattr(self, f"num_images_{domain}").add_(counts[domain])

    def _forward_observing(self, x: Tensor, observation: Observation) -> Tensor:
        domain = observation.domain
        batch = weighted_moments(x, observation.image_weight)
        prior = observation.prior if observation.prior is not None else self.running(domain)
        merged = merge_moments(
            prior.full_precision(),
            observation.prior_count,
            batch,
            observation.image_weight.sum(),
        )
        observation.batch = batch
        other = self.running(other_domain(domain)).full_precision()
        effective = self.effective(domain, merged, other)
        return normalize(x, effective, self.weight, self.bias, self.eps)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        if {f"{prefix}running_mean", f"{prefix}running_var"} <= state_dict.keys():
            # A checkpoint from before conversion: BatchNorm's statistics serve both domains, and what
            # BatchNorm does not have stays as it is.
            for moment in ("running_mean", "running_var"):
                value = state_dict.pop(prefix + moment)
                for domain in DOMAINS:
                    state_dict[f"{prefix}{moment}_{domain}"] = value
            for name, value in self.state_dict().items():
                if name not in ("weight", "bias"):
                    state_dict.setdefault(prefix + name, value)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine},"
            f" branch={self.branch}"
        )


def other_domain(domain: Domain) -> Domain:
    """``target`` for ``source`` and the other way round."""
    return "target" if domain == "source" else "source"


def domain_norms(model: nn.Module) -> Iterator[tuple[str, DomainNorm]]:
    """Every domain-specific normalization in a model with its name, each once, in definition order."""
    for name, module in model.named_modules():
        if isinstance(module, DomainNorm):
            yield name, module


def set_branch(model: nn.Module, branch: Domain) -> None:
    """Choose whose statistics normalize in evaluation mode, in every layer of the model."""
    if branch not in DOMAINS:
        raise ValueError(f"branch must be 'source' or 'target', not {branch!r}")
    for _, layer in domain_norms(model):
        layer.branch = branch

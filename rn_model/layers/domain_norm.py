"""The base class of all normalizations that keep statistics of both domains.

A subclass defines how the raw moments of both domains become the map that normalizes one of them. The
split of a training batch, the running moments, the branch in evaluation and the observation of unlabelled
batches are implemented here.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rn_model.layers.affine_map import Affine, CenteredAffine, standardization
from rn_model.layers.distributed import join_moments
from rn_model.layers.domains import DOMAINS, Domain, Split, other_domain
from rn_model.layers.moments import Moments, batch_moments, merge_moments, weighted_moments
from rn_model.layers.observation import Observation
from rn_model.layers.shrinkage import shrink
from rn_model.layers.training_step import (
    Coefficients,
    RawMoments,
    normalize_domains,
    statistics_dtype,
)


class DomainNorm(nn.Module, ABC):
    """Base class of normalizations with statistics of a source and a target domain.

    The buffers are raw running moments, ``running_mean_source``, ``running_var_source`` and the same of
    the target, each ``(C,)``, and the number of images behind them. Effective moments are derived
    whenever they are needed, so that new statistics of the target move the compensation too.

    In training, :func:`rn_model.domain_split` states which images belong to which domain, each domain
    is normalized with moments of the batch, and the running moments are updated. In evaluation, the
    running moments of ``branch`` and of the other domain are used. An :class:`Observation` measures a
    batch in evaluation mode.

    Attributes:
        normalization: name of the method, the same for every number of dimensions.
        unbiased: whether a batch is normalized with its unbiased variance. The running variance always
            averages unbiased variances, as in BatchNorm.
        branch: domain whose statistics normalize in evaluation.
        split: split of this process's training batch; set by :func:`rn_model.domain_split`.
        joint_split: split of the joined batches of all processes; set along with ``split``.
        observation: observation that forward passes in evaluation mode carry out, or None.

    Args:
        num_features: number of channels C.
        eps: number added to the variance.
        momentum: weight of a new batch in the running moments; None for an average over all images.
        affine: whether to apply a learned ``weight`` and ``bias``, each ``(C,)``, afterwards.
        device, dtype: device and data type of parameters and moments.

    Shape:
        Input and output: ``(N, C, *)`` with up to three trailing dimensions.

    Raises:
        ValueError: in training, if a domain with images has fewer than 2 values per channel, or the
            split does not add up to the batch.
        RuntimeError: in training without a split.
    """

    _version = 1

    normalization: ClassVar[str]
    unbiased: ClassVar[bool] = False

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
        self.joint_split: Split | None = None
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
    def effective(
        self, domain: Domain, own: Moments, other: Moments, coefficients: Coefficients
    ) -> Moments:
        """The moments that normalize a domain.

        Args:
            domain: domain to normalize.
            own: raw moments of that domain, each ``(C,)``.
            other: raw moments of the other domain, each ``(C,)``.
            coefficients: coefficients of the layer by name; see :meth:`coefficients`.
        """

    def affine_map(
        self,
        domain: Domain,
        own: Moments,
        other: Moments,
        coefficients: Coefficients | None = None,
    ) -> CenteredAffine:
        """The map that the layer applies to inputs of a domain, given raw moments of both domains.

        Training, evaluation, observation and export all use it. It is a pure function of its arguments.

        Args:
            domain, own, other: see :meth:`effective`.
            coefficients: coefficients by name; None for the layer's current ones.
        """
        values = self.coefficients() if coefficients is None else coefficients
        effective = self.effective(domain, own, other, values)
        return standardization(effective, values.get("weight"), values.get("bias"), self.eps)

    def affine_maps(
        self, source: Moments, target: Moments, coefficients: Coefficients
    ) -> tuple[CenteredAffine, CenteredAffine]:
        """:meth:`affine_map` of both domains."""
        return (
            self.affine_map("source", source, target, coefficients),
            self.affine_map("target", target, source, coefficients),
        )

    def coefficients(self) -> dict[str, Tensor]:
        """Everything that the map depends on besides raw moments, by name: the layer's parameters."""
        return dict(self.named_parameters(recurse=False))

    def gate_parameters(self) -> list[nn.Parameter]:
        """Parameters with a limited range, which take no weight decay."""
        return []

    def project_parameters(self) -> None:
        """Move every parameter with a limited range to its nearest allowed value."""

    def running(self, domain: Domain) -> Moments:
        """The raw running moments of a domain, each ``(C,)``: the buffers themselves, not copies."""
        return Moments(
            getattr(self, f"running_mean_{domain}"), getattr(self, f"running_var_{domain}")
        )

    @torch.no_grad()
    def set_running(self, domain: Domain, moments: Moments, num_images: int) -> None:
        """Overwrite the raw running moments of a domain, and the number of images behind them."""
        own = self.running(domain)
        own.mean.copy_(moments.mean)
        own.variance.copy_(moments.variance)
        getattr(self, f"num_images_{domain}").fill_(num_images)

    def effective_moments(self, domain: Domain | None = None) -> Moments:
        """The moments, each ``(C,)``, that normalize a branch in evaluation (None: the current branch)."""
        domain = domain or self.branch
        own, other = (self.running(d).full_precision() for d in (domain, other_domain(domain)))
        return self.effective(domain, own, other, self.coefficients())

    def scale_and_shift(self, domain: Domain | None = None) -> Affine:
        """The whole layer in evaluation as one affine map per channel (None: of the current branch)."""
        return self._running_map(domain or self.branch).fold()

    def forward(self, x: Tensor) -> Tensor:
        self._check_input_dim(x)
        if x.shape[1] != self.num_features:
            raise ValueError(f"expected {self.num_features} channels, got {x.shape[1]}")
        if self.training:
            y: Tensor = self._forward_training(x)
            return y
        if self.observation is not None:
            return self._forward_observing(x, self.observation)
        return self._running_map(self.branch)(x)

    def _check_input_dim(self, x: Tensor) -> None:
        if not 2 <= x.dim() <= 5:
            raise ValueError(f"expected a 2- to 5-dimensional input, got {x.dim()} dimensions")

    def _running_map(self, domain: Domain) -> CenteredAffine:
        own, other = (self.running(d).full_precision() for d in (domain, other_domain(domain)))
        return self.affine_map(domain, own, other)

    # A compiled graph would hold little of it, and would be recompiled for every layer and split.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _forward_training(self, x: Tensor) -> Tensor:
        own, joint = self._check_split(x)
        raw = self._raw_moments(x, own, joint)
        coefficients = self._batch_coefficients(joint)
        y = normalize_domains(x, own.source, raw, self.affine_maps, coefficients)
        # Under activation checkpointing, the backward pass runs the layer again: a batch counts once.
        if torch._C._current_graph_task_id() == -1:
            self._update_running(raw, joint)
        return y

    def _check_split(self, x: Tensor) -> tuple[Split, Split]:
        if self.split is None or self.joint_split is None:
            raise RuntimeError(
                f"{type(self).__name__} in training mode needs to know which images are source and"
                " which are target: wrap the forward pass in"
                " 'with domain_split(model, source=..., target=...):'"
            )
        if sum(self.split) != x.shape[0]:
            raise ValueError(
                f"the split has {self.split.source} source + {self.split.target} target images,"
                f" but the batch has {x.shape[0]}"
            )
        for domain, images in zip(DOMAINS, self.joint_split, strict=True):
            if images * x.shape[2:].numel() == 1:
                raise ValueError(
                    f"cannot estimate a {domain} variance from 1 value per channel:"
                    f" training needs at least 2 {domain} images here (or none), but the split has 1"
                )
        return self.split, self.joint_split

    @torch.no_grad()
    def _raw_moments(self, x: Tensor, own: Split, joint: Split) -> tuple[RawMoments, RawMoments]:
        size = x.shape[2:].numel()
        absent = Moments(*torch.zeros(2, x.shape[1], device=x.device, dtype=statistics_dtype(x)))
        batch = join_moments(
            [
                (batch_moments(part) if len(part) else absent, len(part) * size)
                for part in torch.split(x, list(own))
            ]
        )
        source, target = (
            self._normalizing(domain, moments, images * size)
            for domain, moments, images in zip(DOMAINS, batch, joint, strict=True)
        )
        return source, target

    def _normalizing(self, domain: Domain, batch: Moments, values: int) -> RawMoments:
        """Moments that normalize a domain in training: the batch's, or the running ones without images."""
        if values == 0:
            # Copied: the layer may run again, and update its buffers, before the backward pass.
            running = Moments(*(m.to(batch.mean.dtype, copy=True) for m in self.running(domain)))
            return RawMoments(running, 0, 0)
        raw = RawMoments(batch, values, 0)
        return RawMoments(raw.unbiased(), values, 1) if self.unbiased else raw

    def _batch_coefficients(self, joint: Split) -> dict[str, Tensor]:
        """:meth:`coefficients` for a training batch with the given split."""
        return self.coefficients()

    @torch.no_grad()
    def _update_running(self, raw: tuple[RawMoments, RawMoments], joint: Split) -> None:
        self.num_batches_tracked.add_(1)
        for domain, batch, images in zip(DOMAINS, raw, joint, strict=True):
            if batch.values == 0:
                continue
            seen = getattr(self, f"num_images_{domain}").add_(images)
            share = images / seen if self.momentum is None else self.momentum
            for buffer, new in zip(self.running(domain), batch.unbiased(), strict=True):
                buffer.add_(share * (new.to(buffer.dtype) - buffer))

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
        if observation.spread is not None:
            count = observation.prior_count + observation.image_weight.sum()
            base = self.running(domain).full_precision()
            relations = observation.relations
            merged = shrink(merged, count, base, observation.spread, self.eps, relations)
        other = self.running(other_domain(domain)).full_precision()
        return self.affine_map(domain, merged, other)(x)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        if {f"{prefix}running_mean", f"{prefix}running_var"} <= state_dict.keys():
            # A checkpoint from before the conversion: both domains get BatchNorm's statistics, and what
            # BatchNorm does not have stays as it is.
            for moment in ("running_mean", "running_var"):
                value = state_dict.pop(prefix + moment)
                for domain in DOMAINS:
                    state_dict[f"{prefix}{moment}_{domain}"] = value
            self._complete_batch_norm(state_dict, prefix)
            for name, value in self.state_dict().items():
                if name not in ("weight", "bias"):
                    state_dict.setdefault(prefix + name, value)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _complete_batch_norm(self, state_dict: dict[str, Any], prefix: str) -> None:
        """Add entries to a BatchNorm's state that follow from it and differ from this layer's defaults."""

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine},"
            f" branch={self.branch}"
        )


def domain_norms(model: nn.Module) -> Iterator[tuple[str, DomainNorm]]:
    """Iterate over the names and layers of all :class:`DomainNorm` in a model, in definition order.

    A layer that is used in several places is returned once.
    """
    for name, module in model.named_modules():
        if isinstance(module, DomainNorm):
            yield name, module


def set_branch(model: nn.Module, branch: Domain) -> None:
    """Select the domain whose statistics normalize in evaluation mode, in every layer of a model.

    Raises:
        ValueError: if ``branch`` is not a domain.
    """
    if branch not in DOMAINS:
        raise ValueError(f"branch must be 'source' or 'target', not {branch!r}")
    for _, layer in domain_norms(model):
        layer.branch = branch

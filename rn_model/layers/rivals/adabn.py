"""AdaBN: BatchNorm with separate moments for each domain."""

from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.domains import Domain
from rn_model.layers.moments import Moments
from rn_model.layers.training_step import Coefficients


class AdaptiveBatchNorm(DomainNorm):
    """AdaBN (Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation").

    Source: arXiv:1603.04779, section 3.3. Each domain ``d`` is normalized with its own moments,
    ``y = weight * (x - mu_d) / sqrt(v_d + eps) + bias``; ``weight`` and ``bias`` are shared.

    Example:
        >>> import torch
        >>> from rn_model import domain_split
        >>> layer = AdaptiveBatchNorm(2, eps=0.0)
        >>> x = torch.tensor([[0.0, 1.0], [2.0, 3.0], [10.0, 4.0], [20.0, 8.0]])
        >>> with torch.no_grad(), domain_split(layer, source=2, target=2):
        ...     layer(x)
        tensor([[-1., -1.],
                [ 1.,  1.],
                [-1., -1.],
                [ 1.,  1.]])
    """

    normalization = "AdaBN"

    def effective(
        self, domain: Domain, own: Moments, other: Moments, coefficients: Coefficients
    ) -> Moments:
        """The domain's own moments."""
        return own

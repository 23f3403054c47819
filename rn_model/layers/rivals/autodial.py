"""AutoDIAL: each layer learns how much the domains share their statistics."""

from rn_model.layers.domains import Domain
from rn_model.layers.moments import Moments, mix_moments
from rn_model.layers.rivals.share_norm import ShareNorm
from rn_model.layers.training_step import Coefficients


class AutoDial(ShareNorm):
    """AutoDIAL (Carlucci et al., "AutoDIAL: Automatic DomaIn Alignment Layers").

    Source: arXiv:1704.08082, section 3.1. Each domain is normalized with the moments of the mixture
    ``alpha * q_own + (1 - alpha) * q_other`` of both domains' distributions. ``alpha`` is one learned
    number in [0.5, 1] per layer. It starts at 1, which keeps the domains apart; 0.5 normalizes both
    domains alike. ``weight`` and ``bias`` are shared.

    Example:
        >>> import torch
        >>> layer = AutoDial(1)
        >>> near = Moments(torch.tensor([0.0]), torch.tensor([1.0]))
        >>> far = Moments(torch.tensor([4.0]), torch.tensor([1.0]))
        >>> layer.effective("source", near, far, {"alpha": torch.tensor(0.5)})
        Moments(mean=tensor([2.]), variance=tensor([5.]))
    """

    normalization = "AutoDIAL"
    start = 1.0

    def effective(
        self, domain: Domain, own: Moments, other: Moments, coefficients: Coefficients
    ) -> Moments:
        """The moments of the mixture of both domains."""
        alpha = self.share(own, coefficients)
        return mix_moments(own, other, 1 - alpha)

"""Common-Centre Normalization: the domains share a centre, and each has its own scale."""

from rn_model.layers.domains import Domain
from rn_model.layers.moments import Moments
from rn_model.layers.rivals.share_norm import ShareNorm
from rn_model.layers.training_step import Coefficients


class CommonCenterNorm(ShareNorm):
    r"""Common-Centre Normalization (CCN).

    With a domain :math:`d` and the other domain :math:`d'`,

    .. math::
        c_d = \alpha \mu_d + (1 - \alpha) \mu_{d'}, \quad
        \tilde v_d = v_d + (\mu_d - c_d)^2, \quad
        y = \gamma \frac{x - c_d}{\sqrt{\tilde v_d + \epsilon}} + \beta

    The share :math:`\alpha` is one learned number in [0.5, 1] per layer. It starts at 0.5, where both
    domains are centred on the point midway between their means; 1 is AdaBN. The mean square of a domain's
    normalized values is 1 for every share. So each domain has its own scale, and learns how far it has a
    centre of its own.

    In the terms of RN (:class:`rn_model.ReciprocalNorm1d`): gates of means that start at the other end of
    their range, gates of variances at 1, no compensation, and a variance about the centre that is
    subtracted. This project's own; docs/photographs.md has the measurements that led to it. ``weight`` and
    ``bias`` are shared.

    Example:
        >>> import torch
        >>> layer = CommonCenterNorm(1)
        >>> near = Moments(torch.tensor([0.0]), torch.tensor([1.0]))
        >>> far = Moments(torch.tensor([4.0]), torch.tensor([9.0]))
        >>> layer.effective("source", near, far, {"alpha": torch.tensor(0.5)})
        Moments(mean=tensor([2.]), variance=tensor([5.]))
        >>> layer.effective("target", far, near, {"alpha": torch.tensor(0.5)})
        Moments(mean=tensor([2.]), variance=tensor([13.]))
    """

    normalization = "CommonCenterNorm"
    start = 0.5

    def effective(
        self, domain: Domain, own: Moments, other: Moments, coefficients: Coefficients
    ) -> Moments:
        """The centre, and the domain's mean square distance from it."""
        alpha = self.share(own, coefficients)
        distance = (1 - alpha) * (other.mean - own.mean)
        return Moments(own.mean + distance, own.variance + distance.square())

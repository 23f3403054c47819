"""AdaBN: BatchNorm with moments of its own for each domain."""

from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.domains import Domain
from rn_model.layers.moments import Moments
from rn_model.layers.training_step import Coefficients


class AdaptiveBatchNorm(DomainNorm):
    """AdaBN (Li et al., arXiv:1603.04779, section 3.3): each domain by its own moments.

    ``weight`` and ``bias`` are shared.
    """

    normalization = "AdaBN"

    def effective(
        self, domain: Domain, own: Moments, other: Moments, coefficients: Coefficients
    ) -> Moments:
        """The domain's own moments."""
        return own

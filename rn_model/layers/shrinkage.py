r"""How far to trust the moments of few images: shrinkage towards known moments.

The moments of ``n`` images at a site are noisy: ``n`` images are few, however many pixels they have, since
the pixels of one image are alike. So the moments are shrunk towards those that the network is known to
work with, by a weight that comes from the data (empirical Bayes, as in Efron and Morris, "Stein's
estimation rule and its competitors: an empirical Bayes approach", 1973). With base moments
:math:`\mu, v`, raw moments :math:`m, s` of ``n`` images, and averages over the ``C`` channels of a site,

.. math::
    z = (m - \mu) / \sqrt{v}, \quad \tau^2 = \max(0, \overline{z^2} - u/n), \quad
    w = \frac{\tau^2}{\tau^2 + 2 u/n + \delta}

where ``u`` is the variance of an image's channel means within the base domain, in units of ``v``. The
shrunk mean is :math:`\hat\mu = \mu + w (m - \mu)`. For the variances, :math:`s' = s + (m - \hat\mu)^2`
and :math:`\rho = s'/v - 1` take the place of ``s`` and ``z``, and ``r``, the variance of an image's second
moment about :math:`\mu` in units of :math:`v^2`, scaled with the mean of :math:`s'`, that of ``u``.

Two things differ from the textbook. The noise counts twice, because the images of a request are more alike
than images drawn at random. And :math:`\delta` is a tolerance: moments of the same domain differ by that
much with the classes that happen to be seen, and following them costs accuracy however many images there
are. Where the domain has not changed, the base keeps nearly all the weight; where it has changed much, a
few images suffice.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rn_model.layers.moments import Moments

# Squared shift, in units of the variance, that is not followed.
TOLERANCE = 0.1
NOISE_FACTOR = 2.0


@dataclass(frozen=True)
class Spread:
    """How much the images of the base domain differ from one another at one site.

    Attributes:
        mean: average over the channels of the variance of an image's mean, in units of the variance.
        square: the same of an image's mean squared deviation from the base mean, in units of the squared
            variance.
    """

    mean: float
    square: float


# Where there are no images to measure it on: of the size that convolutional networks have in the middle.
ASSUMED = Spread(0.15, 1.0)


def shrink(raw: Moments, count: Tensor, base: Moments, spread: Tensor, eps: float) -> Moments:
    """Shrink the raw moments of some images towards base moments; see the module.

    Args:
        raw: population moments of the images, each ``(C,)``; without any effect if ``count`` is 0.
        count: number of images, a scalar; infinity trusts the raw moments fully.
        base: moments that the network is known to work with, each ``(C,)``.
        spread: mean and square of a :class:`Spread`, ``(2,)``.
        eps: number that the layer adds to a variance; channels that vary less do not count as shifted.

    Returns:
        Moments between the two. A ``count`` of 0 gives exactly the base moments.
    """
    of_mean, of_square = spread.unbind()
    images = count.clamp_min(torch.finfo(base.mean.dtype).tiny)
    variance = base.variance + eps
    z2 = (raw.mean - base.mean).square() / variance
    share = _share(z2.mean(), of_mean / images)
    mean = base.mean + share * (raw.mean - base.mean)
    second = raw.variance + (raw.mean - mean).square()
    rho2 = ((second - base.variance) / variance).square()
    growth = (second.mean() / variance.mean()).clamp_min(1.0)
    share = _share(rho2.mean(), of_square * growth.square() / images)
    return Moments(mean, (1 - share) * base.variance + share * second)


def _share(observed: Tensor, noise: Tensor) -> Tensor:
    """Share of what was observed that neither noise nor tolerance explains, 0 to 1."""
    signal = (observed - noise).clamp_min(0.0)
    return signal / (signal + NOISE_FACTOR * noise + TOLERANCE)

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

As an option, the channels are not treated alike. The means of an image's channels are related: where one is
high, others are, too, and along these directions the mean of few images says little, while across them it
says much. With the eigenvectors :math:`e_k` of the covariance of these means over images of the base
domain, and its eigenvalues :math:`\lambda_k`, the shares are those of groups of directions instead of all
channels:

.. math::
    a_k = e_k \cdot z, \quad w_g = \text{the same with } \overline{a_k^2}_{k \in g}
    \text{ for } \overline{z^2}, \; \overline{\lambda_k}_{k \in g} \text{ for } u, \quad
    \hat\mu = \mu + \sqrt{v} \sum_g w_g \sum_{k \in g} a_k e_k

in groups of 1, 2, 4, 8 and 16 directions by falling eigenvalue, and all others (block shrinkage, as in Cai,
"Adaptive wavelet estimation: a block thresholding and oracle inequality approach", 1999).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from rn_model.layers.moments import Moments

# Squared shift, in units of the variance, that is not followed.
TOLERANCE = 0.1
NOISE_FACTOR = 2.0
# Sizes of the groups of directions, by falling eigenvalue; all others are one more.
GROUPS = (1, 2, 4, 8, 16)


class Relations(NamedTuple):
    """Directions in which the channel means of an image vary together, with R of them in G groups.

    Attributes:
        basis: eigenvectors ``(C, R)``, R at most C - 1.
        groups: group of each direction as rows of zeros and ones, ``(R, G)``.
        noise: mean eigenvalue in each group, and in all other directions, ``(G + 1,)``.
    """

    basis: Tensor
    groups: Tensor
    noise: Tensor


@dataclass(frozen=True)
class Spread:
    """How much the images of the base domain differ from one another at one site.

    Attributes:
        mean: average over the channels of the variance of an image's mean, in units of the variance.
        square: the same of an image's mean squared deviation from the base mean, in units of the squared
            variance.
        relations: how these means are related; None to treat all channels alike.
    """

    mean: float
    square: float
    relations: Relations | None = None

    def tensors(self, dtype: torch.dtype = torch.float32) -> list[Tensor]:
        """Mean and square as ``(2,)``, and the relations, if there are any; see :func:`split_spread`."""
        both = torch.tensor([self.mean, self.square], dtype=dtype)
        return [both, *(value.to(dtype) for value in self.relations or ())]


def split_spread(tensors: Sequence[Tensor]) -> tuple[Tensor, Relations | None]:
    """What :meth:`Spread.tensors` gives, as :func:`shrink` takes it."""
    both, *related = tensors
    return both, Relations(*related) if related else None


# Where there are no images to measure it on: of the size that convolutional networks have in the middle.
ASSUMED = Spread(0.15, 1.0)


def relations_of(means: Tensor) -> Relations | None:
    """Measure how the channel means of images are related.

    Args:
        means: means of each image in units of the standard deviation, ``(N, C)`` float64.

    Returns:
        None if there are too few images or channels to tell.
    """
    images, channels = means.shape
    sizes = list(GROUPS)
    while sizes and sum(sizes) >= min(channels, images // 2):
        sizes.pop()
    if not sizes:
        return None
    values, vectors = torch.linalg.eigh(torch.cov(means.T))
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
    used = sum(sizes)
    index = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    groups = torch.nn.functional.one_hot(index).to(means.dtype)
    rest = (values.sum() - values[:used].sum()) / (channels - used)
    noise = values[:used] @ groups / groups.sum(dim=0)
    return Relations(vectors[:, :used].contiguous(), groups, torch.cat([noise, rest[None]]))


def shrink(
    raw: Moments,
    count: Tensor,
    base: Moments,
    spread: Tensor,
    eps: float,
    relations: Relations | None = None,
) -> Moments:
    """Shrink the raw moments of some images towards base moments; see the module.

    Args:
        raw: population moments of the images, each ``(C,)``; without any effect if ``count`` is 0.
        count: number of images, a scalar; infinity trusts the raw moments fully.
        base: moments that the network is known to work with, each ``(C,)``.
        spread: mean and square of a :class:`Spread`, ``(2,)``.
        eps: number that the layer adds to a variance; channels that vary less do not count as shifted.
        relations: how the channels are related; None to shrink all alike.

    Returns:
        Moments between the two. A ``count`` of 0 gives exactly the base moments.
    """
    of_mean, of_square = spread.unbind()
    images = count.clamp_min(torch.finfo(base.mean.dtype).tiny)
    variance = base.variance + eps
    if relations is None:
        z2 = (raw.mean - base.mean).square() / variance
        mean = base.mean + _share(z2.mean(), of_mean / images) * (raw.mean - base.mean)
    else:
        z = (raw.mean - base.mean) / variance.sqrt()
        mean = base.mean + variance.sqrt() * _shrink_directions(z, images, relations)
    second = raw.variance + (raw.mean - mean).square()
    rho2 = ((second - base.variance) / variance).square()
    growth = (second.mean() / variance.mean()).clamp_min(1.0)
    share = _share(rho2.mean(), of_square * growth.square() / images)
    return Moments(mean, (1 - share) * base.variance + share * second)


def _shrink_directions(z: Tensor, images: Tensor, relations: Relations) -> Tensor:
    basis, groups, noise = relations
    along = z @ basis
    others = z - basis @ along
    sizes = groups.sum(dim=0)
    inside = along.square() @ groups / sizes
    rest = others.square().sum() / (len(z) - len(along))
    shares = _share(torch.cat([inside, rest[None]]), noise / images)
    return basis @ (along * (groups @ shares[:-1])) + shares[-1] * others


def _share(observed: Tensor, noise: Tensor) -> Tensor:
    """Share of what was observed that neither noise nor tolerance explains, 0 to 1."""
    signal = (observed - noise).clamp_min(0.0)
    return signal / (signal + NOISE_FACTOR * noise + TOLERANCE)

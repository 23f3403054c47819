"""Estimation of the final statistics of both domains over many images."""

from collections.abc import Iterator, Sequence
from functools import partial

from torch import Tensor, nn

from rn_model.data import ImageSet
from rn_model.layers.domains import DOMAINS
from rn_model.layers.population_moments import estimate_moments
from rn_model.training.evaluation.reader import Reader, spread


def set_population_moments(
    model: nn.Module, source: Sequence[ImageSet], target: ImageSet, reader: Reader, max_images: int
) -> None:
    """Replace the running moments of both domains with those of at most ``max_images`` of their images.

    The effective moments of a domain depend on the raw moments of both. While one domain is
    estimated, the other must therefore be nearly right: the source is estimated first, with the
    target's running averages; the target, which is exported, comes last.
    """
    for domain, sets in zip(DOMAINS, (list(source), [target]), strict=True):
        estimate_moments(model, partial(_joined, sets, reader, max_images // len(sets)), domain)


def _joined(sets: Sequence[ImageSet], reader: Reader, max_images: int) -> Iterator[Tensor]:
    for images in sets:
        yield from reader.only_inputs(images, spread(len(images), max(1, max_images)))

"""Recent images of each domain, on which candidates are scored; they survive rejections and rollbacks.

They are kept in this process, and on disk if there is a folder for them. Without one, after a restart, the
sample images of the bundle stand in for them in the domain that it was exported for; any other domain
begins with none.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bundle.preprocessing import Pixels
from service.targets.making.image_folder import ImageFolder

# Images of the domains before are kept for a return, but not for ever: they are large.
MAX_DOMAINS = 2
# One request gives at most this share of the images.
REQUEST_SHARE = 0.25


class _Kept(NamedTuple):
    """An image, and where it is on disk."""

    image: Pixels
    path: Path | None


class Reservoir:
    """Recent admitted images by domain.

    Args:
        size: maximum number of images of a domain; 0 if none may be kept.
        folder: where they are on disk, too; None if they are not.

    Attributes:
        size: see above.
    """

    def __init__(self, size: int, folder: ImageFolder | None = None) -> None:
        self.size = size
        self._folder = folder
        self._random = np.random.default_rng(0)
        self._domains: OrderedDict[int, deque[_Kept]] = OrderedDict()
        if folder is not None:
            for stored in folder.load():
                self._add(stored.domain, _Kept(stored.image, stored.path))
            self._drop_old()

    def add(self, domain: int, images: Sequence[Pixels]) -> None:
        """Add the admitted images of one request; of many, a random part, unless they are the first."""
        if not self.size:
            return
        kept = len(self._domains.get(domain, ()))
        allowed = max(1, int(self.size * REQUEST_SHARE))
        if kept >= allowed and len(images) > allowed:
            chosen = self._random.choice(len(images), allowed, replace=False)
            images = [images[index] for index in sorted(chosen)]
        for image in images[-self.size :]:
            path = None if self._folder is None else self._folder.add(domain, image)
            self._add(domain, _Kept(image, path))
        self._drop_old()

    def images(self, domain: int) -> Sequence[Pixels]:
        """The images of a domain, oldest first."""
        return [kept.image for kept in self._domains.get(domain, ())]

    def forget(self) -> None:
        """Forget all images, also those on disk."""
        self._domains.clear()
        if self._folder is not None:
            self._folder.clear()

    def _add(self, domain: int, added: _Kept) -> None:
        kept = self._domains.setdefault(domain, deque())
        self._domains.move_to_end(domain)
        kept.append(added)
        while len(kept) > self.size:
            self._remove(kept.popleft())

    def _drop_old(self) -> None:
        while len(self._domains) > MAX_DOMAINS:
            _, old = self._domains.popitem(last=False)
            for kept in old:
                self._remove(kept)

    def _remove(self, kept: _Kept) -> None:
        if self._folder is not None and kept.path is not None:
            self._folder.remove(kept.path)

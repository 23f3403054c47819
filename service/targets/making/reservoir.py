"""Recent images of each domain, on which candidates are scored; they survive rejections and rollbacks.

They are kept in this process only. After a restart, the sample images of the bundle stand in for them in
the domain that it was exported for; any other domain begins with none.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence

import numpy as np

from bundle.preprocessing import Pixels

# Images of the domains before are kept for a return, but not for ever: they are large.
MAX_DOMAINS = 2
# One request gives at most this share of the images.
REQUEST_SHARE = 0.25


class Reservoir:
    """Recent admitted images by domain.

    Args:
        size: maximum number of images of a domain.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._random = np.random.default_rng(0)
        self._domains: OrderedDict[int, deque[Pixels]] = OrderedDict()

    def add(self, domain: int, images: Sequence[Pixels]) -> None:
        """Add the admitted images of one request; of many, a random part, unless they are the first."""
        kept = self._domains.setdefault(domain, deque(maxlen=self._size))
        self._domains.move_to_end(domain)
        allowed = max(1, int(self._size * REQUEST_SHARE))
        if len(kept) >= allowed and len(images) > allowed:
            chosen = self._random.choice(len(images), allowed, replace=False)
            images = [images[index] for index in sorted(chosen)]
        kept.extend(images)
        while len(self._domains) > MAX_DOMAINS:
            self._domains.popitem(last=False)

    def images(self, domain: int) -> Sequence[Pixels]:
        """The images of a domain, oldest first."""
        return list(self._domains.get(domain, ()))

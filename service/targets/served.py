"""The versions of a target that are ready to run: the served one, and a few others on request."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from bundle.preprocessing import Pixels
from service.inference.prediction import Prediction
from service.inference.sessions import Session

MAX_CACHED = 4


class ServedVersions:
    """The session of the served version, and a cache of others.

    Args:
        served: session to serve first.
        load: builds the session of a version by its number.
    """

    def __init__(self, served: Session, load: Callable[[int], Session]) -> None:
        self._served = served
        self._load = load
        self._cache: OrderedDict[int, Session] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def served(self) -> Session:
        """The session of the version that carries the label ``serving``."""
        return self._served

    def serve(self, session: Session) -> None:
        """Move the label: one reference; batches under way finish on the session before."""
        self._served = session

    def get(self, version: int | None) -> Session:
        """The session of a version, None for the served one."""
        served = self._served
        if version is None or version == served.version:
            return served
        with self._lock:
            session = self._cache.pop(version, None) or self._load(version)
            self._cache[version] = session
            if len(self._cache) > MAX_CACHED:
                self._cache.popitem(last=False)
            return session

    def predict(self, version: int | None, pixels: Pixels) -> Prediction:
        """Predict images ``(N, H, W, C)`` with a version, None for the served one."""
        return self.get(version).predict(pixels)

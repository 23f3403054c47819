"""The versions of a target that are ready to run: the served one, and a few others on request."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from service.inference.sessions import Session
from service.inference.tuning import UNMEASURED, Plan

MAX_CACHED = 4


class ServedVersions:
    """The session of the served version, and a cache of others.

    Args:
        served: session to serve first.
        load: builds the session of a version by its number.
        plan: how images are run.

    Attributes:
        max_batch: maximum number of images that are run together.
        gathers: whether one batch at a time is run.
    """

    def __init__(
        self, served: Session, load: Callable[[int], Session], plan: Plan = UNMEASURED
    ) -> None:
        self.max_batch = plan.max_batch
        self.gathers = plan.gathers
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

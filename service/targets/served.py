"""The versions of a target that are ready to run: those with a label, and a few others on request."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from service.errors import QueueFull
from service.inference.sessions import Session
from service.inference.tuning import UNMEASURED, Plan

MAX_CACHED = 4
MAX_BUILDS = 16


class ServedVersions:
    """The sessions of the labels ``serving`` and ``shadow``, and a cache of others.

    Sessions are built in a thread of their own, each once however many requests wait for it, so that
    no other request waits.

    Args:
        served: session to serve first.
        load: builds the session of a version by its number.
        plan: how images are run.

    Attributes:
        max_batch: maximum number of images that are run together.
        gathers: whether one batch at a time is run.
        shadow: session of the version that carries the label ``shadow``; None if none does.
    """

    def __init__(
        self, served: Session, load: Callable[[int], Session], plan: Plan = UNMEASURED
    ) -> None:
        self.max_batch = plan.max_batch
        self.gathers = plan.gathers
        self.shadow: Session | None = None
        self._served = served
        self._load = load
        self._cache: OrderedDict[int, Session] = OrderedDict()
        self._builds: dict[int, Future[Session]] = {}
        self._builder = ThreadPoolExecutor(1, thread_name_prefix="build")
        self._lock = threading.Lock()

    @property
    def served(self) -> Session:
        """The session of the version that carries the label ``serving``."""
        return self._served

    def serve(self, session: Session) -> None:
        """Move the label: one reference; batches under way finish on the session before."""
        self._served = session

    def find(self, version: int) -> Session | None:
        """The session of a version if it is ready to run."""
        for session in (self._served, self.shadow):
            if session is not None and session.version == version:
                return session
        with self._lock:
            found = self._cache.get(version)
            if found is not None:
                self._cache.move_to_end(version)
            return found

    def prepare(self, version: int) -> Future[Session]:
        """Build the session of a version that is not ready to run, beside everything else.

        The future is shared, and is not to be cancelled. It fails as ``load`` does.

        Raises:
            QueueFull: if too many versions are being built.
        """
        with self._lock:
            build = self._builds.get(version)
            if build is None:
                if len(self._builds) >= MAX_BUILDS:
                    raise QueueFull(f"{MAX_BUILDS} versions are being made ready already")
                build = self._builds[version] = self._builder.submit(self._build, version)
            return build

    def get(self, version: int | None) -> Session:
        """The session of a version, None for the served one; waits until it is built.

        Raises:
            QueueFull: if too many versions are being built.
        """
        if version is None:
            return self._served
        return self.find(version) or self.prepare(version).result()

    def close(self) -> None:
        """Stop building; builds that are requested but not begun fail."""
        self._builder.shutdown(cancel_futures=True)

    def _build(self, version: int) -> Session:
        try:
            # It may have become ready between a call of find and one of prepare.
            session = self.find(version) or self._load(version)
            with self._lock:
                self._cache[version] = session
                if len(self._cache) > MAX_CACHED:
                    self._cache.popitem(last=False)
            return session
        finally:
            with self._lock:
                del self._builds[version]

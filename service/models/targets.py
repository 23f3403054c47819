"""The targets of a model, by name; those in use are in memory, all others in the ledger."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from service.errors import DefaultTargetNeeded, TargetExists, TooManyTargets, UnknownTarget
from service.ledger.ledger import Ledger
from service.targets.target import OnlineTarget
from service.vocabulary import DEFAULT_TARGET


class Targets:
    """The targets of one model.

    A target that nobody asked for lately holds no memory: its versions and its state are in the ledger, and
    it is opened again when it is needed.

    Args:
        open_target: opens a target by its name, making it if the ledger has none.
        ledger: ledger of everything durable.
        bundle: fingerprint of the bundle of the model.
        limit: maximum number of targets.
        loaded: maximum number of targets in memory, the default one not counted.

    Attributes:
        default: the target that requests mean when they name none; it always is in memory.
    """

    def __init__(
        self,
        open_target: Callable[[str], OnlineTarget],
        ledger: Ledger,
        bundle: str,
        limit: int,
        loaded: int,
    ) -> None:
        self._open = open_target
        self._ledger = ledger
        self._bundle = bundle
        self._limit = limit
        self._loaded = loaded
        self._lock = threading.RLock()
        self.default = open_target(DEFAULT_TARGET)
        self._others: OrderedDict[str, OnlineTarget] = OrderedDict()
        self._names = {DEFAULT_TARGET, *ledger.target_names(bundle)}

    @property
    def names(self) -> list[str]:
        """Names of all targets."""
        return sorted(self._names)

    @property
    def all(self) -> list[OnlineTarget]:
        """The targets in memory."""
        with self._lock:
            return [self.default, *self._others.values()]

    def find_loaded(self, name: str = DEFAULT_TARGET) -> OnlineTarget | None:
        """A target that is in memory; None if it is not, or there is none of this name."""
        if name == DEFAULT_TARGET:
            return self.default
        with self._lock:
            target = self._others.get(name)
            if target is not None:
                self._others.move_to_end(name)
            return target

    def find(self, name: str = DEFAULT_TARGET) -> OnlineTarget:
        """Find a target by its name, and bring it into memory; builds a session if it was not.

        Raises:
            UnknownTarget: if there is no such target.
            LedgerError: if it cannot be read.
        """
        with self._lock:
            target = self.find_loaded(name)
            if target is not None:
                return target
            if name not in self._names:
                # Another process may have made it.
                self._names = {DEFAULT_TARGET, *self._ledger.target_names(self._bundle)}
            if name not in self._names:
                known = ", ".join(map(repr, self.names[:20]))
                raise UnknownTarget(f"there is no target {name!r}; there is {known}")
            return self._load(name)

    def create(self, name: str) -> OnlineTarget:
        """Make a target, which begins with version 0.

        Raises:
            TargetExists: if there is one of this name.
            TooManyTargets: if there are as many as are allowed.
            LedgerError: if it cannot be recorded.
        """
        with self._lock:
            if name in self._names:
                raise TargetExists(f"there is a target {name!r} already")
            if len(self._names) >= self._limit:
                raise TooManyTargets(
                    f"there are {len(self._names)} targets already, as many as RN_MAX_TARGETS allows;"
                    " delete one first"
                )
            target = self._load(name)
            self._names.add(name)
            return target

    def delete(self, name: str) -> None:
        """Delete a target with all its versions and events.

        Raises:
            DefaultTargetNeeded: if it is the default one.
            UnknownTarget: if there is no such target.
            LedgerError: if the ledger cannot be used; nothing is deleted then.
        """
        if name == DEFAULT_TARGET:
            raise DefaultTargetNeeded(
                "the default target cannot be deleted; POST /reset empties it"
            )
        with self._lock:
            target = self.find(name)
            self._ledger.remove_target(target.record)
            self._names.discard(name)
            self._others.pop(name, None)
        target.close()
        target.forget()

    def close(self) -> None:
        """Let go of what the targets hold."""
        for target in self.all:
            target.close()

    def _load(self, name: str) -> OnlineTarget:
        target = self._others[name] = self._open(name)
        while len(self._others) > self._loaded:
            _, oldest = self._others.popitem(last=False)
            oldest.close()
        return target

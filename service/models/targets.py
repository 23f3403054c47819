"""The targets of a model, by name."""

from service.errors import UnknownTarget
from service.targets.target import OnlineTarget
from service.vocabulary import DEFAULT_TARGET


class Targets:
    """The targets of one model.

    Args:
        default: the target that requests mean when they name none.
    """

    def __init__(self, default: OnlineTarget) -> None:
        self._targets = {default.name: default}
        self.default = default

    @property
    def names(self) -> list[str]:
        """Names of all targets."""
        return sorted(self._targets)

    def find(self, name: str = DEFAULT_TARGET) -> OnlineTarget:
        """Find a target by its name.

        Raises:
            UnknownTarget: if there is no such target.
        """
        target = self._targets.get(name)
        if target is None:
            known = ", ".join(map(repr, self.names))
            raise UnknownTarget(f"there is no target {name!r}; there is {known}")
        return target

    def close(self) -> None:
        """Let go of what the targets hold."""
        for target in self._targets.values():
            target.close()

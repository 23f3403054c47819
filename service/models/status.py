"""What can be said about a model of the repository, loaded or not."""

from dataclasses import dataclass

from service.vocabulary import ModelState


@dataclass(frozen=True)
class ModelStatus:
    """A model of the repository.

    Attributes:
        name: name of the model.
        state: whether it is loaded.
        default: whether requests mean it when they name none.
        bundle: fingerprint of the bundle that is loaded; None if none is.
        targets: names of its targets, if it is loaded.
        reason: why its bundle was not loaded when that was tried last; None if it was.
    """

    name: str
    state: ModelState
    default: bool
    bundle: str | None
    targets: tuple[str, ...]
    reason: str | None

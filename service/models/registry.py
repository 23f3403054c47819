"""All models of the service, by name."""

from service.errors import UnknownModel
from service.models.model import Model


class Models:
    """The models that are loaded.

    Args:
        default: the model that requests mean when they name none.

    Attributes:
        default: the model that requests mean when they name none.
    """

    def __init__(self, default: Model) -> None:
        self._models = {default.name: default}
        self.default = default

    @property
    def names(self) -> list[str]:
        """Names of all models that are loaded."""
        return sorted(self._models)

    def find(self, name: str | None = None) -> Model:
        """Find a model by its name, None for the default one.

        Raises:
            UnknownModel: if no such model is loaded.
        """
        if name is None:
            return self.default
        model = self._models.get(name)
        if model is None:
            known = ", ".join(map(repr, self.names))
            raise UnknownModel(f"no model {name!r} is loaded; there is {known}")
        return model

    def close(self) -> None:
        """Close every model."""
        for model in self._models.values():
            model.close()

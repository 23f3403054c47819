"""The models of the service: list, load, unload."""

from typing import Annotated

from fastapi import APIRouter, Path

from service.api.dependencies import ResourcesDep
from service.api.problems import problem_responses
from service.errors import (
    DefaultModelNeeded,
    InvalidContent,
    ModelNotLoaded,
    TooManyModels,
    UnknownModel,
)
from service.schemas import ModelInfo, ModelList

router = APIRouter(tags=["models"], prefix="/models")

Name = Annotated[str, Path(description="Name of the model.")]

_LIST_ERRORS = problem_responses(ModelNotLoaded)
_LOAD_ERRORS = problem_responses(UnknownModel, TooManyModels, ModelNotLoaded, InvalidContent)
_UNLOAD_ERRORS = problem_responses(UnknownModel, DefaultModelNeeded, InvalidContent)


@router.get("", responses=_LIST_ERRORS)
async def list_models(resources: ResourcesDep) -> ModelList:
    """List the models that are loaded, and those that can be."""
    statuses = await resources.models.statuses()
    return ModelList(models=[ModelInfo.model_validate(status) for status in statuses])


@router.post("/{model}/load", responses=_LOAD_ERRORS)
async def load_model(resources: ResourcesDep, model: Name) -> ModelInfo:
    """Load a model, or replace it by its bundle as it is on disk now.

    Requests that run meanwhile are answered by what is loaded; if loading fails, it stays.
    """
    return ModelInfo.model_validate(await resources.models.load(model))


@router.post("/{model}/unload", responses=_UNLOAD_ERRORS)
async def unload_model(resources: ResourcesDep, model: Name) -> ModelInfo:
    """Unload a model, and free its memory, after the requests that use it."""
    return ModelInfo.model_validate(await resources.models.unload(model))

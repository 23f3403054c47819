"""Images of a task: location, reading, preprocessing and augmentation."""

from rn_model.data.augmentation import (
    Augmentation,
    AugmentationConfig,
    load_preprocessing,
    make_augmentation,
)
from rn_model.data.config import DatasetConfig, Draw, TaskConfig
from rn_model.data.dataset import open_dataset
from rn_model.data.errors import DataError, UnreadableImage
from rn_model.data.sets import ImageSet, JoinedSet, PictureSet
from rn_model.data.task import Task, open_task

__all__ = [
    "Augmentation",
    "AugmentationConfig",
    "DataError",
    "DatasetConfig",
    "Draw",
    "ImageSet",
    "JoinedSet",
    "PictureSet",
    "Task",
    "TaskConfig",
    "UnreadableImage",
    "load_preprocessing",
    "make_augmentation",
    "open_dataset",
    "open_task",
]

"""Opens all sets of a task and checks that they fit each other."""

from dataclasses import dataclass
from pathlib import Path

from bundle.preprocessing import Preprocessing
from rn_model.data.classes import check_sources, common_classes, relabel
from rn_model.data.config import DatasetConfig, TaskConfig
from rn_model.data.dataset import Opened, open_dataset
from rn_model.data.errors import DataError
from rn_model.data.sets import ImageSet, JoinedSet, PictureSet
from rn_model.data.splits import stratified_split


@dataclass(frozen=True)
class Task:
    """The images of a task.

    Attributes:
        sources: labelled, to train on.
        validation: labelled source images that are not trained on.
        target: to adapt to; its labels, if known, are only reported under the name "oracle".
        test: labelled images of the target domain, only reported on.
        classes: names; labels are places in it.
        skipped: a line for every file that was left out because it cannot be read.
    """

    sources: tuple[ImageSet, ...]
    validation: ImageSet
    target: ImageSet
    test: ImageSet | None
    classes: tuple[str, ...]
    skipped: tuple[str, ...] = ()


def open_task(config: TaskConfig, preprocessing: Preprocessing, base: Path = Path()) -> Task:
    """Open the sets of a task.

    Args:
        preprocessing: the contract by which images are read; ``ImageSet.through`` changes it.
        base: folder that relative paths start from, usually the configuration file's.

    Raises:
        DataError: if something is missing or does not fit; one clear line.
    """
    opener = _Opener(preprocessing, base, config.classes)
    sources = [opener.open(source) for source in config.source]
    classes = config.classes or common_classes(sources)
    sources = [relabel(source, classes, "source") for source in sources]
    check_sources(sources, classes)
    target = relabel(opener.open(config.target), classes, "target")
    test = None if config.test is None else relabel(opener.open(config.test), classes, "test")
    _need_labels(test, "test")
    validation: ImageSet
    if isinstance(config.validation, DatasetConfig):
        validation = relabel(opener.open(config.validation), classes, "validation")
        _need_labels(validation, "validation")
    else:
        sources, validation = _hold_out(sources, config.validation, config.seed)
    return Task(tuple(sources), validation, target, test, classes, tuple(opener.skipped))


class _Opener:
    """Opens sets and remembers the files that were left out."""

    def __init__(
        self, preprocessing: Preprocessing, base: Path, classes: tuple[str, ...] | None
    ) -> None:
        self._preprocessing = preprocessing
        self._base = base
        self._classes = classes
        self.skipped: list[str] = []

    def open(self, config: DatasetConfig) -> PictureSet:
        opened: Opened = open_dataset(config, self._preprocessing, self._base, self._classes)
        self.skipped += opened.skipped
        return opened.images


def _need_labels(images: ImageSet | None, role: str) -> None:
    if images is not None and images.labels is None:
        raise DataError(f"{role} {images.name} has no labels: it is there to measure accuracy")


def _hold_out(
    sources: list[PictureSet], share: float, seed: int
) -> tuple[list[PictureSet], ImageSet]:
    kept: list[PictureSet] = []
    held: list[PictureSet] = []
    for number, source in enumerate(sources):
        assert source.labels is not None
        training, validation = stratified_split(source.labels, share, seed + number)
        kept.append(source.take(training))
        if len(validation):
            held.append(source.take(validation))
    if not held:
        names = " + ".join(source.name for source in sources)
        raise DataError(f"source {names} has one image of every class: none can be held out")
    return kept, held[0] if len(held) == 1 else JoinedSet(tuple(held))

"""Opens all image sets of a task and checks that they are consistent."""

from dataclasses import dataclass
from pathlib import Path

from bundle.preprocessing import Preprocessing
from rn_model.data.classes import check_sources, common_classes, relabel
from rn_model.data.config import DatasetConfig, TaskConfig
from rn_model.data.dataset import Opened, open_dataset
from rn_model.data.errors import DataError
from rn_model.data.notes import folder_notes
from rn_model.data.sets import ImageSet, JoinedSet, PictureSet
from rn_model.data.splits import stratified_split


@dataclass(frozen=True)
class Task:
    """All image sets of a task.

    Attributes:
        sources: labelled images to train on.
        validation: labelled source images that are held out of training.
        target: images to adapt to; labels, if known, are only used to report "oracle" accuracies.
        test: labelled images of the target domain, only used to report accuracy; None without any.
        probe: labelled images of the target domain, only used to select the checkpoint; None without any.
        classes: names of the classes; labels are indices into them.
        skipped: one line per kind of file that was passed over, and per file that cannot be read.
        notes: one line per remark on the folders, such as classes that differ only in case.
    """

    sources: tuple[ImageSet, ...]
    validation: ImageSet
    target: ImageSet
    test: ImageSet | None
    classes: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    probe: ImageSet | None = None


def open_task(config: TaskConfig, preprocessing: Preprocessing, base: Path = Path()) -> Task:
    """Open all image sets of a task.

    Args:
        config: the task.
        preprocessing: contract by which images are read; ``ImageSet.through`` changes it.
        base: folder that relative paths start from, usually that of the configuration file.

    Raises:
        DataError: if images are missing, or classes or labels are inconsistent.
    """
    opener = _Opener(preprocessing, base, config.classes)
    sources = [opener.open(source) for source in config.source]
    classes = config.classes or common_classes(sources)
    sources = [relabel(source, classes, "source") for source in sources]
    check_sources(sources, classes)
    target = relabel(opener.open(config.target), classes, "target")
    test = None if config.test is None else relabel(opener.open(config.test), classes, "test")
    probe = None if config.probe is None else relabel(opener.open(config.probe), classes, "probe")
    _need_labels(test, "test")
    _need_labels(probe, "probe")
    validation: ImageSet
    if isinstance(config.validation, DatasetConfig):
        validation = relabel(opener.open(config.validation), classes, "validation")
        _need_labels(validation, "validation")
    else:
        sources, validation = _hold_out(sources, config.validation, config.seed)
    notes = tuple(folder_notes(config, classes, base))
    skipped = tuple(opener.skipped)
    return Task(tuple(sources), validation, target, test, classes, skipped, notes, probe)


class _Opener:
    """Opens image sets and collects the files that were skipped."""

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
        raise DataError(f"{role} {images.name} has no labels, which are needed to measure accuracy")


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
        raise DataError(
            f"source {names} has only one image per class, so none can be held out for validation"
        )
    return kept, held[0] if len(held) == 1 else JoinedSet(tuple(held))

"""Exports a run: a model that ``rn adapt`` left in a directory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bundle.manifest import Precision
from export.checks.labelled_images import read_labelled
from export.exporter import Built, BundleInfo, build_bundle
from export.variants.conversion import MAX_LOSS, VariantOptions
from rn_model.runs.record import load_run


@dataclass(frozen=True)
class RunOptions:
    """How a run is exported, where it is not as usual; see :func:`export.exporter.build_bundle`.

    Attributes:
        test: folder or ``.npz`` file of labelled target images.
    """

    statistics: Literal["target", "source"] = "target"
    sample_images: bool = True
    free_size: bool = False
    precisions: tuple[Precision, ...] = ()
    max_loss: float = MAX_LOSS
    test: Path | None = None


def build_run(path: Path, name: str, options: RunOptions) -> Built:
    """The bundle of a run, not written yet.

    Args:
        path: directory of the run.
        name: of the model.
        options: what is not as usual.

    Raises:
        ValueError: if the run or the labelled images cannot be read, or the network cannot be
            exported; in one line.
    """
    run = load_run(path)
    provenance = run.record.model_dump(
        mode="json", exclude={"classes", "preprocessing", "schema_version"}
    )
    labelled = None
    if options.test is not None:
        labelled = read_labelled(options.test, run.classes, run.preprocessing)
    return build_bundle(
        run.model,
        BundleInfo(name, run.classes, run.preprocessing, provenance),
        images=run.target if options.statistics == "target" else None,
        statistics=options.statistics,
        sample_images=options.sample_images,
        free_size=options.free_size,
        variants=VariantOptions(options.precisions, options.max_loss, labelled),
    )

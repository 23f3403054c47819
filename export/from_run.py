"""Exports the model of a training run, from the directory that ``rn adapt`` wrote."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bundle.manifest import Precision
from export.bundle_info import BundleInfo
from export.checks.labelled_images import read_labelled
from export.exporter import Built, build_bundle
from export.variants.conversion import MAX_LOSS, VariantOptions
from rn_model.runs.record import load_run


@dataclass(frozen=True)
class RunOptions:
    """Options for exporting a run.

    Attributes:
        statistics, sample_images, free_size, relations: see :func:`export.exporter.build_bundle`.
        precisions, max_loss: see :class:`export.variants.conversion.VariantOptions`.
        test: folder or ``.npz`` file of labelled target images, on which the accuracy of variants is
            reported; None to report none.
    """

    statistics: Literal["target", "source"] = "target"
    sample_images: bool = True
    free_size: bool = False
    relations: bool = False
    precisions: tuple[Precision, ...] = ()
    max_loss: float = MAX_LOSS
    test: Path | None = None


def build_run(path: Path, name: str, options: RunOptions) -> Built:
    """Build the bundle of a run in memory.

    Args:
        path: directory of the run.
        name: name of the model.
        options: options of the export.

    Raises:
        ValueError: if the run or the labelled images cannot be read, or the network cannot be
            exported; its message is one line.
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
        spread_images=run.target,
        statistics=options.statistics,
        sample_images=options.sample_images,
        free_size=options.free_size,
        relations=options.relations,
        variants=VariantOptions(options.precisions, options.max_loss, labelled),
        class_shares=run.record.class_shares,
    )

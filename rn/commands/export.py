"""The command ``rn export``."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import typer

from bundle.files import MANIFEST
from export.errors import ExportError
from rn.failing import one_line
from rn.options import export as options

if TYPE_CHECKING:
    from bundle.manifest import Manifest, Precision
    from export.exporter import Built
    from export.layouts import LayoutName


class _Destination(NamedTuple):
    """The form of the output, and where it is written.

    Attributes:
        layout: None for a bundle.
        precisions: requested variants of the graph; at most one in a layout.
    """

    path: Path
    layout: "LayoutName | None"
    precisions: "tuple[Precision, ...]"
    replace: bool

    @property
    def precision(self) -> "Precision | None":
        """Precision of the one graph in a layout; None for float32."""
        return self.precisions[0] if self.precisions else None

    def check_precisions(self) -> None:
        """Check that a layout, which holds one graph, is asked for no more.

        Raises:
            ExportError: if there are two.
        """
        if self.layout is not None and len(self.precisions) > 1:
            raise ExportError(f"the layout {self.layout} holds one graph: give --fp16 or --int8")


def export(
    run: options.Run,
    out: options.Out,
    layout: options.LayoutOption = options.Layout.bundle,
    name: options.Name = None,
    statistics: options.StatisticsOption = None,
    samples: options.Samples = True,
    canary: options.Canary = None,
    free_size: options.FreeSize = False,
    relations: options.Relations = False,
    fp16: options.Fp16 = False,
    int8: options.Int8 = False,
    max_loss: options.MaxLoss = None,
    test: options.Test = None,
    replace: options.Replace = False,
    backbone: options.Backbone = None,
    classes: options.Classes = None,
    preprocessing: options.PreprocessingOption = None,
    decoding: options.DecodingOption = None,
) -> None:
    """Fold an adapted model into a bundle; check it against torch.

    The check runs on the target images that the run keeps. The same images give the input profile that the
    service's admission starts with, and calibrate --int8.

    With --backbone, RUN is a file of pretrained weights of a network with BatchNorm. Nothing is trained:
    the bundle predicts what the network does, and its statistics follow the images that you post.
    """
    kind = None if layout is options.Layout.bundle else cast("LayoutName", layout.value)
    wanted: dict[Precision, bool] = {"float16": fp16, "int8": int8}
    to = _Destination(out, kind, tuple(key for key, yes in wanted.items() if yes), replace)
    # --canary is the former name of --samples.
    samples = samples if canary is None else canary
    settings = {
        "statistics": statistics and statistics.value,
        "max_loss": max_loss,
        "test": test,
        "sample_images": None if samples else False,
        "free_size": free_size or None,
        "relations": relations or None,
    }
    given = {key: value for key, value in settings.items() if value is not None}
    described = {
        "backbone": backbone,
        "classes": classes,
        "preprocessing": preprocessing,
        "decoding": decoding and decoding.value,
    }
    weights = {key: value for key, value in described.items() if value is not None}
    with one_line(ValueError, OSError):
        if weights or run.is_file():
            _check_weights(run, weights, given, to)
            lines = _from_weights(run, name or _default_name(run, to), to, {**given, **weights})
        elif (run / MANIFEST).is_file():
            lines = _from_bundle(run, name, to, given)
        else:
            lines = _from_run(run, name or _default_name(run, to), to, given)
    typer.echo("\n".join(lines))


def _from_run(run: Path, name: str, to: _Destination, given: dict[str, Any]) -> list[str]:
    _check_free(name, to)
    # torch takes seconds to import: not before the command runs.
    from export.from_run import RunOptions, build_run

    return _write(build_run(run, name, RunOptions(precisions=to.precisions, **given)), to)


def _check_weights(
    path: Path, weights: dict[str, str], given: dict[str, Any], to: _Destination
) -> None:
    """Check that what a file of weights needs is given, and nothing that only a run has.

    Raises:
        ExportError: if not.
    """
    missing = [f"--{key}" for key in ("backbone", "classes") if key not in weights]
    if missing and not weights:
        raise ExportError(
            f"{path} is a file: to export pretrained weights without training, give {' and '.join(missing)}"
        )
    if missing:
        raise ExportError(f"to export pretrained weights, also give {' and '.join(missing)}")
    only_run = _flags([key for key in ("statistics", "sample_images", "relations") if key in given])
    if "int8" in to.precisions:
        only_run = ", ".join(part for part in (only_run, "--int8") if part)
    if only_run:
        raise ExportError(f"{only_run}: only for a run, because weights bring no target images")


def _from_weights(path: Path, name: str, to: _Destination, given: dict[str, Any]) -> list[str]:
    _check_free(name, to)
    from export.contract import describe_preprocessing
    from export.from_weights import WeightsOptions, build_weights

    built = build_weights(path, name, WeightsOptions(precisions=to.precisions, **given))
    manifest = built.manifest
    source = manifest.provenance["preprocessing"]
    return [
        *_write(built, to),
        f"made without training: {manifest.normalization} begins with the weights' running statistics",
        f"preprocessing ({source}): {describe_preprocessing(manifest.preprocessing)}",
    ]


def _check_free(name: str, to: _Destination) -> None:
    from bundle.writing.storage import check_path
    from export.layouts import check_layout

    if to.layout is None:
        check_path(to.path, replace=to.replace)
    else:
        check_layout(to.layout, to.path, name, replace=to.replace)
        to.check_precisions()


def _write(built: "Built", to: _Destination) -> list[str]:
    from bundle.writing.storage import write_bundle
    from export.layouts import select_predictor, write_layout

    manifest, contents = built
    place = to.path
    if to.layout is None:
        write_bundle(place, manifest, contents, replace=to.replace)
    else:
        predictor = select_predictor(manifest, contents, to.precision)
        place = write_layout(to.layout, predictor, place, replace=to.replace)
    return [f"{place}: {_folding(manifest)}", *_variants(manifest)]


def _from_bundle(
    path: Path, name: str | None, to: _Destination, given: dict[str, Any]
) -> list[str]:
    from export.layouts import read_predictor, write_layout

    if to.layout is None:
        raise ExportError(
            f"{path} is already a bundle: give a --layout to write another form of it"
        )
    keys = ["name", *given] if name else [*given]
    if keys:
        raise ExportError(f"{_flags(keys)}: only for a run, and {path} is a bundle")
    to.check_precisions()
    predictor = read_predictor(path, to.precision)
    place = write_layout(to.layout, predictor, to.path, replace=to.replace)
    return [f"{place}: {predictor.manifest.name}, {to.precision or 'float32'}"]


def _flags(keys: Sequence[str]) -> str:
    """The flags of settings, as a person writes them."""
    flags = ", ".join(f"--{key.replace('_', '-')}" for key in keys)
    return flags.replace("--sample-images", "--no-samples")


def _default_name(run: Path, to: _Destination) -> str:
    if to.layout == "triton":
        return run.absolute().name
    return to.path.stem if to.layout == "onnx" else to.path.absolute().name


def _folding(manifest: "Manifest") -> str:
    explicit = [site.name for site in manifest.sites if not site.folded]
    return (
        f"{len(manifest.sites)} normalization layers, {len(manifest.sites) - len(explicit)} folded"
        f"{', explicit: ' + ', '.join(explicit) if explicit else ''};"
        f" logits within {manifest.parity['logit_error']:.1e} of torch on"
        f" {manifest.parity['images']:.0f} images"
    )


def _variants(manifest: "Manifest") -> Iterator[str]:
    for variant in manifest.variants.values():
        kept, unit = variant.accuracy, "accuracy"
        if kept is None:
            kept, unit = variant.information, "information"
        yield (
            f"{variant.file}: {variant.agreement:.2%} of the labels of {variant.images} held-out images"
            f" kept, {unit} {kept.variant:.4f} (float32 {kept.float32:.4f})"
        )

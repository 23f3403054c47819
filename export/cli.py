"""The command ``rn export``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Statistics(StrEnum):
    """Whose moments the target branch begins with."""

    target = "target"
    source = "source"


def export(
    run: Annotated[Path, typer.Argument(help="Directory that `rn adapt` wrote.")],
    out: Annotated[Path, typer.Option(help="Directory of the bundle to make.")],
    name: Annotated[str | None, typer.Option(help="Of the model; default that of OUT.")] = None,
    statistics: Annotated[
        Statistics,
        typer.Option(help="source: as if no target image had been seen; adaptation starts there."),
    ] = Statistics.target,
    canary: Annotated[
        bool, typer.Option(help="Whether some target images may travel in the bundle.")
    ] = True,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a bundle at OUT.")] = False,
) -> None:
    """Fold the target branch of an adapted model into a bundle, and check it against torch.

    The check runs on the target images that the run keeps, which also calibrate the service's guards.
    """
    # torch takes seconds to import: not before the command runs.
    from bundle import BundleError
    from export.exporting import BundleInfo, export_bundle
    from export.sites import ExportError
    from rn_model.checkpoint import load_run

    try:
        loaded = load_run(run)
        info = BundleInfo(
            name=name or out.name,
            classes=loaded.classes,
            preprocessing=loaded.preprocessing,
            provenance=loaded.record.model_dump(
                mode="json", exclude={"classes", "preprocessing", "schema_version"}
            ),
        )
        images = loaded.target if statistics is Statistics.target else None
        manifest = export_bundle(
            loaded.model,
            out,
            info,
            images=images,
            statistics=statistics.value,
            canary=canary,
            replace=replace,
        )
    except (BundleError, ExportError, ValueError, OSError) as error:
        typer.echo(f"rn export: {error}", err=True)
        raise typer.Exit(1) from error
    explicit = [site.name for site in manifest.sites if not site.folded]
    typer.echo(
        f"{out}: {len(manifest.sites)} normalization layers, {len(manifest.sites) - len(explicit)}"
        f" folded{', explicit: ' + ', '.join(explicit) if explicit else ''};"
        f" logits within {manifest.parity['logit_error']:.1e} of torch on"
        f" {manifest.parity['images']:.0f} images"
    )

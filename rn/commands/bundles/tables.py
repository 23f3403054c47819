"""Tables that ``rn inspect`` and ``rn diff`` print."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

from rich.markup import escape
from rich.table import Table

from bundle.inspection.difference import Difference, SiteDifference
from bundle.inspection.summary import Inspection, describe_folding
from bundle.manifest import Manifest
from bundle.text import brief, flatten, printable
from rn.terminal import Column, open_console, show, show_table

MOST_WEIGHTS = 20
_LEGEND = (
    "mean: shift of the target means in standard deviations, average and maximum over channels;\n"
    "log var: |log ratio| of the target variances; source: shift of the source means;\n"
    "scale, shift: relative change of what the layer does to its input"
)


def show_inspection(found: Inspection) -> None:
    """Print a summary of a bundle."""
    manifest = found.manifest
    facts = {
        "bundle": str(found.path),
        "name": manifest.name,
        "fingerprint": found.fingerprint,
        "signature": found.signature,
        "schema": manifest.schema_version,
        "normalization": manifest.normalization,
        "ONNX opset": manifest.opset,
        "classes": f"{len(manifest.classes)}: {', '.join(manifest.classes)}",
        "statistics": (
            f"of the {manifest.target.origin}, {manifest.target.images} images;"
            f" adaptation starts with a weight of {manifest.target.prior_count:g} images"
        ),
        "image size": "any" if manifest.free_size else "fixed",
    }
    _section("summary", facts)
    _section("preprocessing", manifest.preprocessing.model_dump(mode="json"))
    _section("files, in bytes", {name: f"{size:,}" for name, size in found.sizes.items()})
    _show_sites(manifest)
    _section("parity with torch", manifest.parity)
    for precision, variant in manifest.variants.items():
        _section(f"variant {precision}", flatten(variant.model_dump(mode="json")))
    if manifest.input_profile is not None:
        figures = manifest.input_profile
        rows = zip(figures.features, figures.median, figures.spread, strict=True)
        _section(
            "input profile: median, spread",
            {name: f"{median:.4g}, {spread:.4g}" for name, median, spread in rows},
        )
    _section("provenance", flatten(dict(manifest.provenance)))


def show_difference(difference: Difference) -> None:
    """Print how two bundles differ; sites with the largest shift of the target means come first."""
    console = open_console()
    if difference.equal:
        console.print("no differences")
        return
    if difference.architecture is not None:
        text = f"different networks: {difference.architecture}; only what both have is compared"
        console.print(printable(text), markup=False)
    _show_statistics(difference.sites)
    largest = sorted(difference.weights.items(), key=lambda item: -item[1])
    weights = {name: f"{change:.3g}" for name, change in largest[:MOST_WEIGHTS]}
    if len(largest) > MOST_WEIGHTS:
        weights["..."] = f"{len(largest) - MOST_WEIGHTS} more"
    _section("weights, relative change", weights)
    _section("graphs that differ", dict.fromkeys(difference.graphs, ""))
    facts = {
        key: f"{_or_none(one)} -> {_or_none(two)}" for key, (one, two) in difference.facts.items()
    }
    _section("manifest", facts)


def _show_statistics(sites: Sequence[SiteDifference]) -> None:
    if not sites:
        return
    columns = (
        Column("site", folds=True),
        Column("channels", right=True, optional=True),
        Column("mean", right=True),
        Column("max", right=True, optional=True),
        Column("log var", right=True),
        Column("max", right=True, optional=True),
        Column("source", right=True, optional=True),
        Column("scale", right=True, optional=True),
        Column("shift", right=True, optional=True),
    )
    rows = []
    for site in sorted(sites, key=lambda site: -site.mean_shift):
        _, _, *figures = astuple(site)
        rows.append((site.name, str(site.channels), *(f"{value:.3g}" for value in figures)))
    console = open_console()
    show_table(columns, rows, console)
    console.print(_LEGEND)


def _show_sites(manifest: Manifest) -> None:
    explicit = sum(not site.folded for site in manifest.sites)
    console = open_console()
    console.print(
        f"\n{len(manifest.sites)} normalization layers, {manifest.channels} channels,"
        f" {explicit} not folded"
    )
    columns = (
        Column("site", folds=True),
        Column("channels", right=True),
        Column("folded into the layer", folds=True),
    )
    rows = [(site.name, str(site.channels), describe_folding(site)) for site in manifest.sites]
    show_table(columns, rows, console)


def _section(title: str, facts: Mapping[str, Any]) -> None:
    if not facts:
        return
    console = open_console()
    console.print(f"\n[bold]{escape(title)}[/bold]")
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for key, value in facts.items():
        table.add_row(f"  {_shown(key)}", escape(brief(value)))
    show(table, console)


def _shown(text: str) -> str:
    return escape(printable(text))


def _or_none(value: Any) -> str:
    return "none" if value is None else brief(value)

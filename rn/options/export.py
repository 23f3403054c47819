"""Options of ``rn export``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Statistics(StrEnum):
    """The domain whose moments the target branch begins with."""

    target = "target"
    source = "source"


class Layout(StrEnum):
    """The form of the output: a bundle, or a form for programs that do not know bundles."""

    bundle = "bundle"
    onnx = "onnx"
    triton = "triton"
    mlflow = "mlflow"


class DecodingChoice(StrEnum):
    """How a JPEG is decoded."""

    full = "full"
    scaled = "scaled"


Run = Annotated[
    Path,
    typer.Argument(
        help="Directory of a run; with --backbone, a file of weights; with --layout, also a bundle."
    ),
]
Backbone = Annotated[
    str | None,
    typer.Option(help="Network of a file of weights, e.g. timm:resnet18. Nothing is trained."),
]
Classes = Annotated[
    str | None,
    typer.Option(
        help="With --backbone: file with one label per line, labels separated by commas, or a number."
    ),
]
PreprocessingOption = Annotated[
    str | None,
    typer.Option(
        "--preprocessing",
        help="With --backbone: imagenet, a YAML or JSON file, or {mode: RGB, ...}. Default: as the"
        " network's library publishes it.",
    ),
]
DecodingOption = Annotated[
    DecodingChoice | None,
    typer.Option(
        "--decoding",
        help="With --backbone: scaled to decode large JPEG files at a fraction of their size. Default:"
        " full, or as --preprocessing says.",
    ),
]
Out = Annotated[Path, typer.Option(help="Directory to write; for --layout onnx, the file.")]
LayoutOption = Annotated[
    Layout,
    typer.Option(
        help="Form of the output. onnx: one self-contained file; triton: a model in the repository OUT."
    ),
]
Name = Annotated[
    str | None, typer.Option(help="Model name. Default: the name of OUT (of RUN for triton).")
]
StatisticsOption = Annotated[
    Statistics | None,
    typer.Option(
        help="Statistics to begin with. source: as if no target image had been seen. Default: target."
    ),
]
Samples = Annotated[
    bool,
    typer.Option("--samples/--no-samples", help="Include sample target images in the bundle."),
]
Canary = Annotated[bool | None, typer.Option("--canary/--no-canary", hidden=True)]
FreeSize = Annotated[
    bool, typer.Option("--free-size", help="Let the graphs accept images of any size.")
]
Relations = Annotated[
    bool,
    typer.Option(
        "--relations", help="Weigh few images by how the channels of a layer vary together."
    ),
]
Fp16 = Annotated[
    bool,
    typer.Option("--fp16", help="Also write a float16 variant; with --layout, write only that."),
]
Int8 = Annotated[
    bool, typer.Option("--int8", help="Also write an int8 variant; with --layout, write only that.")
]
MaxLoss = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="Maximum share of labels that fp16 or int8 may change. Default: 0.01."
    ),
]
Test = Annotated[
    Path | None,
    typer.Option(help="Labelled target images on which to report the accuracy of fp16 and int8."),
]
Replace = Annotated[bool, typer.Option("--replace", help="Overwrite OUT if it exists.")]

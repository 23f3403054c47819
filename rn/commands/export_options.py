"""What ``rn export`` takes."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Statistics(StrEnum):
    """Whose moments the target branch begins with."""

    target = "target"
    source = "source"


class Layout(StrEnum):
    """What is written."""

    bundle = "bundle"
    onnx = "onnx"
    triton = "triton"
    mlflow = "mlflow"


Run = Annotated[Path, typer.Argument(help="What `rn adapt` wrote; or a bundle, for a layout.")]
Out = Annotated[Path, typer.Option(help="Directory to make; for --layout onnx, the file.")]
LayoutOption = Annotated[
    Layout,
    typer.Option(help="onnx: one self-contained file; triton: OUT is the model repository."),
]
Name = Annotated[
    str | None, typer.Option(help="Of the model; default that of OUT, for triton that of RUN.")
]
StatisticsOption = Annotated[
    Statistics | None,
    typer.Option(
        help="source: as if no target image had been seen; adaptation starts there."
        " Default: target."
    ),
]
Canary = Annotated[bool, typer.Option(help="Whether some target images may travel in the bundle.")]
FreeSize = Annotated[
    bool, typer.Option("--free-size", help="Let the graphs take images of any size.")
]
Fp16 = Annotated[bool, typer.Option("--fp16", help="Half precision too; in a layout, instead.")]
Int8 = Annotated[bool, typer.Option("--int8", help="8-bit integers too; in a layout, instead.")]
MaxLoss = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Share of labels that fp16 or int8 may change. Default: 0.01."),
]
Test = Annotated[
    Path | None,
    typer.Option(help="Labelled target images, to report the accuracy of fp16 and int8 on."),
]
Replace = Annotated[bool, typer.Option("--replace", help="Replace what is at OUT.")]

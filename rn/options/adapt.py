"""Options of ``rn adapt``."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    str, typer.Argument(help="A built-in recipe (printed-digits needs no data) or a YAML file.")
]
Out = Annotated[Path | None, typer.Option(help="Directory of the run. Default: runs/CONFIG.")]
Source = Annotated[
    list[str] | None, typer.Option(help="Labelled domain of the recipe. Repeatable.")
]
Target = Annotated[str | None, typer.Option(help="Domain of the recipe to adapt to.")]
Data = Annotated[Path | None, typer.Option(help="Folder of the recipe's images.")]
Normalization = Annotated[
    str | None, typer.Option(help="Normalization: rn, ccn, bn, adabn, autodial, dsbn or transnorm.")
]
Objective = Annotated[
    list[str] | None,
    typer.Option(help="Objective, e.g. mcc. Repeatable; 'none' disables all."),
]
Backbone = Annotated[str | None, typer.Option(help="Network, e.g. timm:resnet50.")]
Weights = Annotated[Path | None, typer.Option(help="Local file of pretrained weights.")]
Steps = Annotated[int | None, typer.Option(help="Optimizer steps on both domains.")]
Seed = Annotated[int | None, typer.Option(help="Random seed.")]
Device = Annotated[str | None, typer.Option(help="Device to train on: auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads; 0 lets torch choose.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Resume the run in OUT; pass the same flags.")
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Check and print images, settings and network; train nothing."),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="With --dry-run, print every setting and remark.")
]

"""A run in miniature: one training step, saved, loaded again and exported, before anything is trained."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from rn_model.checks.batch_independence import IMAGES
from rn_model.checks.passes import seeded
from rn_model.data import Task
from rn_model.layers.domain_norm import set_branch
from rn_model.runs.record import Run, load_run, save_run
from rn_model.runs.rows import Row
from rn_model.training.config import RunConfig
from rn_model.training.errors import TrainingError
from rn_model.training.network import build_network, check_before_training
from rn_model.training.records.artifacts import describe_run

_ROW = Row(
    name="rehearsal",
    oracle_target_accuracy=None,
    source_accuracy=0,
    information=0,
    nuclear_norm=0,
    seconds=None,
)


def rehearse(
    config: RunConfig, task: Task, base: Path, export: Callable[[Run], object] | None = None
) -> None:
    """Do everything that a run does with its network once, with a few random images.

    The network is converted, trained for one step on both domains, saved in a temporary folder, loaded
    again and exported.

    Args:
        config: configuration of the run.
        task: images of the run, for their classes.
        base: folder that relative paths of the configuration start from.
        export: exports the loaded run; None to leave this out.

    Raises:
        ValueError: if one of these steps fails or gets something wrong; it names the layer.
    """
    check_before_training(config, build_network(config, task, config.normalization, base))
    network = build_network(config, task, config.normalization, base)
    set_branch(network, "target")
    run = describe_run(config, task, base, network, [_ROW], _ROW.name, {}, None)
    with TemporaryDirectory() as folder:
        save_run(Path(folder) / "run", run)
        loaded = load_run(Path(folder) / "run")
    contract = config.preprocessing
    shape = IMAGES, contract.channels, contract.height, contract.width
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    before, after = (seeded(model, images) for model in (run.model, loaded.model))
    if not torch.allclose(before, after, rtol=1e-4, atol=1e-4 * float(before.abs().max())):
        raise TrainingError(
            f"{config.backbone.name} computes something else after it was saved and loaded: keep everything"
            " that its output depends on in parameters or buffers"
        )
    if export is not None:
        export(loaded)

"""The configuration of a training run."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bundle.preprocessing import Preprocessing
from rn_model.backbones import BackboneConfig
from rn_model.data import AugmentationConfig, TaskConfig
from rn_model.layers import Normalization
from rn_model.objectives import OBJECTIVES, ObjectiveConfig

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
Schedule = Literal["cosine", "inverse", "constant"]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class TrainingConfig(BaseModel):
    """Optimization, evaluation and checkpoints.

    Attributes:
        source_steps: optimizer steps on the source alone, with BatchNorm, before the adaptation.
        steps: optimizer steps of the adaptation, on both domains.
        batch_size: images of each domain per batch, over all processes together.
        accumulate: batches per optimizer step, whose gradients are averaged.
        learning_rate: initial learning rate of new layers, objectives and gates.
        backbone_rate: factor on the learning rate of the backbone's parameters, if these come from
            pretrained weights; 1 otherwise.
        gate_rate: factor on the learning rate of the bounded parameters of a normalization, such as
            RN's gates.
        source_rate: factor on all learning rates during the source stage.
        schedule: learning rate schedule: ``cosine`` falls to 0; ``inverse`` is ``(1 + 10 p)^-0.75``
            with ``p`` the completed share of the stage (arXiv:1409.7495, section 5.2.2).
        warmup: steps over which the learning rate rises from 0.
        momentum: Nesterov momentum of SGD.
        weight_decay: weight decay of all parameters except gates.
        label_smoothing: label smoothing of the cross-entropy on the source.
        ramp: share of the adaptation over which the weights of the objectives rise from 0; objectives
            with a reversed gradient have a schedule of their own.
        clip: maximum norm of the gradient; None for no limit.
        precision: ``bf16-mixed`` and ``16-mixed`` compute in half precision where that is safe.
        channels_last: whether to store images with channels last, which often makes convolutions
            faster.
        compile: whether to apply ``torch.compile`` to the network.
        evaluate_every: steps between evaluations; None for four evaluations per stage.
        evaluation_images: maximum number of target, validation and test images per evaluation during
            training.
        population_images: maximum number of images per domain for estimating the exported statistics
            and for the final scores, which use as many test images too. Without a test set, oracle
            accuracies use this many target images during training as well.
        patience: evaluations without a better label-free score before training stops; None for no
            early stopping.
        keep: ``best`` keeps the weights with the best label-free score, ``last`` the last weights.
        checkpoint_every: steps between checkpoints; None for one per evaluation.
        workers: number of processes that read images; 0 reads them in the training process.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    source_steps: Annotated[int, Field(ge=0)] = 1000
    steps: Positive = 2000
    batch_size: Annotated[int, Field(ge=2)] = 36
    accumulate: Positive = 1
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    backbone_rate: Annotated[float, Field(gt=0)] = 0.1
    gate_rate: Annotated[float, Field(ge=0)] = 1.0
    source_rate: Annotated[float, Field(gt=0)] = 1.0
    schedule: Schedule = "cosine"
    warmup: Annotated[int, Field(ge=0)] = 0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    ramp: Share = 0.0
    clip: Annotated[float, Field(gt=0)] | None = None
    precision: Precision = "32-true"
    channels_last: bool = False
    compile: bool = False
    evaluate_every: Positive | None = None
    evaluation_images: Positive = 2048
    population_images: Positive = 16384
    patience: Positive | None = None
    keep: Literal["best", "last"] = "best"
    checkpoint_every: Positive | None = None
    workers: Annotated[int, Field(ge=0)] = 0


class RunConfig(BaseModel):
    """A run: images, network, normalization, objectives and training.

    Attributes:
        name: display name of the run.
        task: images of both domains.
        preprocessing: contract by which an image file becomes the network's input.
        augmentation: random changes to training images.
        backbone: network and its pretrained weights.
        normalization: normalization that replaces the BatchNorm layers for the adaptation.
        objectives: objectives on unlabelled target images, added to the cross-entropy; empty for
            source only.
        training: optimization, evaluation and checkpoints.
        seed: seed of all randomness.
        device: ``auto`` uses a GPU if there is one.
        keep_images: maximum number of unlabelled target images to copy into the directory of the run,
            where an export uses them for its checks and calibration. Set 0 if images must not be
            copied.
        start: ``source.safetensors`` of an earlier run with the same network, to use instead of
            training on the source.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "run"
    task: TaskConfig
    preprocessing: Preprocessing
    augmentation: AugmentationConfig = AugmentationConfig()
    backbone: BackboneConfig
    normalization: Normalization = Normalization()
    objectives: tuple[ObjectiveConfig, ...] = ()
    training: TrainingConfig = TrainingConfig()
    seed: Annotated[int, Field(ge=0)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    keep_images: Annotated[int, Field(ge=0)] = 1000
    start: Path | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [objective.name for objective in self.objectives]
        if len(set(names)) < len(names):
            raise ValueError(f"objectives must be distinct: {', '.join(names)}")
        free = [name for name in names if OBJECTIVES[name].source_free]
        bound = [name for name in names if not OBJECTIVES[name].source_free]
        if free and bound:
            raise ValueError(f"{free[0]} trains without source images, but {bound[0]} needs them")
        self._check_crop()
        return self

    def _check_crop(self) -> None:
        contract = self.preprocessing
        side, size = contract.shorter_side, max(contract.height, contract.width)
        if side is not None and side > 2 * size:
            raise ValueError(
                f"preprocessing would crop the central {contract.height}x{contract.width} from images"
                f" scaled to a shorter side of {side}: set preprocessing.shorter_side too, e.g."
                f" {round(size * 256 / 224)}"
            )

    @property
    def source_free(self) -> bool:
        """Whether the adaptation uses no source images."""
        return any(OBJECTIVES[objective.name].source_free for objective in self.objectives)

    @property
    def uses_target(self) -> bool:
        """Whether training uses target images, for an objective or for statistics."""
        return bool(self.objectives) or self.normalization.kind not in ("bn", "adabn")

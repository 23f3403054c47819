"""Everything that a training run is made of, as one typed configuration."""

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
    """How a network is trained.

    Attributes:
        source_steps: of the optimizer on the source alone, with BatchNorm, before the adaptation.
        steps: of the optimizer on both domains.
        batch_size: images of each domain in a step, over all processes together.
        accumulate: batches whose gradients are added up for a step.
        learning_rate: of the new layers, the objectives and the gates, at the start.
        backbone_rate: factor of the learning rate for the backbone's own parameters, if they come from
            pretrained weights; without these a backbone learns as fast as all else.
        gate_rate: the same for the parameters of normalizations that are kept in a range.
        source_rate: the same for everything while the source alone is trained.
        schedule: of the learning rate: ``cosine`` falls to 0; ``inverse`` is
            ``(1 + 10 p)^-0.75`` (arXiv:1409.7495, section 5.2.2) with ``p`` the part that is done.
        warmup: steps in which the learning rate grows from 0.
        momentum: of SGD, with Nesterov's correction.
        weight_decay: of everything but gates.
        label_smoothing: of the source's cross-entropy.
        ramp: part of the adaptation in which the weight of the objectives grows from 0; those with a
            reversed gradient have a schedule of their own.
        clip: greatest norm of the gradient; None for no limit.
        precision: ``bf16-mixed`` and ``16-mixed`` compute in half precision where that is safe.
        channels_last: whether images are laid out with their channels last, which convolutions are
            often faster with.
        compile: whether ``torch.compile`` is applied to the network.
        evaluate_every: steps between evaluations; None for four in a run.
        evaluation_images: target and validation images in an evaluation during training, at most.
        population_images: images of each domain, at most, that the exported statistics are estimated
            on, and that the final scores are of. The oracle is always of so many of the target, or of a
            whole test set.
        patience: evaluations without a better label-free score after which training stops; None
            for never.
        keep: ``best`` keeps the weights with the best label-free score, ``last`` the last ones.
        checkpoint_every: steps between checkpoints to resume from; None for one an evaluation.
        workers: processes that read images.
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
    """A run: the task, the network, and how it is adapted.

    Attributes:
        name: of the run, for people.
        task: the images.
        preprocessing: from an image file to the network's input.
        augmentation: random views of training images.
        backbone: the network.
        normalization: what its BatchNorm layers become for the adaptation.
        objectives: what unlabeled target images are trained on, added up; none for source only.
        training: see there.
        seed: of everything random.
        device: ``auto`` takes a GPU if there is one.
        keep_images: of the unlabeled target, at most, that go into the run's directory: an export checks
            and calibrates itself on them. 0 where images must not leave.
        start: ``source.safetensors`` of an earlier run with the same network: its weights take the
            place of training on the source.
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
            raise ValueError(f"objectives name one twice: {', '.join(names)}")
        free = [name for name in names if OBJECTIVES[name].source_free]
        bound = [name for name in names if not OBJECTIVES[name].source_free]
        if free and bound:
            raise ValueError(
                f"{free[0]} is trained without source images and {bound[0]} needs them"
            )
        self._check_crop()
        return self

    def _check_crop(self) -> None:
        contract = self.preprocessing
        side, size = contract.shorter_side, max(contract.height, contract.width)
        if side is not None and side > 2 * size:
            raise ValueError(
                f"preprocessing would show the network only the middle {contract.height}x"
                f"{contract.width} of images that are scaled to a shorter side of {side}: set"
                f" preprocessing.shorter_side too, such as {round(size * 256 / 224)}"
            )

    @property
    def source_free(self) -> bool:
        """Whether the adaptation sees no source image."""
        return any(OBJECTIVES[objective.name].source_free for objective in self.objectives)

    @property
    def uses_target(self) -> bool:
        """Whether target images take part in training, by an objective or by the statistics."""
        return bool(self.objectives) or self.normalization.kind not in ("bn", "adabn")

"""The result of a finished run."""

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from bundle.scores import Scores
from rn_model.layers import Normalization
from rn_model.runs.class_shares import ClassShares
from rn_model.runs.proportion import Proportion
from rn_model.runs.rows import Row
from rn_model.runs.selection import Candidate

FILE = "result.json"
SOURCE_ONLY = "source only"
# The source-only network with statistics of the target; short, for tables of 80 columns.
UNADAPTED = "target statistics"


class Result(BaseModel):
    """Measurements of the network that a run kept.

    Attributes:
        name: name of the run.
        normalization: normalization of the network.
        objectives: names of the objectives; empty for source only.
        seed: random seed of the run.
        classes: names of the classes, in the order of the outputs.
        scores: label-free scores of the predictions for the target's training images.
        source_accuracy: accuracy on held-out source images, through the source branch.
        oracle_target_accuracy: accuracy on the labelled test set, or else on the target if it has
            labels; only reported. None without labels.
        oracle_best_accuracy: best accuracy of all evaluations, as if labels had chosen the step; those
            during training use at most ``training.evaluation_images`` of a test set.
        chosen_step: step of the adaptation after which the kept network was saved; 0 for the
            source-only network.
        target_statistics: whether the kept network normalizes target images with statistics of their
            own; False for the source-only network as it was trained.
        steps: number of steps of the adaptation.
        seconds: duration in seconds; parts before a resumption are not included.
        before: measurements before the adaptation, after training on the source alone.
        probe: accuracy on the labelled target images that selected the network; None without any.
        class_shares: class shares of both domains, those of the target estimated without labels.
        images: number of images by role, e.g. ``{"source": 900, "validation": 100, "target": 500}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    normalization: Normalization
    objectives: tuple[str, ...]
    seed: int
    classes: tuple[str, ...]
    scores: Scores
    source_accuracy: float
    oracle_target_accuracy: float | None
    oracle_best_accuracy: float | None
    chosen_step: int
    steps: int
    seconds: float
    target_statistics: bool = True
    before: Row | None = None
    probe: Proportion | None = None
    class_shares: ClassShares | None = None
    images: dict[str, int] = {}

    @property
    def method(self) -> str:
        """Short name of normalization and objectives, e.g. ``rn+mcc``."""
        return "+".join([self.normalization.kind, *(self.objectives or ("source only",))])

    @property
    def kept(self) -> str:
        """Name of the kept network: the method, :data:`UNADAPTED` or :data:`SOURCE_ONLY`."""
        if not self.target_statistics:
            return SOURCE_ONLY
        return UNADAPTED if self.chosen_step == 0 else self.method

    def candidate(self) -> Candidate:
        """The measurements that a choice among runs may use."""
        return Candidate(self.scores, self.source_accuracy, self.probe)

    def row(self) -> Row:
        """The result as a row of a table."""
        return Row(
            name=self.kept,
            oracle_target_accuracy=self.oracle_target_accuracy,
            source_accuracy=self.source_accuracy,
            information=self.scores.information,
            nuclear_norm=self.scores.nuclear_norm,
            seconds=self.seconds,
            probe=self.probe,
        )

    def content(self) -> bytes:
        """The content of ``result.json``."""
        return f"{self.model_dump_json(indent=2)}\n".encode()

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read the result from the directory of a run; None if the run is not finished.

        Raises:
            ValueError: if the file is damaged.
        """
        path = folder / FILE
        if not path.is_file():
            return None
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first: Any = error.errors(include_url=False)[0]
            raise ValueError(f"{path} is damaged: {first['msg']}") from error

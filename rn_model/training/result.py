"""What a finished run found."""

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from bundle.scores import Scores
from rn_model.layers import Normalization
from rn_model.runs.rows import Row
from rn_model.runs.selection import Candidate

FILE = "result.json"


class Result(BaseModel):
    """What was measured of the network that a run kept.

    Attributes:
        name: of the run.
        normalization: of the network.
        objectives: their names; none for source only.
        seed: of the run.
        classes: names of the outputs.
        scores: label-free, of the predictions on the target's training images.
        source_accuracy: on held-out source images, through the source branch.
        oracle_target_accuracy: on the labelled test set if there is one, else on the target where it
            has labels; reported, and used for nothing.
        oracle_best_accuracy: the best that an evaluation during training saw, had one chosen by labels.
        chosen_step: after which the kept network was trained no more; 0 for none.
        steps: of the adaptation.
        before: what the network was before the adaptation, trained on the source alone.
        seconds: that the run took, resumed parts not counted.
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
    before: Row | None = None

    @property
    def method(self) -> str:
        """Normalization and objectives in a few letters."""
        return "+".join([self.normalization.kind, *(self.objectives or ("source only",))])

    def candidate(self) -> Candidate:
        """What a choice among runs may see."""
        return Candidate(self.scores, self.source_accuracy)

    def row(self) -> Row:
        """The same as a row of a table."""
        return Row(
            name=self.method,
            oracle_target_accuracy=self.oracle_target_accuracy,
            source_accuracy=self.source_accuracy,
            information=self.scores.information,
            nuclear_norm=self.scores.nuclear_norm,
            seconds=self.seconds,
        )

    def content(self) -> bytes:
        """As a file."""
        return f"{self.model_dump_json(indent=2)}\n".encode()

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The result of a run's directory; None if it is not finished.

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

"""The table of results of an experiment, with one row per model."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from rich.table import Table

from bundle.scores import Scores
from rn_model.runs.proportion import Proportion
from rn_model.runs.selection import Candidate


class Row(BaseModel):
    """Measurements of one model.

    Attributes:
        name: name of the model.
        oracle_target_accuracy: accuracy on labelled target images, 0 to 1, which is only reported;
            None without labels.
        source_accuracy: accuracy of the source branch on labelled source images that were not trained
            on, 0 to 1.
        information, nuclear_norm: label-free scores of the target predictions, 0 to 1.
        seconds: time that making the model took; None if it was not measured.
        probe: accuracy on the labelled target images of the probe; None without any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    oracle_target_accuracy: float | None
    source_accuracy: float
    information: float
    nuclear_norm: float
    seconds: float | None
    probe: Proportion | None = None

    def candidate(self) -> Candidate:
        """The measurements that model selection is allowed to use."""
        scores = Scores(self.information, self.nuclear_norm)
        return Candidate(scores, self.source_accuracy, self.probe)


def results_table(rows: Sequence[Row], chosen: str) -> Table:
    """The rows as a table for the terminal; a star marks the chosen one."""
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    names = [len(row.name) + 2 * (row.name == chosen) for row in rows]
    table.add_column("model", no_wrap=True, min_width=max(names, default=0))
    for title in ("target accuracy", "source accuracy", "information", "nuclear norm", "time"):
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(
            f"{row.name} *" if row.name == chosen else row.name,
            "-" if row.oracle_target_accuracy is None else f"{row.oracle_target_accuracy:.1%}",
            f"{row.source_accuracy:.1%}",
            f"{row.information:.3f}",
            f"{row.nuclear_norm:.3f}",
            "-" if row.seconds is None else f"{row.seconds:.1f} s",
        )
    return table

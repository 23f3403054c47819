"""The table of an experiment: one row a model."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from rich.table import Table

from bundle.scores import Scores
from rn_model.runs.selection import Candidate


class Row(BaseModel):
    """What was measured of one model.

    Attributes:
        name: of the model.
        oracle_target_accuracy: on the target's labels; reported, and used for nothing;
            None where there are no labels.
        source_accuracy: on labelled source images not seen in training, through the source branch.
        information, nuclear_norm: label-free scores of the target predictions, 0 to 1.
        seconds: that making this model took; None if it was not measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    oracle_target_accuracy: float | None
    source_accuracy: float
    information: float
    nuclear_norm: float
    seconds: float | None

    def candidate(self) -> Candidate:
        """What the choice among models may see of this row."""
        return Candidate(Scores(self.information, self.nuclear_norm), self.source_accuracy)


def results_table(rows: Sequence[Row], chosen: str) -> Table:
    """The rows for people to read; the chosen one is marked with a star."""
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

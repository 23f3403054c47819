"""The accuracy on a few labelled images, with its error bar."""

from math import sqrt

from pydantic import BaseModel, ConfigDict, Field

_Z95 = 1.959964


class Proportion(BaseModel):
    """Correct predictions among labelled images.

    Attributes:
        correct: number of correct predictions.
        images: number of images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    correct: int = Field(ge=0)
    images: int = Field(ge=1)

    @property
    def share(self) -> float:
        """The accuracy, 0 to 1."""
        return self.correct / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Wilson (1927): bounds of the accuracy on all such images, 0 to 1.

        Example:
            >>> [round(bound, 3) for bound in Proportion(correct=14, images=20).interval]
            [0.481, 0.855]
        """
        n, p = self.images, self.share
        centre = p + _Z95**2 / (2 * n)
        width = _Z95 * sqrt(p * (1 - p) / n + _Z95**2 / (4 * n * n))
        whole = 1 + _Z95**2 / n
        return max(0.0, (centre - width) / whole), min(1.0, (centre + width) / whole)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.correct} of {self.images} ({self.share:.1%}, 95 % interval {low:.1%} to {high:.1%})"

"""Answers to predictions."""

from pydantic import BaseModel, Field

# Classes that a prediction lists unless the request says otherwise.
TOP_K = 5


class ImagePrediction(BaseModel):
    """Prediction for one image."""

    label: str = Field(description="The most probable class.", examples=["3"])
    index: int = Field(
        description="Position of the label in the list of classes, from 0.", examples=[3]
    )
    probability: float = Field(description="Probability of the label.", examples=[0.98])
    probabilities: dict[str, float] = Field(
        description="Probabilities of the `top_k` most probable classes, the most probable first; if that"
        " is all of them, in the order of the list of classes.",
        examples=[{"3": 0.98, "8": 0.02}],
    )


class PredictResult(BaseModel):
    """Predictions in the order of the images, and the version that made them."""

    model: str = Field(description="Name of the model.", examples=["digits"])
    target: str = Field(description="Name of the target.", examples=["default"])
    version: int = Field(description="Version that made the predictions.", examples=[4])
    predictions: list[ImagePrediction]

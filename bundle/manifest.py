"""The manifest of a bundle: everything about it that is not an array or a graph."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from bundle.preprocessing import Preprocessing

SCHEMA_VERSION: Literal[1] = 1

Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Site(_Model):
    """One normalization layer of the network and where it went in ``predict.onnx``.

    Attributes:
        name: of the layer in the network.
        channels: C, the length of its slices in the flat vectors.
        offset: where these slices begin.
        weight, bias: initializers of the convolution or linear layer that it is folded into; None
            where it stays explicit.
        axis: of the output channels in ``weight``.
        scale, shift: initializers of the Mul and the Add that stand for it where it is not folded.
    """

    name: str
    channels: Annotated[int, Field(ge=1)]
    offset: Count
    weight: str | None = None
    bias: str | None = None
    axis: Literal[0, 1] = 0
    scale: str | None = None
    shift: str | None = None

    @model_validator(mode="after")
    def _check(self) -> "Site":
        folded = self.weight is not None and self.bias is not None
        explicit = self.scale is not None and self.shift is not None
        if folded == explicit:
            raise ValueError(
                f"site {self.name} must name either weight and bias or scale and shift"
            )
        return self

    @property
    def folded(self) -> bool:
        """Whether nothing of the layer is left in the graph."""
        return self.weight is not None

    @property
    def slice(self) -> slice:
        """Its part of the flat vectors."""
        return slice(self.offset, self.offset + self.channels)


class TargetStatistics(_Model):
    """What the base target moments are.

    Attributes:
        origin: the domain whose images they were estimated from. ``source`` means that the model has
            seen nothing of the target yet.
        images: how many images that were.
        prior_count: how many images they weigh when online adaptation begins.
    """

    origin: Literal["source", "target"]
    images: Count
    prior_count: Annotated[float, Field(gt=0)] = 64.0


class Calibration(_Model):
    """What is normal for the images behind the base target moments, measured at export.

    Attributes:
        features: names of the per-image input features that ``observe.onnx`` gives.
        median, spread: of each feature; the spread is the median absolute deviation.
    """

    features: tuple[str, ...]
    median: tuple[float, ...]
    spread: tuple[float, ...]


class FileEntry(_Model):
    """Size in bytes and SHA-256 of one file of the bundle."""

    size: Count
    sha256: Sha256


class Manifest(_Model):
    """``manifest.json``.

    Attributes:
        schema_version: of this layout; a reader refuses any other.
        name: of the model.
        classes: labels in the order of the logits.
        preprocessing: how an image file becomes the graphs' input.
        opset: of the default ONNX domain in all three graphs.
        normalization: method of the layers that were folded.
        sites: every normalization layer, in the order of the flat vectors.
        target: what the base target moments are.
        calibration: what is normal for target images; None if no image was at hand.
        parity: how far the exported graphs are from the torch model.
        provenance: where the model comes from: code version, data fingerprints, metrics.
        files: every other file of the bundle.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    preprocessing: Preprocessing
    opset: Count
    normalization: str
    sites: Annotated[tuple[Site, ...], Field(min_length=1)]
    target: TargetStatistics
    calibration: Calibration | None
    parity: dict[str, float]
    provenance: dict[str, JsonValue]
    files: dict[str, FileEntry]

    @model_validator(mode="after")
    def _check(self) -> "Manifest":
        offset = 0
        for site in self.sites:
            if site.offset != offset:
                raise ValueError(f"site {site.name} begins at {site.offset}, not at {offset}")
            offset += site.channels
        return self

    @property
    def channels(self) -> int:
        """Length of the flat vectors: the channels of all sites."""
        return sum(site.channels for site in self.sites)

    def to_json(self) -> bytes:
        """The file's content; the same for the same manifest."""
        return (self.model_dump_json(indent=2) + "\n").encode()

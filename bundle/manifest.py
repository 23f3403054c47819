"""The manifest of a bundle: everything about it that is not an array or a graph."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from bundle.preprocessing import Preprocessing

SCHEMA_VERSION: Literal[2] = 2

Count = Annotated[int, Field(ge=0, lt=2**53)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Precision = Literal["float16", "int8"]

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


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
        side: ``output`` where that layer comes right before the normalization, ``input`` where it comes
            right after it.
        axis: of the channels in ``weight``.
        groups: into which the layer divides the channels, if ``axis`` holds those of one group only:
            the groups then follow one another along the other of the first two axes. Else 1.
        scale, shift: initializers of the Mul and the Add that stand for it where it is not folded.
    """

    name: str
    channels: Annotated[int, Field(ge=1)]
    offset: Count
    weight: str | None = None
    bias: str | None = None
    side: Literal["output", "input"] = "output"
    axis: Literal[0, 1] = 0
    groups: Annotated[int, Field(ge=1)] = 1
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
    def arrays(self) -> tuple[str, ...]:
        """The initializers of ``predict.onnx`` that it determines."""
        names = (self.weight, self.bias, self.scale, self.shift)
        return tuple(name for name in names if name is not None)

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
    prior_count: Annotated[float, Field(gt=0, lt=2**53)] = 64.0


class InputProfile(_Model):
    """Input features that are normal for target images, measured at export.

    Attributes:
        features: names of the per-image input features that ``observe.onnx`` gives.
        median, spread: of each feature; the spread is the median absolute deviation.
    """

    features: tuple[str, ...]
    median: tuple[float, ...]
    spread: tuple[Annotated[float, Field(ge=0)], ...]

    @model_validator(mode="after")
    def _check(self) -> "InputProfile":
        if not len(self.features) == len(self.median) == len(self.spread):
            raise ValueError("every feature needs one median and one spread")
        return self


class Kept(_Model):
    """One figure of ``predict.onnx``, and what a variant keeps of it."""

    float32: float
    variant: float


class Variant(_Model):
    """How far a variant of ``predict.onnx`` in lower precision is from it.

    Attributes:
        file: the variant, one self-contained ONNX file.
        images: how many images the two were compared on; none of them calibrated the variant.
        calibration_images: how many images set the ranges of its integers.
        agreement: share of images that both give the same label.
        logit_error: largest difference of a logit, relative to the largest of ``predict.onnx``.
        information, nuclear_norm: label-free scores of the predictions, 0 to 1.
        accuracy: on labelled target images; None where there were none.
    """

    file: str
    images: Annotated[int, Field(ge=1)]
    calibration_images: Count
    agreement: Annotated[float, Field(ge=0, le=1)]
    logit_error: Annotated[float, Field(ge=0)]
    information: Kept
    nuclear_norm: Kept
    accuracy: Kept | None = None


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
        free_size: whether the graphs take images of any height and width; else of those that
            ``preprocessing`` says.
        normalization: method of the layers that were folded.
        sites: every normalization layer, in the order of the flat vectors.
        target: what the base target moments are.
        input_profile: input features that are normal for target images; None if the export was given no
            image. Its key in the file is ``calibration``.
        parity: how far the exported graphs are from the torch model.
        variants: those of ``predict.onnx`` in lower precision.
        provenance: where the model comes from: code version, data fingerprints, metrics.
        files: every other file of the bundle.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    preprocessing: Preprocessing
    opset: Count
    free_size: bool = False
    normalization: str
    sites: Annotated[tuple[Site, ...], Field(min_length=1)]
    target: TargetStatistics
    input_profile: InputProfile | None = Field(alias="calibration")
    parity: dict[str, float]
    variants: dict[Precision, Variant] = {}
    provenance: dict[str, JsonValue]
    files: dict[str, FileEntry]

    @model_validator(mode="after")
    def _check(self) -> "Manifest":
        offset = 0
        for site in self.sites:
            if site.offset != offset:
                raise ValueError(f"site {site.name} begins at {site.offset}, not at {offset}")
            offset += site.channels
        for what, names in (
            ("class", self.classes),
            ("site", [site.name for site in self.sites]),
            ("initializer of a site", [name for site in self.sites for name in site.arrays]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"the same {what} is named twice")
        return self

    @property
    def channels(self) -> int:
        """Length of the flat vectors: the channels of all sites."""
        return sum(site.channels for site in self.sites)

    def to_values(self) -> dict[str, Any]:
        """The manifest as JSON values, under the keys of the file."""
        return self.model_dump(mode="json", by_alias=True)

    def to_json(self) -> bytes:
        """Content of the file: equal manifests give equal bytes."""
        return (self.model_dump_json(indent=2, by_alias=True) + "\n").encode()

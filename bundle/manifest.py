"""The manifest of a bundle: everything about it that is not an array or a graph."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from bundle.preprocessing import Preprocessing

SchemaVersion = Literal[2, 3, 4]
SCHEMA_VERSIONS: tuple[SchemaVersion, ...] = (2, 3, 4)
SCHEMA_VERSION = SCHEMA_VERSIONS[-1]

Count = Annotated[int, Field(ge=0, lt=2**53)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Precision = Literal["float16", "int8"]
# How the graphs know how much images differ from one another, by which they weigh the base moments: from
# images at export, or without any by a typical value.
Estimator = Literal["measured_spread", "assumed_spread", "related_channels"]

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _needed_version(preprocessing: Preprocessing, estimator: Estimator | None) -> SchemaVersion:
    """The first version of the layout that can express these values."""
    if estimator is not None:
        return 4
    return 2 if preprocessing.decoding == "full" else 3


class Site(_Model):
    """One normalization layer of the network and where it went in ``predict.onnx``.

    Attributes:
        name: name of the layer in the network.
        channels: number of channels C, the length of its slices of the flat vectors.
        offset: index in the flat vectors where these slices begin.
        weight, bias: names of the initializers of the convolution or linear layer that it is folded
            into; None if it is not folded.
        side: ``output`` if that layer comes before the normalization, ``input`` if it comes after it.
        axis: axis of the channels in ``weight``.
        groups: number of groups into which the layer divides the channels, if ``axis`` holds the
            channels of one group only; the groups then follow each other along the other of the first
            two axes. Otherwise 1.
        scale, shift: names of the initializers of the Mul and the Add that replace it if it is not
            folded.
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
        """Whether the site is folded into another layer."""
        return self.weight is not None

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of the initializers of ``predict.onnx`` that the site determines."""
        names = (self.weight, self.bias, self.scale, self.shift)
        return tuple(name for name in names if name is not None)

    @property
    def slice(self) -> slice:
        """The part of the flat vectors that belongs to the site."""
        return slice(self.offset, self.offset + self.channels)


class TargetStatistics(_Model):
    """Origin and weight of the base target moments.

    Attributes:
        origin: domain of the images that they were estimated from. ``source`` means that the model has
            not seen target images yet.
        images: number of these images.
        prior_count: number of images that they count for when online adaptation begins.
    """

    origin: Literal["source", "target"]
    images: Count
    prior_count: Annotated[float, Field(gt=0, lt=2**53)] = 64.0


class InputProfile(_Model):
    """Input features that are normal for target images, measured at export.

    Attributes:
        features: names of the per-image input features that ``observe.onnx`` returns.
        median: median of each feature.
        spread: median absolute deviation of each feature.
    """

    features: tuple[str, ...]
    median: tuple[float, ...]
    spread: tuple[Annotated[float, Field(ge=0)], ...]

    @model_validator(mode="after")
    def _check(self) -> "InputProfile":
        if not len(self.features) == len(self.median) == len(self.spread):
            raise ValueError("every feature must have one median and one spread")
        return self


class GuardCalibration(_Model):
    """What the guards of the service know of the domain, and of harmless changes, measured at export.

    Attributes:
        features: input features of some of the target images, in the order of
            :data:`bundle.interface.FEATURES`: what the images of this domain look like.
        scored_images: number of sample images that harmless updates were scored on, evenly spaced among
            all sample images; 0 if none were made.
        drops: by how much the nuclear norm of the predictions on them fell under each harmless update,
            in ascending order.
        confusion: mean prediction of source images by their class, a row for each; None if there were no
            labelled source images.
        source_shares: class shares of the source; None if they are not known.
    """

    features: tuple[tuple[float, ...], ...]
    scored_images: Count = 0
    drops: tuple[float, ...] = ()
    confusion: tuple[tuple[float, ...], ...] | None = None
    source_shares: tuple[float, ...] | None = None


class PairedScore(_Model):
    """One measure of ``predict.onnx`` (``float32``), and the same measure of a variant."""

    float32: float
    variant: float


class Variant(_Model):
    """Differences between ``predict.onnx`` and a variant of it in lower precision.

    Attributes:
        file: name of the variant, one self-contained ONNX file.
        images: number of images on which the two were compared; none of them was used for int8
            calibration.
        calibration_images: number of images that set the ranges of 8-bit integers.
        agreement: share of images to which both assign the same label.
        logit_error: maximum difference of a logit, relative to the largest logit of ``predict.onnx``.
        information, nuclear_norm: label-free scores of the predictions, 0 to 1.
        accuracy: accuracy on labelled target images; None if there were none.
    """

    file: str
    images: Annotated[int, Field(ge=1)]
    calibration_images: Count
    agreement: Annotated[float, Field(ge=0, le=1)]
    logit_error: Annotated[float, Field(ge=0)]
    information: PairedScore
    nuclear_norm: PairedScore
    accuracy: PairedScore | None = None


class FileEntry(_Model):
    """Size in bytes and SHA-256 of one file of a bundle."""

    size: Count
    sha256: Sha256


class Manifest(_Model):
    """Content of ``manifest.json``.

    Attributes:
        schema_version: version of the layout.
        name: name of the model.
        classes: labels in the order of the logits.
        preprocessing: how an image file becomes the input of the graphs.
        opset: version of the default ONNX operator set in all graphs.
        free_size: whether ``predict.onnx`` and ``observe.onnx`` take images of any height and width, and
            not only of those in ``preprocessing``.
        normalization: method of the layers that were folded.
        sites: every normalization layer, in the order of the flat vectors.
        target: origin and weight of the base target moments.
        input_profile: input features that are normal for target images; None if the bundle was
            exported without images. Its key in the file is ``calibration``.
        estimator: how the graphs weigh the base moments; None in bundles before schema version 4, whose
            graphs take moments that include them.
        guards: what the guards of the service know of the domain; None if the bundle was exported without
            target images, or before schema version 4.
        parity: differences between the exported graphs and the torch model.
        variants: variants of ``predict.onnx`` in lower precision.
        provenance: origin of the model: code version, data fingerprints, metrics.
        files: size and hash of every other file of the bundle, except the signature and
            ``manifest.sha256``.
    """

    schema_version: SchemaVersion = 2
    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    preprocessing: Preprocessing
    opset: Count
    free_size: bool = False
    normalization: str
    sites: Annotated[tuple[Site, ...], Field(min_length=1)]
    target: TargetStatistics
    input_profile: InputProfile | None = Field(alias="calibration")
    estimator: Annotated[Estimator | None, Field(exclude_if=lambda found: found is None)] = None
    guards: Annotated[GuardCalibration | None, Field(exclude_if=lambda found: found is None)] = None
    parity: dict[str, float]
    variants: dict[Precision, Variant] = {}
    provenance: dict[str, JsonValue]
    files: dict[str, FileEntry]

    @model_validator(mode="after")
    def _check(self) -> "Manifest":
        needed = _needed_version(self.preprocessing, self.estimator)
        if self.schema_version < needed:
            what = (
                f"preprocessing.decoding {self.preprocessing.decoding}"
                if self.estimator is None
                else f"estimator {self.estimator}"
            )
            raise ValueError(f"{what} needs schema version {needed}")
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
        """Length T of the flat vectors: the channels of all sites."""
        return sum(site.channels for site in self.sites)

    def to_values(self) -> dict[str, Any]:
        """The manifest as JSON values, under the keys of the file."""
        return self.model_dump(mode="json", by_alias=True)

    def to_json(self) -> bytes:
        """Content of the file: equal manifests give equal bytes."""
        return (self.model_dump_json(indent=2, by_alias=True) + "\n").encode()

import copy
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bundle import BundleError, files, load_bundle
from bundle.moments import FlatMoments
from bundle.runtime import Refolder
from export import BundleInfo, ExportError, export_bundle
from export.network.input_features import input_features
from export.network.pixel_scaling import PixelScaling
from rn_model import convert_normalization, domain_norms, set_branch
from rn_model.layers.domains import DOMAINS
from tests.networks import SMALL, SmallNet, TinyNet, random_images, shake, small_model

IMAGES = random_images(SMALL, 300)


def test_the_manifest_says_what_was_exported(small_bundle: Path) -> None:
    manifest = load_bundle(small_bundle).manifest
    assert (manifest.name, manifest.classes) == (SMALL.name, SMALL.classes)
    assert manifest.preprocessing == SMALL.preprocessing
    assert manifest.provenance == {"origin": "test"}
    assert manifest.normalization == "ReciprocalNorm"
    assert [(site.name, site.channels) for site in manifest.sites] == [
        ("norm", 4),
        ("hidden_norm", 5),
    ]
    assert all(site.folded for site in manifest.sites)
    assert (manifest.target.origin, manifest.target.images) == ("target", 101)
    assert manifest.parity["images"] == 300 and manifest.parity["agreement"] == 1
    assert manifest.parity["logit_error"] < 1e-5


def test_moments_are_the_models(small_bundle: Path) -> None:
    bundle = load_bundle(small_bundle)
    layers = [layer for _, layer in domain_norms(small_model())]
    for domain in DOMAINS:
        found = bundle.source if domain == "source" else bundle.target
        for index in range(2):
            values = torch.cat([layer.running(domain)[index] for layer in layers])
            np.testing.assert_array_equal(found[index], values.double().numpy())


def test_input_profile_and_sample_images_come_from_the_images(small_bundle: Path) -> None:
    bundle = load_bundle(small_bundle)
    profile = bundle.manifest.input_profile
    assert profile is not None and bundle.sample_images is not None
    features = input_features(torch.from_numpy(IMAGES)).numpy()
    median = np.median(features, axis=0)
    np.testing.assert_allclose(profile.median, median, rtol=1e-6)
    spread = np.median(np.abs(features - median), axis=0)
    np.testing.assert_allclose(profile.spread, spread, rtol=1e-4)
    assert len(bundle.sample_images) == 256
    known = {image.tobytes() for image in IMAGES}
    assert len({image.tobytes() for image in bundle.sample_images} & known) == 256


def test_without_images_there_is_neither(wide_bundle: Path) -> None:
    bundle = load_bundle(wide_bundle)
    assert bundle.manifest.input_profile is None and bundle.sample_images is None
    assert not (wide_bundle / files.SAMPLE_IMAGES).exists()


def test_exporting_again_gives_the_same_bytes_and_leaves_the_model(
    small_bundle: Path, tmp_path: Path
) -> None:
    model = small_model().train()
    model.norm.eval()
    set_branch(model, "source")
    before = copy.deepcopy(model)
    export_bundle(model, tmp_path / "again", SMALL, images=IMAGES)
    names = sorted(path.name for path in small_bundle.iterdir())
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == names
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (small_bundle / name).read_bytes()

    assert repr(model) == repr(before)
    for one, two in zip(model.modules(), before.modules(), strict=True):
        assert one.training == two.training
    for (name, value), expected in zip(
        model.state_dict().items(), before.state_dict().values(), strict=True
    ):
        assert torch.equal(value, expected), name
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(layer.observation is None for _, layer in domain_norms(model))


def test_a_model_that_has_not_seen_the_target_begins_with_the_source(tmp_path: Path) -> None:
    model = convert_normalization(TinyNet())
    shake(model)
    path = tmp_path / "source"
    manifest = export_bundle(
        model, path, SMALL, images=IMAGES, statistics="source", sample_images=False
    )
    bundle = load_bundle(path)
    (layer,) = (layer for _, layer in domain_norms(model))
    for found in (bundle.source, bundle.target):
        for values, expected in zip(found, layer.running("source"), strict=True):
            np.testing.assert_array_equal(values, expected.double().numpy())
    assert (manifest.target.origin, manifest.target.images) == ("source", 100)
    assert manifest.input_profile is not None and bundle.sample_images is None


def refusal(model: nn.Module, directory: Path, info: BundleInfo = SMALL) -> str:
    with pytest.raises(ExportError) as caught:
        export_bundle(model, directory / "refused", info)
    assert not list(directory.iterdir())
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Reused(SmallNet):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.norm(x.repeat(1, 4, 1, 1))[:, :1])


class Unused(SmallNet):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.BatchNorm2d(3)


def test_a_norm_that_runs_twice_is_refused(tmp_path: Path) -> None:
    message = refusal(convert_normalization(Reused()), tmp_path)
    assert message.startswith("normalization layer 'norm' runs 2 times in a forward pass")


def test_a_norm_that_never_runs_is_refused(tmp_path: Path) -> None:
    message = refusal(convert_normalization(Unused()), tmp_path)
    assert message.startswith("normalization layer 'spare' runs 0 times in a forward pass")


class Pair(TinyNet):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x), x  # type: ignore[return-value]


def test_a_model_that_returns_more_than_logits_is_refused(tmp_path: Path) -> None:
    assert "returns a tuple instead of logits" in refusal(convert_normalization(Pair()), tmp_path)


def test_a_model_that_cannot_be_copied_is_refused(tmp_path: Path) -> None:
    model = TinyNet()
    model.register_buffer("computed", model.head.weight * 2)
    message = refusal(convert_normalization(model), tmp_path)
    assert message.startswith("the network cannot be copied: Only Tensors created explicitly")


class NormLast(TinyNet):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.BatchNorm1d(3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(super().forward(x))
        return logits


def test_logits_that_a_norm_gives(tmp_path: Path) -> None:
    model = convert_normalization(NormLast())
    shake(model)
    export_bundle(model, tmp_path / "bundle", SMALL)
    assert all(site.folded for site in load_bundle(tmp_path / "bundle").manifest.sites)


def test_a_model_that_was_not_converted_is_refused(tmp_path: Path) -> None:
    assert "no normalization layer to adapt: convert it first" in refusal(SmallNet(), tmp_path)


@pytest.mark.parametrize("count", [2, 4])
def test_a_wrong_number_of_classes_is_refused(tmp_path: Path, count: int) -> None:
    info = BundleInfo("small", ["a", "b", "c", "d"][:count], SMALL.preprocessing, {})
    message = refusal(small_model(), tmp_path, info)
    assert f"has shape (2, 3), expected (N, {count}) for {count} classes" in message


@pytest.mark.parametrize(
    "images", [IMAGES[:0], IMAGES[:, 1:], IMAGES[..., 0], IMAGES.astype(np.float32)]
)
def test_images_that_are_not_the_models_are_refused(tmp_path: Path, images: object) -> None:
    with pytest.raises(ExportError, match=r"must be uint8 \('N', 8, 6, 1\) with N at least 1"):
        export_bundle(small_model(), tmp_path / "refused", SMALL, images=images)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


class Moody(TinyNet):
    """A network that computes something else when it is traced."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return logits * 1.01 if torch.compiler.is_exporting() else logits


def test_an_unfaithful_export_is_refused(tmp_path: Path) -> None:
    message = refusal(convert_normalization(Moody()), tmp_path)
    assert "disagrees with the torch model on 16 images: logits differ by 1.0e-02" in message


class Choosy(TinyNet):
    """A network with control flow that depends on values of its input, but on no pixel."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if float((0 * x).sum()) >= 0 else -x)


def test_a_network_that_cannot_be_traced_is_refused(tmp_path: Path) -> None:
    assert refusal(convert_normalization(Choosy()), tmp_path).startswith("torch cannot trace")


def test_a_taken_path_is_refused_before_the_model_is_looked_at(small_bundle: Path) -> None:
    with pytest.raises(BundleError, match="already exists"):
        export_bundle(SmallNet(), small_bundle, SMALL)


def test_the_sample_images_are_a_plain_archive(small_bundle: Path) -> None:
    content = (small_bundle / files.SAMPLE_IMAGES).read_bytes()
    assert np.load(io.BytesIO(content), allow_pickle=False)["images"].dtype == np.uint8


def test_pixels_are_scaled_as_the_contract_says() -> None:
    images = random_images(SMALL, 2)
    scaled = PixelScaling(SMALL.preprocessing)(torch.from_numpy(images))
    expected = (images / 255 - 0.4) / 0.3
    np.testing.assert_allclose(scaled.numpy(), expected.transpose(0, 3, 1, 2), 1e-5, 1e-6)


def test_relations_of_channels_are_an_option(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    manifest = export_bundle(small_model(), path, SMALL, images=IMAGES, relations=True)
    assert manifest.estimator == "related_channels"
    assert manifest.parity["observe_moment_error"] < 1e-4
    plain = export_bundle(small_model(), tmp_path / "plain", SMALL, images=IMAGES)
    assert plain.estimator == "measured_spread"
    # Few images are weighed in another way, and none give what was exported.
    bundles = [load_bundle(path), load_bundle(tmp_path / "plain")]
    moved = FlatMoments(bundles[0].target.mean + 1.0, bundles[0].target.variance)
    few, none = (
        [Refolder(bundle).scale_and_shift(moved, count)[1] for bundle in bundles]
        for count in (4.0, 0.0)
    )
    assert np.abs(few[0] - few[1]).max() > 1e-3
    np.testing.assert_array_equal(none[0], none[1])

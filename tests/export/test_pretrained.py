import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from bundle import BundleError, Preprocessing, files, load_bundle
from bundle.fold import fold_sites
from bundle.runtime import make_session
from export import ExportError, export_pretrained
from export.network.pixel_scaling import PixelScaling
from rn_model import convert_normalization
from tests.networks import SMALL, SmallNet, random_images, set_moments, trained_net
from tests.shrinking import shrunk

IMAGES = random_images(SMALL, 20)


def logits_of(model: nn.Module) -> np.ndarray:
    """What a network makes of the images in evaluation mode."""
    scaled = PixelScaling(SMALL.preprocessing)(torch.from_numpy(IMAGES))
    with torch.no_grad():
        found: np.ndarray = copy.deepcopy(model).eval()(scaled).numpy()
    return found


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a network that was not converted."""
    path = tmp_path_factory.mktemp("pretrained") / "mine"
    more = {"weights": "mine.pth"}
    export_pretrained(trained_net(), SMALL.classes, SMALL.preprocessing, path, provenance=more)
    return path


def test_it_predicts_what_the_network_does(path: Path) -> None:
    bundle = load_bundle(path)
    session = make_session(bundle.predict, bundle.predict_arrays)
    (found,) = session.run(["logits"], {"image": IMAGES})
    np.testing.assert_allclose(found, logits_of(trained_net()), rtol=1e-4, atol=1e-5)


def test_both_domains_begin_with_the_running_statistics(path: Path) -> None:
    bundle, model = load_bundle(path), trained_net()
    state = model.state_dict()
    mean, variance = (
        torch.cat([state[f"{norm}.running_{kind}"] for norm in ("norm", "hidden_norm")])
        for kind in ("mean", "var")
    )
    for moments in (bundle.source, bundle.target):
        np.testing.assert_array_equal(moments.mean, mean.double().numpy())
        np.testing.assert_array_equal(moments.variance, variance.double().numpy())


def test_moments_of_the_target_alone_normalize(path: Path) -> None:
    bundle, model = load_bundle(path), trained_net()
    generator = np.random.default_rng(0)
    mean, variance = generator.normal(size=9), generator.uniform(0.5, 2, 9)
    scale, shift = make_session(bundle.compensate, {}).run(
        ["scale", "shift"], {"mean": mean, "variance": variance, "count": np.array(64.0)}
    )
    folded = fold_sites(bundle.manifest.sites, bundle.base_arrays, scale, shift)
    session = make_session(bundle.predict, {**bundle.predict_arrays, **folded})
    (found,) = session.run(["logits"], {"image": IMAGES})
    set_moments(model, *shrunk(model, bundle.compensate, mean, variance, 64.0))
    np.testing.assert_allclose(found, logits_of(model), rtol=1e-3, atol=1e-5)


def test_the_manifest_says_that_nothing_was_trained(path: Path) -> None:
    manifest = load_bundle(path).manifest
    assert (manifest.name, manifest.classes) == ("mine", SMALL.classes)
    assert manifest.normalization == "AdaBN"
    assert (manifest.target.origin, manifest.target.images) == ("source", 0)
    assert manifest.input_profile is None and not (path / files.SAMPLE_IMAGES).exists()
    assert manifest.provenance["weights"] == "mine.pth"
    origin = manifest.provenance["origin"]
    assert origin == "weights, exported without training on source or target images"
    assert "running statistics" in str(manifest.provenance["statistics"])


def test_the_network_is_left_as_it_is(tmp_path: Path) -> None:
    model = trained_net().train()
    before = copy.deepcopy(model)
    export_pretrained(model, SMALL.classes, SMALL.preprocessing, tmp_path / "bundle")
    assert repr(model) == repr(before) and model.training
    for (name, value), expected in zip(
        model.state_dict().items(), before.state_dict().values(), strict=True
    ):
        assert torch.equal(value, expected), name


def refusal(model: nn.Module, folder: Path, preprocessing: Preprocessing | str) -> str:
    with pytest.raises(ExportError) as caught:
        export_pretrained(model, SMALL.classes, preprocessing, folder / "bundle")
    assert not list(folder.iterdir()) and "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    plain = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    assert "has no BatchNorm layer" in refusal(plain, tmp_path, SMALL.preprocessing)
    converted = convert_normalization(SmallNet())
    assert "use export_bundle" in refusal(converted, tmp_path, SMALL.preprocessing)
    assert "there is no file absent.yaml" in refusal(SmallNet(), tmp_path, "absent.yaml")
    pruned = SmallNet()
    prune.l1_unstructured(pruned.norm, "weight", 1)  # type: ignore[no-untyped-call]
    pruned.norm(torch.zeros(2, 4, 1, 1))
    assert "the weight of norm is computed" in refusal(pruned, tmp_path, SMALL.preprocessing)
    changed = SmallNet()
    changed.hidden = nn.Linear(4, 6)
    assert "cannot be run" in refusal(changed, tmp_path, SMALL.preprocessing)
    changed = SmallNet()
    changed.head = nn.Linear(5, 4)
    assert "expected (N, 3) for 3 classes" in refusal(changed, tmp_path, SMALL.preprocessing)


def test_a_taken_path_is_refused(path: Path) -> None:
    with pytest.raises(BundleError, match="already exists"):
        export_pretrained(SmallNet(), SMALL.classes, SMALL.preprocessing, path)

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rn_model.backbones import AdaptationNetwork, BackboneConfig, make_network
from rn_model.backbones.weights import load_classifier, load_features
from tests.rn_model.backbones import own_networks
from tests.rn_model.backbones.own_networks import OldClassifier, Whole

HERE = own_networks.__name__


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_old_names_of_densenets_are_read(tmp_path: Path) -> None:
    model = nn.Module()
    model.denselayer12 = nn.Module()
    model.denselayer12.norm1 = nn.BatchNorm2d(2)
    state = {name.replace("norm1", "norm.1"): v for name, v in _state(model).items()}
    state["denselayer12.norm.1.bias"] += 3
    torch.save(state, tmp_path / "weights.pth")
    load_features(model, tmp_path / "weights.pth")
    assert torch.equal(model.denselayer12.norm1.bias, state["denselayer12.norm.1.bias"])


def test_the_features_are_loaded_and_the_old_head_dropped(tmp_path: Path) -> None:
    state = _state(OldClassifier())
    torch.save(state, tmp_path / "weights.pt")
    config = BackboneConfig(name=f"{HERE}:OldClassifier", weights=tmp_path / "weights.pt")
    network = make_network(config, 4, 3)
    assert isinstance(network, AdaptationNetwork)
    loaded = network.features.state_dict()
    assert set(state) - set(loaded) == {"fc.weight", "fc.bias"}
    assert all(torch.equal(state[name], value) for name, value in loaded.items())


@pytest.mark.parametrize("classes", [4, 5])
def test_the_head_of_a_whole_classifier_is_loaded_if_it_fits(
    tmp_path: Path, classes: int, caplog: pytest.LogCaptureFixture
) -> None:
    state = _state(Whole(4, 3))
    file = tmp_path / "weights.pt"
    torch.save({"model": {f"module.{name}": value for name, value in state.items()}}, file)
    config = BackboneConfig(name=f"{HERE}:Whole", weights=file)
    loaded = make_network(config, classes, 3).state_dict()
    assert torch.equal(loaded["conv.weight"], state["conv.weight"])
    same = loaded["fc.weight"].shape == state["fc.weight"].shape
    assert same == (classes == 4)
    assert not same or torch.equal(loaded["fc.weight"], state["fc.weight"])
    line = f"the classifier fc in {file} is for 4 classes, not 5; it was left out"
    assert caplog.messages == ([] if same else [line])


def test_a_file_without_a_head_is_loaded_with_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = {name: v for name, v in _state(Whole(4, 3)).items() if not name.startswith("fc.")}
    torch.save(state, tmp_path / "weights.pt")
    model = Whole(4, 3)
    load_classifier(model, tmp_path / "weights.pt")
    assert torch.equal(model.conv.weight, state["conv.weight"])
    assert "has no weights for the classifier fc; it was left out" in caplog.text
    with pytest.raises(ValueError, match=r"has no weights for the classifier fc$"):
        load_classifier(model, tmp_path / "weights.pt", other_head=False)


def test_the_first_convolution_is_summed_for_grey_images(tmp_path: Path) -> None:
    state = _state(Whole(4, 3))
    torch.save(state, tmp_path / "weights.pt")
    config = BackboneConfig(name=f"{HERE}:Whole", weights=tmp_path / "weights.pt")
    loaded = make_network(config, 4, 1).state_dict()
    torch.testing.assert_close(loaded["conv.weight"], state["conv.weight"].sum(1, keepdim=True))


def test_what_does_not_fit_is_an_error_that_names_it(tmp_path: Path) -> None:
    state = _state(own_networks.Maps())
    del state["norm.weight"], state["norm.num_batches_tracked"]
    state["norm.bias"] = torch.zeros(7)
    state |= {f"more.{index}": torch.zeros(1) for index in range(5)}
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the whole message is compared
        load_features(own_networks.Maps(), tmp_path / "weights.pt")
    assert str(caught.value) == (
        f"{tmp_path / 'weights.pt'} does not fit the network: 4 of 6 tensors fit; missing norm.weight;"
        " unexpected more.0, more.1, more.2 and 2 more; wrong shape: norm.bias (7,) instead of (6,)"
    )


def test_the_count_of_batches_may_lack(tmp_path: Path) -> None:
    state = _state(own_networks.Maps())
    del state["norm.num_batches_tracked"]
    torch.save(state, tmp_path / "weights.pt")
    model = own_networks.Maps()
    load_features(model, tmp_path / "weights.pt")
    assert torch.equal(model.conv.weight, state["conv.weight"])


@pytest.mark.parametrize(
    ("content", "seen"),
    [({"epoch": 3, "loss": [1.0]}, "the keys epoch, loss"), ({}, "nothing"), ([1, 2], "a list")],
)
def test_a_file_of_something_else_is_an_error(tmp_path: Path, content: object, seen: str) -> None:
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=f"does not contain a state dict, but {seen}$"):
        load_features(own_networks.Maps(), tmp_path / "weights.pt")

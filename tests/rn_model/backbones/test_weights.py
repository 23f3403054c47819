import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rn_model.backbones import AdaptationNetwork, BackboneConfig, make_network
from rn_model.backbones.weights import load_features, read_weights
from tests.rn_model.backbones import own_networks
from tests.rn_model.backbones.own_networks import OldClassifier, Whole

HERE = own_networks.__name__


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("nest", ["", "state_dict", "model"])
@pytest.mark.parametrize("wrapper", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_state_dicts_are_read_however_they_were_saved(
    tmp_path: Path, nest: str, wrapper: str
) -> None:
    state = _state(own_networks.Maps())
    saved: dict[str, object] = {f"{wrapper}{name}": value for name, value in state.items()}
    torch.save({nest: saved, "epoch": 3} if nest else saved, tmp_path / "weights.pt")
    assert list(read_weights(tmp_path / "weights.pt")) == list(state)


def test_safetensors_are_read(tmp_path: Path) -> None:
    state = _state(own_networks.Maps())
    save_file(state, tmp_path / "weights.safetensors")
    read = read_weights(tmp_path / "weights.safetensors")
    assert all(torch.equal(read[name], value) for name, value in state.items())


def _save_in_parts(folder: Path, state: dict[str, Tensor]) -> Path:
    """A state dict with each tensor in a separate file."""
    files = {name: f"part-{number}.safetensors" for number, name in enumerate(state)}
    for name, file in files.items():
        save_file({name: state[name]}, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": files}))
    return index


def test_weights_in_several_files_are_read_by_their_index(tmp_path: Path) -> None:
    state = _state(own_networks.Maps())
    read = read_weights(_save_in_parts(tmp_path, state))
    assert set(read) == set(state)
    assert all(torch.equal(read[name], value) for name, value in state.items())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "no weight_map"),
        ("{", "no weight_map"),
        ('{"weight_map": {"a": "../other.safetensors"}}', "other folders"),
        ('{"weight_map": {"a": "absent.safetensors"}}', "absent.safetensors"),
    ],
)
def test_a_wrong_index_of_weights_is_refused(tmp_path: Path, content: str, message: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_weights(index)


def test_old_names_of_densenets_are_read(tmp_path: Path) -> None:
    name = "features.denseblock1.denselayer12.{}.weight"
    torch.save({name.format("norm.1"): torch.ones(1)}, tmp_path / "weights.pth")
    assert list(read_weights(tmp_path / "weights.pth")) == [name.format("norm1")]


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
def test_the_head_of_a_whole_classifier_is_loaded_if_it_fits(tmp_path: Path, classes: int) -> None:
    state = _state(Whole(4, 3))
    torch.save(state, tmp_path / "weights.pt")
    config = BackboneConfig(name=f"{HERE}:Whole", weights=tmp_path / "weights.pt")
    loaded = make_network(config, classes, 3).state_dict()
    assert torch.equal(loaded["conv.weight"], state["conv.weight"])
    same = loaded["fc.weight"].shape == state["fc.weight"].shape
    assert same == (classes == 4)
    assert not same or torch.equal(loaded["fc.weight"], state["fc.weight"])


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
        f"{tmp_path / 'weights.pt'} does not fit the network: missing norm.weight; unexpected "
        "more.0, more.1, more.2 and 2 more; wrong shape: norm.bias"
    )


def test_the_count_of_batches_may_lack(tmp_path: Path) -> None:
    state = _state(own_networks.Maps())
    del state["norm.num_batches_tracked"]
    torch.save(state, tmp_path / "weights.pt")
    model = own_networks.Maps()
    load_features(model, tmp_path / "weights.pt")
    assert torch.equal(model.conv.weight, state["conv.weight"])


def test_code_in_a_file_of_weights_is_not_run(tmp_path: Path) -> None:
    torch.save(own_networks.Maps(), tmp_path / "weights.pt")
    with pytest.raises(
        ValueError, match=r"cannot be read: use a \.safetensors file, or a state dict"
    ):
        read_weights(tmp_path / "weights.pt")


@pytest.mark.parametrize("file", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a file of weights"])
def test_a_damaged_file_is_an_error(tmp_path: Path, file: str, content: bytes) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ValueError, match=f"{file} cannot be read"):
        read_weights(tmp_path / file)


def test_a_file_of_something_else_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no file of weights"):
        read_weights(tmp_path / "absent.pt")
    torch.save({"epoch": 3}, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="does not contain a state dict"):
        read_weights(tmp_path / "weights.pt")

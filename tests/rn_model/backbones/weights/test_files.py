import json
from argparse import Namespace
from pathlib import Path, PurePosixPath

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from rn_model.backbones.weights.files import read_checkpoint
from tests.rn_model.backbones import own_networks

STATE = {name: value.clone() for name, value in own_networks.Maps().state_dict().items()}


def _same(state: object) -> bool:
    assert isinstance(state, dict)
    return set(state) == set(STATE) and all(torch.equal(state[name], STATE[name]) for name in STATE)


def _save_in_parts(folder: Path, state: dict[str, Tensor], suffix: str) -> Path:
    """A state dict with each tensor in a separate file."""
    files = {name: f"part-{number}.{suffix}" for number, name in enumerate(state)}
    for name, file in files.items():
        save = save_file if suffix == "safetensors" else torch.save
        save({name: state[name]}, folder / file)
    index = folder / f"model.{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": files}))
    return index


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "weights.safetensors")
    assert _same(read_checkpoint(tmp_path / "weights.safetensors"))


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_weights_in_several_files_are_read_by_their_index(tmp_path: Path, suffix: str) -> None:
    assert _same(read_checkpoint(_save_in_parts(tmp_path, STATE, suffix)))


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
        read_checkpoint(index)


def test_the_arguments_of_a_training_script_may_lie_beside_the_weights(tmp_path: Path) -> None:
    torch.save({"state_dict": STATE, "args": Namespace(lr=0.1)}, tmp_path / "weights.pth.tar")
    content = read_checkpoint(tmp_path / "weights.pth.tar")
    assert _same(content["state_dict"]) and content["args"].lr == 0.1


def test_other_objects_are_not_read_and_are_named(tmp_path: Path) -> None:
    torch.save({"model": STATE, "folder": PurePosixPath("runs")}, tmp_path / "weights.pt")
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the whole message is compared
        read_checkpoint(tmp_path / "weights.pt")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'weights.pt'} holds more than tensors (pathlib")
    assert "PurePosixPath" in message and "save only the model's state_dict()" in message
    assert "\n" not in message


def test_code_in_a_file_of_weights_is_not_run(tmp_path: Path) -> None:
    torch.save(own_networks.Maps(), tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=r"holds more than tensors \(.*Maps.*weights_only=False"):
        read_checkpoint(tmp_path / "weights.pt")


@pytest.mark.filterwarnings(r"ignore:.*torch\.jit")
def test_a_scripted_network_is_refused(tmp_path: Path) -> None:
    traced = torch.jit.trace(torch.nn.ReLU(), torch.ones(1))  # type: ignore[no-untyped-call]
    torch.jit.save(traced, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=r"TorchScript program.*torch\.jit\.load\(FILE\)"):
        read_checkpoint(tmp_path / "weights.pt")


@pytest.mark.parametrize("file", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a file of weights"])
def test_a_damaged_file_is_an_error(tmp_path: Path, file: str, content: bytes) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ValueError, match=f"{file} cannot be read"):
        read_checkpoint(tmp_path / file)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no file of weights"):
        read_checkpoint(tmp_path / "absent.pt")

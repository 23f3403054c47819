from pathlib import Path

import pytest
from pydantic import ValidationError

from rn_model.backbones import BackboneConfig


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("timm:resnet18", ("timm", "timm", "resnet18")),
        ("transformers:/folder:x", ("transformers", "transformers", "/folder:x")),
        ("package.module:Net", (None, "package.module", "Net")),
        ("./a/net.py:make", (None, "./a/net.py", "make")),
    ],
)
def test_the_parts_of_a_name(name: str, parts: tuple[str | None, str, str]) -> None:
    config = BackboneConfig(name=name)
    assert (config.library, config.module, config.model) == parts


@pytest.mark.parametrize("name", ["resnet18", "timm:", ":make", "package.module:", ""])
def test_a_name_of_no_network_is_an_error(name: str) -> None:
    with pytest.raises(ValidationError, match="is not the name of a network: use timm:NAME"):
        BackboneConfig(name=name)


@pytest.mark.parametrize("key", ["num_classes", "in_chans", "pretrained", "weights"])
def test_arguments_that_are_decided_elsewhere_are_refused_for_libraries(key: str) -> None:
    with pytest.raises(ValidationError, match=f"argument {key} is not allowed for timm:resnet18"):
        BackboneConfig(name="timm:resnet18", arguments={key: True})
    BackboneConfig(name="package.module:Net", arguments={key: True})


def test_the_weights_of_a_folder_are_found(tmp_path: Path) -> None:
    config = BackboneConfig(name=f"transformers:{tmp_path}")
    assert config.weights_file is None
    (tmp_path / "pytorch_model.bin").touch()
    assert config.weights_file == tmp_path / "pytorch_model.bin"
    (tmp_path / "model.safetensors").touch()
    assert config.weights_file == tmp_path / "model.safetensors"
    other = BackboneConfig(name=f"transformers:{tmp_path}", weights=Path("other.pt"))
    assert other.weights_file == Path("other.pt")

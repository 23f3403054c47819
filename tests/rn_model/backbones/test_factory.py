import json
import sys
from pathlib import Path

import pytest
import torch

from bundle.preprocessing import Preprocessing
from rn_model.backbones import (
    AdaptationNetwork,
    BackboneConfig,
    build,
    factory_arguments,
    make_network,
)
from rn_model.backbones.classifier import final_linear
from rn_model.layers import Normalization, convert_normalization
from rn_model.runs.record import Run, RunRecord, load_run, save_run
from rn_model.runs.rows import Row
from tests.rn_model.backbones import own_networks
from tests.rn_model.backbones.networks import CONFIGS

HERE = own_networks.__name__


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_network_classifies_and_is_made_again_from_json(name: str, channels: int) -> None:
    network = make_network(CONFIGS[name], 4, channels)
    assert isinstance(network, AdaptationNetwork) and network.training
    assert final_linear(network) is network.classifier
    again = build(**json.loads(json.dumps(factory_arguments(CONFIGS[name], 4, channels))))
    again.load_state_dict(network.state_dict())
    images = torch.randn(2, channels, 64, 64)
    with torch.no_grad():
        logits = network.eval()(images)
        assert logits.shape == (2, 4)
        assert torch.equal(again.eval()(images), logits)


def test_it_is_made_again_without_its_file_of_weights(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    torch.save(own_networks.Maps().state_dict(), file)
    config = BackboneConfig(name=f"{HERE}:Maps", weights=file, bottleneck=None)
    network = make_network(config, 4, 3)
    arguments = factory_arguments(config, 4, 3)
    file.unlink()
    again = build(**json.loads(json.dumps(arguments)))
    again.load_state_dict(network.state_dict())


def test_it_is_made_again_for_images_of_the_same_size() -> None:
    config = BackboneConfig(name=f"{HERE}:fixed_size")
    network = make_network(config, 4, 3, (10, 12))
    again = build(**json.loads(json.dumps(factory_arguments(config, 4, 3, (10, 12)))))
    again.load_state_dict(network.state_dict())


def test_a_file_of_code_is_found_again_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "moved.py").write_text(Path(own_networks.__file__).read_text())
    monkeypatch.chdir(tmp_path)
    arguments = factory_arguments(BackboneConfig(name="moved.py:Whole"), 4, 3)
    monkeypatch.chdir(tmp_path.parent)
    try:
        assert type(build(**json.loads(json.dumps(arguments)))).__name__ == "Whole"
    finally:
        del sys.modules["backbone_moved"]


def test_a_saved_run_makes_the_network_again(tmp_path: Path) -> None:
    config, normalization = CONFIGS["transformers resnet"], Normalization(kind="dsbn")
    network = convert_normalization(make_network(config, 2, 1), normalization).eval()
    row = Row(
        name="adapted",
        oracle_target_accuracy=None,
        source_accuracy=1,
        information=1,
        nuclear_norm=1,
        seconds=None,
    )
    record = RunRecord(
        factory="backbone",
        factory_arguments=factory_arguments(config, 2, 1),
        normalization=normalization,
        classes=["a", "b"],
        preprocessing=Preprocessing(mode="L", height=64, width=64, mean=(0.5,), std=(0.5,)),
        model="adapted",
        results=[row],
        config={},
        seed=0,
        fingerprints={},
    )
    save_run(tmp_path / "run", Run(network, record))
    images = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        assert torch.equal(load_run(tmp_path / "run").model(images), network(images))

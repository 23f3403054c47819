"""Records name networks by a registry, and records of earlier versions still load."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bundle.preprocessing import Preprocessing
from rn_model.backbones import BackboneConfig, build, factory_arguments, make_network
from rn_model.digits.digitnet import DigitNet
from rn_model.digits.lenet import LeNet
from rn_model.layers import convert_normalization
from rn_model.runs.factories import current_factory_name, find_factory
from rn_model.runs.record import RECORD, Run, RunRecord, load_run, save_run
from rn_model.runs.rows import Row
from rn_model.training.config import RunConfig
from rn_model.training.records.run_folder import CONFIG, claim
from tests.rn_model.backbones import own_networks

SMALL = {"size": 8, "width": 2, "bottleneck": 4}
X = torch.linspace(-1, 1, 2 * 64).view(2, 1, 8, 8)


def saved(path: Path, network: nn.Module, factory: str, arguments: dict[str, Any]) -> nn.Module:
    """Save a run whose record names the factory exactly as given; returns the saved model."""
    model = convert_normalization(network).eval()
    row = Row(
        name="rn",
        oracle_target_accuracy=None,
        source_accuracy=1,
        information=1,
        nuclear_norm=1,
        seconds=None,
    )
    record = RunRecord(
        factory="backbone",
        factory_arguments={},
        classes=["a", "b"],
        preprocessing=Preprocessing(mode="L", height=8, width=8, mean=(0.5,), std=(0.5,)),
        model="rn",
        results=[row],
        config={},
        seed=0,
        fingerprints={},
    )
    save_run(path, Run(model, record))
    written = json.loads((path / RECORD).read_text())
    written |= {"factory": factory, "factory_arguments": arguments}
    (path / RECORD).write_text(json.dumps(written))
    return model


@pytest.mark.parametrize(
    ("factory", "arguments", "network"),
    [
        ("rn_model.digits.network:DigitNet", {"num_classes": 2, **SMALL}, DigitNet),
        ("digits:digitnet", {"num_classes": 2, **SMALL}, DigitNet),
        ("digits:lenet", {"num_classes": 2, **SMALL}, LeNet),
    ],
)
def test_a_run_of_a_built_in_network_loads(
    tmp_path: Path, factory: str, arguments: dict[str, Any], network: type[nn.Module]
) -> None:
    model = saved(tmp_path / "run", network(**arguments), factory, arguments)
    loaded = load_run(tmp_path / "run")
    assert loaded.record.factory.startswith("digits:")
    assert torch.equal(loaded.model(X), model(X))


@pytest.mark.parametrize("factory", ["rn_model.backbones:build", "backbone"])
@pytest.mark.parametrize("backbone", ["rn_model.digits.lenet:LeNet", "digits:lenet"])
def test_a_run_of_a_configured_network_loads(tmp_path: Path, factory: str, backbone: str) -> None:
    arguments = {
        "backbone": {"name": backbone, "arguments": SMALL, "bottleneck": 256},
        "num_classes": 2,
        "channels": 1,
        "size": [8, 8],
    }
    model = saved(tmp_path / "run", LeNet(num_classes=2, **SMALL), factory, arguments)
    loaded = load_run(tmp_path / "run")
    assert loaded.record.factory == "backbone"
    assert torch.equal(loaded.model(X), model(X))


@pytest.mark.parametrize("form", ["module", "file"])
def test_networks_of_users_keep_their_form(tmp_path: Path, form: str) -> None:
    where = own_networks.__name__ if form == "module" else str(Path(own_networks.__file__))
    config = BackboneConfig(name=f"{where}:Whole")
    arguments = factory_arguments(config, 2, 1)
    backbone = arguments["backbone"]
    assert isinstance(backbone, dict)
    assert str(backbone["name"]).endswith(f"{Path(where).name}:Whole")
    saved(tmp_path / "run", make_network(config, 2, 1), "backbone", arguments)
    assert load_run(tmp_path / "run").record.factory_arguments == arguments


def test_factories_are_found_by_name() -> None:
    assert find_factory("backbone") is build
    assert find_factory("digits:lenet") is LeNet
    assert find_factory(f"{own_networks.__name__}:Whole") is own_networks.Whole
    assert current_factory_name("my.module:Net") == "my.module:Net"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "digits:alexnet",
            "unknown built-in network 'digits:alexnet'; choose from digits:digitnet, ",
        ),
        ("resnet", "unknown factory 'resnet'; choose from backbone"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_factory(name)


def test_an_unknown_built_in_network_of_a_configuration_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown built-in network 'digits:alexnet'"):
        make_network(BackboneConfig(name="digits:alexnet"), 2, 1)


def test_a_run_that_was_begun_with_an_earlier_name_is_resumed(tmp_path: Path) -> None:
    raw = {
        "name": "digits",
        "task": {
            "source": [{"built_in": "handwritten-digits"}],
            "target": {"built_in": "handwritten-digits"},
        },
        "preprocessing": {"mode": "L", "height": 8, "width": 8, "mean": [0.3], "std": [0.4]},
        "backbone": {"name": "rn_model.digits.network:DigitNet", "arguments": SMALL},
    }
    config = RunConfig.model_validate(raw)
    assert config.backbone.name == "digits:digitnet"
    out = tmp_path / "run"
    claim(out, config, resume=False)
    written = (out / CONFIG).read_text()
    (out / CONFIG).write_text(
        written.replace("digits:digitnet", "rn_model.digits.network:DigitNet")
    )
    (out / "result.json").write_text("{}")
    assert claim(out, config, resume=True) == ()
    other = config.model_copy(update={"backbone": BackboneConfig(name="digits:lenet")})
    with pytest.raises(ValueError, match=r"backbone\.name was \"digits:digitnet\""):
        claim(out, other, resume=True)

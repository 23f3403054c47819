"""``rn adapt`` with networks as people write them: right, or refused before any training."""

import shutil
from pathlib import Path

import pytest
import torch

from rn_model.runs.record import load_run
from tests.rn.calling import failure, rn
from tests.rn.commands import own
from tests.rn.commands.test_adapt import _written

HERE = own.__name__
MIXES = "layer 'n2' (BatchNorm2d) normalizes by the batch in training, but cannot be replaced, so"


@pytest.mark.filterwarnings("ignore:not converted")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            "Listed",
            "the forward pass of the network fails: BatchNorm 'n1' was replaced, but the network",
        ),
        ("Untracked", MIXES),
        (
            "Shared",
            "normalization layer 'n1' runs 2 times in a forward pass; use a separate layer for",
        ),
        (
            "Stateful",
            "_extra_state of the network is a dict, not a tensor, so it cannot be saved: keep",
        ),
        (
            "scripted",
            "the model is scripted (torch.jit), so its BatchNorm layers cannot be replaced:",
        ),
    ],
)
def test_a_network_that_cannot_be_adapted_is_refused_before_training(
    tmp_path: Path, network: str, message: str
) -> None:
    name, out = _written(tmp_path, backbone__name=f"{HERE}:{network}"), tmp_path / "run"
    for flags in (["--dry-run"], []):
        assert failure("adapt", name, "--out", out, *flags).startswith(message)
    assert not out.exists()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            "Forgetful",
            "computes something else after it was saved and loaded: keep everything that its",
        ),
        ("Choosy", "torch cannot trace the network: "),
    ],
)
def test_a_dry_run_saves_loads_and_exports(tmp_path: Path, network: str, message: str) -> None:
    name = _written(tmp_path, backbone__name=f"{HERE}:{network}")
    assert message in failure("adapt", name, "--dry-run")


def test_tied_weights_are_adapted_saved_and_loaded(tmp_path: Path) -> None:
    name, out = _written(tmp_path, backbone__name=f"{HERE}:Tied"), tmp_path / "run"
    dry = rn("adapt", name, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert (
        "# network: converted, trained for one step, saved and loaded, and exported\n" in dry.output
    )
    result = rn("adapt", name, "--out", out)
    assert result.exit_code == 0, result.output
    network = load_run(out).model
    assert network.get_parameter("two.weight") is network.get_parameter("three.weight")
    assert network.get_submodule("fc") is network.get_submodule("head")
    assert torch.isfinite(network(torch.zeros(2, 1, 8, 8))).all()


def test_a_relative_file_of_a_network_begins_at_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir()
    elsewhere.mkdir()
    shutil.copy(own.__file__, project / "net.py")
    name = _written(project, backbone__name="net.py:Net")
    monkeypatch.chdir(elsewhere)
    result = rn("adapt", name, "--out", project / "run", "--steps", "1")
    assert result.exit_code == 0, result.output
    assert load_run(project / "run").record.factory_arguments["backbone"]["name"] == (  # type: ignore[index,call-overload]
        f"{(project / 'net.py').resolve()}:Net"
    )
    # A flag is written where the command runs.
    shutil.copy(own.__file__, elsewhere / "flag.py")
    result = rn("adapt", name, "--dry-run", "--backbone", "flag.py:Net")
    assert result.exit_code == 0, result.output
    assert "there is no file" in failure("adapt", name, "--dry-run", "--backbone", "net.py:Net")

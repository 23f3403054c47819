import hashlib
import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bundle.preprocessing import Preprocessing
from rn_model.layers import Normalization, NormalizationName, convert_normalization
from rn_model.layers.domain_norm import set_branch
from rn_model.layers.domains import DOMAINS
from rn_model.runs.record import Run, RunRecord, fingerprint, load_run, save_run
from rn_model.runs.rows import Row
from tests.networks import shake

X = torch.linspace(-1, 1, 30).view(10, 3)


class Factory(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 2))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits


def not_a_network() -> int:
    return 3


def _row(name: str) -> Row:
    return Row(
        name=name,
        oracle_target_accuracy=0.5,
        source_accuracy=0.9,
        information=0.4,
        nuclear_norm=0.6,
        seconds=1.0,
    )


def _record(name: str = "RN", factory: str = "Factory") -> RunRecord:
    return RunRecord(
        factory=f"{__name__}:{factory}",
        factory_arguments={"width": 4} if factory == "Factory" else {},
        classes=["a", "b"],
        preprocessing=Preprocessing(mode="L", height=3, width=1, mean=(0.5,), std=(0.5,)),
        model=name,
        results=[_row("source only"), _row("RN")],
        config={"steps": 3},
        seed=7,
        fingerprints={"source": "00"},
    )


def _run(seed: int, name: str = "RN") -> Run:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = convert_normalization(Factory(width=4))
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.uniform_(0.5, 1)
    return Run(model.eval(), _record(name))


def test_a_run_comes_back_as_it_went(tmp_path: Path) -> None:
    run, part = _run(1), _run(2, "source only")
    save_run(tmp_path / "run", run, {"source_only": part})
    for saved, path in ((run, tmp_path / "run"), (part, tmp_path / "run" / "source_only")):
        loaded = load_run(path)
        assert not loaded.model.training
        assert torch.equal(loaded.model(X), saved.model(X))
        assert loaded.classes == ["a", "b"]
        assert loaded.preprocessing == saved.preprocessing
        assert loaded.config == {"steps": 3}
        assert loaded.metrics == saved.metrics
        assert loaded.record.seed == 7
    assert not torch.equal(run.model(X), part.model(X))


@pytest.mark.parametrize("kind", get_args(NormalizationName))
def test_every_normalization_comes_back(tmp_path: Path, kind: NormalizationName) -> None:
    normalization = Normalization(kind=kind, correlation_scale=2.0, groups=2)
    model = convert_normalization(Factory(width=4), normalization)
    shake(model)
    record = _record().model_copy(update={"normalization": normalization})
    save_run(tmp_path / "run", Run(model.eval(), record))
    loaded = load_run(tmp_path / "run")
    assert loaded.record.normalization == normalization
    for branch in DOMAINS:
        set_branch(model, branch)
        set_branch(loaded.model, branch)
        assert torch.equal(loaded.model(X), model(X))


def test_loading_leaves_the_random_state_alone(tmp_path: Path) -> None:
    save_run(tmp_path / "run", _run(1))
    state = torch.get_rng_state()
    load_run(tmp_path / "run")
    assert torch.equal(state, torch.get_rng_state())


def test_a_run_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "run"
    save_run(path, _run(1), {"source_only": _run(2)})
    save_run(path, _run(3))
    assert sorted(file.name for file in path.iterdir()) == ["model.safetensors", "run.json"]
    assert torch.equal(load_run(path).model(X), _run(3).model(X))
    assert [item.name for item in tmp_path.iterdir()] == ["run"]


def test_a_failed_save_leaves_the_old_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run"
    save_run(path, _run(1))

    def fail(*args: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("rn_model.runs.record.encode_tensors", fail)
        with pytest.raises(OSError, match="disk full"):
            save_run(path, _run(2))
    assert torch.equal(load_run(path).model(X), _run(1).model(X))
    assert [item.name for item in tmp_path.iterdir()] == ["run"]


def test_a_failed_swap_puts_the_old_run_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    save_run(path, _run(1))
    rename, failures = Path.rename, iter([OSError("no permission")])

    def fail_on_the_new_one(self: Path, target: Path) -> Path:
        if target == path and (error := next(failures, None)):
            raise error
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail_on_the_new_one)
        with pytest.raises(OSError, match="no permission"):
            save_run(path, _run(2))
    assert torch.equal(load_run(path).model(X), _run(1).model(X))


def test_what_is_not_a_run_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="is not the directory of a run"):
        save_run(tmp_path, _run(1))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("name", ["run.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    save_run(tmp_path / "run", _run(1))
    (tmp_path / "run" / name).unlink()
    with pytest.raises(ValueError, match=f"{name} is missing"):
        load_run(tmp_path / "run")


def test_one_changed_byte_of_the_weights_is_noticed(tmp_path: Path) -> None:
    save_run(tmp_path / "run", _run(1))
    weights = tmp_path / "run" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match="SHA-256"):
        load_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"classes": ["a"]}, "classes"),
        ({"surprise": 1}, "surprise"),
        ({"factory": "rn_model"}, "factory"),
        ({"factory": "no_such_module:f"}, "cannot make the network"),
        ({"factory": "rn_model:no_such_name"}, "cannot make the network"),
        ({"factory": f"{__name__}:not_a_network", "factory_arguments": {}}, "returned a int"),
        ({"factory_arguments": {"depth": 3}}, "cannot make the network"),
        ({"factory_arguments": {"width": 5}}, "does not fit"),
        ({"model": "BN"}, "no row for the model 'BN'"),
    ],
)
def test_a_bad_record_is_one_clear_line(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    save_run(tmp_path / "run", _run(1))
    record = tmp_path / "run" / "run.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | change))
    with pytest.raises(ValueError, match=message) as caught:
        load_run(tmp_path / "run")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]"])
def test_a_damaged_record_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    save_run(tmp_path / "run", _run(1))
    (tmp_path / "run" / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"run\.json is damaged") as caught:
        load_run(tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_weights_that_are_no_weights_do_not_fit(tmp_path: Path) -> None:
    save_run(tmp_path / "run", _run(1))
    weights = tmp_path / "run" / "model.safetensors"
    state = load_file(weights)
    state.pop("layers.0.bias")
    save_file(state, weights)
    record = tmp_path / "run" / "run.json"
    content = json.loads(record.read_text())
    content["weights_sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    record.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"does not fit.*layers\.0\.bias"):
        load_run(tmp_path / "run")


def test_fingerprints_see_values_and_shape() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 3, 4, 1)
    assert fingerprint(pixels) == fingerprint(pixels.copy())
    assert fingerprint(pixels) != fingerprint(pixels + np.uint8(1))
    assert fingerprint(pixels) != fingerprint(pixels.reshape(1, 4, 3, 1))


def test_target_images_round_trip_and_damage_is_refused(tmp_path: Path) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 4, 3, 1)
    run = _run(0)
    record = run.record.model_copy(update={"fingerprints": {"target": fingerprint(images)}})
    save_run(tmp_path / "run", Run(run.model, record, images))
    loaded = load_run(tmp_path / "run")
    assert loaded.target is not None
    assert np.array_equal(loaded.target, images)

    np.savez(tmp_path / "run" / "target.npz", images=images + 1)
    with pytest.raises(ValueError, match=r"target\.npz is damaged"):
        load_run(tmp_path / "run")
    (tmp_path / "run" / "target.npz").write_bytes(b"PK\3\4")
    with pytest.raises(ValueError, match=r"target\.npz is damaged"):
        load_run(tmp_path / "run")

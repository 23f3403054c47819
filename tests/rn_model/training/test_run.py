"""Whole runs on a small scale: what they write, and what influences them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from rn_model.data import open_task
from rn_model.data.tensors import to_input
from rn_model.layers.domain_norm import domain_norms, set_branch
from rn_model.report.run_files import read_run
from rn_model.report.sections.embedding import embedding_charts
from rn_model.runs.record import WEIGHTS, load_run
from rn_model.training.config import RunConfig
from rn_model.training.records.artifacts import EVALUATION, LAYERS, SOURCE_ONLY_FOLDER
from rn_model.training.records.run_folder import CONFIG
from rn_model.training.records.source_weights import SOURCE_WEIGHTS
from rn_model.training.result import FILE as RESULT
from rn_model.training.result import Result
from rn_model.training.run import train, train_source
from tests.rn_model.data.pictures import class_folders, flat_folder
from tests.rn_model.training.running import (
    CLASSES,
    SIZE,
    config,
    history,
    tiny,
    trained,
    weights,
    write_arrays,
)

KINDS = ("bn", "adabn", "autodial", "dsbn", "transnorm", "rn")
OBJECTIVES: tuple[tuple[str, ...], ...] = ((), ("shot",), ("cdan+e", "mcc", "bnm"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Path, Result]:
    """A run with a test set; tests must not change it."""
    folder = tmp_path_factory.mktemp("run")
    write_arrays(folder / "test.npz", 31, seed=5, shift=40)
    raw = tiny(folder, task__test={"path": str(folder / "test.npz")})
    result = trained(raw, folder / "run")
    return config(raw), folder / "run", result


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("objectives", OBJECTIVES, ids="+".join)
def test_every_normalization_combines_with_every_objective(
    kind: str, objectives: tuple[str, ...], tmp_path: Path
) -> None:
    raw = tiny(tmp_path, normalization__kind=kind, objectives=[{"name": n} for n in objectives])
    raw["training"].update(source_steps=1, steps=2)
    result = trained(raw, tmp_path / "run")
    assert (result.normalization.kind, result.objectives) == (kind, objectives)
    losses = [
        e for e in history(tmp_path / "run") if e["kind"] == "train" and e["stage"] == "adapt"
    ]
    names = objectives if "shot" in objectives else ("cross_entropy", *objectives)
    assert [tuple(entry["losses"]) for entry in losses] == [names] * 2
    assert load_run(tmp_path / "run").record.normalization.kind == kind


def test_the_files_of_a_run(run: tuple[RunConfig, Path, Result]) -> None:
    own, out, result = run
    names = {path.name for path in out.iterdir()}
    assert names == {
        *(CONFIG, "checkpoint.pt", "history.jsonl", RESULT, WEIGHTS, "run.json", "target.npz"),
        *(EVALUATION, LAYERS, SOURCE_ONLY_FOLDER, SOURCE_WEIGHTS),
    }
    assert RunConfig.model_validate(yaml.safe_load((out / CONFIG).read_text())) == own
    assert Result.read(out) == result
    layers = json.loads((out / LAYERS).read_text())
    assert [layer["name"] for layer in layers] == ["norm", "hidden_norm"]


def test_a_loaded_run_predicts_what_was_reported(run: tuple[RunConfig, Path, Result]) -> None:
    own, out, result = run
    task = open_task(own.task, own.preprocessing)
    assert task.test is not None
    pixels = torch.from_numpy(task.test.read(range(len(task.test))))
    with np.load(out / EVALUATION) as arrays:
        expected = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    for folder, accuracy in (
        (out / SOURCE_ONLY_FOLDER, None),
        (out, result.oracle_target_accuracy),
    ):
        loaded = load_run(folder)
        set_branch(loaded.model, "target")
        with torch.no_grad():
            logits = loaded.model(to_input(pixels, own.preprocessing))
        correct = (logits.argmax(dim=1) == expected["target_true"]).double().mean()
        assert float(correct) == (accuracy or loaded.metrics.oracle_target_accuracy)
    probability = torch.softmax(logits, dim=1)
    torch.testing.assert_close(probability, expected["target_probability"], rtol=1e-4, atol=1e-5)
    assert (
        loaded.metrics == result.row()
        and result.before == load_run(out / SOURCE_ONLY_FOLDER).metrics
    )


def test_the_arrays_for_the_report(run: tuple[RunConfig, Path, Result]) -> None:
    _, out, _ = run
    with np.load(out / EVALUATION) as arrays:
        shapes = {name: (arrays[name].shape, str(arrays[name].dtype)) for name in arrays.files}
    assert shapes == {
        **{f"{when}_source": ((47, 8), "float32") for when in ("before", "after")},
        **{f"{when}_target": ((47, 8), "float32") for when in ("before", "after")},
        **{f"{domain}_label": ((47,), "int64") for domain in ("source", "target")},
        "before_predicted": ((31,), "int64"),
        "before_probability": ((31, CLASSES), "float32"),
        "target_probability": ((31, CLASSES), "float32"),
        "target_true": ((31,), "int64"),
        "picture": ((20, SIZE, SIZE, 1), "uint8"),
        "picture_group": ((20,), "int64"),
        "picture_true": ((20,), "int64"),
        "picture_predicted": ((20,), "int64"),
        "picture_confidence": ((20,), "float64"),
    }


def test_before_and_after_are_of_the_same_images(tmp_path: Path) -> None:
    raw = tiny(tmp_path, training__evaluation_images=5, training__population_images=30)
    trained(raw, tmp_path / "run")
    with np.load(tmp_path / "run" / EVALUATION) as arrays:
        assert len(arrays["before_target"]) == len(arrays["after_target"]) == 30
        assert len(arrays["target_label"]) == len(arrays["before_source"]) == 30
    files = read_run(tmp_path / "run")
    assert len(embedding_charts(files.arrays, [])) == 4


def test_statistics_are_those_of_all_images(run: tuple[RunConfig, Path, Result]) -> None:
    _, out, _ = run
    adapted, first = load_run(out), load_run(out / SOURCE_ONLY_FOLDER)
    for _, layer in domain_norms(adapted.model):
        assert (int(layer.num_images_source), int(layer.num_images_target)) == (47, 47)
    for _, layer in domain_norms(first.model):
        assert torch.equal(layer.running("source").mean, layer.running("target").mean)
    assert "target target" not in {name.split("/")[0] for name in first.record.fingerprints}
    assert not any(name.startswith("target") for name in first.record.fingerprints)


def test_target_labels_decide_nothing(tmp_path: Path) -> None:
    raw = tiny(tmp_path, training__evaluate_every=1, training__patience=3)
    out = {name: tmp_path / name for name in ("true", "permuted", "hidden")}
    results = {"true": trained(raw, out["true"])}
    with np.load(tmp_path / "target.npz") as arrays:
        images, labels = arrays["images"], arrays["labels"]
    np.savez(tmp_path / "permuted.npz", images=images, labels=(labels + 1) % CLASSES)
    for name, target in (
        ("permuted", {"path": str(tmp_path / "permuted.npz")}),
        ("hidden", {"path": str(tmp_path / "target.npz"), "labels": False}),
    ):
        results[name] = trained({**raw, "task": {**raw["task"], "target": target}}, out[name])
    assert weights(out["true"]) == weights(out["permuted"]) == weights(out["hidden"])
    assert len({result.chosen_step for result in results.values()}) == 1
    assert results["true"].oracle_target_accuracy != results["permuted"].oracle_target_accuracy
    assert results["hidden"].oracle_target_accuracy is None
    assert results["hidden"].oracle_best_accuracy is None


def test_the_oracle_best_is_only_reported(tmp_path: Path) -> None:
    result = trained(tiny(tmp_path, training__evaluate_every=1), tmp_path / "run")
    seen = [
        entry["oracle_target_accuracy"]
        for entry in history(tmp_path / "run")
        if entry["kind"] == "evaluation" and entry["stage"] == "adapt"
    ]
    assert result.oracle_target_accuracy is not None
    assert result.oracle_best_accuracy == max(*seen, result.oracle_target_accuracy)


def test_a_seed_is_a_training(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        trained(tiny(tmp_path, seed=seed), tmp_path / name)
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")


def test_a_run_begins_with_the_source_training_of_another(tmp_path: Path) -> None:
    whole = trained(tiny(tmp_path), tmp_path / "whole")
    path = train_source(config(tiny(tmp_path, objectives=[])), tmp_path / "first")
    assert path.read_bytes() == (tmp_path / "whole" / SOURCE_WEIGHTS).read_bytes()
    started = train(config(tiny(tmp_path, start=path.name)), tmp_path / "second", base=path.parent)
    assert weights(tmp_path / "whole") == weights(tmp_path / "second")
    assert started.scores == whole.scores and started.before == whole.before
    assert {entry["stage"] for entry in history(tmp_path / "second")} == {"adapt"}
    written = path.stat().st_mtime_ns
    train_source(config(tiny(tmp_path, objectives=[])), tmp_path / "first", resume=True)
    assert path.stat().st_mtime_ns == written


def test_without_steps_on_the_source_the_adaptation_is_all(tmp_path: Path) -> None:
    result = trained(tiny(tmp_path, training__source_steps=0), tmp_path / "run")
    assert {entry["stage"] for entry in history(tmp_path / "run")} == {"adapt"}
    assert not (tmp_path / "run" / SOURCE_WEIGHTS).exists()
    assert result.before is not None and result.before.name == "source only"


def test_keeping_no_images_is_possible(tmp_path: Path) -> None:
    trained(tiny(tmp_path, keep_images=0), tmp_path / "none")
    assert not (tmp_path / "none" / "target.npz").exists()
    assert load_run(tmp_path / "none").target is None
    with np.load(tmp_path / "none" / EVALUATION) as arrays:
        assert "picture" not in arrays.files
    trained(tiny(tmp_path, keep_images=3), tmp_path / "some")
    target = load_run(tmp_path / "some").target
    assert target is not None and len(target) == 3


def test_several_sources_in_folders(tmp_path: Path) -> None:
    class_folders(tmp_path / "one", {"a": 8, "b": 8}, first=20)
    class_folders(tmp_path / "two", {"a": 6, "b": 7}, first=90)
    flat_folder(tmp_path / "target", 15)
    changes: dict[str, Any] = {"training__batch_size": 7, "training__workers": 1}
    raw = tiny(tmp_path, **changes)
    raw["task"] = {
        "source": [{"path": "one"}, {"path": "two", "name": "second"}],
        "target": {"path": "target"},
        "validation": 0.25,
    }
    result = train(config(raw), tmp_path / "run", base=tmp_path, tensorboard=False)
    assert result.classes == ("a", "b")
    assert result.oracle_target_accuracy is None
    prints = load_run(tmp_path / "run").record.fingerprints
    assert {"source one", "source second", "target target"} <= set(prints)


def test_random_views_leave_evaluation_alone(tmp_path: Path) -> None:
    views = {
        "source": {"crop": "random", "enlarge": 1.5, "flip": 0.5},
        "target": {"crop": "resized"},
    }
    still: dict[str, Any] = {"training__learning_rate": 1e-12, "training__keep": "last"}
    trained(tiny(tmp_path, augmentation=views, **still), tmp_path / "views")
    trained(tiny(tmp_path, **still), tmp_path / "plain")
    assert history(tmp_path / "views")[0]["loss"] != history(tmp_path / "plain")[0]["loss"]
    own, other = (load_file(tmp_path / name / WEIGHTS) for name in ("views", "plain"))
    for name, value in own.items():
        # The final pass uses the images without augmentation.
        torch.testing.assert_close(value, other[name], rtol=1e-4, atol=1e-5)

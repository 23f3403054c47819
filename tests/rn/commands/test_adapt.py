import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from bundle import Preprocessing, load_bundle
from rn_model.data import TaskConfig, open_task
from rn_model.recipes import recipe_names
from rn_model.runs.record import load_run
from tests.rn.calling import failure, rn
from tests.rn_model.data.pictures import class_folders, flat_folder
from tests.rn_model.training.running import tiny, trained

FEW = [
    *("--set", "task.source.0.count=60", "--set", "task.validation.count=30"),
    *("--set", "task.target.draw={count: 60}", "--set", "backbone.arguments.width=8"),
    *("--set", "training.source_steps=2", "--set", "training.batch_size=12", "--steps", "2"),
    *("--device", "cpu"),
]


def _written(folder: Path, **changes: object) -> str:
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(tiny(folder, **changes)))
    return str(path)


def _refused(arguments: Sequence[str]) -> str:
    return failure("adapt", *arguments)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The recipe that needs no data, in small: what the command printed, and its directory."""
    path = tmp_path_factory.mktemp("adapt") / "run"
    result = rn("adapt", "printed-digits", "--out", str(path), *FEW)
    assert result.exit_code == 0, result.output
    return result.output, path


def test_a_recipe_by_its_name(recipe: tuple[str, Path]) -> None:
    output, path = recipe
    run = load_run(path)
    assert run.classes == [str(digit) for digit in range(10)]
    assert run.record.normalization.kind == "rn"
    assert run.target is not None and len(run.target) == 60
    assert {"report.html", "history.jsonl", "tensorboard"} <= {p.name for p in path.iterdir()}
    # The table keeps to 80 columns: no title is broken into lines.
    # After two steps either network may be the better one.
    kept = r"^(rn\+mcc\+cdan\+e|target statistics) "
    assert re.search(kept, output, re.MULTILINE)
    assert "target accuracy" in output and "source only" in output
    assert "Target labels (if any) were used only to report accuracy." in output
    assert f"rn export {path} --out BUNDLE" in output


def test_what_was_adapted_is_exported(recipe: tuple[str, Path], tmp_path: Path) -> None:
    _, path = recipe
    result = rn("export", str(path), "--out", str(tmp_path / "bundle"))
    assert result.exit_code == 0, result.output
    bundle = load_bundle(tmp_path / "bundle")
    assert list(bundle.manifest.classes) == load_run(path).classes


def test_a_file_of_ones_own_and_flags_that_change_it(tmp_path: Path) -> None:
    name = _written(tmp_path, task__source={"path": "source.npz"})
    out = tmp_path / "run"
    flags = ["--normalization", "dsbn", "--objective", "bnm", "--objective", "mcc", "--seed", "4"]
    flags += ["--steps", "3", "--set", "training.source_steps=1", "--threads", "1"]
    result = rn("adapt", name, "--out", str(out), *flags)
    assert result.exit_code == 0, result.output
    found = json.loads((out / "result.json").read_text())
    assert (found["normalization"]["kind"], found["objectives"]) == ("dsbn", ["bnm", "mcc"])
    assert (found["seed"], found["steps"]) == (4, 3)
    assert "dsbn+bnm+mcc" in result.output


def test_dry_run_prints_the_settings_and_trains_nothing(tmp_path: Path) -> None:
    out = tmp_path / "run"
    flags = ["--dry-run", "--verbose", "--objective", "none"]
    result = rn("adapt", _written(tmp_path), "--out", str(out), *flags)
    assert result.exit_code == 0, result.output
    printed = yaml.safe_load(result.output)
    assert printed["training"]["steps"] == 6 and printed["objectives"] == []
    task = open_task(
        TaskConfig.model_validate(printed["task"]),
        Preprocessing.model_validate(printed["preprocessing"]),
    )
    assert f"# target {task.target.name}: 47 images" in result.output
    assert "# 3 classes: 0 (16), 1 (16), 2 (15)\n" in result.output
    assert re.search(
        r"^# .*StrikingNet: 0\.0 million parameters, 2 rn layers$", result.output, re.M
    )
    assert not out.exists()


def test_dry_run_prints_what_matters(tmp_path: Path) -> None:
    result = rn("adapt", _written(tmp_path), "--dry-run", "--set", "preprocessing.mode=L")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert len(lines) <= 20 and all(line.startswith("# ") for line in lines)
    assert "# objectives: mcc" in lines and lines[-1] == "# --verbose prints every setting"
    assert "# steps: 4 on the source, 6 on both domains, with 12 images of each" in lines


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folders of the recipe ``folders-small``."""
    class_folders(tmp_path / "data" / "source", {"Dog": 6, "cat": 6, "dog": 6})
    flat_folder(tmp_path / "data" / "target", 6)
    class_folders(tmp_path / "data" / "test", {"cat": 2})
    (tmp_path / "data" / "source" / "cat" / "notes.txt").touch()
    return tmp_path / "data"


def test_dry_run_names_what_is_seldom_meant(data: Path) -> None:
    output = rn("adapt", "folders-small", "--data", data, "--dry-run").output
    assert f"# skipped: {data / 'source'}: 1 file was passed over, of kind .txt" in output
    assert "# note: the classes Dog and dog are different classes" in output
    assert f"# note: {data / 'test'} is not used" in output
    assert "# 24 of 24 image files can be read\n" in output
    assert len(output.splitlines()) <= 20
    tested = rn("adapt", "folders-small", "--data", data, "--dry-run", "--target", "tested").output
    assert "is not used" not in tested and "# test tested test: 2 images" in tested


def test_dry_run_reads_the_images(data: Path) -> None:
    for number in range(6):
        (data / "target" / f"{number:03d}.png").write_bytes(b"broken")
    result = rn("adapt", "folders-small", "--data", data, "--dry-run")
    assert result.exit_code == 1
    assert result.stdout.count("# unreadable: image ") == 5
    assert "# ... and 1 more such lines" in result.stdout
    assert "# 18 of 24 image files can be read" in result.stdout
    assert "rn adapt: 6 image files cannot be read" in result.stderr
    skip = ["--set", "task.target.unreadable=skip"]
    line = failure("adapt", "folders-small", "--data", data, "--dry-run", *skip)
    assert "no images are left" in line


def test_dry_run_says_how_many_images_it_did_not_try(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rn.commands.dry_run.MAX_IMAGES", 10)
    output = rn("adapt", "folders-small", "--data", data, "--dry-run").output
    assert "# 10 of 10 image files can be read; 14 more were not tried" in output


def test_splits_are_not_classes(tmp_path: Path) -> None:
    for split in ("train", "val"):
        class_folders(tmp_path / "source" / split, {"cat": 2, "dog": 2})
    flat_folder(tmp_path / "target", 2)
    line = failure("adapt", "folders-small", "--data", tmp_path, "--dry-run")
    assert "is divided into train and val, which are not classes" in line
    assert f"set its path to {tmp_path / 'source' / 'train'}" in line


def test_dry_run_makes_the_network(tmp_path: Path) -> None:
    flags = ["--dry-run", "--backbone", "tests.rn_model.training.networks:NoNet"]
    assert "cannot find the network" in _refused([_written(tmp_path), *flags])


def test_dry_run_looks_at_the_images(tmp_path: Path) -> None:
    name = _written(tmp_path, task__target={"path": "nowhere"})
    assert _refused([name, "--dry-run"]) == f"folder not found: {tmp_path / 'nowhere'}"


def test_help_names_every_flag() -> None:
    result = rn("adapt", "--help")
    assert result.exit_code == 0
    for flag in ("--out", "--source", "--target", "--data", "--set", "--resume", "--dry-run"):
        assert flag in result.output


def test_what_is_refused_is_one_line(tmp_path: Path) -> None:
    name, out = _written(tmp_path), ["--out", str(tmp_path / "run")]
    for recipe_name in recipe_names():
        assert recipe_name in _refused(["nowhere"])
    assert "--set needs NAME=VALUE" in _refused([name, "--set", "steps"])
    assert "did you mean training?" in _refused([name, "--set", "trainin.steps=1"])
    assert "normalization.kind: Input should be 'bn'" in _refused([name, "--normalization", "in"])
    assert "is not a recipe with domains" in _refused([name, "--target", "other"])
    assert "choose from" in _refused(["printed-digits", "--target", "other"])
    assert "folder not found" in _refused([name, *out, "--set", "task.source.path=nowhere"])
    assert not (tmp_path / "run").exists()


def test_a_taken_directory_is_refused_before_training(tmp_path: Path) -> None:
    name, out = _written(tmp_path), tmp_path / "run"
    out.mkdir()
    (out / "notes.txt").touch()
    assert "is not the directory of a run" in _refused([name, "--out", str(out)])
    assert [path.name for path in out.iterdir()] == ["notes.txt"]


def test_a_run_is_resumed_with_its_own_settings_only(tmp_path: Path) -> None:
    name, out = _written(tmp_path), tmp_path / "run"
    trained(tiny(tmp_path), out)
    assert "already contains a run: resume it" in _refused([name, "--out", str(out)])
    message = _refused([name, "--out", str(out), "--resume", "--steps", "7"])
    assert message.endswith("training.steps was 6, now 7")

from pathlib import Path

import pytest
import yaml

from rn_model.training.errors import TrainingError
from rn_model.training.records.checkpoint import FILE as CHECKPOINT
from rn_model.training.records.run_folder import CONFIG, claim
from rn_model.training.result import FILE as RESULT
from tests.rn_model.training.running import config, tiny


def test_a_new_folder_gets_the_configuration(tmp_path: Path) -> None:
    own = config(tiny(tmp_path))
    claim(tmp_path / "deep" / "run", own, resume=False)
    written = yaml.safe_load((tmp_path / "deep" / "run" / CONFIG).read_text())
    assert config(written) == own


def test_an_empty_folder_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    claim(tmp_path / "run", config(tiny(tmp_path)), resume=False)
    assert (tmp_path / "run" / CONFIG).exists()


def test_only_the_same_run_may_use_its_directory(tmp_path: Path) -> None:
    out, own = tmp_path / "run", config(tiny(tmp_path))
    claim(out, own, resume=True)
    with pytest.raises(
        TrainingError, match="already contains a run: resume it, or use another directory"
    ):
        claim(out, own, resume=False)
    claim(out, own, resume=True)


def test_other_settings_are_named(tmp_path: Path) -> None:
    out = tmp_path / "run"
    claim(out, config(tiny(tmp_path)), resume=False)
    (out / CHECKPOINT).touch()
    other = config(tiny(tmp_path, training__steps=7, objectives=[]))
    with pytest.raises(TrainingError) as caught:
        claim(out, other, resume=True)
    assert "training.steps was 6, now 7" in str(caught.value)
    assert "objectives was [{" in str(caught.value)


def test_foreign_files_are_kept(tmp_path: Path) -> None:
    own = config(tiny(tmp_path))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").touch()
    (tmp_path / "file").touch()
    for path in (tmp_path / "notes", tmp_path / "file"):
        with pytest.raises(TrainingError, match="is not the directory of a run"):
            claim(path, own, resume=False)
    with pytest.raises(TrainingError, match=r"cannot write to .*: Not a directory"):
        claim(tmp_path / "file" / "run", own, resume=False)


def test_a_damaged_configuration_is_reported_on_one_line(tmp_path: Path) -> None:
    out, own = tmp_path / "run", config(tiny(tmp_path))
    claim(out, own, resume=False)
    (out / CONFIG).write_text("a: [b")
    with pytest.raises(TrainingError, match="is damaged"):
        claim(out, own, resume=True)


def _written(out: Path) -> object:
    return config(yaml.safe_load((out / CONFIG).read_text()))


def test_a_run_without_training_accepts_any_settings(tmp_path: Path) -> None:
    out, other = tmp_path / "run", config(tiny(tmp_path, training__steps=7))
    claim(out, config(tiny(tmp_path)), resume=False)
    with pytest.raises(TrainingError, match="already contains a run"):
        claim(out, other, resume=False)
    assert claim(out, other, resume=True) == ("training.steps was 6, now 7",)
    assert _written(out) == other


def test_amendable_settings_change_only_on_purpose(tmp_path: Path) -> None:
    out, name = tmp_path / "run", "training.learning_rate"
    own, other = config(tiny(tmp_path)), config(tiny(tmp_path, training__learning_rate=0.01))
    claim(out, own, resume=False)
    (out / CHECKPOINT).touch()
    with pytest.raises(TrainingError, match=rf"was 0.05, now 0.01; .* --set {name}=VALUE$"):
        claim(out, other, resume=True)
    assert _written(out) == own
    assert claim(out, other, resume=True, amended={name}) == (f"{name} was 0.05, now 0.01",)
    assert _written(out) == other


def test_settings_that_make_another_run_cannot_change(tmp_path: Path) -> None:
    out, own = tmp_path / "run", config(tiny(tmp_path))
    claim(out, own, resume=False)
    (out / CHECKPOINT).touch()
    with pytest.raises(TrainingError, match=r"seed was 0, now 1$"):
        claim(out, config(tiny(tmp_path, seed=1)), resume=True, amended={"seed"})
    (out / RESULT).touch()
    with pytest.raises(TrainingError, match=r"keep_images was 5, now 6$"):
        claim(out, config(tiny(tmp_path, keep_images=6)), resume=True, amended={"keep_images"})
    assert _written(out) == own

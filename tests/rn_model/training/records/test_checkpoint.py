from pathlib import Path

import pytest
import torch

from rn_model.training.errors import TrainingError
from rn_model.training.records.checkpoint import FILE, load_checkpoint, save_checkpoint


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path) is None
    for step in (1, 2):
        save_checkpoint(tmp_path, {"step": step, "network": {"weight": torch.full((3,), step)}})
    state = load_checkpoint(tmp_path)
    assert state is not None and state["step"] == 2
    assert torch.equal(state["network"]["weight"], torch.full((3,), 2))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("damage", ["empty", "cut", "garbage", "flipped", "text"])
def test_a_damaged_checkpoint_is_reported_on_one_line(tmp_path: Path, damage: str) -> None:
    save_checkpoint(tmp_path, {"network": torch.zeros(1000)})
    whole = (tmp_path / FILE).read_bytes()
    middle = len(whole) // 2
    content = {
        "empty": b"",
        "cut": whole[:middle],
        "garbage": bytes(range(256)) * 4,
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "text": b"hello\n",
    }[damage]
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(
        TrainingError, match=r"is damaged: delete it to start this run again"
    ) as caught:
        load_checkpoint(tmp_path)
    message = str(caught.value)
    assert "\n" not in message and "weights_only" not in message and len(message) < 400


def test_a_checkpoint_cannot_run_code(tmp_path: Path) -> None:
    torch.save({"step": Path}, tmp_path / FILE)
    with pytest.raises(TrainingError, match="is damaged"):
        load_checkpoint(tmp_path)


def test_a_missing_folder_is_reported_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"cannot write .*checkpoint\.pt: No such file"):
        save_checkpoint(tmp_path / "gone", {"step": 1})

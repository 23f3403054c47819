from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rn_model.compare.config import GridConfig
from rn_model.compare.findings.agreement import with_agreement
from rn_model.compare.findings.results import Finding
from rn_model.compare.findings.selection import label_free_selection
from rn_model.compare.findings.tables import make_tables
from rn_model.runs.rows import Row
from rn_model.training.records.artifacts import EVALUATION
from rn_model.training.result import SOURCE_ONLY
from tests.rn_model.compare.findings.synthetic import finding, result

GRID = GridConfig.model_validate(
    {
        "base": "digits",
        "tasks": [{"name": "a"}],
        "normalizations": ["bn", "rn"],
        "objectives": ["mcc"],
        "seeds": [0],
    }
)


def test_the_selection_uses_scores_and_not_labels() -> None:
    findings = [
        finding("a/rn/mcc/0", result(0.6, score=0.9)),
        finding("a/bn/mcc/0", result(0.8, score=0.4)),
        finding("a/rn/mcc/1", result(0.7, score=0.2)),
        finding("a/bn/mcc/1", result(0.9, score=0.3)),
        # Its score is the best, but it has forgotten the source.
        finding("a/bn/dann/1", result(0.1, score=1.0, source=0.5)),
        finding("other/bn/mcc/0", result(1.0, score=1.0)),
    ]
    choice = label_free_selection(findings, "a")
    assert choice is not None and choice.accuracy is not None and choice.best is not None
    assert choice.accuracy.mean == pytest.approx((0.6 + 0.9) / 2)
    assert choice.best.mean == pytest.approx((0.8 + 0.9) / 2)
    assert list(choice.regrets) == pytest.approx([0.2, 0])
    assert choice.names == {"rn/mcc": 1, "bn/mcc": 1}


def test_one_run_is_not_a_selection() -> None:
    assert label_free_selection([finding("a/rn/mcc/0", result(0.6))], "a") is None


def test_it_needs_no_labels() -> None:
    findings = [finding("a/rn/mcc/0", result(None, score=0.4)), finding("a/bn/mcc/0", result(None))]
    choice = label_free_selection(findings, "a")
    assert choice is not None
    assert choice.names == {"bn/mcc": 1}
    assert (choice.accuracy, choice.best, choice.regrets) == (None, None, ())
    assert choice.runs == {0: "a/bn/mcc/seed-0"}
    notes = make_tables(GRID, findings).notes
    assert "Selected with seed 0: a/bn/mcc/seed-0" in notes


def test_the_network_before_the_adaptation_is_a_candidate() -> None:
    before = Row(
        name=SOURCE_ONLY,
        oracle_target_accuracy=0.7,
        source_accuracy=0.9,
        information=0.6,
        nuclear_norm=0.6,
        seconds=None,
    )
    adapted = result(0.5, score=0.4).model_copy(update={"before": before})
    choice = label_free_selection([finding("a/rn/mcc/0", adapted)], "a")
    assert choice is not None
    assert choice.names == {SOURCE_ONLY: 1}
    assert choice.runs == {0: "a/rn/mcc/seed-0/source_only"}
    assert choice.regrets == (0,)


def test_a_certain_network_that_disagrees_with_the_others_is_not_trusted() -> None:
    certain = replace(finding("a/rn/mcc/0", result(0.3, score=0.8)), agreement=0.5)
    shared = replace(finding("a/bn/mcc/0", result(0.6, score=0.7)), agreement=0.9)
    trusted = label_free_selection([certain, shared], "a")
    scored = label_free_selection([certain, shared], "a", "score")
    assert trusted is not None and trusted.names == {"bn/mcc": 1}
    assert scored is not None and scored.names == {"rn/mcc": 1}
    assert list(scored.regrets) == pytest.approx([0.3])


def test_chance_of_few_validation_images_is_no_loss_of_the_source() -> None:
    def choice(images: int) -> set[str]:
        better = result(0.6, score=0.9, source=0.85).model_copy(
            update={"images": {"validation": images}}
        )
        found = [finding("a/rn/mcc/0", better), finding("a/bn/mcc/0", result(0.5, score=0.4))]
        selection = label_free_selection(found, "a")
        assert selection is not None
        return set(selection.names)

    assert choice(100) == {"rn/mcc"}
    assert choice(10_000) == {"bn/mcc"}


def _write(out: Path, found: Finding, before: list[int], after: list[int]) -> None:
    folder = out / found.key.path
    folder.mkdir(parents=True)
    eye = np.eye(3, dtype=np.float32)
    np.savez(folder / EVALUATION, before_probability=eye[before], target_probability=eye[after])


def test_agreement_is_with_all_networks_of_the_same_seed(tmp_path: Path) -> None:
    findings = [
        finding("a/rn/mcc/0", result(0.5)),
        finding("a/bn/mcc/0", result(0.5)),
        finding("a/rn/mcc/1", result(0.5)),
        finding("a/bn/mcc/1", None),
    ]
    _write(tmp_path, findings[0], [0, 0, 1, 1], [0, 0, 1, 2])
    _write(tmp_path, findings[1], [0, 0, 1, 1], [0, 1, 1, 2])
    _write(tmp_path, findings[2], [2, 2, 2, 2], [2, 2, 2, 2])
    found = with_agreement(findings, tmp_path)
    assert [f.agreement for f in found] == [1, 0.75, 1, None]
    assert [f.agreement_before for f in found] == [0.75, 0.75, 1, None]


def test_runs_without_predictions_have_no_agreement(tmp_path: Path) -> None:
    findings = [finding("a/rn/mcc/0", result(0.5)), finding("a/bn/mcc/0", result(0.5))]
    _write(tmp_path, findings[0], [0, 1], [0, 1])
    assert [f.agreement for f in with_agreement(findings, tmp_path)] == [None, None]


def test_damaged_predictions_are_named(tmp_path: Path) -> None:
    run = finding("a/rn/mcc/0", result(0.5))
    _write(tmp_path, run, [0, 1], [0, 1])
    (tmp_path / run.key.path / EVALUATION).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"evaluation\.npz is damaged"):
        with_agreement([run], tmp_path)

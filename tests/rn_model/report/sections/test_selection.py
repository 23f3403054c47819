from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rn_model.report.run_files import RunFiles
from rn_model.report.sections.selection import explain


def _files(
    adapt: list[tuple[int, float, float]],
    chosen: int | None,
    *,
    before: float | None = 0.95,
    keep: str = "best",
) -> RunFiles:
    """Evaluations as (step, both label-free scores, source accuracy)."""
    source = [] if before is None else [(100, 0.4, before)]
    entries: list[dict[str, Any]] = [
        {
            "kind": "evaluation",
            "stage": stage,
            "step": step,
            "information": score,
            "nuclear_norm": score,
            "source_accuracy": accuracy,
            "oracle_target_accuracy": None,
        }
        for stage, part in (("source", source), ("adapt", adapt))
        for step, score, accuracy in part
    ]
    result = {} if chosen is None else {"chosen_step": chosen}
    config = {"training": {"keep": keep}}
    return RunFiles(Path("run"), config=config, evaluations=tuple(entries), result=result)


def test_the_best_score_above_the_floor_is_the_reason() -> None:
    choice = explain(_files([(10, 0.6, 0.95), (20, 0.7, 0.94), (30, 0.9, 0.8)], 20))
    assert choice.step == 20
    assert choice.floor == pytest.approx(0.93)
    assert (
        "0.700" in choice.reason and "93.0%" in choice.reason and "3 evaluations" in choice.reason
    )
    assert [row.kept for row in choice.evaluations] == [False, True, False]
    assert [row.allowed for row in choice.evaluations] == [True, True, False]


def test_no_reason_is_invented_for_an_unexplained_selection() -> None:
    assert explain(_files([(10, 0.6, 0.95), (20, 0.7, 0.94)], 10)).reason == (
        "Selected without target labels."
    )
    assert "not in the history" in explain(_files([(10, 0.6, 0.95)], 7)).reason


def test_the_reason_mentions_when_no_evaluation_reaches_the_floor() -> None:
    assert (
        "none reached the minimum" in explain(_files([(10, 0.6, 0.5), (20, 0.5, 0.5)], 10)).reason
    )


def test_last_weights_unadapted_weights_and_unfinished_runs_have_their_own_reasons() -> None:
    evaluations = [(10, 0.6, 0.95), (20, 0.5, 0.95)]
    assert "last weights" in explain(_files(evaluations, 20, keep="last")).reason
    assert "before the adaptation" in explain(_files(evaluations, 0)).reason
    unfinished = explain(_files(evaluations, None))
    assert unfinished.step is None and "not finished" in unfinished.reason


def test_without_training_on_the_source_the_first_evaluation_sets_the_floor() -> None:
    assert explain(_files([(10, 0.6, 0.9)], 10, before=None)).floor == pytest.approx(0.88)
    assert explain(_files([], None, before=None)).floor is None


def test_the_floor_allows_for_chance_among_few_images() -> None:
    files = _files([(10, 0.9, 0.89)], 10, before=0.9)
    result = {**files.result, "images": {"validation": 200}}
    assert explain(replace(files, result=result)).floor == pytest.approx(0.85)
    config = {"training": {"evaluation_images": 50}}
    fewer = explain(replace(files, result=result, config=config)).floor
    assert fewer == pytest.approx(0.9 - 0.02 - 0.06)

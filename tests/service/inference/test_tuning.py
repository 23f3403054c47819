from pathlib import Path
from typing import Any

import pytest

from bundle import load_bundle
from bundle.runtime import threads_of
from service.inference.tuning import BATCHES, GPU_BATCH, MAX_THREADS, Plan, make_plan
from service.settings import Settings, available_processors

ALL = min(available_processors(), MAX_THREADS)


def plan_of(path: Path, **given: Any) -> Plan:
    return make_plan(load_bundle(path), Settings(bundle=path, **given))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"engine": "parallel"}, (1, 1, False)),
        ({"engine": "latency"}, (ALL, 1, False)),
        ({"engine": "batch"}, (ALL, GPU_BATCH, True)),
        ({"engine": "batch", "threads": 3, "max_batch": 5}, (3, 5, True)),
        ({"engine": "parallel", "threads": 3}, (3, 1, False)),
        ({"threads": 2, "max_batch": 7}, (2, 7, False)),
        ({"device": "cuda"}, (1, GPU_BATCH, True)),
    ],
)
def test_settings_overrule_the_measurement(
    bundle_path: Path, given: dict[str, Any], expected: tuple[int, int, bool]
) -> None:
    plan = plan_of(bundle_path, workers=6, **given)
    assert (plan.threads, plan.max_batch, plan.gathers) == expected
    assert plan.workers == 6
    assert str(plan).startswith("6 workers, ")


def test_a_tiny_network_is_measured_in_batches(bundle_path: Path) -> None:
    bundle = load_bundle(bundle_path)
    plan = make_plan(bundle, Settings(bundle=bundle_path))
    assert plan.workers == available_processors()
    assert plan.max_batch in (1, *BATCHES)
    assert "an image takes" in plan.why
    # The session that was measured is the one that serves.
    session = bundle.predictor.take()
    assert session is not None
    assert threads_of(session) == plan.threads


def test_a_set_batch_is_kept_when_threads_are_measured(bundle_path: Path) -> None:
    assert plan_of(bundle_path, max_batch=3).max_batch == 3

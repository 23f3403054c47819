from pathlib import Path
from typing import Any

import pytest
import yaml

from rn_model.compare.grid_file import grid_config, load_grid
from rn_model.compare.jobs import check_jobs, plan_jobs
from tests.rn_model.compare.grid import BASE, tiny_grid


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"set": {"training.stepz": 3}}, "task digits: training.stepz: unknown setting"),
        ({"base": "nothing"}, "nothing is neither a file nor a recipe"),
        ({"tasks": [{"name": "t", "target": "x"}]}, "task t: base: unknown domain 'x'"),
        (
            {
                "objectives": [
                    {"name": "two", "objectives": [{"name": "mcc"}], "set": {"training.steps": 0}}
                ]
            },
            "digits/bn/two/seed-0: training.steps: .*greater than or equal to 1",
        ),
    ],
)
def test_a_wrong_run_is_found_before_any_is_trained(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    grid = grid_config(tiny_grid(**changes), "tiny")
    with pytest.raises(ValueError, match=message) as caught:
        plan_jobs(grid, tmp_path)
    assert "\n" not in str(caught.value)


def test_every_cell_begins_with_the_source_of_its_task_and_seed(tmp_path: Path) -> None:
    grid = grid_config(tiny_grid(seeds=[0, 3], tasks=[{"name": "a"}, {"name": "b"}]), "tiny")
    jobs = plan_jobs(grid, tmp_path)
    cells = [job for job in jobs if job.kind == "cell"]
    assert len(cells) == 2 * 2 * 2 * 2 and len(jobs) - len(cells) == 4
    before: set[str] = set()
    for job in jobs:
        if job.kind == "source":
            assert job.config.objectives == () and job.config.normalization.kind == "bn"
            before.add(job.path)
            continue
        task, normalization, objective, seed = job.path.split("/")
        assert job.after == f"{task}/source/{seed}" and job.after in before
        assert job.config.start == tmp_path / job.after / "source.safetensors"
        assert f"seed-{job.config.seed}" == seed
        assert job.config.normalization.kind == normalization
        assert (job.config.objectives == ()) == (objective == "source-only")


def test_settings_reach_the_runs_that_they_are_for(tmp_path: Path) -> None:
    shot = {"name": "shot", "objectives": [{"name": "shot"}], "set": {"training.steps": 9}}
    grid = tiny_grid(
        set={"training.batch_size": 5, "training.source_steps": 7},
        tasks=[{"name": "a", "set": {"training.batch_size": 6}}, {"name": "b"}],
        objectives=["mcc", shot],
    )
    for job in plan_jobs(grid_config(grid, "tiny"), tmp_path):
        training = job.config.training
        assert training.batch_size == (6 if job.path.startswith("a/") else 5)
        assert training.source_steps == 7
        if job.kind == "cell":
            assert training.steps == (9 if "/shot/" in job.path else 3)


def test_without_training_on_the_source_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    grid = grid_config(tiny_grid(set={"training.source_steps": 0}), "tiny")
    jobs = plan_jobs(grid, tmp_path)
    assert {job.kind for job in jobs} == {"cell"}
    assert all(job.after is None and job.config.start is None for job in jobs)


def test_what_only_the_adaptation_needs_does_not_change_the_source(tmp_path: Path) -> None:
    def source(**settings: Any) -> object:
        grid = grid_config(tiny_grid(set=settings), "tiny")
        return plan_jobs(grid, tmp_path)[0].config

    assert source() == source(**{"training.steps": 100, "training.ramp": 0.5})
    assert source() != source(**{"training.learning_rate": 0.5})


def test_a_base_may_be_a_file_beside_the_grid(tmp_path: Path) -> None:
    recipe = {**BASE, "domains": {**BASE["domains"], "some": {"path": "pictures"}}}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(recipe))
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny_grid(base="base.yaml")))
    grid, base = load_grid(str(tmp_path / "tiny.yaml"))
    jobs = plan_jobs(grid, tmp_path / "out", base=base)
    assert jobs[0].config.task.source[0].path == str(tmp_path / "pictures")
    jobs = plan_jobs(grid, tmp_path / "out", base=base, data=tmp_path / "elsewhere")
    assert jobs[0].config.task.source[0].path == str(tmp_path / "elsewhere" / "pictures")


def test_a_whole_configuration_is_a_base_too(tmp_path: Path) -> None:
    digits = {"built_in": "handwritten-digits"}
    config = {key: BASE[key] for key in ("preprocessing", "backbone", "training")}
    config["task"] = {"source": digits, "target": {"path": "images"}}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(config))
    changed = {"name": "b", "set": {"task.target.path": "others"}}
    grid = grid_config(tiny_grid(base="base.yaml", tasks=[{"name": "a"}, changed]), "tiny")
    jobs = plan_jobs(grid, tmp_path / "out", base=tmp_path)
    assert {job.base for job in jobs} == {tmp_path}
    paths = {job.path[0]: job.config.task.target.path for job in jobs}
    assert paths == {"a": "images", "b": "others"}
    grid = grid_config(tiny_grid(base="base.yaml", tasks=[{"name": "a", "target": "x"}]), "tiny")
    with pytest.raises(ValueError, match=r"task a: base\.yaml is not a recipe with domains"):
        plan_jobs(grid, tmp_path / "out", base=tmp_path)


def test_missing_images_are_found_before_any_training(tmp_path: Path) -> None:
    task = {"name": "a", "set": {"task.target": {"path": "nowhere.npz"}}}
    grid = grid_config(tiny_grid(tasks=[task]), "tiny")
    jobs = plan_jobs(grid, tmp_path / "out", base=tmp_path)
    with pytest.raises(ValueError, match=r"nowhere\.npz"):
        check_jobs(jobs, tmp_path / "out")

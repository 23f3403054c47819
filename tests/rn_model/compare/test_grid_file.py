from pathlib import Path
from typing import Any

import pytest

from rn_model.compare.grid_file import grid_config, grid_names, load_grid
from rn_model.compare.jobs import plan_jobs
from tests.rn_model.compare.grid import tiny_grid


def test_names_alone_stand_for_kinds_and_objectives() -> None:
    grid = grid_config(tiny_grid(), "tiny")
    assert [entry.normalization().kind for entry in grid.normalizations] == ["bn", "rn"]
    assert [len(entry.objectives) for entry in grid.objectives] == [0, 1]


def test_options_of_a_normalization_are_those_of_a_run() -> None:
    entry = {"name": "rc-alone", "kind": "rn", "options": {"aggregation": False}}
    grid = grid_config(tiny_grid(normalizations=[entry]), "tiny")
    assert not grid.normalizations[0].normalization().aggregation


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"taks": []}, "tiny: taks: unknown setting"),
        ({"seeds": []}, "tiny: seeds: "),
        ({"normalizations": ["bm"]}, r"tiny: normalizations\.0\.kind: .*'transnorm'"),
        (
            {"normalizations": ["rn", "rn"]},
            "normalizations must be distinct, but contain 'rn' twice",
        ),
        ({"normalizations": [{"name": "source", "kind": "rn"}]}, "this folder is reserved"),
        ({"objectives": ["mmc"]}, r"tiny: objectives\.0\.objectives\.0\.name: .*'mcc'"),
        (
            {"objectives": [{"name": "../x", "objectives": []}]},
            "objectives.0.name: names become folders: [^;]*$",
        ),
        ({"tasks": [{"name": "plots"}]}, "this folder is reserved"),
        ({"base": None}, "task 'digits' has no base"),
        (
            {"normalizations": [{"name": "rn", "options": {"gates": 1}}]},
            "unknown setting|Extra inputs",
        ),
        (
            {"objectives": [{"name": "x", "objectives": [], "set": {"backbone.name": "y"}}]},
            "backbone.name cannot be set here",
        ),
    ],
)
def test_an_invalid_grid_is_reported_on_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        grid_config(tiny_grid(**changes), "tiny")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "- 1", "\xff"])
def test_a_file_without_a_grid_is_reported_on_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(
        ValueError, match=r"grid\.yaml (is not valid YAML|must be a mapping)"
    ) as caught:
        load_grid(str(path))
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_built_in_grids() -> None:
    with pytest.raises(
        ValueError, match="neither a file nor a grid; the grids are ablations, claim"
    ):
        load_grid("clam")


@pytest.mark.parametrize("name", grid_names())
def test_built_in_grids_are_valid(name: str, tmp_path: Path) -> None:
    grid, base = load_grid(name)
    jobs = plan_jobs(grid, tmp_path, base=base, data=tmp_path)
    cells = len(grid.normalizations) * len(grid.objectives) * len(grid.seeds)
    assert sum(job.kind == "cell" for job in jobs) == cells * len(grid.tasks)

"""A run and its bundle with both variants, made once."""

from pathlib import Path

import pytest

from tests.export.commands import rn_export
from tests.export.runs import write_small_run
from tests.networks import SMALL, random_images


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """:func:`tests.networks.small_model` as a run that kept 80 target images; not to be changed."""
    path = tmp_path_factory.mktemp("runs") / "small-run"
    write_small_run(path, random_images(SMALL, 80))
    return path


@pytest.fixture(scope="session")
def full_bundle(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of ``small_run`` with both variants; not to be changed."""
    path = tmp_path_factory.mktemp("bundles") / "full"
    result = rn_export(small_run, "--out", path, "--fp16", "--int8", "--max-loss", 0.2)
    assert result.exit_code == 0, result.output
    return path

"""A run and its bundle with both variants, made once."""

from pathlib import Path

import pytest

from tests.conftest import Keep


@pytest.fixture(scope="session")
def small_run(keep: Keep) -> Path:
    """:func:`tests.networks.small_model` as a run that kept 80 target images; not to be changed."""

    def save(path: Path) -> None:
        from tests.export.runs import write_small_run
        from tests.networks import SMALL, random_images

        write_small_run(path, random_images(SMALL, 80))

    return keep("small-run", save)


@pytest.fixture(scope="session")
def full_bundle(small_run: Path, keep: Keep) -> Path:
    """The bundle of ``small_run`` with both variants; not to be changed."""

    def export(path: Path) -> None:
        from tests.export.commands import rn_export

        result = rn_export(small_run, "--out", path, "--fp16", "--int8", "--max-loss", 0.2)
        assert result.exit_code == 0, result.output

    return keep("full", export)

"""What all tests share: one hypothesis profile, one thread per process, and bundles exported once."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.cache import made

# Processes that tests start add up in the same order as this one, and do not fight over processors.
# Read when a library with threads is first imported, so that no test module may come before it.
os.environ["OMP_NUM_THREADS"] = "1"

# How long an example takes depends on what else the machine does, so no test depends on it.
settings.register_profile(
    "tests", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")

# The longest files run first, so that no process is left alone with one of them at the end.
_LONGEST = ("test_readme.py", "test_tutorial.py", "test_families.py")

Keep = Callable[[str, Callable[[Path], None]], Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    items.sort(key=lambda item: item.path.name not in _LONGEST)


@pytest.fixture(scope="session")
def keep(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Keep:
    """Makes a directory, or copies it from a cache that workers and later runs share."""
    folder = pytestconfig.rootpath / ".pytest_cache" / "made"

    def kept(name: str, make: Callable[[Path], None]) -> Path:
        return made(folder, name, make, tmp_path_factory.mktemp("made") / name)

    return kept


@pytest.fixture(scope="session")
def small_bundle(keep: Keep) -> Path:
    """:func:`tests.networks.small_model` with input profile and sample images; not to be changed."""

    def export(path: Path) -> None:
        from export import export_bundle
        from tests.networks import SMALL, random_images, small_model

        export_bundle(small_model(), path, SMALL, images=random_images(SMALL, 300))

    return keep("small", export)


@pytest.fixture(scope="session")
def wide_bundle(keep: Keep) -> Path:
    """:func:`tests.networks.wide_model` without images; not to be changed."""

    def export(path: Path) -> None:
        from export import export_bundle
        from tests.networks import WIDE, wide_model

        export_bundle(wide_model(), path, WIDE)

    return keep("wide", export)


@pytest.fixture(autouse=True)
def _logging_stays_as_it_was() -> Iterator[None]:
    """Commands that run in this process configure the log, which the next test listens to."""
    loggers = [logging.getLogger(name) for name in (None, "service", "rn", "uvicorn")]
    kept = [(each.handlers[:], each.level, each.propagate) for each in loggers]
    yield
    for each, (handlers, level, propagate) in zip(loggers, kept, strict=True):
        each.handlers[:], each.propagate = handlers, propagate
        each.setLevel(level)
    logging.captureWarnings(False)

"""The same checkpoint gives the same bytes in every process."""

import os
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import sys
from pathlib import Path
import torch
from export import export_bundle
from tests.networks import SMALL, random_images, small_model
torch.set_num_threads(1)
export_bundle(small_model(), Path(sys.argv[1]), SMALL, images=random_images(SMALL, 300))
"""


def test_processes_with_other_hashes_write_the_same_bytes(
    small_bundle: Path, tmp_path: Path
) -> None:
    for seed in ("1", "2"):
        path = tmp_path / seed
        subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            check=True,
        )
        assert sorted(file.name for file in path.iterdir()) == sorted(
            file.name for file in small_bundle.iterdir()
        )
        for file in small_bundle.iterdir():
            assert (path / file.name).read_bytes() == file.read_bytes(), file.name

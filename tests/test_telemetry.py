"""Nothing that belongs to this project reports to anybody: no file at home, no name looked up."""

import ast
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from bundle import NO_TELEMETRY
from tests.networks import SMALL, SmallNet, random_images, trained_net
from tests.service.conftest import bundle_path as bundle_path
from tests.service.pictures import NPY, npy
from tests.service.processes import RN, Process, client, environment

ROOT = Path(__file__).parents[1]
PACKAGES = ("bench", "export", "rn", "rn_model", "scripts", "service", "tests")
# Where one of these is set, ONNX Runtime sends nothing, and the tests would not notice that it could.
_QUIET = (
    *("CI", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "TRAVIS", "JENKINS_URL"),
    *(
        "APPVEYOR",
        "BUILD_ID",
        "BUILDKITE",
        "CODEBUILD_BUILD_ID",
        "JENKINS_HOME",
        "TEAMCITY_VERSION",
    ),
    *("ORT_RUNNING_UNIT_TESTS", "PYTEST_CURRENT_TEST", *NO_TELEMETRY),
)

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_switches_telemetry_off_before_it_imports_others(package: str) -> None:
    tree = ast.parse((ROOT / package / "__init__.py").read_text())
    imported = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [n.module if isinstance(n, ast.ImportFrom) else n.names[0].name for n in imported]
    others = [
        name for name in names if name and name.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert others[0] == "bundle"


def test_every_package_is_covered() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found == {*PACKAGES, "bundle"}


class Watched:
    """A home directory, and what programs that have it do to it and ask of the network."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "calls"
        self._home = folder / "home"
        self._home.mkdir()
        calls = "trace=connect,sendto,sendmsg,sendmmsg"
        self.command = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", calls, "-o", str(self._log))

    def environment(self) -> dict[str, str]:
        """An environment that asks for telemetry, as far as it can."""
        kept = {name: value for name, value in environment().items() if name not in _QUIET}
        kept = {name: value for name, value in kept.items() if not name.startswith("XDG_")}
        asking = {"ORT_DISABLE_TELEMETRY": "0", "PYTHONPATH": str(ROOT)}
        return {**kept, "HOME": str(self._home), **asking}

    def run(self, *command: str, allowed: Sequence[int] = (0,)) -> None:
        """Run a program to its end, and check its status."""
        done = subprocess.run(
            (*self.command, *command),
            env=self.environment(),
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in allowed, done.stderr

    def found(self) -> list[str]:
        """Files that appeared at home, and calls that reach beyond this machine."""
        files = [str(path) for path in self._home.rglob("*")]
        lines = [line for line in self._log.read_text().splitlines() if "AF_INET" in line]
        # The resolver of names may be on this machine too.
        local = re.compile(r'sin6?_port=htons\((?!53\)).*("127\.|"::1")')
        return files + [line for line in lines if not local.search(line)]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """An empty home in a folder of its own."""
    folder = tmp_path / "watched"
    folder.mkdir()
    return Watched(folder)


@needs_strace
@pytest.mark.parametrize(
    "code",
    [
        "from pathlib import Path; (Path.home() / 'id').touch()",
        "import contextlib, socket\nwith contextlib.suppress(OSError): socket.getaddrinfo('a.invalid', 1)",
    ],
)
def test_files_and_look_ups_would_be_found(watched: Watched, code: str) -> None:
    watched.run(sys.executable, "-c", code)
    assert watched.found()


@needs_strace
@pytest.mark.parametrize("package", ["bundle", "rn", "service"])
def test_a_package_imported_before_onnx_runtime(watched: Watched, package: str) -> None:
    watched.run(sys.executable, "-c", f"import {package}, onnxruntime, onnxruntime.quantization")
    assert not watched.found()


@needs_strace
def test_loading_a_bundle(watched: Watched, bundle_path: Path) -> None:
    code = "from pathlib import Path; from bundle import load_bundle; load_bundle(Path({!r}))"
    watched.run(sys.executable, "-c", code.format(str(bundle_path)))
    assert not watched.found()


@needs_strace
def test_the_doctor(watched: Watched, bundle_path: Path) -> None:
    watched.run(*RN, "doctor", "--bundle", str(bundle_path), allowed=(0, 1))
    assert not watched.found()


@needs_strace
def test_an_export(watched: Watched, tmp_path: Path) -> None:
    weights, contract, classes = (
        tmp_path / name for name in ("weights.pth", "own.json", "classes.txt")
    )
    classes.write_text("left\nright\nnone\n")
    torch.save(trained_net().state_dict(), weights)
    contract.write_text(SMALL.preprocessing.model_dump_json())
    # MLflow reports to its makers too.
    layout = ("--layout", "mlflow")
    name = f"{SmallNet.__module__}:SmallNet"
    options = ("--classes", str(classes), "--preprocessing", str(contract), "--out", "made")
    watched.run(*RN, "export", str(weights), "--backbone", name, *options, *layout)
    assert not watched.found()


@needs_strace
def test_the_service(watched: Watched, bundle_path: Path, tmp_path: Path) -> None:
    command = (*watched.command, *RN, "serve", str(bundle_path), "--port", "0")
    given = {"RN_LEDGER": f"sqlite:///{tmp_path}/ledger.sqlite"}
    process = Process(command, {**watched.environment(), **given}, tmp_path)
    with client(process) as http:
        answer = http.post("/predict", content=npy(random_images(SMALL, 2)), headers=NPY)
        assert answer.status_code == 200, answer.text
    process.signal_child(signal.SIGTERM)
    assert process.exit_code() == 0
    assert not watched.found()

"""The installed program: what the wheel contains, and what each command needs besides it."""

import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from rn.table import COMMANDS
from tests.rn.installation import PACKAGES, PROJECT, ROOT, Installation, install
from tests.service.pictures import NPY, noise, npy
from tests.service.processes import client, started

ABSENT = ("torch", "sklearn", "scipy", "matplotlib", "onnxscript", "pytest", "hypothesis")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return install(tmp_path_factory.mktemp("installed"))


def test_the_wheel_contains_every_file_of_every_package(installed: Installation) -> None:
    sources = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(installed.wheel) as archive:
        names = set(archive.namelist())
    assert {f"{package}/py.typed" for package in PACKAGES} <= sources
    assert {name for name in names if ".dist-info/" not in name} == sources


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_no_extra(command: str, installed: Installation) -> None:
    result = installed.run(command, "--help")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"Usage: rn {command} ")
    assert COMMANDS[command].help in result.stdout


def test_the_program_describes_itself(installed: Installation) -> None:
    listed = installed.run("--help").stdout
    for name, entry in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(entry.help)}$", listed, re.M), name
    assert installed.run("--version").stdout == f"{PROJECT['version']}\n"
    python = str(installed.folder / "bin" / "python")
    assert installed.execute(python, "-m", "rn", "--help").stdout == listed


def test_bash_completes_commands(installed: Installation) -> None:
    script = (
        f'PATH={installed.folder / "bin"}:$PATH; eval "$(rn --show-completion)";'
        ' COMP_WORDS=(rn insp); COMP_CWORD=1; _rn_completion rn; echo "${COMPREPLY[@]}"'
    )
    result = installed.execute("bash", "-c", script)
    assert result.stdout == "inspect\n", result.stderr


ARGUMENTS = {
    "compare": ("claim", "--out", "out"),
    "report": ("run",),
    "export": ("run", "--out", "bundle"),
    "inspect": ("bundle",),
    "diff": ("one", "other"),
    "replay": ("bundle", "stream"),
    "sign": ("bundle", "--key", "key.pem"),
    "serve": ("bundle",),
    "predict": ("image.png",),
    "submit": (".",),
    "promote": ("1",),
    "observe": (".", "--bundle", "bundle", "--out", "out"),
    "submit-moments": ("image.png",),
}


@pytest.mark.parametrize("command", [name for name, entry in COMMANDS.items() if entry.extras])
def test_a_missing_extra_is_named_in_one_line(
    command: str, installed: Installation, tmp_path: Path
) -> None:
    (tmp_path / "image.png").touch()
    result = installed.run(command, *ARGUMENTS.get(command, ()), folder=tmp_path)
    entry = COMMANDS[command]
    assert (result.returncode, result.stdout) == (entry.trouble, "")
    extras = ",".join(entry.extras)
    line = rf"rn {command} needs \w+: {re.escape(installed.hint(extras))}\n"
    assert re.fullmatch(line, result.stderr), result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"image.png"}


def test_the_doctor_names_what_is_missing(installed: Installation) -> None:
    result = installed.run("doctor")
    assert (result.returncode, result.stderr) == (1, "")
    assert f"FAIL no ONNX Runtime: {installed.hint('cpu')}" in result.stdout
    (line,) = [
        line for line in result.stdout.splitlines() if "torch" in line and "timm" not in line
    ]
    assert line.endswith(f", rn compare and rn export: {installed.hint('train')}")
    assert installed.hint("heif") in result.stdout
    assert "FAIL no ONNX" in result.stdout and result.stdout.count("FAIL") == 1


def test_nothing_but_the_extra_is_there(installed: Installation) -> None:
    python = str(installed.folder / "bin" / "python")
    code = f"from importlib.util import find_spec; print([n for n in {ABSENT} if find_spec(n)])"
    assert installed.execute(python, "-c", code, extras=["cpu"]).stdout == "[]\n"


def test_the_service_works_without_torch(
    installed: Installation, bundle_path: Path, tmp_path: Path
) -> None:
    settings = {"RN_COMMIT_EVERY": "8", "PYTHONPATH": str(installed.dependencies("cpu"))}
    with started(bundle_path, tmp_path, installed.command, **settings) as process:
        with client(process) as http:
            answer = http.post("/predict", content=npy(noise(3)), headers=NPY)
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["predictions"]) == 3
            answer = http.post("/adapt", content=npy(noise(8)), headers=NPY)
            assert answer.status_code == 200, answer.text
            assert answer.json()["committed"]["number"] == 1
            assert http.get("/openapi.json").status_code == 200
            assert http.get("/metrics").status_code == 200
        # What talks to a service needs no ONNX Runtime.
        result = installed.run("versions", "--url", process.url, extras=["service"])
        assert result.returncode == 0 and "0 images pending" in result.stdout, result.stderr
        process.terminate()
        assert process.exit_code() == 0


def test_bundles_are_read_without_torch(
    installed: Installation, bundle_path: Path, tmp_path: Path
) -> None:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return installed.run(*arguments, extras=["cpu"], folder=tmp_path)

    bundle = str(bundle_path)
    result = run("inspect", bundle)
    assert result.returncode == 0 and "2 normalization layers" in result.stdout, result.stderr
    result = run("diff", bundle, bundle)
    assert (result.returncode, result.stdout) == (0, "no differences\n"), result.stderr
    result = run("sign", bundle, "--key", "absent")
    assert result.returncode == 1 and result.stderr.startswith("rn sign: cannot read"), (
        result.stderr
    )
    result = run("export", bundle, "--layout", "triton", "--out", "models")
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "models").glob("*/1/model.onnx"))) == 1
    result = run("export", bundle, "--layout", "mlflow", "--out", "model")
    assert result.returncode == 1
    assert result.stderr == (
        f"rn export: the layout mlflow needs mlflow and pandas: {installed.hint('cpu', 'mlflow')}\n"
    )


def test_training_needs_no_runtime(installed: Installation, tmp_path: Path) -> None:
    result = installed.run(
        *("adapt", "printed-digits", "--dry-run", "--set", "task.source.0.count=20"),
        *("--set", "task.target.draw={count: 20}", "--set", "task.validation.count=10"),
        extras=["train"],
        folder=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert "# source printed: 20 images" in result.stdout

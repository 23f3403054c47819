from pathlib import Path

from tests.rn.calling import rn


def test_what_works_is_listed(bundle_path: Path) -> None:
    result = rn("doctor", "--bundle", bundle_path)
    assert result.exit_code == 0, result.output
    assert "runs on CPUExecutionProvider" in result.stdout
    assert f"ok   bundle {bundle_path}: small, 3 classes, 2 sites" in result.stdout


def test_a_bundle_that_cannot_be_read_fails(tmp_path: Path) -> None:
    result = rn("doctor", "--bundle", tmp_path)
    assert result.exit_code == 1
    assert f"FAIL bundle {tmp_path}: cannot read manifest.json" in result.stdout

import pytest

from bench.claim import PUBLISHED, claim_lines, published_table
from rn_model.compare.findings.results import Finding
from rn_model.compare.grid_file import load_grid
from rn_model.compare.jobs import Key, cell_keys
from tests.rn_model.compare.findings.synthetic import result

GRID, _ = load_grid("claim")


def _findings(**accuracies: float) -> list[Finding]:
    """All runs of the grid; each seed is a tenth of a point above the previous one."""
    return [
        Finding(key, result(accuracies.get(key.normalization, 0.9) + 0.001 * key.seed))
        for key in cell_keys(GRID)
    ]


def _line(findings: list[Finding], *parts: str) -> str:
    lines = [line for line in claim_lines(GRID, findings) if all(part in line for part in parts)]
    assert len(lines) == 1
    return lines[0]


def test_every_published_protocol_and_every_rival_is_a_claim() -> None:
    assert set(PUBLISHED) < {task.name for task in GRID.tasks}
    rivals = {entry.name for entry in GRID.normalizations} - {"rn"}
    lines = claim_lines(GRID, _findings())
    assert len(lines) == len(PUBLISHED) + len(rivals) == 9


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.98, "holds"), (0.97, "does not hold")])
def test_a_published_number_is_beaten_or_not(accuracy: float, verdict: str) -> None:
    line = _line(_findings(rn=accuracy), "mnist-usps-full")
    assert line.startswith(f"{verdict}: ") and "SHOT's 97.9" in line
    assert f"{100 * accuracy + 0.2:.1f} +- 0.2" in line
    assert f"({100 * accuracy + 0.2 - 97.9:+.1f} points; seeds: 5" in line


def test_a_difference_must_exceed_chance() -> None:
    findings = _findings(bn=0.8)
    assert _line(findings, "better than bn").startswith("holds: ")
    assert "+10.00 points, standard error 0.00, 5 seeds" in _line(findings, "better than bn")
    assert _line(findings, "better than dsbn").startswith("does not hold: ")
    # Seeds that disagree: better by 2 points on average, with a standard error of 2.
    uneven = [
        finding
        if finding.key != Key(finding.key.task, "bn", "cdan+e", 0)
        else Finding(finding.key, result(0.8))
        for finding in _findings()
    ]
    line = _line(uneven, "better than bn")
    assert line.startswith("does not hold: ") and "+2.00 points, standard error 2.00" in line


def test_steps_are_reported_with_their_loss() -> None:
    line = _line(_findings(adabn=0.95), "better than adabn")
    assert line.startswith("does not hold: ") and "-5.00 points" in line


def test_a_claim_needs_trained_runs() -> None:
    assert all(line.startswith("not measured: ") for line in claim_lines(GRID, []))


def test_published_numbers_stand_under_their_protocols() -> None:
    table = published_table()
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["ADDA"] == ("89.4", "90.1", "-", "-")
    assert rows["SHOT"] == ("-", "-", "97.9", "98.0")

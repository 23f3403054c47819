"""Tables of the findings of a grid, for the terminal and as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.columns import Columns
from rich.console import Console
from rich.table import Table

from rn_model.compare.config import GridConfig
from rn_model.compare.findings.results import Finding
from rn_model.compare.findings.selection import Rule, Selection, label_free_selection
from rn_model.compare.findings.statistics import (
    Measure,
    Spread,
    by_seed,
    over_tasks,
    rank_correlation,
    spread,
)

MISSING = "-"
_RULES: tuple[Rule, ...] = ("trust", "score")
_Selected = dict[Rule, dict[str, Selection | None]]
FAILED = "failed"
_TITLES: dict[Measure, str] = {
    "oracle_target_accuracy": "accuracy of the checkpoint selected without labels, %",
    "oracle_best_accuracy": "oracle: accuracy of the checkpoint that labels would select, %",
}
_NOTE = (
    "Mean +- standard deviation over seeds. Target labels were only used to measure accuracy, except in the"
    " tables titled oracle, where they also selected the checkpoint, which is impossible without labels."
)


@dataclass(frozen=True)
class TextTable:
    """A table of strings; the first column names the rows."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Tables:
    """All tables of a grid.

    Attributes:
        blocks: groups of tables to show side by side.
        notes: lines to show below them.
    """

    blocks: tuple[tuple[TextTable, ...], ...]
    notes: tuple[str, ...]


def make_tables(grid: GridConfig, findings: Sequence[Finding]) -> Tables:
    """Make the tables of each task with results, of the means over tasks, and of label-free selection."""
    tasks = [task.name for task in grid.tasks]
    begun = {finding.key.task for finding in findings if finding.status != "missing"}
    shown = [task for task in tasks if task in begun]
    blocks = [
        tuple(
            TextTable(f"{task}: {title}", *_matrix(grid, findings, [task], measure))
            for measure, title in _TITLES.items()
        )
        for task in shown
    ]
    if len(shown) > 1:
        blocks.append(
            tuple(
                TextTable(f"mean over all tasks: {title}", *_matrix(grid, findings, tasks, measure))
                for measure, title in _TITLES.items()
            )
        )
    selected: _Selected = {
        rule: {task: label_free_selection(findings, task, rule) for task in shown}
        for rule in _RULES
    }
    blocks.append((_selections(findings, shown, selected),))
    return Tables(tuple(blocks), tuple(_notes(findings, selected)))


def as_markdown(tables: Tables) -> str:
    """Format the tables as Markdown."""
    parts: list[str] = []
    for block in tables.blocks:
        for table in block:
            lines = [_line(table.header), _line(["---", *["---:"] * (len(table.header) - 1)])]
            lines += [_line(row) for row in table.rows]
            parts += [f"### {table.title}", "\n".join(lines)]
    parts += [" \n".join(tables.notes)]
    return "\n\n".join(parts) + "\n"


def print_tables(tables: Tables, console: Console) -> None:
    """Print the tables on a terminal; those of a block side by side if there is room."""
    for block in tables.blocks:
        console.print(Columns([as_rich(table) for table in block], padding=(0, 4)))
        console.print()
    for note in tables.notes:
        console.print(note, highlight=False, markup=False, soft_wrap=True)


def as_rich(table: TextTable) -> Table:
    """Format a table for the terminal."""
    rich = Table(
        title=table.title, title_justify="left", title_style="bold", box=None, pad_edge=False
    )
    for number, name in enumerate(table.header):
        rich.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in table.rows:
        rich.add_row(*row)
    return rich


def percent(value: Spread | None, wanted: int | None = None) -> str:
    """Format as ``91.2 +- 0.4``, with the number of seeds in brackets if it is not ``wanted``."""
    if value is None:
        return MISSING
    text = f"{100 * value.mean:.1f}"
    if value.size > 1:
        text += f" +- {100 * value.deviation:.1f}"
    return text if wanted in (None, value.size) else f"{text} ({value.size})"


def _matrix(
    grid: GridConfig, findings: Sequence[Finding], tasks: Sequence[str], measure: Measure
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    names = [entry.name for entry in grid.objectives]
    rows: list[tuple[str, ...]] = []
    for normalization in (entry.name for entry in grid.normalizations):
        cells: list[str] = []
        for objective in names:
            if len(tasks) == 1:
                values = by_seed(findings, tasks[0], normalization, objective, measure)
            else:
                values = over_tasks(findings, tasks, normalization, objective, measure)
            text = percent(spread(list(values.values())), len(grid.seeds))
            if text == MISSING and _failed(findings, tasks, normalization, objective):
                text = FAILED
            cells.append(text)
        rows.append((normalization, *cells))
    return ("normalization", *names), tuple(rows)


def _failed(
    findings: Sequence[Finding], tasks: Sequence[str], normalization: str, objective: str
) -> bool:
    return any(
        finding.status == FAILED
        and finding.key.task in tasks
        and finding.key[1:3] == (normalization, objective)
        for finding in findings
    )


def _selections(
    findings: Sequence[Finding], tasks: Sequence[str], selected: _Selected
) -> TextTable:
    rows: list[tuple[str, ...]] = []
    for task in tasks:
        selection, scored = selected["trust"][task], selected["score"][task]
        correlation = rank_correlation(findings, task)
        names = () if selection is None else selection.names.most_common()
        rows.append(
            (
                task,
                percent(selection and selection.accuracy),
                percent(scored and scored.accuracy),
                percent(selection and selection.best),
                MISSING if correlation is None else f"{correlation.value:.2f} ({correlation.size})",
                ", ".join(f"{name} x {count}" for name, count in names) or MISSING,
            )
        )
    title = "label-free selection among all runs of a task and seed, and the source-only network, %"
    header = (
        "task",
        "selected",
        "by scores alone",
        "oracle",
        "rank correlation (runs)",
        "selected runs",
    )
    return TextTable(title, header, tuple(rows))


def _regrets(selected: _Selected) -> str | None:
    """What the choices lose against the best network, over all tasks and seeds."""

    def lost(rule: Rule) -> str | None:
        found = [selection for selection in selected[rule].values() if selection is not None]
        regrets = [regret for selection in found for regret in selection.regrets]
        if not regrets:
            return None
        mean = sum(regrets) / len(regrets)
        return f"{100 * mean:.1f} points in the mean and {100 * max(regrets):.1f} at worst"

    trusted, scored = lost("trust"), lost("score")
    if trusted is None:
        return None
    return (
        f"The selected networks are behind the best ones by {trusted}; by scores alone, {scored}."
    )


def _notes(findings: Sequence[Finding], selected: _Selected) -> list[str]:
    notes = [
        _NOTE,
        "Selected: the largest sum of nuclear norm and agreement with all candidates, among those still"
        " accurate on the source.",
        "Rank correlation: Spearman's, between the label-free score (mean of information and nuclear norm)"
        " and the accuracy, over all runs of a task.",
    ]
    regrets = _regrets(selected)
    notes += [] if regrets is None else [regrets]
    for selection in selected["trust"].values():
        # Where accuracies are known, all runs are of interest; where not, the one to export.
        if selection is not None and selection.accuracy is None:
            notes += [f"Selected with seed {seed}: {run}" for seed, run in selection.runs.items()]
    count = dict.fromkeys(("done", "failed", "missing"), 0)
    for finding in findings:
        count[finding.status] += 1
    if count["failed"] or count["missing"]:
        notes.append(
            f"{count['done']} of {len(findings)} runs are done, {count['failed']} failed and"
            f" {count['missing']} are missing; cells with missing seeds show their number of seeds in"
            " brackets."
        )
    notes += [f"failed: {f.key.path}: {f.failure}" for f in findings if f.status == FAILED][:20]
    return notes


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
